"""The optimizer steps against Keras's optimizers, ten steps each."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish.ops.updates import adagrad_update, adam_update, rmsprop_update, sgd_update


def sgd(o):
    return lambda w, g, t, s: sgd_update(
        w, g, o.learning_rate_value, *s, momentum=o.momentum, nesterov=o.nesterov, weight_decay=o.weight_decay or 0.0
    )


def rmsprop(o):
    def step(w, g, t, s):
        slots = dict(zip(["velocity"] + ["average_gradient"] * o.centered + ["momentum_slot"] * (o.momentum > 0), s))
        attrs = {"rho": o.rho, "momentum": o.momentum, "epsilon": o.epsilon, "weight_decay": o.weight_decay or 0.0}
        return rmsprop_update(w, g, o.learning_rate_value, **slots, **attrs)

    return step


def adam(o):
    attrs = {"beta_1": o.beta_1, "beta_2": o.beta_2, "epsilon": o.epsilon, "weight_decay": o.weight_decay or 0.0}
    return lambda w, g, t, s: adam_update(w, g, o.learning_rate_value, t, *s, **attrs)


def adagrad(o):
    return lambda w, g, t, s: adagrad_update(
        w, g, o.learning_rate_value, *s, epsilon=o.epsilon, weight_decay=o.weight_decay or 0.0
    )


CASES = {  # class, arguments, our step, initial slots
    "sgd": ("SGD", {}, sgd, []),
    "sgd_decay": ("SGD", {"weight_decay": 0.01}, sgd, []),
    "momentum": ("SGD", {"momentum": 0.9}, sgd, [0.0]),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, sgd, [0.0]),
    "rmsprop": ("RMSprop", {}, rmsprop, [0.0]),
    "rmsprop_momentum": ("RMSprop", {"momentum": 0.8}, rmsprop, [0.0, 0.0]),
    "rmsprop_centered": ("RMSprop", {"centered": True}, rmsprop, [0.0, 0.0]),
    "rmsprop_both": ("RMSprop", {"centered": True, "momentum": 0.8, "weight_decay": 0.01}, rmsprop, [0.0, 0.0, 0.0]),
    "adam": ("Adam", {}, adam, [0.0, 0.0]),
    "amsgrad": ("Adam", {"amsgrad": True}, adam, [0.0, 0.0, 0.0]),
    "adamw": ("AdamW", {"weight_decay": 0.02}, adam, [0.0, 0.0]),
    "adagrad": ("Adagrad", {"weight_decay": 0.01}, adagrad, [0.1]),
}


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_ten_steps(case):
    import keras

    name, arguments, make, slots = CASES[case]
    rng = np.random.default_rng(0)
    w = rng.standard_normal((5, 3)).astype("float32")
    optimizer = getattr(keras.optimizers, name)(learning_rate=0.05, **arguments)
    optimizer.learning_rate_value = 0.05
    variable = keras.Variable(w)
    step = make(optimizer)
    slots = [np.full(w.shape, s, "float32") for s in slots]
    for t in range(10):
        g = rng.standard_normal(w.shape).astype("float32")
        optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
        w, *slots = step(w, g, t, slots)
        np.testing.assert_allclose(w.numpy(), np.asarray(variable), rtol=1e-5, atol=1e-5)
