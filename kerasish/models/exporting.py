"""model.export: what a model's inputs and outputs are, for a file that other programs read."""

from __future__ import annotations

from typing import Any

from ..engine import tree
from ..engine.errors import invalid
from ..engine.symbol import Symbol
from ..layers.input_spec import InputSpec

_OTHERS = {
    "tf_saved_model": "TensorFlow",
    "litert": "TensorFlow",
    "torch": "PyTorch",
    "openvino": "OpenVINO",
}


class _Argument:
    """One input of a file: its place is in a structure of these."""

    def __init__(self, shape: tuple, dtype: str, name: str | None):
        self.shape, self.dtype, self.name = shape, dtype, name


def export_model(
    model: Any,
    filepath: Any,
    format: str = "tf_saved_model",
    verbose: bool | None = None,
    input_signature: Any = None,
    **kwargs: Any,
) -> None:
    """What `Model.export` does; its docstring says it."""
    if format != "onnx":
        needs = f"; {format!r} files are written by {_OTHERS[format]}" if format in _OTHERS else ""
        raise invalid("export", f'the format that there is is "onnx"{needs}', format=format)
    from ..export import to_onnx, write_model

    opset_version = kwargs.pop("opset_version", None)
    if kwargs:
        raise invalid(
            "export", "with format 'onnx', the one further argument is opset_version", kind=TypeError, **kwargs
        )
    arguments = _arguments(model, input_signature)
    leaves = tree.flatten(arguments)
    _name(arguments, leaves)
    strings = [a.name for a in leaves if a.dtype == "string"]
    strings += [x.name for x in getattr(_graph_of(model), "_outputs", ()) if x.dtype == "string"]
    if strings:
        rule = "inputs and outputs of strings have no form in ONNX here: look them up outside of the exported model"
        raise invalid("export", rule, strings=strings)
    if not model.built:
        model(*tree.map_structure(lambda a: Symbol(a.shape, a.dtype), arguments))

    def call(*tensors: Any) -> Any:
        try:
            return model(*tree.pack_sequence_as(arguments, tensors), training=False)
        finally:
            model._clear_losses()

    proto = to_onnx(
        call,
        [a.shape for a in leaves],
        [a.dtype for a in leaves],
        [a.name for a in leaves],
        lambda structure, count: _output_names(model, structure, count),
        name=model.name,
        taken=[d for v in model.variables for d in v.shape],
        opset_version=opset_version,
    )
    write_model(proto, filepath)
    if verbose is None or verbose:
        print(f"Saved artifact at '{filepath}'.")


def _free_batch(shape: tuple) -> tuple:
    """A shape whose first dimension is free; that of Inputs and of the data a model has seen is, as in Keras."""
    return (None, *shape[1:]) if len(shape) else ()


def _graph_of(model: Any) -> Any:
    """The model, or what it holds, that is a graph with Inputs; None where there is none."""
    graph = getattr(model, "_functional", None) or model
    return graph if hasattr(graph, "_inputs_struct") else None


def _arguments(model: Any, signature: Any) -> list:
    """The positional arguments of a call, with an _Argument for each tensor."""
    graph = _graph_of(model)
    if signature is None:
        if graph is not None:
            return [
                tree.map_structure(lambda x: _Argument(_free_batch(x.shape), x.dtype, x.name), graph._inputs_struct)
            ]
        return _called_with(model)
    given = list(signature) if isinstance(signature, (list, tuple)) else [signature]
    if graph is None:
        return [tree.map_structure(_argument, x) for x in given]
    leaves, places = tree.flatten(given), tree.flatten(graph._inputs_struct)
    if len(leaves) != len(places):
        raise invalid(
            "export", f"input_signature has one entry for each of the model's {len(places)} inputs", given=len(leaves)
        )
    found = [_argument(x) for x in leaves]
    for argument, place in zip(found, places):
        argument.name = argument.name or place.name
    return [tree.pack_sequence_as(graph._inputs_struct, found)]


def _argument(x: Any) -> _Argument:
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    if shape is None or dtype is None:
        raise invalid(
            "export",
            "input_signature is made of InputSpecs with shape and dtype, symbols and tensors",
            kind=TypeError,
            given=repr(x),
        )
    # As in Keras, the batch of a symbol or a tensor is free; an InputSpec is taken at its word.
    shape = tuple(shape) if isinstance(x, InputSpec) else _free_batch(shape)
    return _Argument(shape, str(dtype), getattr(x, "name", None))


def _called_with(model: Any) -> list:
    """From the shapes that a model without a graph was built with, the batch free, in its input dtype."""
    shapes = model._build_shapes_dict
    if not shapes or any(s is None for s in shapes.values()):
        raise invalid(
            "export",
            "a model without Inputs must have been called on data, or input_signature must say what it is called "
            "with: a list with an InputSpec for each argument",
            model=type(model).__name__,
        )
    return [
        tree.map_shape_structure(lambda s: _Argument(_free_batch(s), model.input_dtype, None), shape)
        for shape in shapes.values()
    ]


def _name(arguments: list, leaves: list[_Argument]) -> None:
    """Names for those that have none: the key of a dict, else a number. All names are different."""
    for k, (path, argument) in enumerate(tree.flatten_with_path(arguments)):
        key = path[-1] if path and isinstance(path[-1], str) else None
        argument.name = argument.name or key or f"input_{k}"
    taken = [a.name for a in leaves]
    for name in taken:
        if taken.count(name) > 1:
            raise invalid("export", "the inputs have different names", names=taken)


def _output_names(model: Any, structure: Any, count: int) -> list[str]:
    """Those of the layers that a graph's outputs come from; keys of a dict; else numbers."""
    if isinstance(structure, dict) and len(structure) == count:
        return [str(path[-1]) for path, _ in tree.flatten_with_path(structure)]
    graph = _graph_of(model)
    names = list(getattr(graph, "output_names", ()))
    if len(names) == count:
        return names
    return ["output"] if count == 1 else [f"output_{k}" for k in range(count)]
