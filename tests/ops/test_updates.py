"""The public update functions: slots they choose by, casts, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish.engine.symbol import Symbol
from kerasish.ops.updates import adagrad_update, adam_update, rmsprop_update, sgd_update

W, G, S = np.array([1.0, -2.0], "float32"), np.array([0.5, 0.25], "float32"), np.array([1.0, 1.0], "float32")


def test_the_number_of_results_follows_the_slots():
    assert len(sgd_update(W, G, 0.1)) == 1
    assert len(sgd_update(W, G, 0.1, S, momentum=0.9)) == 2
    assert len(rmsprop_update(W, G, 0.1, S)) == 2
    assert len(rmsprop_update(W, G, 0.1, S, S * 0)) == 3
    assert len(rmsprop_update(W, G, 0.1, S, None, S, momentum=0.5)) == 3
    assert len(rmsprop_update(W, G, 0.1, S, S * 0, S, momentum=0.5)) == 4
    assert len(adam_update(W, G, 0.1, 0, S, S)) == 3
    assert len(adam_update(W, G, 0.1, 0, S, S, S)) == 4
    assert len(adagrad_update(W, G, 0.1, S)) == 2


def test_variables_are_read_and_not_changed():
    v = keras.Variable(W)
    (new,) = sgd_update(v, keras.Variable(G), keras.Variable(0.1))
    np.testing.assert_allclose(new.numpy(), W - 0.1 * G, rtol=1e-6)
    np.testing.assert_array_equal(v.numpy(), W)


def test_a_gradient_of_another_dtype_is_cast():
    (new,) = sgd_update(W, G.astype("float64"), 0.5)
    assert new.dtype == "float32"
    np.testing.assert_array_equal(new.numpy(), W - np.float32(0.5) * G)


def test_symbols():
    w, m, v = adam_update(*[Symbol((None, 3), "float32")] * 2, 0.1, 0, *[Symbol((None, 3), "float32")] * 2)
    assert w.shape == m.shape == v.shape == (None, 3)


def test_weight_decay_comes_off_before_the_step():
    (new,) = sgd_update(np.ones(3), np.zeros(3), 0.5, weight_decay=0.1)
    np.testing.assert_allclose(new.numpy(), np.full(3, 0.95), rtol=1e-15)


def test_an_infinite_weight_without_decay_stays_infinite():
    (new,) = sgd_update(np.array([np.inf]), np.array([1.0]), 0.5)
    assert np.isposinf(new.numpy()).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: sgd_update(W, G[:1], 0.1),
            "sgd_update: the gradient must have the variable's shape. "
            r"Received: variable.shape=\(2,\), gradient.shape=\(1,\)",
        ),
        (
            lambda: adam_update(W, G, 0.1, 0, S, S[:1]),
            "adam_update: the velocity must have the variable's shape. "
            r"Received: variable.shape=\(2,\), velocity.shape=\(1,\)",
        ),
        (
            lambda: adagrad_update(W, G, 0.1, S.astype("float64")),
            "adagrad_update: the accumulator must have the variable's dtype float32. Received: dtype='float64'",
        ),
        (
            lambda: rmsprop_update(W.astype("int32"), G, 0.1, S),
            "rmsprop_update: the variable must be float32 or float64. Received: dtype='int32'",
        ),
        (
            lambda: sgd_update(W, G, [0.1]),
            r"sgd_update: learning_rate must be a scalar. Received: learning_rate.shape=\(1,\)",
        ),
        (
            lambda: adam_update(W, G, 0.1, True, S, S),
            "adam_update: iterations must be a number of at least 32 bits. Received: dtype='bool'",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
