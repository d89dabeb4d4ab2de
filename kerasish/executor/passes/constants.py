"""Constants: equal ones become one, and calls whose inputs are all constant are computed now."""

from __future__ import annotations

from ...engine.op import execute
from ..graph import Graph, Value

FOLD_BYTES = 1 << 20  # a larger result is computed at each step rather than kept


def fold_constants(graph: Graph) -> None:
    """Computes what depends on constants alone, as far as it does not grow beyond `FOLD_BYTES`."""
    substitutes: dict[int, Value] = {}
    kept = []
    for call in graph.calls:
        call.inputs = [substitutes.get(id(x), x) for x in call.inputs]
        if not all(x.data is not None for x in call.inputs) or sum(v.bytes for v in call.outputs) > FOLD_BYTES:
            kept.append(call)
            continue
        arrays = execute(call.op, [x.data for x in call.inputs], call.attrs, call.plan)
        for value, array in zip(call.outputs, arrays):
            substitutes[id(value)] = Value(value.spec, data=array)
    graph.calls = kept
    graph.replace(substitutes)
    _share(graph)


def _share(graph: Graph) -> None:
    first: dict[tuple, Value] = {}
    substitutes: dict[int, Value] = {}
    for x in graph.constants():
        if x.bytes > FOLD_BYTES:
            continue
        same = first.setdefault((x.spec, x.data.tobytes()), x)
        if same is not x:
            substitutes[id(x)] = same
    graph.replace(substitutes)
