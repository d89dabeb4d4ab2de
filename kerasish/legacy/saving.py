"""The older form of configs: `{"class_name", "config"}`, without the module that the class is in."""

from __future__ import annotations

from typing import Any

from ..engine.errors import invalid
from ..engine.serialization import all_custom_objects, get_registered_name
from ..engine.serialization import deserialize_keras_object as _deserialize
from ..saving.legacy_config import place


def serialize_keras_object(instance: Any) -> Any:
    """An object as `{"class_name", "config"}`, a function as its name.

    Raises:
        ValueError: it has no `get_config` and no name.

    >>> import kerasish as keras
    >>> serialize_keras_object(keras.regularizers.L2(0.5))
    {'class_name': 'L2', 'config': {'l2': 0.5}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": get_registered_name(type(instance)), "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    raise invalid("serialize_keras_object", "an object has get_config() or a name", instance=instance)


def deserialize_keras_object(
    identifier: Any,
    module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object of a `{"class_name", "config"}` config, or the function of a name.

    Args:
        identifier: the config or name; anything else is given back.
        module_objects: dict from name to class or function to look in.
        custom_objects: the same for what is the caller's own.
        printable_module_name: how errors call what is looked for.

    Raises:
        ValueError: the name is unknown.

    >>> deserialize_keras_object({"class_name": "L2", "config": {"l2": 0.5}}).get_config()
    {'l2': 0.5}
    """
    if identifier is None or not isinstance(identifier, (str, dict)):
        return identifier
    known = {**(module_objects or {}), **all_custom_objects(custom_objects)}
    if isinstance(identifier, str):
        if identifier not in known:
            raise invalid("deserialize_keras_object", f"the {printable_module_name} is known", name=identifier)
        found = known[identifier]
        return found() if isinstance(found, type) else found
    if "class_name" not in identifier or "config" not in identifier:
        rule = "a config has 'class_name' and 'config'"
        raise invalid("deserialize_keras_object", rule, identifier=identifier)
    if identifier["class_name"] in known:
        return known[identifier["class_name"]].from_config(identifier["config"])
    config = place(identifier)
    if config["module"] is None:
        name = identifier["class_name"]
        raise invalid("deserialize_keras_object", f"the {printable_module_name} is known", name=name)
    return _deserialize(config, custom_objects=custom_objects)
