"""Recurrent layers against Keras: masks, states, directions, gradients, training, configs both ways."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import kerasish as keras
from kerasish.engine import tree

from .test_training import pair

pytestmark = pytest.mark.parity

MASK = np.random.default_rng(5).random((3, 6)) < 0.6
VARIANTS = {
    "SimpleRNN": ("SimpleRNN", {}),
    "SimpleRNN relu": ("SimpleRNN", {"activation": "relu"}),
    "SimpleRNN linear": ("SimpleRNN", {"activation": None}),
    "GRU": ("GRU", {}),
    "GRU before": ("GRU", {"reset_after": False}),
    "GRU no bias": ("GRU", {"use_bias": False}),
    "LSTM": ("LSTM", {}),
    "LSTM general": ("LSTM", {"recurrent_activation": "hard_sigmoid"}),
}


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def make(name, /, *args, **options):
    """Makes the layer from either library's `layers`."""
    return lambda L: getattr(L, name)(*args, **options)


def both(make, shape=(3, 6, 4)):
    """Our layer and Keras's with the same weights, which must have the same names, paths and shapes."""
    import keras as reference

    for library in (keras, reference):
        library.backend.clear_session(free_memory=False)  # names that are counted are compared

    ours, theirs = make(keras.layers), make(reference.layers)
    ours.build(shape), theirs.build(shape)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [w.path.partition("/")[2] for w in ours.weights] == [w.path.partition("/")[2] for w in theirs.weights]
    values = [data(*w.shape, seed=k) for k, w in enumerate(ours.weights)]
    ours.set_weights(values), theirs.set_weights(values)
    return ours, theirs


def same(ours, theirs, rtol=1e-5):
    for a, b in zip(tree.flatten(ours), tree.flatten(theirs), strict=True):
        b = np.asarray(b)
        np.testing.assert_allclose(a.numpy(), b, rtol=rtol, atol=rtol * max(1.0, float(np.abs(b).max(initial=0))))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("unroll", [False, True])
def test_outputs_and_states(variant, mask, unroll):
    name, options = VARIANTS[variant]
    for sequences, backwards, zeros, first in itertools.product((False, True), repeat=4):
        returns = dict(return_sequences=sequences, go_backwards=backwards, zero_output_for_mask=zeros)
        ours, theirs = both(make(name, 5, return_state=True, unroll=unroll, **returns, **options))
        states = [data(3, 5, seed=7 + k) for k in range(1 + (name == "LSTM"))] if first else None
        x = data(3, 6, 4)
        same(ours(x, mask=mask, initial_state=states), theirs(x, mask=mask, initial_state=states))


@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_bidirectional(kind, merge):
    for sequences, state, mask in itertools.product((False, True), (False, True), (None, MASK)):
        inner = make(kind, 5, return_sequences=sequences, return_state=state, name="it")
        ours, theirs = both(lambda L, inner=inner: L.Bidirectional(inner(L), merge_mode=merge))
        x = data(3, 6, 4)
        same(ours(x, mask=mask), theirs(x, mask=mask))
        first = [data(3, 5, seed=k) for k in range(2 * (1 + (kind == "LSTM")))]
        same(ours(x, initial_state=first), theirs(x, initial_state=first))
        a, b = json.dumps(keras.layers.serialize(ours)), theirs.get_config()
        assert set(ours.get_config()) == set(b)
        assert set(ours.get_config()["layer"]["config"]) == set(b["layer"]["config"])
        import keras as reference

        again = reference.layers.deserialize(json.loads(a))
        assert again.get_config() == json.loads(json.dumps(again.get_config()))


def test_cells_without_layers_stacked_and_masked():
    for mask in (None, MASK):
        ours, theirs = both(
            lambda L: L.RNN(
                [L.LSTMCell(5, name="a"), L.GRUCell(4, name="b")], return_sequences=True, return_state=True, name="it"
            )
        )
        same(ours(data(3, 6, 4), mask=mask), theirs(data(3, 6, 4), mask=mask))


@pytest.mark.parametrize("kind", ["SimpleRNN", "GRU", "LSTM"])
def test_stateful(kind):
    ours, theirs = both(lambda L: getattr(L, kind)(5, stateful=True, return_sequences=True))
    for k in range(3):
        same(ours(data(3, 6, 4, seed=k)), theirs(data(3, 6, 4, seed=k)))
    ours.reset_state(), theirs.reset_state()
    same(ours(data(3, 6, 4)), theirs(data(3, 6, 4)))
    assert [v.name for v in ours.states] == [v.name for v in theirs.states]
    assert len(ours.weights) == len(theirs.weights)
    assert len(ours.non_trainable_variables) == len(theirs.non_trainable_variables)


@pytest.mark.parametrize("masked", [False, True])
def test_time_distributed(masked):
    ours, theirs = both(lambda L: L.TimeDistributed(L.LSTM(5, name="it")), (3, 6, 2, 4))
    mask = np.random.default_rng(0).random((3, 6, 2)) < 0.6 if masked else None
    same(ours(data(3, 6, 2, 4), mask=mask), theirs(data(3, 6, 2, 4), mask=mask))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv_lstm_states(data_format):
    shape = (2, 4, 5, 6, 3) if data_format == "channels_last" else (2, 4, 3, 5, 6)
    for strides in (1, 2):
        options = dict(strides=strides, data_format=data_format, return_sequences=True, return_state=True)
        ours, theirs = both(make("ConvLSTM2D", 3, 2, **options), shape)
        same(ours(data(*shape)), theirs(data(*shape)))  # with a mask, Keras fails on JAX


def text(K, layer):
    """Tokens, with padding, through a recurrent layer."""
    L = K.layers
    return K.Sequential(
        [K.Input((7,), dtype="int32"), L.Embedding(11, 6, mask_zero=True), layer(L), L.Dense(2, activation="softmax")]
    )


def series(K, layers):
    return K.Sequential([K.Input((7, 4)), *layers(K.layers), K.layers.Dense(2, activation="softmax")])


MODELS = {
    "LSTM": lambda K: text(K, lambda L: L.LSTM(5, kernel_regularizer="l2")),
    "GRU": lambda K: text(K, lambda L: L.GRU(5, reset_after=False, recurrent_constraint="unit_norm")),
    "SimpleRNN": lambda K: text(K, lambda L: L.SimpleRNN(5)),
    "Bidirectional": lambda K: text(K, lambda L: L.Bidirectional(L.GRU(5))),
    "stack": lambda K: series(K, lambda L: [L.LSTM(5, return_sequences=True), L.GRU(4, go_backwards=True)]),
    "cells": lambda K: series(K, lambda L: [L.RNN([L.LSTMCell(4), L.GRUCell(3)])]),
    "TimeDistributed": lambda K: series(K, lambda L: [L.TimeDistributed(L.Dense(3)), L.LSTM(4)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_training(name):
    """The same losses and the same weights after ten steps."""
    ours, theirs, _ = pair(MODELS[name])
    rng = np.random.default_rng(0)
    x = rng.integers(0, 11, (20, 7)).astype("int32") if ours.inputs[0].dtype == "int32" else data(20, 7, 4)
    if x.dtype == "int32":
        x[:, 4:] *= rng.random((20, 3)) < 0.5
    y = rng.integers(0, 2, 20)
    losses = []
    for model in (ours, theirs):
        model.compile("adam", "sparse_categorical_crossentropy")
        losses.append(model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-5)
    for a, b in zip(ours.get_weights(), theirs.weights, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-3, atol=2e-5)


def translator(K):
    """An encoder whose states start a decoder, then layers around layers."""
    L = K.layers
    source, target = K.Input((None, 4), name="source"), K.Input((None, 3), name="target")
    _, h, c = L.LSTM(5, return_state=True, name="encoder")(source)
    y = L.LSTM(5, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    y = L.Bidirectional(L.GRU(3, return_sequences=True), name="both")(y)
    return K.Model([source, target], L.TimeDistributed(L.Dense(2), name="each")(y))


def test_each_reads_the_models_of_the_other():
    ours, theirs, reference = pair(translator)
    models = [
        ours,
        theirs,
        keras.Model.from_config(json.loads(json.dumps(theirs.get_config()))),
        reference.Model.from_config(json.loads(json.dumps(ours.get_config()))),
    ]
    inputs = [data(2, 6, 4), data(2, 5, 3)]
    for model in models:
        model.set_weights(ours.get_weights())
        same(ours(inputs), model(inputs))
