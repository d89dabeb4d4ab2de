"""Softmax, cross-entropies and normalisation give Keras's values, dtypes and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish
from kerasish import ops

pytestmark = pytest.mark.parity


def oracle(name):
    import keras

    return getattr(keras.ops, name)


def agree(got, want, rtol=1e-5):
    want = np.asarray(want)
    assert got.dtype == str(want.dtype) and got.shape == want.shape
    half = got.dtype == "float16"  # in which Keras computes some functions, while ours round once
    np.testing.assert_allclose(got, want, rtol=2e-3 if half else rtol, atol=1e-3 if half else 1e-6)


def check(name, args, wrt, *more, **kwargs):
    """Same values, and same gradients of a weighted sum with respect to the arguments at the positions `wrt`."""
    import jax

    args = [np.asarray(a) for a in args]

    def call(fn, chosen):
        full = list(args)
        for k, v in zip(wrt, chosen):
            full[k] = v
        return fn(*full, *more, **kwargs)

    tensors = [ops.convert_to_tensor(args[k]) for k in wrt]
    with kerasish.GradientTape() as tape:
        tape.watch(tensors)
        y = call(getattr(ops, name), tensors)
    weights = np.random.default_rng(9).random(y.shape).astype("float32")

    @jax.jit  # one compilation for the value and all gradients
    def keras_does(*chosen):
        value, pull = jax.vjp(lambda *c: call(oracle(name), c), *chosen)
        return value, pull(weights)

    want, wanted = keras_does(*[args[k] for k in wrt])
    agree(y, want)
    for g, w in zip(tape.gradient(y, tensors, output_gradients=weights), wanted):
        np.testing.assert_allclose(g, w, rtol=2e-4, atol=2e-5)


def values(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype("float32")


def probabilities(*shape):
    p = np.random.default_rng(shape).random(shape) + 0.05
    return (p / p.sum(-1, keepdims=True)).astype("float32")


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax"])
def test_softmax(name):
    x = values(3, 4, 5) * 3
    for axis in (-1, 0, 1):
        check(name, [x], [0], axis=axis)
    if name != "sparsemax":
        for axis in ((1, 2), (0, 2)):
            check(name, [x], [0], axis=axis)
    agree(getattr(ops, name)(x.astype("float16")), oracle(name)(x.astype("float16")))


def test_logsumexp():
    for axis in (None, -1, (0, 2)):
        check("logsumexp", [values(3, 4, 5) * 3], [0], axis=axis, keepdims=True)


@pytest.mark.parametrize("from_logits", [False, True])
def test_cross_entropies(from_logits):
    output = values(6, 5) * 3 if from_logits else probabilities(6, 5)
    labels = np.arange(6, dtype="int32") % 5
    check("categorical_crossentropy", [probabilities(6, 5), output], [0, 1], from_logits=from_logits)
    check("sparse_categorical_crossentropy", [labels, output], [1], from_logits=from_logits)
    check("sparse_categorical_crossentropy", [labels[:, None], output], [1], from_logits=from_logits)
    target = np.random.default_rng(1).random((6, 5)).astype("float32")
    check("binary_crossentropy", [target, output], [0, 1], from_logits=from_logits)


def test_cross_entropies_of_clipped_probabilities():
    p = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], "float32")
    for target in (np.eye(3, dtype="float32")[:2], np.eye(3, dtype="float32")[1:]):
        agree(ops.categorical_crossentropy(target, p), oracle("categorical_crossentropy")(target, p))
        agree(ops.binary_crossentropy(target, p), oracle("binary_crossentropy")(target, p))


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_normalization(axis):
    x = values(3, 4, 2, 5)
    c = x.shape[axis]
    vectors = [values(c), np.abs(values(c, seed=1)) + 0.1]
    check("batch_normalization", [x, *vectors], [0, 1, 2], axis)
    check("batch_normalization", [x, *vectors], [0, 1, 2], axis, values(c, seed=2), values(c, seed=3), 1e-2)


@pytest.mark.parametrize("axis", [-1, (1, 2), 1])
def test_layer_and_rms_normalization(axis):
    x = values(3, 4, 5)
    line = [x.shape[k] for k in np.atleast_1d(axis)]
    gamma, beta = values(*line), values(*line, seed=1)
    check("layer_normalization", [x], [0], axis=axis)
    check("layer_normalization", [x, gamma, beta], [0, 1, 2], axis=axis, epsilon=1e-3)
    check("rms_normalization", [x], [0], axis=axis)
    if axis != 1:
        check("rms_normalization", [x, gamma], [0, 1], axis=axis, epsilon=1e-3)


def test_moments_and_unit_norm():
    x = values(3, 4, 5)
    for axes in ([0], [0, 2], [1, 2]):
        for keepdims in (False, True):
            for g, w in zip(ops.moments(x, axes, keepdims), oracle("moments")(x, axes, keepdims)):
                agree(g, w)
    for axis, order in ((-1, 2), (0, 1), (1, 3), ((0, 1), 2), ((1, 2), 1)):
        check("normalize", [x], [0], axis=axis, order=order)
