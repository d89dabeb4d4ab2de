"""Metrics against Keras: two updates with and without weights, names and order of the state, config."""

import warnings

import numpy as np
import pytest

from kerasish import metrics
from tests.contracts.cases import KINDS, METRICS, case_id

pytestmark = pytest.mark.parity

# Keras takes weights of one shape for all; these take an entry per value.
PER_VALUE = {"Accuracy", "IoU", "MeanIoU", "OneHotIoU", "OneHotMeanIoU", "BinaryIoU"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("case", METRICS, ids=case_id)
def test_values(case, weighted):
    import keras

    name, kwargs, kind = case
    ours, theirs = getattr(metrics, name)(**kwargs), getattr(keras.metrics, name)(**kwargs)
    for _ in range(2):
        y_true, y_pred = KINDS[kind]()
        weight = None
        if weighted:
            shape = np.shape(y_true)[: 2 if name in PER_VALUE else 1]
            weight = np.arange(np.prod(shape)).reshape(shape) % 4
            weight = weight.astype("int32" if "IoU" in name else "float32")
        ours.update_state(y_true, y_pred, sample_weight=weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.update_state(y_true, y_pred, sample_weight=weight)
        np.testing.assert_allclose(np.asarray(ours.result()), np.asarray(theirs.result()), rtol=1e-5, atol=1e-6)
    assert [v.path.split("/")[-1] for v in ours.variables] == [v.path.split("/")[-1] for v in theirs.variables]
    for mine, other in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(mine.numpy(), np.asarray(other), rtol=1e-5, atol=1e-5)
    ours.reset_state()
    assert all((v.numpy() == 0).all() for v in ours.variables)


@pytest.mark.parametrize("case", METRICS, ids=case_id)
def test_config_is_exchanged(case):
    import keras

    name, kwargs, _ = case
    ours = getattr(metrics, name)(**kwargs)
    back = keras.metrics.deserialize(metrics.serialize(ours))
    assert type(back) is getattr(keras.metrics, name)
    theirs = keras.metrics.serialize(getattr(keras.metrics, name)(**{k: v for k, v in kwargs.items()}, name="m"))
    if kwargs.get("label_weights"):
        return  # Keras writes an array there that JSON does not hold
    mine = metrics.serialize(metrics.deserialize(theirs))
    assert {k: mine["config"][k] for k in theirs["config"]} == theirs["config"]
    assert {**mine, "config": None} == {**theirs, "config": None}


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_reductions(name):
    import keras

    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for values, weights in [
        (3.0, None),
        (2.0, 4),
        ([1.0, 2.0], None),
        ([1.0, 2.0], [0.5, 0.0]),
        (np.arange(6.0).reshape(2, 3), [1.0, 2.0]),
        (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3)),
        (np.arange(24.0).reshape(2, 3, 4), [[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]),
    ]:
        ours.update_state(values, weights)
        theirs.update_state(values, weights)
        np.testing.assert_allclose(float(ours.result()), float(theirs.result()), rtol=1e-6)
