"""The same elements under another shape or axis order: reshape, transpose and their relatives."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.dtype import standardize_dtype
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import as_input, register_operators
from .axes import as_int, as_ints, one_axis, some_axes
from .cast import unbroadcast

__all__ = [
    "broadcast_to", "expand_dims", "moveaxis", "ndim", "ravel", "reshape", "shape", "size", "squeeze", "swapaxes",
    "transpose", "view",
]  # fmt: skip


def _reshape_infer(x: Spec, newshape: tuple[int | None, ...]) -> Spec:
    if newshape.count(-1) > 1:
        raise invalid("reshape", "at most one dimension of `newshape` can be -1", newshape=newshape)
    if any(d is not None and d < -1 for d in newshape):
        raise invalid("reshape", "the dimensions of `newshape` are at least 0, or -1", newshape=newshape)
    if None in newshape:
        # What `ops.shape` of a symbol holds for an unknown dimension: that dimension of the input.
        known = x.shape + (None,) * len(newshape)
        if None not in x.shape:
            free = -1 if -1 not in newshape and newshape.count(None) == 1 else None
            newshape = tuple((free or known[k]) if d is None else d for k, d in enumerate(newshape))
        if None in newshape:
            return Spec(tuple(None if d == -1 else d for d in newshape), x.dtype)
    if None in x.shape:
        return Spec(tuple(None if d == -1 else d for d in newshape), x.dtype)
    total, given = prod(x.shape), prod(d for d in newshape if d != -1)
    if -1 in newshape and (given == 0 or total % given):
        raise invalid("reshape", f"{total} elements cannot be shared out", x=x, newshape=newshape)
    out = tuple(total // given if d == -1 else d for d in newshape)
    if prod(out) != total:
        raise invalid("reshape", f"the new shape must hold all {total} elements", x=x, newshape=newshape)
    return Spec(out, x.dtype)


reshape_op = define_op(
    "reshape",
    inputs="x",
    infer=_reshape_infer,
    kernel=None,
    grad=(lambda ctx, g: reshape_op(g, newshape=ctx.specs[0].shape),),
    inplace=((0, 0),),
    kind="view",
)


def reshape(x: Any, newshape: Any) -> Any:
    """The elements of x in row-major order under a new shape.

    Args:
        x: a tensor.
        newshape: the new shape; one dimension may be -1 and follows from the others.

    Raises:
        ValueError: where the new shape does not hold as many elements.

    >>> import kerasish as keras
    >>> keras.ops.reshape([1, 2, 3, 4, 5, 6], (2, -1)).shape
    (2, 3)
    """
    if isinstance(newshape, (tuple, list)):
        newshape = tuple(None if d is None else as_int("reshape", "newshape", d) for d in newshape)
    else:
        newshape = as_ints("reshape", "newshape", newshape)
    return reshape_op(x, newshape=newshape)


def ravel(x: Any) -> Any:
    """The elements of x as a vector.

    >>> import kerasish as keras
    >>> keras.ops.ravel([[1, 2], [3, 4]]).numpy()
    array([1, 2, 3, 4], dtype=int32)
    """
    x = as_input(x)
    return reshape_op(x, newshape=(-1,) if 0 not in x.shape else (0,))


def _expand_dims_infer(x: Spec, axis: tuple[int, ...]) -> Spec:
    shape = list(x.shape)
    for a in sorted(axis):
        shape.insert(a, 1)
    return Spec(tuple(shape), x.dtype)


expand_dims_op = define_op(
    "expand_dims",
    inputs="x",
    infer=_expand_dims_infer,
    kernel=None,
    grad=(lambda ctx, g: squeeze_op(g, axis=ctx.attrs["axis"]),),
    inplace=((0, 0),),
    kind="view",
)


def expand_dims(x: Any, axis: Any) -> Any:
    """Inserts dimensions of length 1 at the positions `axis` of the result.

    >>> import kerasish as keras
    >>> keras.ops.expand_dims(keras.ops.ones((2, 3)), (0, -1)).shape
    (1, 2, 3, 1)
    """
    x = as_input(x)
    axes = as_ints("expand_dims", "axis", axis)
    return expand_dims_op(x, axis=some_axes("expand_dims", axes, len(x.shape) + len(axes)))


def _squeeze_infer(x: Spec, axis: tuple[int, ...] | None) -> Spec:
    if axis is None:
        return Spec(tuple(d for d in x.shape if d != 1), x.dtype)
    for a in axis:
        if x.shape[a] not in (None, 1):
            raise invalid("squeeze", "only dimensions of length 1 can be removed", x=x, axis=axis)
    return Spec(tuple(d for k, d in enumerate(x.shape) if k not in axis), x.dtype)


squeeze_op = define_op(
    "squeeze",
    inputs="x",
    infer=_squeeze_infer,
    kernel=None,
    grad=(lambda ctx, g: reshape_op(g, newshape=ctx.specs[0].shape),),
    inplace=((0, 0),),
    kind="view",
)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Removes dimensions of length 1: those of `axis`, or all.

    Raises:
        ValueError: where a dimension of `axis` is not 1 long.

    >>> import kerasish as keras
    >>> keras.ops.squeeze(keras.ops.ones((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    x = as_input(x)
    return squeeze_op(x, axis=None if axis is None else some_axes("squeeze", axis, len(x.shape)))


def _transpose_infer(x: Spec, axes: tuple[int, ...]) -> Spec:
    if sorted(axes) != list(range(x.ndim)):
        raise invalid("transpose", "`axes` holds every axis of x once", x=x, axes=axes)
    return Spec(tuple(x.shape[a] for a in axes), x.dtype)


transpose_op = define_op(
    "transpose",
    inputs="x",
    infer=_transpose_infer,
    kernel=C("transpose", i=lambda specs, a: a["axes"], host=lambda x, axes: x.transpose(axes)),
    grad=(lambda ctx, g: transpose_op(g, axes=tuple(int(a) for a in np.argsort(ctx.attrs["axes"]))),),
    simplify=lambda specs, outs, attrs, constants: 0 if attrs["axes"] == tuple(range(specs[0].ndim)) else None,
    compose=lambda first, then: {"axes": tuple(first["axes"][a] for a in then["axes"])},
)


def transpose(x: Any, axes: Any = None) -> Any:
    """Puts the axes into another order; by default the reverse one.

    Args:
        x: a tensor.
        axes: for each axis of the result, the axis of x that it is.

    Raises:
        ValueError: where `axes` is not a permutation of x's axes.

    >>> import kerasish as keras
    >>> keras.ops.transpose(keras.ops.ones((2, 3, 4)), (0, 2, 1)).shape
    (2, 4, 3)
    """
    x = as_input(x)
    n = len(x.shape)
    axes = tuple(range(n))[::-1] if axes is None else some_axes("transpose", axes, n, "axes")
    return transpose_op(x, axes=axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Exchanges two axes.

    >>> import kerasish as keras
    >>> keras.ops.swapaxes(keras.ops.ones((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    x = as_input(x)
    axes = list(range(len(x.shape)))
    a, b = (one_axis("swapaxes", v, len(axes), n) for v, n in ((axis1, "axis1"), (axis2, "axis2")))
    axes[a], axes[b] = b, a
    return transpose_op(x, axes=tuple(axes))


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Moves axes to new positions; the others keep their order.

    Raises:
        ValueError: where `source` and `destination` differ in length or name an axis twice.

    >>> import kerasish as keras
    >>> keras.ops.moveaxis(keras.ops.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    x = as_input(x)
    n = len(x.shape)
    src = some_axes("moveaxis", source, n, "source")
    dst = some_axes("moveaxis", destination, n, "destination")
    if len(src) != len(dst):
        raise invalid(
            "moveaxis", "`source` and `destination` have the same length", source=source, destination=destination
        )
    axes = [a for a in range(n) if a not in src]
    for to, a in sorted(zip(dst, src)):
        axes.insert(to, a)
    return transpose_op(x, axes=tuple(axes))


def _broadcast_to_infer(x: Spec, shape: tuple[int | None, ...]) -> Spec:
    lead = len(shape) - x.ndim
    if lead < 0 or any(a not in (None, 1, b) and b is not None for a, b in zip(x.shape, shape[lead:])):
        raise invalid("broadcast_to", "x cannot be broadcast to the new shape", x=x, shape=shape)
    out = tuple(x.shape[k - lead] if d is None and k >= lead else d for k, d in enumerate(shape))
    return Spec(out, x.dtype)


broadcast_to_op = define_op(
    "broadcast_to",
    inputs="x",
    infer=_broadcast_to_infer,
    kernel=C(
        "broadcast_to", host=lambda x, shape: np.broadcast_to(x, _broadcast_to_infer(Spec(x.shape, ""), shape).shape)
    ),
    grad=(lambda ctx, g: unbroadcast(g, ctx.specs[0]),),
    simplify=lambda specs, outs, attrs, constants: 0,
)


def broadcast_to(x: Any, shape: Any) -> Any:
    """Repeats x along its dimensions of length 1, and along new leading ones, up to `shape`.

    Raises:
        ValueError: where the shapes do not fit.

    >>> import kerasish as keras
    >>> keras.ops.broadcast_to([1, 2, 3], (2, 3)).numpy()
    array([[1, 2, 3],
           [1, 2, 3]], dtype=int32)
    """
    shape = tuple(None if d is None else as_int("broadcast_to", "shape", d) for d in _sequence("broadcast_to", shape))
    if any(d is not None and d < 0 for d in shape):
        raise invalid("broadcast_to", "a dimension is at least 0", shape=shape)
    return broadcast_to_op(x, shape=shape)


def _sequence(where: str, shape: Any) -> Any:
    return shape if isinstance(shape, (tuple, list)) else as_ints(where, "shape", shape)


def _view_infer(x: Spec, dtype: str) -> Spec:
    before, after = np.dtype(x.dtype).itemsize, np.dtype(dtype).itemsize
    if before == after:
        return Spec(x.shape, dtype)
    last = x.shape[-1] if x.shape else 1
    if not x.shape or (last is not None and last * before % after):
        raise invalid("view", "the last dimension must hold whole elements of the new dtype", x=x, dtype=dtype)
    return Spec((*x.shape[:-1], None if last is None else last * before // after), dtype)


view_op = define_op("view", inputs="x", infer=_view_infer, kernel=Host(lambda x, dtype: x.view(dtype)), grad=None)


def view(x: Any, dtype: Any = None) -> Any:
    """The bits of x read as another dtype; the last dimension changes with the size of an element.

    Raises:
        ValueError: where the last dimension does not hold whole elements of the new dtype.

    >>> import kerasish as keras
    >>> keras.ops.view(keras.ops.array([1.0], "float32"), "int32").numpy()
    array([1065353216], dtype=int32)
    """
    x = as_input(x)
    return view_op(x, dtype=x.dtype if dtype is None else standardize_dtype(dtype))


def shape(x: Any) -> tuple:
    """The shape as a tuple; None stands for an unknown dimension of a symbolic tensor.

    >>> import kerasish as keras
    >>> keras.ops.shape(keras.ops.zeros((8, 12)))
    (8, 12)
    """
    return tuple(as_input(x).shape)


def ndim(x: Any) -> int:
    """The number of dimensions.

    >>> import kerasish as keras
    >>> keras.ops.ndim([[1, 2], [3, 4]])
    2
    """
    return len(as_input(x).shape)


size_op = define_op(
    "size", inputs="x", infer=lambda x: Spec((), "int32"), kernel=Host(lambda x: np.asarray(x.size, "int32")), grad=None
)


def size(x: Any) -> Any:
    """The number of elements: an int, or a symbolic scalar where a dimension is unknown.

    >>> import kerasish as keras
    >>> keras.ops.size([[1, 2], [3, 4]])
    4
    """
    x = as_input(x)
    return size_op(x) if isinstance(x, Symbol) and None in x.shape else prod(x.shape)


register_operators(reshape=reshape, squeeze=squeeze)
