"""Conv1D, Conv2D, Conv3D."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..ops.conv import conv_bias
from .conv_base import ConvBase
from .options import check_count


class Conv(ConvBase):
    """Base of Conv1D, Conv2D and Conv3D."""

    def __init__(self, rank: int, filters: Any, groups: Any, **kwargs: Any):
        super().__init__(rank, **kwargs)
        where = type(self).__name__
        self.filters = check_count(where, "filters", filters)
        self.groups = check_count(where, "groups", groups)
        if self.filters % self.groups:
            raise invalid(where, "filters must be divisible by groups", filters=filters, groups=groups)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        if channels % self.groups:
            raise invalid(
                type(self).__name__,
                f"the number of input channels must be divisible by groups={self.groups}",
                input_shape=input_shape,
            )
        self.kernel = self.add_kernel("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self.bias = self.add_kernel("bias", (self.filters,)) if self.use_bias else None

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution alone, without bias and activation."""
        return ops.conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )

    def call(self, inputs: Any) -> Any:
        if not self.use_bias or type(self).convolution_op is not Conv.convolution_op:
            return self.finish(self.convolution_op(inputs, self.kernel))
        x = conv_bias(
            inputs,
            self.kernel,
            self.bias,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        return x if self.activation is None else self.activation(x)

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


@export("keras.layers", aliases=("keras.layers.Convolution1D",))
class Conv1D(Conv):
    """Convolution over 1 spatial dimension: (batch, steps, channels) -> the same with `filters` channels.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer; strides and dilation not both above 1.
        padding: "valid", "same" or "causal" (pads in front only, so that no output sees the future).
        data_format: "channels_last" (the default) or "channels_first".
        groups: channels are split into this many groups that do not mix.
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, channels that the groups do not divide, an input of another
            rank or number of channels, and an input smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.Conv1D(5, 3)(keras.ops.ones((1, 10, 4))).shape
    (1, 8, 5)
    """

    allows_causal = True

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            1,
            filters,
            groups,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            activity_regularizer=activity_regularizer,
            options=dict(
                activation=activation,
                kernel_initializer=kernel_initializer,
                bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )


@export("keras.layers", aliases=("keras.layers.Convolution2D",))
class Conv2D(Conv):
    """Convolution over 2 spatial dimensions: (batch, rows, columns, channels) -> the same with `filters` channels.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer or 2 integers; strides and dilation not both above 1.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".
        groups: channels are split into this many groups that do not mix.
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, channels that the groups do not divide, an input of another
            rank or number of channels, and an input smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.Conv2D(5, 3)(keras.ops.ones((1, 28, 28, 1))).shape
    (1, 26, 26, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1),
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            2,
            filters,
            groups,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            activity_regularizer=activity_regularizer,
            options=dict(
                activation=activation,
                kernel_initializer=kernel_initializer,
                bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )


@export("keras.layers", aliases=("keras.layers.Convolution3D",))
class Conv3D(Conv):
    """Convolution over 3 spatial dimensions: (batch, depth, rows, columns, channels) -> the same, `filters` channels.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer or 3 integers; strides and dilation not both above 1.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".
        groups: channels are split into this many groups that do not mix.
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, channels that the groups do not divide, an input of another
            rank or number of channels, and an input smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.Conv3D(5, 3)(keras.ops.ones((1, 5, 6, 7, 2))).shape
    (1, 3, 4, 5, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1, 1),
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(
            3,
            filters,
            groups,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            activity_regularizer=activity_regularizer,
            options=dict(
                activation=activation,
                kernel_initializer=kernel_initializer,
                bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )
