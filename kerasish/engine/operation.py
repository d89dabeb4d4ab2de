"""Operation: what a symbolic graph calls; the base of layers and models."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import tree
from .errors import invalid
from .naming import auto_name, to_snake_case
from .serialization import export
from .spec import Spec
from .symbol import Node, Symbol, any_symbols


class _Tracing(threading.local):
    """Whether this thread calls symbols only to learn shapes, so that no history is kept."""

    depth = 0


tracing = _Tracing()


@contextmanager
def recording() -> Iterator[None]:
    """Inside, calls on symbols keep their history, although somebody around only wants to learn shapes.

    For a model that builds its graph when it is called first.
    """
    depth, tracing.depth = tracing.depth, 0
    try:
        yield
    finally:
        tracing.depth = depth


def infer_spec(fn: Any, *args: Any, **kwargs: Any) -> Any:
    """What fn returns for arguments of these shapes and dtypes, as Symbols without history; nothing is computed.

    Symbols and Specs among the arguments (nested) stand for values.
    """

    def fresh(x: Any) -> Any:
        if isinstance(x, (Symbol, Spec)):
            out = Symbol(x.shape, x.dtype)
            mask = getattr(x, "_keras_mask", None)
            if mask is not None:
                out._keras_mask = fresh(mask)
            return out
        return x

    args, kwargs = tree.map_structure(fresh, (args, kwargs))
    tracing.depth += 1
    try:
        out = fn(*args, **kwargs)
    finally:
        tracing.depth -= 1
    return tree.map_structure(without_history, out)


def without_history(x: Any) -> Any:
    """A Symbol of the same shape and dtype (and mask) that no call has made; other values stay."""
    if not isinstance(x, Symbol):
        return x
    out = Symbol(x.shape, x.dtype)
    mask = getattr(x, "_keras_mask", None)
    if mask is not None:
        out._keras_mask = mask
    return out


@export("keras")
class Operation:
    """Something that can be called on values and on symbols.

    Subclasses define `call`, and `compute_output_spec` where tracing `call` on symbols does not do.

    Args:
        name: by default made from the class name.
    """

    def __new__(cls, *args: Any, **kwargs: Any):
        instance = super().__new__(cls)
        # Kept so that a class without get_config of its own still has a config.
        instance.__dict__["_init_arguments"] = (args, kwargs)
        return instance

    def __init__(self, name: str | None = None):
        if name is None:
            name = auto_name(to_snake_case(type(self).__name__))
        if not isinstance(name, str) or "/" in name:
            raise invalid(type(self).__name__, "the name is a string without '/'", name=name)
        self.name = name
        self._inbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any_symbols(args, kwargs):
            return self.record(args, kwargs, self.symbolic_call(*args, **kwargs))
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The output symbols for input symbols."""
        return self.compute_output_spec(*args, **kwargs)

    def record(self, args: tuple, kwargs: dict, outputs: Any) -> Any:
        """Makes the Node of a symbolic call and returns its output symbols."""
        if tracing.depth:
            return outputs
        inputs = {id(x) for x in tree.flatten((args, kwargs)) if isinstance(x, Symbol)}
        # An output that is an input (an identity) or that another call made needs a symbol of its own.
        outputs = tree.map_structure(
            lambda x: without_history(x) if isinstance(x, Symbol) and (id(x) in inputs or x.node is not None) else x,
            outputs,
        )
        node = Node(self, args, kwargs, outputs)
        node.index = len(self._inbound_nodes)
        self._inbound_nodes.append(node)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define `call`.")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Output symbols without history, by tracing `call`."""
        return infer_spec(self.call, *args, **kwargs)

    def get_config(self) -> dict:
        """The constructor's arguments as a dict, where they are plain values."""
        args, kwargs = self._init_arguments
        import inspect

        names = [p for p in inspect.signature(type(self).__init__).parameters][1:]
        config = {"name": self.name, **dict(zip(names, args)), **kwargs}
        plain = (str, int, float, bool, type(None))
        if any(not isinstance(v, plain) for v in tree.flatten(config)):
            raise NotImplementedError(
                f"{type(self).__name__}: a class whose constructor takes more than plain values defines get_config(). "
                f"Received: {sorted(config)}"
            )
        return config

    @classmethod
    def from_config(cls, config: dict) -> Operation:
        """An instance from `get_config()`'s dict.

        Raises:
            TypeError: where the constructor does not take the config.
        """
        try:
            return cls(**config)
        except TypeError as e:
            raise TypeError(
                f"{cls.__name__}.from_config: the constructor refuses the config ({e}). Received: {config}"
            ) from e

    def _single(self, what: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"{type(self).__name__} {self.name!r} has not been called on a symbol: it has no {what}."
            )
        if len(self._inbound_nodes) > 1:
            raise ValueError(
                f"{type(self).__name__} {self.name!r} was called {len(self._inbound_nodes)} times: which {what} is "
                "meant is not defined."
            )
        node = self._inbound_nodes[0]
        found = node.inputs if what == "input" else node.outputs
        return found[0] if len(found) == 1 else list(found)

    @property
    def input(self) -> Any:
        """The symbol (or list) the operation was called on, where it was called once."""
        return self._single("input")

    @property
    def output(self) -> Any:
        """The symbol (or list) the call gave, where it was called once."""
        return self._single("output")
