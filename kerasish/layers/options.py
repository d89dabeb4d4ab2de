"""Initializers, regularizers and constraints as layer arguments: one place that resolves and serializes them."""

from __future__ import annotations

from typing import Any

from .. import activations, constraints, initializers, regularizers
from ..engine.errors import invalid

_MODULES = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
    "activation": activations,
}


def set_options(layer: Any, **given: Any) -> None:
    """Resolves each argument by its last word (`kernel_initializer`, `activation`) and sets it on the layer."""
    for name, value in given.items():
        setattr(layer, name, _MODULES[name.rpartition("_")[2]].get(value))
    layer.__dict__["_option_names"] = (*layer.__dict__.get("_option_names", ()), *given)


def options_config(layer: Any) -> dict[str, Any]:
    """The serialized form of everything that `set_options` set."""
    return {n: _MODULES[n.rpartition("_")[2]].serialize(getattr(layer, n)) for n in layer._option_names}


def check_count(where: str, name: str, value: Any) -> int:
    """A positive integer.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() <= 0:
        raise invalid(where, f"{name} is a positive integer", **{name: value})
    return value.__index__()


def check_rate(where: str, name: str, value: Any, top: float = 1.0) -> float:
    """A number in [0, top].

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= top:
        raise invalid(where, f"{name} is a number between 0 and {top:g}", **{name: value})
    return value


def refuse(where: str, **given: Any) -> None:
    """Raises for options of Keras that are not supported here, when they are given.

    Raises:
        ValueError: names the option.
    """
    for name, value in given.items():
        if value is not None:
            raise invalid(where, f"{name} is not supported", **{name: value})
