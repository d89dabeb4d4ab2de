"""Initializers: how the first values of weights are made."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import ops
from kerasish.engine.dtype import standardize_dtype
from kerasish.engine.errors import invalid
from kerasish.engine.naming import to_snake_case
from kerasish.engine.serialization import Family, serialize_keras_object
from kerasish.engine.tensor import is_tensor
from kerasish.engine.variable import Variable
from kerasish.initializers.constant_initializers import STFT, Constant, Identity, Ones, Zeros
from kerasish.initializers.initializer import Initializer
from kerasish.initializers.random_initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

# Keras's second names.
IdentityInitializer = identity = Identity
OrthogonalInitializer = orthogonal = Orthogonal
STFTInitializer = stft = STFT
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
random_normal = RandomNormal
random_uniform = RandomUniform
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_members = [
    Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, Initializer, LecunNormal, LecunUniform, Ones,
    Orthogonal, RandomNormal, RandomUniform, STFT, TruncatedNormal, VarianceScaling, Zeros,
]  # fmt: skip
_family = Family(
    "initializer",
    _members,
    {
        **{to_snake_case(m.__name__): m for m in _members},
        "IdentityInitializer": Identity,
        "OrthogonalInitializer": Orthogonal,
        "STFTInitializer": STFT,
        "normal": RandomNormal,
        "one": Ones,
        "uniform": RandomUniform,
        "zero": Zeros,
    },
)


def serialize(initializer: Any) -> Any:
    """The config of an initializer."""
    return serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that a config or a name describes.

    Raises:
        ValueError: the name is unknown; close names are listed.
    """
    return _family.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """An initializer from `None`, a name, a config, a class, a callable or a tensor (which is its own value).

    Raises:
        ValueError: the name is unknown, or the identifier is none of these.

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.get("he_normal")
    HeNormal(seed=None, input_axes=None, output_axes=None)
    """
    if is_tensor(identifier) or isinstance(identifier, (Variable, np.ndarray, np.generic)):
        return _value_initializer(identifier)
    return _family.get(identifier)


def _value_initializer(value: Any) -> Any:
    def initialize(shape: Any, dtype: Any = None) -> Any:
        if tuple(shape) != tuple(value.shape):
            raise invalid(
                "initializer", f"the given value serves for its own shape alone, not {tuple(shape)}", value=value
            )
        return ops.cast(value, standardize_dtype(dtype))

    return initialize
