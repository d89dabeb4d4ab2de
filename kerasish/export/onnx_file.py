"""Writes a model's inference as an ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.errors import invalid
from ..executor.capture import BUILDS_LAYER, MAKES_VARIABLE, NotCapturable
from ..saving.atomic import write_bytes
from .build import NEWEST_OPSET, OPSET, build_model
from .family import WHERE, capture_family


def import_onnx() -> Any:
    """The package.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise invalid(
            WHERE, 'format="onnx" needs the package onnx: pip install "kerasish[onnx]"', kind=ImportError
        ) from None
    return onnx


def check_opset(opset_version: Any) -> int:
    """The version of the operator set, `OPSET` where None is given."""
    if opset_version is None:
        return OPSET
    if not isinstance(opset_version, int) or not OPSET <= opset_version <= NEWEST_OPSET:
        raise invalid(WHERE, f"opset_version is an integer from {OPSET} to {NEWEST_OPSET}", opset_version=opset_version)
    return opset_version


def free_dimensions(shapes: Sequence[tuple]) -> list[tuple]:
    """Shapes with names in place of None: "batch" for a first dimension, "dim_i_k" for dimension k of input i."""
    return [
        tuple(("batch" if k == 0 else f"dim_{i}_{k}") if d is None else d for k, d in enumerate(shape))
        for i, shape in enumerate(shapes)
    ]


def to_onnx(
    fn: Callable,
    shapes: Sequence[tuple],
    dtypes: Sequence[str],
    input_names: Sequence[str],
    output_names: Callable[[Any, int], Sequence[str]],
    *,
    name: str = "model",
    taken: Sequence[int] = (),
    opset_version: int | None = None,
) -> Any:
    """An ONNX ModelProto of a function of tensors.

    Args:
        fn: called with one tensor for each shape; gives a tensor or a structure of them.
        shapes: None for a free dimension.
        dtypes, input_names: of the tensors.
        output_names: (fn's result with positions of outputs for tensors, number of outputs) -> their names.
        name: of the graph.
        taken: sizes that the function's variables have.
        opset_version: version of the operator set.

    Raises:
        ImportError: the package onnx is not installed.
        ValueError: the function cannot be captured, or an op of it cannot be written in ONNX.

    >>> import kerasish as keras
    >>> from kerasish.export import to_onnx
    >>> model = to_onnx(lambda x: keras.ops.relu(x) * 2.0, [(None, 3)], ["float32"], ["x"], lambda *_: ["y"])
    >>> [node.op_type for node in model.graph.node]
    ['Relu', 'Mul', 'Identity']
    """
    onnx = import_onnx()
    opset = check_opset(opset_version)
    sizes = {*taken, *(d for shape in shapes for d in shape if isinstance(d, int))}
    try:
        family = capture_family(fn, free_dimensions(shapes), list(dtypes), sizes)
    except NotCapturable as error:
        makes = str(error).startswith((MAKES_VARIABLE, BUILDS_LAYER))
        hint = " (call the model on data once, before it is exported)" if makes else ""
        rule = f"the model's Python is not a pure function of shapes and dtypes: {error}{hint}"
        raise invalid(WHERE, rule) from None
    if not family.outputs:
        raise invalid(WHERE, "the model returns no tensor")
    names = list(output_names(family.structure, len(family.outputs)))
    return build_model(onnx, family, list(input_names), names, opset, name)


def write_model(proto: Any, filepath: Any) -> None:
    """Writes a ModelProto, whole or not at all."""
    write_bytes(filepath, proto.SerializeToString(), WHERE)
