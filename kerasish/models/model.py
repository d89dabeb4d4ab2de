"""Model: a layer that can be trained, evaluated, summarized and cloned."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .. import saving
from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from ..layers.layer import Layer
from ..saving import json_text
from .exporting import export_model
from .profiling import memory_lines
from .summary import print_summary
from .trainer import Trainer


def _is_graph(args: tuple, kwargs: dict) -> bool:
    """Whether constructor arguments are (inputs, outputs[, name])."""
    return (
        (len(args) in (2, 3) and not kwargs.keys() - {"name", "trainable"})
        or (len(args) == 1 and "outputs" in kwargs)
        or ("inputs" in kwargs and "outputs" in kwargs)
    )


@export("keras", aliases=("keras.models.Model",))
class Model(Trainer, Layer):
    """A layer with `fit`, `evaluate`, `predict` and the like.

    Made from symbols, `Model(inputs, outputs)`, or by subclassing: layers in `__init__`, the computation in
    `call(self, inputs, training=None)`.

    >>> import kerasish as keras
    >>> class Twice(keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = keras.layers.Dense(2)
    ...     def call(self, x):
    ...         return self.dense(x) * 2
    >>> Twice()(keras.ops.ones((1, 3))).shape
    (1, 2)
    """

    def __new__(cls, *args: Any, **kwargs: Any):
        if cls is Model and _is_graph(args, kwargs):
            from .functional import Functional

            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        from .functional import Functional

        if _is_graph(args, kwargs) and not isinstance(self, Functional):
            _make_functional(type(self), Functional)
            Functional.__init__(self, *args, **kwargs)
            return
        Model._initialize(self, *args, **kwargs)

    def _initialize(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__["_is_model_initialized"] = True
        Trainer.__init__(self)
        Layer.__init__(self, *args, **kwargs)

    @property
    def layers(self) -> list[Layer]:
        """The layers that the model holds directly."""
        return self._flatten_layers(include_self=False, recursive=False)

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("Model.layers is reserved; use another name.")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position.

        Raises:
            ValueError: where there is none, listing the names.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise invalid("get_layer", "give a name or an index", name=name, index=index)
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise invalid("get_layer", f"the model has {len(layers)} layers", index=index)
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise invalid("get_layer", f"no layer has this name; there are {[x.name for x in layers]}", name=name)

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: list[str] | None = None,
        show_cost: bool = False,
        memory: bool | int = False,
    ) -> None:
        """Prints a table of the layers: name and type, output shape, number of parameters.

        Args:
            line_length: width of the table; as wide as its content by default.
            positions: relative or absolute ends of the columns.
            print_fn: called with each line instead of `print`.
            expand_nested: list the layers of models inside this one.
            show_trainable: add a column that says whether each layer is trained.
            layer_range: names (or patterns) of the first and last layer to list.
            show_cost: add columns with the bytes of each layer's output and its floating-point operations, for one
                sample.
            memory: add the memory that the steps of prediction and training take for batches of so many samples (True:
                32), as planned and as it would be with an array for each result.

        Raises:
            ValueError: before the model is built.
        """
        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range, show_cost)
        if memory:
            for line in memory_lines(self, 32 if memory is True else memory):
                (print_fn or print)(line)

    # -- files ------------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Writes the model with its variables and its optimizer; see `keras.saving.save_model`.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> model.save("model.keras")
        """
        saving.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
        """Writes the variables of the model; see `keras.saving.save_weights`."""
        saving.save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
        """Reads the variables of the model, all or none; see `keras.saving.load_weights`.

        Raises:
            BadFileError: the file is damaged or its variables do not fit; the model is unchanged.
        """
        return saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Writes the model's inference for other programs: as an ONNX file, which needs `pip install "kerasish[onnx]"`.

        The file holds what `model(inputs, training=False)` computes, with the weights under their paths. Dimensions
        that are None, the batch among them, are free. The page docs/onnx.md has the details and limits.

        Args:
            filepath: path of the file; it is written whole or not at all.
            format: "onnx". Keras's default and its other formats are written by frameworks that are not part of this
                package.
            verbose: whether a line says what was written; it does by default.
            input_signature: list of what the model is called with: InputSpecs, symbols or tensors, nested as the
                arguments are. By default, the model's Inputs, or the shapes it was first called with.
            **kwargs: `opset_version`, an integer; 18 by default.

        Raises:
            ValueError: another format; a model that was never called and has no Inputs; an op that cannot be written
                in ONNX, or a dimension that cannot be free; nothing is written then.
            ImportError: the package onnx is not installed.

        >>> import kerasish as keras
        >>> model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="dense")])
        >>> model.export("model.onnx", format="onnx")
        Saved artifact at 'model.onnx'.
        >>> import onnxruntime
        >>> session = onnxruntime.InferenceSession("model.onnx")
        >>> [y] = session.run(None, {"x": keras.ops.ones((4, 3)).numpy()})
        >>> y.shape
        (4, 2)
        """
        export_model(self, filepath, format, verbose, input_signature, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture (no weights) as JSON, for `model_from_json`."""
        return json.dumps(serialize_keras_object(self), **kwargs)

    def get_config(self) -> dict:
        return Layer.get_config(self)

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Model:
        """The model of a config."""
        if {"layers", "input_layers", "output_layers"} <= set(config):
            from .functional import Functional
            from .functional_config import functional_from_config

            if cls is Model:
                cls = Functional
            return functional_from_config(cls, config, custom_objects)
        return super().from_config(config)

    def get_state_tree(self, value_format: str = "backend_tensor") -> dict:
        """All state by kind and path: trainable, non-trainable, optimizer and metric variables.

        Args:
            value_format: "backend_tensor" or "numpy_array".
        """
        if value_format not in ("backend_tensor", "numpy_array"):
            raise invalid(
                "get_state_tree", "value_format is 'backend_tensor' or 'numpy_array'", value_format=value_format
            )
        return {
            kind: _nest({v.path: v.value if value_format == "backend_tensor" else v.numpy() for v in variables})
            for kind, variables in self._state_groups().items()
        }

    def set_state_tree(self, state_tree: dict) -> None:
        """Sets the state from a tree like `get_state_tree`'s; parts may be missing.

        Raises:
            ValueError: for unknown kinds and paths; nothing is changed then.
        """
        groups = self._state_groups()
        todo = []
        for kind, nested in state_tree.items():
            if kind not in groups:
                raise invalid("set_state_tree", f"a kind of state is one of {sorted(groups)}", given=kind)
            known = {v.path: v for v in groups[kind]}
            for path, value in _unnest(nested):
                if path not in known:
                    raise invalid("set_state_tree", f"no variable among the {kind} has this path", path=path)
                todo.append((known[path], value))
        for variable, value in todo:
            variable.assign(value)

    def _state_groups(self) -> dict[str, list]:
        groups = {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
        }
        if self.optimizer is not None:
            groups["optimizer_variables"] = self.optimizer.variables
        groups["metrics_variables"] = self.metrics_variables
        return groups


def _nest(flat: dict[str, Any]) -> dict:
    out: dict = {}
    for path, value in flat.items():
        *parents, leaf = path.split("/")
        node = out
        for p in parents:
            node = node.setdefault(p, {})
        node[leaf] = value
    return out


def _unnest(nested: dict, prefix: str = "") -> list[tuple[str, Any]]:
    out = []
    for key, value in nested.items():
        path = f"{prefix}/{key}" if prefix else key
        out += _unnest(value, path) if isinstance(value, dict) else [(path, value)]
    return out


def _make_functional(cls: type, functional: type) -> None:
    """Lets a subclass of Model that was given a graph inherit from Functional."""
    if cls is Model or functional in cls.__mro__:
        return
    bases = tuple(functional if b is Model else b for b in cls.__bases__)
    for b in cls.__bases__:
        if b is not Model and issubclass(b, Model):
            _make_functional(b, functional)
    if bases != cls.__bases__:
        cls.__bases__ = bases


def model_from_json(json_string: str, custom_objects: dict | None = None) -> Model:
    """A new model (fresh weights) of the architecture that `to_json` wrote.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> keras.models.model_from_json(model.to_json()).output_shape
    (None, 3)
    """
    config = json_text.parse(json_string, "model_from_json", "json_string", saving.Limits())
    return deserialize_keras_object(config, custom_objects=custom_objects)
