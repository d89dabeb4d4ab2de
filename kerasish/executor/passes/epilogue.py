"""Epilogues: an elementwise function of an output is computed by the kernel that makes it, on the way."""

from __future__ import annotations

from ..graph import Call, Graph, Value, call_of


def fuse_epilogues(graph: Graph) -> None:
    """Moves activations into the matrix products, convolutions and normalizations whose output only they use.

    Which op takes which function both declare (`epilogue`); it is told by its attribute `activation`.
    """
    uses = graph.uses()
    results = {id(x) for x in graph.results()}
    substitutes: dict[int, Value] = {}
    gone: set[int] = set()
    replacement: dict[int, Call] = {}
    for call in graph.calls:
        if call.op.kind != "elementwise" or not call.op.epilogue or len(call.inputs) != 1:
            continue
        x = call.inputs[0]
        anchor = x.call
        if (
            anchor is None
            or x.position != 0
            or anchor.op.kind == "elementwise"
            or call.op.epilogue not in anchor.op.epilogue
            or "activation" in anchor.attrs
            or anchor.plan.kernel is None
            or len(uses[id(x)]) != 1
            or id(x) in results
        ):
            continue
        attrs = {**anchor.attrs, "activation": call.op.epilogue}
        fused = call_of(anchor.op, anchor.inputs, attrs, anchor.layer)
        replacement[id(anchor)] = fused
        gone.add(id(call))
        substitutes.update({id(a): b for a, b in zip(anchor.outputs, fused.outputs)})
        substitutes[id(call.outputs[0])] = fused.outputs[0]
    graph.calls = [replacement.get(id(c), c) for c in graph.calls if id(c) not in gone]
    graph.replace(substitutes)
