"""Activation functions by name, and the ways from names and configs to them."""

from __future__ import annotations

from typing import Any

from kerasish.activations.activations import exponential, gelu, linear, mish, relu
from kerasish.activations.activations import keras2_hard_sigmoid as _keras2_hard_sigmoid
from kerasish.engine.serialization import Family, public_path, register, serialize_keras_object
from kerasish.ops import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh,
    tanh_shrink,
    threshold,
)  # fmt: skip

swish = silu
hard_swish = hard_silu

_functions = [
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, log_sigmoid,
    log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, sparse_plus,
    sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold,
]  # fmt: skip
for _function in _functions:
    register(_function, "keras.activations")
register(_keras2_hard_sigmoid, "kerasish.activations")
_family = Family(
    "activation",
    _functions,
    {"swish": swish, "hard_swish": hard_swish, "keras2_hard_sigmoid": _keras2_hard_sigmoid},
)


def serialize(activation: Any) -> Any:
    """The name of a built-in activation, the config of any other.

    Raises:
        TypeError: where it is neither a function nor an object with a config.

    Example:

    >>> import kerasish as keras
    >>> keras.activations.serialize(keras.activations.relu)
    'relu'
    """
    path = public_path(activation)
    if path is not None and path.startswith(("keras.activations.", "kerasish.activations.")):
        return activation.__name__
    return serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation that a name or a config describes.

    Raises:
        ValueError: the name is unknown; close names are listed.

    Example:

    >>> import kerasish as keras
    >>> keras.activations.deserialize("relu") is keras.activations.relu
    True
    """
    return _family.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """An activation from `None` (linear), a name, a config or a callable.

    Raises:
        ValueError: the name is unknown, or the identifier is none of these.

    Example:

    >>> import kerasish as keras
    >>> keras.activations.get("relu") is keras.activations.relu
    True
    """
    return linear if identifier is None else _family.get(identifier)
