"""Tensors put together and cut apart: concatenate, stack, split and their relatives."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, as_ints, one_axis
from .cast import promote
from .shape import broadcast_to, expand_dims_op, ravel, reshape, squeeze_op

__all__ = [
    "append", "array_split", "concatenate", "dsplit", "dstack", "hsplit", "hstack", "meshgrid", "split", "stack",
    "unstack", "vsplit", "vstack",
]  # fmt: skip


def _concatenate_infer(*xs: Spec, axis: int) -> Spec:
    first = xs[0]
    shape = list(first.shape)
    for x in xs[1:]:
        if x.ndim != first.ndim or x.dtype != first.dtype:
            raise invalid("concatenate", "all inputs have the same rank and dtype", shapes=[x.shape for x in xs])
        for d, n in enumerate(x.shape):
            if d == axis:
                shape[d] = None if n is None or shape[d] is None else shape[d] + n
            elif shape[d] is None:
                shape[d] = n
            elif n not in (None, shape[d]):
                raise invalid(
                    "concatenate", f"all dimensions but axis {axis} must match", shapes=[x.shape for x in xs], axis=axis
                )
    return Spec(tuple(shape), first.dtype)


def _concatenate_grad(ctx, g):
    if len(ctx.specs) == 1:
        return [g]
    axis = ctx.attrs["axis"]
    ends = tuple(accumulate(s.shape[axis] for s in ctx.specs))
    return split_op(g, at=ends[:-1], axis=axis)


concatenate_op = define_op(
    "concatenate",
    inputs="*xs",
    infer=_concatenate_infer,
    kernel=C("concatenate", i=lambda specs, a: (a["axis"],), host=lambda *xs, axis: np.concatenate(xs, axis)),
    grad=_concatenate_grad,
)


def _tensors(where: str, xs: Any) -> tuple:
    """A sequence of tensors (or one tensor, cut along its first axis), in their common dtype."""
    if isinstance(xs, (list, tuple)):
        xs = tuple(xs)
    else:
        whole = as_input(xs)
        if not whole.shape or whole.shape[0] is None:
            raise invalid(where, "`xs` is a sequence of tensors", kind=TypeError, xs=xs)
        xs = tuple(unstack(whole))
    if not xs:
        raise invalid(where, "at least one tensor is needed", xs=xs)
    return promote(*xs) if len(xs) > 1 else (as_input(xs[0]),)


def concatenate(xs: Any, axis: int | None = 0) -> Any:
    """Joins tensors along an existing axis.

    Args:
        xs: tensors that agree in every dimension but `axis`; they are cast to their common dtype.
        axis: the axis; None joins the flattened tensors.

    Raises:
        ValueError: where ranks or other dimensions differ.

    >>> import kerasish as keras
    >>> keras.ops.concatenate([[[1, 2]], [[3, 4], [5, 6]]]).shape
    (3, 2)
    """
    xs = _tensors("concatenate", xs)
    if axis is None:
        xs, axis = tuple(ravel(x) for x in xs), 0
    if not xs[0].shape:
        raise invalid("concatenate", "scalars cannot be concatenated; use stack", shapes=[tuple(x.shape) for x in xs])
    return concatenate_op(*xs, axis=one_axis("concatenate", axis, len(xs[0].shape)))


def stack(x: Any, axis: int = 0) -> Any:
    """Joins tensors of one shape along a new axis.

    Raises:
        ValueError: where the shapes differ.

    >>> import kerasish as keras
    >>> keras.ops.stack([[1, 2], [3, 4], [5, 6]], axis=-1).shape
    (2, 3)
    """
    xs = _tensors("stack", x)
    first = tuple(xs[0].shape)
    for other in xs[1:]:
        if len(other.shape) != len(first) or any(None not in p and p[0] != p[1] for p in zip(first, other.shape)):
            raise invalid("stack", "all tensors have the same shape", shapes=[tuple(v.shape) for v in xs])
    axis = one_axis("stack", axis, len(first) + 1)
    return concatenate_op(*(expand_dims_op(v, axis=(axis,)) for v in xs), axis=axis)


def _at_least(x: Any, n: int) -> Any:
    x = as_input(x)
    if n == 3 and len(x.shape) == 2:
        return expand_dims_op(x, axis=(2,))
    if n == 3 and len(x.shape) == 1:
        return expand_dims_op(x, axis=(0, 2))
    return expand_dims_op(x, axis=tuple(range(n - len(x.shape)))) if len(x.shape) < n else x


def vstack(xs: Any) -> Any:
    """Joins tensors along the first axis; vectors count as rows.

    >>> import kerasish as keras
    >>> keras.ops.vstack([[1, 2, 3], [4, 5, 6]]).shape
    (2, 3)
    """
    return concatenate([_at_least(x, 2) for x in _tensors("vstack", xs)], axis=0)


def hstack(xs: Any) -> Any:
    """Joins tensors along the second axis, vectors along their only one.

    >>> import kerasish as keras
    >>> keras.ops.hstack([[1, 2, 3], [4, 5, 6]]).shape
    (6,)
    """
    xs = [_at_least(x, 1) for x in _tensors("hstack", xs)]
    return concatenate(xs, axis=0 if len(xs[0].shape) == 1 else 1)


def dstack(xs: Any) -> Any:
    """Joins tensors along the third axis; a vector (n,) counts as (1, n, 1), a matrix (m, n) as (m, n, 1).

    >>> import kerasish as keras
    >>> keras.ops.dstack([[1, 2, 3], [4, 5, 6]]).shape
    (1, 3, 2)
    """
    return concatenate([_at_least(x, 3) for x in _tensors("dstack", xs)], axis=2)


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """Joins two tensors along an axis; by default flattened.

    >>> import kerasish as keras
    >>> keras.ops.append([1, 2, 3], [[4, 5], [6, 7]]).numpy()
    array([1, 2, 3, 4, 5, 6, 7], dtype=int32)
    """
    return concatenate([x1, x2], axis=axis)


def _split_sizes(n: int | None, at: int | tuple[int, ...], even: bool, where: str) -> tuple[int | None, ...]:
    """Lengths of the parts of an axis of length n."""
    if isinstance(at, int):
        if n is None:
            return (None,) * at
        if even and n % at:
            raise invalid(where, f"the axis must divide evenly into {at} sections", length=n, sections=at)
        return tuple(n // at + (k < n % at) for k in range(at))
    if n is None:
        inner = tuple(b - a if 0 <= a <= b else None for a, b in pairwise(at))
        return (at[0] if at[0] >= 0 else None, *inner, None) if at else (None,)
    ends = [min(n, max(0, a + n if a < 0 else a)) for a in at]
    if ends != sorted(ends):
        raise invalid(where, "the indices to split at must not decrease", indices=at, length=n)
    return tuple(b - a for a, b in zip([0, *ends], [*ends, n]))


def _split_infer(x: Spec, at: int | tuple[int, ...], axis: int, even: bool = True) -> tuple[Spec, ...]:
    sizes = _split_sizes(x.shape[axis], at, even, "split" if even else "array_split")
    return tuple(Spec((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype) for n in sizes)


def _split_host(x, at, axis, even=True):
    sizes = _split_sizes(x.shape[axis], at, even, "split")
    return tuple(np.split(x, tuple(accumulate(sizes))[:-1], axis))


split_op = define_op(
    "split",
    inputs="x",
    infer=_split_infer,
    kernel=C("split", i=lambda specs, a: (a["axis"],), host=_split_host),
    grad=lambda ctx, *gs: [concatenate_op(*gs, axis=ctx.attrs["axis"])],
)


def _split(where: str, x: Any, indices_or_sections: Any, axis: Any, even: bool = True) -> list:
    x = as_input(x)
    axis = one_axis(where, axis, len(x.shape))
    if isinstance(indices_or_sections, (list, tuple, np.ndarray)):
        at = as_ints(where, "indices_or_sections", np.asarray(indices_or_sections, dtype="int64").ravel())
    else:
        at = as_int(where, "indices_or_sections", indices_or_sections)
        if at < 1:
            raise invalid(where, "the number of sections is positive", indices_or_sections=at)
    return list(split_op(x, at=at, axis=axis) if even else split_op(x, at=at, axis=axis, even=False))


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """Cuts a tensor along an axis.

    Args:
        x: a tensor.
        indices_or_sections: the number of equal parts, or the indices where to cut.
        axis: the axis.

    Raises:
        ValueError: where the axis does not divide evenly.

    >>> import kerasish as keras
    >>> [p.numpy() for p in keras.ops.split([1, 2, 3, 4, 5], [1, 3])]
    [array([1], dtype=int32), array([2, 3], dtype=int32), array([4, 5], dtype=int32)]
    """
    return _split("split", x, indices_or_sections, axis)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list:
    """Cuts a tensor along an axis into parts that need not be equal: the first ones are longer by one.

    >>> import kerasish as keras
    >>> [p.shape for p in keras.ops.array_split(keras.ops.ones((5,)), 3)]
    [(2,), (2,), (1,)]
    """
    return _split("array_split", x, indices_or_sections, axis, even=False)


def vsplit(x: Any, indices_or_sections: Any) -> list:
    """Cuts a tensor along its first axis.

    >>> import kerasish as keras
    >>> [p.shape for p in keras.ops.vsplit(keras.ops.ones((4, 2)), 2)]
    [(2, 2), (2, 2)]
    """
    return _split("vsplit", x, indices_or_sections, 0)


def hsplit(x: Any, indices_or_sections: Any) -> list:
    """Cuts a tensor along its second axis, a vector along its only one.

    >>> import kerasish as keras
    >>> [p.shape for p in keras.ops.hsplit(keras.ops.ones((4, 2)), 2)]
    [(4, 1), (4, 1)]
    """
    x = as_input(x)
    return _split("hsplit", x, indices_or_sections, 0 if len(x.shape) == 1 else 1)


def dsplit(x: Any, indices_or_sections: Any) -> list:
    """Cuts a tensor along its third axis.

    >>> import kerasish as keras
    >>> [p.shape for p in keras.ops.dsplit(keras.ops.ones((2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    return _split("dsplit", x, indices_or_sections, 2)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list:
    """The slices of a tensor along an axis, as a list.

    Args:
        x: a tensor.
        num: how many slices; needed where the dimension is unknown.
        axis: the axis.

    Raises:
        ValueError: where `num` is missing or is not the length of the axis.

    >>> import kerasish as keras
    >>> [p.numpy() for p in keras.ops.unstack([[1, 2], [3, 4]])]
    [array([1, 2], dtype=int32), array([3, 4], dtype=int32)]
    """
    x = as_input(x)
    axis = one_axis("unstack", axis, len(x.shape))
    length = x.shape[axis]
    if num is None and length is None:
        raise invalid("unstack", "`num` is needed where the length of the axis is unknown", x=x, axis=axis)
    if num is not None and length is not None and num != length:
        raise invalid("unstack", "`num` must be the length of the axis", x=x, num=num, axis=axis)
    n = num if length is None else length
    return [squeeze_op(p, axis=(axis,)) for p in split_op(x, at=n, axis=axis)] if n else []


def meshgrid(*x: Any, indexing: str = "xy") -> list:
    """Coordinate grids from coordinate vectors.

    Args:
        *x: vectors (or scalars) n_1, n_2, ...
        indexing: "ij" gives grids of shape (n_1, n_2, ...), "xy" (n_2, n_1, ...).

    Raises:
        ValueError: for another `indexing`.

    >>> import kerasish as keras
    >>> [g.numpy().tolist() for g in keras.ops.meshgrid([1, 2, 3], [4, 5])]
    [[[1, 2, 3], [1, 2, 3]], [[4, 4, 4], [5, 5, 5]]]
    """
    if indexing not in ("xy", "ij"):
        raise invalid("meshgrid", "`indexing` is 'xy' or 'ij'", indexing=indexing)
    vectors = [ravel(v) for v in x]
    n = len(vectors)
    place = list(range(n))
    if indexing == "xy" and n > 1:
        place[0], place[1] = 1, 0
    lengths = [None] * n
    for p, v in zip(place, vectors):
        if v.shape[0] is None:
            raise invalid("meshgrid", "the lengths of the vectors must be known", x=v)
        lengths[p] = v.shape[0]
    grids = []
    for p, v in zip(place, vectors):
        column = reshape(v, tuple(-1 if k == p else 1 for k in range(n)))
        grids.append(broadcast_to(column, tuple(lengths)))
    return grids
