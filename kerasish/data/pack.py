"""The tuple forms `x`, `(x,)`, `(x, y)` and `(x, y, sample_weight)` in which batches travel."""

from __future__ import annotations

from typing import Any

from ..engine.errors import invalid


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Splits a batch into `(x, y, sample_weight)`, with None for what is missing.

    Args:
        data: `x`, or a tuple or list of one to three parts.

    Raises:
        ValueError: a tuple of any other length.

    Example:

    >>> unpack_x_y_sample_weight(("x", "y"))
    ('x', 'y', None)
    """
    if not isinstance(data, (tuple, list)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        rule = "data must have the form `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`"
        raise invalid("unpack_x_y_sample_weight", rule, parts=len(data), data=data)
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The shortest form that holds what is given; a list or tuple `x` alone is wrapped, so that it stays one part.

    Example:

    >>> pack_x_y_sample_weight("x"), pack_x_y_sample_weight(["a", "b"]), pack_x_y_sample_weight("x", "y")
    ('x', (['a', 'b'],), ('x', 'y'))
    """
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
