"""Constraints: projections of weights after an update."""

from __future__ import annotations

from typing import Any

from kerasish.constraints.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from kerasish.engine.naming import to_snake_case
from kerasish.engine.serialization import Family, serialize_keras_object

# Keras's second names.
max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_members = [Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm]
_family = Family("constraint", _members, {to_snake_case(m.__name__): m for m in _members})


def serialize(constraint: Any) -> Any:
    """The config of a constraint."""
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that a config or a name describes.

    Raises:
        ValueError: the name is unknown; close names are listed.
    """
    return _family.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """A constraint from `None`, a name, a config, a class or a callable.

    Raises:
        ValueError: the name is unknown, or the identifier is none of these.

    Example:

    >>> import kerasish as keras
    >>> keras.constraints.get("max_norm")
    MaxNorm(max_value=2, axis=0)
    """
    return _family.get(identifier)
