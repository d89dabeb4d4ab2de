"""Sequential: layers one after the other."""

from __future__ import annotations

from typing import Any

from ..engine import tree
from ..engine.errors import invalid
from ..engine.operation import recording
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from ..engine.spec import standardize_shape
from ..engine.symbol import Symbol
from ..layers.call import get_mask
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from .functional import Functional
from .model import Model


@export("keras", aliases=("keras.models.Sequential",))
class Sequential(Model):
    """A stack of layers, each with one input and one output.

    The model is built at once where it begins with an `Input`, else at its first call.

    Args:
        layers: list of layers.
        trainable: whether it is trained.
        name: made by default.

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(1)])
    >>> model.output_shape
    (None, 1)
    """

    _saved_first = ("layers",)
    _not_saved = ("_functional",)

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        Model._initialize(self, trainable=trainable, name=name)
        self.__dict__["_functional"] = None
        if layers:
            for layer in layers:
                self.add(layer, rebuild=False)
            self._maybe_rebuild()

    # A stack changes after it is built.
    def _lock_state(self) -> None:
        pass

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer on top.

        Raises:
            ValueError: for what is no layer, a name that is taken, a second Input.
        """
        if not self._layers and getattr(layer, "_input_shape_arg", None) is not None:
            self.add(InputLayer(shape=layer._input_shape_arg))
        where = f"Sequential {self.name!r}"
        if isinstance(layer, Symbol):
            if layer.node is None or not isinstance(layer.node.operation, InputLayer):
                raise invalid(where, "only layers and Input() can be added", layer=layer)
            layer = layer.node.operation
        if not isinstance(layer, Layer):
            raise invalid(where, "only layers can be added", layer=layer, type=type(layer).__name__)
        if any(x.name == layer.name and x is not layer for x in self._layers):
            raise invalid(where, "layers have different names", name=layer.name)
        if isinstance(layer, InputLayer) and self._layers and isinstance(self._layers[0], InputLayer):
            raise invalid(where, f"the model has an input of shape {self._layers[0].batch_shape} already")
        # The list itself is the order: a layer added twice stands in it twice.
        before = self.built, self._functional
        self._layers.append(layer)
        if not rebuild:
            self._forget()
            return
        try:
            self._maybe_rebuild()
        except Exception:
            self._layers.pop()
            self.built, self.__dict__["_functional"] = before
            raise

    def pop(self, rebuild: bool = True) -> Layer:
        """Takes the last layer off and returns it."""
        if not self._layers:
            raise invalid(f"Sequential {self.name!r}", "there is no layer to pop")
        layer = self._layers.pop()
        self._tracker.untrack(layer)
        self._forget()
        if rebuild:
            self._maybe_rebuild()
        return layer

    def _forget(self) -> None:
        self.built = False
        self.__dict__["_functional"] = None

    def _maybe_rebuild(self) -> None:
        self._forget()
        if len(self._layers) < 2:
            return
        first = self._layers[0]
        if isinstance(first, InputLayer):
            self.build(first.batch_shape)
        elif isinstance(first, Functional) or (isinstance(first, Sequential) and first._functional is not None):
            self.build(first.input_shape)

    def build(self, input_shape: Any = None) -> None:
        """Builds the layers for an input shape (with the batch dimension).

        Raises:
            ValueError: without layers, or for a shape other than that of the model's Input.
        """
        where = f"Sequential {self.name!r}"
        try:
            input_shape = standardize_shape(input_shape)
        except ValueError:
            return  # several inputs: the layers are built one by one when they are called
        if not self._layers:
            raise invalid(where, "a model without layers cannot be built; add() some")
        if isinstance(self._layers[0], InputLayer):
            if self._layers[0].batch_shape != input_shape:
                raise invalid(
                    where, f"the model has an input of shape {self._layers[0].batch_shape}", input_shape=input_shape
                )
        else:
            self._layers.insert(0, InputLayer(batch_shape=input_shape, dtype=self._first_dtype()))
        x = inputs = self._layers[0].output
        with recording():
            for layer in self._layers[1:]:
                try:
                    x = layer(x)
                except NotImplementedError:
                    return  # no shape inference: the model runs its layers without a graph
        self.__dict__["_functional"] = Functional(inputs, x, name=self.name)
        self._losses.clear()

    def _first_dtype(self) -> str:
        first = self._layers[0]
        if isinstance(first, Sequential) and first._functional is None:
            return first._first_dtype() if first._layers else first.input_dtype
        if isinstance(first, (Functional, Sequential)):
            return first.inputs[0].dtype
        return first.input_dtype

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None, **kwargs: Any) -> Any:
        """The last layer's output."""
        if self._functional is not None:
            return self._functional.call(inputs, training=training, mask=mask, **kwargs)
        for layer in self.layers:
            extra = {}
            if mask is not None and "mask" in layer._signature.takes:
                extra["mask"] = mask
            inputs = layer(inputs, **extra)
            mask = tree.map_structure(get_mask, inputs)
        return inputs

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        layers = self._layers
        return layers[1:] if layers and isinstance(layers[0], InputLayer) else layers[:]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError("Sequential.layers is reserved; use add() and pop().")

    def compute_output_spec(self, inputs: Any, training: bool | None = None, mask: Any = None, **kwargs: Any) -> Any:
        if self._functional is not None:
            return self._functional.compute_output_spec(inputs, training=training, mask=mask)
        for layer in self.layers:
            inputs = layer.compute_output_spec(inputs)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._functional is not None:
            return self._functional.compute_output_shape(input_shape)
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def _graph_or_error(self, what: str) -> Functional:
        if self._functional is None:
            raise AttributeError(f"Sequential {self.name!r} is not built: it has no {what} yet.")
        return self._functional

    @property
    def input_shape(self) -> Any:
        return self._graph_or_error("input_shape").input_shape

    @property
    def output_shape(self) -> Any:
        return self._graph_or_error("output_shape").output_shape

    @property
    def inputs(self) -> list[Symbol]:
        return self._graph_or_error("inputs").inputs

    @property
    def outputs(self) -> list[Symbol]:
        return self._graph_or_error("outputs").outputs

    @property
    def input(self) -> Any:
        return self._graph_or_error("input").input

    @property
    def output(self) -> Any:
        return self._graph_or_error("output").output

    @property
    def input_dtype(self) -> str:
        layers = self._layers
        if layers and isinstance(layers[0], InputLayer):
            return layers[0].dtype
        return super().input_dtype

    def get_config(self) -> dict:
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": super().get_config()["dtype"],
            "layers": [serialize_keras_object(layer) for layer in self._layers],
        }
        if self._functional is not None:
            config["build_input_shape"] = self._layers[0].batch_shape
        return config

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Sequential:
        if "name" not in config or "layers" not in config:
            raise invalid("Sequential.from_config", "the config has 'name' and 'layers'", keys=sorted(config))
        model = cls(name=config["name"])
        for layer in config["layers"]:
            model.add(deserialize_keras_object(layer, custom_objects=custom_objects), rebuild=False)
        if model._layers:
            model._maybe_rebuild()
        shape = config.get("build_input_shape")
        if model._functional is None and shape and isinstance(shape, (tuple, list)):
            model.build(tuple(shape))
        if config.get("trainable") is False:
            model.trainable = False
        return model
