"""Cells on their own: shapes, states, dropout masks, config, agreement with the formulas, parity with Keras."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kerasish import layers as L

from ..kernels import recurrent

MAKE = {
    "SimpleRNNCell": lambda M, **k: M.SimpleRNNCell(5, **k),
    "GRUCell": lambda M, **k: M.GRUCell(5, **k),
    "GRUCell before": lambda M, **k: M.GRUCell(5, reset_after=False, **k),
    "LSTMCell": lambda M, **k: M.LSTMCell(5, **k),
    "StackedRNNCells": lambda M, **k: M.StackedRNNCells([M.LSTMCell(5), M.GRUCell(3), M.SimpleRNNCell(4)]),
}
CASES = pytest.mark.parametrize("name", MAKE)
GATED = pytest.mark.parametrize("name", [n for n in MAKE if n != "StackedRNNCells"])


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def first(cell):
    """States to begin with: not zeros."""
    from kerasish.engine import tree

    return tree.map_structure(lambda t: data(*t.shape, seed=t.shape[1]), cell.get_initial_state(batch_size=3))


def flat(x):
    from kerasish.engine import tree

    return [np.asarray(t) for t in tree.flatten(x)]


@CASES
def test_config_and_weights_round_trip(name):
    cell = MAKE[name](L)
    states = first(cell)
    out, new = cell(data(3, 4), states)
    assert [a.shape for a in flat(new)] == [a.shape for a in flat(states)]
    assert out.shape == (3, cell.output_size)
    config = json.loads(json.dumps(L.serialize(cell)))
    again = L.deserialize(config)
    assert json.loads(json.dumps(L.serialize(again))) == config
    assert again.built  # as the config says
    again.set_weights(cell.get_weights())
    for a, b in zip(flat(again(data(3, 4), states)), flat((out, new)), strict=True):
        np.testing.assert_array_equal(a, b)


@GATED
def test_formulas(name):
    cell = MAKE[name](L, dtype="float64", bias_initializer="uniform")
    x, states = data(3, 4).astype("float64"), [s.astype("float64") for s in first(cell)]
    out, new = cell(x, states)
    kernel, u, bias = (w.numpy() for w in cell.weights)
    if name == "SimpleRNNCell":
        want = [recurrent.simple_rnn_step(x @ kernel + bias, u, *states)[0]]
    elif name == "LSTMCell":
        want = recurrent.lstm_step(x @ kernel + bias, u, *states)[0]
    else:
        after = name == "GRUCell"
        a, b = bias if after else (bias, np.zeros_like(bias))
        want = [recurrent.gru_step(x @ kernel + a, u, b, *states, after)[0]]
    for got, expected in zip(flat(new), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    np.testing.assert_array_equal(out.numpy(), flat(new)[0])


@pytest.mark.parametrize("name", ["SimpleRNNCell", "GRUCell"])
def test_a_bare_state_gives_a_bare_state(name):
    out, new = MAKE[name](L)(data(3, 4), data(3, 5))
    assert new is out


@GATED
@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}, {"dropout": 0.4, "implementation": 1}])
def test_masks_are_kept_until_they_are_reset(name, rates):
    if name == "SimpleRNNCell":
        rates = {k: v for k, v in rates.items() if k != "implementation"}
    cell = MAKE[name](L, seed=1, **rates)
    x, states = data(3, 4), first(cell)
    still = cell(x, states)[0].numpy()
    a, b = (cell(x, states, training=True)[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert (a != still).any()
    cell.reset_dropout_mask()
    cell.reset_recurrent_dropout_mask()
    assert (cell(x, states, training=True)[0].numpy() != a).any()
    np.testing.assert_array_equal(cell(x, states)[0].numpy(), still)


@pytest.mark.parametrize("name", ["GRUCell", "LSTMCell"])
def test_implementations(name):
    """Gate by gate, each with masks of its own, or all at once with one mask."""
    for implementation, recurrent_dropout in ((1, 0.0), (2, 0.0), (2, 0.3)):
        cell = MAKE[name](L, implementation=implementation, dropout=0.5, recurrent_dropout=recurrent_dropout)
        several = implementation == 1 or recurrent_dropout > 0
        mask = cell.get_dropout_mask(data(3, 4))
        assert (len(mask) == cell.gates) if several else mask.shape == (3, 4)


def test_dropout_is_cut_to_its_range():
    cell = L.LSTMCell(3, dropout=1.5, recurrent_dropout=-1)
    assert (cell.dropout, cell.recurrent_dropout) == (1.0, 0.0)


def test_unit_forget_bias():
    cell = L.LSTMCell(2, bias_initializer="zeros")
    cell.build((None, 3))
    assert cell.bias.numpy().tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    cell = L.LSTMCell(2, unit_forget_bias=False)
    cell.build((None, 3))
    assert not cell.bias.numpy().any()


@pytest.mark.parity
@CASES
def test_parity_with_keras(name):
    import keras as reference

    ours, theirs = MAKE[name](L), MAKE[name](reference.layers)
    states = first(ours)
    for cell in (ours, theirs):
        cell.build((3, 4))
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    values = [data(*w.shape, seed=7 + k) for k, w in enumerate(ours.weights)]
    ours.set_weights(values), theirs.set_weights(values)
    for a, b in zip(flat(ours(data(3, 4), states)), flat(theirs(data(3, 4), states)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert set(ours.get_config()) == set(theirs.get_config())
    L.deserialize(json.loads(json.dumps(reference.layers.serialize(theirs))))
    reference.layers.deserialize(json.loads(json.dumps(L.serialize(ours))))
