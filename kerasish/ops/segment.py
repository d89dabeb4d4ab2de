"""Reductions of rows by segment number: sum, maximum, minimum, product."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import as_input
from .axes import as_int
from .gather import DROP, gather_op
from .math import divide, multiply, subtract
from .scatter import product_of_others

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]

_KINDS = {"segment_sum": (1, np.add), "segment_max": (2, np.maximum), "segment_min": (3, np.minimum),
          "segment_prod": (4, np.multiply)}  # fmt: skip


def _start(name: str, dtype: np.dtype) -> Any:
    """What a segment without rows gets."""
    if name in ("segment_sum", "segment_prod"):
        return int(name == "segment_prod")
    if dtype.kind == "f":
        return -np.inf if name == "segment_max" else np.inf
    if dtype.kind == "b":
        return name == "segment_min"
    info = np.iinfo(dtype)
    return info.min if name == "segment_max" else info.max


def _checked(name: str, data: Spec, segment_ids: Spec) -> None:
    if segment_ids.dtype not in INTEGERS:
        raise invalid(name, "`segment_ids` must be integers", kind=TypeError, dtype=segment_ids.dtype)
    if not data.ndim or segment_ids.ndim != 1:
        raise invalid(name, "`segment_ids` is a vector and `data` has rows", data=data, segment_ids=segment_ids)
    if None not in (data.shape[0], segment_ids.shape[0]) and data.shape[0] != segment_ids.shape[0]:
        raise invalid(name, "`segment_ids` holds one number for each row", data=data, segment_ids=segment_ids)


def _kept(ids: np.ndarray, segments: int) -> np.ndarray:
    return (ids >= 0) & (ids < segments)


def _rows_of(ctx, g):
    """For each row of data, the row of g that belongs to its segment; zeros for rows that were left out."""
    return gather_op(g, ctx.inputs[1], axis=0, mode=DROP)


def _sum_grad(ctx, g):
    return _rows_of(ctx, g)


def _extreme_grad(ctx, g):
    shares = segment_shares_op(*ctx.inputs, ctx.outputs[0])
    return multiply(_rows_of(ctx, g), shares)


def _prod_grad(ctx, g):
    others = segment_others_op(*ctx.inputs, num_segments=ctx.attrs["num_segments"])
    return multiply(_rows_of(ctx, g), others)


def _define(name: str, saves: str, rule):
    code, ufunc = _KINDS[name]

    def infer(data: Spec, segment_ids: Spec, num_segments: int) -> Spec:
        _checked(name, data, segment_ids)
        if num_segments < 0:
            raise invalid(name, "`num_segments` is at least 0", num_segments=num_segments)
        return Spec((num_segments, *data.shape[1:]), data.dtype)

    def host(data, segment_ids, num_segments):
        out = np.full((num_segments, *data.shape[1:]), _start(name, data.dtype), data.dtype)
        keep = _kept(segment_ids, num_segments)
        ufunc.at(out, segment_ids[keep], data[keep])
        return out

    return define_op(
        name,
        inputs="data segment_ids",
        infer=infer,
        kernel=C("segment_reduce", i=lambda specs, a: (code,), host=host),
        grad=(rule, None),
        saves=saves,
    )


segment_sum_op = _define("segment_sum", "segment_ids", _sum_grad)
segment_max_op = _define("segment_max", "data segment_ids y", _extreme_grad)
segment_min_op = _define("segment_min", "data segment_ids y", _extreme_grad)
segment_prod_op = _define("segment_prod", "data segment_ids", _prod_grad)


def _shares_host(data, ids, y):
    keep = _kept(ids, len(y))
    won = np.zeros(data.shape, data.dtype)
    won[keep] = data[keep] == y[ids[keep]]
    count = np.zeros(y.shape, data.dtype)
    np.add.at(count, ids[keep], won[keep])
    won[keep] /= np.maximum(count, 1)[ids[keep]]
    return won


segment_shares_op = define_op(
    "segment_shares",  # how the gradient of a segment's extreme is shared: evenly among equals
    inputs="data segment_ids y",
    infer=lambda data, segment_ids, y: data,
    kernel=Host(_shares_host),
    grad=None,
)


def _others_host(data, ids, num_segments):
    keep = _kept(ids, num_segments)
    out = np.zeros(data.shape, data.dtype)
    rows = data[keep].reshape(int(keep.sum()), -1 if data[keep].size else 0)
    out[keep] = product_of_others(ids[keep], num_segments, rows).reshape(data[keep].shape)
    return out


def _others_grad(ctx, g):
    # d(others_i)/d(x_j) = others_i / x_j for i != j in the same segment, where x_j is not 0.
    data, ids = ctx.inputs
    segments = ctx.attrs["num_segments"]
    weighted = multiply(g, segment_others_op(data, ids, num_segments=segments))
    total = _rows_of(ctx, segment_sum_op(weighted, ids, num_segments=segments))
    return divide(subtract(total, weighted), data)


segment_others_op = define_op(
    "segment_others",  # for each row, the product of the other rows of its segment
    inputs="data segment_ids",
    infer=lambda data, segment_ids, num_segments: data,
    kernel=Host(_others_host),
    grad=(_others_grad, None),
    saves="data segment_ids",
)


def _call(op, data: Any, segment_ids: Any, num_segments: Any) -> Any:
    data, ids = as_input(data), as_input(segment_ids)
    if num_segments is None:
        if isinstance(ids, Symbol):
            raise invalid(op.name, "`num_segments` is needed for symbolic `segment_ids`", segment_ids=ids)
        values = np.asarray(ids)
        num_segments = int(values.max()) + 1 if values.size else 0
    return op(data, ids, num_segments=as_int(op.name, "num_segments", num_segments))


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The sum of the rows that belong to each segment.

    Args:
        data: a tensor (n, ...).
        segment_ids: n integers; rows with a number outside [0, num_segments) are left out.
        num_segments: how many segments; by default the largest number plus 1.
        sorted: whether `segment_ids` are sorted; the result is the same.

    Returns:
        A tensor (num_segments, ...), 0 where a segment has no rows.

    >>> import kerasish as keras
    >>> keras.ops.segment_sum([1, 2, 10, 20], [0, 0, 1, 1], 3).numpy()
    array([ 3, 30,  0], dtype=int32)
    """
    return _call(segment_sum_op, data, segment_ids, num_segments)


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The maximum over the rows of each segment; -inf or the smallest integer where it has none. As `segment_sum`.

    >>> import kerasish as keras
    >>> keras.ops.segment_max([1, 2, 10, 20], [0, 0, 1, 1], 2).numpy()
    array([ 2, 20], dtype=int32)
    """
    return _call(segment_max_op, data, segment_ids, num_segments)


def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The minimum over the rows of each segment; inf or the largest integer where it has none. As `segment_sum`.

    >>> import kerasish as keras
    >>> keras.ops.segment_min([1, 2, 10, 20], [0, 0, 1, 1], 2).numpy()
    array([ 1, 10], dtype=int32)
    """
    return _call(segment_min_op, data, segment_ids, num_segments)


def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The product of the rows of each segment; 1 where it has none. As `segment_sum`.

    >>> import kerasish as keras
    >>> keras.ops.segment_prod([1, 2, 10, 20], [0, 0, 1, 1], 2).numpy()
    array([  2, 200], dtype=int32)
    """
    return _call(segment_prod_op, data, segment_ids, num_segments)
