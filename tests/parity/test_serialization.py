"""Configs are written as Keras writes them, and what either writes the other reads."""

import json

import numpy as np
import pytest

from kerasish.engine import registry
from kerasish.engine import serialization as ours

pytestmark = pytest.mark.parity


def both(obj, theirs_obj=None):
    """The JSON of Keras and ours for the same value."""
    import keras

    theirs = keras.saving.serialize_keras_object(obj if theirs_obj is None else theirs_obj)
    return json.loads(json.dumps(ours.serialize_keras_object(obj))), json.loads(json.dumps(theirs))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2.5,
        "text",
        [1, (2, "a"), {"b": None}],
        b"bytes",
        slice(1, None, 2),
        ...,
        np.float32(2.0),
        np.array(3),
        np.array([[1.0, 2.0]], "float32"),
        np.array([1, 2], "int64"),
        np.float32,
        print,
    ],
    ids=str,
)
def test_values(value):
    mine, theirs = both(value)
    assert mine == theirs


def test_functions_and_custom_classes(monkeypatch):
    import keras

    for name in ("_custom_objects", "_custom_names"):
        monkeypatch.setattr(registry, name, {})

    class Plain:
        def get_config(self):
            return {"size": 3}

        @classmethod
        def from_config(cls, config):
            return cls()

    def named(x):
        return x

    def plain(x):
        return x

    for register in (keras.saving.register_keras_serializable, registry.register_keras_serializable):
        register("zoo")(Plain)
        register("zoo", name="other")(named)
    for obj in (Plain(), named, plain):
        mine, theirs = both(obj)
        assert mine == theirs
    assert ours.deserialize_keras_object(keras.saving.serialize_keras_object(named)) is named
    assert type(ours.deserialize_keras_object(keras.saving.serialize_keras_object(Plain()))) is Plain


def test_shared_objects_are_marked_alike():
    import keras

    from kerasish import initializers

    scope = keras.src.saving.serialization_lib.ObjectSharingScope
    with scope():
        zeros = keras.initializers.Zeros()
        theirs = keras.saving.serialize_keras_object([zeros, zeros, keras.initializers.Zeros()])
    with ours.ObjectSharingScope():
        zeros = initializers.Zeros()
        mine = ours.serialize_keras_object([zeros, zeros, initializers.Zeros()])
    for config in (mine, theirs):
        assert config[0]["shared_object_id"] == config[1]["shared_object_id"]
        assert "shared_object_id" not in config[2]
        with ours.ObjectSharingScope():
            a, b, c = ours.deserialize_keras_object(config)
        assert a is b and a is not c
    with scope():
        a, b, c = keras.saving.deserialize_keras_object(mine)
    assert a is b and a is not c
