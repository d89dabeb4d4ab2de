"""Weights are packed once for many calls, and what depends on nothing but weights that stay is kept between runs.

Matrix products and convolutions rearrange or transform their weights before they use them. A kernel that is given them
in that form (`Kernel.packing`) does not, so a call of its own does it instead: in prediction, where weights stay what
they are from one run to the next, its result is kept; where a convolution runs block by block, it serves all blocks of
the step.
"""

from __future__ import annotations

from typing import Any

from ...engine.op import C, Op
from ...engine.spec import Spec
from ..graph import Call, Graph, Value, call_of, own_op
from .blocks import ANCHOR_ROWS, samples
from .schedule import may_fail

# What is kept takes memory, up to four times that of the weights.  It is worth it where packing, at about 25
# operations of a product to a byte (8 GB/s and 200 GFLOP/s), takes a fiftieth of a call or more.
KEPT_FLOPS = 50 * 25
# Of weights that a step changes, blocks share what one call has packed where that saves them so many bytes (16 us).
SHARED_BYTES = 1 << 17

_ops: dict[str, Op] = {}


def _packing_op(name: str) -> Op:
    """The op of a packing kernel; passes alone make calls of it."""
    if name not in _ops:
        _ops[name] = own_op(
            name,
            "opaque",
            C(name, i=lambda specs, attrs: attrs["form"]),
            infer=lambda x, bytes, form: Spec((bytes,), "uint8"),
            flops=lambda specs, outs, attrs: 0,
        )
    return _ops[name]


def _packing(call: Call) -> tuple[int, tuple] | None:
    """Bytes and form in which a call would like its input 1."""
    if call.parts is not None or call.is_view or call.plan.kernel is None or len(call.inputs) < 2:
        return None
    specs = [tuple((x.spec.dtype, x.spec.shape) for x in xs) for xs in (call.inputs, call.outputs)]
    return call.plan.kernel.packing(*specs, call.plan.i)


def staying(graph: Graph) -> set[int]:
    """Ids of the values that are the same in every run until somebody else changes a Variable."""
    changed = {id(v) for v, _ in graph.updates}
    stay = {id(v) for v in graph.variables if id(v) not in changed}
    results = {id(x.root) for x in graph.results()}
    for call in graph.calls:
        if not all(id(x) in stay or x.data is not None for x in call.operands):
            continue
        if call.is_view or not (may_fail(call) or any(id(x) in results for x in call.outputs)):
            stay.update(id(x) for x in call.outputs)
    return stay


def pack_weights(graph: Graph) -> None:
    """Gives the packed form of their weights to calls which it serves several times."""
    stay = staying(graph)
    made: dict[Any, Value] = {}
    calls: list[Call] = []
    for call in graph.calls:
        for inner in call.body or [call]:
            found = _packing(inner)
            if found is None:
                continue
            bytes, form = found
            weights = inner.inputs[1]
            stays = weights.data is not None or id(weights) in stay
            if call.parts is not None:
                pays = stays or bytes * _blocks(call, inner) >= SHARED_BYTES
            else:  # of weights that change, the kernel packs what it needs just before it is used
                pays = stays and bytes * KEPT_FLOPS >= inner.flops
            if not pays:
                continue
            op = _packing_op(f"{inner.plan.kernel.name}_pack")
            key = (id(weights), op.name, form)
            if key not in made:
                pack = call_of(op, [weights], {"bytes": bytes, "form": form}, inner.layer)
                made[key] = pack.outputs[0]
                calls.append(pack)
            inner.packed = made[key]
            if call.parts is not None:
                call.inputs.append(made[key])
        calls.append(call)
    graph.calls = calls


def _blocks(block: Call, call: Call) -> int:
    """Of about how many blocks a call in one runs."""
    rows, body = next(part for part in block.parts if any(c is call for c in part[1]))
    return -(-rows // (samples(body[0]) or ANCHOR_ROWS))


def keep_what_stays(graph: Graph) -> None:
    """Puts the calls first whose results are the same in every run."""
    stay = staying(graph)
    kept = [c for c in graph.calls if all(id(x) in stay for x in c.outputs)]
    first = {id(c) for c in kept}
    graph.calls = kept + [c for c in graph.calls if id(c) not in first]
    graph.kept = len(kept)


def kept_values(graph: Graph) -> list[Value]:
    """What the kept calls make and others read, each once."""
    made = {id(x): x for c in graph.calls[: graph.kept] if not c.is_view for x in c.outputs}
    read: dict[int, Value] = {}
    for call in graph.calls[graph.kept :]:
        for x in call.reads:
            if id(x.root) in made:
                read.setdefault(id(x.root), x.root)
    return list(read.values())


def sources(graph: Graph) -> list[Value]:
    """The Variables' values that the kept calls read."""
    found: dict[int, Value] = {}
    for call in graph.calls[: graph.kept]:
        for x in call.reads:
            if x.root.variable is not None:
                found.setdefault(id(x.root), x.root)
    return list(found.values())
