"""What convolution layers share: the checks of their arguments and the weights."""

from __future__ import annotations

from typing import Any

from .. import ops, regularizers
from ..engine.config import standardize_data_format
from ..engine.errors import invalid
from ..ops.windows import check_one_of_strides_and_dilation, check_padding, per_dimension
from .input_spec import InputSpec
from .layer import Layer
from .options import options_config, set_options


class ConvBase(Layer):
    """Base of all convolution layers.

    Args:
        rank: number of spatial dimensions.
        kernel_size, strides, dilation_rate: an integer or one for each spatial dimension.
        padding: "valid", "same", or "causal" where the layer allows it.
        data_format: "channels_last" or "channels_first".
        options: activation, initializers, regularizers and constraints by name.
    """

    allows_causal = False

    def __init__(
        self,
        rank: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        use_bias: bool,
        options: dict[str, Any],
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        where = type(self).__name__
        self.rank = rank
        self.kernel_size = per_dimension(where, "kernel_size", kernel_size, rank)
        self.strides = per_dimension(where, "strides", strides, rank)
        self.dilation_rate = per_dimension(where, "dilation_rate", dilation_rate, rank)
        check_one_of_strides_and_dilation(where, self.strides, self.dilation_rate)
        self.padding = check_padding(where, padding, causal=self.allows_causal)
        self.data_format = standardize_data_format(data_format)
        self.use_bias = use_bias
        set_options(self, **options)
        self.input_spec = InputSpec(ndim=rank + 2)

    @property
    def channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def channels_of(self, input_shape: Any) -> int:
        """The number of input channels, which must be known; later calls must have it too."""
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise invalid(type(self).__name__, "the number of input channels must be known", input_shape=input_shape)
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})
        return channels

    def add_kernel(self, name: str, shape: tuple, prefix: str | None = None) -> Any:
        """A weight whose initializer, regularizer and constraint are the options with this prefix."""
        prefix = prefix or name
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{prefix}_initializer"),
            regularizer=getattr(self, f"{prefix}_regularizer", None),
            constraint=getattr(self, f"{prefix}_constraint", None),
        )

    def finish(self, x: Any) -> Any:
        """Adds the bias and applies the activation."""
        if self.use_bias:
            bias = self.bias
            if self.data_format == "channels_first":
                bias = ops.reshape(bias, (1, -1) + (1,) * self.rank)
            x = ops.add(x, bias)
        return x if self.activation is None else self.activation(x)

    def get_config(self) -> dict:
        config = {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **options_config(self),
        }
        return {**super().get_config(), **config}
