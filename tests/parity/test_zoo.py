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
        K.backend.clear_session()
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
