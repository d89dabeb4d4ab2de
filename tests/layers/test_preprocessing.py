"""Normalization: statistics from data of every form, what it refuses, files, compiled steps, export."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers


def data(*shape):
    return np.random.default_rng(3).normal(3.0, 2.0, shape).astype("float32")


class Batches(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.x[3 * i : 3 * i + 3], np.zeros(3)


X = data(10, 3, 4)
FORMS = {
    "array": lambda x: x,
    "tensor": lambda x: keras.ops.convert_to_tensor(x),
    "list": lambda x: [x[:7], x[7:]],
    "generator": lambda x: ((x[i : i + 3], None) for i in range(0, len(x), 3)),
    "dataset": Batches,
    "integers": lambda x: x.astype("int64"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axis", [-1, (1, 2), None, (0, -1)], ids=str)
def test_adapt(form, axis):
    if axis == (0, -1) and form not in ("array", "tensor", "integers"):
        return  # the batches differ along an axis that is kept
    x = FORMS["integers"](X) if form == "integers" else X
    layer = layers.Normalization(axis=axis)
    layer.adapt(FORMS[form](x))
    keep = () if axis is None else tuple(a % 3 for a in np.atleast_1d(axis))
    over = tuple(a for a in range(3) if a not in keep)
    mean, variance = x.mean(over, dtype="float64", keepdims=True), x.var(over, dtype="float64", keepdims=True)
    np.testing.assert_allclose(layer.mean.numpy(), mean, rtol=1e-6)
    np.testing.assert_allclose(layer.variance.numpy(), variance, rtol=1e-6)
    want = (x - mean) / np.maximum(np.sqrt(variance), 1e-7)
    y = layer(x)
    np.testing.assert_allclose(y.numpy(), want, rtol=1e-4, atol=1e-5)
    assert y.dtype == "float32"
    back = layers.Normalization(axis=axis, invert=True)
    back.adapt(FORMS[form](x))
    np.testing.assert_allclose(back(y).numpy(), x, rtol=1e-4, atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize("axis", [-1, (1, 2), None], ids=str)
def test_adapt_as_in_keras(axis):
    """With an array: Keras reads batches only where TensorFlow is installed."""
    import keras as reference

    mine, theirs = layers.Normalization(axis=axis), reference.layers.Normalization(axis=axis)
    for layer in (mine, theirs):
        layer.adapt(X)
    for a, b in zip(mine.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=1e-5)
    np.testing.assert_allclose(mine(X).numpy(), np.asarray(theirs(X)), rtol=1e-4, atol=1e-5)


def test_statistics_of_small_variance_far_from_zero():
    """Merging the batches loses no digits that the data have."""
    x = 1e4 + data(64, 2)
    layer = layers.Normalization()
    layer.adapt(x[i : i + 1] for i in range(64))
    np.testing.assert_allclose(layer.adapt_variance.numpy(), x.var(0, dtype="float64"), rtol=1e-6)


def test_a_constant_feature_and_numbers_without_an_array():
    layer = layers.Normalization()
    layer.adapt(np.full((5, 1), 7.0))
    assert layer([[7.0], [7.0]]).numpy().tolist() == [[0.0], [0.0]]
    assert layers.Normalization(None, 1.0, 4.0)(5.0).numpy() == 2.0
    assert layers.Normalization(None, 1.0, 4.0).mean is None
    layer = layers.Normalization(mean=[1.0, 2.0], variance=[4.0, 9.0])
    assert layer(np.array([[3, 5]])).numpy().tolist() == [[1.0, 1.0]]
    assert layer.finalize_state() is None
    assert layer.convert_weight(layer.mean) is not None


def test_a_compiled_model_follows_the_statistics():
    layer = layers.Normalization()
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    x = data(6, 4)
    for factor in (1.0, 3.0):  # the second time the step is there already
        layer.adapt(x * factor)
        for _ in range(3):
            got = model.predict(x, verbose=0)
        want = ((x - (x * factor).mean(0)) / (x * factor).std(0)).sum(1, keepdims=True)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    assert layer.trainable_weights == []


def test_files(tmp_path):
    norm = layers.Normalization(axis=(-1, 1))
    norm.adapt(X)
    model = keras.Sequential([keras.Input((3, 4)), norm, layers.Normalization(None, 2.0, 3.0), layers.Flatten()])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(X).numpy(), model(X).numpy())
    assert again.layers[0].axis == (-1, 1)
    for v in model.weights:
        v.assign(keras.ops.ones_like(v))
    assert (model(X).numpy() != again(X).numpy()).any()
    again.save_weights(tmp_path / "model.weights.h5")
    model.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(model(X).numpy(), again(X).numpy())


def test_a_given_mean_takes_no_memory_by_the_shape_of_the_input():
    layer = layers.Normalization(mean=1.0, variance=1.0)
    layer.build((None, 10**12))
    assert layer.mean.shape == (1, 1)


BAD = {
    "alone": (lambda L: L(mean=1.0), "Normalization: mean and variance are given together. Received: mean=1.0"),
    "shapes": (lambda L: L(mean=[1.0], variance=1.0), "mean and variance have the same shape"),
    "rank": (lambda L: L(mean=[[1.0]], variance=[[1.0]]), "at most as many dimensions as there are axes, 1"),
    "text": (
        lambda L: L(mean="1", variance="2"),
        "mean is a number, or an array or list of numbers. Received: mean='1'",
    ),
    "ragged": (lambda L: L(mean=[[1.0], []], variance=[1.0]), "mean is a number, or an array or list of numbers"),
    "axis": (lambda L: L(axis=2).build((3, 4)), "Normalization: axis 2 is out of range for an input of rank 2"),
    "unknown": (lambda L: L(axis=0).build((None, 4)), "the normalized axes must have known sizes"),
    "twice": (
        lambda L: L(axis=(1, -1), mean=[[1.0]], variance=[[1.0]]).build((3, 4)),
        "mean has at most as many dimensions as there are axes, 1",
    ),
    "broadcast": (
        lambda L: L(mean=[1.0, 2.0], variance=[1.0, 2.0]).build((3, 4)),
        "mean and variance broadcast to the sizes of the kept axes, (4,)",
    ),
    "given": (lambda L: L(mean=1.0, variance=1.0).adapt(X), "adapt: the mean and variance were given"),
    "empty": (lambda L: L().adapt([]), "adapt: the data have at least one sample"),
    "no rows": (lambda L: L().adapt(np.ones((0, 2))), "adapt: the data have at least one sample"),
    "changing": (lambda L: L().adapt([np.ones((2, 3)), np.ones((2, 4))]), "the data fit the shape that the layer was"),
    "no build": (lambda L: no_build(L()), "build(input_shape) comes before the first call"),
}


def no_build(layer):
    layer.build(None)
    return layer(X)


@pytest.mark.parametrize("case", BAD)
def test_errors(case):
    act, message = BAD[case]
    with pytest.raises(ValueError) as e:
        act(layers.Normalization)
    assert message in str(e.value)


@pytest.mark.parametrize(
    "given, message",
    [
        ([[1.0, 2.0]], "Normalization.adapt: an iterable gives batches that are arrays"),
        (3.0, "Normalization.adapt: data is an array, a tensor, a PyDataset or an iterable of batches"),
        (np.array([["a"]]), "adapt: the data are numbers. Received: dtype='<U1'"),
    ],
    ids=["numbers", "number", "text"],
)
def test_adapt_refuses_what_is_no_array(given, message):
    with pytest.raises(TypeError) as e:
        layers.Normalization().adapt(given)
    assert message in str(e.value)


def test_a_failing_adapt_leaves_the_statistics():
    layer = layers.Normalization()
    layer.adapt(X)
    before = layer.get_weights()
    with pytest.raises(ValueError, match="fit the shape"):
        layer.adapt([X + 1, X[:, :, :2]])
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_axis_is_checked():
    with pytest.raises(TypeError, match="Normalization: axis is an integer or a list of integers"):
        layers.Normalization(axis="last")
