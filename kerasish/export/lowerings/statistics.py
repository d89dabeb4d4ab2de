"""Quantiles, segments and diagonals."""

from __future__ import annotations

import numpy as np

from ...ops.segment import _start
from ..family import Step
from ..writer import Writer
from .elementwise import wide
from .reduce import reduced
from .table import lowering

_SEGMENT = {"segment_sum": "add", "segment_prod": "mul", "segment_max": "max", "segment_min": "min"}


@lowering(*_SEGMENT)
def _segment(w: Writer, step: Step) -> str:
    """Rows are scattered onto what an empty segment holds; those that belong to none, onto a row that is cut off."""
    data, ids = step.inputs
    n, held = step["num_segments"], wide(data.dtype)
    rows = w.name(data) if held == data.dtype else w.cast(w.name(data), held)
    at, last = w.cast(w.name(ids), "int64"), w.const(np.int64(n))
    inside = w.op("And", w.op("GreaterOrEqual", at, w.const(np.int64(0))), w.op("Less", at, last))
    at = w.unsqueeze(w.op("Where", inside, at, last), 1)
    empty = w.op("Expand", w.const(_start(step.op, np.dtype(data.dtype)), held), w.shape((n + 1, *data.shape[1:])))
    y = w.slice(w.op("ScatterND", empty, at, rows, reduction=_SEGMENT[step.op]), 0, 0, n)
    return y if held == data.dtype else w.cast(y, data.dtype)


@lowering("quantile")
def _quantile(w: Writer, step: Step) -> str:
    """Between two elements of each sorted line. NaN comes last in the line; a line is counted without it (`skip`), or
    has no quantile."""
    x, q = step.inputs
    axes, method, skip = step["axis"], step["method"], step["skip"]
    rest = [k for k in range(x.ndim) if k not in axes]
    axis, n = len(rest), int(np.prod([step.fixed(x, k) for k in axes]))
    lines = w.reshape(w.transpose(w.name(x), (*rest, *axes)), (*(x.shape[k] for k in rest), n))
    missing = w.op("IsNaN", lines)
    absent = reduced(w, "ReduceSum", w.cast(missing, "float64"), (axis,), True)
    lines = w.op("Where", missing, w.scalar(np.inf, x), lines)
    lines, _ = w.op("TopK", lines, w.ints(n), outputs=2, axis=axis, largest=0, sorted=1)

    given = int(np.prod([step.fixed(q, k) for k in range(q.ndim)]))
    position = w.reshape(w.cast(w.name(q), "float64"), (given,))
    last, none = w.const(n - 1.0, "float64"), w.const(0.0, "float64")
    position = w.op("Mul", position, w.op("Max", w.op("Sub", last, absent), none) if skip else last)
    position = w.op("Round", position) if method == "nearest" else position
    low, high = w.op("Floor", position), w.op("Ceil", position)
    pick = "GatherElements" if skip else "Gather"  # places of each line, or of all
    ends = [w.op(pick, lines, w.cast(p, "int64"), axis=axis) for p in (low, high)]
    if method in ("lower", "higher"):
        y = ends[method == "higher"]
    else:
        weight = w.op("Sub", position, low)
        if method == "midpoint":
            weight = w.op("Mul", w.op("Ceil", weight), w.const(0.5, "float64"))
        weight = w.cast(weight, x.dtype)
        mixed = [w.op("Mul", ends[0], w.op("Sub", w.scalar(1, x), weight)), w.op("Mul", ends[1], weight)]
        # Not their sum where it is all of one: 0 times an infinity is NaN.
        y = w.op("Where", w.op("Equal", weight, w.scalar(0, x)), ends[0], w.op("Add", *mixed))
    nothing = w.op("Greater", absent, w.const(n - 1.0 if skip else 0.0, "float64"))
    y = w.op("Where", nothing, w.scalar(np.nan, x), y)
    return w.reshape(w.transpose(y, (axis, *range(axis))), step.outputs[0].shape)


@lowering("diagonal_put")
def _diagonal_put(w: Writer, step: Step) -> str:
    """Zeros with a diagonal: each cell of the two axes picks an element, or the zero behind the last."""
    g, y = step.inputs[0], step.outputs[0]
    a, b, offset = step["axis1"] % y.ndim, step["axis2"] % y.ndim, step["offset"]
    m, n, length = y.shape[a], y.shape[b], step.fixed(g, g.ndim - 1)
    if not isinstance(m, int) or not isinstance(n, int):
        raise step.refuse("rows and columns must have a fixed size", shape=y.values[0].spec.shape)
    at = np.full((m, n), length)
    row = max(0, -offset) + np.arange(length)
    at[row, row + offset] = np.arange(length)
    zero = w.op("Expand", w.scalar(0, y), w.shape((*g.shape[:-1], 1)))
    cells = w.op("Gather", w.op("Concat", w.name(g), zero, axis=g.ndim - 1), w.const(at), axis=g.ndim - 1)
    order = [*(k for k in range(y.ndim) if k not in (a, b)), a, b]
    return w.transpose(cells, [order.index(k) for k in range(y.ndim)])
