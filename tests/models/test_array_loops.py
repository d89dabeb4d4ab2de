"""The loops over arrays: weights, history and random state are bit for bit those of the general loops and of eager."""

import os
import signal
import threading
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish._core import core
from kerasish.engine import tree
from kerasish.executor import Executable

X = np.random.default_rng(0).normal(size=(83, 6)).astype("float32")
Y = (np.arange(83) * 7 % 3).astype("int32")


class EveryBatch(keras.callbacks.Callback):
    """Asks to be called between batches, which the loops over arrays cannot do."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_test_batch_end(self, batch, logs=None):
        pass

    def on_predict_batch_end(self, batch, logs=None):
        pass


@pytest.fixture
def chunks(monkeypatch):
    """Counts the batches that loops over arrays run."""
    ran = []
    original = Executable.run_batches

    def counted(self, feeds, rows, batches, batch_rows):
        ran.append(batches)
        return original(self, feeds, rows, batches, batch_rows)

    monkeypatch.setattr(Executable, "run_batches", counted)
    return ran


def classifier(**how):
    model = keras.Sequential(
        [
            keras.Input((6,)), layers.Dense(8, kernel_regularizer="l2"), layers.BatchNormalization(),
            layers.Activation("relu"), layers.Dropout(0.4), layers.GaussianNoise(0.1), layers.Dense(3, "softmax"),
        ]
    )  # fmt: skip
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 30)
    average = {"use_ema": True, "ema_overwrite_frequency": 4}
    optimizer = keras.optimizers.Adam(schedule, clipnorm=0.9, weight_decay=0.01, **average)
    weighted = [keras.metrics.SparseCategoricalCrossentropy()]
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=weighted, **how)
    return model


def plain(**how):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "tanh"), layers.Dense(3, "softmax", name="out")])
    model.compile(
        keras.optimizers.SGD(0.2, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"], **how
    )
    return model


def two_heads(**how):
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    h = layers.Dropout(0.2)(layers.Dense(8, "relu")(layers.Concatenate()([a, b])))
    outputs = {"kind": layers.Dense(3, "softmax", name="kind")(h), "size": layers.Dense(1, name="size")(h)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(
        "rmsprop", {"kind": "sparse_categorical_crossentropy", "size": "mae"}, {"kind": 1.0, "size": 0.3},
        metrics={"kind": ["accuracy"], "size": ["mse"]}, **how,
    )  # fmt: skip
    return model


class Adversarial(keras.Model):
    """Has a training step of its own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)
        self.count = self.add_weight(shape=(), name="count", initializer="zeros", trainable=False)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with keras.GradientTape() as tape:
            noisy = x + 0.1 * keras.random.normal(x.shape, seed=self.seeds)
            loss = self.compute_loss(y=y, y_pred=self(noisy))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        self.count.assign_add(1.0)
        return {"loss": loss, "count": self.count.value}


def own_step(**how):
    model = Adversarial()
    model.seeds = keras.random.SeedGenerator(5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, **how)
    return model


def state(model):
    seeds = [s.state for x in model._flatten_layers() for s in x._seed_generators]
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables, *seeds]
    return [(v.path, v.numpy()) for v in variables]


MODES = {"arrays": {}, "general": {}, "uncompiled": {"jit_compile": False}, "eager": {"run_eagerly": True}}


def run_all_ways(make, run):
    """Runs `run(model, callbacks)` in every mode; everything it leaves is the same."""
    results = {}
    for mode, how in MODES.items():
        keras.utils.set_random_seed(11)
        model = make(**how)
        result = run(model, [EveryBatch()] if mode == "general" else [])
        after = keras.random.uniform((2,)).numpy(), np.random.random(2)
        results[mode] = tree.flatten(result), state(model), after
    wanted = results["eager"]
    for mode, (result, variables, after) in results.items():
        assert result == wanted[0], mode
        assert len(variables) == len(wanted[1])
        for (path, a), (_, b) in zip(variables, wanted[1]):
            np.testing.assert_array_equal(a, b, err_msg=f"{mode}: {path}")
        for a, b in zip(after, wanted[2]):
            np.testing.assert_array_equal(a, b, err_msg=f"{mode}: random state")


HEADS = ({"a": X, "b": X[:, ::-1].copy()}, {"kind": Y, "size": X.sum(1, keepdims=True)})
WEIGHTS = np.linspace(0.1, 2, 83).astype("float32")
FITS = {
    "plain": (plain, (X, Y), {}),
    "dropout, batch norm, a partial batch": (classifier, (X, Y), {}),
    "without shuffling": (classifier, (X, Y), {"shuffle": False}),
    "exact batches": (classifier, (X[:80], Y[:80]), {"batch_size": 16}),
    "one batch": (classifier, (X, Y), {"batch_size": 83}),
    "fewer samples than a batch": (classifier, (X[:9], Y[:9]), {"batch_size": 32}),
    "sample weights": (classifier, (X, Y), {"sample_weight": WEIGHTS}),
    "class weights": (classifier, (X, Y), {"class_weight": {0: 1.0, 1: 0.5, 2: 3.0}}),
    "validation data": (classifier, (X, Y), {"validation_data": (X[:21], Y[:21]), "validation_batch_size": 5}),
    "weighted validation": (classifier, (X, Y), {"validation_data": (X[:21], Y[:21], WEIGHTS[:21])}),
    "validation split": (classifier, (X, Y), {"validation_split": 0.3}),
    "two heads": (two_heads, HEADS, {"validation_data": HEADS}),
    "a step of its own": (own_step, (X, Y), {}),
    "float64 and int64": (classifier, (X.astype("float64"), Y.astype("int64")), {}),
    "uint8": (plain, ((X * 9).astype("uint8"), Y.astype("uint8")), {}),
    "not contiguous": (plain, (np.asfortranarray(X), np.repeat(Y, 2)[::2]), {}),
    "steps per epoch": (plain, (X, Y), {"steps_per_epoch": 3}),
    "batches shuffled": (plain, (X, Y), {"shuffle": "batch"}),
}


@pytest.mark.parametrize("name", FITS)
def test_fit(name, chunks):
    make, data, how = FITS[name]
    how = {"batch_size": 8, "epochs": 3, "verbose": 0, **how}
    run_all_ways(make, lambda model, callbacks: model.fit(*data, callbacks=callbacks, **how).history)
    batches = len(tree.flatten(data)[0]) // how["batch_size"]
    if name in ("fewer samples than a batch", "steps per epoch", "not contiguous"):
        assert sum(chunks) == 0
    elif "validation_split" not in how and "validation_data" not in how and name != "batches shuffled":
        assert sum(chunks) == 3 * batches  # each full batch of the first mode, and none of the others


def test_fit_twice_with_another_learning_rate_between():
    def run(model, callbacks):
        first = model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks).history
        model.optimizer.learning_rate = 0.01
        second = model.fit(X[:40], Y[:40], batch_size=16, epochs=2, verbose=0, callbacks=callbacks).history
        return first, second

    run_all_ways(plain, run)


def test_a_callback_that_sets_the_learning_rate_between_epochs(chunks):
    def run(model, callbacks):
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.2 / (epoch + 1))
        return model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[*callbacks, schedule]).history

    run_all_ways(plain, run)
    assert sum(chunks) == 40


def test_a_callback_that_changes_a_layer_between_epochs_is_followed():
    class Change(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.layers[3].rate = 0.1 * epoch

    def run(model, callbacks):
        return model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=[*callbacks, Change()]).history

    run_all_ways(classifier, run)


def test_evaluate_and_train_on_batch_between_fits():
    def run(model, callbacks):
        out = [model.evaluate(X, Y, batch_size=16, verbose=0, callbacks=callbacks)]
        out.append(model.train_on_batch(X[:8], Y[:8]))
        out.append(model.fit(X, Y, batch_size=8, verbose=0, callbacks=callbacks).history)
        out.append(model.test_on_batch(X[:7], Y[:7]))
        weights = {"sample_weight": WEIGHTS, "return_dict": True}
        out.append(model.evaluate(X, Y, batch_size=9, verbose=0, callbacks=callbacks, **weights))
        return out

    run_all_ways(classifier, run)


def test_evaluate_over_arrays(chunks):
    model = classifier()
    a = model.evaluate(X, Y, batch_size=8, verbose=0)
    assert sum(chunks) == 10
    assert a == model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=[EveryBatch()]) and sum(chunks) == 10


def test_the_progress_bar_ends_the_same(capsys):
    ends = []
    for callbacks in ([], [EveryBatch()]):
        keras.utils.set_random_seed(0)
        plain().fit(X, Y, batch_size=8, epochs=2, verbose=2, callbacks=callbacks)
        out = capsys.readouterr().out
        ends.append([line.split(" - ")[1:] for line in out.splitlines() if " - loss" in line or "loss:" in line])
    without_times = [[[p for p in line if ":" in p] for line in end] for end in ends]
    assert without_times[0] == without_times[1] and len(without_times[0]) == 2


# What goes wrong in the middle.


@pytest.mark.parametrize("bad", [0, 17, 50, 82])
def test_a_nan_is_reported_with_its_step(bad):
    x = X.copy()
    x[bad] = np.nan
    texts = set()
    for mode, how in MODES.items():
        keras.utils.set_random_seed(0)
        model = plain(**how)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            callbacks = [EveryBatch()] if mode == "general" else []
            model.fit(x, Y, batch_size=8, epochs=2, verbose=0, shuffle=False, callbacks=callbacks)
        texts.add(tuple(str(w.message) for w in caught))
    assert len(texts) == 1
    (text,) = texts.pop()
    assert f"is NaN from step {bad // 8} of epoch 1 on" in text


def test_a_nan_names_the_output():
    y = {"kind": Y, "size": HEADS[1]["size"].copy()}
    y["size"][40] = np.nan
    texts = set()
    for mode, how in MODES.items():
        keras.utils.set_random_seed(0)
        model = two_heads(**how)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            callbacks = [EveryBatch()] if mode == "general" else []
            model.fit(HEADS[0], y, batch_size=8, verbose=0, shuffle=False, callbacks=callbacks)
        texts.add(tuple(str(w.message) for w in caught))
    assert len(texts) == 1
    assert "of output ['size'] is NaN from step 5 of epoch 1 on" in texts.pop()[0]


@pytest.mark.parametrize("bad", [3, 44, 82])
def test_a_bad_label_is_the_same_error_and_leaves_the_same_state(bad):
    y = Y.copy()
    y[bad] = 3
    results = {}
    for mode, how in MODES.items():
        keras.utils.set_random_seed(0)
        model = classifier(**how)
        callbacks = [EveryBatch()] if mode == "general" else []
        with pytest.raises(ValueError) as e:
            model.fit(X, y, batch_size=8, epochs=2, verbose=0, shuffle=False, callbacks=callbacks)
        results[mode] = str(e.value), state(model)
        history = model.fit(X, Y, batch_size=8, verbose=0, shuffle=False)  # the next call works
        results[mode] += (history.history,)
    for mode in MODES:
        assert results[mode][0] == results["general"][0], mode
        assert "value=3" in results[mode][0] and f"position=({bad % 8},)" in results[mode][0]
    # Compiled, a step that fails leaves nothing; op by op, the error comes before the update.
    for mode in ("arrays", "general"):
        for (path, a), (_, b) in zip(results[mode][1], results["general"][1]):
            np.testing.assert_array_equal(a, b, err_msg=f"{mode}: {path}")
        assert results[mode][2] == results["general"][2]


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_mid_epoch_leaves_whole_steps():
    x, y = np.tile(X, (400, 1)), np.tile(Y, 400)
    model = plain()
    model.fit(X, Y, batch_size=8, verbose=0)
    before = int(model.optimizer.iterations)
    timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=8, epochs=10000, verbose=0, shuffle=False)
    timer.join()
    done = int(model.optimizer.iterations) - before
    assert done > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # The same number of steps gives the same weights, where nobody interrupts.
    keras.utils.set_random_seed(0)
    other = plain()
    other.fit(X, Y, batch_size=8, verbose=0)
    per_epoch = -(-len(x) // 8)
    for begin in range(0, done, per_epoch):
        n = min(done - begin, per_epoch) * 8
        other.fit(x[:n], y[:n], batch_size=8, verbose=0, shuffle=False)
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations)
    for a, b in zip(model.variables[:4], other.variables[:4]):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    model.fit(X, Y, batch_size=8, verbose=0)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_test_begin", "on_train_batch_end"])
def test_a_callback_that_raises_leaves_a_usable_model(hook):
    class Raises(keras.callbacks.Callback):
        pass

    def raising(self, *args, **kwargs):
        if int(self.model.optimizer.iterations) > 11:
            raise LookupError("enough")

    setattr(Raises, hook, raising)
    model = plain()
    with pytest.raises(LookupError, match="enough"):
        model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[Raises()], validation_data=(X[:9], Y[:9]))
    steps = int(model.optimizer.iterations)
    assert 11 < steps <= 22
    history = model.fit(X, Y, batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"][0]) and int(model.optimizer.iterations) == steps + 11


def test_a_host_kernel_that_raises_in_mid_epoch_leaves_whole_steps():
    calls = []

    class Fickle(layers.Layer):
        def call(self, x):
            return x + 0 * ops.sum(_fickle(calls)(x))

    def make(**how):
        model = keras.Sequential([keras.Input((6,)), Fickle(), layers.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", **how)
        return model

    results = []
    for callbacks in ([], [EveryBatch()]):
        keras.utils.set_random_seed(0)
        model = make()
        calls[:] = [5]
        with pytest.raises(ZeroDivisionError):
            model.fit(X, Y, batch_size=8, verbose=0, callbacks=callbacks)
        results.append(state(model))
        assert int(model.optimizer.iterations) == 5
    for (path, a), (_, b) in zip(*results):
        np.testing.assert_array_equal(a, b, err_msg=path)


def _fickle(calls):
    from kerasish.engine.op import Host, _registry, define_op

    def kernel(x):
        calls[0] -= 1
        if calls[0] < 0:
            raise ZeroDivisionError
        return x

    _registry.pop("fickle_op_of_a_test", None)
    if not hasattr(_fickle, "op"):
        _fickle.op = define_op(
            "fickle_op_of_a_test", inputs="x", infer=lambda x: x, kernel=Host(kernel), grad=None
        )  # fmt: skip
        del _registry["fickle_op_of_a_test"]
    return _fickle.op


def test_a_model_of_more_inputs_than_anybody_needs():
    inputs = [keras.Input((1,)) for _ in range(70)]
    model = keras.Model(inputs, layers.Dense(1)(layers.Concatenate()(inputs)))
    model.compile("sgd", "mse")
    x = [X[:32, :1]] * 70
    assert np.isfinite(model.fit(x, X[:32, 1:2], batch_size=8, verbose=0).history["loss"][0])


def test_losses_that_layers_add():
    class Watched(layers.Layer):
        def call(self, x):
            self.add_loss(0.01 * ops.mean(ops.square(x)))
            return x

    def make(**how):
        model = keras.Sequential([keras.Input((6,)), layers.Dense(4), Watched(), layers.Dense(3, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", **how)
        return model

    run_all_ways(make, lambda m, c: m.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=c).history)


@pytest.mark.parametrize("steps", [2, 3, 100])
def test_steps_per_execution_gives_the_same_numbers(steps):
    results = []
    for n in (1, steps):
        keras.utils.set_random_seed(0)
        model = classifier(steps_per_execution=n)
        results.append((model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history, state(model)))
    assert results[0][0] == results[1][0]
    for (path, a), (_, b) in zip(results[0][1], results[1][1]):
        np.testing.assert_array_equal(a, b, err_msg=path)


def test_a_changed_attribute_of_the_optimizer_is_followed():
    weights = []
    for compiled in (True, False):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=compiled)
        x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
        model.fit(x, y, batch_size=4, verbose=0)
        model.optimizer.clipvalue = 1e-3
        model.fit(x, y, batch_size=4, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights):
        np.testing.assert_array_equal(a, b)


# Batches that are brought beside the step before.

WIDE = np.random.default_rng(2).normal(size=(83, 1500)).astype("float32")


def wide(**how):
    model = keras.Sequential([keras.Input((1500,)), layers.Dense(8, "tanh"), layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **how)
    return model


@pytest.mark.parametrize("shuffle", [True, False])
def test_wide_rows_that_change_between_epochs(shuffle, chunks):
    def run(model, callbacks):
        x = WIDE.copy()

        def change(epoch, logs):
            x[epoch::2] *= 0.5

        callbacks = [*callbacks, keras.callbacks.LambdaCallback(on_epoch_end=change)]
        history = model.fit(x, Y, batch_size=16, epochs=3, verbose=0, shuffle=shuffle, callbacks=callbacks)
        return history.history, model.evaluate(x, Y, batch_size=16, verbose=0)

    try:
        for threads in (1, 2, 3):
            core.set_num_threads(threads)
            run_all_ways(wide, run)
    finally:
        core.set_num_threads(0)
    assert max(chunks) > 2
