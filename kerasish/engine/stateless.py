"""Lends variables other values for the length of a block: what the `stateless_*` methods stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .errors import invalid
from .variable import Variable


@contextmanager
def lent_values(variables: Sequence[Variable], values: Sequence[Any], where: str, what: str) -> Iterator[None]:
    """Gives each variable the value at its place; at the end, all variables have their own values again.

    Args:
        variables: the variables.
        values: as many tensors or arrays, of their shapes.
        where, what: the method and its argument, for the error.

    Raises:
        ValueError: there are more or fewer values than variables, or a shape differs.
    """
    if len(values) != len(variables):
        raise invalid(where, f"{what} holds one value for each of {len(variables)} variables", given=len(values))
    saved = [v._value for v in variables]
    try:
        for variable, value in zip(variables, values):
            variable.assign(value)
        yield
    finally:
        for variable, value in zip(variables, saved):
            variable._value = value


def current_values(variables: Sequence[Variable]) -> list:
    """The variables' values."""
    return [v._value for v in variables]
