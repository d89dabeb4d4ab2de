"""Rows read by index: take, take_along_axis, embedding lookup; one-hot and multi-hot vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, one_axis
from .cast import cast
from .categories import count_rows
from .shape import broadcast_to, ravel

__all__ = ["embedding_lookup", "multi_hot", "one_hot", "take", "take_along_axis"]

# How an index outside its axis is met, in the kernels' numbers.
STRICT, WRAP, DROP = 0, 1, 2


def need_integers(where: str, name: str, indices: Spec) -> None:
    if indices.dtype not in INTEGERS:
        raise invalid(where, f"`{name}` must be integers", kind=TypeError, dtype=indices.dtype)


def _positions(indices: np.ndarray, n: int, mode: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices in [0, n), and which of the given ones are kept; for the host's part of the dtypes."""
    at = np.where((indices < 0) & (mode == WRAP), indices + n, indices)
    keep = (at >= 0) & (at < n)
    if mode != DROP and not keep.all():
        raise invalid("gather", f"every index must lie in [0, {n})", index=indices[~keep].flat[0])
    return np.where(keep, at, 0), keep


def _gather_infer(x: Spec, indices: Spec, axis: int, mode: int = STRICT) -> Spec:
    need_integers("gather", "indices", indices)
    return Spec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)


def _gather_host(x, indices, axis, mode=STRICT):
    at, keep = _positions(indices, x.shape[axis], mode)
    y = np.take(x, at, axis)
    return np.where(keep.reshape(keep.shape + (1,) * (x.ndim - axis - 1)), y, 0)


def _axis_and_mode(specs, a):
    return (a["axis"], a.get("mode", STRICT))


gather_op = define_op(
    "gather",
    inputs="x indices",
    infer=_gather_infer,
    kernel=C("gather", i=_axis_and_mode, host=_gather_host),
    grad=(
        lambda ctx, g: gather_grad_op(g, ctx.inputs[1], length=ctx.specs[0].shape[ctx.attrs["axis"]], **ctx.attrs),
        None,
    ),
    saves="indices",
)


def _gather_grad_infer(g: Spec, indices: Spec, length: int, axis: int, mode: int = STRICT) -> Spec:
    need_integers("gather_grad", "indices", indices)
    return Spec((*g.shape[:axis], length, *g.shape[axis + indices.ndim :]), g.dtype)


def _gather_grad_host(g, indices, length, axis, mode=STRICT):
    at, keep = _positions(indices.ravel(), length, mode)
    rows = np.moveaxis(g.reshape(*g.shape[:axis], indices.size, *g.shape[axis + indices.ndim :]), axis, 0)
    out = np.zeros((length, *rows.shape[1:]), g.dtype)
    np.add.at(out, at[keep], rows[keep])
    return np.moveaxis(out, 0, axis)


gather_grad_op = define_op(
    "gather_grad",
    inputs="g indices",
    infer=_gather_grad_infer,
    kernel=C("gather_grad", i=_axis_and_mode, host=_gather_grad_host),
    grad=(
        lambda ctx, g: gather_op(g, ctx.inputs[1], axis=ctx.attrs["axis"], mode=ctx.attrs.get("mode", STRICT)),
        None,
    ),
    saves="indices",
)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements of x at `indices` along an axis.

    Args:
        x: a tensor.
        indices: integers of any shape; negative ones count from the end.
        axis: the axis; None takes from the flattened tensor.

    Returns:
        A tensor of shape x.shape[:axis] + indices.shape + x.shape[axis + 1:].

    Raises:
        ValueError: for an index outside the axis.

    >>> import kerasish as keras
    >>> keras.ops.take([10, 20, 30, 40], [[0, -1], [2, 2]]).numpy()
    array([[10, 40],
           [30, 30]], dtype=int32)
    """
    x = as_input(x)
    if axis is None:
        x, axis = ravel(x), 0
    return gather_op(x, _as_indices("take", indices), axis=one_axis("take", axis, len(x.shape)), mode=WRAP)


def _as_indices(where: str, indices: Any) -> Any:
    """Indices as an integer tensor; an empty list has no dtype of its own and floats are no indices."""
    if isinstance(indices, (list, tuple)) and np.size(indices) == 0:
        return np.asarray(indices, "int32")
    return as_input(indices)


def embedding_lookup(table: Any, indices: Any) -> Any:
    """The rows of a table at `indices`; an index outside [0, rows) is an error.

    Args:
        table: a tensor (rows, ...).
        indices: integers of any shape.

    Returns:
        A tensor of shape indices.shape + table.shape[1:]. The gradient with respect to the table is dense; rows that
        are looked up several times are summed in the order of the indices, whatever the number of threads.

    Raises:
        ValueError: for an index outside [0, rows).

    >>> import kerasish as keras
    >>> from kerasish.ops.gather import embedding_lookup
    >>> embedding_lookup([[1.0, 2.0], [3.0, 4.0]], [1, 0, 1]).shape
    (3, 2)
    """
    return gather_op(table, as_input(indices), axis=0)


def _along_infer(x: Spec, indices: Spec, axis: int) -> Spec:
    need_integers("take_along_axis", "indices", indices)
    if x.ndim != indices.ndim or any(
        None not in p and p[0] != p[1] for d, p in enumerate(zip(x.shape, indices.shape)) if d != axis
    ):
        raise invalid(
            "take_along_axis", f"x and `indices` must match in all dimensions but axis {axis}", x=x, indices=indices
        )
    return Spec(indices.shape, x.dtype)


take_along_axis_op = define_op(
    "take_along_axis",
    inputs="x indices",
    infer=_along_infer,
    kernel=C(
        "take_along_axis",
        i=lambda specs, a: (a["axis"], WRAP),
        host=lambda x, indices, axis: np.take_along_axis(x, indices.astype("int64"), axis),
    ),
    grad=(
        lambda ctx, g: take_along_axis_grad_op(
            g, ctx.inputs[1], length=ctx.specs[0].shape[ctx.attrs["axis"]], axis=ctx.attrs["axis"]
        ),
        None,
    ),
    saves="indices",
)


def _along_grad_host(g, indices, length, axis):
    shape = list(g.shape)
    shape[axis] = length
    out = np.zeros(shape, g.dtype)
    grid = list(np.indices(g.shape, sparse=True))
    grid[axis] = indices
    np.add.at(out, tuple(grid), g)
    return out


take_along_axis_grad_op = define_op(
    "take_along_axis_grad",
    inputs="g indices",
    infer=lambda g, indices, length, axis: Spec((*g.shape[:axis], length, *g.shape[axis + 1 :]), g.dtype),
    kernel=C("take_along_axis_grad", i=lambda specs, a: (a["axis"], WRAP), host=_along_grad_host),
    grad=(lambda ctx, g: take_along_axis_op(g, ctx.inputs[1], axis=ctx.attrs["axis"]), None),
    saves="indices",
)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """For each vector of x along an axis, its elements at the matching vector of `indices`.

    Args:
        x: a tensor.
        indices: integers of x's rank; negative ones count from the end. The other dimensions are broadcast.
        axis: the axis; None takes from the flattened tensor.

    Raises:
        ValueError: for an index outside the axis, or where the other dimensions do not fit.

    >>> import kerasish as keras
    >>> keras.ops.take_along_axis([[3, 1, 2]], [[2, 0]], axis=1).numpy()
    array([[2, 3]], dtype=int32)
    """
    x, indices = as_input(x), _as_indices("take_along_axis", indices)
    if axis is None:
        x, indices, axis = ravel(x), ravel(indices), 0
    axis = one_axis("take_along_axis", axis, len(x.shape))
    xs, ks = tuple(x.shape), tuple(indices.shape)
    if len(xs) == len(ks):
        common = tuple(k if a in (1, None) and k not in (1, None) else a for a, k in zip(xs, ks))
        wide_x = tuple(xs[axis] if d == axis else n for d, n in enumerate(common))
        wide_k = tuple(ks[axis] if d == axis else n for d, n in enumerate(common))
        fits = all(None in p or p[0] == p[1] or 1 in p for d, p in enumerate(zip(xs, ks)) if d != axis)
        if fits and None not in wide_x and wide_x != xs:
            x = broadcast_to(x, wide_x)
        if fits and None not in wide_k and wide_k != ks:
            indices = broadcast_to(indices, wide_k)
    return take_along_axis_op(x, indices, axis=axis)


def _one_hot_infer(x: Spec, num_classes: int, axis: int, dtype: str) -> Spec:
    need_integers("one_hot", "x", x)
    return Spec((*x.shape[:axis], num_classes, *x.shape[axis:]), dtype)


one_hot_op = define_op(
    "one_hot",
    inputs="x",
    infer=_one_hot_infer,
    kernel=C("one_hot", i=lambda specs, a: (a["axis"],)),
    grad=None,
)


def _classes(where: str, num_classes: Any) -> int:
    n = as_int(where, "num_classes", num_classes)
    if n < 0:
        raise invalid(where, "`num_classes` is at least 0", num_classes=n)
    return n


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """A new axis with 1 at the position that x names and 0 elsewhere; only zeros for x outside [0, num_classes).

    Args:
        x: integers of any shape.
        num_classes: length of the new axis.
        axis: position of the new axis in the result.
        dtype: dtype of the result, `floatx` by default.
        sparse: must not be true.

    >>> import kerasish as keras
    >>> keras.ops.one_hot([1, 3], 4).numpy()
    array([[0., 1., 0., 0.],
           [0., 0., 0., 1.]], dtype=float32)
    """
    if sparse:
        raise invalid("one_hot", "sparse tensors are not supported", sparse=sparse)
    x = as_input(x)
    if x.dtype not in INTEGERS:
        x = cast(x, "int64")
    axis = one_axis("one_hot", axis, len(x.shape) + 1)
    return one_hot_op(x, num_classes=_classes("one_hot", num_classes), axis=axis, dtype=standardize_dtype(dtype))


def _multi_hot_infer(x: Spec, num_classes: int, axis: int, dtype: str) -> Spec:
    full = list(_one_hot_infer(x, num_classes, axis, dtype).shape)
    del full[1 if x.ndim > 1 else 0]
    return Spec(tuple(full), dtype)


def _multi_hot_host(x, num_classes, axis, dtype):
    if axis in (-1, x.ndim):
        return count_rows(x, num_classes).astype(bool).astype(dtype)
    hot = np.moveaxis(x[..., None] == np.arange(num_classes), -1, axis)
    return hot.any(axis=1 if x.ndim > 1 else 0).astype(dtype)


multi_hot_op = define_op("multi_hot", inputs="x", infer=_multi_hot_infer, kernel=Host(_multi_hot_host), grad=None)


def multi_hot(
    inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any
) -> Any:
    """One vector per sample with 1 at every position that the sample names.

    Args:
        inputs: integers (samples, names) or (names,); those outside [0, num_classes) are left out.
        num_classes: length of the vectors.
        axis: position of the new axis before the names are merged.
        dtype: dtype of the result, `floatx` by default.
        sparse: must not be true.

    >>> import kerasish as keras
    >>> keras.ops.multi_hot([[0, 2], [1, 1]], 3).numpy()
    array([[1., 0., 1.],
           [0., 1., 0.]], dtype=float32)
    """
    num_classes = kwargs.pop("num_tokens", num_classes)
    if kwargs:
        raise invalid("multi_hot", "unknown arguments", kind=TypeError, **kwargs)
    if num_classes is None:
        raise invalid("multi_hot", "`num_classes` must be given", num_classes=None)
    if sparse:
        raise invalid("multi_hot", "sparse tensors are not supported", sparse=sparse)
    x = as_input(inputs)
    if x.dtype not in INTEGERS:
        x = cast(x, "int64")
    if not x.shape:
        raise invalid("multi_hot", "a scalar has no axis of names", inputs=x)
    axis = one_axis("multi_hot", axis, len(x.shape) + 1)
    return multi_hot_op(x, num_classes=_classes("multi_hot", num_classes), axis=axis, dtype=standardize_dtype(dtype))
