"""Common subexpressions: two calls of one op on the same inputs are one call.

Every op is a function of its inputs (random ones of their seed), so this changes no result.
"""

from __future__ import annotations

from ..graph import Call, Graph, Value


def share_common_calls(graph: Graph) -> None:
    """Keeps the first of equal calls."""
    seen: dict[tuple, Call] = {}
    substitutes: dict[int, Value] = {}
    kept = []
    for call in graph.calls:
        call.inputs = [substitutes.get(id(x), x) for x in call.inputs]
        attrs = tuple((k, v, v.__class__) for k, v in sorted(call.attrs.items()))
        same = seen.setdefault((call.op, tuple(id(x) for x in call.inputs), attrs), call)
        if same is call:
            kept.append(call)
        else:
            substitutes.update({id(a): b for a, b in zip(call.outputs, same.outputs)})
    graph.calls = kept
    graph.replace(substitutes)
