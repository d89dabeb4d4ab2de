"""Borders around tensors, in all of Keras's modes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import FLOATS
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int
from .cast import cast
from .join import concatenate
from .math import multiply
from .reduce import max, mean, min
from .repeat import repeat
from .rounding import floor, round
from .slices import basic_slice, basic_slice_op
from .sort import sort

__all__ = ["pad"]

FULL = (None, None, None)

# Modes whose border copies elements of x: np.pad of the positions says which.
_COPYING = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric", "wrap": "wrap", "circular": "wrap"}
_STATISTICS = ("maximum", "minimum", "mean", "median")
_MODES = ("constant", "empty", *_COPYING, "linear_ramp", *_STATISTICS)


def _add(n: int | None, widths: tuple[int, int]) -> int | None:
    return None if n is None else n + sum(widths)


def _pad_infer(x: Spec, pad_width: tuple[tuple[int, int], ...], value: float | int | bool) -> Spec:
    if len(pad_width) != x.ndim:
        raise invalid("pad", f"`pad_width` needs a pair for each of {x.ndim} dimensions", x=x, pad_width=pad_width)
    return Spec(tuple(_add(n, w) for n, w in zip(x.shape, pad_width)), x.dtype)


def _pad_bits(specs, a):
    dtype, value = specs[0].dtype, a["value"]
    before = tuple(w[0] for w in a["pad_width"])
    if dtype == "float16":
        return (*before, int(np.float16(value).view("uint16")))
    if dtype in FLOATS:
        return (*before, 0)
    bits = int(np.asarray(value).astype(dtype))
    return (*before, bits - 2**64 if bits >= 2**63 else bits)


pad_op = define_op(
    "pad",
    inputs="x",
    infer=_pad_infer,
    kernel=C(
        "pad",
        i=_pad_bits,
        f=lambda specs, a: (float(a["value"]) if specs[0].dtype in FLOATS else 0.0,),
        host=lambda x, pad_width, value: np.pad(x, pad_width, constant_values=value),
    ),
    grad=(
        lambda ctx, g: basic_slice_op(
            g, key=tuple((b, b + n, None) for (b, _), n in zip(ctx.attrs["pad_width"], ctx.specs[0].shape))
        ),
    ),
)


def _border_infer(x: Spec, axis: int, widths: tuple[int, int], mode: str) -> Spec:
    n = x.shape[axis]
    if n == 0 and sum(widths):
        raise invalid("pad", f"mode {mode!r} cannot extend an axis without elements", x=x, axis=axis)
    return Spec((*x.shape[:axis], _add(n, widths), *x.shape[axis + 1 :]), x.dtype)


def _sources(n: int, widths: tuple[int, int], mode: str) -> np.ndarray:
    return np.pad(np.arange(n), widths, mode=_COPYING[mode])


def _border_grad_host(g, length, axis, widths, mode):
    rows = np.moveaxis(g, axis, 0)
    out = np.zeros((length, *rows.shape[1:]), g.dtype)
    np.add.at(out, _sources(length, widths, mode), rows)
    return np.moveaxis(out, 0, axis)


pad_border_op = define_op(
    "pad_border",  # one axis, in a mode that copies elements of x
    inputs="x",
    infer=_border_infer,
    kernel=Host(lambda x, axis, widths, mode: np.take(x, _sources(x.shape[axis], widths, mode), axis)),
    grad=(lambda ctx, g: pad_border_grad_op(g, length=ctx.specs[0].shape[ctx.attrs["axis"]], **ctx.attrs),),
)

pad_border_grad_op = define_op(
    "pad_border_grad",
    inputs="g",
    infer=lambda g, length, axis, widths, mode: Spec((*g.shape[:axis], length, *g.shape[axis + 1 :]), g.dtype),
    kernel=Host(_border_grad_host),
    grad=(lambda ctx, g: pad_border_op(g, **{k: v for k, v in ctx.attrs.items() if k != "length"}),),
)


def _widths(pad_width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """A pair for each dimension from an int, one pair, or a sequence of pairs."""
    w = pad_width
    if not isinstance(w, (tuple, list, np.ndarray)):
        w = ((w, w),)
    elif len(w) == 2 and not any(isinstance(v, (tuple, list, np.ndarray)) for v in w):
        w = (tuple(w),)
    pairs = []
    for v in w:
        v = tuple(v) if isinstance(v, (tuple, list, np.ndarray)) else (v,)
        if len(v) not in (1, 2):
            raise invalid("pad", "`pad_width` is an integer, a pair, or a pair for each dimension", pad_width=pad_width)
        pairs.append((as_int("pad", "pad_width", v[0]), as_int("pad", "pad_width", v[-1])))
    if len(pairs) == 1:
        pairs *= ndim
    if len(pairs) != ndim:
        raise invalid("pad", f"`pad_width` needs a pair for each of {ndim} dimensions", pad_width=pad_width)
    if any(v < 0 for p in pairs for v in p):
        raise invalid("pad", "`pad_width` is at least 0", pad_width=pad_width)
    return tuple(pairs)


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Puts a border around a tensor.

    Args:
        x: a tensor.
        pad_width: how many elements to add before and after, for each dimension: ((b1, a1), ...), or one pair or one
            integer for all.
        mode: "constant", "edge", "linear_ramp" (down to 0), "maximum", "mean", "median", "minimum", "reflect",
            "symmetric", "wrap", "circular" (the same) or "empty" (zeros here).
        constant_values: the border's value in mode "constant", 0 by default.

    Raises:
        ValueError: for another mode, widths that do not fit x, or `constant_values` in another mode.

    >>> import kerasish as keras
    >>> keras.ops.pad([1, 2, 3], (2, 1), mode="reflect").numpy()
    array([3, 2, 1, 2, 3, 2], dtype=int32)
    """
    x = as_input(x)
    if mode not in _MODES:
        raise invalid("pad", f"`mode` is one of {_MODES}", mode=mode)
    if constant_values is not None and mode != "constant":
        raise invalid("pad", "`constant_values` is for mode 'constant'", mode=mode, constant_values=constant_values)
    widths = _widths(pad_width, len(x.shape))
    if mode in ("constant", "empty"):
        value = 0 if constant_values is None else np.asarray(constant_values)
        if np.ndim(value):
            raise invalid("pad", "`constant_values` is one number", constant_values=constant_values)
        return pad_op(x, pad_width=widths, value=value if isinstance(value, int) else value.item())
    for axis, pair in enumerate(widths):
        if pair == (0, 0):
            continue
        if mode in _COPYING:
            x = pad_border_op(x, axis=axis, widths=pair, mode=mode)
        elif x.shape[axis] == 0:
            raise invalid("pad", f"mode {mode!r} cannot extend an axis without elements", x=x, axis=axis)
        elif mode == "linear_ramp":
            x = _joined(_ramp(x, axis, 0, pair[0]), x, _ramp(x, axis, -1, pair[1]), axis)
        else:
            value = _statistic(x, axis, mode)
            x = _joined(repeat(value, pair[0], axis), x, repeat(value, pair[1], axis), axis)
    return x


def _joined(before: Any, x: Any, after: Any, axis: int) -> Any:
    return concatenate([cast(before, x.dtype), x, cast(after, x.dtype)], axis)


def _statistic(x: Any, axis: int, mode: str) -> Any:
    """The maximum, minimum, mean or median along an axis, 1 long; those of integers are rounded, as NumPy does."""
    if mode == "median":
        n = x.shape[axis]
        if n is None:
            raise invalid("pad", "mode 'median' needs an axis of known length", x=x, axis=axis)
        ordered = sort(x, axis)
        middle = [_one(ordered, axis, k) for k in ((n - 1) // 2, n // 2)]
        value = mean(concatenate(middle, axis), axis=axis, keepdims=True)
    else:
        value = {"maximum": max, "minimum": min, "mean": mean}[mode](x, axis=axis, keepdims=True)
    return round(value) if x.dtype not in FLOATS and value.dtype in FLOATS else value


def _one(x: Any, axis: int, k: int) -> Any:
    """The elements at position k of an axis, which stays with length 1."""
    return basic_slice(x, tuple((k, k + 1 or None, None) if d == axis else FULL for d in range(len(x.shape))))


def _ramp(x: Any, axis: int, end: int, width: int) -> Any:
    """From 0 (the outer end) to just before x's element at `end`."""
    n = len(x.shape)
    edge = _one(x, axis, end)
    steps = np.arange(width) / (width or 1)
    steps = (steps if end == 0 else steps[::-1]).reshape([-1 if d == axis else 1 for d in range(n)])
    if x.dtype in FLOATS:
        return multiply(repeat(edge, width, axis), steps.astype(x.dtype))
    return floor(multiply(repeat(cast(edge, "float64"), width, axis), steps))
