"""Configs: Keras's JSON format, the closed registry, and refusals."""

import json

import numpy as np
import pytest

from kerasish.engine import registry
from kerasish.engine import serialization as s
from kerasish.engine.tensor import Tensor, to_tensor


class Plain:
    """A configurable object, registered as built in under keras.layers for these tests."""

    def __init__(self, size=1, inner=None):
        self.size, self.inner = size, inner

    def get_config(self):
        return {"size": self.size, "inner": s.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(config.get("size", 1), s.deserialize_keras_object(config.get("inner")))


class Buildable(Plain):
    built = False

    def get_build_config(self):
        return {"input_shape": (None, 4)}

    def build_from_config(self, config):
        self.shape = config["input_shape"]

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class Custom(Plain):
    pass


def builtin_function(x):
    return x


def custom_function(x):
    return -x


@pytest.fixture(autouse=True)
def clean_registry(monkeypatch):
    registry.load_homes()  # what registers itself at its first import must not do so into the empty tables
    for name in ("_symbols", "_path_of", "_paths_ending_in", "_custom_objects", "_custom_names"):
        monkeypatch.setattr(registry, name, {})
    registry.register(Plain)
    registry.register(Buildable, "keras.layers", aliases=["keras"])
    registry.register(builtin_function, "keras.losses", aliases=["keras.metrics"])


def through_json(obj, **kwargs):
    return s.deserialize_keras_object(json.loads(json.dumps(s.serialize_keras_object(obj))), **kwargs)


def test_builtin_object_has_keras_layout():
    assert s.serialize_keras_object(Plain(3)) == {
        "module": "keras.layers",
        "class_name": "Plain",
        "config": {"size": 3, "inner": None},
        "registered_name": None,
    }
    back = through_json(Plain(3, inner=Plain(4)))
    assert type(back) is Plain and back.size == 3 and back.inner.size == 4


def test_build_config_is_written_and_applied():
    config = s.serialize_keras_object(Buildable())
    assert config["build_config"] == {"input_shape": (None, 4)}
    back = s.deserialize_keras_object(config)
    assert back.built is True and back.shape == (None, 4)


def test_functions():
    config = s.serialize_keras_object(builtin_function)
    assert config == {
        "module": "builtins",
        "class_name": "function",
        "config": "builtin_function",
        "registered_name": "function",
    }
    assert s.deserialize_keras_object(config) is builtin_function
    registry.register_keras_serializable("zoo")(custom_function)
    config = s.serialize_keras_object(custom_function)
    assert config["config"] == "zoo>custom_function"
    assert s.deserialize_keras_object(config) is custom_function
    assert s.deserialize_keras_object({**config, "config": "custom_function"}) is custom_function


@pytest.mark.parametrize(
    "value, config",
    [
        (None, None),
        (True, True),
        (1.5, 1.5),
        ("x", "x"),
        ([1, (2, "a")], [1, (2, "a")]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        (b"ab", {"class_name": "__bytes__", "config": {"value": "ab"}}),
        (slice(1, None, 2), {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}}),
        (..., {"class_name": "__ellipsis__", "config": {}}),
        (np.float32(2), 2.0),
        (np.array(3), 3),
        (np.float32, {"module": "builtins", "class_name": "type", "config": "float32", "registered_name": "type"}),
        (int, {"module": "builtins", "class_name": "type", "config": "int", "registered_name": "type"}),
    ],
)
def test_plain_values_and_tagged_types(value, config):
    assert s.serialize_keras_object(value) == config
    back = through_json(value)
    assert back == json.loads(json.dumps(value)) if isinstance(value, list) else back == value


def test_arrays_round_trip():
    a = np.array([[1, 2], [3, 4]], "int16")
    assert s.serialize_keras_object(a) == {
        "class_name": "__numpy__",
        "config": {"value": [[1, 2], [3, 4]], "dtype": "int16"},
    }
    back = through_json(a)
    assert back.dtype == a.dtype and (back == a).all()
    with pytest.raises(TypeError, match=r"an array's dtype must be numeric or bool. Received: dtype=object"):
        s.serialize_keras_object(np.array([None]))
    with pytest.raises(ValueError, match=r"an array's dtype must be numeric or bool. Received: dtype='O'"):
        s.deserialize_keras_object({"class_name": "__numpy__", "config": {"value": [1], "dtype": "O"}})


def test_tensors_round_trip():
    t = to_tensor([1.5, 2.0])
    assert s.serialize_keras_object(t) == {
        "class_name": "__tensor__",
        "config": {"value": [1.5, 2.0], "dtype": "float32"},
    }
    back = through_json([t])[0]
    assert type(back) is Tensor and back.dtype == "float32" and back.tolist() == [1.5, 2.0]


def test_tagged_tuples_are_read():
    assert s.deserialize_keras_object({"class_name": "__tuple__", "items": [1, None]}) == (1, None)


def test_codec_adds_a_value_type():
    s.codec("__complex__", complex, lambda c: {"re": c.real, "im": c.imag}, lambda c: complex(c["re"], c["im"]))
    try:
        assert through_json([1 + 2j]) == [1 + 2j]
    finally:
        del s._codecs["__complex__"]


@pytest.mark.parametrize("module", ["keras.layers", "keras.src.layers.core.plain"])
def test_modules_of_keras_resolve(module):
    config = {"module": module, "class_name": "Plain", "config": {"size": 2}, "registered_name": None}
    assert type(s.deserialize_keras_object(config)) is Plain


def test_aliases_resolve():
    config = {"module": "keras", "class_name": "Buildable", "config": {}, "registered_name": None}
    assert type(s.deserialize_keras_object(config)) is Buildable
    assert s.serialize_keras_object(Buildable())["module"] == "keras.layers"


def test_internal_path_stays_in_its_family():
    config = {"module": "keras.src.metrics.plain", "class_name": "Plain", "config": {}, "registered_name": None}
    with pytest.raises(TypeError, match=r"unknown class 'Plain'"):
        s.deserialize_keras_object(config)


@pytest.mark.parametrize("how", ["argument", "scope", "global", "registered"])
def test_custom_class(how):
    name = "Custom"
    if how == "registered":
        registry.register_keras_serializable("zoo")(Custom)
        name = "zoo>Custom"
    config = s.serialize_keras_object(Custom(5))
    assert config["registered_name"] == name and config["class_name"] == "Custom"
    if how == "argument":
        back = s.deserialize_keras_object(config, custom_objects={"Custom": Custom})
    elif how == "scope":
        with s.CustomObjectScope({"Custom": Custom}):
            back = s.deserialize_keras_object(config)
    else:
        if how == "global":
            s.get_custom_objects()["Custom"] = Custom
        back = s.deserialize_keras_object(config)
    assert type(back) is Custom and back.size == 5


def test_custom_objects_reach_nested_configs():
    config = s.serialize_keras_object(Plain(1, inner=Custom(2)))
    assert type(s.deserialize_keras_object(config, custom_objects={"Custom": Custom}).inner) is Custom


def test_scopes_nest():
    with s.custom_object_scope({"a": int}):
        with s.CustomObjectScope({"b": str}):
            assert s.get_registered_object("a") is int and s.get_registered_object("b") is str
        assert s.get_registered_object("b") is None
    assert s.get_registered_object("a") is None
    assert s.get_registered_object("a", module_objects={"a": float}) is float


def test_unknown_class_is_named():
    config = {"module": "evil.module", "class_name": "Plan", "config": {}, "registered_name": "Plan"}
    with pytest.raises(TypeError) as e:
        s.deserialize_keras_object(config)
    assert "unknown class 'Plan' (module 'evil.module'" in str(e.value)
    assert "custom_objects={'Plan': ...}" in str(e.value)
    assert "Known names close to it: Plain" in str(e.value)


@pytest.mark.parametrize("name", ["system", "print", "exec"])
def test_nothing_is_imported_by_name(name):
    for module in ("os", "builtins", "keras.os"):
        config = {"module": module, "class_name": "function", "config": name, "registered_name": name}
        with pytest.raises(TypeError, match=f"unknown function '{name}'"):
            s.deserialize_keras_object(config)


def test_registered_name_on_a_builtin_is_refused():
    config = {"module": "keras.layers", "class_name": "Plain", "config": {}, "registered_name": "zoo>Other"}
    with pytest.raises(ValueError, match=r"keras.layers.Plain is built in and has no registered_name"):
        s.deserialize_keras_object(config)


def test_lambdas_are_not_stored_and_never_run():
    f = lambda x: x  # noqa: E731
    with pytest.warns(UserWarning, match=r"a lambda has no name to be found by"):
        config = s.serialize_keras_object(f)
    assert config == {"class_name": "__lambda__", "config": {"value": None}}
    stored = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}
    for safe_mode in (True, False):
        with pytest.raises(ValueError, match=r"code from a config is never run.*custom_objects=\{'<lambda>'"):
            s.deserialize_keras_object(stored, safe_mode=safe_mode)
    assert s.deserialize_keras_object(stored, custom_objects={"<lambda>": f}) is f


def test_shared_objects_stay_one_object():
    shared = Plain(1)
    with s.ObjectSharingScope():
        config = s.serialize_keras_object([shared, shared, Plain(1)])
    assert config[0]["shared_object_id"] == config[1]["shared_object_id"] and "shared_object_id" not in config[2]
    with s.ObjectSharingScope():
        a, b, c = s.deserialize_keras_object(config)
    assert a is b and a is not c
    a, b, _ = s.deserialize_keras_object(config)
    assert a is not b


def test_constructor_mismatch_names_class_and_config():
    config = {"module": "keras.layers", "class_name": "Buildable", "config": {"siz": 1}, "registered_name": None}
    with pytest.raises(TypeError, match=r"Buildable cannot be built from its config: .*siz.*Received: "):
        s.deserialize_keras_object(config)


@pytest.mark.parametrize(
    "config, message",
    [
        ({1, 2}, "a config is made of JSON values"),
        ({"class_name": "function", "config": 3, "module": "builtins"}, "a function's config is its name"),
        ({"class_name": "Plain", "config": [1], "module": "keras.layers"}, "the config of Plain must be a dict"),
    ],
)
def test_malformed_configs(config, message):
    with pytest.raises(TypeError, match=message):
        s.deserialize_keras_object(config)


def test_objects_that_cannot_be_serialized():
    with pytest.raises(TypeError, match=r"an object needs a get_config\(\) method. Received: .*object object"):
        s.serialize_keras_object(object())

    class Bad:
        def get_config(self):
            return [1]

    with pytest.raises(TypeError, match=r"get_config\(\) must return a dict. Received: \[1\]"):
        s.serialize_keras_object(Bad())
    with pytest.raises(ValueError, match=r"a class needs a get_config\(\) method. Received: object"):
        registry.register_keras_serializable()(object)


def test_a_path_belongs_to_one_symbol():
    registry.register(Plain)
    with pytest.raises(ValueError, match=r"keras.layers.Plain is already taken"):
        registry.register(Custom, name="Plain")


FAMILY = s.Family("thing", [Plain, builtin_function], {"bf": builtin_function, "plain": Plain})


def test_family_lookups():
    assert FAMILY.get(None) is None
    assert FAMILY.get("bf") is FAMILY.get("builtin_function") is builtin_function
    assert FAMILY.get(s.serialize_keras_object(builtin_function)) is builtin_function
    assert FAMILY.get(custom_function) is custom_function
    assert type(FAMILY.deserialize("plain")) is Plain
    assert FAMILY.deserialize({"class_name": "plain", "config": {"size": 9}}).size == 9
    assert FAMILY.deserialize(s.serialize_keras_object(Plain(2))).size == 2
    assert type(FAMILY.deserialize(s.serialize_keras_object(Custom(2)), {"Custom": Custom})) is Custom
    with s.CustomObjectScope({"mine": custom_function}):
        assert FAMILY.get("mine") is custom_function


def test_family_errors():
    with pytest.raises(ValueError, match=r"unknown thing: 'plian'. Did you mean 'plain'"):
        FAMILY.deserialize("plian")
    with pytest.raises(ValueError, match=r"a thing is given as a name.* Received: 3 of type int"):
        FAMILY.get(3)
    with pytest.raises(ValueError, match=r"the config lacks a 'class_name'"):
        FAMILY.deserialize({"config": {}})
    with pytest.raises(TypeError, match=r"unknown class 'Nope'"):
        FAMILY.deserialize({"class_name": "Nope", "config": {}})
