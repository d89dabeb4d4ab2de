"""Memory: which value lies where. One arena for all that only lives within the step, planned by live ranges.

A value begins to live with the call that makes it and ends with the last call that reads it or a view of it. An output
may take the place of an input that ends there, where the op declares the pair (`inplace`). Buffers whose lives overlap
get distinct places in the arena; the larger are placed first, each at the lowest free offset, which for the graphs of
neural networks comes close to the least that is possible (Pisarchyk and Lee 2020, "greedy by size").
"""

from __future__ import annotations

from math import inf
from typing import Any

from .graph import Call, Graph, Value
from .passes.blocks import by_rows
from .passes.packing import kept_values
from .passes.schedule import may_fail

ALIGN = 64


class Buffer:
    """A piece of memory and when it is in use (numbers of calls, both inclusive)."""

    __slots__ = ("bytes", "end", "offset", "slot", "start")

    def __init__(self, bytes: int, start: float, end: float):
        self.bytes, self.start, self.end = bytes, start, end
        self.offset = 0
        self.slot: Any = None  # None: the arena; else what the buffer belongs to

    def __repr__(self) -> str:
        return f"<Buffer {self.bytes} bytes, [{self.start}, {self.end}], at {self.offset}>"


def place(buffers: list[Buffer]) -> int:
    """Gives each buffer an offset so that those in use at one time do not overlap; returns the size of the arena.

    >>> a, b, c = Buffer(100, 0, 1), Buffer(60, 1, 2), Buffer(100, 2, 3)
    >>> place([a, b, c]), a.offset, b.offset, c.offset
    (192, 0, 128, 0)
    """
    placed: list[Buffer] = []
    size = 0
    for b in sorted(buffers, key=lambda b: (-b.bytes, b.start)):
        offset = 0
        for other in placed:  # in the order of their offsets
            if other.start <= b.end and b.start <= other.end:
                if offset + b.bytes <= other.offset:
                    break
                offset = max(offset, _aligned(other.offset + other.bytes))
        b.offset = offset
        size = max(size, _aligned(offset + b.bytes))
        at = next((k for k, o in enumerate(placed) if o.offset > offset), len(placed))
        placed.insert(at, b)
    return size


def _aligned(n: int) -> int:
    return (n + ALIGN - 1) // ALIGN * ALIGN


class MemoryPlan:
    """Where every value of a graph lies.

    Attributes:
        arena: bytes of the arena.
        naive: bytes of all values that calls make for a run, each in memory of its own.
        inplace: ids of the variables' values that are overwritten where they lie.
        kept: values that are kept from one run to the next.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.kept = kept_values(graph)
        self._buffers: dict[int, Buffer] = {}
        self.inplace: set[int] = set()
        self._plan()

    @property
    def kept_bytes(self) -> int:
        """Memory of the kept values."""
        return sum(x.bytes for x in self.kept)

    def text(self) -> str:
        """The figures as a line."""
        kept = f", {self.kept_bytes / 2**20:,.2f} MB kept between runs" if self.kept else ""
        return f"{self.arena / 2**20:,.2f} MB planned, {self.naive / 2**20:,.2f} MB with an array for each result{kept}"

    def buffer(self, value: Value) -> Buffer:
        """The buffer of a value or of what it shows."""
        return self._buffers[id(value.root)]

    def _plan(self) -> None:
        graph = self.graph
        last = self._last_uses()
        safe_after = self._safe_after()
        for x in [*graph.inputs, *graph.variables, *graph.constants()]:
            buffer = self._buffers[id(x)] = Buffer(x.bytes, -1, inf)
            buffer.slot = x
        variable_of = {id(x.root): v for v, x in graph.updates}
        kept = {id(x) for x in self.kept}
        own = {id(x.root) for x in graph.outputs} | kept  # memory that outlives the step
        self.naive = 0
        arena: list[Buffer] = []
        for k, call in enumerate(graph.calls):
            if call.is_view:
                continue
            for position, x in enumerate(call.outputs):
                self.naive += 0 if id(x) in kept else x.bytes
                variable = variable_of.get(id(x))
                if variable is not None:
                    if (
                        safe_after[k]
                        and last.get(id(variable), -1) <= k
                        and self._may_overwrite(call, position, variable)
                    ):
                        self._buffers[id(x)] = self._buffers[id(variable)]
                        self.inplace.add(id(variable))
                    else:
                        self._buffers[id(x)] = Buffer(x.bytes, k, inf)
                        self._buffers[id(x)].slot = x
                    continue
                if id(x) in own:
                    self._buffers[id(x)] = Buffer(x.bytes, k, inf)
                    self._buffers[id(x)].slot = x
                    continue
                end = last.get(id(x), k)
                buffer = None
                taken = {id(self._buffers[id(o)]) for o in call.outputs[:position]}
                for other in self._overwritable(call, position):
                    candidate = self._buffers.get(id(other))  # None: what a block keeps to itself
                    if (
                        candidate is not None
                        and candidate.slot is None
                        and candidate.end == k
                        and id(candidate) not in taken
                    ):
                        buffer = candidate
                        buffer.end = end
                        break
                if buffer is None:
                    buffer = Buffer(x.bytes, k, end)
                    arena.append(buffer)
                self._buffers[id(x)] = buffer
        self.arena = place(arena)
        self.arena_buffers = arena

    def _last_uses(self) -> dict[int, int]:
        last: dict[int, int] = {}
        for k, call in enumerate(self.graph.calls):
            if not call.is_view:
                for x in call.reads:
                    last[id(x.root)] = k
        end = len(self.graph.calls)
        for x in self.graph.results():
            last[id(x.root)] = end
        return last

    def _safe_after(self) -> list[bool]:
        """For each call, whether no later one may fail: from there on, what is written stays."""
        out: list[bool] = []
        safe = True
        for call in reversed(self.graph.calls):
            out.append(safe and not may_fail(call))
            safe = safe and not may_fail(call)
        return out[::-1]

    def _may_overwrite(self, call: Call, position: int, old: Value) -> bool:
        return any(x is old for x in self._overwritable(call, position))

    def _overwritable(self, call: Call, position: int) -> list[Value]:
        """The roots that output number `position` may take the place of, as far as the ops say."""
        out = call.outputs[position]
        if call.parts is None:
            return _pairs(call, position)
        rows, body, at = next(
            (rows, body, k) for rows, body in call.parts for k, c in enumerate(body) if any(x is out for x in c.outputs)
        )
        maker = body[at]
        candidates = _pairs(maker, next(k for k, x in enumerate(maker.outputs) if x is out))
        earlier, others = body[: at + 1], [c for c in call.body if not any(c is b for b in body[: at + 1])]
        # Nobody may read it later in the block, in another part, or (all of it) for another block of rows.
        return [
            x
            for x in candidates
            if not any(v.root is x for c in others for v in c.inputs)
            and (rows == 1 or all(by_rows(c, v, rows) for c in earlier for v in c.inputs if v.root is x))
        ]


def _pairs(call: Call, position: int) -> list[Value]:
    out = call.outputs[position]
    found = []
    for i, o in call.op.inplace:
        if o != position or i >= len(call.inputs):
            continue
        x = call.inputs[i]
        if x.spec.size != out.spec.size or x.bytes != out.bytes or out.bytes == 0:
            continue
        # The same memory under another shape would be read out of step.
        if any(v.root is x.root and v is not x for v in call.inputs):
            continue
        found.append(x.root)
    return found
