"""Ops that look up, place, sort and search."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..family import Ref, Step
from ..writer import Writer
from .reduce import reduced
from .table import lowering


def _indices(w: Writer, ref: Ref) -> str:
    """Indices in the dtype that operators take."""
    return w.name(ref) if ref.dtype == "int64" else w.cast(w.name(ref), "int64")


@lowering("gather")
def _gather(w: Writer, step: Step) -> str:
    from ...ops.gather import DROP

    x, indices = step.inputs
    axis, at = step["axis"], _indices(w, indices)
    if step.get("mode", 0) != DROP:  # an index that is out of range is an error, here and in the runtime
        return w.op("Gather", w.name(x), at, axis=axis)
    n = w.squeeze(w.size(x.shape[axis]), 0)
    zero = w.const(np.int64(0))
    inside = w.op("And", w.op("GreaterOrEqual", at, zero), w.op("Less", at, n))
    y = w.op("Gather", w.name(x), w.op("Where", inside, at, zero), axis=axis)
    kept = w.unsqueeze(inside, *range(indices.ndim, indices.ndim + x.ndim - axis - 1))
    return w.op("Where", kept, y, w.scalar(0, x))


@lowering("take_along_axis")
def _take_along_axis(w: Writer, step: Step) -> str:
    x, indices = step.inputs
    return w.op("GatherElements", w.name(x), _indices(w, indices), axis=step["axis"])


@lowering("gather_nd")
def _gather_nd(w: Writer, step: Step) -> str:
    x, indices = step.inputs
    return w.op("GatherND", w.name(x), _indices(w, indices))


@lowering("scatter")
def _scatter(w: Writer, step: Step) -> str:
    indices, values = step.inputs
    y = step.outputs[0]
    zeros = w.op("Expand", w.scalar(0, y), w.shape(y.shape))
    return w.op("ScatterND", zeros, _indices(w, indices), w.name(values), reduction="add")


@lowering("scatter_set", "scatter_update")
def _scatter_update(w: Writer, step: Step) -> str:
    x, indices, updates = step.inputs
    given = step.get("reduction")
    reduction = {None: "none", "add": "add", "mul": "mul", "multiply": "mul", "max": "max", "min": "min"}.get(given)
    if reduction is None:
        raise step.refuse("there is no lowering for this reduction", reduction=given)
    return w.op("ScatterND", w.name(x), _indices(w, indices), w.name(updates), reduction=reduction)


@lowering("one_hot")
def _one_hot(w: Writer, step: Step) -> str:
    x, axis, classes = step.inputs[0], step["axis"], step["num_classes"]
    axis = axis % (x.ndim + 1)
    numbers = np.arange(classes, dtype="int64").reshape([-1 if k == axis else 1 for k in range(x.ndim + 1)])
    return w.cast(w.op("Equal", w.unsqueeze(_indices(w, x), axis), w.const(numbers)), step["dtype"])


@lowering("multi_hot")
def _multi_hot(w: Writer, step: Step) -> str:
    """Which of the classes stand along the axis of the names."""
    x, axis = step.inputs[0], step["axis"] % (step.inputs[0].ndim + 1)
    numbers = w.const(np.arange(step["num_classes"], dtype="int64"))
    hot = w.cast(w.op("Equal", w.unsqueeze(_indices(w, x), x.ndim), numbers), "int32")
    perm = [k for k in range(x.ndim)]
    perm.insert(axis, x.ndim)
    found = reduced(w, "ReduceMax", w.transpose(hot, perm), (1 if x.ndim > 1 else 0,), False)
    return w.cast(w.op("Greater", found, w.const(0, "int32")), step["dtype"])


@lowering("count_categories")
def _count_categories(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    numbers = w.const(np.arange(step["depth"], dtype="int64"))
    hits = w.op("Equal", w.unsqueeze(_indices(w, x), x.ndim), numbers)
    return w.cast(_count(w, hits, 1 if x.ndim > 1 else 0), step["dtype"])


@lowering("unravel_index")
def _unravel_index(w: Writer, step: Step) -> tuple[str, ...]:
    shape = step["shape"]
    at = _indices(w, step.inputs[0])
    at = w.op("Mod", w.op("Add", at, w.const(np.int64(np.prod(shape)))), w.const(np.int64(np.prod(shape))))
    parts = []
    for n in reversed(shape):
        parts.append(w.cast(w.op("Mod", at, w.const(np.int64(n))), step.outputs[0].dtype))
        at = w.op("Div", at, w.const(np.int64(n)))
    return tuple(parts[::-1])


@lowering("extract_sequences")
def _extract_sequences(w: Writer, step: Step) -> str:
    x, length, stride = step.inputs[0], step["length"], step["stride"]
    count = (step.fixed(x, x.ndim - 1) - length) // stride + 1
    at = stride * np.arange(count)[:, None] + np.arange(length)
    return w.op("Gather", w.name(x), w.const(at.astype("int64")), axis=x.ndim - 1)


# ---- sorting --------------------------------------------------------------------------------------------------------


def _sortable(w: Writer, x: Ref) -> tuple[str, bool]:
    """The value in a dtype that runtimes sort, and whether it was cast."""
    if x.dtype in ("float32", "float64", "int32", "int64"):
        return w.name(x), False
    return w.cast(w.name(x), "float32" if x.dtype == "float16" else "int64"), True


def _top(w: Writer, x: Ref, k: Any, axis: int, largest: int) -> tuple[str, str]:
    name, narrow = _sortable(w, x)
    values, places = w.op("TopK", name, w.size(k), outputs=2, axis=axis, largest=largest, sorted=1)
    return (w.cast(values, x.dtype) if narrow else values), places


@lowering("sort")
def _sort(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    axis = step["axis"] % x.ndim
    return _top(w, x, x.shape[axis], axis, 0)[0]


@lowering("argsort")
def _argsort(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    axis = step["axis"] % x.ndim
    return w.cast(_top(w, x, x.shape[axis], axis, 0)[1], "int32")


@lowering("top_k")
def _top_k(w: Writer, step: Step) -> tuple[str, str]:
    x = step.inputs[0]
    values, places = _top(w, x, step["k"], x.ndim - 1, 1)
    return values, w.cast(places, "int32")


@lowering("in_top_k")
def _in_top_k(w: Writer, step: Step) -> str:
    """Fewer than k predictions are above the target's own, which exists and is finite."""
    targets, predictions = step.inputs
    at, zero = w.unsqueeze(_indices(w, targets), targets.ndim), w.const(np.int64(0))
    n = w.squeeze(w.size(predictions.shape[-1]), 0)
    valid = w.op("And", w.op("GreaterOrEqual", at, zero), w.op("Less", at, n))
    p = w.name(predictions)
    own = w.op("GatherElements", p, w.op("Where", valid, at, zero), axis=targets.ndim)
    above = reduced(w, "ReduceSum", w.cast(w.op("Greater", p, own), "int32"), (targets.ndim,), True)
    fits = w.op("And", valid, w.op("Less", above, w.const(step["k"], "int32")))
    finite = w.op("Not", w.op("Or", w.op("IsNaN", own), w.op("IsInf", own)))
    return w.squeeze(w.op("And", fits, finite), targets.ndim)


@lowering("searchsorted")
def _searchsorted(w: Writer, step: Step) -> str:
    """How many elements of the sorted vector are below (or not above) each value."""
    line, values = step.inputs
    below = w.op(
        "Greater" if step["side"] == "left" else "GreaterOrEqual",
        w.unsqueeze(w.name(values), values.ndim),
        w.name(line),
    )
    return _count(w, below, values.ndim)


def _count(w: Writer, hits: str, axis: int) -> str:
    return reduced(w, "ReduceSum", w.cast(hits, "int32"), (axis,), False)


@lowering("digitize")
def _digitize(w: Writer, step: Step) -> str:
    """How many boundaries are not above each value; where they decrease, how many are above it."""
    values, line = step.inputs
    a, b = w.cast(w.unsqueeze(w.name(values), values.ndim), "float64"), w.cast(w.name(line), "float64")
    up = w.op("LessOrEqual", w.slice(b, 0, 0, 1), w.slice(b, 0, -1, None))
    reached = w.op("GreaterOrEqual", a, b)
    return _count(w, w.op("Xor", reached, w.op("Not", up)), values.ndim)


@lowering("isin")
def _isin(w: Writer, step: Step) -> str:
    x, among = step.inputs
    hits = w.op("Equal", w.unsqueeze(w.name(x), x.ndim), w.op("Reshape", w.name(among), w.ints(-1)))
    found = w.cast(reduced(w, "ReduceMax", w.cast(hits, "int32"), (x.ndim,), False), "bool")
    return w.op("Not", found) if step["invert"] else found
