"""The order of the calls: what may fail runs before variables change, which can then be written in place."""

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
    """Puts new values of variables, and what needs them, behind the last call that may fail; else the order stays.

    The captured order is that of a backward pass: both gradients of a layer follow each other, while what they read is
    in cache and before it must be kept any longer.  So nothing else moves.
    """
    maker = {id(x): id(c) for c in graph.calls for x in c.outputs}
    first: set[int | None] = set()
    for call in reversed(graph.calls):
        if id(call) in first or may_fail(call):
            first.add(id(call))
            first.update(maker.get(id(x)) for x in call.inputs)
    cut = max((k + 1 for k, c in enumerate(graph.calls) if id(c) in first), default=0)
    late = {maker.get(id(x.root)) for _, x in graph.updates} - first - {None}
    for call in graph.calls[:cut]:
        if id(call) not in first and any(maker.get(id(x)) in late for x in call.inputs):
            late.add(id(call))
    before, rest = graph.calls[:cut], graph.calls[cut:]
    graph.calls = [c for c in before if id(c) not in late] + [c for c in before if id(c) in late] + rest
