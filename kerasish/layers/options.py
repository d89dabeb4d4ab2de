"""Initializers, regularizers and constraints as layer arguments: one place that resolves and serializes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

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


def check_axes(where: str, name: str, value: Any) -> Any:
    """An integer, or a list of integers from a list or tuple of them.

    Raises:
        TypeError: for anything else.
    """
    several = isinstance(value, (list, tuple))
    if any(isinstance(a, bool) or not hasattr(a, "__index__") for a in (value if several else [value])):
        raise invalid(where, f"{name} is an integer or a list of integers", kind=TypeError, **{name: value})
    return [a.__index__() for a in value] if several else value.__index__()


def check_number(where: str, name: str, value: Any, least: float = -math.inf, top: float = math.inf) -> float:
    """A number in [least, top].

    Raises:
        ValueError: for anything else.
    """
    if isinstance(value, np.number):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= top:
        within = f" between {least:g} and {top:g}" if top < math.inf else f" of at least {least:g}"
        raise invalid(where, f"{name} is a number{within if least > -math.inf else ''}", **{name: value})
    return value


def check_rate(where: str, name: str, value: Any, top: float = 1.0) -> float:
    """A number in [0, top].

    Raises:
        ValueError: for anything else.
    """
    return check_number(where, name, value, 0.0, top)


def refuse(where: str, **given: Any) -> None:
    """Raises for options of Keras that are not supported here, when they are given.

    Raises:
        ValueError: names the option.
    """
    for name, value in given.items():
        if value is not None:
            raise invalid(where, f"{name} is not supported", **{name: value})
