"""The closed table of names that a config or a file may refer to: built-in symbols and what the caller registered.

A name found in a config is looked up here and nowhere else. Nothing is ever imported by name, so a config can only
reach classes and functions that kerasish itself put under `export`, or that the running program handed over with
`register_keras_serializable`, `CustomObjectScope`, `get_custom_objects` or a `custom_objects` argument.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_symbols: dict[str, Any] = {}
_path_of: dict[Any, str] = {}
_paths_ending_in: dict[str, list[str]] = {}

_custom_objects: dict[str, Any] = {}
_custom_names: dict[Any, str] = {}
_scope: ContextVar[dict[str, Any]] = ContextVar("kerasish_custom_objects")


def register(symbol: T, module: str = "keras.layers", name: str | None = None, aliases: Iterable[str] = ()) -> T:
    """Puts a built-in class or function under its public Keras path.

    Args:
        symbol: class or function.
        module: Keras's public module path, such as `"keras.layers"`; configs carry it as `"module"`.
        name: name in that module; the symbol's own name by default.
        aliases: further module paths (`"keras.dtype_policies"`) under which configs may name it, or whole paths
            (`"keras.layers.Convolution1D"`) whose last part is a class's name.

    Raises:
        ValueError: another symbol already has one of these paths.
    """
    own = name or symbol.__name__
    paths = [m if m.rpartition(".")[2][:1].isupper() else f"{m}.{own}" for m in (module, *aliases)]
    for path in paths:
        if _symbols.setdefault(path, symbol) is not symbol:
            raise ValueError(f"register: {path} is already taken. Received: {symbol!r}, registered: {_symbols[path]!r}")
        found = _paths_ending_in.setdefault(path.rpartition(".")[2], [])
        if path not in found:
            found.append(path)
    _path_of.setdefault(symbol, paths[0])
    return symbol


def export(module: str, name: str | None = None, aliases: Iterable[str] = ()) -> Callable[[T], T]:
    """Decorator form of `register`: `@export("keras.losses")`."""
    return lambda symbol: register(symbol, module, name, aliases)


def public_path(symbol: Any) -> str | None:
    """The Keras path of a built-in class or function, `None` for anything else."""
    try:
        return _path_of.get(symbol)
    except TypeError:  # unhashable callables cannot have been registered
        return None


# Where built-ins live; a name is looked for only when all of them are loaded.
_HOMES = (
    "activations", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers", "layers", "models",
    "dtype_policies",
)  # fmt: skip
_homes_loaded = False


def load_homes() -> None:
    """Loads the packages that register built-ins, so that a name is known also before the program has used it."""
    global _homes_loaded
    if not _homes_loaded:
        _homes_loaded = True
        for home in _HOMES:
            importlib.import_module(f"kerasish.{home}")


def find_symbol(module: str, name: str) -> Any | None:
    """The built-in that Keras calls `module.name`.

    Internal paths resolve too: those of a family (`keras.src.layers.core.dense`), and those of the optimizers that a
    backend keeps for itself (`keras.src.backend.torch.optimizers.torch_adam`).
    """
    found = _symbols.get(f"{module}.{name}")
    if found is None:
        load_homes()
        found = _symbols.get(f"{module}.{name}")
    if found is None and module.startswith("keras.src."):
        parts = module.split(".")
        family = "keras.optimizers." if parts[2] == "backend" and "optimizer" in module else f"keras.{parts[2]}."
        for path in _paths_ending_in.get(name, ()):
            if path.startswith(family):
                return _symbols[path]
    return found


def close_names(name: str, among: Iterable[str] | None = None) -> list[str]:
    """Known names that look like `name`, best first (at most four)."""
    pool = {n.lower(): n for n in (_paths_ending_in if among is None else among)}
    return [pool[n] for n in difflib.get_close_matches(name.lower(), pool, n=4, cutoff=0.5)]


class CustomObjectScope:
    """Makes custom classes and functions known to deserialization inside a `with` block.

    Args:
        custom_objects: dict from name to class or function.

    Example:

    >>> from kerasish.engine.registry import CustomObjectScope, get_registered_object
    >>> def double(x): return 2 * x
    >>> with CustomObjectScope({"double": double}):
    ...     get_registered_object("double") is double
    True
    """

    def __init__(self, custom_objects: dict[str, Any] | None):
        self.custom_objects = custom_objects or {}
        self._tokens: list[Any] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(_scope.set({**_scope.get({}), **self.custom_objects}))
        return self

    def __exit__(self, *exc_info: Any) -> None:
        _scope.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


def get_custom_objects() -> dict[str, Any]:
    """The live global dict of registered custom objects (not those of a `CustomObjectScope`)."""
    return _custom_objects


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Decorator that makes a class or function known to deserialization as `"package>name"`.

    Args:
        package: the package that the symbol belongs to.
        name: its name in that package; the symbol's own name by default.

    Raises:
        ValueError: the class has no `get_config` method.

    Example:

    >>> from kerasish.engine.registry import get_registered_name, register_keras_serializable
    >>> @register_keras_serializable("zoo")
    ... def roar(x): return -x
    >>> get_registered_name(roar)
    'zoo>roar'
    """

    def decorator(symbol: T) -> T:
        if inspect.isclass(symbol) and not hasattr(symbol, "get_config"):
            raise ValueError(
                f"register_keras_serializable: a class needs a get_config() method. Received: {symbol.__name__}"
            )
        registered = f"{package}>{name if name is not None else symbol.__name__}"
        _custom_objects[registered] = symbol
        _custom_names[symbol] = registered
        return symbol

    return decorator


def get_registered_name(obj: Any) -> str:
    """The `"package>name"` that a class or function was registered under, else its Python name."""
    return _custom_names.get(obj) or obj.__name__


def get_registered_object(
    name: str | None, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None
) -> Any | None:
    """The class or function known as `name`, or `None`.

    Looked up in this order: the current `CustomObjectScope`, the global registrations, `custom_objects`,
    `module_objects`.
    """
    for table in (_scope.get({}), _custom_objects, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


def all_custom_objects(custom_objects: dict[str, Any] | None = None) -> dict[str, Any]:
    """Everything that the caller made known, merged; Keras's precedence: registered, then scope, then argument."""
    return {**(custom_objects or {}), **_scope.get({}), **_custom_objects}
