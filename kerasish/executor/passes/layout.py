"""Layout: calls that only move elements meet and cancel.

A model whose layers take channels first transposes before and after each convolution. Two transposes in a row are one
(`compose`), one that moves nothing is dropped by `simplify`, and an elementwise call between two lets them meet: it
works on the elements before they are moved.
"""

from __future__ import annotations

from ...engine.op import Op
from ..graph import Call, Graph, Value, call_of
from .dead import drop_dead_calls
from .simplify import simplify

ROUNDS = 8
DEPTH = 4  # elementwise calls between two moves


def _moves(x: Value | None) -> bool:
    return x is not None and x.call is not None and x.call.op.compose is not None


def _compose(graph: Graph) -> bool:
    substitutes: dict[int, Value] = {}
    calls = []
    for call in graph.calls:
        call.inputs = [substitutes.get(id(x), x) for x in call.inputs]
        x = call.inputs[0] if call.inputs else None
        if call.op.compose is not None and _moves(x) and x.call.op is call.op:
            merged = call_of(call.op, x.call.inputs, call.op.compose(x.call.attrs, call.attrs), call.layer)
            substitutes[id(call.outputs[0])] = merged.outputs[0]
            call = merged
        calls.append(call)
    graph.calls = calls
    graph.replace(substitutes)
    return bool(substitutes)


def _sink(graph: Graph) -> bool:
    """Moves the elements after an elementwise call instead of before, where that leaves no more moves than before."""
    uses = graph.uses()
    results = {id(x) for x in graph.results()}
    substitutes: dict[int, Value] = {}
    calls = []

    def meets(x: Value, op: Op, depth: int) -> bool:
        """Whether all that is read of a value is moved, also behind further elementwise calls."""
        readers = uses.get(id(x), [])
        return (
            bool(readers)
            and id(x) not in results
            and all(r.op is op or (depth > 0 and passes(r, x) and meets(r.outputs[0], op, depth - 1)) for r in readers)
        )

    def passes(call: Call, x: Value) -> bool:
        return (
            call.op.kind == "elementwise"
            and len(call.outputs) == 1
            and all(v is x or v.spec.shape == () for v in call.inputs)
        )

    def worthwhile(call: Call, movers: list[Call]) -> bool:
        out = call.outputs[0]
        if meets(out, movers[0].op, DEPTH):
            return True  # the moves meet and cancel
        alone = all(len(uses.get(id(m.outputs[0]), ())) == 1 and id(m.outputs[0]) not in results for m in movers)
        return alone and len(movers) > 1

    for call in graph.calls:
        movers = [x.call for x in call.inputs if _moves(x)]
        if not (
            call.op.kind == "elementwise"
            and len(call.outputs) == 1
            and movers
            and all(m.op is movers[0].op and m.attrs == movers[0].attrs for m in movers)
            and all(x.spec.shape == (call.outputs[0].spec.shape if _moves(x) else ()) for x in call.inputs)
            and worthwhile(call, movers)
        ):
            calls.append(call)
            continue
        inner = call_of(call.op, [x.call.inputs[0] if _moves(x) else x for x in call.inputs], call.attrs, call.layer)
        moved = call_of(movers[0].op, inner.outputs, movers[0].attrs, call.layer)
        calls += [inner, moved]
        substitutes[id(call.outputs[0])] = moved.outputs[0]
    graph.calls = calls
    graph.replace(substitutes)
    return bool(substitutes)


def cancel_moves(graph: Graph) -> None:
    """Composes, cancels and sinks until nothing changes."""
    if not any(c.op.compose is not None for c in graph.calls):
        return
    for _ in range(ROUNDS):
        composed = _compose(graph)
        simplify(graph)
        drop_dead_calls(graph)
        if not (_sink(graph) or composed):
            break
