"""compile, fit, evaluate, predict and the one-batch forms; several outputs; weights; custom steps; errors; Ctrl-C."""

from __future__ import annotations

import os
import signal
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops


def blobs(n=64, seed=0):
    """Points of three classes around three centres."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = np.array([[2, 0], [-2, 0], [0, 3]])[y] + 0.4 * rng.standard_normal((n, 2))
    return x.astype("float32"), y.astype("int32")


def classifier(**compile_arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="relu"), layers.Dense(3, "softmax")])
    usual = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{"optimizer": keras.optimizers.Adam(0.05), **usual, **compile_arguments})
    return model


def regressor(loss="mse", **compile_arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss=loss, **compile_arguments)
    return model


def two_heads():
    keras.utils.set_random_seed(0)
    x = keras.Input((2,), name="x")
    h = layers.Dense(8, activation="relu")(x)
    return keras.Model(x, {"kind": layers.Dense(3, "softmax", name="kind")(h), "size": layers.Dense(1, name="size")(h)})


def head_data(n=32):
    x, y = blobs(n)
    return x, {"kind": y, "size": x.sum(1, keepdims=True)}


def test_fit_learns_and_reports():
    x, y = blobs()
    model = classifier()
    history = model.fit(x, y, epochs=10, batch_size=16, validation_split=0.25, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(len(v) == 10 for v in history.history.values())
    assert history.history["loss"][-1] < 0.3 < history.history["loss"][0]
    loss, accuracy = model.evaluate(*blobs(seed=1), verbose=0)
    assert accuracy > 0.95
    assert model.evaluate(*blobs(seed=1), verbose=0, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    assert (model.predict(x, verbose=0).argmax(1) == y).mean() > 0.95
    assert model.history is history


def test_the_same_seed_gives_the_same_weights():
    x, y = blobs()

    def train():
        model = classifier()
        model.add(layers.Dropout(0.1))
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=2, batch_size=10, verbose=0)
        return model.get_weights()

    for a, b in zip(train(), train()):
        np.testing.assert_array_equal(a, b)


def test_fit_does_not_depend_on_the_number_of_threads():
    from kerasish._core import core

    x, y = blobs(200)
    results = []
    try:
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            model = classifier()
            model.fit(x, y, epochs=2, batch_size=50, verbose=0)
            results.append([w.tobytes() for w in model.get_weights()])
    finally:
        core.set_num_threads(0)
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize(
    ("loss", "weights", "metrics"),
    [
        (
            {"kind": "sparse_categorical_crossentropy", "size": "mse"},
            {"kind": 2.0, "size": 0.5},
            {"kind": ["accuracy"]},
        ),
        (["sparse_categorical_crossentropy", "mse"], [2.0, 0.5], [["accuracy"], []]),
        ({"kind": "sparse_categorical_crossentropy", "size": "mse"}, [2.0, 0.5], {"kind": "accuracy", "size": None}),
    ],
)
def test_several_outputs_by_name_and_by_list(loss, weights, metrics):
    model = two_heads()
    if isinstance(loss, list):
        model = keras.Model(model.input, [model.outputs[0], model.outputs[1]])
    model.compile("adam", loss, loss_weights=weights, metrics=metrics)
    x, y = head_data()
    targets = y if not isinstance(loss, list) else [y["kind"], y["size"]]
    logs = model.train_on_batch(x, targets, return_dict=True)
    assert set(logs) == {"loss", "kind_loss", "size_loss", "kind_accuracy"}
    np.testing.assert_allclose(logs["loss"], 2.0 * logs["kind_loss"] + 0.5 * logs["size_loss"], rtol=1e-5)
    history = model.fit(x, targets, epochs=2, verbose=0, validation_data=(x, targets))
    assert set(history.history) == set(logs) | {f"val_{k}" for k in logs}
    ordered = model.evaluate(x, targets, verbose=0)
    named = model.evaluate(x, targets, verbose=0, return_dict=True)
    assert ordered[0] == named["loss"]
    assert len(ordered) == 4


def test_one_loss_for_all_outputs_and_none_for_some():
    model = two_heads()
    x, y = head_data()
    model.compile("sgd", {"size": "mae"})
    with pytest.warns(UserWarning, match=r"no gradients exist for the variables.*kind/kernel"):
        logs = model.train_on_batch(x, {"size": y["size"]}, return_dict=True)
    assert set(logs) == {"loss"}
    one_hot = {"kind": np.eye(3, dtype="float32")[y["kind"]], "size": y["size"]}
    model.compile("sgd", "mse")
    logs = model.train_on_batch(x, one_hot, return_dict=True)
    np.testing.assert_allclose(logs["loss"], logs["kind_loss"] + logs["size_loss"], rtol=1e-5)


def test_bad_output_names_and_counts():
    model = two_heads()
    x, y = head_data()
    with pytest.raises(ValueError, match=r"loss names outputs that the model does not have.*unknown=\['sise'\]"):
        model.compile("sgd", {"kind": "mse", "sise": "mse"})
    model.compile("sgd", ["mse", "mse", "mse"])
    with pytest.raises(ValueError, match="loss must have the structure of the model's outputs"):
        model.fit(x, y, verbose=0)
    model.compile("sgd", {"size": "mse"}, metrics={"colour": ["mae"]})
    with pytest.raises(ValueError, match="metrics names outputs that the model does not have"):
        model.fit(x, y, verbose=0)
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    with pytest.raises(ValueError, match=r"the targets lack outputs that have a loss.*missing=\['size'\]"):
        model.fit(x, {"kind": y["kind"]}, verbose=0)
    with pytest.raises(ValueError, match="loss_weights is a number, list, tuple or dict"):
        model.compile("sgd", "mse", loss_weights="heavy")
    single = regressor()
    with pytest.raises(ValueError, match="the model has one output, and so one target"):
        single.fit(x, [y["size"], y["size"]], verbose=0)


def test_sample_and_class_weights():
    x, y = blobs(12)
    model = classifier(metrics=[], weighted_metrics=["accuracy"])
    weights = np.linspace(0.1, 2, 12)
    each = keras.losses.sparse_categorical_crossentropy(y, model(x)).numpy()
    logs = model.evaluate(x, y, sample_weight=weights, batch_size=12, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], (each * weights).sum() / 12, rtol=1e-5)
    correct = model.predict(x, verbose=0).argmax(1) == y
    np.testing.assert_allclose(logs["accuracy"], (correct * weights).sum() / weights.sum(), rtol=1e-5)
    per_class = {0: 1.0, 1: 0.0, 2: 3.0}
    model.reset_metrics()
    got = model.train_on_batch(x, y, class_weight=per_class, return_dict=True)["loss"]
    np.testing.assert_allclose(got, (each * np.array([1.0, 0.0, 3.0])[y]).sum() / 12, rtol=1e-4)
    with pytest.raises(ValueError, match="give sample_weight or class_weight, not both"):
        model.train_on_batch(x, y, sample_weight=weights, class_weight=per_class)


def test_generators_datasets_and_steps():
    x, y = blobs(60)

    def batches():
        while True:
            for k in range(0, 60, 20):
                yield x[k : k + 20], y[k : k + 20]

    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, k):
            return x[k * 20 : k * 20 + 20], y[k * 20 : k * 20 + 20]

    losses = []
    for source, steps in ((batches(), 3), (Data(), None)):
        model = classifier()
        history = model.fit(source, epochs=2, steps_per_epoch=steps, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    model = classifier()
    losses.append(model.fit(x, y, batch_size=20, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[2], rtol=1e-6)
    np.testing.assert_allclose(losses[1], losses[2], rtol=1e-6)
    assert model.predict(Data(), verbose=0).shape == (60, 3)


def test_validation_frequency_and_initial_epoch():
    x, y = blobs()
    model = classifier()
    history = model.fit(x, y, initial_epoch=2, epochs=6, validation_data=(x, y), validation_freq=2, verbose=0)
    assert history.epoch == [2, 3, 4, 5]
    assert len(history.history["val_loss"]) == 2
    with pytest.raises(ValueError, match="validation_freq is a positive integer or a list"):
        model.fit(x, y, validation_data=(x, y), validation_freq=0, verbose=0)
    with pytest.raises(ValueError, match="epochs is an integer of at least 0"):
        model.fit(x, y, epochs=1.5, verbose=0)


def test_steps_per_execution_changes_nothing_but_the_callbacks():
    x, y = blobs()
    calls = []
    results = []
    for steps in (1, 3):
        model = classifier(steps_per_execution=steps)
        count = []
        model.fit(
            x, y, batch_size=8, shuffle=False, verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs, c=count: c.append(b))],
        )  # fmt: skip
        calls.append(count)
        results.append(model.get_weights())
    assert calls[0] == list(range(8))
    assert len(calls[1]) == 3
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_custom_train_step_compute_loss_and_metrics():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.seen = keras.metrics.Sum(name="seen")

        def call(self, x, training=None):
            return self.dense(x)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.square(y - y_pred)) * 2.0

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            self.seen.update_state(x.shape[0])
            return self.get_metrics_result()

    x, y = blobs(20)
    model = Mine()
    model.compile("sgd")
    history = model.fit(x, y[:, None].astype("float32"), batch_size=5, epochs=2, verbose=0)
    assert history.history["seen"] == [20.0, 20.0]
    assert history.history["loss"][1] < history.history["loss"][0]

    class Own(Mine):
        def train_step(self, data):
            return {"answer": 42.0}

        def test_step(self, data):
            return {"answer": 43.0}

        def predict_step(self, data):
            return data[0] * 0.0 if isinstance(data, tuple) else data * 0.0

    own = Own()
    own.compile("sgd")
    assert own.fit(x, y, verbose=0).history == {"answer": [42.0]}
    assert own.evaluate(x, y, verbose=0, return_dict=True) == {"answer": 43.0}
    assert (own.predict(x, verbose=0) == 0).all()


def test_add_loss_and_regularizers_count():
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.mean(ops.square(x)))
            return x

    x = keras.Input((2,))
    model = keras.Model(x, layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))(Penalty()(x)))
    model.compile("sgd", "mse")
    data, target = blobs(8)[0], np.zeros((8, 1), "float32")
    logs = model.test_on_batch(data, target, return_dict=True)
    kernel = model.layers[-1].kernel.numpy()
    want = (model.predict(data, verbose=0) ** 2).mean() + (data**2).mean() + 0.1 * (kernel**2).sum()
    np.testing.assert_allclose(logs["loss"], want, rtol=1e-5)
    assert len(model.losses) == 2
    with pytest.raises(ValueError, match="a loss is a scalar"):
        model.layers[1].add_loss(ops.ones((2,)))


def test_subclassed_models_build_on_data_and_say_so_when_they_cannot_without():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(4), layers.Dense(1)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model = Mine()
    with pytest.raises(ValueError, match=r"Mine 'mine.*' is not built"):
        model.summary()
    with pytest.raises(ValueError, match="is not built: call build"):
        model.count_params()
    model.compile("sgd", "mse")
    model.fit(blobs(8)[0], np.zeros((8, 1)), verbose=0)
    assert len(model.weights) == 4
    assert [x.name for x in model.layers] == [b.name for b in model.blocks]
    model.summary(print_fn=lambda line: None)
    with pytest.raises(ValueError, match="variables and sub-layers can no longer be added"):
        model.another = layers.Dense(3)


def test_unknown_names_are_errors_at_compile_time():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="least_squares"):
        model.compile("sgd", "least_squares")
    with pytest.raises(ValueError, match="gradient_descent"):
        model.compile("gradient_descent", "mse")
    with pytest.raises(ValueError, match="correctness"):
        model.compile("sgd", "mse", metrics=["correctness"])
    with pytest.raises(ValueError, match="reluu"):
        layers.Dense(1, activation="reluu")
    with pytest.raises(ValueError, match="`padding` must be one of"):
        layers.Conv2D(1, 1, padding="full")
    with pytest.raises(ValueError, match="jit_compile is True, False or"):
        model.compile("sgd", "mse", jit_compile="always")
    with pytest.raises(ValueError, match="steps_per_execution is a positive integer"):
        model.compile("sgd", "mse", steps_per_execution=0)


def test_a_model_that_is_not_compiled_or_has_no_loss():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=r"call compile\(\) first"):
            call(*blobs())
    model.compile("sgd")
    with pytest.raises(ValueError, match="there is no loss to compute"):
        model.fit(*blobs(), verbose=0)
    assert model.predict(blobs()[0], verbose=0).shape == (64, 1)


def test_data_errors_reach_the_user_by_name():
    model = classifier()
    x, y = blobs(10)
    with pytest.raises(ValueError, match=r"(?s)x.*10.*y.*9"):
        model.fit(x, y[:9], verbose=0)
    with pytest.raises(ValueError, match=r"(?i)empty|no samples"):
        model.fit(x[:0], y[:0], verbose=0)
    with pytest.raises((ValueError, TypeError), match=r"object|str|number"):
        model.fit(np.array([["a", "b"]]), y[:1], verbose=0)
    with pytest.raises(ValueError, match=r"(?s)expected (shape|axis).*x.shape=\(10, 3\)"):
        model.fit(np.ones((10, 3)), y, verbose=0)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"must lie in \[0, 3\)"):
        model.fit(x, y + 1, verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    model.fit(x, y, verbose=0)


def test_a_nan_loss_warns_once_with_step_and_output():
    model = two_heads()
    model.compile("sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"})
    x, y = head_data()
    y["size"][20:] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0)
    messages = [str(w.message) for w in caught if "NaN" in str(w.message)]
    assert len(messages) == 1
    assert "output ['size'] is NaN from step 2 of epoch 1" in messages[0]


def test_a_model_without_trainable_weights_warns():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, trainable=False)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        model.fit(blobs()[0], np.zeros((64, 1)), batch_size=64, verbose=0)


def test_changing_trainable_after_compile_warns():
    model = classifier()
    model.layers[0].trainable = False
    with pytest.warns(UserWarning, match="has changed since compile"):
        model.fit(*blobs(), verbose=0)


@pytest.mark.usefixtures("ctrl_c")
def test_interrupt_waits_for_the_step_and_leaves_a_usable_model():
    x, y = blobs()
    model = classifier()

    class Interrupt(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_begin(self, batch, logs=None):
            if batch == 3:
                os.kill(os.getpid(), signal.SIGINT)

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1

    watch = Interrupt()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=8, verbose=0, callbacks=[watch])
    assert watch.steps == 4
    assert int(model.optimizer.iterations) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    history = model.fit(x, y, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_an_exception_in_a_callback_leaves_a_usable_model():
    x, y = blobs()
    model = classifier()

    def fail(batch, logs):
        raise RuntimeError("callback")

    with pytest.raises(RuntimeError, match="callback"):
        model.fit(x, y, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=fail)])
    model.fit(x, y, verbose=0)
    assert model.predict(x, verbose=0).shape == (64, 3)


def test_progress_output(capsys):
    model = classifier()
    model.fit(*blobs(), epochs=2, verbose=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == "Epoch 1/2"
    assert sum("loss" in line for line in lines) == 2
    model.fit(*blobs(), verbose=0)
    model.predict(blobs()[0], verbose=0)
    assert capsys.readouterr().out == ""


def test_summary_is_a_table():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="deep")], name="inner")
    x = keras.Input((4,), name="x")
    y = layers.Add(name="add")([inner(x), layers.Dense(3, name="short")(x)])
    model = keras.Model(x, y, name="outer")
    model.get_layer("short").trainable = False
    lines: list[str] = []
    model.summary(print_fn=lines.append, expand_nested=True, show_trainable=True, show_cost=True)
    text = "\n".join(lines)
    assert len({len(line) for line in lines if line[0] in "┌├└│"}) == 1
    for part in ("inner (Sequential)", "  deep (Dense)", "(None, 3)", "Connected to", "x[0][0]", "Trainable", "FLOPs"):
        assert part in text
    assert "Total params: 30" in text
    assert "Non-trainable params: 15" in text
    lines.clear()
    model.summary(print_fn=lines.append, layer_range=["short", "add"], line_length=70)
    assert not any("inner (" in line for line in lines)
    with pytest.raises(ValueError, match="no layer matches"):
        model.summary(layer_range=["nothing", "add"])


def test_a_layers_flops_are_those_of_its_products():
    from kerasish.models.summary import layer_cost

    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(32, 3), layers.Flatten(), layers.Dense(10)])
    _, conv = layer_cost(model.layers[0])
    _, dense = layer_cost(model.layers[2])
    assert 26 * 26 * 32 * 9 * 2 <= conv <= 26 * 26 * 32 * (9 * 2 + 2)
    assert 26 * 26 * 32 * 10 * 2 <= dense <= 26 * 26 * 32 * 10 * 2 + 40


def test_predict_gives_arrays_of_its_own():
    model = regressor()
    x = blobs(4)[0]
    a = model.predict(x, verbose=0)
    a[:] = 7
    assert (model.predict(x, verbose=0) != 7).all()
    assert model.predict_on_batch(x).shape == (4, 1)


def test_state_trees_and_stateless_calls():
    model = classifier()
    model.fit(*blobs(), verbose=0)
    state = model.get_state_tree("numpy_array")
    assert set(state) == {
        "trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables",
    }  # fmt: skip
    fresh = classifier()
    fresh.fit(*blobs(seed=2), verbose=0)
    weights = [np.zeros_like(w) for w in model.get_weights()]
    out, others = model.stateless_call(weights, [v.value for v in model.non_trainable_variables], blobs()[0])
    np.testing.assert_allclose(out.numpy(), 1 / 3, rtol=1e-6)
    assert model.get_weights()[0].any()
    assert others == [] or len(others) == len(model.non_trainable_variables)
    model.set_state_tree({"trainable_variables": state["trainable_variables"]})
    with pytest.raises(ValueError, match="a kind of state is one of"):
        model.set_state_tree({"colour": {}})


def test_compile_config_round_trip():
    model = classifier()
    config = model.get_compile_config()
    other = keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="relu"), layers.Dense(3, "softmax")])
    other.compile_from_config(config)
    assert type(other.optimizer) is type(model.optimizer)
    assert other.get_compile_config() == config
