"""Attention, composed: products, a softmax, products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..family import Ref, Step
from ..writer import Writer
from .reduce import logsumexp_over
from .table import lowering


def _heads(w: Writer, ref: Ref, heads: int) -> str:
    """(batch, heads, time, width), of as many heads as the queries have."""
    x = w.transpose(w.name(ref), (0, 2, 1, 3))
    groups = ref.shape[2]
    if groups == heads:
        return x
    batch, time, _, width = ref.shape
    x = w.op("Expand", w.unsqueeze(x, 2), w.ints(1, 1, heads // groups, 1, 1))
    return w.reshape(x, (batch, heads, time, width))


def _causal(w: Writer, query: Ref, key: Ref) -> str:
    """(queries, keys): whether a query is not before the key."""
    t, s = query.shape[1], key.shape[1]
    if isinstance(t, int) and isinstance(s, int):
        return w.const(np.tri(t, s, dtype=bool))
    places = [w.op("Range", w.const(np.int64(0)), w.squeeze(w.size(n), 0), w.const(np.int64(1))) for n in (t, s)]
    return w.op("GreaterOrEqual", w.unsqueeze(places[0], 1), w.unsqueeze(places[1], 0))


@lowering("attention")
def _attention(w: Writer, step: Step) -> Any:
    """softmax(scale q k^T + bias) v over what the masks allow; a query that may attend to nothing attends to all
    alike."""
    query, key, value, *extras = step.inputs
    if step["rate"] > 0:
        raise step.refuse("dropout of attention weights is random; export with training=False", rate=step["rate"])
    heads, width = query.shape[2], query.shape[3]
    scale = step["scale"]
    scale = 1 / math.sqrt(max(width, 1)) if scale is None else scale
    q, k, v = (_heads(w, r, heads) for r in (query, key, value))
    q = w.op("Mul", q, w.scalar(scale, query))
    logits = w.op("MatMul", q, w.transpose(k, (0, 1, 3, 2)))
    if step["bias"]:
        logits = w.op("Add", logits, w.name(extras.pop(0)))
    masks = [w.name(extras.pop(0))] if step["mask"] else []
    masks += [_causal(w, query, key)] if step["causal"] else []
    low = w.scalar(np.finfo(query.dtype).min, query)
    for mask in masks:
        logits = w.op("Where", mask, logits, low)
    y = w.transpose(w.op("MatMul", w.op("Softmax", logits, axis=3), v), (0, 2, 1, 3))
    if not step.used[1]:
        return y, None
    for mask in masks:
        logits = w.op("Where", mask, logits, w.scalar(-np.inf, query))
    return y, logsumexp_over(w, logits, (3,), False)
