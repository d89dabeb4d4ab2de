"""What happens around a layer's `call`: binding its arguments, and what passes from an outer call to inner ones."""

from __future__ import annotations

import inspect
import threading
from typing import Any

from ..engine import tree
from ..engine.strings import is_strings
from ..engine.tensor import Operators


class CallSignature:
    """The signature of one class's `call` (without self), read once."""

    def __init__(self, signature: inspect.Signature):
        parameters = list(signature.parameters.values())
        self.signature = signature
        self.names = [p.name for p in parameters]
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.first = next((p.name for p in parameters if p.kind in positional), None)
        self.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self.takes = frozenset(self.names)
        self.varkw = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.named = frozenset(p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))

    def bind(self, args: tuple, kwargs: dict, where: str) -> dict[str, Any]:
        """Arguments by name, without defaults.

        Raises:
            TypeError: names the layer and the argument.
        """
        if len(args) == 1 and not kwargs and self.first is not None:
            return {self.first: args[0]}
        try:
            bound = self.signature.bind_partial(*args, **kwargs)
        except TypeError as e:
            raise TypeError(f"{where}: {e}. The call takes {self.signature}.") from None
        out = {}
        for name, value in bound.arguments.items():
            kind = self.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                out.update(value)
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                out.update({f"{name}_{k}" if k else name: v for k, v in enumerate(value)})
            else:
                out[name] = value
        return out


class CallContext(threading.local):
    """What inner calls take over from outer ones, for each thread: the entry layer and the training flag."""

    depth = 0
    training: bool | None = None


context = CallContext()


def is_tensor_like(x: Any) -> bool:
    """Whether x is a tensor, variable or symbol."""
    return isinstance(x, Operators)


def tensor_arguments(bound: dict[str, Any]) -> dict[str, Any]:
    """The arguments that are tensors (or strings), or structures made of them only."""
    out = {}
    for name, value in bound.items():
        if is_tensor_like(value) or is_strings(value):
            out[name] = value
        elif tree.is_nested(value):
            flat = tree.flatten(value)
            if flat and all(is_tensor_like(x) or is_strings(x) for x in flat):
                out[name] = value
    return out


def get_mask(x: Any) -> Any:
    """The mask that a layer attached to a tensor, or None."""
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Attaches a mask (True = keep) to a tensor or symbol."""
    x._keras_mask = mask


def shapes_for_build(build: inspect.Signature, tensors: dict[str, Any], where: str) -> dict[str, Any]:
    """The shape arguments with which to call `build`, from the tensors that `call` got.

    A build method with one argument gets the shapes of the first tensor argument, under whatever name; one with
    several takes `<argument>_shape` for each.

    Raises:
        ValueError: where a shape argument has no tensor.
    """
    parameters = [p for p in build.parameters.values() if p.name != "self"]
    shapes = {f"{k}_shape": tree.map_structure(lambda t: tuple(t.shape), v) for k, v in tensors.items()}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return shapes
    if not parameters:
        return {}
    if len(parameters) == 1:
        key = parameters[0].name
        if key in shapes:
            return {key: shapes[key]}
        if not shapes and parameters[0].default is not inspect.Parameter.empty:
            return {}
        if not shapes:
            raise ValueError(f"{where}: build needs a shape, and the call has no tensor arguments.")
        return {key: next(iter(shapes.values()))}
    out = {}
    for p in parameters:
        if p.name in shapes:
            out[p.name] = shapes[p.name]
        elif p.default is p.empty and p.kind is not p.VAR_POSITIONAL:
            raise ValueError(
                f"{where}: build() takes `{p.name}`, and no tensor argument has that name without `_shape`. "
                f"Received: {sorted(shapes)}"
            )
    return out
