"""Reductions, running sums, softmax and its relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.dtype import FLOATS
from ..family import Step
from ..writer import Writer
from .table import lowering

_REDUCE = {
    "sum": "ReduceSum", "mean": "ReduceMean", "sum_square": "ReduceSumSquare", "prod": "ReduceProd",
    "max": "ReduceMax", "min": "ReduceMin",
}  # fmt: skip

# What the runtimes reduce; other integers go by way of int64.
_REDUCED = {*FLOATS, "int32", "int64"}


def reduced(w: Writer, kind: str, x: str, axes: Any, keepdims: bool) -> str:
    """A reduction over axes; over none, each element by itself."""
    return w.op(kind, x, w.ints(*axes), keepdims=int(keepdims), noop_with_empty_axes=1)


@lowering(*_REDUCE)
def _reduce(w: Writer, step: Step) -> str:
    x, axes, keepdims = step.inputs[0], step["axis"], step["keepdims"]
    name = w.name(x)
    if not axes:
        return w.op("Mul", name, name) if step.op == "sum_square" else name
    # Sums of int32 wrap around, here; in a runtime they may stop at the limit.
    narrow = x.dtype not in _REDUCED or (x.dtype == "int32" and step.op not in ("max", "min"))
    if narrow:
        name = w.cast(name, "int64")
    y = reduced(w, _REDUCE[step.op], name, axes, keepdims)
    return w.cast(y, x.dtype) if narrow else y


@lowering("all", "any", "count_nonzero")
def _logic(w: Writer, step: Step) -> str:
    x, axes = step.inputs[0], step["axis"]
    name = w.name(x)
    if x.dtype != "bool":
        name = w.op("Not", w.op("Equal", name, w.scalar(0, x)))
    y = w.cast(name, "int32")
    if axes:
        kind = {"all": "ReduceMin", "any": "ReduceMax", "count_nonzero": "ReduceSum"}[step.op]
        y = reduced(w, kind, y, axes, step["keepdims"])
    if step.op == "any":
        return w.op("Greater", y, w.const(0, "int32"))  # the maximum of nothing is below 0
    return y if step.op == "count_nonzero" else w.cast(y, "bool")


@lowering("argmax", "argmin")
def _extreme_place(w: Writer, step: Step) -> str:
    x, axis, keepdims = step.inputs[0], step["axis"], step["keepdims"]
    name = w.name(x)
    if x.dtype not in _REDUCED:
        name = w.cast(name, "int32")
    if axis is None:
        name = w.op("Reshape", name, w.ints(-1))
    y = w.op(
        "ArgMax" if step.op == "argmax" else "ArgMin", name, axis=axis or 0, keepdims=int(keepdims and axis is not None)
    )
    if axis is None and keepdims:
        y = w.reshape(y, (1,) * x.ndim)
    return w.cast(y, step.outputs[0].dtype)


@lowering("moments")
def _moments(w: Writer, step: Step) -> tuple[str, str]:
    x, axes, keepdims = w.name(step.inputs[0]), step["axis"], step["keepdims"]
    mean = reduced(w, "ReduceMean", x, axes, True)
    gap = w.op("Sub", x, mean)
    var = reduced(w, "ReduceMean", w.op("Mul", gap, gap), axes, keepdims)
    return (mean if keepdims else w.squeeze(mean, *axes)), var


@lowering("cumsum")
def _cumsum(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    name = w.name(x)
    narrow = x.dtype not in _REDUCED
    y = w.op(
        "CumSum",
        w.cast(name, "int64") if narrow else name,
        w.const(np.int64(step["axis"])),
        reverse=int(step["reverse"]),
    )
    return w.cast(y, x.dtype) if narrow else y


@lowering("cumprod", "linear_scan")
def _scan(w: Writer, step: Step) -> str:
    """s_k = b_k + a_k s_{k-1}, or in reverse b_k + a_{k+1} s_{k+1}; a running product is that with b = 0 after the
    first. The steps are written out, so their number must be fixed."""
    axis, reverse = step["axis"], step["reverse"]
    n = step.fixed(step.inputs[0], axis)
    if n == 0:
        return w.name(step.inputs[-1])
    parts = [_rows(w, w.name(r), axis, n) for r in step.inputs]
    a, order = parts[0], list(range(n))[:: -1 if reverse else 1]
    out: list[str] = [""] * n
    for j, k in enumerate(order):
        if j == 0:
            out[k] = parts[-1][k]
        elif step.op == "cumprod":
            out[k] = w.op("Mul", out[order[j - 1]], a[k])
        else:
            out[k] = w.op("Add", parts[1][k], w.op("Mul", a[k + 1 if reverse else k], out[order[j - 1]]))
    return w.op("Concat", *out, axis=axis)


def _rows(w: Writer, x: str, axis: int, n: int) -> list[str]:
    if n == 1:
        return [x]
    return w.op("Split", x, w.ints(*[1] * n), outputs=n, axis=axis)


def softmax_over(w: Writer, x: str, axes: tuple[int, ...]) -> str:
    """Over one axis or several."""
    if len(axes) == 1:
        return w.op("Softmax", x, axis=axes[0])
    e = w.op("Exp", w.op("Sub", x, reduced(w, "ReduceMax", x, axes, True)))
    return w.op("Div", e, reduced(w, "ReduceSum", e, axes, True))


@lowering("softmax", "log_softmax")
def _softmax(w: Writer, step: Step) -> str:
    x, axes = w.name(step.inputs[0]), tuple(range(step["start"], step["stop"]))
    if step.op == "softmax":
        return softmax_over(w, x, axes)
    if len(axes) == 1:
        return w.op("LogSoftmax", x, axis=axes[0])
    return w.op("Sub", x, logsumexp_over(w, x, axes, True))


def logsumexp_over(w: Writer, x: str, axes: tuple[int, ...], keepdims: bool) -> str:
    """max + log(sum(exp(x - max))); rows of -inf give -inf."""
    top = reduced(w, "ReduceMax", x, axes, True)
    zero = w.op("Mul", w.cast(w.op("IsInf", top), "float32"), w.const(np.float32(0)))
    safe = w.op("Where", w.op("IsInf", top), w.op("CastLike", zero, top), top)
    total = reduced(w, "ReduceSum", w.op("Exp", w.op("Sub", x, safe)), axes, True)
    y = w.op("Add", w.op("Log", total), safe)
    return y if keepdims else w.squeeze(y, *axes)


@lowering("logsumexp")
def _logsumexp(w: Writer, step: Step) -> str:
    return logsumexp_over(w, w.name(step.inputs[0]), tuple(range(step["start"], step["stop"])), step["keepdims"])
