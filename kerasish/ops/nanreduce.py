"""Reductions and scans that pass over NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.dtype import FLOATS, result_type
from ..engine.tensor import as_input
from . import reduce, scan
from .axes import some_axes
from .cast import cast
from .compare import isnan, logical_not, where
from .math import sqrt, square

__all__ = [
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum",
    "nanvar",
]  # fmt: skip

_INF = float("inf")


def _filled(x: Any, value: float) -> Any:
    """x with NaN replaced; integers and bool have none."""
    x = as_input(x)
    return where(isnan(x), value, x) if x.dtype in FLOATS else x


def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`sum` with NaN counted as 0.

    >>> import kerasish as keras
    >>> float(keras.ops.nansum([1.0, float("nan"), 2.0]))
    3.0
    """
    return reduce.sum(_filled(x, 0.0), axis, keepdims)


def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`prod` with NaN counted as 1.

    >>> import kerasish as keras
    >>> float(keras.ops.nanprod([3.0, float("nan"), 2.0]))
    6.0
    """
    return reduce.prod(_filled(x, 1.0), axis, keepdims)


def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`mean` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanmean([1.0, float("nan"), 3.0]))
    2.0
    """
    x = as_input(x)
    if x.dtype not in FLOATS:
        return reduce.mean(x, axis, keepdims)
    return nansum(x, axis, keepdims) / _count(x, axis, keepdims)


def _count(x: Any, axis: Any, keepdims: bool) -> Any:
    """How many elements are not NaN, in x's dtype."""
    return reduce.sum(cast(logical_not(isnan(x)), x.dtype), axis, keepdims)


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`var` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanvar([1.0, float("nan"), 3.0]))
    1.0
    """
    x = as_input(x)
    if x.dtype not in FLOATS:
        return reduce.var(x, axis, keepdims)
    wide = cast(x, result_type(x.dtype, "float32"))
    apart = where(isnan(wide), 0.0, wide - nanmean(wide, axis, True))
    return cast(reduce.sum(square(apart), axis, keepdims) / _count(wide, axis, keepdims), x.dtype)


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`std` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanstd([1.0, float("nan"), 3.0]))
    1.0
    """
    return sqrt(nanvar(x, axis, keepdims))


def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`max` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanmax([1.0, float("nan"), 3.0]))
    3.0
    """
    return _extreme("nanmax", reduce.max, -_INF, x, axis, keepdims)


def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`min` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanmin([1.0, float("nan"), 3.0]))
    1.0
    """
    return _extreme("nanmin", reduce.min, _INF, x, axis, keepdims)


def _extreme(name: str, fn: Callable, worst: float, x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_input(x)
    some_axes(name, axis, len(x.shape))
    if x.dtype not in FLOATS:
        return fn(x, axis, keepdims)
    found = fn(_filled(x, worst), axis, keepdims)
    return where(reduce.all(isnan(x), axis, keepdims), float("nan"), found)


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """`argmax` of the elements that are not NaN; -1 where there is none.

    >>> import kerasish as keras
    >>> int(keras.ops.nanargmax([1.0, float("nan"), 3.0]))
    2
    """
    return _position(reduce.argmax, -_INF, x, axis, keepdims)


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """`argmin` of the elements that are not NaN; -1 where there is none.

    >>> import kerasish as keras
    >>> int(keras.ops.nanargmin([1.0, float("nan"), 3.0]))
    0
    """
    return _position(reduce.argmin, _INF, x, axis, keepdims)


def _position(fn: Callable, worst: float, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = as_input(x)
    found = fn(_filled(x, worst), axis, keepdims)
    if x.dtype not in FLOATS:
        return found
    return where(reduce.all(isnan(x), axis, keepdims), -1, found)


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """`cumsum` with NaN counted as 0.

    >>> import kerasish as keras
    >>> keras.ops.nancumsum([1.0, float("nan"), 2.0]).numpy()
    array([1., 1., 3.], dtype=float32)
    """
    return scan.cumsum(_filled(x, 0.0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """`cumprod` with NaN counted as 1.

    >>> import kerasish as keras
    >>> keras.ops.nancumprod([3.0, float("nan"), 2.0]).numpy()
    array([3., 3., 6.], dtype=float32)
    """
    return scan.cumprod(_filled(x, 1.0), axis, dtype)
