"""Decisions that are made once: dropout backwards takes what dropout forwards has kept.

By itself the gradient of dropout draws the same random numbers again, twenty operations or more for an element. In a
step both calls are in sight, so the first one notes what it keeps, a byte for an element, and the others read that.
"""

from __future__ import annotations

from ...engine.op import get_op
from ..graph import Call, Graph, Value, call_of


def keep_decisions(graph: Graph) -> None:
    """Lets calls that decide alike do it once, by the ops that they name for it."""
    alike: dict[tuple, list[Call]] = {}
    for call in graph.calls:
        if (key := _decisions(call)) is not None:
            alike.setdefault(key, []).append(call)
    substitutes: dict[int, Value] = {}
    kept: dict[tuple, Value] = {}
    calls: list[Call] = []
    for call in graph.calls:
        key = _decisions(call)
        if key is None or len(alike[key]) == 1:
            calls.append(call)
            continue
        first, again, _ = call.op.traits["decides"]
        if key not in kept:
            made = call_of(get_op(first), call.inputs, call.attrs, call.layer)
            kept[key] = made.outputs[1]
        else:
            made = call_of(get_op(again), [call.inputs[0], kept[key]], call.attrs, call.layer)
        calls.append(made)
        substitutes[id(call.outputs[0])] = made.outputs[0]
    graph.calls = calls
    graph.replace(substitutes)


def _decisions(call: Call) -> tuple | None:
    """What the decisions of a call depend on; None where it makes none, or where noting them is of no use."""
    if "decides" not in call.op.traits or call.plan.kernel is None:
        return None
    spec = call.inputs[0].spec
    if not call.op.traits["decides"][2](spec, call.attrs):
        return None
    return (call.op.name, spec, *map(id, call.inputs[1:]), *sorted(call.attrs.items()))
