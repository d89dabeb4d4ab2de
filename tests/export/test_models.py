"""Whole models: exported, checked by onnx and run by onnxruntime with its optimizations, at several sizes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine import tree

from ..parity.zoo import MODELS
from .runtime import check, run, session


def exported(model, path, **kwargs):
    """A session of the exported file, which onnx finds valid, and the file's content."""
    model.export(path, format="onnx", verbose=False, **kwargs)
    onnx.checker.check_model(str(path), full_check=True)
    return session(path, optimize=True), onnx.load(path)


def rand(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def ids(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 20, shape).astype("int32")


def agree(model, s, *inputs, rtol: float = 2e-5) -> None:
    for x in inputs:
        check(run(s, tree.flatten(x)), model(tree.map_structure(ops.convert_to_tensor, x)), rtol)


@pytest.mark.parametrize("case", MODELS, ids=repr)
def test_the_models_that_are_exchanged_with_keras(case, tmp_path):
    model = case.build(keras)
    s, _ = exported(model, tmp_path / "m.onnx")
    names = [i.name for i in s.get_inputs()]
    if isinstance(case.inputs, dict):
        given = [case.inputs[n] for n in names]
    else:
        given = tree.flatten(case.inputs)
    want = model(tree.map_structure(ops.convert_to_tensor, case.inputs))
    check(run(s, given), want, rtol=5e-5)


def cnn():
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )


def residual(x, filters: int, strides: int):
    y = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    if strides > 1:
        x = layers.Conv2D(filters, 1, strides=strides, padding="same")(x)
    return layers.ReLU()(layers.Add()([x, y]))


def resnet(size=16):
    x = keras.Input((size, size, 3))
    y = residual(residual(layers.Conv2D(4, 3, padding="same")(x), 4, 1), 8, 2)
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y)))


def mobile(size=16):
    x = keras.Input((size, size, 3))
    y = layers.Conv2D(8, 1, use_bias=False)(x)
    y = layers.ReLU(max_value=6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(y)
    y = layers.Activation("silu")(layers.BatchNormalization()(y))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    y = layers.Multiply()([y, layers.Conv2D(8, 1, activation="hard_sigmoid")(gate)])
    y = layers.SeparableConv2D(6, 3, padding="same")(y)
    return keras.Model(x, layers.GlobalMaxPooling2D()(y))


def unet():
    x = keras.Input((None, None, 3))
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    up = layers.Conv2DTranspose(4, 2, strides=2)(b)
    return keras.Model(x, layers.Conv2D(1, 1)(layers.Concatenate()([up, a, layers.UpSampling2D()(b)])))


def transformer():
    x = keras.Input((None,), dtype="int32")
    h = layers.Embedding(20, 8, mask_zero=True)(x)
    a = layers.MultiHeadAttention(2, 4)(h, h, use_causal_mask=True)
    h = layers.LayerNormalization()(layers.Add()([h, a]))
    a = layers.GroupQueryAttention(4, 2, 1)(h, h)
    h = layers.RMSNormalization()(layers.Add()([h, a]))
    m = layers.Dense(8)(layers.Dense(16, activation="gelu")(h))
    return keras.Model(x, layers.Add()([h, m]))


def recurrent():
    x = keras.Input((None,), dtype="int32")
    h = layers.Embedding(20, 6, mask_zero=True)(x)
    h = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(h)
    h = layers.GRU(4, go_backwards=True, return_sequences=True)(h)
    return keras.Model(x, layers.TimeDistributed(layers.Dense(2))(h))


def test_cnn(tmp_path):
    model = cnn()
    s, file = exported(model, tmp_path / "m.onnx")
    agree(model, s, rand(1, 12, 12, 1), rand(5, 12, 12, 1))
    assert "Dropout" not in {n.op_type for n in file.graph.node}


@pytest.mark.parametrize("make", [resnet, mobile], ids=["resnet", "mobile"])
@pytest.mark.parametrize("size", [16, None], ids=["fixed", "free"])
def test_image_models(make, size, tmp_path):
    model = make(size)
    s, _ = exported(model, tmp_path / "m.onnx")
    inputs = [rand(1, 16, 16, 3), rand(3, 16, 16, 3)]
    agree(model, s, *inputs, *([] if size else [rand(2, 11, 20, 3)]))


def test_layouts_meet_and_are_gone(tmp_path):
    """Between the convolutions of a block, transpositions of the activations would cost as much as the kernels."""
    _, file = exported(resnet(), tmp_path / "m.onnx")
    weights = {i.name for i in file.graph.initializer}
    turned = [n for n in file.graph.node if n.op_type == "Transpose" and n.input[0] not in weights]
    assert len(turned) == 2  # into the first convolution, and out of the last block


def test_a_model_whose_sizes_must_halve(tmp_path):
    model = unet()
    s, _ = exported(model, tmp_path / "m.onnx")
    agree(model, s, rand(1, 8, 8, 3), rand(2, 4, 10, 3))


def test_transformer_of_any_length(tmp_path):
    model = transformer()
    s, file = exported(model, tmp_path / "m.onnx")
    agree(model, s, ids(1, 1), ids(2, 7), ids(3, 12))
    dims = file.graph.output[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in dims] == ["batch", "dim_0_1", 8]


def test_recurrent_model_of_any_length(tmp_path):
    model = recurrent()
    s, _ = exported(model, tmp_path / "m.onnx")
    agree(model, s, ids(1, 1), ids(2, 7), ids(3, 12))


def test_recurrent_layers_are_the_operators_where_these_match(tmp_path):
    model = keras.Sequential([keras.Input((None, 3)), layers.LSTM(4, return_sequences=True), layers.GRU(2)])
    s, file = exported(model, tmp_path / "m.onnx")
    agree(model, s, rand(1, 2, 3), rand(3, 6, 3))
    kinds = [n.op_type for n in file.graph.node]
    assert ("LSTM" in kinds, "GRU" in kinds, "MatMul" in kinds) == (True, True, False)


def test_names_and_weights_are_those_of_the_model(tmp_path):
    x, t = keras.Input((4,), name="features"), keras.Input((3,), dtype="int64", name="token")
    h = layers.Concatenate()([layers.Dense(3, name="first")(x), layers.Rescaling(0.5)(t)])
    model = keras.Model({"features": x, "token": t}, [layers.Dense(2, name="a")(h), layers.Dense(1, name="b")(h)])
    s, file = exported(model, tmp_path / "m.onnx")
    assert [(i.name, i.type, i.shape) for i in s.get_inputs()] == [
        ("features", "tensor(float)", ["batch", 4]),
        ("token", "tensor(int64)", ["batch", 3]),
    ]
    assert [o.name for o in s.get_outputs()] == ["a", "b"]
    given = {i.name: onnx.numpy_helper.to_array(i) for i in file.graph.initializer}
    for v in model.variables:
        np.testing.assert_array_equal(given[v.path], v.numpy())
    assert (file.opset_import[0].version, file.producer_name) == (18, "kerasish")
    tokens = np.arange(6, dtype="int64").reshape(2, 3)
    agree(model, s, {"features": rand(2, 4), "token": tokens})


def test_shared_and_nested_models_and_an_input_that_is_an_output(tmp_path):
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="relu", name="d")], name="inner")
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    u, v = inner(a), inner(b)
    model = keras.Model([a, b], {"sum": layers.Add()([u, v]), "a": a, "again": u})
    s, file = exported(model, tmp_path / "m.onnx")
    assert len(file.graph.initializer) == 2
    assert sorted(o.name for o in s.get_outputs()) == ["a_1", "again", "sum"]
    agree(model, s, [rand(3, 4), -rand(3, 4)])


def test_a_graph_of_ops(tmp_path):
    x = keras.Input((5, 4))
    y = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
    y = ops.where(ops.greater(y, 0.0), ops.log1p(ops.abs(y)), ops.softmax(y)) + ops.mean(x, axis=-1, keepdims=True)
    model = keras.Model(x, [ops.argmax(y, axis=-1), ops.sort(y)[:, ::-1, 1:], ops.einsum("bij,bkj->bik", y, y)])
    s, _ = exported(model, tmp_path / "m.onnx")
    agree(model, s, rand(1, 5, 4), rand(3, 5, 4))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense, self.noise = layers.Dense(3), layers.GaussianNoise(0.5)

    def call(self, x, training=None):
        h = self.noise(self.dense(x["u"]), training=training)
        return {"sum": h + x["v"], "raw": h}


@pytest.mark.parametrize("signature", [False, True], ids=["called", "signature"])
def test_subclassed_model(signature, tmp_path):
    model, inputs = Subclassed(), {"u": rand(2, 4), "v": rand(2, 3)}
    given = None
    if signature:  # the model is built by the export
        specs = {k: keras.InputSpec(shape=(None, *x.shape[1:]), dtype="float32") for k, x in inputs.items()}
        given = [specs]
    else:
        model(inputs)
    s, _ = exported(model, tmp_path / "m.onnx", input_signature=given)
    assert [o.name for o in s.get_outputs()] == ["raw", "sum"]
    agree(model, s, inputs, {"u": rand(5, 4), "v": rand(5, 3)})


class Sizes(keras.Model):
    """What follows from the number of steps: a mask, positions, a mean, slices, and constants computed from it."""

    def call(self, x):
        batch, time = ops.shape(x)[:2]
        scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        scores = ops.where(ops.tril(ops.ones((time, time), "bool")), scores, -1e9)
        waves = ops.sin(ops.arange(time, dtype="float32") * 0.3)[:, None]
        return (
            ops.softmax(scores),
            x + waves,
            ops.sum(x, axis=1) / time + 1 / time,
            x[:, : (time + 1) // 2],
            x[:, time - 2],
            ops.reshape(x, (batch, time * 2, 3)),
            ops.reshape(x, (batch * time, 6)),
            ops.zeros((batch, time)) + batch * time,
            ops.broadcast_to(ops.arange(time)[None], (batch, time)),
        )


def test_what_follows_from_a_free_size(tmp_path):
    model = Sizes()
    model(rand(2, 5, 6))
    s, _ = exported(model, tmp_path / "m.onnx", input_signature=[keras.InputSpec("float32", (None, None, 6))])
    agree(model, s, rand(2, 5, 6), rand(1, 8, 6), rand(3, 33, 6))


class Rounds(keras.Model):
    """Lengths that strides round in ways of their own; some of them are equal at half of all lengths."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = layers.Conv1D(4, 3, strides=2), layers.MaxPooling1D(2)
        self.same = layers.Conv1D(4, 5, strides=3, padding="same")

    def call(self, x):
        batch, time = ops.shape(x)[:2]
        pooled = self.pool(x)
        return (
            x[:, : (time - 1) // 2] + self.conv(x),
            ops.reshape(pooled, (batch, time // 2 * 4)),
            ops.concatenate([pooled, x[:, time // 2 :]], 1),
            x[:, time // 4 : time // 2],
            ops.zeros((batch, (time + 2) // 3)) + self.same(x)[..., 0],
        )


def test_rounded_sizes(tmp_path):
    model = Rounds()
    model(rand(2, 16, 4))
    s, _ = exported(model, tmp_path / "m.onnx", input_signature=[keras.InputSpec("float32", (None, None, 4))])
    agree(model, s, *(rand(1 + time % 3, time, 4) for time in range(5, 18)))


def test_two_inputs_of_free_lengths(tmp_path):
    """Of their own where the model allows it, one where it does not."""
    q, k = keras.Input((None, 6)), keras.Input((None, 6))
    model = keras.Model([q, k], layers.MultiHeadAttention(2, 3)(q, k))
    s, _ = exported(model, tmp_path / "m.onnx")
    agree(model, s, [rand(2, 5, 6), rand(2, 7, 6)])
    model = keras.Model([q, k], layers.Add()([q, k]))
    s, file = exported(model, tmp_path / "m.onnx")
    agree(model, s, [rand(2, 5, 6), -rand(2, 5, 6)])
    assert {i.type.tensor_type.shape.dim[1].dim_param for i in file.graph.input} == {"dim_1"}


def test_half_precision_and_integers(tmp_path):
    x = keras.Input((6, 6, 3), dtype="uint8")
    y = layers.Rescaling(1 / 255, dtype="mixed_float16")(x)
    y = layers.Flatten()(layers.Conv2D(2, 3, dtype="mixed_float16")(y))
    model = keras.Model(x, layers.Dense(3, activation="softmax", dtype="float32")(y))
    s, _ = exported(model, tmp_path / "m.onnx")
    image = np.random.default_rng(0).integers(0, 256, (2, 6, 6, 3)).astype("uint8")
    agree(model, s, image, rtol=5e-3)


def test_a_fixed_batch_is_one_that_the_signature_says(tmp_path):
    model = keras.Sequential([keras.Input(batch_shape=(2, 4)), layers.Dense(3)])
    s, _ = exported(model, tmp_path / "m.onnx")
    assert s.get_inputs()[0].shape == ["batch", 4]
    s, _ = exported(model, tmp_path / "m.onnx", input_signature=[keras.InputSpec("float32", (2, 4))])
    assert s.get_inputs()[0].shape == [2, 4]
    s, _ = exported(model, tmp_path / "m.onnx", input_signature=[ops.ones((2, 4))])
    assert s.get_inputs()[0].shape == ["batch", 4]


def test_exporting_leaves_the_model_as_it_was(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, activity_regularizer="l2"), layers.BatchNormalization()]
    )
    before = [v.numpy() for v in model.variables]
    exported(model, tmp_path / "m.onnx")
    assert model.losses == []
    for v, b in zip(model.variables, before):
        np.testing.assert_array_equal(v.numpy(), b)
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(rand(8, 4), rand(8, 3), verbose=0).history["loss"][0])
