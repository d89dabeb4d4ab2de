"""The same ten training steps give the same losses as in Keras, for every optimizer and kind of model here."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras

pytestmark = pytest.mark.parity

OPTIMIZERS = {
    "SGD": lambda O: O.SGD(0.05),
    "SGD momentum": lambda O: O.SGD(0.05, momentum=0.9),
    "SGD nesterov": lambda O: O.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "RMSprop": lambda O: O.RMSprop(1e-3),
    "RMSprop centered": lambda O: O.RMSprop(1e-3, momentum=0.5, centered=True),
    "Adam": lambda O: O.Adam(1e-3),
    "Adam amsgrad": lambda O: O.Adam(1e-3, amsgrad=True, clipnorm=0.5),
    "AdamW": lambda O: O.AdamW(1e-3, weight_decay=0.1),
    "Adagrad": lambda O: O.Adagrad(0.01),
    "Adadelta": lambda O: O.Adadelta(1.0),
    "Adamax": lambda O: O.Adamax(2e-3),
    "Nadam": lambda O: O.Nadam(1e-3),
    "Ftrl": lambda O: O.Ftrl(0.01),
    "Lion": lambda O: O.Lion(1e-4),
    "Lamb": lambda O: O.Lamb(1e-3),
    "Adafactor": lambda O: O.Adafactor(1e-3),
    "schedule": lambda O: O.Adam(O.schedules.ExponentialDecay(1e-2, 3, 0.5), global_clipnorm=1.0),
    "clipvalue": lambda O: O.SGD(0.05, clipvalue=0.01),
    "ema": lambda O: O.SGD(0.05, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4),
    "accumulation": lambda O: O.SGD(0.05, gradient_accumulation_steps=3),
}


def convnet(K):
    L = K.layers
    return K.Sequential(
        [
            K.Input((10, 10, 2)),
            L.Conv2D(6, 3, activation="relu", kernel_regularizer="l2"),
            L.BatchNormalization(),
            L.MaxPooling2D(2),
            L.Flatten(),
            L.Dense(8, activation="gelu"),
            L.LayerNormalization(),
            L.Dense(3, activation="softmax"),
        ]
    )


def pair(build):
    """Our model and Keras's, with the same weights."""
    import keras as reference

    for library in (keras, reference):  # the same automatic names, whatever ran before
        library.backend.clear_session(free_memory=False)
    ours, theirs = build(keras), build(reference)
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    values = [
        w if v.path.endswith(("variance", "gamma")) else rng.uniform(-0.3, 0.3, w.shape).astype("float32")
        for v, w in zip(ours.weights, ours.get_weights())
    ]
    ours.set_weights(values)
    theirs.set_weights(values)
    return ours, theirs, reference


def images(n=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 10, 10, 2)).astype("float32"), rng.integers(0, 3, n).astype("int32")


def step_losses(model, batches):
    losses = []
    for batch in batches:
        model.reset_metrics()
        losses.append(model.train_on_batch(*batch, return_dict=True)["loss"])
    return [float(v) for v in losses]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_ten_steps(name):
    ours, theirs, reference = pair(convnet)
    batches = [images(seed=k) for k in range(10)]
    results = []
    for model, K in ((ours, keras), (theirs, reference)):
        model.compile(OPTIMIZERS[name](K.optimizers), "sparse_categorical_crossentropy")
        results.append(step_losses(model, batches))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4)
    for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables):
        # Keras makes Adafactor's placeholders outside the optimizer's name scope.
        assert a.path == b.path or (name == "Adafactor" and a.name == b.name)
        assert tuple(a.shape) == tuple(b.shape)


LOSSES = {
    "mse": None, "mae": None, "huber": None, "log_cosh": None, "cosine_similarity": None, "kl_divergence": "softmax",
    "binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax", "hinge": None, "squared_hinge": None,
    "categorical_hinge": None, "poisson": "softplus",
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES)
def test_ten_steps_with_each_loss_and_sample_weights(loss):
    def build(K):
        L = K.layers
        return K.Sequential([K.Input((5,)), L.Dense(7, activation="tanh"), L.Dense(3, activation=LOSSES[loss])])

    ours, theirs, reference = pair(build)
    rng = np.random.default_rng(1)
    batches = []
    for _ in range(10):
        y = np.eye(3, dtype="float32")[rng.integers(0, 3, 12)]
        batches.append((rng.standard_normal((12, 5)).astype("float32"), y, rng.uniform(0.5, 2, 12).astype("float32")))
    results = []
    for model, K in ((ours, keras), (theirs, reference)):
        model.compile(K.optimizers.SGD(0.1), loss)
        results.append(step_losses(model, batches))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-6)


def test_several_heads_with_weights_and_metrics():
    def build(K):
        L = K.layers
        a, b = K.Input((4,), name="a"), K.Input((3,), dtype="int32", name="b")
        h = L.Concatenate()([L.Dense(5, activation="relu")(a), L.Flatten()(L.Embedding(7, 2)(b))])
        h = L.Add()([h, L.Dense(11, activation="selu")(h)])
        return K.Model({"a": a, "b": b}, {"k": L.Dense(3, "softmax", name="k")(h), "s": L.Dense(1, name="s")(h)})

    ours, theirs, reference = pair(build)
    rng = np.random.default_rng(2)
    x = {"a": rng.standard_normal((20, 4)).astype("float32"), "b": rng.integers(0, 7, (20, 3)).astype("int32")}
    y = {"k": rng.integers(0, 3, 20).astype("int32"), "s": rng.standard_normal((20, 1)).astype("float32")}
    histories = []
    for model, K in ((ours, keras), (theirs, reference)):
        model.compile(
            K.optimizers.Adam(0.01),
            {"k": "sparse_categorical_crossentropy", "s": "mse"},
            loss_weights={"k": 1.0, "s": 0.3},
            metrics={"k": ["accuracy"], "s": ["mae"]},
            weighted_metrics={"s": ["mse"]},
        )
        fit = model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0, validation_data=(x, y))
        histories.append(fit.history)
    assert set(histories[0]) == set(histories[1])
    for key, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][key], rtol=1e-4, atol=1e-6, err_msg=key)


def test_class_weights_masks_and_add_loss():
    def build(K):
        L = K.layers
        x = K.Input((6,), dtype="int32")
        h = L.Embedding(9, 4, mask_zero=True)(x)
        h = L.ActivityRegularization(l2=0.1)(L.Dense(4)(h))
        return K.Model(x, L.Dense(2, activation="softmax")(L.GlobalAveragePooling1D()(h)))

    ours, theirs, reference = pair(build)
    rng = np.random.default_rng(3)
    x = rng.integers(1, 9, (12, 6)).astype("int32")
    x[:, 4:] = 0
    y = rng.integers(0, 2, 12).astype("int32")
    histories = []
    for model, K in ((ours, keras), (theirs, reference)):
        model.compile(K.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        fit = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, class_weight={0: 1.0, 1: 2.5})
        histories.append(fit.history)
    for key, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][key], rtol=1e-4, err_msg=key)
