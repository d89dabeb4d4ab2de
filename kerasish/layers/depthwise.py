"""DepthwiseConv1D and DepthwiseConv2D."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.serialization import export
from .conv_base import ConvBase
from .options import check_count


class DepthwiseConv(ConvBase):
    """Base of the depthwise convolutions: every channel has `depth_multiplier` filters of its own."""

    def __init__(self, rank: int, depth_multiplier: Any, **kwargs: Any):
        super().__init__(rank, **kwargs)
        self.depth_multiplier = check_count(type(self).__name__, "depth_multiplier", depth_multiplier)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        self.kernel = self.add_kernel("kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise")
        self.bias = self.add_kernel("bias", (channels * self.depth_multiplier,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        x = ops.depthwise_conv(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        return self.finish(x)

    def get_config(self) -> dict:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


@export("keras.layers")
class DepthwiseConv1D(DepthwiseConv):
    """Convolution of each channel by itself over 1 spatial dimension.

    Args:
        kernel_size, strides, dilation_rate: an integer; strides and dilation not both above 1.
        padding: "valid" or "same".
        depth_multiplier: output channels for each input channel.
        data_format: "channels_last" (the default) or "channels_first".
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        depthwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.DepthwiseConv1D(3, depth_multiplier=2)(keras.ops.ones((1, 10, 4))).shape
    (1, 8, 8)
    """

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=1,
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            1,
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
                bias_initializer=bias_initializer,
                depthwise_regularizer=depthwise_regularizer,
                bias_regularizer=bias_regularizer,
                depthwise_constraint=depthwise_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )


@export("keras.layers")
class DepthwiseConv2D(DepthwiseConv):
    """Convolution of each channel by itself over 2 spatial dimensions.

    Args:
        kernel_size, strides, dilation_rate: an integer or 2 integers; strides and dilation not both above 1.
        padding: "valid" or "same".
        depth_multiplier: output channels for each input channel.
        data_format: "channels_last" (the default) or "channels_first".
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        depthwise_initializer, bias_initializer: initial values.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(keras.ops.ones((1, 9, 9, 3))).shape
    (1, 7, 7, 6)
    """

    def __init__(
        self,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=(1, 1),
        activation=None,
        use_bias=True,
        depthwise_initializer="glorot_uniform",
        bias_initializer="zeros",
        depthwise_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        depthwise_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            2,
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
                bias_initializer=bias_initializer,
                depthwise_regularizer=depthwise_regularizer,
                bias_regularizer=bias_regularizer,
                depthwise_constraint=depthwise_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )
