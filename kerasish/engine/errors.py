"""How errors are worded: the layer or op, the rule, and what was received."""

from __future__ import annotations

from typing import Any


def describe(value: Any) -> str:
    """A short account of a value: shape and dtype of an array, else its repr, cut to a readable length."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"{type(value).__name__}(shape={tuple(shape)}, dtype={dtype})"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def invalid(where: str, rule: str, kind: type[Exception] = ValueError, **received: Any) -> Exception:
    """Builds (does not raise) the error for bad input.

    Args:
        where: the layer or op, by name.
        rule: what must hold, without a full stop.
        kind: the exception class.
        received: what came instead; anything that has a shape is shown by its shape.

    Example:

    >>> from kerasish.engine.errors import invalid
    >>> invalid("dense", "units is a positive integer", units=-1)
    ValueError('dense: units is a positive integer. Received: units=-1')
    """
    parts = []
    for name, value in received.items():
        shape = getattr(value, "shape", None)
        if shape is None or isinstance(value, type):
            parts.append(f"{name}={describe(value)}")
        else:
            parts.append(f"{name}.shape={tuple(shape)}")
    message = f"{where}: {rule}."
    return kind(f"{message} Received: {', '.join(parts)}" if parts else message)


def name_layer(error: Exception, layer: str) -> None:
    """Adds the layer in whose call an op failed to the error's message; the innermost layer's name stays.

    Args:
        error: an error with a message.
        layer: the layer's class and name.

    Example:

    >>> from kerasish.engine.errors import name_layer
    >>> error = ValueError("add: the shapes of the operands must broadcast")
    >>> name_layer(error, "Add 'join'")
    >>> name_layer(error, "Functional 'model'")
    >>> error
    ValueError("add: the shapes of the operands must broadcast (in Add 'join')")
    """
    plain = type(error) in (ValueError, TypeError) and len(error.args) == 1 and isinstance(error.args[0], str)
    if plain and not getattr(error, "_names_layer", False):
        error._names_layer = True
        if layer not in error.args[0]:
            error.args = (f"{error.args[0]} (in {layer})",)
