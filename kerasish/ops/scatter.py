"""Places addressed by tuples of indices: gather_nd, scatter and scatter_update with every reduction."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int
from .cast import cast
from .gather import need_integers
from .math import divide, multiply, subtract
from .shape import broadcast_to

__all__ = ["scatter", "scatter_update"]


def _tuple_depth(where: str, indices: Spec, rank: int) -> int:
    need_integers(where, "indices", indices)
    k = indices.shape[-1] if indices.ndim else None
    if k is None or k > rank:
        raise invalid(where, f"the last dimension of `indices` must be known and at most {rank}", indices=indices)
    return k


def _gather_nd_infer(x: Spec, indices: Spec) -> Spec:
    k = _tuple_depth("gather_nd", indices, x.ndim)
    return Spec((*indices.shape[:-1], *x.shape[k:]), x.dtype)


gather_nd_op = define_op(
    "gather_nd",
    inputs="x indices",
    infer=_gather_nd_infer,
    kernel=C(
        "gather_nd",
        i=lambda specs, a: (1,),
        host=lambda x, indices: x[tuple(np.moveaxis(indices.astype("int64"), -1, 0))],
    ),
    grad=(lambda ctx, g: scatter_op(ctx.inputs[1], g, shape=ctx.specs[0].shape), None),
    saves="indices",
)


def _scatter_infer(indices: Spec, values: Spec, shape: tuple[int, ...]) -> Spec:
    k = _tuple_depth("scatter", indices, len(shape))
    want = (*indices.shape[:-1], *shape[k:])
    if values.ndim != len(want) or any(None not in p and p[0] != p[1] for p in zip(values.shape, want)):
        raise invalid("scatter", f"`values` must have shape {want}", indices=indices, values=values, shape=shape)
    return Spec(shape, values.dtype)


def _scatter_host(indices, values, shape):
    out = np.zeros(shape, values.dtype)
    np.add.at(out, tuple(np.moveaxis(indices.astype("int64"), -1, 0)), values)
    return out


scatter_op = define_op(
    "scatter",
    inputs="indices values",
    infer=_scatter_infer,
    kernel=C("scatter_nd", i=lambda specs, a: (1,), dtype=1, host=_scatter_host),
    grad=(None, lambda ctx, g: gather_nd_op(g, ctx.inputs[0])),
    saves="indices",
)


def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros of a shape, with `values` added at `indices`.

    Args:
        indices: integers (..., k): the k first coordinates of each place; negative ones count from the end.
        values: a tensor of shape indices.shape[:-1] + shape[k:], or one that can be broadcast to it.
        shape: the result's shape, known integers.

    Raises:
        ValueError: for an index out of range, or values of another shape.

    >>> import kerasish as keras
    >>> keras.ops.scatter([[0], [2], [0]], [1.0, 2.0, 3.0], (4,)).numpy()
    array([4., 0., 2., 0.], dtype=float32)
    """
    indices, values = as_input(indices), as_input(values)
    shape = tuple(as_int("scatter", "shape", d) for d in shape)
    return scatter_op(indices, _fit(values, indices, shape), shape=shape)


def _fit(values: Any, indices: Any, shape: tuple) -> Any:
    """Values broadcast to what the indices address, where that is known and possible."""
    if not indices.shape or indices.shape[-1] is None or indices.shape[-1] > len(shape):
        return values
    want = (*indices.shape[:-1], *shape[indices.shape[-1] :])
    given = tuple(values.shape)
    if given == want or None in want or None in given or len(given) > len(want):
        return values
    fits = all(a in (1, b) for a, b in zip(given, want[len(want) - len(given) :]))
    return broadcast_to(values, want) if fits else values


_REDUCTIONS = {None: 0, "add": 1, "max": 2, "min": 3, "mul": 4}
_UFUNCS = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}


def _scatter_update_infer(inputs: Spec, indices: Spec, updates: Spec, reduction: str | None = None) -> Spec:
    if reduction not in _REDUCTIONS:
        raise invalid("scatter_update", f"`reduction` is one of {tuple(_REDUCTIONS)}", reduction=reduction)
    k = _tuple_depth("scatter_update", indices, inputs.ndim)
    want = (*indices.shape[:-1], *inputs.shape[k:])
    if updates.ndim != len(want) or any(None not in p and p[0] != p[1] for p in zip(updates.shape, want)):
        raise invalid(
            "scatter_update", f"`updates` must have shape {want}", inputs=inputs, indices=indices, updates=updates
        )
    if updates.dtype != inputs.dtype:
        raise invalid(
            "scatter_update", "`updates` must have the dtype of `inputs`", inputs=inputs.dtype, updates=updates.dtype
        )
    return inputs


def _scatter_update_host(x, indices, updates, reduction=None):
    out, key = x.copy(), tuple(np.moveaxis(indices.astype("int64"), -1, 0))
    if reduction is None:
        out[key] = updates
    else:
        _UFUNCS[reduction].at(out, key, updates)
    return out


def _scatter_update_grad(ctx, g):
    x, indices, updates = ctx.inputs
    reduction = ctx.attrs.get("reduction")
    if reduction == "add":
        return [g, None, gather_nd_op(g, indices)]
    if reduction is None:
        # Only the last of several values at one place has stayed.
        kept = scatter_kept_op(x, indices, updates)
        zeros = np.zeros(updates.shape, updates.dtype)
        return [scatter_set_op(g, indices, zeros), None, multiply(gather_nd_op(g, indices), kept)]
    if reduction == "mul":
        factors = scatter_update_op(np.ones(x.shape, x.dtype), indices, updates, reduction="mul")
        others = scatter_others_op(x, indices, updates)
        return [multiply(g, factors), None, multiply(gather_nd_op(multiply(g, x), indices), others)]
    shares = scatter_shares_op(x, indices, updates, reduction=reduction)
    return [multiply(g, shares[0]), None, multiply(gather_nd_op(g, indices), shares[1])]


scatter_update_op = define_op(
    "scatter_update",
    inputs="inputs indices updates",
    infer=_scatter_update_infer,
    kernel=C("scatter_update", i=lambda s, a: (_REDUCTIONS[a.get("reduction")], 1), host=_scatter_update_host),
    grad=_scatter_update_grad,
    saves="inputs indices updates",
    inplace=((0, 0),),
)

scatter_set_op = define_op(
    "scatter_set",
    inputs="inputs indices updates",
    infer=_scatter_update_infer,
    kernel=C("scatter_set", i=lambda specs, a: (1,), host=_scatter_update_host),
    grad=_scatter_update_grad,
    saves="inputs indices updates",
    inplace=((0, 0),),
)


def _flat_places(shape: tuple, indices: np.ndarray) -> tuple[np.ndarray, int]:
    """The row number that each tuple of indices addresses, and how many rows there are."""
    k = indices.shape[-1]
    flat = np.zeros(indices.shape[:-1], "int64")
    for d in range(k):
        flat = flat * shape[d] + indices[..., d] % shape[d]
    return flat.ravel(), prod(shape[:k])


def _kept_host(x, indices, updates):
    flat, rows = _flat_places(x.shape, indices)
    last = np.zeros(rows, "int64")
    last[flat] = np.arange(flat.size)
    kept = last[flat] == np.arange(flat.size)
    lead = indices.shape[:-1]
    return np.broadcast_to(kept.reshape(lead + (1,) * (updates.ndim - len(lead))), updates.shape)


scatter_kept_op = define_op(
    "scatter_kept",  # 1 for the updates that were not overwritten by a later one, else 0
    inputs="inputs indices updates",
    infer=lambda inputs, indices, updates: updates,
    kernel=Host(_kept_host),
    grad=None,
)


def _shares_host(x, indices, updates, reduction):
    y = _scatter_update_host(x, indices, updates, reduction)
    key = tuple(np.moveaxis(indices.astype("int64"), -1, 0))
    count = (x == y).astype(x.dtype)
    own = (updates == y[key]).astype(x.dtype)
    np.add.at(count, key, own)
    return (x == y) / np.maximum(count, 1), own / np.maximum(count, 1)[key]


scatter_shares_op = define_op(
    "scatter_shares",  # how the gradient of a scattered maximum or minimum is shared: evenly among equals
    inputs="inputs indices updates",
    outputs="inputs_share updates_share",
    infer=lambda inputs, indices, updates, reduction: (inputs, updates),
    kernel=Host(_shares_host),
    grad=None,
)


def product_of_others(flat: np.ndarray, rows: int, updates: np.ndarray) -> np.ndarray:
    """For each row of updates (n, inner), the product of the other rows that address the same place."""
    zero = updates == 0
    product = np.ones((rows, updates.shape[1]), updates.dtype)
    np.multiply.at(product, flat, np.where(zero, 1, updates))
    zeros = np.zeros(product.shape, "int64")
    np.add.at(zeros, flat, zero)
    own = np.where(zero, 1, updates)
    return np.where(zeros[flat] - zero == 0, product[flat] / own, 0).astype(updates.dtype)


def _others_host(x, indices, updates):
    flat, rows = _flat_places(x.shape, indices)
    return product_of_others(flat, rows, updates.reshape(flat.size, -1 if updates.size else 0)).reshape(updates.shape)


def _others_grad(ctx, g):
    # d(others_i)/d(u_j) = others_i / u_j for i != j at the same place, where u_j is not 0.
    x, indices, updates = ctx.inputs
    others = scatter_others_op(x, indices, updates)
    weighted = multiply(g, others)
    total = gather_nd_op(scatter_op(indices, weighted, shape=ctx.specs[0].shape), indices)
    return [None, None, divide(subtract(total, weighted), updates)]


scatter_others_op = define_op(
    "scatter_others",  # for each update, the product of the other updates at its place
    inputs="inputs indices updates",
    infer=lambda inputs, indices, updates: updates,
    kernel=Host(_others_host),
    grad=_others_grad,
    saves="inputs indices updates",
)


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """A tensor with the places at `indices` replaced by `updates`, or combined with them.

    Args:
        inputs: a tensor.
        indices: integers (..., k): the k first coordinates of each place; negative ones count from the end.
        updates: a tensor of shape indices.shape[:-1] + inputs.shape[k:]; it is cast to the dtype of `inputs`.
        reduction: None replaces (of several values the last one stays), "add", "max", "min", "mul" combine.

    Raises:
        ValueError: for another reduction, an index out of range, or updates of another shape.

    >>> import kerasish as keras
    >>> keras.ops.scatter_update(keras.ops.zeros((4,)), [[1], [3]], [5.0, 6.0]).numpy()
    array([0., 5., 0., 6.], dtype=float32)
    """
    x, indices = as_input(inputs), as_input(indices)
    updates = _fit(cast(updates, x.dtype), indices, tuple(x.shape))
    if reduction is None:
        return scatter_set_op(x, indices, updates)
    return scatter_update_op(x, indices, updates, reduction=reduction)
