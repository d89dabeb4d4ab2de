"""Order and membership: sort, top_k, unique, searchsorted, nonzero and their relatives."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, as_ints, one_axis
from .cast import promote
from .gather import take_along_axis_grad_op
from .shape import ravel, reshape_op

__all__ = [
    "argpartition", "argsort", "in_top_k", "isin", "nonzero", "searchsorted", "sort", "top_k", "unique",
    "unravel_index",
]  # fmt: skip


argsort_op = define_op(
    "argsort",
    inputs="x",
    infer=lambda x, axis: Spec(x.shape, "int32"),
    kernel=Host(lambda x, axis: np.argsort(x, axis, kind="stable").astype("int32")),
    grad=None,
)

sort_op = define_op(
    "sort",
    inputs="x",
    infer=lambda x, axis: x,
    kernel=Host(np.sort),
    grad=(
        lambda ctx, g: take_along_axis_grad_op(
            g,
            argsort_op(ctx.inputs[0], axis=ctx.attrs["axis"]),
            length=ctx.specs[0].shape[ctx.attrs["axis"]],
            axis=ctx.attrs["axis"],
        ),
    ),
    saves="x",
)


def sort(x: Any, axis: int | None = -1) -> Any:
    """Sorts along an axis, smallest first; NaN comes last.

    Args:
        x: a tensor.
        axis: the axis; None sorts the flattened tensor.

    >>> import kerasish as keras
    >>> keras.ops.sort([[3, 1, 2]]).numpy()
    array([[1, 2, 3]], dtype=int32)
    """
    x = as_input(x)
    if axis is None:
        x, axis = ravel(x), 0
    return sort_op(x, axis=one_axis("sort", axis, len(x.shape)))


def argsort(x: Any, axis: int | None = -1) -> Any:
    """The indices (int32) that sort along an axis; equal elements keep their order.

    Args:
        x: a tensor.
        axis: the axis; None sorts the flattened tensor.

    >>> import kerasish as keras
    >>> keras.ops.argsort([3, 1, 2]).numpy()
    array([1, 2, 0], dtype=int32)
    """
    x = as_input(x)
    if axis is None or not x.shape:
        x, axis = ravel(x), 0
    return argsort_op(x, axis=one_axis("argsort", axis, len(x.shape)))


argpartition_op = define_op(
    "argpartition",
    inputs="x",
    infer=lambda x, kth, axis: Spec(x.shape, "int32"),
    kernel=Host(lambda x, kth, axis: np.argpartition(x, kth, axis).astype("int32")),
    grad=None,
)


def argpartition(x: Any, kth: Any, axis: int | None = -1) -> Any:
    """Indices (int32) that put the kth smallest element into its place: smaller ones before it, others after it.

    Raises:
        ValueError: for a kth outside the axis.

    >>> import kerasish as keras
    >>> int(keras.ops.argpartition([30, 10, 20], 0)[0])
    1
    """
    x = as_input(x)
    if axis is None:
        x, axis = ravel(x), 0
    axis = one_axis("argpartition", axis, len(x.shape))
    places = as_ints("argpartition", "kth", kth)
    n = x.shape[axis]
    if n is not None and any(not -n <= k < n for k in places):
        raise invalid("argpartition", f"`kth` must lie in [-{n}, {n})", kth=kth)
    return argpartition_op(x, kth=places, axis=axis)


def _top_k_infer(x: Spec, k: int) -> tuple[Spec, Spec]:
    n = x.shape[-1] if x.ndim else 0
    if not x.ndim or k < 0 or (n is not None and k > n):
        raise invalid("top_k", "`k` is at least 0 and at most the length of the last axis", x=x, k=k)
    shape = (*x.shape[:-1], k)
    return Spec(shape, x.dtype), Spec(shape, "int32")


def _descending(x: np.ndarray) -> np.ndarray:
    """Keys whose ascending stable order is x's descending one, NaN first as the largest."""
    if x.dtype.kind in "fc":
        return np.where(np.isnan(x), -np.inf, -x)
    return ~x  # -x would overflow for the smallest integer, and unsigned ones have no sign


def _top_k_host(x, k):
    keys = _descending(x)
    n = x.shape[-1]
    if 0 < 4 * k < n:
        # Equal elements at the border: only a stable sort takes the first of them, so all candidates are kept.
        bound = np.take(np.partition(keys, k - 1, axis=-1), [k - 1], axis=-1)
        if (np.count_nonzero(keys <= bound, axis=-1) == k).all():
            at = np.sort(np.argpartition(keys, k - 1, axis=-1)[..., :k], axis=-1)
            order = np.argsort(np.take_along_axis(keys, at, -1), axis=-1, kind="stable")
            index = np.take_along_axis(at, order, -1)
            return np.take_along_axis(x, index, -1), index
    index = np.argsort(keys, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, index, -1), index


top_k_op = define_op(
    "top_k",
    inputs="x",
    outputs="values indices",
    infer=_top_k_infer,
    kernel=Host(_top_k_host),
    grad=(
        lambda ctx, g, _: take_along_axis_grad_op(
            g, ctx.outputs[1], length=ctx.specs[0].shape[-1], axis=ctx.specs[0].ndim - 1
        ),
    ),
    saves="indices",
)


def top_k(x: Any, k: int, sorted: bool = True) -> tuple:
    """The k largest elements of each last-axis vector, and where they stand.

    Args:
        x: a tensor (..., n).
        k: how many, at most n.
        sorted: they come largest first in either case.

    Returns:
        values (..., k) and indices (..., k), int32; of equal elements the first comes first.

    Raises:
        ValueError: for k outside [0, n].

    >>> import kerasish as keras
    >>> values, indices = keras.ops.top_k([5, 2, 7, 1], 2)
    >>> values.numpy(), indices.numpy()
    (array([7, 5], dtype=int32), array([2, 0], dtype=int32))
    """
    return top_k_op(x, k=as_int("top_k", "k", k))


def _in_top_k_infer(targets: Spec, predictions: Spec, k: int) -> Spec:
    if targets.dtype not in INTEGERS:
        raise invalid("in_top_k", "`targets` must be integers", kind=TypeError, dtype=targets.dtype)
    if predictions.ndim != targets.ndim + 1 or any(
        None not in p and p[0] != p[1] for p in zip(targets.shape, predictions.shape)
    ):
        raise invalid(
            "in_top_k",
            "`predictions` has the shape of `targets` and one more axis",
            targets=targets,
            predictions=predictions,
        )
    return Spec(targets.shape, "bool")


def _in_top_k_host(targets, predictions, k):
    n = predictions.shape[-1]
    valid = (targets >= 0) & (targets < n)
    own = np.take_along_axis(predictions, np.where(valid, targets, 0)[..., None].astype("int64"), -1)
    rank = (predictions > own).sum(-1)
    return valid & np.isfinite(own[..., 0]) & (rank < k)


in_top_k_op = define_op(
    "in_top_k", inputs="targets predictions", infer=_in_top_k_infer, kernel=Host(_in_top_k_host), grad=None
)


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether each target is among the k classes with the highest predictions; ties count in its favour.

    Args:
        targets: class numbers (...); one outside [0, classes) is never among them.
        predictions: scores (..., classes); a target whose score is not finite is never among them.
        k: how many classes.

    >>> import kerasish as keras
    >>> keras.ops.in_top_k([2, 0], [[0.1, 0.2, 0.7], [0.1, 0.2, 0.7]], 1).numpy()
    array([ True, False])
    """
    return in_top_k_op(targets, predictions, k=as_int("in_top_k", "k", k))


def _search_infer(sorted_sequence: Spec, values: Spec, side: str) -> Spec:
    if sorted_sequence.ndim != 1:
        raise invalid("searchsorted", "`sorted_sequence` is a vector", sorted_sequence=sorted_sequence)
    if side not in ("left", "right"):
        raise invalid("searchsorted", "`side` is 'left' or 'right'", side=side)
    return Spec(values.shape, "int32")


searchsorted_op = define_op(
    "searchsorted",
    inputs="sorted_sequence values",
    infer=_search_infer,
    kernel=Host(lambda s, v, side: np.searchsorted(s, v, side).astype("int32")),
    grad=None,
)


def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where values belong in a sorted vector (int32): before equal elements ("left") or after them ("right").

    >>> import kerasish as keras
    >>> keras.ops.searchsorted([1, 3, 5], [3, 4]).numpy()
    array([1, 2], dtype=int32)
    """
    return searchsorted_op(*promote(sorted_sequence, values), side=side)


nonzero_op = define_op(
    "nonzero",
    inputs="x",
    infer=lambda x: (Spec((None,), "int32"),) * x.ndim,
    kernel=Host(lambda x: tuple(i.astype("int32") for i in np.nonzero(x))),
    grad=None,
)


def nonzero(x: Any) -> tuple:
    """The coordinates of the elements that are not 0: one int32 vector for each dimension.

    >>> import kerasish as keras
    >>> [i.numpy().tolist() for i in keras.ops.nonzero([[0, 1], [2, 0]])]
    [[0, 1], [1, 0]]
    """
    x = as_input(x)
    return nonzero_op(x if x.shape else reshape_op(x, newshape=(1,)))


def _unravel_host(indices, shape):
    n = prod(shape)
    at = indices.astype("int64")
    outside = (at < -n) | (at >= n)
    if outside.any():
        raise invalid("unravel_index", f"every index must lie in [-{n}, {n})", index=at[outside][0], shape=shape)
    return tuple(np.asarray(i).astype(indices.dtype) for i in np.unravel_index(np.where(at < 0, at + n, at), shape))


def _unravel_infer(indices: Spec, shape: tuple[int, ...]) -> tuple[Spec, ...]:
    if indices.dtype not in INTEGERS:
        raise invalid("unravel_index", "`indices` must be integers", kind=TypeError, dtype=indices.dtype)
    return tuple(Spec(indices.shape, indices.dtype) for _ in shape)


unravel_index_op = define_op(
    "unravel_index", inputs="indices", infer=_unravel_infer, kernel=Host(_unravel_host), grad=None
)


def unravel_index(indices: Any, shape: Any) -> tuple:
    """Coordinates from positions in the flattened array of a shape, one tensor for each dimension.

    Raises:
        ValueError: for a position outside the array.

    >>> import kerasish as keras
    >>> [int(i) for i in keras.ops.unravel_index(5, (2, 3))]
    [1, 2]
    """
    return unravel_index_op(indices, shape=as_ints("unravel_index", "shape", shape))


isin_op = define_op(
    "isin",
    inputs="x1 x2",
    infer=lambda x1, x2, invert: Spec(x1.shape, "bool"),
    kernel=Host(lambda x1, x2, invert: np.isin(x1, x2, invert=invert)),
    grad=None,
)


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 is among those of x2 (not among them with `invert`).

    >>> import kerasish as keras
    >>> keras.ops.isin([0, 1, 2, 5], [0, 2]).numpy()
    array([ True, False,  True, False])
    """
    return isin_op(*promote(x1, x2), invert=bool(invert))


def _unique_infer(x: Spec, index: bool, inverse: bool, counts: bool, axis: int | None, size: int | None, fill: Any):
    values = (size,) if axis is None else (*x.shape[:axis], size, *x.shape[axis + 1 :])
    out = [Spec(values, x.dtype)]
    if index:
        out.append(Spec((size,), "int32"))
    if inverse:
        out.append(Spec(x.shape if axis is None else (x.shape[axis],), "int32"))
    if counts:
        out.append(Spec((size,), "int32"))
    return out[0] if len(out) == 1 else tuple(out)


def _unique_host(x, index, inverse, counts, axis, size, fill):
    values, first, back, count = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    at = 0 if axis is None else axis
    if size is not None:
        missing = max(0, size - values.shape[at])
        # Without a fill value the smallest element fills up, as its index does; an absent element counts 0.
        values = np.take(values, range(min(size, values.shape[at])), at)
        if missing:
            if fill is None:
                pad = np.repeat(np.take(values, [0], at) if values.size else np.zeros((1,), x.dtype), missing, at)
            else:
                shape = list(values.shape)
                shape[at] = missing
                pad = np.full(shape, fill, x.dtype)
            values = np.concatenate([values, pad], at)
            first = np.concatenate([first, np.full(missing, first[0] if first.size else 0)])
            count = np.concatenate([count, np.zeros(missing, count.dtype)])
        first, count = first[:size], count[:size]
    shape = x.shape if axis is None else (x.shape[axis],)
    extra = [(index, first), (inverse, back.reshape(shape)), (counts, count)]
    out = (values, *(v.astype("int32") for wanted, v in extra if wanted))
    return out if len(out) > 1 else values


unique_op = define_op("unique", inputs="x", infer=_unique_infer, kernel=Host(_unique_host), grad=None)


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The different elements of a tensor, smallest first; every NaN counts as different.

    Args:
        x: a tensor.
        sorted: they come sorted in either case.
        return_index, return_inverse, return_counts: also give where each occurs first, which of them each element of
            x is, and how often each occurs (int32).
        axis: compare the slices along this axis; None compares elements.
        size: a fixed number of results: more are cut off, fewer are filled up with `fill_value` (by default the
            first result).

    Returns:
        The values, or a tuple of them and what else was asked for.

    >>> import kerasish as keras
    >>> keras.ops.unique([3, 1, 2, 1]).numpy()
    array([1, 2, 3], dtype=int32)
    """
    x = as_input(x)
    if axis is not None:
        axis = one_axis("unique", axis, len(x.shape))
    if size is not None:
        size = as_int("unique", "size", size)
        if size < 0:
            raise invalid("unique", "`size` is at least 0", size=size)
    if fill_value is not None:
        fill_value = np.asarray(fill_value).item()
    return unique_op(
        x, index=bool(return_index), inverse=bool(return_inverse), counts=bool(return_counts), axis=axis, size=size,
        fill=fill_value,
    )  # fmt: skip
