"""Dead code: calls whose results nobody needs."""

from __future__ import annotations

from ..graph import Graph


def drop_dead_calls(graph: Graph) -> None:
    """Keeps what outputs, updates and checks need, and the variables that are still read or change."""
    needed = {id(x) for x in graph.results()}
    kept = []
    for call in reversed(graph.calls):
        if any(id(x) in needed for x in call.outputs):
            kept.append(call)
            needed.update(id(x) for x in call.inputs)
    graph.calls = kept[::-1]
    needed.update(id(v) for v, _ in graph.updates)
    graph.variables = [v for v in graph.variables if id(v) in needed]
