"""predict and model(x) as programs: the fast paths give what the general ones give, and follow what is changed."""

import copy
import threading
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine import tree
from kerasish.executor import Executable, NotCompiledWarning

X = np.random.default_rng(0).normal(size=(70, 6)).astype("float32")


class EveryBatch(keras.callbacks.Callback):
    def on_predict_batch_end(self, batch, logs=None):
        pass


@pytest.fixture
def runs(monkeypatch):
    """Counts the runs of programs."""
    ran = []
    original = Executable.run

    def counted(self, *args, **kwargs):
        ran.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Executable, "run", counted)
    return ran


def mlp(activation="relu", rate=0.5):
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation),
            layers.BatchNormalization(),
            layers.Dropout(rate),
            layers.Dense(3),
        ]
    )


def cnn():
    parts = [layers.Reshape((3, 2, 1)), layers.Conv2D(4, 2, activation="relu"), layers.Flatten(), layers.Dense(2)]
    return keras.Sequential([keras.Input((6,)), *parts])


def several():
    x = keras.Input((6,))
    h = layers.Dense(5, "tanh")(x)
    return keras.Model(x, [layers.Dense(2)(h), h, layers.Reshape((5, 1))(h)])


def by_name():
    x = keras.Input((6,))
    h = layers.Dense(5, "tanh")(x)
    return keras.Model(x, {"z": layers.Dense(2)(h), "a": {"h": h, "s": layers.Softmax()(h)}})


def the_input_itself():
    x = keras.Input((6,))
    return keras.Model(x, [x, layers.Dense(2)(x)])


def masked():
    x = keras.Input((6,))
    h = layers.Embedding(50, 4, mask_zero=True)(x)
    return keras.Model(x, layers.Dense(2)(h))


MODELS = [mlp, cnn, several, by_name, the_input_itself, masked]


def same(a, b):
    tree.assert_same_structure(a, b)
    for p, q in zip(tree.flatten(a), tree.flatten(b)):
        assert type(p) is type(q) is np.ndarray and p.dtype == q.dtype
        np.testing.assert_array_equal(p, q)


def data_for(make, n):
    return np.abs(X[:n] * 9).astype("int32") if make is masked else X[:n]


@pytest.mark.parametrize("make", MODELS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("n", [1, 8, 16, 19, 70])
def test_the_fast_path_gives_what_the_general_one_gives(make, n, runs):
    model, x = make(), data_for(make, n)
    fast = [model.predict(x, batch_size=8, verbose=0) for _ in range(3)]
    count = len(runs)
    assert count >= 2 * -(-n // 8)
    general = model.predict(x, batch_size=8, verbose=0, callbacks=[EveryBatch()])
    model.compile(jit_compile=False)
    eager = model.predict(x, batch_size=8, verbose=0)
    for result in [*fast, general]:
        same(result, eager)
    same(
        model.predict_on_batch(x[:5]), tree.map_structure(lambda a: a[:5], model.predict_on_batch(x))
    ) if n == 70 else None


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int32", "int64", "bool", "float16", "float64", ">f4", "longdouble"]
)
def test_predict_on_other_dtypes(dtype):
    x = (np.abs(X) * 10).astype(dtype)
    model = mlp()
    fast = [model.predict(x, batch_size=16, verbose=0) for _ in range(2)]
    model.compile(jit_compile=False)
    for result in fast:
        same(result, model.predict(x, batch_size=16, verbose=0))


@pytest.mark.parametrize(
    "x",
    [X[::2], np.asfortranarray(X), X[:, ::-1], [X], {"x": X}, keras.ops.convert_to_tensor(X), X.view(np.matrix)[:, :6]],
    ids=["strided", "fortran", "reversed", "list", "dict", "tensor", "subclass"],
)
def test_predict_on_other_kinds_of_data(x):
    i = keras.Input((6,), name="x")
    model = keras.Model(i, layers.Dense(3)(i))
    fast = [model.predict(x, batch_size=16, verbose=0) for _ in range(2)]
    model.compile(jit_compile=False)
    for result in fast:
        same(result, model.predict(x, batch_size=16, verbose=0))


def test_predictions_own_their_memory():
    model = the_input_itself()
    x = X.copy()
    for n in (1, 8, 70):
        results = [a for _ in range(3) for a in model.predict(x[:n], batch_size=8, verbose=0)]
        assert not any(np.shares_memory(a, x) for a in results)
        assert not any(np.shares_memory(a, b) for k, a in enumerate(results) for b in results[:k])
        assert all(a.flags.writeable for a in results)


def test_predict_of_nothing_and_of_bad_arguments():
    model = mlp()
    for x in (X[:0], np.float32(1.0)):
        with pytest.raises(ValueError):
            model.predict(x, verbose=0)
    with pytest.raises(ValueError, match="batch_size"):
        model.predict(X, batch_size=0, verbose=0)
    messages = set()
    for how in ({"verbose": 0}, {"verbose": 0, "callbacks": [EveryBatch()]}):
        for _ in range(2):
            with pytest.raises(ValueError) as e:
                model.predict(X[:, :5], batch_size=8, **how)
            messages.add(str(e.value))
    assert len(messages) == 1
    assert model.predict(X, verbose=0).shape == (70, 3)


def test_predict_with_a_step_of_its_own():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            return self.dense(x)

        def predict_step(self, data):
            y = self(data)
            return {"label": ops.argmax(y, axis=-1), "total": ops.sum(y)}

    model = Own()
    model(X[:1])
    model.compile(run_eagerly=True)
    wanted = [model.predict(X[k : k + 8], batch_size=8, verbose=0) for k in (0, 8, 16)]
    model.compile()
    for _ in range(3):
        got = model.predict(X[:8], batch_size=8, verbose=0)
        same(got, wanted[0])
    # An output without rows cannot be put together, whichever way.
    for callbacks in (None, [EveryBatch()]):
        with pytest.raises(ValueError):
            model.predict(X[:24], batch_size=8, verbose=0, callbacks=callbacks)


def test_predict_of_a_model_that_cannot_be_compiled():
    class Branches(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, x):
            x = self.dense(x)
            return x * 2 if float(ops.sum(x)) > 0 else x * 3

    model = Branches()
    model.compile(run_eagerly=True)
    model(X)
    wanted = model.predict(X, batch_size=8, verbose=0)
    model.compile()
    with pytest.warns(NotCompiledWarning, match="predict_step of 'branches.*' runs op by op") as caught:
        results = [model.predict(X, batch_size=8, verbose=0) for _ in range(3)]
        model(X)
    # The call within the step has the same reason, and does not say it again.
    assert model._call_function.refusal is not None
    assert len([w for w in caught if w.category is NotCompiledWarning]) == 1
    for result in results:
        same(result, wanted)


# model(x).


@pytest.mark.parametrize("make", MODELS, ids=lambda m: m.__name__)
def test_a_call_is_a_program_from_the_second_on(make, runs):
    model, x = make(), data_for(make, 9)
    calls = [model(x) for _ in range(3)]
    assert len(runs) == 2
    masks = [[getattr(t, "_keras_mask", None) for t in tree.flatten(c)] for c in calls]
    for c in calls[1:]:
        same(tree.map_structure(np.asarray, c), tree.map_structure(np.asarray, calls[0]))
    for m in masks[1:]:
        assert [a is None for a in m] == [a is None for a in masks[0]]
        for a, b in zip(m, masks[0]):
            assert a is None or np.array_equal(np.asarray(a), np.asarray(b))
    assert make is not masked or masks[0][0] is not None


def test_a_training_call_updates_statistics_and_random_state():
    results = []
    for how in ({}, {"run_eagerly": True}):
        keras.utils.set_random_seed(0)
        model = mlp()
        model.compile(**how)
        outs = [model(X, training=True).numpy() for _ in range(4)] + [model(X).numpy()]
        seeds = [s.state.numpy() for x in model._flatten_layers() for s in x._seed_generators]
        results.append([*outs, *[v.numpy() for v in model.variables], *seeds])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_a_call_under_a_tape_has_gradients():
    model = mlp()
    for _ in range(3):
        model(X)
    with keras.GradientTape() as tape:
        loss = ops.sum(model(X))
    assert all(g is not None for g in tape.gradient(loss, model.trainable_variables))


CHANGES = {
    "dropout rate": lambda m: setattr(m.layers[2], "rate", 0.0),
    "activation": lambda m: setattr(m.layers[0], "activation", keras.activations.tanh),
    "epsilon": lambda m: setattr(m.layers[1], "epsilon", 0.5),
    "trainable": lambda m: setattr(m.layers[1], "trainable", False),
    "trainable of the model": lambda m: setattr(m, "trainable", False),
    "use_bias": lambda m: (setattr(m.layers[3], "bias", None), setattr(m.layers[3], "use_bias", False)),
    "weights": lambda m: m.set_weights([w * 2 for w in m.get_weights()]),
    "a weight": lambda m: m.layers[0].kernel.assign(m.layers[0].kernel * 3),
    "a layer more": lambda m: m.add(layers.Activation("tanh")),
    "a layer less": lambda m: m.pop(),
    "a call of its own": lambda m: setattr(
        m.layers[3], "call", lambda x, **how: ops.matmul(x, m.layers[3].kernel) * 0.5
    ),
}


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize(
    "use",
    [
        lambda m: m(X, training=True).numpy(), lambda m: m(X).numpy(), lambda m: m.predict(X, batch_size=16, verbose=0),
        lambda m: m.predict(X, batch_size=16, verbose=0, callbacks=[EveryBatch()]),
    ],
    ids=["training call", "call", "predict", "predict, the general path"],
)  # fmt: skip
def test_changes_between_calls_are_followed(what, use):
    results = []
    for how in ({}, {"run_eagerly": True}):
        keras.utils.set_random_seed(0)
        model = mlp()
        model.compile(**how)
        out = [use(model) for _ in range(3)]
        CHANGES[what](model)
        out += [use(model) for _ in range(3)]
        results.append([*out, *[v.numpy() for v in model.variables]])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_changes_in_an_inner_model_are_followed():
    inner = mlp()
    x = keras.Input((6,))
    model = keras.Model(x, layers.Dense(2)(inner(x)))
    for _ in range(3):
        before = model.predict(X, verbose=0), model(X).numpy()
    inner.layers[0].activation = keras.activations.sigmoid
    after = model.predict(X, verbose=0), model(X).numpy()
    model.compile(run_eagerly=True)
    same(after[0], model.predict(X, verbose=0))
    same(after[1], model(X).numpy())
    assert not np.array_equal(before[0], after[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m.layers[0], "trainable", False),
        lambda m: setattr(m.layers[0].kernel, "trainable", False),
        lambda m: setattr(m.layers[2], "rate", 0.1),
        lambda m: setattr(m.optimizer, "learning_rate", 0.001),
        lambda m: m.optimizer.learning_rate.assign(0.001),
    ],
    ids=["layer.trainable", "kernel.trainable", "rate", "learning_rate", "learning_rate.assign"],
)
def test_changes_between_fits_are_followed(change):
    y = X[:, :3].copy()
    results = []
    for how in ({}, {"run_eagerly": True}):
        keras.utils.set_random_seed(0)
        model = mlp()
        model.compile("adam", "mse", **how)
        model.fit(X, y, batch_size=16, epochs=2, verbose=0)
        change(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that `trainable` has changed
            model.fit(X, y, batch_size=16, epochs=2, verbose=0)
        results.append([v.numpy() for v in [*model.variables, *model.optimizer.variables]])
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


def test_a_call_that_adds_losses_runs_as_it_is_without_a_warning():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3, activity_regularizer="l2")])
    for _ in range(4):
        model(X)
        assert len(model.losses) == 1 and float(model.losses[0]) > 0


def test_a_call_with_bad_arguments_does_not_count_against_the_next():
    model = mlp()
    model.compile(run_eagerly=True)
    wanted = model(X).numpy()
    model.compile()
    for _ in range(3):
        with pytest.raises(ValueError, match="expected axis -1 of the input to have size 6"):
            model(X[:, :4])
        np.testing.assert_array_equal(model(X).numpy(), wanted)
    assert model._call_function.refusal is None


def test_calls_with_other_shapes_and_arguments():
    model = mlp()
    wanted = {n: model(X[:n]).numpy() for n in (1, 2, 3)}
    for _ in range(3):
        for n, value in wanted.items():
            np.testing.assert_array_equal(model(X[:n]).numpy(), value)
            np.testing.assert_array_equal(model(ops.convert_to_tensor(X[:n])).numpy(), value)
    with pytest.raises(ValueError):
        model(X[:, :4])
    np.testing.assert_array_equal(model(X[:2]).numpy(), wanted[2])


def test_an_unbuilt_model_is_built_by_its_first_call():
    model = keras.Sequential([layers.Dense(4, "relu"), layers.Dense(2)])
    a = model(X)
    assert model.built and len(model.weights) == 4
    for _ in range(3):
        np.testing.assert_array_equal(model(X).numpy(), a.numpy())


def test_many_threads_call_and_predict_with_one_model():
    model = mlp()
    wanted = {n: model(X[:n]).numpy() for n in (1, 5, 40)}
    many = model.predict(X, batch_size=16, verbose=0)
    failures = []
    start = threading.Barrier(6)

    def work(k):
        start.wait()
        try:
            for _ in range(25):
                for n, value in wanted.items():
                    if not np.array_equal(model(X[:n]).numpy(), value):
                        failures.append((k, n))
                if not np.array_equal(model.predict(X, batch_size=16, verbose=0), many):
                    failures.append((k, "predict"))
        except BaseException as e:
            failures.append((k, e))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures


def test_a_copy_of_a_model_that_has_run_is_a_model_of_its_own():
    model = mlp()
    model.compile("sgd", "mse")
    y = X[:, :3].copy()
    model.fit(X, y, verbose=0)
    for _ in range(2):
        before = model.predict(X, verbose=0), model(X).numpy(), model.get_weights()
    other = copy.deepcopy(model)
    np.testing.assert_array_equal(other.predict(X, verbose=0), before[0])
    other.compile("sgd", "mse")
    other.fit(X, y, verbose=0, epochs=2)
    for a, b in zip(model.get_weights(), before[2]):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(other.get_weights()[0], before[2][0])
    for _ in range(2):
        np.testing.assert_array_equal(model(X).numpy(), before[1])
        assert not np.array_equal(other(X).numpy(), before[1])
