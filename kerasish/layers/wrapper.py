"""Wrapper: the base of layers around a layer."""

from __future__ import annotations

from typing import Any

from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from .layer import Layer


@export("keras.layers")
class Wrapper(Layer):
    """Base of layers that hold one other layer, whose weights are their own.

    Args:
        layer: the layer inside.

    Raises:
        ValueError: for what is not a layer.

    >>> import kerasish as keras
    >>> class Twice(keras.layers.Wrapper):
    ...     def call(self, inputs):
    ...         return self.layer(self.layer(inputs))
    >>> Twice(keras.layers.Rescaling(3.0))(keras.ops.ones((1, 2))).numpy()
    array([[9., 9.]], dtype=float32)
    """

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, Layer):
            raise invalid(type(self).__name__, "what is wrapped is a layer", layer=layer)
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    def get_config(self) -> dict:
        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Any:
        config = dict(config)
        return cls(deserialize_keras_object(config.pop("layer"), custom_objects=custom_objects), **config)
