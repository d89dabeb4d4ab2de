"""Reductions in chunks: a reduction of what an elementwise or row-wise call makes is split in two.

The kernels reduce a long array chunk by chunk, and what the chunks give afterwards, in an order that follows from the
shape. So `fuse_blocks` can put the first half into the block that makes the array, and reduce a chunk of it while it is
in cache; an array that nobody else reads never goes through memory. The second half, the very op over the chunks'
results, comes to the same bits as the kernel of the whole.
"""

from __future__ import annotations

from math import prod

import numpy as np

from ...engine.op import get_op
from ..graph import Call, Graph, Value, call_of
from .blocks import possible_rows

MOST_BYTES = 1 << 18  # of a chunk: a share of L2


def split_reductions(graph: Graph) -> None:
    """Splits the reductions whose input a block can make."""
    substitutes: dict[int, Value] = {}
    calls: list[Call] = []
    for call in graph.calls:
        found = _halves(call)
        if found is None:
            calls.append(call)
        else:
            calls += found
            substitutes[id(call.outputs[0])] = found[-1].outputs[0]
    graph.calls = calls
    graph.replace(substitutes)


def _halves(call: Call) -> list[Call] | None:
    how = call.op.traits.get("in chunks")
    if how is None or call.plan.kernel is None:
        return None
    first, rest, divided, when = how
    x, axis = call.inputs[0], call.attrs["axis"]
    maker = x.root.call
    if maker is None or not when(x.spec, call.attrs):
        return None
    chunk = call_of(get_op(first), [x], {"axis": axis}, call.layer)
    if not possible_rows(maker) & possible_rows(chunk) or x.bytes // chunk.outputs[0].spec.shape[0] > MOST_BYTES:
        return None
    half = [chunk, call_of(get_op(rest), chunk.outputs, {"axis": (0,), "keepdims": False}, call.layer)]
    if divided:
        count = Value(call.outputs[0].spec.__class__((), x.spec.dtype), data=np.asarray(_count(x, axis), x.spec.dtype))
        half.append(call_of(get_op("divide"), [half[-1].outputs[0], count], {}, call.layer))
    out = call.outputs[0].spec
    if half[-1].outputs[0].spec != out:
        half.append(call_of(get_op("reshape"), half[-1].outputs, {"newshape": out.shape}, call.layer))
    return half


def _count(x: Value, axis: tuple[int, ...]) -> int:
    return prod(x.spec.shape[k] for k in axis)
