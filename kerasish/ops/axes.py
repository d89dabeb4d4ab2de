"""Axis numbers as users give them, made positions and checked."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

from ..engine.errors import invalid


def as_int(where: str, name: str, value: Any) -> int:
    """An integer argument as an int (NumPy integers and integer scalars count).

    Raises:
        TypeError: for anything else, bools among it.
    """
    if not isinstance(value, bool):
        try:
            return index(value)
        except TypeError:
            pass
    raise invalid(where, f"`{name}` is an integer", kind=TypeError, **{name: value})


def as_ints(where: str, name: str, value: Any) -> tuple[int, ...]:
    """An integer or a sequence of them as a tuple."""
    if isinstance(value, Iterable) and not isinstance(value, str) and getattr(value, "shape", (1,)) != ():
        return tuple(as_int(where, name, v) for v in value)
    return (as_int(where, name, value),)


def one_axis(where: str, axis: Any, ndim: int, name: str = "axis") -> int:
    """The position of an axis, 0 <= axis < ndim, from one that may count from the end.

    Raises:
        ValueError: outside [-ndim, ndim).
    """
    a = as_int(where, name, axis)
    if not -ndim <= a < ndim:
        raise invalid(where, f"`{name}` must lie in [-{ndim}, {ndim}) for a tensor of rank {ndim}", **{name: axis})
    return a % ndim


def some_axes(where: str, axis: Any, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """Positions of one or more distinct axes, in the order given; None means all.

    Raises:
        ValueError: for an axis out of range or given twice.
    """
    if axis is None:
        return tuple(range(ndim))
    given = as_ints(where, name, axis)
    axes = tuple(one_axis(where, a, ndim, name) for a in given)
    if len(set(axes)) != len(axes):
        raise invalid(where, f"`{name}` names an axis twice", **{name: given})
    return axes
