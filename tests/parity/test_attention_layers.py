"""Attention layers give Keras's outputs, scores and masks, and train to the same losses."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras

from .test_training import pair, step_losses

pytestmark = pytest.mark.parity

RNG = np.random.default_rng(0)
Q, V = RNG.standard_normal((2, 5, 6)).astype("float32"), RNG.standard_normal((2, 7, 6)).astype("float32")
QUERY_MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
VALUE_MASK = np.arange(7) < np.array([[4], [7]])
LEFT = np.arange(7) >= np.array([[3], [0]])  # the first queries may attend to nothing where attention is causal too
DEAD = np.tri(5, 7, 2, dtype=bool)[None].repeat(2, 0)
DEAD[0, 1] = False

LAYERS = {
    "multi": lambda L: L.MultiHeadAttention(2, 3),
    "multi dropout": lambda L: L.MultiHeadAttention(2, 3, dropout=0.2),
    "multi window": lambda L: L.MultiHeadAttention(2, 3, sliding_window=2, use_gate=True),
    "grouped": lambda L: L.GroupQueryAttention(3, 4, 2),
    "grouped dropout": lambda L: L.GroupQueryAttention(3, 4, 2, dropout=0.2),
    "grouped window": lambda L: L.GroupQueryAttention(3, 4, 1, sliding_window=2, use_gate=True),
}
CALLS = {
    "plain": {},
    "causal": {"use_causal_mask": True},
    "value mask": {"value_mask": VALUE_MASK},
    "query mask": {"query_mask": QUERY_MASK},
    "all masks": {"query_mask": QUERY_MASK, "value_mask": VALUE_MASK, "key_mask": VALUE_MASK, "use_causal_mask": True},
    "left": {"value_mask": LEFT, "use_causal_mask": True},
    "attention mask": {"attention_mask": DEAD},
    "integers": {"attention_mask": DEAD.astype("int32"), "value_mask": VALUE_MASK},
    "one row": {"attention_mask": np.tri(5, 7, 2, dtype=bool)[None]},
}


def same_weights(ours, theirs):
    rng = np.random.default_rng(1)
    values = [rng.uniform(-0.5, 0.5, w.shape).astype("float32") for w in ours.weights]
    assert [w.path.split("/", 1)[1] for w in ours.weights] == [w.path.split("/", 1)[1] for w in theirs.weights]
    ours.set_weights(values)
    theirs.set_weights(values)


def close(got, want):
    np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_projected_attention(make, call):
    import keras as reference

    ours, theirs = make(keras.layers), make(reference.layers)
    ours(Q, V), theirs(Q, V)
    same_weights(ours, theirs)
    close(ours(Q, V, **call), theirs(Q, V, **call))
    for got, want in zip(
        ours(Q, V, return_attention_scores=True, **call), theirs(Q, V, return_attention_scores=True, **call)
    ):
        close(got, want)


@pytest.mark.parametrize("masks", [None, [QUERY_MASK, None], [None, VALUE_MASK], [QUERY_MASK, VALUE_MASK]])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("make", [
    lambda L: L.Attention(use_scale=True),
    lambda L: L.Attention(score_mode="concat"),
    lambda L: L.AdditiveAttention(),
])  # fmt: skip
def test_attention(make, causal, masks):
    import keras as reference

    results = []
    for library in (keras, reference):
        layer = make(library.layers)
        layer([Q, V])
        layer.set_weights([np.full(w.shape, 0.7, "float32") for w in layer.weights])
        mask = None if masks is None else [None if m is None else library.ops.convert_to_tensor(m) for m in masks]
        results.append([
            layer([Q, V], mask=mask, use_causal_mask=causal),
            *layer([Q, V], mask=mask, use_causal_mask=causal, return_attention_scores=True),
        ])  # fmt: skip
    for got, want in zip(*results):
        close(got, want)


def transformer(K):
    """A small encoder over padded sequences.

    The input of an attention layer goes nowhere else: Keras's MultiHeadAttention takes the mask off the tensors that
    it is given, so that what comes later is without a mask; here they keep it.
    """
    L = K.layers
    inputs = K.Input((9,), dtype="int32")
    x = L.Embedding(20, 8, mask_zero=True)(inputs)
    y = L.LayerNormalization(epsilon=1e-6)(x)
    x = L.Add()([x, L.MultiHeadAttention(2, 4, kernel_regularizer="l2")(y, y)])
    y = L.LayerNormalization()(x)
    x = L.Add()([x, L.GroupQueryAttention(4, 4, 2)(y, y, use_causal_mask=True)])
    a = L.Attention(use_scale=True)([x, x])
    x = L.EinsumDense("abc,cd->abd", (None, 8), activation="gelu", bias_axes="d")(L.Add()([x, a]))
    model = K.Model(inputs, L.Dense(2, activation="softmax")(L.GlobalAveragePooling1D()(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def padded(n=16):
    rng = np.random.default_rng(2)
    x = rng.integers(1, 20, (n, 9)).astype("int32")
    x[np.arange(9) >= rng.integers(2, 10, (n, 1))] = 0
    return x, rng.integers(0, 2, n).astype("int32")


@pytest.mark.filterwarnings("ignore:.*does not support masking")
def test_a_transformer_trains_to_the_same_losses():
    ours, theirs, _ = pair(transformer)
    x, y = padded()
    close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))
    batches = [(x, y)] * 8
    np.testing.assert_allclose(step_losses(ours, batches), step_losses(theirs, batches), rtol=2e-5)
