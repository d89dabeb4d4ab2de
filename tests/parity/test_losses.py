"""Losses against Keras: values, reductions, weights, masks."""

import numpy as np
import pytest

from kerasish import losses, ops
from tests.contracts.cases import KINDS, LOSSES, case_id

pytestmark = pytest.mark.parity


def close(ours, theirs, rtol=1e-5):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("case", LOSSES, ids=case_id)
def test_values(case):
    import keras

    name, kwargs, kind = case
    y_true, y_pred = KINDS[kind]()
    for reduction in ("sum_over_batch_size", "sum", "none"):
        ours = getattr(losses, name)(reduction=reduction, **kwargs)
        theirs = getattr(keras.losses, name)(reduction=reduction, **kwargs)
        close(ours(y_true, y_pred), theirs(y_true, y_pred))
    per_sample = np.asarray(ours(y_true, y_pred))
    if per_sample.ndim:
        weights = np.linspace(0.0, 2.0, per_sample.shape[0], dtype="float32")
        weights = weights.reshape((-1,) + (1,) * (per_sample.ndim - 1))
        for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none"):
            ours = getattr(losses, name)(reduction=reduction, **kwargs)
            theirs = getattr(keras.losses, name)(reduction=reduction, **kwargs)
            close(ours(y_true, y_pred, weights), theirs(y_true, y_pred, weights))


@pytest.mark.parametrize("case", LOSSES, ids=case_id)
def test_config_is_read_by_keras(case):
    import keras

    name, kwargs, _ = case
    ours = getattr(losses, name)(**kwargs)
    back = keras.saving.deserialize_keras_object(losses.serialize(ours))
    assert type(back) is getattr(keras.losses, name)
    theirs = keras.losses.serialize(getattr(keras.losses, name)(**kwargs))
    mine = losses.serialize(losses.deserialize(theirs))
    assert {k: mine["config"][k] for k in theirs["config"]} == theirs["config"]
    assert {**mine, "config": None} == {**theirs, "config": None}


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_masks(reduction, weighted):
    import keras

    y_true, y_pred = KINDS["label_logits"]()
    mask = np.arange(60).reshape(12, 5) % 3 != 0
    weights = np.linspace(0, 2, 60, dtype="float32").reshape(12, 5) if weighted else None
    mine = ops.convert_to_tensor(y_pred)
    mine._keras_mask = ops.convert_to_tensor(mask)
    theirs = keras.ops.convert_to_tensor(y_pred)
    theirs._keras_mask = keras.ops.convert_to_tensor(mask)
    args = {"from_logits": True, "reduction": reduction}
    close(
        losses.SparseCategoricalCrossentropy(**args)(y_true, mine, weights),
        keras.losses.SparseCategoricalCrossentropy(**args)(y_true, theirs, weights),
    )


@pytest.mark.parametrize("name", ["bce", "kld", "mae", "mape", "mse", "msle", "MSE", "hinge", "log_cosh", "huber"])
def test_functions_by_name(name):
    import keras

    y_true, y_pred = KINDS["binary"]()
    close(losses.get(name)(y_true, y_pred), keras.losses.get(name)(y_true, y_pred))
