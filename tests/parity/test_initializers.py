"""Initializers, regularizers and constraints against Keras: fixed values, distributions, configs."""

import numpy as np
import pytest

from kerasish import constraints, initializers, ops, regularizers

pytestmark = pytest.mark.parity

FIXED = [
    ("Zeros", {}, (3, 4)),
    ("Ones", {}, (3, 4)),
    ("Constant", {"value": 2.5}, (3, 4)),
    ("Identity", {"gain": 3.0}, (3, 4)),
    ("STFT", {"side": "real", "window": "hann"}, (16, 1, 9)),
    ("STFT", {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}, (16, 1, 9)),
    ("STFT", {"side": "imag", "window": "blackmanharris", "scaling": None}, (15, 1, 9)),
    ("STFT", {"side": "real", "window": None}, (16, 1, 9)),
]
RANDOM = [
    ("RandomNormal", {"mean": 1.0, "stddev": 2.0}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("TruncatedNormal", {"mean": 1.0, "stddev": 2.0}),
    ("GlorotNormal", {}),
    ("GlorotUniform", {}),
    ("HeNormal", {}),
    ("HeUniform", {}),
    ("LecunNormal", {}),
    ("LecunUniform", {}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"distribution": "uniform", "input_axes": [0], "output_axes": [1, 2]}),
]


@pytest.mark.parametrize("name, kwargs, shape", FIXED)
def test_fixed_values(name, kwargs, shape):
    import keras

    ours = getattr(initializers, name)(**kwargs)(shape)
    theirs = np.asarray(getattr(keras.initializers, name)(**kwargs)(shape))
    # Against the largest element: Keras takes the cosine of large angles in float32.
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("name, kwargs", RANDOM)
def test_distributions(name, kwargs):
    """The same quantiles, from 120,000 values of each, to about four standard errors."""
    import keras

    shape = (30, 40, 100)
    ours = np.asarray(getattr(initializers, name)(seed=1, **kwargs)(shape)).ravel()
    theirs = np.asarray(getattr(keras.initializers, name)(seed=2, **kwargs)(shape)).ravel()
    scale = theirs.std()
    np.testing.assert_allclose(ours.std(), scale, rtol=0.01)
    levels = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(np.quantile(ours, levels), np.quantile(theirs, levels), atol=0.035 * scale)
    for extreme in (np.min, np.max):
        assert abs(extreme(ours)) < abs(extreme(theirs)) + 0.5 * scale


@pytest.mark.parametrize("name, kwargs", RANDOM + [(n, k) for n, k, _ in FIXED] + [("Orthogonal", {"gain": 2.0})])
def test_configs(name, kwargs):
    import keras

    seeded = {"seed": 5} if name not in {n for n, _, _ in FIXED} else {}
    ours = initializers.serialize(getattr(initializers, name)(**kwargs, **seeded))
    theirs = keras.initializers.serialize(getattr(keras.initializers, name)(**kwargs, **seeded))
    if name == "Identity":  # Keras forgets the gain
        theirs["config"] = {"gain": 3.0}
    assert ours == theirs
    assert type(keras.initializers.deserialize(ours)) is getattr(keras.initializers, name)
    assert initializers.serialize(initializers.deserialize(theirs)) == theirs


@pytest.mark.parametrize(
    "family, name, kwargs",
    [
        (regularizers, "L1", {"l1": 0.25}),
        (regularizers, "L2", {"l2": 0.25}),
        (regularizers, "L1L2", {"l1": 0.25, "l2": 0.5}),
        (regularizers, "OrthogonalRegularizer", {"factor": 0.25}),
        (regularizers, "OrthogonalRegularizer", {"factor": 0.25, "mode": "columns"}),
        (constraints, "MaxNorm", {"max_value": 1.5, "axis": [0, 1]}),
        (constraints, "MinMaxNorm", {"min_value": 0.5, "max_value": 1.5, "rate": 0.7}),
        (constraints, "NonNeg", {}),
        (constraints, "UnitNorm", {"axis": 1}),
    ],
)
def test_regularizers_and_constraints(family, name, kwargs):
    import keras

    module = getattr(keras, family.__name__.rpartition(".")[2])
    ours, theirs = getattr(family, name)(**kwargs), getattr(module, name)(**kwargs)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    got, expected = ours(ops.convert_to_tensor(x)), theirs(keras.ops.convert_to_tensor(x))
    np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-5, atol=1e-6)
    assert family.serialize(ours) == module.serialize(theirs)
    assert family.serialize(family.deserialize(module.serialize(theirs))) == module.serialize(theirs)


@pytest.mark.parametrize("names", ["initializers", "losses", "metrics", "optimizers", "regularizers", "constraints"])
def test_keras_names_are_all_known(names):
    """Whatever string Keras takes, `get` takes."""
    import importlib

    import keras

    ours = importlib.import_module(f"kerasish.{names}")
    theirs = importlib.import_module(f"keras.src.{names}")
    base = {"CTC", "ctc", "Optimizer", "optimizer", "LossFunctionWrapper"}
    unknown = [n for n in theirs.ALL_OBJECTS_DICT if n not in ours._family.table and n not in base]
    assert not unknown and keras
