"""ReversibleEmbedding: both directions, and parity with Keras; SpectralNormalization and Wrapper."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L
from kerasish import ops

from .test_errors import fails, ones

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
ARGS = [{}, {"tie_weights": False}, {"logit_soft_cap": 0.5}, {"reverse_dtype": "float64"}]


@pytest.mark.parametrize("args", ARGS, ids=str)
def test_the_reverse_of_an_embedding(args):
    layer = L.ReversibleEmbedding(7, 4, **args)
    rows = layer(np.array([[0, 6]]))
    table, *second = layer.get_weights()
    np.testing.assert_array_equal(rows.numpy()[0], table[[0, 6]])
    want = X.astype(args.get("reverse_dtype", "float32")) @ (second[0] if second else table.T)
    cap = args.get("logit_soft_cap")
    want = want if cap is None else cap * np.tanh(want / cap)
    got = layer(X, reverse=True)
    assert got.dtype == args.get("reverse_dtype", "float32")
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-6)
    y = layer(keras.Input((3, 4)), reverse=True)
    assert (y.shape, y.dtype) == ((None, 3, 7), got.dtype)
    assert layer.compute_output_shape((2, 3)) == (2, 3, 4)
    assert layer.compute_output_shape((2, 3, 4), reverse=True) == (2, 3, 7)


def test_a_reversible_embedding_starts_from_given_weights_and_hands_its_mask_on():
    table = np.arange(12.0, dtype="float32").reshape(3, 4)
    layer = L.ReversibleEmbedding(3, 4, weights=table, mask_zero=True)
    y = layer(np.array([[0, 2]]))
    np.testing.assert_array_equal(y.numpy()[0], table[[0, 2]])
    assert y._keras_mask.numpy().tolist() == [[False, True]]
    assert getattr(layer(X, reverse=True), "_keras_mask", None) is None
    both = L.ReversibleEmbedding(3, 4, tie_weights=False, weights=[table, table.T * 2])
    np.testing.assert_array_equal(both.get_weights()[1], table.T * 2)


@pytest.mark.parametrize("args", ARGS, ids=str)
def test_gradients_of_a_language_model_reach_the_tables(args):
    layer = L.ReversibleEmbedding(7, 4, **args)
    layer(np.array([[1]]))
    with keras.GradientTape() as tape:
        loss = ops.sum(ops.square(layer(layer(np.array([[1, 2]])), reverse=True)))
    assert all(np.abs(g.numpy()).max() > 0 for g in tape.gradient(loss, layer.trainable_weights))


@pytest.mark.parity
@pytest.mark.parametrize("args", ARGS[:3], ids=str)
def test_the_reverse_is_that_of_keras(args):
    import keras as reference

    ours, theirs = L.ReversibleEmbedding(7, 4, **args), reference.layers.ReversibleEmbedding(7, 4, **args)
    ours(np.array([[1]])), theirs(np.array([[1]]))
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(X, reverse=True).numpy(), np.asarray(theirs(X, reverse=True)), rtol=1e-5, atol=1e-6)
    assert set(theirs.get_config()) - set(ours.get_config()) <= {"lora_rank", "lora_alpha", "quantization_config"}


def test_errors_of_a_reversible_embedding():
    fails(
        "ReversibleEmbedding: logit_soft_cap is a number of at least 0",
        lambda: L.ReversibleEmbedding(3, 4, logit_soft_cap=-1),
    )
    fails(
        "matmul: the inner dimensions must be equal, not 5 and 4",
        lambda: L.ReversibleEmbedding(3, 4)(ones(2, 5), reverse=True),
    )


def test_spectral_normalization_bounds_the_kernel():
    for layer in (L.Dense(5), L.Conv2D(3, 2), L.Embedding(9, 4)):
        wrapped = L.SpectralNormalization(layer, power_iterations=60)
        x = np.ones((1, 3), "int32") if isinstance(layer, L.Embedding) else ones(1, 4, 4, 3)
        wrapped(x)
        before = wrapped.kernel.numpy() * 10
        wrapped.kernel.assign(before)
        wrapped(x, training=False)
        np.testing.assert_array_equal(wrapped.kernel.numpy(), before)
        wrapped(x, training=True)
        matrix = before.reshape(-1, before.shape[-1])
        want = before / np.linalg.svd(matrix, compute_uv=False)[0]
        np.testing.assert_allclose(wrapped.kernel.numpy(), want, rtol=1e-3, atol=1e-4)


def test_spectral_normalization_leaves_zeros_alone():
    layer = L.SpectralNormalization(L.Dense(3, kernel_initializer="zeros"))
    layer(ones(2, 4))
    u = layer.vector_u.numpy()
    assert (layer(ones(2, 4), training=True).numpy() == 0).all()
    np.testing.assert_array_equal(layer.vector_u.numpy(), u)


def test_errors_of_wrappers():
    fails("SpectralNormalization: what is wrapped is a layer. Received: layer=3", lambda: L.SpectralNormalization(3))
    fails("Wrapper: what is wrapped is a layer. Received: layer=None", lambda: L.Wrapper(None))
    fails(
        "SpectralNormalization: power_iterations is a positive integer. Received: power_iterations=0",
        lambda: L.SpectralNormalization(L.Dense(3), power_iterations=0),
    )
    fails(
        "SpectralNormalization: the layer has a kernel or embeddings.",
        lambda: L.SpectralNormalization(L.ReLU())(ones(2, 3)),
    )
