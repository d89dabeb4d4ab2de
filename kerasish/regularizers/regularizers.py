"""Regularizers: penalties on weights that are added to the loss."""

from __future__ import annotations

import math
from typing import Any

from kerasish import ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export


@export("keras.regularizers", aliases=("keras",))
class Regularizer:
    """A penalty: a callable from a tensor to a scalar.

    Subclasses implement `__call__` and `get_config`.

    Example:

    >>> import kerasish as keras
    >>> class L4(keras.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return keras.ops.sum(keras.ops.power(x, 4))
    >>> float(L4()(keras.ops.ones((3,))))
    3.0
    """

    def __call__(self, x: Any) -> Any:
        return 0.0

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """A regularizer with these arguments."""
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config()")

    def __repr__(self) -> str:
        if type(self).get_config is Regularizer.get_config:
            return f"{type(self).__name__}()"
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


def _factor(where: str, name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise invalid(where, f"{name} is a finite number of at least 0", **{name: value})
    return float(value)


@export("keras.regularizers")
class L1L2(Regularizer):
    """`l1 * sum(abs(x)) + l2 * sum(x ** 2)`.

    Args:
        l1: factor of the first term.
        l2: factor of the second.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.regularizers.L1L2(0.1, 0.2)(keras.ops.ones((2,)))), 4)
    0.6
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0):
        self.l1 = _factor("L1L2", "l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("L1L2", "l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        penalty = None
        if self.l1:
            penalty = self.l1 * ops.sum(ops.absolute(x))
        if self.l2:
            squares = self.l2 * ops.sum(ops.square(x))
            penalty = squares if penalty is None else penalty + squares
        return ops.zeros((), dtype=x.dtype) if penalty is None else penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@export("keras.regularizers")
class L1(Regularizer):
    """`l1 * sum(abs(x))`.

    Args:
        l1: the factor.

    Example:

    >>> import kerasish as keras
    >>> float(keras.regularizers.L1(0.5)(keras.ops.ones((3,))))
    1.5
    """

    def __init__(self, l1: float | None = 0.01):
        self.l1 = _factor("L1", "l1", 0.01 if l1 is None else l1)

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@export("keras.regularizers")
class L2(Regularizer):
    """`l2 * sum(x ** 2)`.

    Args:
        l2: the factor.

    Example:

    >>> import kerasish as keras
    >>> float(keras.regularizers.L2(0.5)(keras.ops.ones((3,))))
    1.5
    """

    def __init__(self, l2: float | None = 0.01):
        self.l2 = _factor("L2", "l2", 0.01 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@export("keras.regularizers")
class OrthogonalRegularizer(Regularizer):
    """Penalises rows (or columns) of a matrix that are not orthogonal to each other.

    The mean absolute cosine between pairs of different rows, times `factor`.

    Args:
        factor: the factor.
        mode: `"rows"` or `"columns"`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.regularizers.OrthogonalRegularizer(1.0)(keras.ops.ones((2, 3)))) > 0.99
    True
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor("OrthogonalRegularizer", "factor", factor)
        if mode not in ("rows", "columns"):
            raise invalid("OrthogonalRegularizer", "mode is 'rows' or 'columns'", mode=mode)
        self.mode = mode

    def __call__(self, inputs: Any) -> Any:
        if len(inputs.shape) != 2:
            raise invalid("OrthogonalRegularizer", "the input is a matrix, of rank 2", inputs=inputs)
        axis = 1 if self.mode == "rows" else 0
        unit = ops.normalize(inputs, axis=axis)
        other = ops.transpose(unit)
        product = ops.matmul(unit, other) if axis == 1 else ops.matmul(other, unit)
        size = inputs.shape[1 - axis]
        off_diagonal = product * (1.0 - ops.eye(size, dtype=inputs.dtype))
        pairs = size * (size - 1.0) / 2.0
        return self.factor * 0.5 * ops.sum(ops.absolute(off_diagonal)) / pairs

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}
