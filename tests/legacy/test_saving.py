"""The older form of configs goes both ways."""

import re

import pytest

import kerasish as keras

legacy = keras.legacy.saving


def test_round_trips():
    for obj in (
        keras.regularizers.L2(0.5),
        keras.optimizers.SGD(0.25),
        keras.layers.Dense(3),
        keras.initializers.Zeros(),
    ):
        config = legacy.serialize_keras_object(obj)
        assert config["class_name"] == type(obj).__name__
        assert legacy.deserialize_keras_object(config).get_config() == obj.get_config()
    assert legacy.serialize_keras_object(None) is None and legacy.deserialize_keras_object(None) is None


def test_the_second_name():
    for name in ("serialize_keras_object", "deserialize_keras_object"):
        assert getattr(keras.utils.legacy, name) is getattr(legacy, name)


def test_names_and_own_classes():
    class Mine(keras.layers.Dense):
        pass

    def double(x):
        return 2 * x

    assert legacy.serialize_keras_object(double) == "double"
    assert legacy.deserialize_keras_object("double", custom_objects={"double": double}) is double
    assert type(legacy.deserialize_keras_object("Mine", {"Mine": keras.initializers.Zeros})) is keras.initializers.Zeros
    config = legacy.serialize_keras_object(Mine(2))
    assert type(legacy.deserialize_keras_object(config, custom_objects={"Mine": Mine})) is Mine
    assert legacy.deserialize_keras_object(3) == 3


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: legacy.serialize_keras_object(3), "an object has get_config() or a name. Received: instance=3"),
        (lambda: legacy.deserialize_keras_object("os.system"), "the object is known. Received: name='os.system'"),
        (lambda: legacy.deserialize_keras_object({"class_name": "Nope", "config": {}}), "the object is known"),
        (lambda: legacy.deserialize_keras_object({"a": 1}), "a config has 'class_name' and 'config'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
