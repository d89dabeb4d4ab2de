"""Softmax over axes and dtypes, sparsemax, warnings and errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol


def reference(x, axes):
    e = np.exp(x - x.max(axes, keepdims=True))
    return e / e.sum(axes, keepdims=True)


@pytest.mark.parametrize("axis", [-1, 0, 1, (1, 2), (0, 2), (2, 0), (0, 1, 2)])
def test_softmax_over_any_axes(axis):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    want = reference(x, axis if isinstance(axis, tuple) else (axis,))
    np.testing.assert_allclose(ops.softmax(x, axis=axis), want, rtol=1e-12)
    np.testing.assert_allclose(ops.log_softmax(x, axis=axis), np.log(want), rtol=1e-12)
    symbol = ops.softmax(Symbol((None, 3, 4), "float32"), axis=axis)
    assert symbol.shape[0] is None and len(symbol.shape) == 3
    for keepdims in (False, True):
        want = np.log(np.exp(x).sum(axis, keepdims=keepdims))
        np.testing.assert_allclose(ops.logsumexp(x, axis=axis, keepdims=keepdims), want, rtol=1e-12)


def test_dtypes():
    for name in ("softmax", "log_softmax", "sparsemax"):
        fn = getattr(ops, name)
        assert fn(np.array([1, 2, 3])).dtype == "float32"
        assert fn(np.array([1, 2, 3], "float64")).dtype == "float64"
        half = fn(np.array([1, 2, 3], "float16"))
        assert half.dtype == "float16"
        np.testing.assert_allclose(half, fn(np.array([1.0, 2, 3])), rtol=2e-3)
        with pytest.raises(TypeError, match=f"{name}: x is a numeric tensor"):
            fn(np.array([True, False]))
    assert ops.logsumexp(np.array([True, False])).dtype == "float32"
    np.testing.assert_allclose(ops.logsumexp(np.zeros((2, 3), "float16"), axis=1), np.log(3), rtol=1e-3)


def test_a_softmax_over_one_element_warns():
    x = np.ones((3, 1), "float32")
    with pytest.warns(UserWarning, match=r"softmax: axis -1 of a tensor of shape \(3, 1\) has length 1"):
        assert (ops.softmax(x).numpy() == 1).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ops.softmax(x, axis=0)


def test_an_axis_out_of_range_is_an_error():
    for name in ("softmax", "log_softmax", "logsumexp", "sparsemax"):
        with pytest.raises(ValueError, match=rf"{name}: `axis` must lie in \[-2, 2\)"):
            getattr(ops, name)(np.ones((2, 3)), axis=2)
    with pytest.raises(ValueError, match="sparsemax: the axis has at least one element"):
        ops.sparsemax(np.ones((2, 0)))


def test_rows_of_minus_infinity():
    x = np.full((1, 3), -np.inf, "float32")
    assert np.isnan(ops.softmax(x)).all() and np.isnan(ops.log_softmax(x)).all()
    assert float(ops.logsumexp(x)) == -np.inf
    np.testing.assert_allclose(ops.softmax([[1e30, 0.0, -1e30]]), [[1, 0, 0]])


def test_sparsemax_has_exact_zeros_and_keras_threshold():
    got = ops.sparsemax([[2.0, 1.0, -5.0], [2.0, 1.9, -5.0]]).numpy()
    assert (got[:, 2] == 0).all()
    np.testing.assert_allclose(got[0], [1, 0, 0])
    # Sorted sums 2 and 3.9, both in the support: the threshold is (2 + 3.9 - 1) / 2 = 2.45, above all of the values.
    assert (got[1] == 0).all()
    with keras.GradientTape() as tape:
        x = ops.convert_to_tensor(np.array([0.5, 0.4, -3.0]))
        tape.watch(x)
        y = ops.sparsemax(x)
    # t = (0.5 + 0.9 - 1) / 2, so that dt = (2 dx_1 + dx_2) / 2.
    np.testing.assert_allclose(y, [0.3, 0.2, 0])
    np.testing.assert_allclose(tape.gradient(y, x, output_gradients=np.array([1.0, 10.0, 0.0])), [-10, 4.5, 0])
