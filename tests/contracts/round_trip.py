"""What every object with a config owes its users: the config rebuilds it, also through JSON and by its public path."""

import json

from kerasish.engine.registry import find_symbol, public_path
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object


def check_round_trip(obj, serialize, deserialize, get):
    """Checks `from_config`, the family's own functions and the general ones; gives the object read from JSON."""
    cls = type(obj)
    config = obj.get_config()
    assert cls.from_config(json.loads(json.dumps(config))).get_config() == json.loads(json.dumps(config))
    written = serialize(obj)
    assert written == serialize_keras_object(obj)
    assert written["registered_name"] is None, "built-in classes are found by module and class name"
    assert f"{written['module']}.{written['class_name']}" == public_path(cls)
    assert find_symbol(written["module"], written["class_name"]) is cls
    text = json.dumps(written)
    before = text
    for back in (deserialize(json.loads(text)), get(json.loads(text)), deserialize_keras_object(json.loads(text))):
        assert type(back) is cls
        assert json.dumps(serialize(back)) == before
    assert cls.__name__ in repr(obj) or getattr(obj, "name", "") in repr(obj)
    return back
