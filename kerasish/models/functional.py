"""Functional: a model made of the graph between input and output symbols."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from .. import ops
from ..engine import tree
from ..engine.errors import invalid
from ..engine.graph import Function
from ..engine.operation import infer_spec
from ..engine.serialization import export
from ..engine.strings import as_strings
from ..engine.symbol import Symbol
from ..engine.tensor import Operators, to_tensor
from ..layers.call import get_mask, set_mask
from ..layers.input_layer import Input, InputLayer
from ..layers.input_spec import InputSpec
from ..layers.layer import Layer
from .functional_config import functional_config, functional_from_config
from .model import Model


def is_input(x: Symbol) -> bool:
    """Whether a symbol comes straight from an InputLayer."""
    return x.node is not None and isinstance(x.node.operation, InputLayer)


# Keras has no public path for the class, and writes its private one into files.
@export("keras.src.models.functional", aliases=("keras.models.Functional", "keras.Functional"))
class Functional(Function, Model):
    """A model from symbols: `Model(inputs, outputs)` makes it.

    Inputs and outputs may be nested lists, tuples and dicts. Symbols in the middle of another model's graph may serve
    as inputs or outputs; the layers are shared then.

    Args:
        inputs, outputs: symbols.
        name: made by default.
        trainable: sets all layers, when given.

    Raises:
        ValueError: where the graph is disconnected, or something is no symbol.

    >>> import kerasish as keras
    >>> x = keras.Input((3,))
    >>> model = keras.Model(x, keras.layers.Dense(2)(x))
    >>> model.output_shape
    (None, 2)
    """

    _saved_first = ("layers",)
    _not_saved = ("operations", "_operations", "_graph")

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        trainable = kwargs.pop("trainable", None)
        if not getattr(self, "_is_model_initialized", False):
            Model._initialize(self, name=name, **kwargs)
        if isinstance(inputs, dict):
            for key, x in inputs.items():
                if isinstance(x, Symbol) and key != x.name:
                    warnings.warn(
                        f"{type(self).__name__}: a dict of inputs has the inputs' names as keys. Key {key!r} holds the "
                        f"input {x.name!r}; name it with Input(..., name={key!r}).",
                        stacklevel=3,
                    )
        flat = tree.flatten(inputs)
        if all(isinstance(x, Symbol) for x in flat) and not all(is_input(x) for x in flat):
            inputs, outputs = self._from_the_middle(inputs, outputs)
        self._build_graph(inputs, outputs)
        for layer in self.layers:
            self._tracker.track(layer)
        if trainable is not None:
            self.trainable = trainable
        self.built = True
        self._build_shapes_dict = None
        self._path = self.name
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.output_names = [getattr(x.node.operation, "name", "output") for x in self._outputs]

    def _from_the_middle(self, inputs: Any, outputs: Any) -> tuple[Any, Any]:
        """New Inputs in place of symbols that layers made, and the graph behind them called again."""
        inner = Function(inputs, outputs)
        fresh = tree.map_structure(
            lambda x: x if is_input(x) else Input(batch_shape=x.shape, dtype=x.dtype, name=f"{x.name}_input"), inputs
        )
        return fresh, inner._run_through(tree.flatten(fresh), lambda operation: operation)

    # Unlike a layer, a model of a graph may get further attributes after it is built.
    def _lock_state(self) -> None:
        pass

    def build(self, input_shape: Any) -> None:
        """Does nothing: the graph is built."""

    @property
    def layers(self) -> list[Layer]:
        """The graph's layers, from the inputs on."""
        return [o for o in self.operations if isinstance(o, Layer)]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("Model.layers is reserved; use another name.")

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None, **kwargs: Any) -> Any:
        """Runs the graph; layers get `training` from the call context."""
        flat = self._standardize(inputs)
        if mask is not None:
            for x, m in zip(flat, tree.flatten(mask)):
                if m is not None and x is not None:
                    set_mask(x, m)
        out = self._run_through(flat, lambda operation: operation)
        return out[0] if isinstance(out, (list, tuple)) and len(out) == 1 else out

    def compute_output_spec(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        flat = [x for x in tree.flatten(inputs) if x is not None]
        same = len(flat) == len(self._inputs) and all(
            tuple(a.shape) == b.shape and a.dtype == b.dtype for a, b in zip(flat, self._inputs)
        )
        if same and all(get_mask(x) is None for x in flat):
            out = tree.map_structure(self._output_like, self._outputs_struct)
            return out[0] if isinstance(out, (list, tuple)) and len(out) == 1 else out
        return infer_spec(self.call, inputs)

    @staticmethod
    def _output_like(x: Symbol) -> Symbol:
        out = Symbol(x.shape, x.dtype)
        if get_mask(x) is not None:
            set_mask(out, get_mask(x))
        return out

    def compute_output_shape(self, input_shape: Any) -> Any:
        flat = tree.flatten(tree.map_shape_structure(lambda s: Symbol(s), input_shape))
        if len(flat) != len(self._inputs):
            self._assert_input_structure(flat)
        symbols = [Symbol(s.shape, x.dtype) for s, x in zip(flat, self._inputs)]
        out = self.compute_output_spec(tree.pack_sequence_as(self._inputs_struct, symbols))
        return tree.map_structure(lambda x: tuple(x.shape), out)

    def _standardize(self, inputs: Any) -> list:
        """Flat tensors in the order, dtype and rank of the model's inputs."""
        struct = self._inputs_struct
        where = f"{type(self).__name__} {self.name!r}"
        if isinstance(inputs, Operators):
            flat = [inputs]
        elif isinstance(inputs, dict):
            if isinstance(struct, dict):
                missing = sorted(set(struct) - set(inputs))
                if missing:
                    raise invalid(where, f"the inputs lack {missing}", keys=sorted(inputs))
                flat = tree.flatten({k: inputs[k] for k in struct} if type(struct) is dict else inputs)
            else:
                names = [x.name for x in self._inputs]
                missing = [n for n in names if n not in inputs]
                if missing:
                    raise invalid(where, f"the inputs lack {missing}", keys=sorted(inputs))
                flat = [inputs[n] for n in names]
        else:
            flat = tree.flatten(inputs)
            if isinstance(struct, dict) and len(struct) > 1 and list(struct) != sorted(struct):
                raise invalid(where, "the inputs are a dict: give one with the same keys", keys=list(struct))
        if len(flat) != len(self._inputs):
            self._assert_input_structure(flat)
        return [self._adjust(x, ref, where) for x, ref in zip(flat, self._inputs)]

    @staticmethod
    def _adjust(x: Any, ref: Symbol, where: str) -> Any:
        """One input as a tensor of the reference's dtype; a last dimension of 1 is added or dropped to fit its rank."""
        if x is None:
            if is_input(ref) and not ref.node.operation.optional:
                raise invalid(where, f"input {ref.name!r} is not optional, and None was given")
            return None
        given = x
        if ref.dtype == "string" and not isinstance(x, Symbol):
            x = as_strings(x, f"{where}: input {ref.name!r}")
            if x.ndim == len(ref.shape) - 1 and ref.shape[-1] == 1:
                x = x[..., None]
            if x.ndim != len(ref.shape):
                raise invalid(where, f"input {ref.name!r} has shape {ref.shape}", x=x)
            return x
        if not isinstance(x, Operators):
            x = to_tensor(x, where=where)
        if x.dtype != ref.dtype:
            x = ops.cast(x, ref.dtype)
        if len(x.shape) != len(ref.shape):
            if len(x.shape) == len(ref.shape) + 1 and x.shape[-1] == 1:
                x = ops.squeeze(x, axis=-1)
            elif len(x.shape) == len(ref.shape) - 1 and ref.shape[-1] == 1:
                x = ops.expand_dims(x, axis=-1)
            else:
                raise invalid(where, f"input {ref.name!r} has shape {ref.shape}", x=x)
        if x is not given and get_mask(given) is not None:
            set_mask(x, get_mask(given))
        return x

    @property
    def input_shape(self) -> Any:
        """Shape of the input, or a list of shapes."""
        shapes = [x.shape for x in self._inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        """Shape of the output, or a list of shapes."""
        shapes = [x.shape for x in self._outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def input(self) -> Any:
        """The input symbols in their structure."""
        return self._inputs_struct

    @property
    def output(self) -> Any:
        """The output symbols in their structure."""
        return self._outputs_struct

    @property
    def input_spec(self) -> list[InputSpec] | None:
        """Shapes that the inputs must have, the batch dimension free."""
        if "_manual_input_spec" in self.__dict__:
            return self._manual_input_spec
        if "_input_specs" not in self.__dict__:
            if "_inputs" not in self.__dict__:
                return None
            struct = self._inputs_struct

            def spec(x: Symbol, name: str | None = None) -> InputSpec:
                optional = is_input(x) and x.node.operation.optional
                shape = (None, *x.shape[1:]) if x.shape else ()
                return InputSpec(shape=shape, allow_last_axis_squeeze=True, name=name or x.name, optional=optional)

            if isinstance(struct, dict):
                flat = all(isinstance(x, Symbol) for x in struct.values())
                keys = sorted(struct) if type(struct) is dict else list(struct)
                specs = [spec(struct[k], k) for k in keys] if flat else None
            else:
                specs = [spec(x) for x in self._inputs]
            self.__dict__["_input_specs"] = specs
        return self._input_specs

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        if value is not None:
            self.__dict__["_manual_input_spec"] = value

    def get_config(self) -> dict:
        """The graph: layers, how they were called, inputs and outputs."""
        if not _takes_a_graph(type(self)):
            return Model.get_config(self)
        return functional_config(self)

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Model:
        if not {"layers", "input_layers", "output_layers"} <= set(config):
            return cls(**config)
        return functional_from_config(cls, config, custom_objects)


def _takes_a_graph(cls: type) -> bool:
    """Whether a class's constructor can be given (inputs, outputs, name)."""
    spec = inspect.getfullargspec(cls.__init__)
    return spec.args[1:] == ["inputs", "outputs", "name"] or (spec.varargs is not None and spec.varkw is not None)
