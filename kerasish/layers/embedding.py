"""Embedding, Masking, Identity, Lambda and Rescaling."""

from __future__ import annotations

import inspect
from typing import Any

from .. import ops, regularizers
from ..engine import tree
from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from ..engine.symbol import Symbol
from ..ops.gather import embedding_lookup
from .activation import ElementwiseLayer
from .data_layer import DataLayer
from .layer import Layer
from .options import check_count, options_config, refuse, set_options


@export("keras.layers")
class Embedding(Layer):
    """Looks up a row of a table for each integer.

    Args:
        input_dim: number of rows: integers are in [0, input_dim).
        output_dim: length of a row.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 means padding, to be masked in later layers.
        weights: initial table, or a list with it.
        lora_rank, lora_alpha, quantization_config: must be None.

    Input: integers of any shape; output: the shape with output_dim added.

    Raises:
        ValueError: for sizes below 1, and for an integer outside the table when the layer is called.

    >>> import kerasish as keras
    >>> keras.layers.Embedding(10, 4)(keras.ops.convert_to_tensor([[1, 2, 9]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        weights=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        input_length = kwargs.pop("input_length", None)  # Keras 2's; carries no meaning
        del input_length
        super().__init__(**kwargs)
        refuse("Embedding", lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config)
        self.input_dim = check_count("Embedding", "input_dim", input_dim)
        self.output_dim = check_count("Embedding", "output_dim", output_dim)
        set_options(
            self,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
        )
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        if weights is not None:
            self._start_from(weights)

    def _start_from(self, weights: Any) -> None:
        """Builds the layer with a table that is given, or with a list of weights."""
        self.build()
        listed = isinstance(weights, list) and len(weights) == len(self.weights) and not isinstance(weights[0], list)
        self.set_weights(weights if listed else [weights])

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            name="embeddings",
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def call(self, inputs: Any) -> Any:
        if inputs.dtype not in ("int32", "int64", "uint8", "uint16", "uint32", "int8", "int16"):
            inputs = ops.cast(inputs, "int32")
        return ops.cast(embedding_lookup(self.embeddings, inputs), self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict:
        config = {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "mask_zero": self.mask_zero,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }
        return {**super().get_config(), **config, **options_config(self)}


@export("keras.layers")
class Masking(ElementwiseLayer):
    """Masks the steps all of whose features equal a value, and sets them to 0.

    Args:
        mask_value: the value.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor([[[1.0, 2.0], [9.0, 9.0]]])
    >>> keras.layers.Masking(9.0)(x).numpy().tolist()
    [[[1.0, 2.0], [0.0, 0.0]]]
    """

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = deserialize_keras_object(mask_value) if isinstance(mask_value, dict) else mask_value

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        keep = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return ops.multiply(inputs, ops.cast(keep, inputs.dtype))

    def get_config(self) -> dict:
        return {**super().get_config(), "mask_value": serialize_keras_object(self.mask_value)}


@export("keras.layers")
class Identity(ElementwiseLayer):
    """Hands its input (a tensor or a structure of them) on."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_spec(self, inputs: Any) -> Any:
        return tree.map_structure(lambda x: Symbol(x.shape, x.dtype), inputs)


@export("keras.layers")
class Lambda(Layer):
    """A function as a layer. Prefer a subclass of Layer: a function has no config that a file could carry.

    Args:
        function: function of the inputs; may take `mask` and `training`.
        output_shape: shape without the batch dimension, or a function of the input shape; inferred by default.
        mask: mask, or a function of (inputs, mask).
        arguments: dict of further keyword arguments.

    >>> import kerasish as keras
    >>> keras.layers.Lambda(lambda x: x * 2)(keras.ops.ones((1, 2))).numpy()
    array([[2., 2.]], dtype=float32)
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise invalid("Lambda", "function is callable", kind=TypeError, function=function)
        self.arguments = arguments or {}
        self.function = function
        self._output_shape = output_shape
        self._mask_given = mask
        if mask is not None:
            self.supports_masking = True
        parameters = inspect.signature(function).parameters if not inspect.isbuiltin(function) else {}
        self._takes = {n for n in ("mask", "training") if n in parameters}

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        extra = {n: v for n, v in (("mask", mask), ("training", training)) if n in self._takes}
        return self.function(inputs, **{**self.arguments, **extra})

    def compute_output_spec(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        if self._output_shape is None:
            return super().compute_output_spec(inputs)
        first = tree.flatten(inputs)[0]
        if callable(self._output_shape):
            shape = self._output_shape(tree.map_structure(lambda x: tuple(x.shape), inputs))
        else:
            shape = (first.shape[0], *self._output_shape)
        return tree.map_shape_structure(lambda s: Symbol(s, self.compute_dtype), shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self._mask_given(inputs, mask) if callable(self._mask_given) else self._mask_given

    def get_config(self) -> dict:
        config = {
            "function": serialize_keras_object(self.function),
            "output_shape": serialize_keras_object(self._output_shape),
            "mask": serialize_keras_object(self._mask_given),
            "arguments": serialize_keras_object(self.arguments),
        }
        return {**super().get_config(), **{k: v for k, v in config.items() if v is not None}}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None, safe_mode: bool | None = None) -> Lambda:
        config = dict(config)
        for key in ("function", "output_shape", "mask", "arguments"):
            if isinstance(config.get(key), dict):
                config[key] = deserialize_keras_object(config[key], custom_objects=custom_objects)
        return cls(**config)


@export("keras.layers")
class Rescaling(DataLayer):
    """inputs * scale + offset.

    Args:
        scale, offset: numbers, or lists with one for each channel.

    Input: a tensor, an array, a number or a nested list of numbers; integers are cast to the compute dtype.

    >>> import kerasish as keras
    >>> keras.layers.Rescaling(1 / 255)([[0, 255]]).numpy()
    array([[0., 1.]], dtype=float32)
    """

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = deserialize_keras_object(scale) if isinstance(scale, dict) else scale
        self.offset = deserialize_keras_object(offset) if isinstance(offset, dict) else offset

    def call(self, inputs: Any) -> Any:
        dtype = self.compute_dtype
        x = ops.cast(inputs, dtype)
        scale, offset = (ops.convert_to_tensor(v, dtype=dtype) for v in (self.scale, self.offset))
        return ops.add(ops.multiply(x, scale), offset)

    def get_config(self) -> dict:
        config = {"scale": serialize_keras_object(self.scale), "offset": serialize_keras_object(self.offset)}
        return {**super().get_config(), **config}
