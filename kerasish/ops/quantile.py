"""Quantiles, percentiles and medians, with and without NaN."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import Tensor, as_input, to_tensor
from .axes import some_axes
from .cast import cast
from .reductions import reduced_shape

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


class _Places:
    """Where the quantiles of every line lie in its sorted order, as positions in the line itself.

    A line is what is left of x along the reduced axes. low, high: (lines, quantiles), the two elements between which
    the quantile lies; weight: that of the high one; missing: lines whose quantile is NaN.
    """

    def __init__(self, x: np.ndarray, q: np.ndarray, axis: tuple[int, ...], method: str, skip: bool):
        self.axis, self.shape, self.q_shape = axis, x.shape, q.shape
        self.rest = tuple(k for k in range(x.ndim) if k not in axis)
        lines = self.lines(x)
        n = lines.shape[1]
        order = np.argsort(lines, axis=1, kind="stable")  # NaN comes last
        absent = np.isnan(lines).sum(axis=1)
        count = n - absent if skip else np.full(len(lines), n)
        self.missing = count == 0 if skip else absent > 0
        position = np.multiply.outer(np.maximum(count, 1) - 1, q.reshape(-1).astype(np.float64))
        if method == "nearest":
            position = np.rint(position)
        low, high = np.floor(position).astype(np.int64), np.ceil(position).astype(np.int64)
        if method == "lower":
            high = low
        elif method == "higher":
            low = high
        self.weight = np.where(low == high, 0.0, 0.5) if method == "midpoint" else position - low
        if method in ("lower", "higher"):
            self.weight = np.zeros_like(position)
        self.low, self.high = np.take_along_axis(order, low, 1), np.take_along_axis(order, high, 1)

    def lines(self, x: np.ndarray) -> np.ndarray:
        """x as (lines, elements)."""
        moved = x.transpose((*self.rest, *self.axis))
        return moved.reshape(prod(self.shape[k] for k in self.rest), prod(self.shape[k] for k in self.axis))

    def result(self, values: np.ndarray) -> np.ndarray:
        """(lines, quantiles) as the op's output without kept dimensions: the quantiles come first."""
        return np.moveaxis(values, 1, 0).reshape((*self.q_shape, *(self.shape[k] for k in self.rest)))


def _pick(x: np.ndarray, q: np.ndarray, h: np.ndarray, axis, method, skip, keepdims) -> np.ndarray:
    """The elements of h (shaped like x) that stand where x's quantiles stand, interpolated."""
    p = _Places(x, q, axis, method, skip)
    lines = p.lines(h)
    low, high = np.take_along_axis(lines, p.low, 1), np.take_along_axis(lines, p.high, 1)
    # Not low + (high - low) * weight: two infinities would give NaN where one of them is the answer.
    mixed = low * (1 - p.weight) + high * p.weight
    values = np.where(p.weight == 0, low, mixed)
    values[p.missing] = np.nan
    out = p.result(values)
    return out.reshape(p.q_shape + reduced_shape(x.shape, axis, keepdims))


def _spread(x: np.ndarray, q: np.ndarray, g: np.ndarray, axis, method, skip, keepdims) -> np.ndarray:
    """The transpose of `_pick`: each quantile's gradient goes to the elements it came from."""
    p = _Places(x, q, axis, method, skip)
    g = np.moveaxis(g.reshape(prod(p.q_shape), len(p.low)), 0, 1)
    out = np.zeros((len(p.low), prod(p.shape[k] for k in axis)), g.dtype)
    line = np.arange(len(out))[:, None]
    np.add.at(out, (line, p.low), g * (1 - p.weight))
    np.add.at(out, (line, p.high), g * p.weight)
    moved = out.reshape([p.shape[k] for k in (*p.rest, *axis)])
    return moved.transpose(tuple(int(k) for k in np.argsort((*p.rest, *axis))))


def _infer(x: Spec, q: Spec, axis: tuple[int, ...], method: str, skip: bool, keepdims: bool) -> Spec:
    out = reduced_shape(x.shape, axis, keepdims)
    if 0 in [x.shape[a] for a in axis]:
        raise invalid("quantile", "there is no quantile of no elements", x=x, axis=axis)
    return Spec(q.shape + out, x.dtype)


quantile_op = define_op(
    "quantile",
    inputs="x q",
    infer=_infer,
    kernel=Host(lambda x, q, **attrs: _pick(x, q, x, **attrs)),
    grad=(lambda ctx, g: quantile_spread_op(*ctx.inputs, g, **ctx.attrs), None),
    saves="x q",
)
# Where the quantiles stand does not change under small changes of x, so the gradients are linear in g and h.
quantile_spread_op = define_op(
    "quantile_spread",
    inputs="x q g",
    infer=lambda x, q, g, **attrs: x,
    kernel=Host(_spread),
    grad=(None, None, lambda ctx, h: quantile_pick_op(*ctx.inputs[:2], h, **ctx.attrs)),
    saves="x q",
)
quantile_pick_op = define_op(
    "quantile_pick",
    inputs="x q h",
    infer=lambda x, q, h, **attrs: _infer(x, q, **attrs),
    kernel=Host(_pick),
    grad=(None, None, lambda ctx, g: quantile_spread_op(*ctx.inputs[:2], g, **ctx.attrs)),
    saves="x q",
)


def _quantile(where: str, x: Any, q: Any, axis: Any, method: str, keepdims: bool, skip: bool, scale: float = 1) -> Any:
    x = as_input(x)
    if method not in METHODS:
        raise invalid(where, f"method is one of {', '.join(METHODS)}", method=method)
    if not isinstance(q, (Tensor, Symbol)) and not hasattr(q, "read"):
        q = np.asarray(q, np.float64)  # before any rounding to floatx
        if q.size and not (np.min(q) >= 0 and np.max(q) <= scale):
            raise invalid(where, f"q lies in [0, {scale:g}]", q=q.tolist())
        q = to_tensor(q / scale)
    else:
        q = cast(q, "float64") / scale
    if len(q.shape) > 1:
        raise invalid(where, "q is a scalar or a vector", q=q)
    axes = tuple(sorted(some_axes(where, axis, len(x.shape))))
    x = x if x.dtype in FLOATS else cast(x, result_type(x.dtype, float))
    return quantile_op(x, q, axis=axes, method=method, skip=skip, keepdims=bool(keepdims))


def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The value below which a share q of the elements lies, over the given axes.

    Args:
        x: a tensor; integers are taken as floats.
        q: a number in [0, 1], or several, which become the first axis of the result.
        axis: an axis, several, or None for all.
        method: what to take between two elements: linear, lower, higher, midpoint or nearest.
        keepdims: keep the reduced axes as dimensions of length 1.

    Returns:
        A tensor; NaN where there is one among the elements.

    Raises:
        ValueError: for q outside [0, 1], an unknown method, or no elements.

    >>> import kerasish as keras
    >>> keras.ops.quantile([1.0, 2.0, 3.0, 5.0], [0.5, 1.0]).numpy()
    array([2.5, 5. ], dtype=float32)
    """
    return _quantile("quantile", x, q, axis, method, keepdims, skip=False)


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanquantile([1.0, float("nan"), 3.0], 0.5))
    2.0
    """
    return _quantile("nanquantile", x, q, axis, method, keepdims, skip=True)


def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`quantile` with q in percent, from 0 to 100.

    >>> import kerasish as keras
    >>> float(keras.ops.percentile([1.0, 2.0, 3.0, 5.0], 50))
    2.5
    """
    return _quantile("percentile", x, q, axis, method, keepdims, skip=False, scale=100)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`percentile` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanpercentile([1.0, float("nan"), 3.0], 100))
    3.0
    """
    return _quantile("nanpercentile", x, q, axis, method, keepdims, skip=True, scale=100)


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element over the given axes, or the mean of the two middle ones; NaN where there is one.

    >>> import kerasish as keras
    >>> float(keras.ops.median([7, 1, 3, 5]))
    4.0
    """
    return _quantile("median", x, 0.5, axis, "linear", keepdims, skip=False)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """`median` of the elements that are not NaN; NaN where there is none.

    >>> import kerasish as keras
    >>> float(keras.ops.nanmedian([7.0, 1.0, float("nan"), 3.0]))
    3.0
    """
    return _quantile("nanmedian", x, 0.5, axis, "linear", keepdims, skip=True)
