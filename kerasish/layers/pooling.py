"""Max, average, global and adaptive pooling layers."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.config import standardize_data_format
from ..engine.serialization import export
from ..ops.windows import check_padding, per_dimension
from .input_spec import InputSpec
from .layer import Layer


class Pooling(Layer):
    """Base of pooling with a sliding window."""

    op: Any = None

    def __init__(
        self, rank: int, pool_size: Any, strides: Any, padding: str, data_format: str | None, name: Any, **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        where = type(self).__name__
        self.rank = rank
        self.pool_size = per_dimension(where, "pool_size", pool_size, rank)
        self.strides = self.pool_size if strides is None else per_dimension(where, "strides", strides, rank)
        self.padding = check_padding(where, padding)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)

    def call(self, inputs: Any) -> Any:
        return type(self).op(
            inputs, pool_size=self.pool_size, strides=self.strides, padding=self.padding, data_format=self.data_format
        )

    def get_config(self) -> dict:
        config = {
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }
        return {**super().get_config(), **config}


class GlobalPooling(Layer):
    """Base of pooling over all positions."""

    def __init__(self, rank: int, data_format: str | None, keepdims: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.rank = rank
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=rank + 2)

    @property
    def axes(self) -> tuple[int, ...]:
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling(GlobalPooling):
    """Base of the maximum over all positions."""

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self.axes, keepdims=self.keepdims)


class GlobalAveragePooling(GlobalPooling):
    """Base of the mean over all positions."""

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self.axes, keepdims=self.keepdims)


class AdaptivePooling(Layer):
    """Base of pooling into a given number of positions."""

    op: Any = None

    def __init__(self, rank: int, output_size: Any, data_format: str | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rank = rank
        self.output_size = per_dimension(type(self).__name__, "output_size", output_size, rank)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)

    def call(self, inputs: Any) -> Any:
        return type(self).op(inputs, output_size=self.output_size, data_format=self.data_format)

    def get_config(self) -> dict:
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


@export("keras.layers", aliases=("keras.layers.MaxPool1D",))
class MaxPooling1D(Pooling):
    """The maximum of each window over the spatial dimension of (batch, steps, channels).

    Args:
        pool_size: size of the window, an integer.
        strides: steps of the window; the pool size by default.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.MaxPooling1D(2)(keras.ops.ones((1, 8, 2))).shape
    (1, 4, 2)
    """

    op = staticmethod(ops.max_pool)

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(1, pool_size, strides, padding, data_format, name, **kwargs)


@export("keras.layers", aliases=("keras.layers.MaxPool2D",))
class MaxPooling2D(Pooling):
    """The maximum of each window over the spatial dimensions of (batch, rows, columns, channels).

    Args:
        pool_size: size of the window, an integer or 2 integers.
        strides: steps of the window; the pool size by default.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.MaxPooling2D(2)(keras.ops.ones((1, 8, 8, 2))).shape
    (1, 4, 4, 2)
    """

    op = staticmethod(ops.max_pool)

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(2, pool_size, strides, padding, data_format, name, **kwargs)


@export("keras.layers", aliases=("keras.layers.MaxPool3D",))
class MaxPooling3D(Pooling):
    """The maximum of each window over the spatial dimensions of (batch, depth, rows, columns, channels).

    Args:
        pool_size: size of the window, an integer or 3 integers.
        strides: steps of the window; the pool size by default.
        padding: "valid" or "same".
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.MaxPooling3D(2)(keras.ops.ones((1, 8, 8, 8, 2))).shape
    (1, 4, 4, 4, 2)
    """

    op = staticmethod(ops.max_pool)

    def __init__(self, pool_size=(2, 2, 2), strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(3, pool_size, strides, padding, data_format, name, **kwargs)


@export("keras.layers", aliases=("keras.layers.AvgPool1D",))
class AveragePooling1D(Pooling):
    """The mean of each window over the spatial dimension of (batch, steps, channels).

    Args:
        pool_size: size of the window, an integer.
        strides: steps of the window; the pool size by default.
        padding: "valid" or "same"; padding does not count in the mean.
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.AveragePooling1D(2)(keras.ops.ones((1, 8, 2))).shape
    (1, 4, 2)
    """

    op = staticmethod(ops.average_pool)

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(1, pool_size, strides, padding, data_format, name, **kwargs)


@export("keras.layers", aliases=("keras.layers.AvgPool2D",))
class AveragePooling2D(Pooling):
    """The mean of each window over the spatial dimensions of (batch, rows, columns, channels).

    Args:
        pool_size: size of the window, an integer or 2 integers.
        strides: steps of the window; the pool size by default.
        padding: "valid" or "same"; padding does not count in the mean.
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.AveragePooling2D(2)(keras.ops.ones((1, 8, 8, 2))).shape
    (1, 4, 4, 2)
    """

    op = staticmethod(ops.average_pool)

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(2, pool_size, strides, padding, data_format, name, **kwargs)


@export("keras.layers", aliases=("keras.layers.AvgPool3D",))
class AveragePooling3D(Pooling):
    """The mean of each window over the spatial dimensions of (batch, depth, rows, columns, channels).

    Args:
        pool_size: size of the window, an integer or 3 integers.
        strides: steps of the window; the pool size by default.
        padding: "valid" or "same"; padding does not count in the mean.
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for sizes below 1, unknown padding, an input of another rank or smaller than the window.

    >>> import kerasish as keras
    >>> keras.layers.AveragePooling3D(2)(keras.ops.ones((1, 8, 8, 8, 2))).shape
    (1, 4, 4, 4, 2)
    """

    op = staticmethod(ops.average_pool)

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(3, pool_size, strides, padding, data_format, name, **kwargs)


@export("keras.layers", aliases=("keras.layers.GlobalMaxPool1D",))
class GlobalMaxPooling1D(GlobalMaxPooling):
    """The maximum over all positions: (batch, steps, channels) -> (batch, channels).

    Args:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: keep the spatial dimensions, of size 1.

    >>> import kerasish as keras
    >>> keras.layers.GlobalMaxPooling1D()(keras.ops.ones((1, 8, 2))).shape
    (1, 2)
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(1, data_format, keepdims, **kwargs)


@export("keras.layers", aliases=("keras.layers.GlobalMaxPool2D",))
class GlobalMaxPooling2D(GlobalMaxPooling):
    """The maximum over all positions: (batch, rows, columns, channels) -> (batch, channels).

    Args:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: keep the spatial dimensions, of size 1.

    >>> import kerasish as keras
    >>> keras.layers.GlobalMaxPooling2D()(keras.ops.ones((1, 8, 8, 2))).shape
    (1, 2)
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(2, data_format, keepdims, **kwargs)


@export("keras.layers", aliases=("keras.layers.GlobalMaxPool3D",))
class GlobalMaxPooling3D(GlobalMaxPooling):
    """The maximum over all positions: (batch, depth, rows, columns, channels) -> (batch, channels).

    Args:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: keep the spatial dimensions, of size 1.

    >>> import kerasish as keras
    >>> keras.layers.GlobalMaxPooling3D()(keras.ops.ones((1, 8, 8, 8, 2))).shape
    (1, 2)
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(3, data_format, keepdims, **kwargs)


@export("keras.layers", aliases=("keras.layers.GlobalAvgPool1D",))
class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean over all positions: (batch, steps, channels) -> (batch, channels).

    Args:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: keep the spatial dimensions, of size 1.

    >>> import kerasish as keras
    >>> keras.layers.GlobalAveragePooling1D()(keras.ops.ones((1, 8, 2))).shape
    (1, 2)
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(1, data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        (axis,) = self.axes
        keep = ops.expand_dims(ops.cast(mask, inputs.dtype), -1 if axis == 1 else 1)
        total = ops.sum(ops.multiply(inputs, keep), axis=axis, keepdims=self.keepdims)
        return ops.divide(total, ops.sum(keep, axis=axis, keepdims=self.keepdims))

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None


@export("keras.layers", aliases=("keras.layers.GlobalAvgPool2D",))
class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean over all positions: (batch, rows, columns, channels) -> (batch, channels).

    Args:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: keep the spatial dimensions, of size 1.

    >>> import kerasish as keras
    >>> keras.layers.GlobalAveragePooling2D()(keras.ops.ones((1, 8, 8, 2))).shape
    (1, 2)
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(2, data_format, keepdims, **kwargs)


@export("keras.layers", aliases=("keras.layers.GlobalAvgPool3D",))
class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean over all positions: (batch, depth, rows, columns, channels) -> (batch, channels).

    Args:
        data_format: "channels_last" (the default) or "channels_first".
        keepdims: keep the spatial dimensions, of size 1.

    >>> import kerasish as keras
    >>> keras.layers.GlobalAveragePooling3D()(keras.ops.ones((1, 8, 8, 8, 2))).shape
    (1, 2)
    """

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(3, data_format, keepdims, **kwargs)


@export("keras.layers")
class AdaptiveMaxPooling1D(AdaptivePooling):
    """The maximum over windows that cover the input with a given number of positions.

    Args:
        output_size: number of positions, an integer.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveMaxPooling1D(3)(keras.ops.ones((1, 8, 2))).shape
    (1, 3, 2)
    """

    op = staticmethod(ops.adaptive_max_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(1, output_size, data_format, **kwargs)


@export("keras.layers")
class AdaptiveMaxPooling2D(AdaptivePooling):
    """The maximum over windows that cover the input with a given number of positions.

    Args:
        output_size: number of positions, an integer or 2 integers.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveMaxPooling2D(3)(keras.ops.ones((1, 8, 8, 2))).shape
    (1, 3, 3, 2)
    """

    op = staticmethod(ops.adaptive_max_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(2, output_size, data_format, **kwargs)


@export("keras.layers")
class AdaptiveMaxPooling3D(AdaptivePooling):
    """The maximum over windows that cover the input with a given number of positions.

    Args:
        output_size: number of positions, an integer or 3 integers.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveMaxPooling3D(3)(keras.ops.ones((1, 8, 8, 8, 2))).shape
    (1, 3, 3, 3, 2)
    """

    op = staticmethod(ops.adaptive_max_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(3, output_size, data_format, **kwargs)


@export("keras.layers")
class AdaptiveAveragePooling1D(AdaptivePooling):
    """The mean over windows that cover the input with a given number of positions.

    Args:
        output_size: number of positions, an integer.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveAveragePooling1D(3)(keras.ops.ones((1, 8, 2))).shape
    (1, 3, 2)
    """

    op = staticmethod(ops.adaptive_average_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(1, output_size, data_format, **kwargs)


@export("keras.layers")
class AdaptiveAveragePooling2D(AdaptivePooling):
    """The mean over windows that cover the input with a given number of positions.

    Args:
        output_size: number of positions, an integer or 2 integers.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveAveragePooling2D(3)(keras.ops.ones((1, 8, 8, 2))).shape
    (1, 3, 3, 2)
    """

    op = staticmethod(ops.adaptive_average_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(2, output_size, data_format, **kwargs)


@export("keras.layers")
class AdaptiveAveragePooling3D(AdaptivePooling):
    """The mean over windows that cover the input with a given number of positions.

    Args:
        output_size: number of positions, an integer or 3 integers.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.AdaptiveAveragePooling3D(3)(keras.ops.ones((1, 8, 8, 8, 2))).shape
    (1, 3, 3, 3, 2)
    """

    op = staticmethod(ops.adaptive_average_pool)

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(3, output_size, data_format, **kwargs)
