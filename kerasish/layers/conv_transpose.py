"""Conv1DTranspose, Conv2DTranspose, Conv3DTranspose."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.serialization import export
from ..ops.windows import per_dimension
from .conv_base import ConvBase
from .options import check_count


class ConvTranspose(ConvBase):
    """Base of the transposed convolutions."""

    def __init__(self, rank: int, filters: Any, output_padding: Any, **kwargs: Any):
        super().__init__(rank, **kwargs)
        where = type(self).__name__
        self.filters = check_count(where, "filters", filters)
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = per_dimension(where, "output_padding", output_padding, rank, least=0)

    def build(self, input_shape: Any) -> None:
        channels = self.channels_of(input_shape)
        self.kernel = self.add_kernel("kernel", (*self.kernel_size, self.filters, channels))
        self.bias = self.add_kernel("bias", (self.filters,)) if self.use_bias else None

    def call(self, inputs: Any) -> Any:
        x = ops.conv_transpose(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )
        return self.finish(x)

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "output_padding": self.output_padding}


@export("keras.layers", aliases=("keras.layers.Convolution1DTranspose",))
class Conv1DTranspose(ConvTranspose):
    """Transposed convolution over 1 spatial dimension: the gradient of Conv1D by its input, as a layer.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer.
        padding: "valid" or "same".
        output_padding: an integer of additional cells at the far end; by default as the padding implies.
        data_format: "channels_last" (the default) or "channels_first".
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.Conv1DTranspose(5, 3, strides=2)(keras.ops.ones((1, 10, 4))).shape
    (1, 21, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=1,
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
            output_padding,
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


@export("keras.layers", aliases=("keras.layers.Convolution2DTranspose",))
class Conv2DTranspose(ConvTranspose):
    """Transposed convolution over 2 spatial dimensions: the gradient of Conv2D by its input, as a layer.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer or 2 integers.
        padding: "valid" or "same".
        output_padding: an integer or 2 integers of additional cells at the far end; by default as the padding implies.
        data_format: "channels_last" (the default) or "channels_first".
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.Conv2DTranspose(5, 3, strides=2)(keras.ops.ones((1, 4, 4, 1))).shape
    (1, 9, 9, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=(1, 1),
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
            output_padding,
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


@export("keras.layers", aliases=("keras.layers.Convolution3DTranspose",))
class Conv3DTranspose(ConvTranspose):
    """Transposed convolution over 3 spatial dimensions: the gradient of Conv3D by its input, as a layer.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an integer or 3 integers.
        padding: "valid" or "same".
        output_padding: an integer or 3 integers of additional cells at the far end; by default as the padding implies.
        data_format: "channels_last" (the default) or "channels_first".
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or number of channels.

    >>> import kerasish as keras
    >>> keras.layers.Conv3DTranspose(5, 3, strides=2)(keras.ops.ones((1, 2, 3, 4, 2))).shape
    (1, 5, 7, 9, 5)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        output_padding=None,
        dilation_rate=(1, 1, 1),
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
            output_padding,
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
