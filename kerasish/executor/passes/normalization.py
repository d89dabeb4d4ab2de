"""Normalization whose output goes to an elementwise call alone: statistics first, and the rest in the block behind.

A batch normalization reads its input for the statistics and once more to normalize it. As two calls (`statistics` and
`recompute` of the op), the second joins the block of the residual sum and the activation that follow, and the
normalized array never goes through memory.
"""

from __future__ import annotations

from ...engine.op import get_op
from ..graph import Call, Graph, Value, call_of
from .blocks import possible_rows


def split_normalizations(graph: Graph) -> None:
    """Splits the calls that have a block behind them to be part of."""
    uses = graph.uses()
    results = {id(x) for x in graph.results()}
    substitutes: dict[int, Value] = {}
    calls: list[Call] = []
    for call in graph.calls:
        call.inputs = [substitutes.get(id(x), x) for x in call.inputs]
        readers = uses.get(id(call.outputs[0]), [])
        if (
            "statistics" not in call.op.traits
            or call.plan.kernel is None
            or id(call.outputs[0]) in results
            or not readers
            or any(c.op.kind != "elementwise" for c in readers)
        ):
            calls.append(call)
            continue
        name, inputs, attrs = call.op.traits["statistics"](tuple(call.inputs), call.attrs)
        first = call_of(get_op(name), list(inputs), attrs, call.layer)
        given = (call.outputs[0], *first.outputs)
        name, inputs, attrs = call.op.recompute(tuple(call.inputs), given, call.attrs)
        second = call_of(get_op(name), list(inputs), attrs, call.layer)
        if not all(possible_rows(second) & possible_rows(c) for c in readers):
            calls.append(call)
            continue
        calls += [first, second]
        substitutes.update({id(a): b for a, b in zip(call.outputs, [second.outputs[0], *first.outputs])})
    graph.calls = calls
    graph.replace(substitutes)
