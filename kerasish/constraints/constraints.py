"""Constraints: projections that keep weights in a set, applied after each update."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.registry import export


@export("keras.constraints")
class Constraint:
    """A callable from a weight to the weight that replaces it, of the same shape and dtype.

    Example:

    >>> import kerasish as keras
    >>> class AtMostOne(keras.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return keras.ops.minimum(w, 1.0)
    >>> AtMostOne()(keras.ops.convert_to_tensor([0.5, 2.0])).numpy()
    array([0.5, 1. ], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """A constraint with these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


def _norms(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


@export("keras.constraints")
class MaxNorm(Constraint):
    """Scales weight vectors down to a norm of at most `max_value`.

    Args:
        max_value: the largest norm.
        axis: the dimensions along which a vector lies; 0 for a dense kernel (inputs, units), [0, 1, 2] for a
            convolution kernel.

    Reference: Srivastava et al., 2014 (Dropout).

    Example:

    >>> import kerasish as keras
    >>> keras.constraints.MaxNorm(5.0)(keras.ops.convert_to_tensor([[6.0], [8.0]])).numpy().round(3)
    array([[3.],
           [4.]], dtype=float32)
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norms = _norms(w, self.axis)
        return w * (ops.clip(norms, 0, self.max_value) / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@export("keras.constraints")
class NonNeg(Constraint):
    """Replaces negative weights by 0.

    Example:

    >>> import kerasish as keras
    >>> keras.constraints.NonNeg()(keras.ops.convert_to_tensor([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(ops.convert_to_tensor(w), 0)


@export("keras.constraints")
class UnitNorm(Constraint):
    """Scales weight vectors to norm 1.

    Args:
        axis: the dimensions along which a vector lies, see `MaxNorm`.

    Example:

    >>> import kerasish as keras
    >>> keras.constraints.UnitNorm()(keras.ops.convert_to_tensor([[6.0], [8.0]])).numpy().round(3)
    array([[0.6],
           [0.8]], dtype=float32)
    """

    def __init__(self, axis: Any = 0):
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        return w / (epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@export("keras.constraints")
class MinMaxNorm(Constraint):
    """Moves the norm of weight vectors towards the interval [min_value, max_value].

    Args:
        min_value: the smallest norm.
        max_value: the largest norm.
        rate: 1 enforces the interval; below, the norm becomes `rate * clip(norm) + (1 - rate) * norm`.
        axis: the dimensions along which a vector lies, see `MaxNorm`.

    Example:

    >>> import kerasish as keras
    >>> keras.constraints.MinMaxNorm(0.0, 5.0)(keras.ops.convert_to_tensor([[6.0], [8.0]])).numpy().round(3)
    array([[3.],
           [4.]], dtype=float32)
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = ops.convert_to_tensor(w)
        norms = _norms(w, self.axis)
        desired = self.rate * ops.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}
