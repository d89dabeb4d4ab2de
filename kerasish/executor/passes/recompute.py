"""Recomputation: a large value that is cheap to compute is computed once more instead of being kept.

Between the forward and the backward use of a value lies the point where most memory is in use. A value that is kept
over this point, and that an elementwise call (or one that declares `recompute`) gives from values which are kept
anyway, is dropped and computed again before its first use behind the point: one more pass over memory for all of its
bytes at the peak. The bits are the same.
"""

from __future__ import annotations

from ...engine.op import get_op
from ..graph import Call, Graph, Value, call_of

LEAST_BYTES = 1 << 18  # of a value that is worth it
LEAST_PEAK = 32 << 20  # steps that need less keep everything
LEAST_GAIN = 0.1  # of the peak
DEPTH = 3
SMALL_BYTES = 1 << 14  # vectors of channels: kept for longer at no cost


class _Lives:
    """When values are in use, and where the peak is."""

    def __init__(self, graph: Graph):
        self.first: dict[int, int] = {}
        self.last: dict[int, int] = {}
        self.uses: dict[int, list[int]] = {}
        self.root: dict[int, Value] = {}
        end = len(graph.calls)
        for k, call in enumerate(graph.calls):
            if call.is_view:
                continue
            for x in call.reads:
                self._use(x.root, k)
            for x in call.outputs:
                self.first[id(x)] = k
                self.last.setdefault(id(x), k)
                self.root[id(x)] = x
        for x in graph.results():
            self._use(x.root, end)
        change = [0] * (end + 2)
        for key, k in self.first.items():
            change[k] += self.root[key].bytes
            change[self.last[key] + 1] -= self.root[key].bytes
        self.sizes = [0] * (end + 1)
        total = 0
        for k in range(end + 1):
            total += change[k]
            self.sizes[k] = total
        self.peak = max(range(end + 1), key=self.sizes.__getitem__)

    def _use(self, root: Value, k: int) -> None:
        self.last[id(root)] = max(k, self.last.get(id(root), -1))
        self.uses.setdefault(id(root), []).append(k)

    def kept_until(self, x: Value, k: int) -> bool:
        """Whether a value is there at call k without anybody's doing: an input, a variable, a constant, or in use."""
        root = x.root
        return root.call is None or self.last[id(root)] >= k


def _cheap(x: Value) -> bool:
    call = x.call
    if call is None or x.position != 0 or len(call.inputs) > 8:
        return False
    if call.op.recompute is not None and call.plan.kernel is not None:
        return True
    return call.op.kind == "elementwise" and len(call.outputs) == 1 and call.plan.kernel is not None


def recompute_cheap_values(graph: Graph) -> None:
    """Applies what brings the peak down by `LEAST_GAIN` or more in all."""
    lives = _Lives(graph)
    if lives.sizes[lives.peak] < LEAST_PEAK:
        return
    results = {id(x.root) for x in graph.results()}
    found: list[tuple[Value, int, list[Value]]] = []
    relied_on: set[int] = set()  # what a recomputation reads must be kept
    chosen: set[int] = set()
    candidates = [x for c in graph.calls if not c.is_view for x in c.outputs]
    for x in sorted(candidates, key=lambda v: -v.bytes):
        if x.bytes < LEAST_BYTES or id(x) in results or id(x) in relied_on or not _cheap(x):
            continue
        uses = lives.uses.get(id(x), [])
        late = min((k for k in uses if k > lives.peak), default=None)
        if late is None or lives.first[id(x)] >= lives.peak or lives.peak in uses:
            continue
        cone: list[Value] = []
        reads: set[int] = set()
        if _cone(x, late, lives, chosen, cone, reads, DEPTH):
            found.append((x, late, cone))
            relied_on |= reads
            chosen.add(id(x))
    if sum(x.bytes for x, _, _ in found) >= LEAST_GAIN * lives.sizes[lives.peak]:
        _insert(graph, found)


def _cone(x: Value, late: int, lives: _Lives, chosen: set[int], cone: list[Value], reads: set[int], depth: int) -> bool:
    """Collects the values to compute again for x, the innermost first; False where it cannot be done."""
    if depth == 0 or not _cheap(x):
        return False
    for v in _sources(x):
        root = v.root
        if any(root is c for c in cone):
            continue
        if id(root) not in chosen and (lives.kept_until(v, late) or root.bytes <= SMALL_BYTES):
            reads.add(id(root))
        elif v is not root or not _cone(v, late, lives, chosen, cone, reads, depth - 1):
            return False
    cone.append(x)
    return True


def _sources(x: Value) -> tuple[Value, ...]:
    call = x.call
    if call.op.recompute is not None:
        return tuple(call.op.recompute(tuple(call.inputs), tuple(call.outputs), call.attrs)[1])
    return tuple(call.inputs)


def _insert(graph: Graph, found: list[tuple[Value, int, list[Value]]]) -> None:
    before: dict[int, list[Call]] = {}
    again: dict[int, tuple[int, Value]] = {}  # id of a value -> from which call on another stands for it
    for x, late, cone in found:
        local: dict[int, Value] = {}
        for v in cone:
            call, op, attrs = v.call, v.call.op, v.call.attrs
            inputs = _sources(v)
            if op.recompute is not None:
                name, _, attrs = op.recompute(tuple(call.inputs), tuple(call.outputs), attrs)
                op = get_op(name)
            inputs = [local.get(id(i), i) for i in inputs]
            copy = call_of(op, inputs, attrs, call.layer)
            local[id(v)] = copy.outputs[0]
            before.setdefault(late, []).append(copy)
        again[id(x)] = late, local[id(x)]
    calls: list[Call] = []
    views: dict[int, Value] = {}  # views of values that are computed again, made anew where they are read

    def now(x: Value, k: int) -> Value:
        """What call k reads for x."""
        root = x.root
        if id(root) not in again or k < again[id(root)][0]:
            return x
        if x is root:
            return again[id(x)][1]
        if id(x) not in views:
            op, source = x.call.op, now(x.call.inputs[0], k)
            view = call_of(op, [source], x.call.attrs, x.layer)
            calls.append(view)
            views[id(x)] = view.outputs[0]
        return views[id(x)]

    for k, call in enumerate(graph.calls):
        calls += before.get(k, [])
        if not call.is_view:
            call.inputs = [now(x, k) for x in call.inputs]
        calls.append(call)
    graph.calls = calls
