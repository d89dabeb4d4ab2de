"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, one_axis
from .shape import ravel

__all__ = ["diag", "diagflat", "diagonal", "tril", "triu"]


def _length(rows: int | None, cols: int | None, offset: int) -> int | None:
    if rows is None or cols is None:
        return None
    return max(0, min(rows, cols - offset) if offset >= 0 else min(rows + offset, cols))


def _diagonal_infer(x: Spec, offset: int, axis1: int, axis2: int) -> Spec:
    rest = tuple(n for d, n in enumerate(x.shape) if d not in (axis1, axis2))
    return Spec((*rest, _length(x.shape[axis1], x.shape[axis2], offset)), x.dtype)


def _plane(specs, a):
    return (a["offset"], a["axis1"], a["axis2"])


diagonal_op = define_op(
    "diagonal",
    inputs="x",
    infer=_diagonal_infer,
    kernel=C("diagonal", i=_plane, host=lambda x, offset, axis1, axis2: np.diagonal(x, offset, axis1, axis2)),
    grad=(lambda ctx, g: diagonal_put_op(g, shape=ctx.specs[0].shape, **ctx.attrs),),
)


def _put_infer(g: Spec, offset: int, axis1: int, axis2: int, shape: tuple[int, ...] | None = None) -> Spec:
    if shape is None:  # the smallest square matrix that holds the diagonal
        n = None if g.shape[0] is None else g.shape[0] + abs(offset)
        shape = (n, n)
    return Spec(shape, g.dtype)


def _put_host(g, offset, axis1, axis2, shape=None):
    out = np.zeros(_put_infer(Spec(g.shape, ""), offset, axis1, axis2, shape).shape, g.dtype)
    view = np.diagonal(out, offset, axis1, axis2)
    view.flags.writeable = True
    view[...] = g
    return out


diagonal_put_op = define_op(
    "diagonal_put",  # zeros with g on a diagonal: the gradient of diagonal, and diag of a vector
    inputs="g",
    infer=_put_infer,
    kernel=C("diagonal_put", i=_plane, host=_put_host),
    grad=(lambda ctx, g: diagonal_op(g, **{k: ctx.attrs[k] for k in ("offset", "axis1", "axis2")}),),
)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal over two axes, as the last axis of the result.

    Args:
        x: a tensor of rank 2 or more.
        offset: how far above (positive) or below the main diagonal.
        axis1, axis2: the rows and the columns.

    Raises:
        ValueError: for a lower rank, or where both axes are the same.

    >>> import kerasish as keras
    >>> keras.ops.diagonal([[1, 2], [3, 4]]).numpy()
    array([1, 4], dtype=int32)
    """
    x = as_input(x)
    if len(x.shape) < 2:
        raise invalid("diagonal", "x needs at least two dimensions", x=x)
    a = one_axis("diagonal", axis1, len(x.shape), "axis1")
    b = one_axis("diagonal", axis2, len(x.shape), "axis2")
    if a == b:
        raise invalid("diagonal", "`axis1` and `axis2` must differ", axis1=axis1, axis2=axis2)
    return diagonal_op(x, offset=as_int("diagonal", "offset", offset), axis1=a, axis2=b)


def diag(x: Any, k: int = 0) -> Any:
    """The k-th diagonal of a matrix, or a matrix with a vector as its k-th diagonal.

    Raises:
        ValueError: for another rank than 1 or 2.

    >>> import kerasish as keras
    >>> keras.ops.diag([1, 2]).numpy()
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    x = as_input(x)
    k = as_int("diag", "k", k)
    if len(x.shape) == 1:
        return diagonal_put_op(x, offset=k, axis1=0, axis2=1)
    if len(x.shape) == 2:
        return diagonal_op(x, offset=k, axis1=0, axis2=1)
    raise invalid("diag", "x is a vector or a matrix", x=x)


def diagflat(x: Any, k: int = 0) -> Any:
    """A matrix with the flattened tensor as its k-th diagonal.

    >>> import kerasish as keras
    >>> keras.ops.diagflat([[1, 2]]).numpy()
    array([[1, 0],
           [0, 2]], dtype=int32)
    """
    return diag(ravel(x), k)


def _triangle(name: str, host):
    def infer(x: Spec, k: int) -> Spec:
        if x.ndim < 2:
            raise invalid(name, "x needs at least two dimensions", x=x)
        return x

    op = define_op(
        name,
        inputs="x",
        infer=infer,
        kernel=C(name, i=lambda specs, a: (a["k"],), host=host),
        grad=(lambda ctx, g: op(g, k=ctx.attrs["k"]),),
        inplace=((0, 0),),
    )
    return op


tril_op = _triangle("tril", np.tril)
triu_op = _triangle("triu", np.triu)


def tril(x: Any, k: int = 0) -> Any:
    """The matrices of x with zeros above the k-th diagonal.

    >>> import kerasish as keras
    >>> keras.ops.tril([[1, 2], [3, 4]]).numpy()
    array([[1, 0],
           [3, 4]], dtype=int32)
    """
    return tril_op(x, k=as_int("tril", "k", k))


def triu(x: Any, k: int = 0) -> Any:
    """The matrices of x with zeros below the k-th diagonal.

    >>> import kerasish as keras
    >>> keras.ops.triu([[1, 2], [3, 4]]).numpy()
    array([[1, 2],
           [0, 4]], dtype=int32)
    """
    return triu_op(x, k=as_int("triu", "k", k))
