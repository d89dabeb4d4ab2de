"""Files in the layouts of Keras 1 and 2, written here with h5py, give the models and weights that they hold."""

import json

import h5py
import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError
from kerasish.saving.legacy_config import convert
from kerasish.saving.legacy_weights import convert_arrays, from_cudnn

L = keras.layers


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype("float32")


def write(path, layers, config=None, training=None, version="2.15.0", backend="tensorflow", in_group=True):
    """A file with (layer name, [(weight name, array)]) pairs."""
    with h5py.File(path, "w") as f:
        group = f.create_group("model_weights") if in_group else f
        if version is not None:
            group.attrs["keras_version"] = version.encode()
            group.attrs["backend"] = backend.encode()
        group.attrs["layer_names"] = [n.encode() for n, _ in layers]
        for name, weights in layers:
            g = group.create_group(name)
            g.attrs["weight_names"] = [n.encode() for n, _ in weights]
            for n, value in weights:
                g.create_dataset(n, data=value)
        if config is not None:
            f.attrs["model_config"] = json.dumps(config).encode()
        if training is not None:
            f.attrs["training_config"] = json.dumps(training).encode()


INITIALIZER = {"class_name": "GlorotUniform", "config": {"seed": None}}
POLICY = {"class_name": "Policy", "config": {"name": "float32"}}


def dense_2(name, units, activation="linear", **more):
    config = {
        "name": name, "trainable": True, "dtype": POLICY, "units": units, "activation": activation, "use_bias": True,
        "kernel_initializer": INITIALIZER, "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": {"class_name": "L2", "config": {"l2": 0.01}}, "bias_regularizer": None,
        "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None, **more,
    }  # fmt: skip
    return {"class_name": "Dense", "config": config}


def test_a_sequential_model_of_keras_2(tmp_path):
    norm = {
        "name": "norm", "trainable": True, "dtype": "float32", "axis": [1], "momentum": 0.9, "epsilon": 1e-3,
        "center": True, "scale": True, "beta_initializer": {"class_name": "Zeros", "config": {}},
        "gamma_initializer": {"class_name": "Ones", "config": {}}, "renorm": False, "fused": None,
        "moving_mean_initializer": {"class_name": "Zeros", "config": {}}, "virtual_batch_size": None,
        "moving_variance_initializer": {"class_name": "Ones", "config": {}}, "adjustment": None,
    }  # fmt: skip
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "old",
            "layers": [
                dense_2("a", 3, "relu", batch_input_shape=[None, 4]),
                {"class_name": "BatchNormalization", "config": norm},
                dense_2("b", 2),
            ],
        },
    }
    wa, ba, wb, bb = numbers(4, 3), numbers(3), numbers(3, 2), numbers(2)
    gamma, beta, mean, variance = (
        numbers(3, seed=1),
        numbers(3, seed=2),
        numbers(3, seed=3),
        1 + numbers(3, seed=4) ** 2,
    )
    names = ["gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"]
    layers = [
        ("a", [("a/kernel:0", wa), ("a/bias:0", ba)]),
        ("norm", [(f"norm/{n}", v) for n, v in zip(names, (gamma, beta, mean, variance))]),
        ("b", [("b/kernel:0", wb), ("b/bias:0", bb)]),
    ]
    metric = {
        "class_name": "MeanMetricWrapper",
        "config": {"name": "accuracy", "dtype": "float32", "fn": "binary_accuracy"},
    }
    training = {
        "loss": "mse", "metrics": [[metric]], "weighted_metrics": None, "loss_weights": None,
        "optimizer_config": {
            "class_name": "Adam", "config": {"name": "Adam", "lr": 0.01, "decay": 0.1, "beta_1": 0.8, "epsilon": None},
        },
    }  # fmt: skip
    write(tmp_path / "m.h5", layers, config, training)
    model = keras.saving.load_model(tmp_path / "m.h5")
    x = numbers(5, 4)
    h = np.maximum(x @ wa + ba, 0)
    want = (gamma * (h - mean) / np.sqrt(variance + 1e-3) + beta) @ wb + bb
    np.testing.assert_allclose(model.predict(x, verbose=0), want, rtol=1e-4, atol=1e-5)
    assert model.name == "old" and [layer.name for layer in model.layers] == ["a", "norm", "b"]
    assert isinstance(model.layers[0].kernel_regularizer, keras.regularizers.L2)
    assert model.optimizer.beta_1 == 0.8 and model.optimizer.epsilon == 1e-7
    assert isinstance(model.optimizer._learning_rate, keras.optimizers.schedules.InverseTimeDecay)
    model.fit(x, numbers(5, 2), verbose=0)
    assert keras.saving.load_model(tmp_path / "m.h5", compile=False).optimizer is None


def input_2(name, shape):
    config = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def called(entry, *nodes):
    return {**entry, "name": entry["config"]["name"], "inbound_nodes": list(nodes)}


def test_a_functional_model_of_keras_2_with_a_model_inside(tmp_path):
    inner = {
        "class_name": "Model",
        "config": {
            "name": "inner",
            "layers": [input_2("x", [3]), called(dense_2("deep", 3), [["x", 0, 0, {}]])],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["deep", 0, 0]],
        },
    }
    add = {"class_name": "Add", "config": {"name": "add", "trainable": True, "dtype": "float32"}}
    config = {
        "class_name": "Functional",
        "config": {
            "name": "outer",
            "layers": [
                input_2("given", [3]),
                # A model's own graph is its call number 0: these are its calls 1 and 2.
                called(inner, [["given", 0, 0, {}]], [["inner", 1, 0, {}]]),
                called(add, [["inner", 1, 0, {}], ["inner", 2, 0, {}]]),
                called(dense_2("out", 2), [["add", 0, 0, {}]]),
            ],
            "input_layers": [["given", 0, 0]],
            "output_layers": [["out", 0, 0]],
        },
    }
    w, b, v, c = numbers(3, 3), numbers(3), numbers(3, 2), numbers(2)
    layers = [
        ("given", []),
        ("inner", [("deep/kernel:0", w), ("deep/bias:0", b)]),
        ("add", []),
        ("out", [("out/kernel:0", v), ("out/bias:0", c)]),
    ]
    write(tmp_path / "m.h5", layers, config)
    model = keras.saving.load_model(tmp_path / "m.h5")
    x = numbers(4, 3)
    once = x @ w + b
    np.testing.assert_allclose(model(x).numpy(), (once + once @ w + b) @ v + c, rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "new.keras")
    assert np.array_equal(keras.saving.load_model(tmp_path / "new.keras")(x).numpy(), model(x).numpy())


def test_a_convnet_of_keras_1(tmp_path):
    conv = {
        "name": "conv", "trainable": True, "nb_filter": 3, "nb_row": 2, "nb_col": 2, "border_mode": "valid",
        "subsample": [1, 1], "dim_ordering": "tf", "init": "glorot_uniform", "activation": "relu", "bias": True,
        "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.02}, "b_regularizer": None,
        "activity_regularizer": None, "W_constraint": {"name": "maxnorm", "m": 2}, "b_constraint": None,
        "batch_input_shape": [None, 5, 5, 2], "input_dtype": "float32",
    }  # fmt: skip
    dense = {
        "name": "dense", "trainable": True, "output_dim": 2, "init": "uniform", "activation": "softmax", "bias": True,
        "W_regularizer": None, "b_regularizer": None, "activity_regularizer": None, "W_constraint": None,
        "b_constraint": None, "input_dim": 48,
    }  # fmt: skip
    config = {
        "class_name": "Sequential",
        "config": [
            {"class_name": "Convolution2D", "config": conv},
            {"class_name": "Dropout", "config": {"name": "drop", "trainable": True, "p": 0.5}},
            {"class_name": "Flatten", "config": {"name": "flatten", "trainable": True}},
            {"class_name": "Dense", "config": dense},
        ],
    }
    k, kb, w, wb = numbers(2, 2, 2, 3), numbers(3), numbers(48, 2), numbers(2)
    layers = [
        ("conv", [("conv_W:0", k), ("conv_b:0", kb)]),
        ("drop", []),
        ("flatten", []),
        ("dense", [("dense_W:0", w), ("dense_b:0", wb)]),
    ]
    write(tmp_path / "m.h5", layers, config, version=None)
    model = keras.saving.load_model(tmp_path / "m.h5")
    assert model.layers[0].filters == 3 and tuple(model.layers[0].kernel_size) == (2, 2) and model.layers[1].rate == 0.5
    assert isinstance(model.layers[0].kernel_constraint, keras.constraints.MaxNorm)
    assert isinstance(model.layers[3].kernel_initializer, keras.initializers.RandomUniform)
    x = numbers(2, 5, 5, 2)
    h = np.maximum(keras.ops.conv(x, k).numpy() + kb, 0).reshape(2, -1) @ w + wb
    want = np.exp(h) / np.exp(h).sum(-1, keepdims=True)
    np.testing.assert_allclose(model(x).numpy(), want, rtol=1e-4, atol=1e-5)


def test_files_of_keras_1_with_theano_are_known_by_their_names(tmp_path):
    conv = {"name": "conv", "nb_filter": 3, "nb_row": 2, "nb_col": 2, "dim_ordering": "tf", "bias": False,
            "batch_input_shape": [None, 5, 5, 2]}  # fmt: skip
    config = {"class_name": "Sequential", "config": [{"class_name": "Convolution2D", "config": conv}]}
    kernel = numbers(2, 2, 2, 3)
    for name, want in (("conv_W:0", kernel), ("conv_W", kernel[::-1, ::-1])):
        write(tmp_path / "m.h5", [("conv", [(name, kernel)])], config, version=None)
        np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "m.h5").layers[0].kernel.numpy(), want)


def test_hard_sigmoid_is_that_of_the_time(tmp_path):
    config = {"class_name": "Sequential", "config": [dense_2("a", 3, "hard_sigmoid", batch_input_shape=[None, 4])]}
    w, b = 4 * numbers(4, 3), numbers(3)
    write(tmp_path / "m.h5", [("a", [("k", w), ("l", b)])], config)
    model = keras.saving.load_model(tmp_path / "m.h5")
    x = numbers(5, 4)
    np.testing.assert_allclose(model(x).numpy(), np.clip(0.2 * (x @ w + b) + 0.5, 0, 1), rtol=1e-5, atol=1e-6)
    with pytest.warns(UserWarning, match="keras2_hard_sigmoid. The file opens in kerasish only"):
        model.save(tmp_path / "m.keras")
    same = keras.saving.load_model(tmp_path / "m.keras")
    assert same.layers[0].activation is model.layers[0].activation
    write(tmp_path / "m.h5", [("a", [("k", w), ("l", b)])], config, version="3.3.3")
    assert keras.saving.load_model(tmp_path / "m.h5").layers[0].activation is keras.activations.hard_sigmoid


def test_the_input_that_a_sequential_was_built_with(tmp_path):
    config = {"class_name": "Sequential", "config": {"name": "s", "build_input_shape": [None, 4], "layers": [
        dense_2("a", 3)]}}  # fmt: skip
    write(tmp_path / "m.h5", [("a", [("k", numbers(4, 3)), ("l", numbers(3))])], config)
    assert keras.saving.load_model(tmp_path / "m.h5").input_shape == (None, 4)


def test_arguments_that_are_gone():
    drop = {
        "class_name": "SpatialDropout2D",
        "config": {"name": "d", "trainable": True, "rate": 0.5, "noise_shape": None},
    }
    assert convert(drop)["config"] == {"name": "d", "rate": 0.5}
    words = {"class_name": "Embedding", "config": {"name": "e", "input_dim": 5, "output_dim": 2, "dropout": 0.0}}
    assert "dropout" not in convert(words)["config"]
    words["config"]["dropout"] = 0.5
    with pytest.warns(UserWarning, match=r"Embedding has no dropout any more; .* e, dropout=0.5"):
        convert(words)


def test_metrics_of_several_outputs():
    from kerasish.saving.legacy_model import _metrics

    mae = {"class_name": "MeanMetricWrapper", "config": {"name": "mae", "fn": "mean_absolute_error"}}
    assert _metrics([[mae], [None]]) == [["mean_absolute_error"], []]


def test_merge_of_keras_1_and_the_gru_of_early_versions():
    merge = {"class_name": "Merge", "config": {"name": "m", "mode": "concat", "concat_axis": 1, "layers": []}}
    assert convert(merge)["class_name"] == "Concatenate" and convert(merge)["config"] == {"name": "m", "axis": 1}
    gru = {"class_name": "GRU", "config": {"name": "g", "output_dim": 4, "inner_activation": "hard_sigmoid"}}
    assert convert(gru)["config"] == {
        "name": "g", "units": 4, "recurrent_activation": "hard_sigmoid", "reset_after": False
    }  # fmt: skip
    lstm = {
        "class_name": "LSTM",
        "config": {"name": "l", "output_dim": 4, "forget_bias_init": "one", "inner_init": "one"},
    }
    assert convert(lstm)["config"] == {
        "name": "l", "units": 4, "unit_forget_bias": True, "recurrent_initializer": "ones"
    }  # fmt: skip
    cudnn = {"class_name": "CuDNNGRU", "config": {"name": "c", "units": 4}}
    assert convert(cudnn)["class_name"] == "GRU" and convert(cudnn)["config"]["reset_after"] is True
    wrapped = {"class_name": "TimeDistributed", "config": {"name": "t", "layer": dense_2("d", 2)}}
    assert convert(wrapped)["config"]["layer"]["module"] == "keras.layers"
    up = {"class_name": "UpSampling1D", "config": {"name": "u", "length": 3}}
    assert convert(up)["config"] == {"name": "u", "size": 3}
    embedding = {"class_name": "Embedding", "config": {"name": "e", "input_dim": 5, "output_dim": 2, "init": "uniform"}}
    assert convert(embedding)["config"] == {
        "name": "e", "input_dim": 5, "output_dim": 2, "embeddings_initializer": "random_uniform"
    }  # fmt: skip


# -- layouts of arrays -------------------------------------------------------------------------------------------------


class Sizes:
    def __init__(self, **sizes):
        self.__dict__.update(sizes)


def test_gates_of_keras_1():
    kernels = {g: (numbers(2, 3, seed=k), numbers(3, 3, seed=k), numbers(3, seed=k)) for k, g in enumerate("icfo")}
    arrays = [a for g in "icfo" for a in kernels[g]]
    kernel, recurrent, bias = convert_arrays("LSTM", Sizes(), arrays, "1", None)
    assert np.array_equal(kernel, np.concatenate([kernels[g][0] for g in "ifco"], axis=-1))
    assert np.array_equal(recurrent, np.concatenate([kernels[g][1] for g in "ifco"], axis=-1))
    assert np.array_equal(bias, np.concatenate([kernels[g][2] for g in "ifco"]))
    gru = [a for g in "icf" for a in kernels[g]]
    kernel, recurrent, bias = convert_arrays("GRU", Sizes(), gru, "1.2.0", "tensorflow")
    assert np.array_equal(kernel, np.concatenate([kernels[g][0] for g in "icf"], axis=-1))
    assert recurrent.shape == (3, 9) and bias.shape == (9,)


def test_kernels_of_keras_1():
    stored = numbers(4, 3, 5, 1)  # (filters, inputs, width, 1)
    (kernel,) = convert_arrays("Conv1D", Sizes(kernel_size=(5,), filters=4), [stored], "1", None)
    assert np.array_equal(kernel, stored[..., 0].transpose(2, 1, 0))
    stored = numbers(5, 1, 3, 4)
    (kernel,) = convert_arrays("Conv1D", Sizes(kernel_size=(5,), filters=4), [stored], "1", None)
    assert np.array_equal(kernel, stored[:, 0])
    stored = numbers(4, 3, 5, 6)
    first = Sizes(data_format="channels_first")
    assert convert_arrays("Conv2D", first, [stored], "1", None)[0].shape == (5, 6, 3, 4)
    assert convert_arrays("Conv2DTranspose", first, [stored], "1", None)[0].shape == (5, 6, 4, 3)
    assert convert_arrays("Conv2DTranspose", Sizes(), [stored], "1", None)[0].shape == (4, 3, 6, 5)
    assert convert_arrays("Conv3D", first, [numbers(4, 3, 5, 6, 7)], "1", None)[0].shape == (5, 6, 7, 3, 4)


def test_theano_turns_kernels():
    stored = numbers(3, 3, 2, 4)
    (kernel,) = convert_arrays("Conv2D", Sizes(), [stored], "2.1.0", "theano")
    assert np.array_equal(kernel, stored[::-1, ::-1])


def test_wrapped_layers():
    stored = numbers(3, 3, 2, 4)

    class Conv2D(Sizes):
        pass

    wrapper = Sizes(layer=Conv2D())
    (kernel,) = convert_arrays("TimeDistributed", wrapper, [stored], "2.1.0", "theano")
    assert np.array_equal(kernel, stored[::-1, ::-1])
    both = Sizes(forward_layer=Conv2D(), backward_layer=Conv2D())
    kernels = convert_arrays("Bidirectional", both, [stored, stored + 1], "2.1.0", "theano")
    assert np.array_equal(kernels[1], stored[::-1, ::-1] + 1)


def test_models_inside_models():
    """What is trained comes first, then the rest; and each layer's arrays have the layout of its time."""
    inner = keras.Sequential(
        [keras.Input((None, 2)), L.BatchNormalization(), L.LSTM(3), L.Dense(2), L.BatchNormalization(trainable=False)]
    )
    gates = [numbers(*s, seed=k) for k in range(4) for s in ((2, 3), (3, 3), (3,))]
    trained = [numbers(2), numbers(2, seed=1), *gates, numbers(3, 2), numbers(2, seed=2)]
    rest = [numbers(2, seed=k) for k in range(3, 9)]
    out = convert_arrays("Sequential", inner, [*trained, *rest], "1.2.2", "tensorflow")
    shapes = [tuple(v.shape) for v in (*inner.trainable_weights, *inner.non_trainable_weights)]
    assert [a.shape for a in out] == shapes
    np.testing.assert_array_equal(out[2], np.concatenate([gates[0], gates[6], gates[3], gates[9]], axis=-1))
    np.testing.assert_array_equal(out[-1], rest[-1])
    slots = convert_arrays("Sequential", inner, trained, "1.2.2", "tensorflow")
    assert [a.shape for a in slots] == shapes[: len(inner.trainable_weights)]
    assert convert_arrays("Sequential", inner, trained[1:], "1.2.2", "tensorflow") == trained[1:]


def test_cudnn_layouts():
    # What cuDNN holds of each gate: (units, inputs) matrices, row by row, behind the shape (inputs, 4 * units).
    gates = [numbers(2, 3, seed=k) for k in range(4)]
    stored = np.hstack([np.ascontiguousarray(g.T).ravel().reshape(2, 3) for g in gates])
    recurrent = [numbers(3, 3, seed=9 + k) for k in range(4)]
    bias = numbers(24)
    arrays = [stored, np.hstack([r.T for r in recurrent]), bias]
    kernel, inner, out = from_cudnn("LSTM", arrays)
    for k in range(4):
        assert np.array_equal(kernel[:, 3 * k : 3 * k + 3], gates[k])
        assert np.array_equal(inner[:, 3 * k : 3 * k + 3], recurrent[k])
    assert np.array_equal(out, bias[:12] + bias[12:])
    plain = [numbers(2, 12), numbers(3, 12), numbers(12)]
    assert from_cudnn("LSTM", plain) is plain
    assert from_cudnn("GRU", [numbers(2, 9), numbers(3, 9), numbers(18)])[2].shape == (2, 9)


# -- weights alone -----------------------------------------------------------------------------------------------------


def net():
    return keras.Sequential([keras.Input((4,)), L.Dense(3, name="a"), L.ReLU(), L.Dense(2, name="b")])


def test_weights_in_order_and_by_name(tmp_path):
    layers = [
        ("b", [("b/kernel:0", numbers(4, 3)), ("b/bias:0", numbers(3))]),
        ("x", []),
        ("c", [("k", numbers(3, 2)), ("l", numbers(2))]),
    ]
    write(tmp_path / "w.h5", layers, in_group=False)
    model = net()
    model.load_weights(tmp_path / "w.h5")
    assert np.array_equal(model.layers[0].kernel.numpy(), layers[0][1][0][1])
    other = net()
    before = other.get_weights()
    with pytest.raises(BadFileError, match=r"w.h5: b: Dense 'b' expects shape \(3, 2\)"):
        other.load_weights(tmp_path / "w.h5", by_name=True)
    with pytest.warns(UserWarning, match=r"1 layers keep their values"):
        other.load_weights(tmp_path / "w.h5", by_name=True, skip_mismatch=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))
    with pytest.raises(ValueError, match=r"objects_to_skip needs a .weights.h5 file"):
        other.load_weights(tmp_path / "w.h5", objects_to_skip=[])


def test_names_in_pieces(tmp_path):
    layers = [("a", [("k", numbers(4, 3)), ("l", numbers(3))]), ("b", [("k", numbers(3, 2)), ("l", numbers(2))])]
    write(tmp_path / "w.h5", layers, in_group=False)
    with h5py.File(tmp_path / "w.h5", "a") as f:
        del f.attrs["layer_names"]
        f.attrs["layer_names0"], f.attrs["layer_names1"] = [b"a"], [b"b"]
    model = net()
    model.load_weights(tmp_path / "w.h5")
    assert np.array_equal(model.layers[-1].kernel.numpy(), layers[1][1][0][1])


BAD = {
    "another number of layers": (
        lambda f: f.attrs.__setitem__("layer_names", [b"a"]),
        "the model has 2 layers with wei",
    ),
    "no group": (lambda f: f.__delitem__("a"), "a: every layer that is listed has a group"),
    "no array": (lambda f: f["a"].__delitem__("k"), "a/k: every weight that is listed has an array"),
    "another number of arrays": (lambda f: f["a"].attrs.__setitem__("weight_names", [b"k"]), "Dense 'a' has 2 weights"),
    "numbers as names": (lambda f: f.attrs.__setitem__("layer_names", [1, 2]), "the attribute is a list of names"),
    "a large array": (
        lambda f: (f["a"].__delitem__("k"), f["a"].create_dataset("k", data=numbers(300, 300))),
        "Dense 'a' has 2 weights",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_weights(name, tmp_path):
    change, words = BAD[name]
    write(
        tmp_path / "w.h5",
        [("a", [("k", numbers(4, 3)), ("l", numbers(3))]), ("b", [("k", numbers(3, 2)), ("l", numbers(2))])],
        in_group=False,
    )
    with h5py.File(tmp_path / "w.h5", "a") as f:
        change(f)
    model = net()
    before = model.get_weights()
    with pytest.raises(BadFileError, match=words):
        model.load_weights(tmp_path / "w.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))


def test_bad_models(tmp_path):
    write(tmp_path / "m.h5", [])
    with pytest.raises(BadFileError, match=r"m.h5: model_config: the file has the config of a model"):
        keras.saving.load_model(tmp_path / "m.h5")
    write(tmp_path / "m.h5", [], {"class_name": "Sequential"})
    with pytest.raises(BadFileError, match=r"m.h5: model_config: the config is one of Keras 1 or 2, but KeyError"):
        keras.saving.load_model(tmp_path / "m.h5")
    write(tmp_path / "m.h5", [], {"class_name": "Sequential", "config": [{"class_name": "Evil", "config": {}}]})
    with pytest.raises(BadFileError, match=r"m.h5: model_config: .*unknown class 'Evil'"):
        keras.saving.load_model(tmp_path / "m.h5")
    lambda_ = {"name": "l", "function": ["4wEAAAAA", None, None], "function_type": "lambda"}
    write(tmp_path / "m.h5", [], {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": lambda_}]})
    with pytest.raises(BadFileError, match=r"m.h5: model_config: the config describes a model, but"):
        keras.saving.load_model(tmp_path / "m.h5")
    with h5py.File(tmp_path / "n.h5", "w") as f:
        f.attrs["model_config"] = "{}"
    with pytest.raises(BadFileError, match=r"n.h5: model_weights: the file has the weights of the layers"):
        keras.saving.load_model(tmp_path / "n.h5")


def test_a_training_config_that_is_unknown_now_leaves_the_model_uncompiled(tmp_path):
    config = {"class_name": "Sequential", "config": [dense_2("a", 3, batch_input_shape=[None, 4])]}
    training = {"loss": "nobody_knows", "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.1}}}
    layers = [("a", [("k", numbers(4, 3)), ("l", numbers(3))])]
    write(tmp_path / "m.h5", layers, config, training)
    with pytest.warns(UserWarning, match="the model is not compiled: ValueError: unknown loss"):
        assert not keras.saving.load_model(tmp_path / "m.h5").compiled


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
def test_h5_files_of_keras_3(tmp_path):
    import keras as reference

    R = reference.layers
    x = reference.Input((6, 6, 2))
    y = R.Conv2D(3, 3, activation="relu")(x)
    y = R.BatchNormalization()(R.Concatenate()([y * 2.0 + y, R.Activation("tanh")(y)]))
    model = reference.Model(x, R.Dense(2, kernel_regularizer="l2")(R.Flatten()(y)))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(numbers(4, 6, 6, 2), numbers(4, 2), verbose=0)
    model.save(tmp_path / "m.h5")
    mine = keras.saving.load_model(tmp_path / "m.h5")
    np.testing.assert_allclose(
        mine(numbers(4, 6, 6, 2)).numpy(), np.asarray(model(numbers(4, 6, 6, 2))), rtol=2e-5, atol=2e-5
    )
    assert mine.compiled
    mine.layers[1].kernel.assign(np.zeros_like(mine.layers[1].kernel.numpy()))
    mine.load_weights(tmp_path / "m.h5")
    np.testing.assert_array_equal(mine.layers[1].kernel.numpy(), np.asarray(model.layers[1].kernel))
