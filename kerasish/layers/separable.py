"""SeparableConv1D and SeparableConv2D."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.serialization import export
from .conv_base import ConvBase
from .options import check_count


class SeparableConv(ConvBase):
    """Base of the separable convolutions: a depthwise convolution, then one of window 1 that mixes the channels."""

    def __init__(self, rank: int, filters: Any, depth_multiplier: Any, **kwargs: Any):
        super().__init__(rank, **kwargs)
        where = type(self).__name__
        self.filters = check_count(where, "filters", filters)
        self.depth_multiplier = check_count(where, "depth_multiplier", depth_multiplier)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        inner = channels * self.depth_multiplier
        self.depthwise_kernel = self.add_kernel(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise"
        )
        self.pointwise_kernel = self.add_kernel(
            "pointwise_kernel", (*(1,) * self.rank, inner, self.filters), "pointwise"
        )
        self.bias = self.add_kernel("bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        x = ops.separable_conv(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        return self.finish(x)

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "depth_multiplier": self.depth_multiplier}


@export("keras.layers", aliases=("keras.layers.SeparableConvolution1D",))
class SeparableConv1D(SeparableConv):
    """Depthwise convolution over 1 spatial dimension, then a mixing of the channels.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer; strides and dilation not both above 1.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".
        depth_multiplier: depthwise channels for each input channel.
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        depthwise_initializer, pointwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.SeparableConv1D(5, 3)(keras.ops.ones((1, 10, 4))).shape
    (1, 8, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            1,
            filters,
            depth_multiplier,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            activity_regularizer=activity_regularizer,
            options=dict(
                activation=activation,
                depthwise_initializer=depthwise_initializer,
                pointwise_initializer=pointwise_initializer,
                bias_initializer=bias_initializer,
                depthwise_regularizer=depthwise_regularizer,
                pointwise_regularizer=pointwise_regularizer,
                bias_regularizer=bias_regularizer,
                depthwise_constraint=depthwise_constraint,
                pointwise_constraint=pointwise_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )


@export("keras.layers", aliases=("keras.layers.SeparableConvolution2D",))
class SeparableConv2D(SeparableConv):
    """Depthwise convolution over 2 spatial dimensions, then a mixing of the channels.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer or 2 integers; strides and dilation not both above 1.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".
        depth_multiplier: depthwise channels for each input channel.
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        depthwise_initializer, pointwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.SeparableConv2D(5, 3)(keras.ops.ones((1, 9, 9, 3))).shape
    (1, 7, 7, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1),
        depth_multiplier=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        pointwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        pointwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        pointwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            2,
            filters,
            depth_multiplier,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            activity_regularizer=activity_regularizer,
            options=dict(
                activation=activation,
                depthwise_initializer=depthwise_initializer,
                pointwise_initializer=pointwise_initializer,
                bias_initializer=bias_initializer,
                depthwise_regularizer=depthwise_regularizer,
                pointwise_regularizer=pointwise_regularizer,
                bias_regularizer=bias_regularizer,
                depthwise_constraint=depthwise_constraint,
                pointwise_constraint=pointwise_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )
