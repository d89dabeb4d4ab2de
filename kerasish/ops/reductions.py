"""Declarations of reductions over any set of axes, and of their first halves, a result for each chunk."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from math import prod as _product
from typing import Any

import numpy as np

from .._core import core
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from .cast import cast
from .compare import equal
from .shape import broadcast_to, expand_dims, reshape, transpose


def reduced_shape(shape: tuple, axis: tuple[int, ...], keepdims: bool) -> tuple:
    """The shape after a reduction over the (non-negative) axes."""
    if keepdims:
        return tuple(1 if k in axis else d for k, d in enumerate(shape))
    return tuple(d for k, d in enumerate(shape) if k not in axis)


def axis_bits(specs: tuple[Spec, ...], attrs: dict) -> tuple[int]:
    """The axes as the reduction kernels take them: bit k stands for axis k."""
    return (_mask(attrs["axis"]),)


def _mask(axes: tuple[int, ...]) -> int:
    bits = 0
    for a in axes:
        bits |= 1 << a
    return bits


def reduced_count(ctx: Any) -> int:
    """How many elements of the first input each element of the result stands for; 1 where there are none."""
    return _product(ctx.specs[0].shape[a] for a in ctx.attrs["axis"]) or 1


def spread(ctx: Any, g: Any) -> Any:
    """A gradient of a reduction's result, repeated over the axes that were reduced."""
    shape = ctx.specs[0].shape
    return broadcast_to(reshape(g, reduced_shape(shape, ctx.attrs["axis"], True)), shape)


def kept(ctx: Any, y: Any) -> Any:
    """A reduction's result with the reduced axes as dimensions of length 1."""
    return reshape(y, reduced_shape(ctx.specs[0].shape, ctx.attrs["axis"], True))


def _chunk_rows(shape: tuple, axis: tuple[int, ...]) -> int:
    """How many of the reduced rows the kernels reduce to one at first, where the reduced dimensions are the leading
    ones; 0 where they are not or where all rows are reduced at once."""
    reduced, kept = _split(shape, axis)
    between = [d for k, d in enumerate(shape[: axis[-1]] if axis else ()) if k not in axis]
    if 0 in shape or _product(between) != 1:
        return 0
    sample = _product([shape[k] for k in axis if shape[k] != 1][1:])
    rows = core.reduce_chunk(reduced, kept, sample)
    return rows if rows < reduced else 0


def _split(shape: tuple, axis: tuple[int, ...]) -> tuple[int, int]:
    """How many elements are reduced to one, and how many remain."""
    return _product(shape[k] for k in axis), _product(d for k, d in enumerate(shape) if k not in axis)


def _define_chunks(name: str, dtype: str | None) -> str:
    """The first half of a reduction over leading dimensions: a result for each chunk of them, in the order that the
    kernel of the whole has; the executor puts it behind what makes the chunk, while that is in cache."""

    def infer(x: Spec, axis: tuple[int, ...]) -> Spec:
        kept = reduced_shape(x.shape, axis, False)
        if None in x.shape:
            return Spec((None, *kept), dtype or x.dtype)
        rows = _chunk_rows(x.shape, axis)
        if rows == 0:
            raise invalid(f"{name}_chunks", "the reduced dimensions are the leading ones, and long", x=x, axis=axis)
        return Spec((-(-_split(x.shape, axis)[0] // rows), *kept), dtype or x.dtype)

    define_op(
        f"{name}_chunks",
        inputs="x",
        infer=infer,
        kernel=C(name, i=lambda specs, attrs: (_mask(attrs["axis"]), 1)),
        grad=None,
        kind="reduce",
        traits={"folds": lambda spec, attrs: (_chunk_rows(spec.shape, attrs["axis"]), attrs["axis"][-1] + 1)},
    )
    return f"{name}_chunks"


def _define(
    name: str,
    *,
    dtype: str | None,
    grad: Any,
    host: Callable,
    saves: str = "",
    empty: bool = True,
    rest: str | None = None,
) -> Any:
    """A reduction op with attributes axis (sorted tuple) and keepdims; `empty` says whether it is defined for no
    elements (else the attribute `empty` may allow it), `rest` which op reduces the results of chunks, where it is not
    the op itself. A mean is a sum that is divided at the end."""
    first = "sum_chunks" if name == "mean" else _define_chunks(name, dtype)

    def infer(x: Spec, axis: tuple[int, ...], keepdims: bool, **more: bool) -> Spec:
        out = reduced_shape(x.shape, axis, keepdims)
        nothing = 0 in [x.shape[a] for a in axis] and 0 not in out
        if nothing and not empty and not more.get("empty"):
            raise invalid(name, "there is no extreme of no elements", x=x, axis=axis)
        return Spec(out, dtype or x.dtype)

    return define_op(
        name,
        inputs="x",
        infer=infer,
        kernel=C(name, i=axis_bits, host=lambda x, axis, keepdims, **_: host(x, axis=axis, keepdims=keepdims)),
        grad=None if grad is None else (grad,),
        saves=saves,
        kind="reduce",
        lead=lambda specs, attrs: attrs["axis"][0] if attrs["axis"] else 0,
        traits={"in chunks": (first, rest or name, name == "mean", lambda x, at: _chunk_rows(x.shape, at["axis"]) > 0)},
    )


def _wide(fn: Callable) -> Callable:
    """A NumPy reduction that keeps the input's dtype and sums float16 in float32."""

    def run(x, axis, keepdims):
        dtype = np.float32 if x.dtype == np.float16 else x.dtype
        return fn(x, axis=axis, keepdims=keepdims, dtype=dtype)

    return run


def _extreme_grad(ctx: Any, g: Any) -> Any:
    """Shares the gradient out evenly among the elements that equal the extreme."""
    x, y = ctx.inputs[0], kept(ctx, ctx.outputs[0])
    hits = cast(equal(x, y), x.dtype)
    return hits * (kept(ctx, g) / sum_op(hits, axis=ctx.attrs["axis"], keepdims=True))


def _prod_grad(ctx: Any, g: Any) -> Any:
    """g times the product of all others: those before times those after, so that zeros need no care."""
    from .scan import exclusive_product

    x, axis = ctx.inputs[0], ctx.attrs["axis"]
    order = [k for k in range(x.ndim) if k not in axis] + list(axis)
    lines = transpose(x, order)
    moved = lines.shape
    lines = reshape(lines, (*moved[: x.ndim - len(axis)], _product(moved[x.ndim - len(axis) :])))
    last = lines.ndim - 1
    others = exclusive_product(lines, last) * exclusive_product(lines, last, reverse=True)
    others = transpose(reshape(others, moved), tuple(int(k) for k in np.argsort(order)))
    return spread(ctx, g) * others


sum_op = _define("sum", dtype=None, grad=spread, host=_wide(np.sum))
mean_op = _define(
    "mean", dtype=None, grad=lambda ctx, g: spread(ctx, g / reduced_count(ctx)), host=_wide(np.mean), rest="sum"
)
sum_square_op = _define(
    "sum_square",
    dtype=None,
    grad=lambda ctx, g: ctx.inputs[0] * spread(ctx, g * 2),
    saves="x",
    host=lambda x, **a: _wide(np.sum)(np.square(x), **a),
    rest="sum",
)
prod_op = _define("prod", dtype=None, grad=_prod_grad, saves="x", host=_wide(np.prod))
max_op = _define("max", dtype=None, grad=_extreme_grad, saves="x y", host=np.max, empty=False)
min_op = _define("min", dtype=None, grad=_extreme_grad, saves="x y", host=np.min, empty=False)
all_op = _define("all", dtype="bool", grad=None, host=np.all)
any_op = _define("any", dtype="bool", grad=None, host=np.any)
count_nonzero_op = _define("count_nonzero", dtype="int32", grad=None, host=np.count_nonzero, rest="sum")


def _define_arg(name: str, fn: Callable) -> Any:
    def infer(x: Spec, axis: int | None, keepdims: bool) -> Spec:
        axes = tuple(range(x.ndim)) if axis is None else (axis,)
        out = reduced_shape(x.shape, axes, keepdims)
        if 0 in [x.shape[a] for a in axes] and 0 not in out:
            raise invalid(name, "there is no extreme of no elements", x=x, axis=axis)
        return Spec(out, "int32")

    def bounds(specs, attrs):
        axis = attrs["axis"]
        return (0, specs[0].ndim) if axis is None else (axis, axis + 1)

    return define_op(name, inputs="x", infer=infer, kernel=C(name, i=bounds, host=fn), grad=None, kind="reduce")


argmax_op = _define_arg("argmax", np.argmax)
argmin_op = _define_arg("argmin", np.argmin)


def _moments_infer(x: Spec, axis: tuple[int, ...], keepdims: bool) -> tuple[Spec, Spec]:
    out = Spec(reduced_shape(x.shape, axis, keepdims), x.dtype)
    return out, out


def _moments_grad(ctx: Any, g_mean: Any, g_var: Any) -> Any:
    n = reduced_count(ctx)
    centred = ctx.inputs[0] - kept(ctx, ctx.outputs[0])
    return kept(ctx, g_mean / n) + centred * kept(ctx, g_var * (2 / n))


moments_op = define_op(
    "moments",
    inputs="x",
    outputs="mean var",
    infer=_moments_infer,
    kernel=C(
        "moments",
        i=axis_bits,
        host=lambda x, axis, keepdims: (fn(x, axis=axis, keepdims=keepdims) for fn in (np.mean, np.var)),
    ),
    grad=(_moments_grad,),
    saves="x mean",
    kind="reduce",
)


def moments_over(x: Any, axes: tuple[int, ...], keepdims: bool) -> tuple[Any, Any]:
    """Mean and variance of a float32 or float64 tensor over sorted axes.

    The kernel takes axes in the pattern (kept, reduced, kept, reduced); others are moved there first.
    """
    rank = len(x.shape)
    groups = 1 + builtins.sum(((k in axes) != (k - 1 in axes)) for k in range(1, rank))
    if groups > 4 or (groups == 4 and 0 in axes):
        rest = tuple(k for k in range(rank) if k not in axes)
        mean, var = moments_op(transpose(x, rest + axes), axis=tuple(range(len(rest), rank)), keepdims=False)
        return (expand_dims(mean, axes), expand_dims(var, axes)) if keepdims else (mean, var)
    return moments_op(x, axis=axes, keepdims=keepdims)
