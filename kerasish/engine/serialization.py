"""Objects to config dicts and back, in Keras 3's JSON format, without ever running code that a config brings.

An object becomes `{"module", "class_name", "config", "registered_name"}` (plus `build_config`, `compile_config` and
`shared_object_id` where they apply), a function `{"module": "builtins", "class_name": "function", "config": name}`;
plain Python values stay as they are, and a few value types have tagged forms (`codec`). Names resolve through
`kerasish.engine.registry` only.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from kerasish.engine.registry import (  # noqa: F401  (one import for users of serialization)
    CustomObjectScope,
    all_custom_objects,
    close_names,
    custom_object_scope,
    export,
    find_symbol,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    public_path,
    register,
    register_keras_serializable,
)
from kerasish.engine.tensor import Tensor

PLAIN_TYPES = (str, int, float, bool)

# Where a function config, which carries a bare name, is looked for.
FUNCTION_MODULES = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints", "optimizers")

_ARRAY_DTYPES = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    + ("float16", "float32", "float64", "complex64", "complex128")
)

_PYTHON_TYPES = {t.__name__: t for t in (bool, int, float, complex, str, bytes, list, tuple, dict, set)} | {
    name: getattr(np, name) for name in _ARRAY_DTYPES - {"bool"}
}


class Codec(NamedTuple):
    """How one value type is written: `{"class_name": tag, "config": encode(value)}`."""

    tag: str
    type: type
    encode: Callable[[Any], dict[str, Any]]
    decode: Callable[[dict[str, Any]], Any]


_codecs: dict[str, Codec] = {}


def codec(tag: str, cls: type, encode: Callable[[Any], dict], decode: Callable[[dict], Any]) -> None:
    """Adds a tagged value type, such as `__keras_tensor__`; `decode` gets the inner config."""
    _codecs[tag] = Codec(tag, cls, encode, decode)


def array_config(array: np.ndarray) -> dict[str, Any]:
    """The `{"value", "dtype"}` config of a numeric or bool array."""
    if array.dtype.name not in _ARRAY_DTYPES:
        raise TypeError(f"serialize: an array's dtype must be numeric or bool. Received: dtype={array.dtype}")
    return {"value": array.tolist(), "dtype": array.dtype.name}


def array_from_config(config: dict[str, Any]) -> np.ndarray:
    """The array of a `{"value", "dtype"}` config; only numeric and bool dtypes are read."""
    if config["dtype"] not in _ARRAY_DTYPES:
        raise ValueError(f"deserialize: an array's dtype must be numeric or bool. Received: dtype={config['dtype']!r}")
    return np.array(config["value"], dtype=config["dtype"])


def _slice_parts(value: slice) -> dict[str, Any]:
    return {k: serialize_keras_object(getattr(value, k)) for k in ("start", "stop", "step")}


def _slice_from_parts(config: dict[str, Any]) -> slice:
    return slice(*(deserialize_keras_object(config[k]) for k in ("start", "stop", "step")))


codec("__bytes__", bytes, lambda b: {"value": b.decode("utf-8")}, lambda c: c["value"].encode("utf-8"))
codec("__slice__", slice, _slice_parts, _slice_from_parts)
codec("__ellipsis__", type(Ellipsis), lambda _: {}, lambda _: Ellipsis)
codec("__numpy__", np.ndarray, array_config, array_from_config)
codec("__tensor__", Tensor, lambda t: array_config(t.data), lambda c: Tensor(array_from_config(c)))


class _Shared(NamedTuple):
    objects: dict[int, Any]  # shared_object_id -> what was deserialized from it
    seen: dict[int, tuple[int, Any, dict]]  # id(obj) -> (shared_object_id, obj kept alive, its first config)


_sharing: ContextVar[_Shared | None] = ContextVar("kerasish_shared_objects", default=None)


class ObjectSharingScope:
    """Inside, an object met twice is written with a `shared_object_id` and read back as one object."""

    def __enter__(self) -> ObjectSharingScope:
        self._token = _sharing.set(_Shared({}, {}))
        return self

    def __exit__(self, *exc_info: Any) -> None:
        _sharing.reset(self._token)


def serialize_keras_object(obj: Any) -> Any:
    """Describes an object by a JSON-able structure that `deserialize_keras_object` turns back into it.

    Args:
        obj: a kerasish or custom object with `get_config()`, a named function, a tensor or array, or a nested
            list, tuple or dict of such and of plain Python values.

    Returns:
        A dict for objects and functions; plain values, lists, tuples and dicts keep their kind.

    Raises:
        TypeError: the object has no `get_config()`, or it returned something else than a dict.

    Example:

    >>> from kerasish.engine.serialization import serialize_keras_object
    >>> serialize_keras_object({"rate": 0.5, "axes": slice(1, None)})["axes"]
    {'class_name': '__slice__', 'config': {'start': 1, 'stop': None, 'step': None}}
    """
    if obj is None or isinstance(obj, PLAIN_TYPES):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize_keras_object(x) for x in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.generic) or (isinstance(obj, np.ndarray) and obj.ndim == 0):
        return obj.item()
    for c in _codecs.values():
        if isinstance(obj, c.type):
            return {"class_name": c.tag, "config": c.encode(obj)}
    if inspect.isfunction(obj) and obj.__name__ == "<lambda>" and get_registered_name(obj) == "<lambda>":
        warnings.warn(
            "serialize_keras_object: a lambda has no name to be found by, and its code is never written to a config. "
            "Whoever loads this config must supply the function as custom_objects={'<lambda>': function}; a named "
            "function under @register_keras_serializable() needs no such help.",
            stacklevel=2,
        )
        return {"class_name": "__lambda__", "config": {"value": None}}
    return _object_config(obj)


def _object_config(obj: Any) -> dict[str, Any]:
    inner = _inner_config(obj)
    path = public_path(type(obj))
    if path is not None:
        module, _, class_name = path.rpartition(".")
        registered_name = None
    else:
        class_name = type(obj).__name__
        module = type(obj).__module__
        # A custom class is found by its registered name alone; Keras writes no module for the main program's.
        module = None if module == "__main__" else module
        registered_name = class_name if module == "builtins" else get_registered_name(type(obj))
    config = {"module": module, "class_name": class_name, "config": inner, "registered_name": registered_name}
    for key in ("build_config", "compile_config"):
        getter = getattr(obj, f"get_{key}", None)
        extra = getter() if getter is not None else None
        if extra is not None:
            config[key] = serialize_keras_object(extra)
    _note_shared(obj, config)
    return config


def _inner_config(obj: Any) -> Any:
    if inspect.isclass(obj):
        return get_registered_name(obj)
    if hasattr(obj, "get_config"):
        config = obj.get_config()
        if not isinstance(config, dict):
            raise TypeError(
                f"serialize_keras_object: get_config() must return a dict. Received: {config!r} from {obj!r}"
            )
        return serialize_keras_object(config)
    if hasattr(obj, "__name__"):
        return get_registered_name(obj)
    raise TypeError(
        "serialize_keras_object: an object needs a get_config() method. "
        f"Received: {obj!r} of type {type(obj).__module__}.{type(obj).__name__}"
    )


def _note_shared(obj: Any, config: dict[str, Any]) -> None:
    shared = _sharing.get()
    if shared is None:
        return
    number, _, first = shared.seen.setdefault(id(obj), (len(shared.seen) + 1, obj, config))
    if first is not config:
        config["shared_object_id"] = first["shared_object_id"] = number


def deserialize_keras_object(
    config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True, **kwargs: Any
) -> Any:
    """Builds the object that a config describes.

    Args:
        config: what `serialize_keras_object` returned, or what JSON made of it (tuples have become lists).
        custom_objects: dict from name to class or function, for what is not built in and not registered.
        safe_mode: accepted for compatibility. Code in a config is never run, whatever its value.
        **kwargs: `module_objects`, a dict from name to class or function in which `class_name` or a bare string
            is looked up first.

    Returns:
        The object; a structure of objects for a structure of configs; plain values as they are.

    Raises:
        TypeError: the class or function is unknown, or its constructor does not take the config.
        ValueError: the config carries the code of a lambda, which is refused.

    Example:

    >>> from kerasish.engine.serialization import deserialize_keras_object
    >>> deserialize_keras_object({"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}})
    slice(1, None, 2)
    """
    module_objects = kwargs.pop("module_objects", None)
    if kwargs:
        raise TypeError(f"deserialize_keras_object: unknown arguments {sorted(kwargs)}")
    known = all_custom_objects(custom_objects)
    if isinstance(config, str) and known.get(config) is not None:
        return known[config]
    if isinstance(config, str) and module_objects is not None:
        return _from_module_objects(config, module_objects, known)
    if config is None or isinstance(config, PLAIN_TYPES):
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(x, custom_objects=known) for x in config]
    if not isinstance(config, dict):
        raise TypeError(f"deserialize_keras_object: a config is made of JSON values. Received: {config!r}")
    if module_objects is not None:
        if "class_name" not in config:
            raise ValueError(f"deserialize_keras_object: the config lacks a 'class_name'. Received: {config}")
        names = (config["class_name"], config.get("registered_name"), config.get("config"))
        if not any(isinstance(n, str) and n in known for n in names):
            name = names[2] if names[0] == "function" else names[0]
            if name in module_objects:
                return _from_module_objects(name, module_objects, known, config)
            config = {"config": None, **config}
    if config.get("class_name") == "__tuple__" and "items" in config:
        return tuple(deserialize_keras_object(x, custom_objects=known) for x in config["items"])
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value, custom_objects=known) for key, value in config.items()}
    return _from_config(config, known)


def _from_module_objects(name: str, module_objects: dict, known: dict, config: dict | None = None) -> Any:
    symbol = module_objects.get(name)
    if symbol is None:
        return name
    if not inspect.isclass(symbol):
        return symbol
    inner = {"class_name": name, **(config or {}), "config": (config or {}).get("config") or {}}
    return _instance(symbol, inner, known)


def _from_config(config: dict[str, Any], known: dict[str, Any]) -> Any:
    class_name = config["class_name"]
    inner = config["config"] if config["config"] is not None else {}
    if class_name in _codecs:
        return _codecs[class_name].decode(inner)
    if class_name == "__lambda__":
        if "<lambda>" in known:
            return known["<lambda>"]
        raise ValueError(
            "deserialize_keras_object: the config holds the code of a lambda, and code from a config is never run, "
            "with safe_mode=False neither. Supply the function yourself: custom_objects={'<lambda>': function}"
        )
    if class_name == "type" and inner in _PYTHON_TYPES:
        return _PYTHON_TYPES[inner]
    if class_name in ("function", "builtin_function_or_method", "type"):
        if not isinstance(inner, str):
            raise TypeError(f"deserialize_keras_object: a function's config is its name. Received: {config}")
        return _locate(config, inner, inner, "function", known)
    if not isinstance(inner, dict):
        raise TypeError(f"deserialize_keras_object: the config of {class_name} must be a dict. Received: {config}")
    shared = _sharing.get()
    shared_id = config.get("shared_object_id")
    if shared is not None and shared_id in shared.objects:
        return shared.objects[shared_id]
    cls = _locate(config, class_name, config.get("registered_name", class_name), "class", known)
    if inspect.isfunction(cls):
        return cls
    obj = _instance(cls, config, known)
    if shared is not None and shared_id is not None:
        shared.objects[shared_id] = obj
    return obj


def _instance(cls: Any, config: dict[str, Any], known: dict[str, Any]) -> Any:
    if not hasattr(cls, "from_config"):
        raise TypeError(f"deserialize_keras_object: {config['class_name']} has no from_config(). Received: {config}")
    inner = config["config"] if config["config"] is not None else {}
    with CustomObjectScope(known):
        try:
            obj = cls.from_config(inner)
        except TypeError as error:
            raise TypeError(
                f"deserialize_keras_object: {config['class_name']} cannot be built from its config: {error}. "
                "Objects inside a config must be turned back by the class's own from_config(). "
                f"Received: {config}"
            ) from error
        if config.get("build_config") and not obj.built:
            obj.build_from_config(config["build_config"])
            obj.built = True
        if config.get("compile_config"):
            obj.compile_from_config(config["compile_config"])
            obj.compiled = True
    return obj


def _locate(config: dict[str, Any], name: str, registered_name: str | None, what: str, known: dict[str, Any]) -> Any:
    found = get_registered_object(registered_name, custom_objects=known)
    if found is not None:
        return found
    module = config.get("module")
    if isinstance(module, str):
        found = find_symbol(module, name)
        if found is None and what == "function" and module == "builtins":
            places = (find_symbol(f"keras.{m}", name) for m in FUNCTION_MODULES)
            found = next((f for f in places if f is not None), None)
            if found is None and ">" not in name:  # Keras up to 3.6 wrote custom functions without their package
                found = next((v for k, v in known.items() if k.endswith(f">{name}")), None)
        if found is not None:
            explicit = config.get("registered_name")
            if explicit and explicit not in (name, config["class_name"]):
                raise ValueError(
                    f"deserialize_keras_object: {module}.{name} is built in and has no registered_name. "
                    f"Received: {config}"
                )
            return found
    close = close_names(name)
    raise TypeError(
        f"deserialize_keras_object: unknown {what} '{name}' (module {module!r}, registered name "
        f"{config.get('registered_name')!r}). If it is yours, pass custom_objects={{{registered_name or name!r}: ...}} "
        "or decorate it with @register_keras_serializable() and import it before loading."
        + (f" Known names close to it: {', '.join(close)}." if close else "")
        + f" Received: {config}"
    )


class Family:
    """The shared part of `get`, `serialize` and `deserialize` of losses, metrics, optimizers, initializers, ...

    Args:
        what: the word for one member in errors, such as `"loss"`.
        members: classes and functions, found by their own names.
        aliases: further names, such as `{"mse": mean_squared_error}`.
    """

    def __init__(self, what: str, members: list[Any], aliases: dict[str, Any] | None = None):
        self.what = what
        self.table = {m.__name__: m for m in members} | (aliases or {})

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """The member that a config or a name describes; a class's name gives an instance with its defaults."""
        found = deserialize_keras_object(config, custom_objects=custom_objects, module_objects=self.table)
        if isinstance(found, str):
            close = close_names(found, self.table)
            raise ValueError(
                f"unknown {self.what}: {found!r}."
                + (f" Did you mean {' or '.join(map(repr, close))}?" if close else "")
                + f" If it is yours, pass custom_objects={{{found!r}: ...}} or use a CustomObjectScope."
            )
        return found

    def get(self, identifier: Any, instantiate: bool = True) -> Any:
        """`None`, a name, a config, a class or a callable to a member."""
        if identifier is None:
            return None
        found = self.deserialize(identifier) if isinstance(identifier, (str, dict)) else identifier
        if inspect.isclass(found) and instantiate:
            found = found()
        if callable(found):
            return found
        article = "an" if self.what[0] in "aeiou" else "a"
        raise ValueError(
            f"{article} {self.what} is given as a name, a config dict, an object or a function. "
            f"Received: {identifier!r} of type {type(identifier).__name__}"
        )
