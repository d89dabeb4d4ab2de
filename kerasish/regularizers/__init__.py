"""Regularizers: penalties on weights."""

from __future__ import annotations

from typing import Any

from kerasish.engine.naming import to_snake_case
from kerasish.engine.serialization import Family, serialize_keras_object
from kerasish.regularizers.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer

# Keras's second names.
l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

_members = [L1, L1L2, L2, OrthogonalRegularizer, Regularizer]
_family = Family("regularizer", _members, {**{to_snake_case(m.__name__): m for m in _members}, "l1_l2": L1L2})


def serialize(regularizer: Any) -> Any:
    """The config of a regularizer."""
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that a config or a name describes.

    Raises:
        ValueError: the name is unknown; close names are listed.
    """
    return _family.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """A regularizer from `None`, a name, a config, a class or a callable.

    Raises:
        ValueError: the name is unknown, or the identifier is none of these.

    Example:

    >>> import kerasish as keras
    >>> keras.regularizers.get("l2")
    L2(l2=0.01)
    """
    return _family.get(identifier)
