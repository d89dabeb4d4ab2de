"""Activations by name: relu's options, lookup, configs and their errors."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from kerasish import activations
from kerasish.engine.serialization import CustomObjectScope, deserialize_keras_object, register_keras_serializable

NAMES = [
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",
    "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
    "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh",
    "tanh_shrink", "threshold",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_name_finds_its_function_and_back(name):
    fn = activations.get(name)
    assert fn is getattr(activations, name)
    assert activations.serialize(fn) == name
    assert activations.deserialize(name) is fn
    config = {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    assert activations.get(config) is fn
    assert deserialize_keras_object(config) is fn


def test_second_names_and_none():
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.get(None) is activations.linear
    x = object()
    assert activations.linear(x) is x


def test_a_callable_is_itself():
    def mine(x):
        return x

    assert activations.get(mine) is mine
    with CustomObjectScope({"mine": mine}):
        assert activations.get("mine") is mine
    assert activations.deserialize("mine", custom_objects={"mine": mine}) is mine


def test_a_registered_function_is_written_under_its_registered_name():
    @register_keras_serializable("zoo")
    def growl(x):
        return x

    config = activations.serialize(growl)
    assert config["config"] == "zoo>growl"
    assert activations.deserialize(config) is growl


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match=r"unknown activation: 'rleu'\. Did you mean 'relu'"):
        activations.get("rleu")
    with pytest.raises(ValueError, match="an activation is given as a name"):
        activations.get(3)


@pytest.mark.parametrize("slope", [0.0, 0.5])
@pytest.mark.parametrize("most", [None, 3.0, 6])
@pytest.mark.parametrize("start", [0.0, 1.0, -1.0])
def test_relu_with_options(slope, most, start):
    x = np.array([-8.0, -2.0, -1.5, -0.5, 0.0, 0.5, 1.5, 2.0, 5.0, 9.0], "float32")
    passed = np.where(x > start, x, 0) if start else np.maximum(x, 0)
    if most is not None:
        passed = np.minimum(passed, most)
    want = passed - slope * np.maximum(start - x, 0)
    got = activations.relu(x, negative_slope=slope, max_value=most, threshold=start).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert got.dtype == np.float32


def test_relu_refuses_what_is_no_number():
    with pytest.raises(ValueError, match=r"relu: `max_value` is at least 0\. Received: max_value=-1"):
        activations.relu([1.0], max_value=-1)
    with pytest.raises(TypeError, match="relu: `negative_slope` is a number"):
        activations.relu([1.0], negative_slope="steep")


@pytest.mark.parity
def test_signatures_and_values_are_those_of_keras():
    keras = pytest.importorskip("keras")
    x = np.random.default_rng(0).uniform(-4, 4, (3, 8)).astype("float32")
    for name in NAMES:
        ours, theirs = getattr(activations, name), getattr(keras.activations, name)
        assert str(inspect.signature(theirs)) == str(
            inspect.Signature([p.replace(annotation=p.empty) for p in inspect.signature(ours).parameters.values()])
        ), name
        if name == "sparsemax":
            continue  # Keras's own gives rows of zeros where it must give distributions
        args = (x, 0.3, -1.0) if name == "threshold" else (x,)
        got, want = np.asarray(ours(*args)), np.asarray(theirs(*args))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-6, err_msg=name)
