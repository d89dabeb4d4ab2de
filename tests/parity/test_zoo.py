"""Every model of the zoo goes from Keras to us, and from us to Keras: outputs, optimizer, next steps, names."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras

from .zoo import LAYERS, MODELS, OPTIMIZED

# Keras's own tensors warn when h5py reads them.
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def packages(direction):
    import keras as reference

    for K in (keras, reference):
        K.backend.clear_session(free_memory=False)
        K.utils.set_random_seed(1)
    return (reference, keras) if direction == "from Keras" else (keras, reference)


def flat(out):
    if isinstance(out, dict):
        return [out[k] for k in sorted(out)]
    return list(out) if isinstance(out, (list, tuple)) else [out]


def same_outputs(one, other, inputs):
    want, got = flat(one(inputs)), flat(other(inputs))
    assert len(want) == len(got) > 0
    for w, g in zip(want, got):
        w = np.asarray(w)
        np.testing.assert_allclose(np.asarray(g), w, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(w).max(initial=0))))


def same_structure(path, other):
    """Both packages write the same groups and arrays."""
    import io
    import zipfile

    import h5py

    def names(p):
        with zipfile.ZipFile(p) as z, h5py.File(io.BytesIO(z.read("model.weights.h5"))) as f:
            found = {}
            f.visititems(lambda n, o: found.update({n: getattr(o, "shape", None)}))
            return found

    assert names(path) == names(other)


@pytest.mark.parametrize("case", LAYERS, ids=repr)
def test_every_layer(case, tmp_path):
    theirs, ours = packages("from Keras")
    model = case.build(theirs)
    model.save(tmp_path / "theirs.keras")
    mine = ours.saving.load_model(tmp_path / "theirs.keras")
    same_outputs(model, mine, case.inputs)
    mine.save(tmp_path / "mine.keras")
    same_structure(tmp_path / "theirs.keras", tmp_path / "mine.keras")
    same_outputs(mine, theirs.saving.load_model(tmp_path / "mine.keras"), case.inputs)


def targets(shape, seed=0):
    rng = np.random.default_rng(seed)
    if isinstance(shape, dict):
        return {k: targets(s) for k, s in shape.items()}
    if isinstance(shape, list):
        return [targets(s) for s in shape]
    return rng.uniform(0, 1, shape).astype("float32")


def step(model, case):
    model.reset_metrics()
    return float(np.asarray(model.train_on_batch(case.inputs, targets(case.target), return_dict=True)["loss"]))


@pytest.mark.parametrize("direction", ["from Keras", "to Keras"])
@pytest.mark.parametrize("case", [*MODELS, *OPTIMIZED], ids=repr)
def test_models_go_on_training(case, direction, tmp_path):
    first, second = packages(direction)
    model = case.build(first)
    settings = {"optimizer": first.optimizers.SGD(0.05), "loss": "mse"}
    model.compile(**{**settings, **(case.compile(first) if case.compile else {})})
    for _ in range(3):
        step(model, case)
    model.save(tmp_path / "one.keras")
    other = second.saving.load_model(tmp_path / "one.keras")
    same_outputs(model, other, case.inputs)
    assert int(other.optimizer.iterations) == int(model.optimizer.iterations)
    assert len(other.optimizer.variables) == len(model.optimizer.variables)
    for a, b in zip(model.optimizer.variables, other.optimizer.variables):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    losses = [(step(model, case), step(other, case)) for _ in range(3)]
    np.testing.assert_allclose(*zip(*losses), rtol=1e-4)
    other.save(tmp_path / "two.keras")
    same_structure(tmp_path / "one.keras", tmp_path / "two.keras")


def test_the_zoo_is_large():
    assert len(LAYERS) + len(MODELS) + len(OPTIMIZED) > 120


def custom(K):
    """A layer and a model of a user's own, with parts in attributes, lists and dicts."""
    L = K.layers

    class Block(L.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.steps = [L.Dense(units), [L.Dense(units, use_bias=False)]]
            self._hidden = L.LayerNormalization()
            self.by_name = {"b": L.Dense(units), "a": L.BatchNormalization()}
            self.noise = L.Dropout(0.5)

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
            self.offset = self.add_weight(shape=(self.units,), initializer="zeros", trainable=False, name="offset")
            for layer in (self.steps[0], self.steps[1][0], self._hidden, *self.by_name.values()):
                layer.build((None, self.units))

        def call(self, x, training=None):
            x = self.steps[1][0](self.steps[0](x))
            x = self.by_name["a"](self.by_name["b"](self._hidden(x)), training=training)
            return x * self.scale + self.offset

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class Net(K.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.zero = Block(4)
            self.parts = [Block(4), L.Dense(3)]
            self.alone = self.parts[0]

        def call(self, x, training=None):
            return self.parts[1](self.parts[0](self.zero(x, training=training), training=training))

    return {"Block": Block, "Net": Net}


@pytest.mark.parametrize("direction", ["from Keras", "to Keras"])
def test_classes_of_a_users_own(direction, tmp_path):
    first, second = packages(direction)
    x, y = targets((6, 4)), targets((6, 3))
    model = custom(first)["Net"]()
    # Not Adam: biases in front of a normalization have gradients of noise alone, whose sign is a step to it.
    model.compile(first.optimizers.SGD(0.05, momentum=0.9), "mse")
    for _ in range(3):
        model.train_on_batch(x, y)
    model.save(tmp_path / "one.keras")
    other = second.saving.load_model(tmp_path / "one.keras", custom_objects=custom(second))
    same_outputs(model, other, x)
    other.save(tmp_path / "two.keras")
    same_structure(tmp_path / "one.keras", tmp_path / "two.keras")
    for m in (model, other):
        m.train_on_batch(x, y)
        m.reset_metrics()
    losses = [float(np.asarray(m.test_on_batch(x, y))) for m in (model, other)]
    np.testing.assert_allclose(*losses, rtol=1e-4)


@pytest.mark.parametrize("direction", ["from Keras", "to Keras"])
@pytest.mark.parametrize("form", ["w.weights.h5", "w.weights.json", "folder"])
def test_other_forms_of_files(direction, form, tmp_path):
    first, second = packages(direction)
    one, two = (MODELS[1].build(K) for K in (first, second))
    if form == "folder":
        one.save(tmp_path / form, zipped=False)
        two = second.saving.load_model(tmp_path / form)
    else:
        one.save_weights(tmp_path / form, **({"max_shard_size": 400 / 1024**3} if form.endswith("json") else {}))
        two.load_weights(tmp_path / form)
    same_outputs(one, two, MODELS[1].inputs)
