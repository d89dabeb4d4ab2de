"""clone_model: the same architecture with new layers and fresh weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine import tree
from ..engine.errors import invalid
from ..engine.symbol import Symbol
from ..layers.input_layer import Input, InputLayer
from ..layers.layer import Layer
from .functional import Functional, is_input
from .sequential import Sequential


def _from_config(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model of the same architecture, with layers and weights of its own.

    Args:
        model: a Sequential or functional model; a subclassed one is made again from its config.
        input_tensors: symbols to build the clone on, in the structure of the model's inputs; new ones by default.
        clone_function: layer -> the layer to take in its place; by default one made from its config.
        call_function: called as `call_function(layer, *args, **kwargs)` where a layer of a functional model is called.
        recursive: whether the layers of models inside are given to `clone_function`, too.

    Raises:
        ValueError: arguments that a subclassed model cannot follow.

    Example:

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> keras.models.clone_model(model).output_shape
    (None, 3)
    """
    if kwargs:
        raise invalid("clone_model", "unknown arguments", **kwargs)
    clone = clone_function or _from_config
    if isinstance(model, Sequential):
        if call_function is not None:
            raise invalid("clone_model", "call_function is for functional models", model=model)
        return _clone_sequential(model, input_tensors, _deep(clone, recursive))
    if isinstance(model, Functional) and type(model).from_config.__func__ is Functional.from_config.__func__:
        return _clone_functional(model, input_tensors, _deep(clone, recursive), call_function)
    if input_tensors is not None or clone_function is not None or call_function is not None:
        rule = "input_tensors, clone_function and call_function do not reach into a model that is a subclass"
        raise invalid("clone_model", rule, model=model)
    return _from_config(model)


def _deep(clone: Callable, recursive: bool) -> Callable:
    """The function for one layer: models inside are cloned layer by layer with `recursive`."""

    def one(layer: Any) -> Any:
        if recursive and isinstance(layer, (Sequential, Functional)):
            return clone_model(layer, clone_function=clone, recursive=True)
        return clone(layer)

    return one


def _clone_sequential(model: Sequential, input_tensors: Any, clone: Callable) -> Sequential:
    layers = [clone(x) for x in model._layers if not isinstance(x, InputLayer)]
    given = [x for x in model._layers if isinstance(x, InputLayer)]
    if input_tensors is not None:
        flat = tree.flatten(input_tensors)
        if len(flat) != 1 or not isinstance(flat[0], Symbol):
            raise invalid("clone_model", "a Sequential model has one input, a symbol", input_tensors=input_tensors)
        x = flat[0] if is_input(flat[0]) else Input(batch_shape=flat[0].shape, dtype=flat[0].dtype)
        first = [x]
    else:
        first = [Input(batch_shape=x.batch_shape, dtype=x.dtype, name=x.name) for x in given]
    return Sequential([*first, *layers], name=model.name, trainable=model.trainable)


def _clone_functional(model: Functional, input_tensors: Any, clone: Callable, call: Callable | None) -> Any:
    if input_tensors is None:
        inputs = tree.map_structure(
            lambda x: Input(batch_shape=x.shape, dtype=x.dtype, name=x.node.operation.name), model._inputs_struct
        )
    else:
        flat = tree.flatten(input_tensors)
        if len(flat) != len(model.inputs) or not all(isinstance(x, Symbol) for x in flat):
            raise invalid("clone_model", f"the model has {len(model.inputs)} inputs", input_tensors=input_tensors)
        inputs = tree.pack_sequence_as(model._inputs_struct, flat)
    made: dict[int, Any] = {}

    def operation(original: Any) -> Any:
        if not isinstance(original, Layer) or isinstance(original, InputLayer):
            return original
        if id(original) not in made:
            made[id(original)] = clone(original)
        copy = made[id(original)]
        return copy if call is None else lambda *args, **kwargs: call(copy, *args, **kwargs)

    outputs = model._run_through(tree.flatten(inputs), operation)
    return type(model)(inputs=inputs, outputs=outputs, name=model.name)
