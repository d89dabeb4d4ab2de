"""Reductions: sums, means, extremes, logic and their positions over any set of axes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from ..engine.dtype import FLOATS, result_type, standardize_dtype
from ..engine.errors import invalid
from ..engine.tensor import as_input
from .axes import one_axis, some_axes
from .cast import cast
from .math import maximum, minimum, sqrt
from .reductions import (
    all_op,
    any_op,
    argmax_op,
    argmin_op,
    count_nonzero_op,
    max_op,
    mean_op,
    min_op,
    moments_over,
    prod_op,
    sum_op,
)
from .shape import expand_dims

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "max", "mean", "min", "prod", "ptp",
    "std", "sum", "var",
]  # fmt: skip


def _axes(where: str, x: Any, axis: Any) -> tuple[int, ...]:
    return tuple(sorted(some_axes(where, axis, len(x.shape))))


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over the given axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.

    Returns:
        A tensor of x's dtype; bool and integers narrower than 32 bits become int32 (unsigned ones uint32).
        The order of the additions depends on the shape alone; blocks are added pairwise.

    >>> import kerasish as keras
    >>> keras.ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).numpy()
    array([4., 6.], dtype=float32)
    """
    x = as_input(x)
    axes = _axes("sum", x, axis)
    if x.dtype == "bool":
        return count_nonzero_op(x, axis=axes, keepdims=bool(keepdims))
    return sum_op(cast(x, _sum_dtype(x.dtype)), axis=axes, keepdims=bool(keepdims))


def _sum_dtype(dtype: str) -> str:
    if dtype in ("bool", "int8", "int16"):
        return "int32"
    return "uint32" if dtype in ("uint8", "uint16") else dtype


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Arithmetic mean over the given axes.

    Args:
        x: a tensor; integers and bool are averaged in float32.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.

    >>> import kerasish as keras
    >>> float(keras.ops.mean([1, 2, 4, 5]))
    3.0
    """
    x = as_input(x)
    if x.dtype not in FLOATS:
        x = cast(x, result_type(x.dtype, "float32"))
    return mean_op(x, axis=_axes("mean", x, axis), keepdims=bool(keepdims))


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Product over the given axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        dtype: dtype of the result; by default as for `sum`.

    >>> import kerasish as keras
    >>> int(keras.ops.prod([2, 3, 4]))
    24
    """
    x = as_input(x)
    x = cast(x, _sum_dtype(x.dtype) if dtype is None else standardize_dtype(dtype))
    return prod_op(x, axis=_axes("prod", x, axis), keepdims=bool(keepdims))


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Largest element over the given axes; NaN where there is one.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        initial: a lower bound of the result; needed where there are no elements.

    Raises:
        ValueError: where there are no elements and no `initial`.

    >>> import kerasish as keras
    >>> keras.ops.max([[1, 5], [3, 2]], axis=1).numpy()
    array([5, 3], dtype=int32)
    """
    return _extreme("max", max_op, maximum, x, axis, keepdims, initial)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Smallest element over the given axes; NaN where there is one.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        initial: an upper bound of the result; needed where there are no elements.

    Raises:
        ValueError: where there are no elements and no `initial`.

    >>> import kerasish as keras
    >>> keras.ops.min([[1, 5], [3, 2]], axis=1).numpy()
    array([1, 2], dtype=int32)
    """
    return _extreme("min", min_op, minimum, x, axis, keepdims, initial)


def _extreme(where: str, op: Any, binary: Callable, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    x = as_input(x)
    axes = _axes(where, x, axis)
    if initial is None:
        return op(x, axis=axes, keepdims=bool(keepdims))
    # The kernels start from the type's own bound, which `initial` then replaces.
    found = op(x, axis=axes, keepdims=bool(keepdims), empty=True)
    return binary(found, initial)


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element over the given axes: `max` without `initial`.

    >>> import kerasish as keras
    >>> int(keras.ops.amax([[1, 5], [3, 2]]))
    5
    """
    return max(x, axis, keepdims)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element over the given axes: `min` without `initial`.

    >>> import kerasish as keras
    >>> int(keras.ops.amin([[1, 5], [3, 2]]))
    1
    """
    return min(x, axis, keepdims)


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest minus smallest element over the given axes.

    >>> import kerasish as keras
    >>> int(keras.ops.ptp([3, 9, 5]))
    6
    """
    x = as_input(x)
    if x.dtype == "bool":
        raise invalid("ptp", "bool has no difference; cast to an integer dtype", kind=TypeError, x=x)
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether every element over the given axes is true (not zero).

    >>> import kerasish as keras
    >>> keras.ops.all([[True, False], [True, True]], axis=1).numpy()
    array([False,  True])
    """
    x = as_input(x)
    return all_op(x, axis=_axes("all", x, axis), keepdims=bool(keepdims))


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether some element over the given axes is true (not zero).

    >>> import kerasish as keras
    >>> keras.ops.any([[True, False], [False, False]], axis=1).numpy()
    array([ True, False])
    """
    x = as_input(x)
    return any_op(x, axis=_axes("any", x, axis), keepdims=bool(keepdims))


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements over the given axes are not zero, as int32.

    >>> import kerasish as keras
    >>> int(keras.ops.count_nonzero([[0, 1], [2, 3]]))
    3
    """
    x = as_input(x)
    return count_nonzero_op(x, axis=_axes("count_nonzero", x, axis), keepdims=False)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the largest element along an axis, as int32; the first one, and a NaN counts as largest.

    Args:
        x: a tensor.
        axis: the axis; None takes x as one line.
        keepdims: keep the axis as a dimension of length 1.

    Raises:
        ValueError: where there are no elements.

    >>> import kerasish as keras
    >>> keras.ops.argmax([[1, 5, 5], [3, 2, 1]], axis=1).numpy()
    array([1, 0], dtype=int32)
    """
    return _arg("argmax", argmax_op, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the smallest element along an axis, as int32; the first one, and a NaN counts as smallest.

    >>> import kerasish as keras
    >>> int(keras.ops.argmin([[4, 5], [3, 2]]))
    3
    """
    return _arg("argmin", argmin_op, x, axis, keepdims)


def _arg(where: str, op: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = as_input(x)
    return op(x, axis=None if axis is None else one_axis(where, axis, len(x.shape)), keepdims=bool(keepdims))


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Weighted average over the given axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        weights: weights of x's shape, or a vector along the one `axis`; None weighs all alike.

    Raises:
        ValueError: for weights of another shape.

    >>> import kerasish as keras
    >>> float(keras.ops.average([1.0, 2.0, 4.0], weights=[1.0, 1.0, 2.0]))
    2.75
    """
    x = as_input(x)
    axes = _axes("average", x, axis)
    if weights is None:
        return mean(x, axis)
    weights = as_input(weights)
    dtype = result_type(x.dtype, weights.dtype, float)
    x, weights = cast(x, dtype), cast(weights, dtype)
    rank, known = len(x.shape), len(weights.shape)
    if known == 1 and len(axes) == 1:
        pairs = [(weights.shape[0], x.shape[axes[0]])]
        total = sum(weights)
        spare = tuple(k for k in range(rank) if k != axes[0])
        weights = expand_dims(weights, spare) if spare else weights
    elif known == rank:
        pairs = list(zip(weights.shape, x.shape))
        total = sum(weights, axis)
    else:
        pairs = [(0, 1)]
    if builtins.any(a != b for a, b in pairs if a is not None and b is not None):
        raise invalid(
            "average", "weights have the shape of x, or are a vector along one axis", weights=weights, x=x, axis=axis
        )
    return sum(x * weights, axis) / total


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Variance over the given axes, divided by the number of elements.

    Computed from differences to the mean, block by block, so that a large mean costs no accuracy.

    >>> import kerasish as keras
    >>> float(keras.ops.var([1.0, 3.0, 5.0, 7.0]))
    5.0
    """
    return _var("var", x, axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Standard deviation over the given axes: the square root of `var`.

    >>> import kerasish as keras
    >>> float(keras.ops.std([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]))
    2.0
    """
    return sqrt(_var("std", x, axis, keepdims))


def _var(where: str, x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_input(x)
    out = result_type(x.dtype, float)
    x = cast(x, result_type(x.dtype, "float32"))
    return cast(moments_over(x, _axes(where, x, axis), bool(keepdims))[1], out)
