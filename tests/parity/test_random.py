"""Random functions against Keras: shapes, dtypes, configs and moments; the numbers themselves differ by design."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish import random

CALLS = {
    "uniform": ((3, 4000), {"minval": -1.0, "maxval": 4.0}),
    "normal": ((3, 4000), {"mean": 2.0, "stddev": 0.5}),
    "truncated_normal": ((3, 4000), {"mean": 2.0, "stddev": 0.5}),
    "randint": ((3, 4000), {"minval": -5, "maxval": 60}),
    "gamma": ((3, 4000), {"alpha": 2.5}),
    "beta": ((3, 4000), {"alpha": 2.0, "beta": 5.0}),
    "binomial": ((3, 4000), {"counts": 12, "probabilities": 0.3}),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", CALLS)
def test_distributions(name):
    import keras

    shape, arguments = CALLS[name]
    got = getattr(random, name)(shape, **arguments, seed=1)
    want = getattr(keras.random, name)(shape, **arguments, seed=1)
    assert got.dtype == keras.backend.standardize_dtype(want.dtype) and got.shape == tuple(want.shape)
    want = np.asarray(want).astype("float64")
    np.testing.assert_allclose(got.numpy().mean(), want.mean(), atol=0.05 * want.std())
    np.testing.assert_allclose(got.numpy().std(), want.std(), rtol=0.03)


@pytest.mark.parity
def test_dropout_keeps_the_same_values():
    import keras

    x = np.random.default_rng(0).standard_normal((50, 60)).astype("float32")
    got = random.dropout(x, 0.3, noise_shape=(50, 1), seed=1).numpy()
    want = np.asarray(keras.random.dropout(x, 0.3, noise_shape=(50, 1), seed=1))
    both = (got != 0) & (want != 0)
    assert both.any()
    # Keras divides by 0.7, we multiply by 1 / 0.7: one rounding more, so half a unit in the last place and its own.
    np.testing.assert_array_max_ulp(got[both], want[both], maxulp=1)


@pytest.mark.parity
def test_seed_generator():
    import keras

    ours, theirs = random.SeedGenerator(5, name="s"), keras.random.SeedGenerator(5, name="s")
    assert ours.get_config() == theirs.get_config()
    assert ours.state.path == theirs.state.path and ours.state.dtype == theirs.state.dtype
    for _ in range(3):
        np.testing.assert_array_equal(ours.next().numpy(), np.asarray(theirs.next()))
    np.testing.assert_array_equal(ours.state.numpy(), np.asarray(theirs.state))
    got = keras.saving.serialize_keras_object(theirs)
    from kerasish.engine.serialization import serialize_keras_object

    assert serialize_keras_object(ours) == got
