"""The public pooling functions: layouts, dtypes, symbols, ties, and every error they give."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine import config
from kerasish.engine.symbol import Symbol

rng = np.random.default_rng(0)
X = rng.standard_normal((2, 6, 7, 3)).astype("float32")
POOLS = [(ops.max_pool, 2), (ops.average_pool, (3, 2)), (ops.adaptive_max_pool, 3), (ops.adaptive_average_pool, (2, 4))]


@pytest.mark.parametrize(("pool", "size"), POOLS)
def test_channels_first_is_the_transpose_of_channels_last(pool, size):
    first = pool(np.moveaxis(X, -1, 1), size, data_format="channels_first").numpy()
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), pool(X, size, data_format="channels_last").numpy())


def test_the_configured_layout_is_the_default():
    try:
        config.set_image_data_format("channels_first")
        assert ops.max_pool(X, 2).shape == (2, 6, 3, 1)
    finally:
        config.set_image_data_format("channels_last")


def test_strides_default_to_the_window():
    np.testing.assert_array_equal(ops.max_pool(X, (2, 3)).numpy(), ops.max_pool(X, [2, 3], strides=[2, 3]).numpy())
    assert ops.average_pool(X, 3, strides=1, padding="SAME").shape == X.shape


def test_average_does_not_count_padding():
    x = np.ones((1, 3, 3, 1), "float32")
    np.testing.assert_array_equal(ops.average_pool(x, 3, strides=1, padding="same").numpy(), x)


def test_the_gradient_goes_to_the_first_of_equal_cells():
    x = ops.convert_to_tensor(np.zeros((1, 2, 2, 1), "float32"))
    for pool in (lambda x: ops.max_pool(x, 2), lambda x: ops.adaptive_max_pool(x, 1)):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = pool(x)
        assert tape.gradient(y, x).numpy().ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "int32", "uint8"])
def test_max_pool_of_other_dtypes(dtype):
    x = rng.integers(0, 200, (1, 4, 4, 2)).astype(dtype)
    got = ops.max_pool(x, 2)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.numpy(), x.reshape(1, 2, 2, 2, 2, 2).max((2, 4)))


def test_average_pool_of_float16():
    x = rng.integers(0, 200, (1, 4, 4, 2)).astype("float16")
    got = ops.average_pool(x, 2)
    assert got.dtype == "float16"
    np.testing.assert_allclose(got.numpy(), x.astype("f").reshape(1, 2, 2, 2, 2, 2).mean((2, 4)), rtol=1e-3)


def test_symbols_with_unknown_sizes():
    x = Symbol((None, None, 7, 3))
    assert ops.max_pool(x, 2).shape == (None, None, 3, 3)
    assert ops.average_pool(x, 2, padding="same").shape == (None, None, 4, 3)
    assert ops.adaptive_max_pool(x, 2).shape == (None, 2, 2, 3)
    assert ops.adaptive_average_pool(Symbol((None, 3, None, 7)), (2, 1), "channels_first").shape == (None, 3, 2, 1)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: ops.max_pool(X[0, 0], 2),
            ValueError,
            r"max_pool: `inputs` must have 1 to 3 spatial dimensions .* Received: inputs\.shape=\(7, 3\)",
        ),
        (
            lambda: ops.max_pool(X, 0),
            ValueError,
            r"max_pool: `pool_size` must be at least 1\. Received: pool_size=0",
        ),
        (
            lambda: ops.max_pool(X, (2, 2, 2)),
            ValueError,
            r"max_pool: `pool_size` must be an integer or 2 integers, one for each dimension\. Received: pool_size=",
        ),
        (
            lambda: ops.average_pool(X, 2, strides=-1),
            ValueError,
            r"average_pool: `strides` must be at least 1\. Received: strides=-1",
        ),
        (
            lambda: ops.average_pool(X, 2, padding="causal"),
            ValueError,
            r"average_pool: `padding` must be one of 'valid', 'same'\. Received: padding='causal'",
        ),
        (
            lambda: ops.max_pool(X, (2, 8)),
            ValueError,
            r"max_pool: the window does not fit the input along spatial dimension 1: the output would be empty\. "
            r"Received: inputs\.shape=\(2, 6, 7, 3\), pool_size=\(2, 8\)",
        ),
        (
            lambda: ops.max_pool(Symbol((None, 1, None, 3)), 2),
            ValueError,
            r"max_pool: the window does not fit the input along spatial dimension 0",
        ),
        (
            lambda: ops.average_pool(X.astype("int32"), 2),
            TypeError,
            r"average_pool: `inputs` must be of a floating dtype\. Received: inputs='int32'",
        ),
        (
            lambda: ops.adaptive_average_pool(X, (2, 0)),
            ValueError,
            r"adaptive_average_pool: `output_size` must be at least 1\. Received: output_size=\(2, 0\)",
        ),
        (
            lambda: ops.adaptive_max_pool(X, (2,)),
            ValueError,
            r"adaptive_max_pool: `output_size` must be an integer or 2 integers",
        ),
        (
            lambda: ops.adaptive_max_pool(X.astype("int32"), 2),
            TypeError,
            r"adaptive_max_pool: `inputs` must be of a floating dtype",
        ),
        (
            lambda: ops.adaptive_max_pool(X[:, :0], 2),
            ValueError,
            r"adaptive_max_pool: `inputs` must have at least one cell in each dimension\. .*\(2, 0, 7, 3\)",
        ),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
