"""Reductions: sums, means, extremes, logic and their positions over any set of axes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from math import prod as _product
from typing import Any

import numpy as np

from .._core import core
from ..engine.dtype import FLOATS, result_type, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import one_axis, some_axes
from .cast import cast
from .compare import equal
from .math import maximum, minimum, sqrt
from .shape import broadcast_to, expand_dims, reshape, transpose

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "max", "mean", "min", "prod", "ptp",
    "std", "sum", "var",
]  # fmt: skip


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
    rows = core.reduce_chunk(reduced, kept)
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


def _axes(where: str, x: Any, axis: Any) -> tuple[int, ...]:
    return tuple(sorted(some_axes(where, axis, len(x.shape))))


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over the given axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.

    Returns:
        A tensor of x's dtype; bool and integers narrower than 32 bits become int32 (unsigned ones uint32).
        The order of the additions depends on the shape alone; blocks are added pairwise.

    >>> import kerasish as keras
    >>> keras.ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).numpy()
    array([4., 6.], dtype=float32)
    """
    x = as_input(x)
    axes = _axes("sum", x, axis)
    if x.dtype == "bool":
        return count_nonzero_op(x, axis=axes, keepdims=bool(keepdims))
    return sum_op(cast(x, _sum_dtype(x.dtype)), axis=axes, keepdims=bool(keepdims))


def _sum_dtype(dtype: str) -> str:
    if dtype in ("bool", "int8", "int16"):
        return "int32"
    return "uint32" if dtype in ("uint8", "uint16") else dtype


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Arithmetic mean over the given axes.

    Args:
        x: a tensor; integers and bool are averaged in float32.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.

    >>> import kerasish as keras
    >>> float(keras.ops.mean([1, 2, 4, 5]))
    3.0
    """
    x = as_input(x)
    if x.dtype not in FLOATS:
        x = cast(x, result_type(x.dtype, "float32"))
    return mean_op(x, axis=_axes("mean", x, axis), keepdims=bool(keepdims))


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Product over the given axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        dtype: dtype of the result; by default as for `sum`.

    >>> import kerasish as keras
    >>> int(keras.ops.prod([2, 3, 4]))
    24
    """
    x = as_input(x)
    x = cast(x, _sum_dtype(x.dtype) if dtype is None else standardize_dtype(dtype))
    return prod_op(x, axis=_axes("prod", x, axis), keepdims=bool(keepdims))


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Largest element over the given axes; NaN where there is one.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        initial: a lower bound of the result; needed where there are no elements.

    Raises:
        ValueError: where there are no elements and no `initial`.

    >>> import kerasish as keras
    >>> keras.ops.max([[1, 5], [3, 2]], axis=1).numpy()
    array([5, 3], dtype=int32)
    """
    return _extreme("max", max_op, maximum, x, axis, keepdims, initial)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Smallest element over the given axes; NaN where there is one.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        initial: an upper bound of the result; needed where there are no elements.

    Raises:
        ValueError: where there are no elements and no `initial`.

    >>> import kerasish as keras
    >>> keras.ops.min([[1, 5], [3, 2]], axis=1).numpy()
    array([1, 2], dtype=int32)
    """
    return _extreme("min", min_op, minimum, x, axis, keepdims, initial)


def _extreme(where: str, op: Any, binary: Callable, x: Any, axis: Any, keepdims: bool, initial: Any) -> Any:
    x = as_input(x)
    axes = _axes(where, x, axis)
    if initial is None:
        return op(x, axis=axes, keepdims=bool(keepdims))
    # The kernels start from the type's own bound, which `initial` then replaces.
    found = op(x, axis=axes, keepdims=bool(keepdims), empty=True)
    return binary(found, initial)


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element over the given axes: `max` without `initial`.

    >>> import kerasish as keras
    >>> int(keras.ops.amax([[1, 5], [3, 2]]))
    5
    """
    return max(x, axis, keepdims)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element over the given axes: `min` without `initial`.

    >>> import kerasish as keras
    >>> int(keras.ops.amin([[1, 5], [3, 2]]))
    1
    """
    return min(x, axis, keepdims)


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest minus smallest element over the given axes.

    >>> import kerasish as keras
    >>> int(keras.ops.ptp([3, 9, 5]))
    6
    """
    x = as_input(x)
    if x.dtype == "bool":
        raise invalid("ptp", "bool has no difference; cast to an integer dtype", kind=TypeError, x=x)
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether every element over the given axes is true (not zero).

    >>> import kerasish as keras
    >>> keras.ops.all([[True, False], [True, True]], axis=1).numpy()
    array([False,  True])
    """
    x = as_input(x)
    return all_op(x, axis=_axes("all", x, axis), keepdims=bool(keepdims))


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether some element over the given axes is true (not zero).

    >>> import kerasish as keras
    >>> keras.ops.any([[True, False], [False, False]], axis=1).numpy()
    array([ True, False])
    """
    x = as_input(x)
    return any_op(x, axis=_axes("any", x, axis), keepdims=bool(keepdims))


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements over the given axes are not zero, as int32.

    >>> import kerasish as keras
    >>> int(keras.ops.count_nonzero([[0, 1], [2, 3]]))
    3
    """
    x = as_input(x)
    return count_nonzero_op(x, axis=_axes("count_nonzero", x, axis), keepdims=False)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the largest element along an axis, as int32; the first one, and a NaN counts as largest.

    Args:
        x: a tensor.
        axis: the axis; None takes x as one line.
        keepdims: keep the axis as a dimension of length 1.

    Raises:
        ValueError: where there are no elements.

    >>> import kerasish as keras
    >>> keras.ops.argmax([[1, 5, 5], [3, 2, 1]], axis=1).numpy()
    array([1, 0], dtype=int32)
    """
    return _arg("argmax", argmax_op, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Position of the smallest element along an axis, as int32; the first one, and a NaN counts as smallest.

    >>> import kerasish as keras
    >>> int(keras.ops.argmin([[4, 5], [3, 2]]))
    3
    """
    return _arg("argmin", argmin_op, x, axis, keepdims)


def _arg(where: str, op: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = as_input(x)
    return op(x, axis=None if axis is None else one_axis(where, axis, len(x.shape)), keepdims=bool(keepdims))


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Weighted average over the given axes.

    Args:
        x: a tensor.
        axis: an axis, several, or None for all.
        weights: weights of x's shape, or a vector along the one `axis`; None weighs all alike.

    Raises:
        ValueError: for weights of another shape.

    >>> import kerasish as keras
    >>> float(keras.ops.average([1.0, 2.0, 4.0], weights=[1.0, 1.0, 2.0]))
    2.75
    """
    x = as_input(x)
    axes = _axes("average", x, axis)
    if weights is None:
        return mean(x, axis)
    weights = as_input(weights)
    dtype = result_type(x.dtype, weights.dtype, float)
    x, weights = cast(x, dtype), cast(weights, dtype)
    rank, known = len(x.shape), len(weights.shape)
    if known == 1 and len(axes) == 1:
        pairs = [(weights.shape[0], x.shape[axes[0]])]
        total = sum(weights)
        spare = tuple(k for k in range(rank) if k != axes[0])
        weights = expand_dims(weights, spare) if spare else weights
    elif known == rank:
        pairs = list(zip(weights.shape, x.shape))
        total = sum(weights, axis)
    else:
        pairs = [(0, 1)]
    if builtins.any(a != b for a, b in pairs if a is not None and b is not None):
        raise invalid(
            "average", "weights have the shape of x, or are a vector along one axis", weights=weights, x=x, axis=axis
        )
    return sum(x * weights, axis) / total


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Variance over the given axes, divided by the number of elements.

    Computed from differences to the mean, block by block, so that a large mean costs no accuracy.

    >>> import kerasish as keras
    >>> float(keras.ops.var([1.0, 3.0, 5.0, 7.0]))
    5.0
    """
    return _var("var", x, axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Standard deviation over the given axes: the square root of `var`.

    >>> import kerasish as keras
    >>> float(keras.ops.std([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]))
    2.0
    """
    return sqrt(_var("std", x, axis, keepdims))


def _var(where: str, x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_input(x)
    out = result_type(x.dtype, float)
    x = cast(x, result_type(x.dtype, "float32"))
    return cast(moments_over(x, _axes(where, x, axis), bool(keepdims))[1], out)
