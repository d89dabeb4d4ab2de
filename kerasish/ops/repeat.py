"""Tensors repeated or put into another order along their axes: tile, repeat, flip, roll, rot90."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, as_ints, one_axis, some_axes
from .gather import take
from .reduce import sum as reduce_sum
from .shape import expand_dims_op, ravel, reshape_op, transpose_op

__all__ = ["flip", "fliplr", "flipud", "repeat", "roll", "rot90", "tile"]


def _times(n: int | None, r: int) -> int | None:
    return 0 if r == 0 else None if n is None else n * r


def _tile_grad(ctx, g):
    """Sums over the copies: the result seen as (r0, n0, r1, n1, ...)."""
    pairs = tuple(zip(ctx.attrs["repeats"], ctx.specs[0].shape))
    split = reshape_op(g, newshape=tuple(d for p in pairs for d in p))
    return reduce_sum(split, axis=tuple(range(0, 2 * len(pairs), 2)), keepdims=False)


tile_op = define_op(
    "tile",
    inputs="x",
    infer=lambda x, repeats: Spec(tuple(_times(n, r) for n, r in zip(x.shape, repeats)), x.dtype),
    kernel=C("tile", i=lambda specs, a: a["repeats"], host=lambda x, repeats: np.tile(x, repeats)),
    grad=(_tile_grad,),
)


def tile(x: Any, repeats: Any) -> Any:
    """The whole tensor repeated along its dimensions.

    Args:
        x: a tensor.
        repeats: how often, for each dimension; a shorter one counts for the last dimensions, a longer one adds
            dimensions in front.

    >>> import kerasish as keras
    >>> keras.ops.tile([[1, 2]], (2, 2)).numpy()
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]], dtype=int32)
    """
    x = as_input(x)
    times = as_ints("tile", "repeats", repeats)
    if any(r < 0 for r in times):
        raise invalid("tile", "`repeats` is at least 0", repeats=repeats)
    n = len(x.shape)
    if len(times) > n:
        x = expand_dims_op(x, axis=tuple(range(len(times) - n)))
    return tile_op(x, repeats=(1,) * (n - len(times)) + times)


def _repeat_infer(x: Spec, repeats: int, axis: int) -> Spec:
    return Spec((*x.shape[:axis], _times(x.shape[axis], repeats), *x.shape[axis + 1 :]), x.dtype)


def _repeat_grad(ctx, g):
    n, axis, shape = ctx.attrs["repeats"], ctx.attrs["axis"], ctx.specs[0].shape
    split = reshape_op(g, newshape=(*shape[: axis + 1], n, *shape[axis + 1 :]))
    return reduce_sum(split, axis=(axis + 1,), keepdims=False)


repeat_op = define_op(
    "repeat",
    inputs="x",
    infer=_repeat_infer,
    kernel=C("repeat", i=lambda specs, a: (a["repeats"], a["axis"]), host=np.repeat),
    grad=(_repeat_grad,),
)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element along an axis repeated in its place.

    Args:
        x: a tensor.
        repeats: how often: an integer, or one for each element of the axis.
        axis: the axis; None repeats the elements of the flattened tensor.

    Raises:
        ValueError: for negative repeats, or repeats that do not match the axis.

    >>> import kerasish as keras
    >>> keras.ops.repeat([[1, 2]], 2, axis=1).numpy()
    array([[1, 1, 2, 2]], dtype=int32)
    """
    x = as_input(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = one_axis("repeat", axis, len(x.shape))
    counts = as_ints("repeat", "repeats", repeats)
    if any(r < 0 for r in counts):
        raise invalid("repeat", "`repeats` is at least 0", repeats=repeats)
    if len(counts) == 1:
        return repeat_op(x, repeats=counts[0], axis=axis)
    if x.shape[axis] not in (None, len(counts)):
        raise invalid("repeat", f"`repeats` needs one number for each of {x.shape[axis]} elements", repeats=repeats)
    return take(x, np.repeat(np.arange(len(counts)), counts), axis)


flip_op = define_op(
    "flip",
    inputs="x",
    infer=lambda x, axis: x,
    kernel=C(
        "flip",
        i=lambda specs, a: tuple(int(d in a["axis"]) for d in range(specs[0].ndim)),
        host=lambda x, axis: np.flip(x, axis),
    ),
    grad=(lambda ctx, g: flip_op(g, axis=ctx.attrs["axis"]),),
)


def flip(x: Any, axis: Any = None) -> Any:
    """Reverses the order of the elements along one or more axes; by default along all.

    >>> import kerasish as keras
    >>> keras.ops.flip([[1, 2], [3, 4]], axis=1).numpy()
    array([[2, 1],
           [4, 3]], dtype=int32)
    """
    x = as_input(x)
    return flip_op(x, axis=some_axes("flip", axis, len(x.shape)))


def fliplr(x: Any) -> Any:
    """Reverses the second axis.

    >>> import kerasish as keras
    >>> keras.ops.fliplr([[1, 2], [3, 4]]).numpy()
    array([[2, 1],
           [4, 3]], dtype=int32)
    """
    x = as_input(x)
    if len(x.shape) < 2:
        raise invalid("fliplr", "x needs at least two dimensions", x=x)
    return flip_op(x, axis=(1,))


def flipud(x: Any) -> Any:
    """Reverses the first axis.

    >>> import kerasish as keras
    >>> keras.ops.flipud([[1, 2], [3, 4]]).numpy()
    array([[3, 4],
           [1, 2]], dtype=int32)
    """
    x = as_input(x)
    if not x.shape:
        raise invalid("flipud", "x needs at least one dimension", x=x)
    return flip_op(x, axis=(0,))


def _shifts(specs, a):
    out = [0] * specs[0].ndim
    for s, d in zip(a["shift"], a["axis"]):
        out[d] += s
    return tuple(s % max(1, n) for s, n in zip(out, specs[0].shape))


roll_op = define_op(
    "roll",
    inputs="x",
    infer=lambda x, shift, axis: x,
    kernel=C("roll", i=_shifts, host=lambda x, shift, axis: np.roll(x, shift, axis)),
    grad=(lambda ctx, g: roll_op(g, shift=tuple(-s for s in ctx.attrs["shift"]), axis=ctx.attrs["axis"]),),
)


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Shifts the elements along axes; what leaves at one end enters at the other.

    Args:
        x: a tensor.
        shift: by how many places; one integer, or one for each axis.
        axis: one axis or several (then they may repeat and their shifts add up); None shifts the flattened tensor.

    Raises:
        ValueError: where the numbers of shifts and axes do not match.

    >>> import kerasish as keras
    >>> keras.ops.roll([1, 2, 3, 4], 1).numpy()
    array([4, 1, 2, 3], dtype=int32)
    """
    x = as_input(x)
    shifts = as_ints("roll", "shift", shift)
    if axis is None:
        if len(x.shape) == 1:
            return roll_op(x, shift=(sum(shifts),), axis=(0,))
        return _like(roll_op(ravel(x), shift=(sum(shifts),), axis=(0,)), x)
    axes = tuple(one_axis("roll", a, len(x.shape)) for a in as_ints("roll", "axis", axis))
    if len(shifts) == 1:
        shifts *= len(axes)
    elif len(axes) == 1:
        axes *= len(shifts)
    if len(shifts) != len(axes):
        raise invalid("roll", "`shift` and `axis` have the same length", shift=shift, axis=axis)
    return roll_op(x, shift=shifts, axis=axes)


def _like(flat: Any, x: Any) -> Any:
    if sum(d is None for d in x.shape) > 1:
        raise invalid("roll", "without `axis`, at most one dimension may be unknown", x=x)
    return reshape_op(flat, newshape=tuple(-1 if d is None else d for d in x.shape))


def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Rotates by 90 degrees in the plane of two axes, k times, from the first towards the second.

    Raises:
        ValueError: where `axes` is not two different axes, or x has fewer than two dimensions.

    >>> import kerasish as keras
    >>> keras.ops.rot90([[1, 2], [3, 4]]).numpy()
    array([[2, 4],
           [1, 3]], dtype=int32)
    """
    x = as_input(array)
    if len(x.shape) < 2:
        raise invalid("rot90", "x needs at least two dimensions", array=x)
    plane = as_ints("rot90", "axes", axes)
    if len(plane) != 2:
        raise invalid("rot90", "`axes` is two different axes", axes=axes)
    a, b = some_axes("rot90", plane, len(x.shape), "axes")
    k = as_int("rot90", "k", k) % 4
    if k == 2:
        return flip_op(x, axis=(a, b))
    if k == 0:
        return x
    order = list(range(len(x.shape)))
    order[a], order[b] = b, a
    if k == 1:
        return transpose_op(flip_op(x, axis=(b,)), axes=tuple(order))
    return flip_op(transpose_op(x, axes=tuple(order)), axis=(b,))
