"""ZeroPadding, Cropping and UpSampling in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.config import standardize_data_format
from ..engine.errors import invalid
from ..engine.serialization import export
from ..ops.windows import per_dimension
from .input_spec import InputSpec
from .layer import Layer


def _pairs(where: str, name: str, value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """(low, high) for each dimension, from an integer, one integer for each, or pairs."""
    if rank == 1 and isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(v, int) for v in value):
        value = (tuple(value),)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (list, tuple)) for v in value):
        if len(value) != rank:
            raise invalid(where, f"{name} is an integer, {rank} integers or {rank} pairs", **{name: value})
        return tuple(per_dimension(where, name, v, 2, least=0) for v in value)
    return tuple((v, v) for v in per_dimension(where, name, value, rank, least=0))


class Spatial(Layer):
    """Base of layers that change the spatial dimensions only."""

    def __init__(self, rank: int, data_format: str | None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rank = rank
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)

    @property
    def first(self) -> int:
        """Axis of the first spatial dimension."""
        return 1 if self.data_format == "channels_last" else 2

    def compute_output_shape(self, input_shape: Any) -> tuple:
        out = list(input_shape)
        for k in range(self.rank):
            if out[self.first + k] is not None:
                out[self.first + k] = self.resized(k, out[self.first + k])
        return tuple(out)

    def resized(self, k: int, size: int) -> int:
        """The new size of the k-th spatial dimension."""
        raise NotImplementedError


class ZeroPadding(Spatial):
    """Base of ZeroPadding1D, 2D and 3D."""

    def __init__(self, rank: int, padding: Any, data_format: str | None, **kwargs: Any):
        super().__init__(rank, data_format, **kwargs)
        self.padding = _pairs(type(self).__name__, "padding", padding, rank)

    def resized(self, k: int, size: int) -> int:
        return size + sum(self.padding[k])

    def call(self, inputs: Any) -> Any:
        widths = [(0, 0)] * (self.rank + 2)
        widths[self.first : self.first + self.rank] = self.padding
        return ops.pad(inputs, tuple(widths))

    def get_config(self) -> dict:
        padding = self.padding[0] if self.rank == 1 else self.padding
        return {**super().get_config(), "padding": padding, "data_format": self.data_format}


class Cropping(Spatial):
    """Base of Cropping1D, 2D and 3D."""

    def __init__(self, rank: int, cropping: Any, data_format: str | None, **kwargs: Any):
        super().__init__(rank, data_format, **kwargs)
        self.cropping = _pairs(type(self).__name__, "cropping", cropping, rank)

    def resized(self, k: int, size: int) -> int:
        low, high = self.cropping[k]
        if size <= low + high:
            raise invalid(
                type(self).__name__, f"cropping must leave something of dimension {k + 1} of size {size}",
                cropping=self.cropping,
            )  # fmt: skip
        return size - low - high

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(tuple(inputs.shape))
        key: list = [slice(None)] * (self.rank + 2)
        for k, (low, high) in enumerate(self.cropping):
            key[self.first + k] = slice(low, -high if high else None)
        return inputs[tuple(key)]

    def get_config(self) -> dict:
        cropping = self.cropping[0] if self.rank == 1 else self.cropping
        return {**super().get_config(), "cropping": cropping, "data_format": self.data_format}


class UpSampling(Spatial):
    """Base of UpSampling1D, 2D and 3D: repeats rows and columns."""

    def __init__(self, rank: int, size: Any, data_format: str | None, **kwargs: Any):
        super().__init__(rank, data_format, **kwargs)
        self.size = per_dimension(type(self).__name__, "size", size, rank)

    def resized(self, k: int, size: int) -> int:
        return size * self.size[k]

    def call(self, inputs: Any) -> Any:
        x = inputs
        for k, n in enumerate(self.size):
            if n > 1:
                x = ops.repeat(x, n, axis=self.first + k)
        return x

    def get_config(self) -> dict:
        return {**super().get_config(), "size": self.size[0] if self.rank == 1 else self.size}


@export("keras.layers")
class ZeroPadding1D(ZeroPadding):
    """Puts zeros around the spatial dimension of (batch, steps, channels).

    Args:
        padding: an integer or a pair (before, after).
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for negative or malformed padding.

    >>> import kerasish as keras
    >>> keras.layers.ZeroPadding1D(1)(keras.ops.ones((1, 4, 2))).shape
    (1, 6, 2)
    """

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(1, padding, data_format, **kwargs)


@export("keras.layers")
class Cropping1D(Cropping):
    """Cuts the edges of the spatial dimension of (batch, steps, channels).

    Args:
        cropping: an integer or a pair (before, after).

    Raises:
        ValueError: for negative or malformed cropping, and where nothing is left.

    >>> import kerasish as keras
    >>> keras.layers.Cropping1D(1)(keras.ops.ones((1, 4, 2))).shape
    (1, 2, 2)
    """

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(1, cropping, "channels_last", **kwargs)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["data_format"]
        return config


@export("keras.layers")
class UpSampling1D(UpSampling):
    """Repeats each position of the spatial dimension of (batch, steps, channels).

    Args:
        size: number of repetitions.

    >>> import kerasish as keras
    >>> keras.layers.UpSampling1D(2)(keras.ops.ones((1, 4, 2))).shape
    (1, 8, 2)
    """

    def __init__(self, size=2, **kwargs):
        super().__init__(1, size, "channels_last", **kwargs)


@export("keras.layers")
class ZeroPadding2D(ZeroPadding):
    """Puts zeros around the spatial dimensions of (batch, rows, columns, channels).

    Args:
        padding: an integer, 2 integers, or 2 pairs (before, after).
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for negative or malformed padding.

    >>> import kerasish as keras
    >>> keras.layers.ZeroPadding2D(1)(keras.ops.ones((1, 4, 4, 2))).shape
    (1, 6, 6, 2)
    """

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(2, padding, data_format, **kwargs)


@export("keras.layers")
class Cropping2D(Cropping):
    """Cuts the edges of the spatial dimensions of (batch, rows, columns, channels).

    Args:
        cropping: an integer, 2 integers, or 2 pairs (before, after).
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for negative or malformed cropping, and where nothing is left.

    >>> import kerasish as keras
    >>> keras.layers.Cropping2D(1)(keras.ops.ones((1, 4, 4, 2))).shape
    (1, 2, 2, 2)
    """

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(2, cropping, data_format, **kwargs)


@export("keras.layers")
class UpSampling2D(UpSampling):
    """Enlarges the rows and columns of (batch, rows, columns, channels).

    Args:
        size: factor, or one for rows and one for columns.
        data_format: "channels_last" (the default) or "channels_first".
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".

    Raises:
        ValueError: for a factor below 1 or an unknown interpolation.

    >>> import kerasish as keras
    >>> keras.layers.UpSampling2D(2)(keras.ops.ones((1, 4, 4, 2))).shape
    (1, 8, 8, 2)
    """

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(2, size, data_format, **kwargs)
        allowed = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        name = interpolation.lower() if isinstance(interpolation, str) else interpolation
        if name not in allowed:
            raise invalid("UpSampling2D", f"interpolation is one of {allowed}", interpolation=interpolation)
        self.interpolation = name

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        rows, columns = self.compute_output_shape(tuple(inputs.shape))[self.first : self.first + 2]
        return ops.image.resize(inputs, (rows, columns), interpolation=self.interpolation, data_format=self.data_format)

    def get_config(self) -> dict:
        config = {"data_format": self.data_format, "interpolation": self.interpolation}
        return {**super().get_config(), **config}


@export("keras.layers")
class ZeroPadding3D(ZeroPadding):
    """Puts zeros around the spatial dimensions of (batch, depth, rows, columns, channels).

    Args:
        padding: an integer, 3 integers, or 3 pairs (before, after).
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for negative or malformed padding.

    >>> import kerasish as keras
    >>> keras.layers.ZeroPadding3D(1)(keras.ops.ones((1, 4, 4, 4, 2))).shape
    (1, 6, 6, 6, 2)
    """

    def __init__(self, padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(3, padding, data_format, **kwargs)


@export("keras.layers")
class Cropping3D(Cropping):
    """Cuts the edges of the spatial dimensions of (batch, depth, rows, columns, channels).

    Args:
        cropping: an integer, 3 integers, or 3 pairs (before, after).
        data_format: "channels_last" (the default) or "channels_first".

    Raises:
        ValueError: for negative or malformed cropping, and where nothing is left.

    >>> import kerasish as keras
    >>> keras.layers.Cropping3D(1)(keras.ops.ones((1, 4, 4, 4, 2))).shape
    (1, 2, 2, 2, 2)
    """

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(3, cropping, data_format, **kwargs)


@export("keras.layers")
class UpSampling3D(UpSampling):
    """Repeats each position of the spatial dimensions of (batch, depth, rows, columns, channels).

    Args:
        size: number of repetitions, an integer or 3.
        data_format: "channels_last" (the default) or "channels_first".

    >>> import kerasish as keras
    >>> keras.layers.UpSampling3D(2)(keras.ops.ones((1, 4, 4, 4, 2))).shape
    (1, 8, 8, 8, 2)
    """

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(3, size, data_format, **kwargs)

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format}
