"""From a family of captures to an ONNX model."""

from __future__ import annotations

from typing import Any

from ..engine.errors import invalid
from .family import WHERE, Family, Ref, Sizes, Step
from .lowerings import LOWERINGS, reason
from .writer import Writer

# The operator set that lowerings are written in: the first in which every reduction takes its axes as an input. Every
# later one understands them, up to the newest that has been tried.
OPSET, NEWEST_OPSET = 18, 23

# What protocol buffers can hold in one message.
_MOST_BYTES = 2**31 - 2**20


def build_model(
    onnx: Any, family: Family, input_names: list[str], output_names: list[str], opset: int, name: str
) -> Any:
    """A checked ModelProto.

    Args:
        onnx: the package.
        family: of the function.
        input_names, output_names: of its inputs and outputs.
        opset: version of the operator set.
        name: of the graph.

    Raises:
        ValueError: an op that has no lowering, or a size or a constant that does not follow from the free dimensions;
            or more than fits a file.
    """
    w = Writer(onnx)
    for ref, wanted in zip(family.inputs, input_names):
        ref.name = w.unique(wanted)
    outputs = [w.unique(n) for n in output_names]  # before the nodes', so that they get the names they ask for
    weight = sum(v.bytes for v in (r.values[0] for _, r in family.variables))
    if weight > _MOST_BYTES:
        raise invalid(WHERE, "an ONNX file holds less than 2 GB, and the weights of the model need more", bytes=weight)
    for variable, ref in family.variables:
        tensor = variable._held
        ref.name = w.initializer(variable.path, tensor.data, tensor.dtype)
    for ref in family.inputs:
        w.see(ref)
    w.remake = lambda ref: _remake(w, family, ref)
    for step in family.steps:
        _lower(w, step)
    w.prefix = ""
    if family.assigned is not None:
        raise invalid(
            WHERE,
            f"the model assigns {family.assigned!r} when it is called, and a file cannot keep state from one call to "
            "the next; export a model without stateful layers",
        )
    for ref, wanted in zip(family.outputs, outputs):
        w.nodes.append(onnx.helper.make_node("Identity", [w.name(ref)], [wanted], name=wanted))
    return _model(onnx, w, family, outputs, opset, name)


def _remake(w: Writer, family: Family, ref: Ref) -> bool:
    """Emits the call that made a constant; whether there was one."""
    step = family.recall(ref)
    if step is not None:
        before = w.prefix
        _lower(w, step)
        w.prefix = before
    return step is not None


def _lower(w: Writer, step: Step) -> None:
    emit = LOWERINGS.get(step.op)
    if emit is None:
        raise step.refuse(reason(step.op))
    for ref in (*step.inputs, *step.outputs):
        if ref.dtype.startswith("complex"):
            raise step.refuse("ONNX runtimes have no complex numbers", dtype=ref.dtype)
    w.prefix = f"{step.layer}/{step.op}" if step.layer else step.op
    result = emit(w, step)
    for ref, name in zip(step.outputs, (result,) if isinstance(result, str) else result):
        ref.name = name
        w.see(ref)


def _model(onnx: Any, w: Writer, family: Family, outputs: list[str], opset: int, name: str) -> Any:
    helper = onnx.helper
    nodes, used = _live(onnx, w.nodes, outputs)

    def info(ref: Ref, name: str) -> Any:
        dims = [family.free.get(d) if isinstance(d, Sizes) else d for d in ref.shape]
        return helper.make_tensor_value_info(name, w.type_of(ref.dtype), dims)

    graph = helper.make_graph(
        nodes,
        name,
        [info(r, r.name) for r in family.inputs],
        [info(r, n) for r, n in zip(family.outputs, outputs)],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        graph, opset_imports=opsets, producer_name="kerasish", ir_version=helper.find_min_ir_version_for(opsets)
    )
    tensors = {n: t for n, t in w.initializers.items() if n in used}
    size = model.ByteSize() + sum(array.nbytes + 100 for array, _ in tensors.values())
    if size > _MOST_BYTES:
        raise invalid(WHERE, "an ONNX file holds less than 2 GB, and the model needs more", bytes=size)
    for key, (array, kind) in tensors.items():  # straight to their place: a copy of all weights is one too many
        model.graph.initializer.add(name=key, data_type=kind, dims=array.shape, raw_data=array.tobytes())
    onnx.checker.check_model(model, full_check=True)
    return model


def _live(onnx: Any, nodes: list[Any], outputs: list[str]) -> tuple[list[Any], set[str]]:
    """The nodes that the outputs need, and the names of all values that those read."""
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if needed.isdisjoint(node.output):
            continue
        kept.append(node)
        needed.update(node.input)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                needed.update(n for inner in attribute.g.node for n in inner.input)
                needed.update(o.name for o in attribute.g.output)
    return kept[::-1], needed
