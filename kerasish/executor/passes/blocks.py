"""Blocks: chains of elementwise and row-wise calls become one loop over blocks of rows, which stay in cache.

A call can run on a block of rows when every row of its outputs depends on the same row of its inputs. What a row is, a
group of calls agrees on: the leading dimensions whose sizes multiply to `rows`. Elementwise ops qualify at any number
of leading dimensions that no operand is broadcast over in part; other ops say how many (`lead`). Within a block the
kernels are those that would run alone, on the same numbers in the same order, so no bit of any result changes.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

from ...engine.spec import Spec
from ..graph import Call, Graph, Value, own_op

MOST_CALLS = 24
FEWEST_ROWS, SMALL = 16, 1 << 15  # a large array in few rows would not share out over the cores
# Behind a convolution.  Where each block packed or transformed the kernel anew, fusing normalization and relu on 8x8x64
# samples with 64 filters, eight a block, lost a quarter of the time; in ResNet-20's prediction the stage of 32x32x16
# (seven kernels to a sample) gains 5 % and that of 16x16x32 (one) lost 2.  With a kernel that is packed for all blocks
# (packing.py) the latter two lose 0 to 9 % still: a sample's output stays in L2 until the next call anyway.
ANCHOR_ROWS = 8  # samples of a block at most
ANCHOR_TIMES, ANCHOR_FEWEST = 16, 1 << 18  # its output, as a multiple of what it reads whole, and in bytes
ANCHOR_TASKS, ANCHOR_BYTES = 16, 1 << 20  # fewer blocks do not share out over the cores; a sample that leaves the cache
# What a block has in place of a declaration.
BLOCK = own_op("block", "block", "block", flops=lambda specs, outs, attrs: sum(o.size or 0 for o in outs))


def make_block(parts: list[tuple[int, list[Call]]], inputs: list[Value], outputs: list[Value]) -> Call:
    """A Call that runs `parts`; the outputs stay what the calls in it have made."""
    block = Call(BLOCK, inputs, {}, None, parts[-1][1][-1].layer)
    block.parts, block.outputs = parts, outputs
    return block


def leading(shape: tuple[int, ...], rows: int) -> int | None:
    """How many leading dimensions multiply to `rows`; the fewest, None where none do."""
    n = 1
    for p, d in enumerate(shape):
        if n == rows and p:
            return p
        n *= d
    return len(shape) if n == rows and shape else None


def row_counts(spec: Spec, most: int) -> set[int]:
    """What rows can be of a value, with at most so many leading dimensions."""
    return {prod(spec.shape[:p]) for p in range(1, most + 1)}


def is_whole(spec: Spec, out: Spec, rows: int) -> bool:
    """Whether an operand of an elementwise call is the same for all rows of the output."""
    p = leading(out.shape, rows)
    return all(d == 1 for d in spec.shape[: max(spec.ndim - (out.ndim - p), 0)])


def _elementwise_rows(call: Call) -> set[int]:
    out = call.outputs[0].spec
    if any(x.spec.shape != out.shape for x in call.outputs):
        return set()
    found = set()
    for rows in row_counts(out, out.ndim):
        p = leading(out.shape, rows)
        if rows > 1 and all(
            (x.spec.ndim == out.ndim and x.spec.shape[:p] == out.shape[:p]) or is_whole(x.spec, out, rows)
            for x in call.inputs
        ):
            found.add(rows)
    return found


def possible_rows(call: Call) -> set[int]:
    """The row counts at which a call can run block by block; none where it cannot."""
    specs = [x.spec for x in (*call.inputs, *call.outputs)]
    if call.parts is not None or any(0 in s.shape for s in specs):
        return set()
    if call.is_view:
        a, b = call.inputs[0].spec, call.outputs[0].spec
        return {r for r in row_counts(a, a.ndim) & row_counts(b, b.ndim) if r > 1}
    if call.plan.kernel is None:
        return set()
    if call.op.kind == "elementwise":
        return _elementwise_rows(call)
    if "folds" in call.op.traits:
        return _chunk_rows(call)
    if call.op.lead is None:
        return set()
    lead = call.op.lead(tuple(x.spec for x in call.inputs), call.attrs)
    first = call.inputs[0].spec
    found = set()
    for p in range(1, lead + 1):
        rows = prod(first.shape[:p])
        fits = (s.ndim >= p and s.shape[:p] == first.shape[:p] for k, s in enumerate(specs) if k not in call.op.whole)
        if rows > 1 and all(fits):
            found.add(rows)
    return found


def _share(call: Call) -> Fraction | None:
    """The part of all rows that a chunk has, of which a call makes one row of its output; None for other calls."""
    if "folds" not in call.op.traits:
        return None
    spec = call.inputs[0].spec
    length, dims = call.op.traits["folds"](spec, call.attrs)
    return Fraction(length, prod(spec.shape[:dims]))


def _chunk_rows(call: Call) -> set[int]:
    """The row counts of which a chunk of the array that a call reduces is a whole number."""
    spec = call.inputs[0].spec
    _, dims = call.op.traits["folds"](spec, call.attrs)
    return {r for r in row_counts(spec, dims) if (_share(call) * r).denominator == 1}


def chunk(body: list[Call], rows: int) -> int | None:
    """How many rows a block must have for the reductions in it, in which one block makes one row; None: any number."""
    share = next((s for s in map(_share, body) if s is not None), None)
    return None if share is None else int(share * rows)


class _Group:
    """Calls that will be a block; `share` is the part of the rows that one of its blocks must have, where calls say."""

    __slots__ = ("calls", "rows", "share")

    def __init__(self, call: Call, rows: set[int]):
        self.calls, self.rows, self.share = [call], rows, _share(call)


def is_folded(call: Call, x: Value) -> bool:
    """Whether a call makes one row of x of each block of rows."""
    return "folds" in call.op.traits and x is call.outputs[0]


def by_rows(call: Call, x: Value, rows: int) -> bool:
    """Whether an operand of a call in a block is read block by block; else each block reads all of it."""
    if rows == 1 or is_folded(call, x):
        return False
    if call.op.kind == "elementwise":
        return not is_whole(x.spec, call.outputs[0].spec, rows)
    return not any(call.inputs[k] is x for k in call.op.whole)


def may_follow(call: Call, group: _Group) -> bool:
    """Whether a call may run in the block of a group that makes one of its inputs.

    A matrix product or convolution has work enough for a step of its own, which its kernel shares out best: nothing is
    put before it, and behind it what takes its output in while that is in cache: pooling, and where a few samples are
    work enough for a block, elementwise calls and normalization with given statistics.
    """
    if call.op.kind == "anchor":
        return False
    first = group.calls[0]
    if first.op.kind != "anchor" or call.is_view or "chooses" in call.op.traits:
        return True
    rows = samples(first)
    return rows is not None and first.outputs[0].spec.shape[0] >= rows * ANCHOR_TASKS and "folds" not in call.op.traits


def samples(anchor: Call) -> int | None:
    """How many samples of an anchor are a block's work; None where no number up to `ANCHOR_ROWS` is."""
    out = anchor.outputs[0]
    each = out.bytes // out.spec.shape[0]
    whole = sum(anchor.inputs[k].bytes for k in anchor.op.whole)
    wanted = -(-max(ANCHOR_TIMES * whole, ANCHOR_FEWEST) // each)
    return wanted if wanted <= ANCHOR_ROWS and each <= ANCHOR_BYTES else None


def fuse_blocks(graph: Graph) -> None:
    """Groups calls with their producers, as far as they have a row count in common and no other call comes between."""
    position = {id(c): k for k, c in enumerate(graph.calls)}
    group_of: dict[int, _Group] = {}
    groups: list[_Group] = []  # in the order of their first calls

    def floor(target: _Group) -> int:
        """A position such that no call before it depends on a group's call, or a mate of one, behind it."""
        lowest = position[id(target.calls[0])]
        for group in reversed(groups):
            first, last = position[id(group.calls[0])], position[id(group.calls[-1])]
            if first < lowest < last:  # who needs its early calls waits for its late ones too
                lowest = first
        return lowest

    def reaches(x: Value, target: _Group, lowest: int, seen: set[int]) -> bool:
        """Whether a value depends on a call of a group."""
        todo = [x.call]
        while todo:
            call = todo.pop()
            if call is None or id(call) in seen or position[id(call)] < lowest:
                continue
            group = group_of.get(id(call))
            if group is target:
                return True
            members = group.calls if group is not None else [call]  # a group runs as one, with all that it needs
            seen.update(id(c) for c in members)
            todo += [v.call for c in members for v in c.inputs]
        return False

    for call in graph.calls:
        rows = possible_rows(call)
        if not rows:
            continue
        joined = None
        for x in call.inputs:
            group = group_of.get(id(x.call)) if x.call is not None else None
            if group is None:
                continue
            # What the group makes row by row cannot be read whole by one that follows.
            mine = [v for v in call.inputs if v.call is not None and group_of.get(id(v.call)) is group]
            common = {r for r in group.rows & rows if all(by_rows(call, v, r) for v in mine)}
            if not common:
                continue
            if sum(not c.is_view for c in group.calls) >= MOST_CALLS or not may_follow(call, group):
                continue
            seen: set[int] = set()
            others = [v for v in call.inputs if v.call is not None and group_of.get(id(v.call)) is not group]
            lowest = floor(group) if others else 0
            if any(reaches(v, group, lowest, seen) for v in others):
                continue
            share = _share(call)
            if share is not None and group.share not in (None, share):
                continue
            if max(common) < FEWEST_ROWS and max(v.spec.size for v in call.outputs) > SMALL:
                continue
            joined, rows = group, common
            break
        if joined is None:
            group_of[id(call)] = _Group(call, rows)
            groups.append(group_of[id(call)])
        else:
            joined.calls.append(call)
            joined.rows = rows
            joined.share = joined.share or _share(call)
            group_of[id(call)] = joined
    _rewrite(graph, group_of)


def _rewrite(graph: Graph, group_of: dict[int, _Group]) -> None:
    """Puts a block in place of each group that has two calls or more, and sorts the calls again.

    Views stay outside: within a block, a view of the block's own value is that value under another shape.
    """
    bodies: list[tuple[int, list[Call]]] = []
    inside: dict[int, int] = {}  # id of a call -> its block's number
    for group in {id(g): g for g in group_of.values()}.values():
        body = [c for c in group.calls if not c.is_view]
        if len(body) >= 2:
            inside.update({id(c): len(bodies) for c in body})
            bodies.append((max(group.rows), body))
    # What is read where it is not made: by results, by calls outside, and so by the views that these read.
    outside = {id(x) for x in graph.results()}
    for call in graph.calls:
        mine = None if call.is_view else inside.get(id(call))
        if not call.is_view:
            outside.update(id(x) for x in call.inputs if mine is None or inside.get(id(x.root.call), -1) != mine)
    kept = []
    for call in reversed(graph.calls):
        if not call.is_view or id(call.outputs[0]) in outside:
            kept.append(call)
            if call.is_view:
                outside.add(id(call.inputs[0]))
    blocks = []
    for rows, body in bodies:
        made = {id(x) for c in body for x in c.outputs}
        inputs = {id(x): x for c in body for x in c.inputs if id(x.root) not in made}
        outputs = [x for c in body for x in c.outputs if id(x) in outside]
        blocks.append(make_block([(rows, body)], list(inputs.values()), outputs))
    calls, done = [], set()
    for call in reversed(kept):
        unit = blocks[inside[id(call)]] if id(call) in inside else call
        if id(unit) not in done:
            done.add(id(unit))
            calls.append(unit)
    graph.calls = in_order(calls)


def in_order(calls: list[Call]) -> list[Call]:
    """The calls with every one behind what it needs, else in the order given."""
    maker = {id(x): c for c in calls for x in c.outputs}
    out: list[Call] = []
    state: dict[int, int] = {}
    for first in calls:
        stack = [(first, 0)]
        while stack:
            call, k = stack.pop()
            if k == 0:
                if state.get(id(call)):
                    continue
                state[id(call)] = 1
            needs = [maker[id(x)] for x in call.inputs if id(x) in maker]
            while k < len(needs):
                if not state.get(id(needs[k])):
                    stack.append((call, k + 1))
                    stack.append((needs[k], 0))
                    break
                k += 1
            else:
                out.append(call)
    return out
