"""Sweeps: blocks and elementwise calls that do not depend on each other run as one step.

So the updates of all variables of a model are one pass, in which the cores share all of it out, and not one each.
"""

from __future__ import annotations

from ..graph import Call, Graph
from .blocks import make_block, possible_rows

MOST_PARTS = 256
SMALL_BYTES = 1 << 14  # of what a call may wait with: it is read again from a cache


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


class _Level:
    """Calls that do not depend on each other, and views of what they make."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.parts: list[tuple[int, list[Call]]] = []
        self.views: list[Call] = []

    def joined(self) -> list[Call]:
        """The calls as one."""
        if len(self.calls) == 1:
            return [*self.calls, *self.views]
        inputs = {id(x): x for c in self.calls for x in c.inputs}
        outputs = [x for c in self.calls for x in c.outputs]
        return [make_block(self.parts, list(inputs.values()), outputs), *self.views]


def sweep(graph: Graph) -> None:
    """Joins calls level by level: those that need nothing which waits, those that need the first, and so on.

    A call that cannot be joined ends this where it needs one that waits, or where a large one does, whose inputs may be
    in cache now; small ones wait until they are needed, so that all moving averages of a model are one step.
    """
    out: list[Call] = []
    levels: list[_Level] = []
    level_of: dict[int, int] = {}
    large = False

    def close(count: int) -> None:
        """Ends the first levels; what waits behind them goes on waiting."""
        nonlocal large
        for level in levels[:count]:
            out.extend(level.joined())
        del levels[:count]
        for x, k in list(level_of.items()):
            if k < count:
                del level_of[x]
            else:
                level_of[x] = k - count
        large = large and bool(levels)

    for call in graph.calls:
        needs = max((level_of.get(id(x.root), -1) for x in call.inputs), default=-1)
        if call.is_view:
            (levels[needs].views if needs >= 0 else out).append(call)
            continue
        more = _parts(call)
        if more is None:
            if needs >= 0 or large:
                close(len(levels) if large else needs + 1)
            out.append(call)
            continue
        if needs + 1 < len(levels) and len(levels[needs + 1].parts) + len(more) > MOST_PARTS:
            close(len(levels))
            needs = -1
        if needs + 1 == len(levels):
            levels.append(_Level())
        levels[needs + 1].calls.append(call)
        levels[needs + 1].parts += more
        level_of.update({id(x): needs + 1 for x in call.outputs})
        large = large or any(x.bytes > SMALL_BYTES for x in (*call.inputs, *call.outputs))
    close(len(levels))
    graph.calls = out
