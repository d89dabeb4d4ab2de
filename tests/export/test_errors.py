"""What cannot be exported is refused with its reason, and leaves no file and no half of one."""

from __future__ import annotations

import builtins
import os

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.export import build, to_onnx


class Calls(keras.Model):
    """A model of one function."""

    def __init__(self, fn):
        super().__init__(name="calls")
        self.fn = fn

    def call(self, x):
        return self.fn(x)


SPEC = [keras.InputSpec("float32", (None, None, 4))]


def refused(model, path, kind=ValueError, **kwargs) -> str:
    """The message; the folder and an older file stay as they were."""
    path.write_bytes(b"older")
    with pytest.raises(kind) as error:
        model.export(path, **{"format": "onnx", "verbose": False, **kwargs})
    assert path.read_bytes() == b"older"
    assert os.listdir(path.parent) == [path.name]
    return str(error.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "m.onnx"


@pytest.fixture
def dense():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2)])


def test_other_formats(dense, path):
    rule = 'export: the format that there is is "onnx"'
    assert refused(dense, path, format="tf_saved_model") == (
        f"{rule}; 'tf_saved_model' files are written by TensorFlow. Received: format='tf_saved_model'"
    )
    assert "'openvino' files are written by OpenVINO" in refused(dense, path, format="openvino")
    assert refused(dense, path, format="pickle") == f"{rule}. Received: format='pickle'"


def test_the_default_format_is_keras_own(dense, path):
    with pytest.raises(ValueError, match="'tf_saved_model' files are written by TensorFlow"):
        dense.export(path)


def test_further_arguments(dense, path):
    assert "the one further argument is opset_version. Received: is_static=True" in refused(
        dense, path, TypeError, is_static=True
    )
    for opset in (17, 99, "18"):
        assert "opset_version is an integer from 18 to 23" in refused(dense, path, opset_version=opset)


def test_without_the_package(dense, path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    message = refused(dense, path, ImportError)
    assert message == 'export: format="onnx" needs the package onnx: pip install "kerasish[onnx]".'


def test_a_model_that_was_never_called(path):
    message = refused(Calls(lambda x: x), path)
    assert "must have been called on data, or input_signature must say what it is called with" in message
    assert "Received: model='Sequential'" in refused(keras.Sequential([layers.Dense(2)]), path)


def test_signatures_that_do_not_fit(dense, path):
    assert "one entry for each of the model's 1 inputs. Received: given=2" in refused(
        dense, path, input_signature=[SPEC[0], SPEC[0]]
    )
    assert "made of InputSpecs with shape and dtype" in refused(
        dense, path, TypeError, input_signature=[keras.InputSpec(ndim=2)]
    )
    named = {
        "a": [keras.InputSpec("float32", (None, 2), name="x")],
        "b": keras.InputSpec("float32", (None, 2), name="x"),
    }
    assert "the inputs have different names. Received: names=['x', 'x']" in refused(
        Calls(lambda x: x["b"]), path, input_signature=[named]
    )
    assert "expected" in refused(dense, path, input_signature=[keras.InputSpec("float32", (None, 5))]).lower()


@pytest.mark.parametrize(
    "fn, message",
    [
        (lambda x: ops.svd(x)[1], "op 'svd' (in calls): it is computed by NumPy's linear algebra"),
        (lambda x: ops.fft((x, x))[0], "op 'fft' (in calls): ONNX runtimes have no complex numbers"),
        (lambda x: ops.cast(x, "complex64") * 2, "op 'cast' (in calls): ONNX runtimes have no complex numbers"),
        (lambda x: ops.gcd(ops.cast(x, "int32"), 6), "op 'gcd' (in calls): it has no lowering to ONNX"),
        (lambda x: 2 * x if float(ops.sum(x)) > 0 else x, "not a pure function of shapes and dtypes: Python looks at"),
        (lambda x: ops.nonzero(x > 0)[0], "the shape of the result of nonzero depends on the data"),
        (lambda x: None, "the model returns no tensor"),
    ],
    ids=["linear algebra", "complex", "cast", "none", "value", "data", "nothing"],
)
def test_what_has_no_counterpart(fn, message, path):
    model = Calls(fn)
    model.build((None, None, 4))
    assert message in refused(model, path, input_signature=SPEC)


def test_random_inference(path):
    model = Calls(lambda x: x + keras.random.uniform((4,)))
    model.build((None, None, 4))
    message = refused(model, path, input_signature=SPEC)
    assert "makes the Variable 'calls/global_seed_generator" in message
    assert message.endswith("(call the model on data once, before it is exported).")
    model(ops.ones((2, 3, 4)))
    message = refused(model, path, input_signature=SPEC)
    assert "op 'random_uniform' (in calls): it draws random numbers, and ONNX cannot repeat them" in message


def test_gradients_are_not_inference(path):
    def fn(x):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = ops.sum(ops.sigmoid(x))
        return tape.gradient(y, x)

    model = Calls(fn)
    model.build((None, None, 4))
    assert "op 'sigmoid_grad' (in calls): it belongs to a gradient" in refused(model, path, input_signature=SPEC)


@pytest.mark.parametrize(
    "fn, message",
    [
        (lambda x: sum(x[:, k] for k in range(x.shape[1])), "computes something else for another size of"),
        (lambda x: x * 2 if x.shape[1] > 100 else ops.exp(x), "ops 'exp' and 'multiply' in its place"),
        (
            lambda x: ops.cast(x[:, : int(x.shape[1] ** 0.5)], "float32"),
            "a size in calls/basic_slice does not follow from the free dimensions",
        ),
        (
            lambda x: x + np.random.default_rng(0).normal(size=(x.shape[1], 4)).astype("float32"),
            "a constant that calls/add uses differs with the size of a free dimension",
        ),
        (lambda x: ops.image.resize(x[..., None], (3, 2)), "op 'resample' (in calls): dimension 1 of its input"),
        (lambda x: ops.cumprod(x, axis=1), "op 'cumprod' (in calls): dimension 1 of its input must have a fixed size"),
        (lambda x: ops.roll(x, -1, axis=1), "op 'roll' (in calls): a free dimension can be rolled by a small number"),
        (lambda x: x[:, x.shape[1] // 3], "the place it takes along axis 1 depends on a free dimension"),
        (
            lambda x: ops.max_pool(x, 2, strides=3, padding="same"),
            "op 'max_pool' (in calls): with padding 'same' and a stride, a dilation or a window smaller than",
        ),
        (
            lambda x: ops.leaky_relu(x, negative_slope=x.shape[1] / 1000),
            "op 'leaky_relu' (in calls): 'negative_slope' depends on a free dimension",
        ),
        (
            lambda x: ops.slice_update(x, (0, x.shape[1] - 2, 0), ops.ones((x.shape[0], 1, 4))),
            "op 'basic_update' (in calls): the place that it writes to depends on a free dimension",
        ),
    ],
    ids=[
        "loop", "branch", "root", "noise", "resize", "cumprod", "roll", "place", "window", "attribute", "update"
    ],
)  # fmt: skip
def test_what_depends_on_a_free_size_in_another_way(fn, message, path):
    model = Calls(fn)
    model.built = True
    text = refused(model, path, input_signature=SPEC)
    assert text.startswith("export: ")
    assert message in text
    # A size that is fixed is the way out.
    model.export(path, format="onnx", verbose=False, input_signature=[keras.InputSpec("float32", (None, 9, 4))])


def test_state_does_not_outlive_a_call(path):
    x = keras.Input(batch_shape=(2, 5, 3))
    model = keras.Model(x, layers.LSTM(3, stateful=True, name="lstm")(x))
    fixed = [keras.InputSpec("float32", (2, 5, 3))]
    message = refused(model, path, input_signature=fixed)
    assert "the model assigns 'lstm/rnn_state" in message
    assert "a file cannot keep state from one call to the next" in message


def test_attention_with_dropout():
    from kerasish.ops.attention import attention_op

    def fn(q, seed):
        return attention_op(q, q, q, seed, scale=None, causal=False, bias=False, mask=False, rate=0.5)[0]

    with pytest.raises(ValueError, match="op 'attention': dropout of attention weights is random"):
        to_onnx(fn, [(2, 3, 1, 4), (2,)], ["float32", "uint32"], ["q", "seed"], lambda *_: ["y"])


def test_strings_and_hashes(path):
    L = keras.layers
    text, number = keras.Input((1,), dtype="string", name="text"), keras.Input((1,), dtype="int64")
    rule = "export: inputs and outputs of strings have no form in ONNX here: look them up outside of the exported model"
    model = keras.Model(text, L.StringLookup(vocabulary=["a"])(text))
    assert f"{rule}. Received: strings=['text']" in refused(model, path)
    assert rule in refused(keras.Model(number, L.StringLookup(vocabulary=["a"], invert=True)(number)), path)
    message = refused(keras.Model(number, L.Hashing(5)(number)), path)
    assert "op 'hash_buckets'" in message
    assert "ONNX has no operator for these hash functions" in message


def test_an_output_without_counterpart():
    from kerasish.ops.pool import max_pool_op

    def fn(x):
        return max_pool_op(x, window=2, strides=2, padding="valid")

    with pytest.raises(ValueError, match="op 'max_pool': its output number 1 has no counterpart in ONNX"):
        to_onnx(fn, [(None, 4, 2)], ["float32"], ["x"], lambda *_: ["y", "place"])


def test_more_than_a_file_holds(dense, path, monkeypatch):
    monkeypatch.setattr(build, "_MOST_BYTES", 39)
    assert "an ONNX file holds less than 2 GB, and the weights of the model need more. Received: bytes=40" in refused(
        dense, path
    )
    monkeypatch.setattr(build, "_MOST_BYTES", 50)
    assert "an ONNX file holds less than 2 GB, and the model needs more" in refused(dense, path)


def test_a_folder_that_is_not_there(dense, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"export: .*cannot be written"):
        dense.export(tmp_path / "missing" / "m.onnx", format="onnx", verbose=False)


def test_what_was_written_is_said(dense, path, capsys):
    dense.export(path, format="onnx")
    assert capsys.readouterr().out == f"Saved artifact at '{path}'.\n"
    dense.export(path, format="onnx", verbose=False)
    assert capsys.readouterr().out == ""
