"""`x[key]` for tensors, variables and symbols: NumPy's basic and advanced indexing, with gradients."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS
from ..engine.errors import invalid
from ..engine.symbol import Symbol
from ..engine.tensor import Operators, as_input, register_operators
from .cast import cast
from .gather import WRAP, gather_op
from .join import stack
from .scatter import gather_nd_op
from .shape import broadcast_to, transpose_op
from .slices import basic_slice

__all__ = ["get_item"]

_FULL = (None, None, None)


def get_item(x: Any, key: Any) -> Any:
    """`x[key]`, as in NumPy: ints, slices with steps, None, Ellipsis, integer arrays and boolean masks.

    Args:
        x: a tensor.
        key: one index or a tuple of them. A boolean mask needs values (its result has an unknown length), integer
            arrays may be symbolic.

    Raises:
        ValueError: for an index out of range, or more indices than dimensions.
        TypeError: for something that is no index.

    >>> import kerasish as keras
    >>> keras.ops.get_item(keras.ops.reshape(keras.ops.arange(6), (2, 3)), (slice(None), -1)).numpy()
    array([2, 5], dtype=int32)
    """
    x = as_input(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [part for k in keys for part in _normalize(k)]
    # An ellipsis separates arrays, as a slice does, also where it stands for no dimension.
    advanced = [p for p, k in enumerate(keys) if isinstance(k, (int, Operators, _Mask))]
    adjacent = advanced == list(range(advanced[0], advanced[-1] + 1)) if advanced else True
    keys = _without_ellipsis(x, keys)
    if not any(isinstance(k, (Operators, _Mask)) for k in keys):
        return basic_slice(x, tuple(keys))
    return _advanced(x, _checked_masks(x, keys), adjacent)


class _Mask:
    """Where a boolean mask is true along one of its axes, and how long that axis is."""

    def __init__(self, positions: np.ndarray, length: int):
        self.positions, self.length = as_input(positions), length


def _checked_masks(x: Any, keys: list) -> list:
    """The keys with masks as integer tensors; a mask must be as long as the axes that it stands for."""
    out, axis = [], 0
    for k in keys:
        if isinstance(k, _Mask):
            if x.shape[axis] not in (None, k.length):
                raise invalid(
                    "getitem",
                    f"a boolean mask must have the length of axis {axis}",
                    kind=IndexError,
                    x=x,
                    mask=k.length,
                )
            k = k.positions
        out.append(k)
        axis += k is not None
    return out


def _normalize(k: Any) -> list:
    """One index as given -> int, (start, stop, step), None, Ellipsis, or integer tensors (several for a mask)."""
    if k is None or k is Ellipsis:
        return [k]
    if isinstance(k, slice):
        return [tuple(None if v is None else _bound(v) for v in (k.start, k.stop, k.step))]
    if isinstance(k, (bool, np.bool_)):
        raise invalid("getitem", "True and False are no indices; use a mask with a dimension", kind=TypeError, key=k)
    if not isinstance(k, (Operators, np.ndarray, list, tuple)):
        try:
            return [index(k)]
        except TypeError:
            pass
    if isinstance(k, (list, tuple)) and np.size(k) == 0:
        k = np.asarray(k, "int32")
    try:
        k = as_input(k)
    except (TypeError, ValueError):
        raise invalid(
            "getitem", "an index is an integer, a slice, None, ... or an array", kind=TypeError, key=k
        ) from None
    if k.dtype == "bool":
        if isinstance(k, Symbol):
            raise invalid(
                "getitem", "a boolean mask makes a result of unknown shape, which a symbolic tensor cannot index", key=k
            )
        if not k.shape:
            raise invalid("getitem", "a boolean mask needs at least one dimension", kind=TypeError, key=k)
        return [_Mask(positions, n) for positions, n in zip(np.nonzero(np.asarray(k)), k.shape)]
    if k.dtype not in INTEGERS:
        raise invalid("getitem", "index arrays are integers or bools", kind=TypeError, dtype=k.dtype)
    if not k.shape and not isinstance(k, Symbol):
        return [int(np.asarray(k))]
    return [k]


def _bound(v: Any) -> int:
    try:
        return index(v)
    except TypeError:
        raise invalid("getitem", "a slice has integer bounds", kind=TypeError, bound=v) from None


def _without_ellipsis(x: Any, keys: list) -> list:
    n = len(x.shape)
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if used > n:
        raise invalid("getitem", f"x has {n} dimensions, but {used} are indexed", x=x)
    places = [p for p, k in enumerate(keys) if k is Ellipsis]
    if len(places) > 1:
        raise invalid("getitem", "an index has at most one ellipsis ('...')", kind=IndexError, positions=places)
    at = places[0] if places else len(keys)
    return keys[:at] + [_FULL] * (n - used) + keys[at + len(places) :]


def _advanced(x: Any, keys: list, adjacent: bool) -> Any:
    """Integer arrays: the basic parts first, then one gather; NumPy's rule for where the new dimensions go."""
    # Ints beside arrays are arrays of one element.
    basic, arrays, places = [], [], []
    for k in keys:
        if isinstance(k, (int, Operators)):
            arrays.append(k)
            places.append(len(basic))
            basic.append(_FULL)
        else:
            basic.append(k)
    x = basic_slice(x, tuple(basic))
    if len(arrays) == 1:
        return gather_op(x, arrays[0], axis=places[0], mode=WRAP)
    arrays = _common_shape(arrays)
    others = [d for d in range(len(x.shape)) if d not in places]
    order = (*places, *others)
    if order != tuple(range(len(order))):
        x = transpose_op(x, axes=order)
    y = gather_nd_op(x, stack(arrays, axis=-1))
    first = places[0] if adjacent else 0
    if first == 0:
        return y
    rank = len(arrays[0].shape)
    axes = (*range(rank, rank + first), *range(rank), *range(rank + first, len(y.shape)))
    return transpose_op(y, axes=axes)


def _common_shape(arrays: list) -> list:
    """Index arrays broadcast against each other, as int64 (or int32 where all are)."""
    tensors = [as_input(a) for a in arrays]
    wide = any(t.dtype not in ("int32", "int16", "int8", "uint8", "uint16") for t in tensors)
    tensors = [cast(t, "int64" if wide else "int32") for t in tensors]
    shapes = [tuple(t.shape) for t in tensors]
    if all(s == shapes[0] for s in shapes):
        return tensors
    if any(None in s for s in shapes):
        raise invalid("getitem", "index arrays of unknown shape must have the same shape", shapes=shapes)
    try:
        target = np.broadcast_shapes(*shapes)
    except ValueError:
        raise invalid(
            "getitem", "index arrays must have shapes that broadcast", kind=IndexError, shapes=shapes
        ) from None
    return [t if tuple(t.shape) == target else broadcast_to(t, target) for t in tensors]


register_operators(getitem=get_item)
