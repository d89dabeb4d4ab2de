"""Wrapper and TimeDistributed: layers around a layer."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from .conv import Conv1D, Conv2D, Conv3D
from .conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from .dense import Dense
from .depthwise import DepthwiseConv1D, DepthwiseConv2D
from .layer import Layer
from .normalization import LayerNormalization
from .pooling import AveragePooling1D, AveragePooling2D, AveragePooling3D, MaxPooling1D, MaxPooling2D, MaxPooling3D
from .reshaping import Flatten
from .rnn import takes_training
from .separable import SeparableConv1D, SeparableConv2D

# Layers for which a step of a sample is as good as a sample: no state changes, nothing random happens, and samples do
# not meet.  All steps are then one call, which is what the kernels are fast at.
_SAMPLEWISE = frozenset(
    (
        Dense, Conv1D, Conv2D, Conv3D, Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, DepthwiseConv1D,
        DepthwiseConv2D, SeparableConv1D, SeparableConv2D, AveragePooling1D, AveragePooling2D, AveragePooling3D,
        MaxPooling1D, MaxPooling2D, MaxPooling3D, LayerNormalization, Flatten,
    )
)  # fmt: skip


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


@export("keras.layers")
class TimeDistributed(Wrapper):
    """Applies a layer to every step of the second axis.

    Args:
        layer: the layer; it gets inputs without that axis.

    Input: (batch, time, ...); output: (batch, time, ...). A mask (batch, time, ...) is handed on step by step, where
    the layer takes one.

    Raises:
        ValueError: for what is not a layer, inputs of fewer than 3 dimensions, and masks that do not fit.

    >>> import kerasish as keras
    >>> keras.layers.TimeDistributed(keras.layers.Dense(4))(keras.ops.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _step_shape(self, input_shape: Any) -> tuple:
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise invalid(
                f"TimeDistributed {self.name!r}", "the input has at least 3 dimensions", input_shape=input_shape
            )
        return (input_shape[0], *input_shape[2:])

    def build(self, input_shape: Any) -> None:
        super().build(self._step_shape(input_shape))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        batch, *rest = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (batch, input_shape[1], *rest)

    def _check_mask(self, inputs: Any, mask: Any) -> None:
        known = zip(inputs.shape[:2], mask.shape[:2])
        if len(mask.shape) < 2 or any(None not in (a, b) and a != b for a, b in known):
            raise invalid(
                f"TimeDistributed {self.name!r}",
                "the mask begins with the input's first two dimensions, batch and time",
                mask=mask,
                inputs=inputs,
            )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        self._step_shape(tuple(inputs.shape))
        if mask is not None:
            self._check_mask(inputs, mask)
        batch, time, *rest = inputs.shape
        if type(self.layer) in _SAMPLEWISE and None not in rest and (batch is None or time is None or batch * time):
            y = self.layer.call(ops.reshape(inputs, (-1, *rest)))
            if time is not None or batch is not None:
                shape = (-1, time) if time is not None else (batch, -1)
                return ops.reshape(y, (*shape, *y.shape[1:]))
        if not time:
            raise invalid(
                f"TimeDistributed {self.name!r}",
                "the number of time steps must be known, and at least 1",
                inputs=inputs,
            )
        options = [{"training": training} if takes_training(self.layer) else {} for _ in range(time)]
        if mask is not None and "mask" in self.layer._signature.takes:
            for extra, m in zip(options, ops.unstack(mask, time, axis=1)):
                extra["mask"] = m
        steps = ops.unstack(inputs, time, axis=1)
        return ops.stack([self.layer.call(x, **extra) for x, extra in zip(steps, options)], axis=1)
