"""Small models with and without an optimizer's state, data for them, and how they are compared."""

import numpy as np

import kerasish as keras

L = keras.layers


def net(classes=3, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(5, activation="relu", name="body"),
            L.BatchNormalization(name="norm"),
            L.Dense(classes, name="head"),
        ]
    )


def trained(steps=3):
    model = net()
    model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    for k in range(steps):
        model.train_on_batch(*batch(k))
    return model


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(8, 4)).astype("float32"), rng.normal(size=(8, 3)).astype("float32")


def values(model):
    optimizer = model.optimizer.variables if model.optimizer is not None else []
    return [v.numpy() for v in (*model.variables, *optimizer)]


def same(a, b):
    assert len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))
