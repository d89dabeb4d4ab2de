"""Sweeps: blocks and elementwise calls that follow each other and do not depend on each other run as one step.

So the updates of all variables of a model are one pass, in which the cores share all of it out, and not one each.
"""

from __future__ import annotations

from ..graph import Call, Graph
from .blocks import make_block, possible_rows

MOST_PARTS = 256


def _parts(call: Call) -> list[tuple[int, list[Call]]] | None:
    if call.parts is not None:
        return call.parts
    if call.op.kind != "elementwise" or call.plan.kernel is None or call.plan.kernel.needs_scratch:
        return None
    if any(0 in x.spec.shape for x in (*call.inputs, *call.outputs)):
        return None
    rows = possible_rows(call)
    if rows:
        return [(max(rows), [call])]
    return [(1, [call])] if all(x.spec.size == 1 for x in call.outputs) else None


def sweep(graph: Graph) -> None:
    """Joins neighbours; any other call, a view included, ends a run of them."""
    out: list[Call] = []
    run: list[Call] = []
    parts: list[tuple[int, list[Call]]] = []
    made: set[int] = set()

    def close() -> None:
        if len(run) == 1:
            out.append(run[0])
        elif run:
            inputs = {id(x): x for c in run for x in c.inputs}
            out.append(make_block(list(parts), list(inputs.values()), [x for c in run for x in c.outputs]))
        run.clear()
        parts.clear()
        made.clear()

    for call in graph.calls:
        more = None if call.is_view else _parts(call)
        if more is None or any(id(x.root) in made for x in call.inputs) or len(parts) + len(more) > MOST_PARTS:
            close()
        if more is None:
            out.append(call)
            continue
        run.append(call)
        parts += more
        made.update(id(x) for x in call.outputs)
    close()
    graph.calls = out
