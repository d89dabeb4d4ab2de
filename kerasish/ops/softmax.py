"""Softmax and its relatives: log-softmax, log-sum-exp, sparsemax."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import one_axis, some_axes
from .cast import cast
from .compare import where
from .creation import ones_like
from .elementary import exp
from .math import maximum
from .reductions import reduced_shape, sum_op
from .repeat import flip
from .scan import cumsum
from .shape import expand_dims, reshape, transpose
from .sort import sort

__all__ = ["log_softmax", "logsumexp", "softmax", "sparsemax"]


def _i(specs: tuple[Spec, ...], attrs: dict) -> tuple[int, int]:
    return attrs["start"], attrs["stop"]


def _sum(x: Any, ctx: Any) -> Any:
    """Sum over the axes that the op normalises, kept as dimensions of length 1."""
    return sum_op(x, axis=tuple(range(ctx.attrs["start"], ctx.attrs["stop"])), keepdims=True)


def _half(fn: Callable) -> Callable:
    """Host kernel for float16: fn(*float32 arrays, axes)."""

    def run(*arrays, start, stop, keepdims=None):
        out = fn(*[a.astype(np.float32) for a in arrays], tuple(range(start, stop)))
        return out if keepdims in (None, True) else np.squeeze(out, tuple(range(start, stop)))

    return run


def _np_logsumexp(x, axes):
    shift = np.max(x, axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(shift), shift, 0)
    return shift + np.log(np.sum(np.exp(x - shift), axes, keepdims=True))


def _np_log_softmax(x, axes):
    x = x - np.max(x, axes, keepdims=True)
    return x - np.log(np.sum(np.exp(x), axes, keepdims=True))


def _softmax_grad_grad(ctx: Any, h: Any) -> tuple:
    y, g = ctx.inputs
    at = {"start": ctx.attrs["start"], "stop": ctx.attrs["stop"]}
    dy = h * (g - _sum(g * y, ctx)) - g * _sum(h * y, ctx) if ctx.needs[0] else None
    return dy, softmax_grad_op(y, h, **at)


def _log_softmax_grad_grad(ctx: Any, h: Any) -> tuple:
    y, g = ctx.inputs
    p = exp(y)
    return -h * p * _sum(g, ctx) if ctx.needs[0] else None, h - _sum(h * p, ctx)


def _lead(specs: tuple[Spec, ...], attrs: dict) -> int:
    """The dimensions before the classes: each of their elements is a problem of its own."""
    return attrs["start"]


softmax_op = define_op(
    "softmax",
    inputs="x",
    infer=lambda x, start, stop: x,
    kernel=C("softmax", i=_i, host=_half(lambda x, axes: np.exp(_np_log_softmax(x, axes)))),
    grad=(lambda ctx, g: softmax_grad_op(ctx.outputs[0], g, **ctx.attrs),),
    saves="y",
    inplace=((0, 0),),
    lead=_lead,
)
softmax_grad_op = define_op(
    "softmax_grad",
    inputs="y g",
    outputs="dx",
    infer=lambda y, g, start, stop: g,
    kernel=C("softmax_grad", i=_i, host=_half(lambda y, g, axes: y * (g - np.sum(g * y, axes, keepdims=True)))),
    grad=_softmax_grad_grad,
    saves="y g",
    inplace=((0, 0), (1, 0)),
    lead=_lead,
)
log_softmax_op = define_op(
    "log_softmax",
    inputs="x",
    infer=lambda x, start, stop: x,
    kernel=C("log_softmax", i=_i, host=_half(_np_log_softmax)),
    grad=(lambda ctx, g: log_softmax_grad_op(ctx.outputs[0], g, **ctx.attrs),),
    saves="y",
    inplace=((0, 0),),
    lead=_lead,
)
log_softmax_grad_op = define_op(
    "log_softmax_grad",
    inputs="y g",
    outputs="dx",
    infer=lambda y, g, start, stop: g,
    kernel=C("log_softmax_grad", i=_i, host=_half(lambda y, g, axes: g - np.exp(y) * np.sum(g, axes, keepdims=True))),
    grad=_log_softmax_grad_grad,
    saves="y g",
    inplace=((0, 0), (1, 0)),
    lead=_lead,
)


def _logsumexp_grad(ctx: Any, g: Any) -> Any:
    start, stop = ctx.attrs["start"], ctx.attrs["stop"]
    g = reshape(g, reduced_shape(ctx.specs[0].shape, tuple(range(start, stop)), True))
    return softmax_op(ctx.inputs[0], start=start, stop=stop) * g


logsumexp_op = define_op(
    "logsumexp",
    inputs="x",
    infer=lambda x, start, stop, keepdims: Spec(reduced_shape(x.shape, tuple(range(start, stop)), keepdims), x.dtype),
    kernel=C("logsumexp", i=_i, host=_half(_np_logsumexp)),
    grad=(_logsumexp_grad,),
    saves="x",
    kind="reduce",
    lead=_lead,
)


def _floating(name: str, x: Any) -> Any:
    x = as_input(x)
    if x.dtype == "bool":
        raise invalid(name, "x is a numeric tensor", kind=TypeError, x=x, dtype=x.dtype)
    return x if x.dtype in FLOATS else cast(x, result_type(x.dtype, float))


def _over(name: str, x: Any, axis: Any) -> tuple[Any, int, int, tuple[int, ...] | None]:
    """x with the axes next to each other, name they start and stop, and the transposition that led there (or None)."""
    rank = len(x.shape)
    axes = sorted(some_axes(name, axis, rank))
    if not axes:
        return x, 0, 0, None
    if axes[-1] - axes[0] == len(axes) - 1:
        return x, axes[0], axes[-1] + 1, None
    order = (*(k for k in range(rank) if k not in axes), *axes)
    return transpose(x, order), rank - len(axes), rank, order


def _normalised(name: str, op: Any, x: Any, axis: Any) -> Any:
    x = _floating(name, x)
    x, start, stop, order = _over(name, x, axis)
    y = op(x, start=start, stop=stop)
    return y if order is None else transpose(y, tuple(int(k) for k in np.argsort(order)))


def softmax(x: Any, axis: Any = -1) -> Any:
    """exp(x) / sum(exp(x)), computed with the maximum subtracted.

    Args:
        x: a tensor; integers are taken as floats.
        axis: the axis, or axes, that the results sum to 1 over.

    Returns:
        A tensor of x's shape. A line that holds NaN or +inf, or nothing but -inf, is NaN.

    Warns:
        UserWarning: where the axis has length 1, so that every result is 1.

    >>> import kerasish as keras
    >>> keras.ops.softmax([0.0, 0.0, 0.0, 0.0]).numpy()
    array([0.25, 0.25, 0.25, 0.25], dtype=float32)
    """
    x = as_input(x)
    rank = len(x.shape)
    if rank and isinstance(axis, int) and -rank <= axis < rank and x.shape[axis] == 1:
        warnings.warn(
            f"softmax: axis {axis} of a tensor of shape {tuple(x.shape)} has length 1, so that every result is 1. "
            "Was sigmoid meant?",
            stacklevel=2,
        )
    return _normalised("softmax", softmax_op, x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """x - max(x) - log(sum(exp(x - max(x)))): the logarithm of `softmax`.

    Args:
        x: a tensor; integers are taken as floats.
        axis: the axis, or axes, to normalise over.

    >>> import kerasish as keras
    >>> keras.ops.log_softmax([1000.0, 0.0]).numpy()
    array([    0., -1000.], dtype=float32)
    """
    return _normalised("log_softmax", log_softmax_op, x, axis)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over the given axes, without overflow.

    Args:
        x: a tensor; integers are taken as floats.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.

    >>> import kerasish as keras
    >>> round(float(keras.ops.logsumexp([1000.0, 1000.0])), 3)
    1000.693
    """
    x = as_input(x)
    x = cast(x, "float32") if x.dtype == "bool" else _floating("logsumexp", x)
    shape = x.shape
    axes = tuple(some_axes("logsumexp", axis, len(shape)))
    x, start, stop, order = _over("logsumexp", x, axes)
    if order is None:
        return logsumexp_op(x, start=start, stop=stop, keepdims=bool(keepdims))
    y = logsumexp_op(x, start=start, stop=stop, keepdims=False)
    return expand_dims(y, tuple(sorted(axes))) if keepdims else y


def sparsemax(x: Any, axis: int = -1) -> Any:
    """max(x - t, 0), a relative of softmax that gives exact zeros (A. Martins, R. Astudillo, 2016).

    With z the sorted values, largest first, c_j = z_1 + ... + z_j, and k the last j for which z_j > (c_j - 1) / j, the
    threshold is Keras's, t = (c_1 + ... + c_k - 1) / k. The paper's is (c_k - 1) / k; the two agree where k is 1, and
    otherwise Keras's results sum to less than 1.

    >>> import kerasish as keras
    >>> keras.ops.sparsemax([-1.0, 0.0, 1.0]).numpy()
    array([0., 0., 1.], dtype=float32)
    """
    x = _floating("sparsemax", x)
    axis = one_axis("sparsemax", axis, len(x.shape))
    if x.shape[axis] == 0:
        raise invalid("sparsemax", "the axis has at least one element", x=x, axis=axis)
    ranked = flip(sort(x, axis), axis)
    summed = cumsum(ranked, axis)
    support = ranked > (summed - 1) / cumsum(ones_like(x), axis)
    size = sum_op(cast(support, x.dtype), axis=(axis,), keepdims=True)
    threshold = (sum_op(where(support, summed, 0.0), axis=(axis,), keepdims=True) - 1) / size
    return maximum(x - threshold, 0.0)
