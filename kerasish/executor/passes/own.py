"""Ownership: every result has an array of its own.

A result that is an input, a variable's old value, a constant, or the memory of another result is copied.
"""

from __future__ import annotations

from ...engine.op import get_op
from ..graph import Graph, Value, call_of


def own_results(graph: Graph) -> None:
    """Adds the copies that are needed."""
    claimed: set[int] = set()

    def owned(x: Value) -> Value:
        root = x.root
        if root.call is not None and id(root) not in claimed:
            claimed.add(id(root))
            return x
        call = call_of(get_op("cast"), [x], {"dtype": x.spec.dtype}, x.layer)
        graph.calls.append(call)
        claimed.add(id(call.outputs[0]))
        return call.outputs[0]

    graph.updates = [(v, owned(x)) for v, x in graph.updates]
    graph.outputs = [owned(x) for x in graph.outputs]
