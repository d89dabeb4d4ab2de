"""Algebra that changes no number: calls that give back one of their inputs, by the ops' own `simplify` rules.

(Only denormals pass where the arithmetic would have flushed them to zero.)
"""

from __future__ import annotations

from ..graph import Graph, Value


def simplify(graph: Graph) -> None:
    """Puts the input in place of the output where an op says that they are equal; drops views that change nothing."""
    substitutes: dict[int, Value] = {}
    kept = []
    for call in graph.calls:
        call.inputs = [substitutes.get(id(x), x) for x in call.inputs]
        same = 0 if call.is_view else None
        if call.op.simplify is not None and any(x.spec == call.outputs[0].spec for x in call.inputs):
            specs, outs = [x.spec for x in call.inputs], [x.spec for x in call.outputs]
            same = call.op.simplify(specs, outs, call.attrs, [x.data for x in call.inputs])
        if same is not None and call.inputs[same].spec == call.outputs[0].spec:
            substitutes[id(call.outputs[0])] = call.inputs[same]
        else:
            kept.append(call)
    graph.calls = kept
    graph.replace(substitutes)
