"""Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.config import standardize_data_format
from ..engine.errors import invalid
from ..engine.serialization import export
from .input_spec import InputSpec
from .layer import Layer
from .options import check_count


@export("keras.layers")
class Flatten(Layer):
    """(batch, ...) -> (batch, all other dimensions in one).

    Args:
        data_format: "channels_first" input is put into channels-last order first.

    >>> import kerasish as keras
    >>> keras.layers.Flatten()(keras.ops.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        x = inputs
        if self.data_format == "channels_first" and len(x.shape) > 2:
            x = ops.moveaxis(x, 1, -1)
        size = 1
        for d in x.shape[1:]:
            size = None if d is None or size is None else size * d
        if size is None:
            if x.shape[0] is None:
                # Two unknowns: the batch is kept by name of its position (0 = as in the input).
                raise invalid("Flatten", "at most one dimension may be unknown to flatten a symbolic input", x=x)
            return ops.reshape(x, (x.shape[0], -1))
        return ops.reshape(x, (-1, size) if x.shape[0] is None or size else (x.shape[0], size))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        size = 1
        for d in input_shape[1:]:
            size = None if d is None or size is None else size * d
        return (input_shape[0], size)

    def get_config(self) -> dict:
        return {**super().get_config(), "data_format": self.data_format}


@export("keras.layers")
class Reshape(Layer):
    """Gives each sample another shape.

    Args:
        target_shape: shape without the batch dimension; one entry may be -1.

    Raises:
        ValueError: where the number of values differs.

    >>> import kerasish as keras
    >>> keras.layers.Reshape((2, -1))(keras.ops.ones((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(target_shape, (list, tuple)) or not all(hasattr(d, "__index__") for d in target_shape):
            raise invalid("Reshape", "target_shape is a tuple of integers", target_shape=target_shape)
        target = tuple(d.__index__() for d in target_shape)
        if any(d < -1 or d == 0 for d in target) or target.count(-1) > 1:
            raise invalid("Reshape", "target_shape has positive integers and at most one -1", target_shape=target_shape)
        self.target_shape = target
        self.input_spec = InputSpec(min_ndim=1)

    def _target(self, input_shape: tuple) -> tuple:
        """The target with -1 worked out, where the sizes of a sample are known."""
        size = 1
        for d in input_shape[1:]:
            size = None if d is None or size is None else size * d
        if size is None:
            return self.target_shape
        known = 1
        for d in self.target_shape:
            known *= 1 if d == -1 else d
        fits = size % known == 0 if -1 in self.target_shape else size == known
        if not fits:
            raise invalid(
                "Reshape", f"a sample of {size} values cannot have shape {self.target_shape}", input_shape=input_shape
            )
        return tuple(size // known if d == -1 else d for d in self.target_shape)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], *(None if d == -1 else d for d in self._target(tuple(input_shape))))

    def call(self, inputs: Any) -> Any:
        target = self._target(tuple(inputs.shape))
        if inputs.shape[0] is None:
            return ops.reshape(inputs, (-1, *target))
        return ops.reshape(inputs, (inputs.shape[0], *target))

    def get_config(self) -> dict:
        return {**super().get_config(), "target_shape": self.target_shape}


@export("keras.layers")
class Permute(Layer):
    """Reorders the dimensions of each sample.

    Args:
        dims: the new order of the dimensions, counted from 1.

    Raises:
        ValueError: where dims is no order of 1, 2, ...

    >>> import kerasish as keras
    >>> keras.layers.Permute((2, 1))(keras.ops.ones((5, 3, 4))).shape
    (5, 4, 3)
    """

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(dims, (list, tuple)) or not all(hasattr(d, "__index__") for d in dims):
            raise invalid("Permute", "dims is a tuple of integers", dims=dims)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise invalid("Permute", "dims is an order of the numbers from 1 to the rank of a sample", dims=dims)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, axes=(0, *self.dims))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], *(input_shape[d] for d in self.dims))

    def get_config(self) -> dict:
        return {**super().get_config(), "dims": self.dims}


@export("keras.layers")
class RepeatVector(Layer):
    """(batch, features) -> (batch, n, features).

    Args:
        n: number of repetitions.

    Raises:
        TypeError, ValueError: where n is no positive integer.
    """

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise invalid("RepeatVector", "n is an integer", kind=TypeError, n=n)
        self.n = check_count("RepeatVector", "n", n)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict:
        return {**super().get_config(), "n": self.n}
