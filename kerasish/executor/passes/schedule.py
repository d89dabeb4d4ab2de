"""The order of the calls: what may fail runs first, so that variables can then be written in place."""

from __future__ import annotations

from ..graph import Call, Graph

_SAFE = ("elementwise", "view", "anchor")
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def may_fail(call: Call) -> bool:
    """Whether running a call can end in an error: a host kernel, or one that reads integers which may be indices."""
    if call.parts is not None:
        return any(may_fail(c) for c in call.body)
    if call.is_view:
        return False
    if call.plan.kernel is None:
        return True
    return call.op.kind not in _SAFE and any(x.spec.dtype in _INTEGERS for x in call.inputs)


def fallible_first(graph: Graph) -> None:
    """Puts calls that may fail, and what they need, before all others; the order is else as captured."""
    maker = {id(x): id(c) for c in graph.calls for x in c.outputs}
    first: set[int | None] = set()
    for call in reversed(graph.calls):
        if id(call) in first or may_fail(call):
            first.add(id(call))
            first.update(maker.get(id(x)) for x in call.inputs)
    graph.calls = [c for c in graph.calls if id(c) in first] + [c for c in graph.calls if id(c) not in first]
