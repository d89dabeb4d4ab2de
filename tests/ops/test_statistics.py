"""Quantiles, the NaN family, bins, histograms, correlation, distances."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

NAN = float("nan")


def data():
    x = np.random.default_rng(0).standard_normal((4, 5, 3))
    x[np.random.default_rng(1).random(x.shape) < 0.3] = NAN
    x[2, :, 1] = NAN
    return x


@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min", "median"])
def test_nan_reductions(name, axis):
    x = data()
    for keepdims in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = getattr(np, f"nan{name}")(x, axis=axis, keepdims=keepdims)
        np.testing.assert_allclose(getattr(ops, f"nan{name}")(x, axis=axis, keepdims=keepdims), want, rtol=1e-12)


def test_nan_positions_and_scans():
    x = data()
    for name in ("nanargmax", "nanargmin"):
        got = getattr(ops, name)(x, axis=1).numpy()
        assert got[2, 1] == -1
        kept = np.where(np.isnan(x), np.inf if name.endswith("min") else -np.inf, x)
        want = getattr(kept, name[3:])(axis=1)
        np.testing.assert_array_equal(np.delete(got, 2, 0), np.delete(want, 2, 0))
        assert int(getattr(ops, name)([1, 5, 2])) == getattr(np, name[3:])([1, 5, 2])
        assert int(getattr(ops, name)([NAN, NAN])) == -1
    np.testing.assert_allclose(ops.nancumsum(x, axis=1), np.nancumsum(x, axis=1))
    np.testing.assert_allclose(ops.nancumprod(x), np.nancumprod(x))


def test_nan_gradients_pass_over_nan():
    x = keras.ops.convert_to_tensor(np.array([1.0, NAN, 4.0]))
    for fn, want in (
        (ops.nansum, [1, 0, 1]),
        (ops.nanmean, [0.5, 0, 0.5]),
        (ops.nanmax, [0, 0, 1]),
        (ops.nanvar, [-1.5, 0, 1.5]),
    ):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = fn(x)
        np.testing.assert_allclose(tape.gradient(y, x), want)


def test_quantiles():
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    for q in (0.25, [0.1, 0.5, 1.0]):
        for axis in (None, 1, (0, 2)):
            for keepdims in (False, True):
                got = ops.quantile(x, q, axis=axis, keepdims=keepdims)
                np.testing.assert_allclose(got, np.quantile(x, q, axis=axis, keepdims=keepdims), rtol=1e-12)
                got = ops.percentile(x, np.multiply(q, 100), axis=axis, keepdims=keepdims)
                np.testing.assert_allclose(got, np.quantile(x, q, axis=axis, keepdims=keepdims), rtol=1e-12)
    assert float(ops.quantile([1.0, 2.0], ops.convert_to_tensor(0.5))) == 1.5
    assert float(ops.median([1, 2])) == 1.5 and ops.median(np.array([1, 2])).dtype == "float32"
    assert np.isnan(float(ops.median([1.0, NAN]))) and float(ops.nanmedian([1.0, NAN])) == 1
    assert np.isnan(float(ops.nanquantile([NAN, NAN], 0.5)))
    assert float(ops.nanpercentile([1.0, NAN, 3.0], 50)) == 2
    infinite = [-np.inf, 1.0, np.inf]
    assert [float(ops.quantile(infinite, q)) for q in (0.0, 0.5, 1.0)] == infinite
    assert ops.quantile(Symbol((None, 3), "float32"), [0.1, 0.2], axis=1).shape == (2, None)
    assert ops.quantile(Symbol((None, 3), "float32"), 0.1, axis=0, keepdims=True).shape == (1, 3)


def test_quantile_errors():
    with pytest.raises(ValueError, match=r"quantile: q lies in \[0, 1\]. Received: q=1.5"):
        ops.quantile([1.0], 1.5)
    with pytest.raises(ValueError, match=r"nanpercentile: q lies in \[0, 100\]"):
        ops.nanpercentile([1.0], [-1.0])
    with pytest.raises(ValueError, match="quantile: method is one of linear, lower, higher, midpoint, nearest"):
        ops.quantile([1.0], 0.5, method="cubic")
    with pytest.raises(ValueError, match="quantile: q is a scalar or a vector"):
        ops.quantile([1.0], [[0.5]])


def test_bincount():
    assert ops.bincount(np.array([1, 2, 2], "uint8"), minlength=5).numpy().tolist() == [0, 1, 2, 0, 0]
    weighted = ops.bincount([[1, 0], [2, 2]], weights=[[0.5, 1.0], [1.0, 2.0]])
    assert weighted.numpy().tolist() == [[1, 0.5, 0], [0, 0, 3]]
    assert ops.bincount(Symbol((None, 4), "int32")).shape == (None, None)
    with pytest.raises(ValueError, match=r"bincount: x holds no negative integers\. Received: least=-2"):
        ops.bincount([1, -2])
    with pytest.raises(TypeError, match="bincount: x holds integers"):
        ops.bincount([1.0])
    with pytest.raises(ValueError, match="bincount: weights have the shape of x"):
        ops.bincount([1, 2], weights=[1.0])
    with pytest.raises(ValueError, match="bincount: x has one or two axes"):
        ops.bincount(np.ones((1, 1, 1), "int32"))
    with pytest.raises(ValueError, match="bincount: sparse tensors are not supported"):
        ops.bincount([1], sparse=True)


def test_digitize_and_histogram():
    assert ops.digitize([-1.0, 0.5, 9.0, NAN], [0, 1, 2]).numpy().tolist() == [0, 1, 3, 3]
    with pytest.raises(ValueError, match="digitize: bins is a vector"):
        ops.digitize([1.0], [[1.0]])
    counts, edges = ops.histogram(np.arange(10), bins=3)
    assert counts.dtype == edges.dtype == "float32" and counts.numpy().tolist() == [3, 3, 4]
    assert [s.shape for s in ops.histogram(Symbol((None,), "float32"), bins=4)] == [(4,), (5,)]
    assert [v.shape for v in ops.histogram([1.0], bins=0)] == [(0,), (1,)]
    for kwargs, kind, rule in (
        ({"bins": 2.0}, TypeError, "bins is an int"),
        ({"bins": -1}, ValueError, "bins is not negative"),
        ({"range": [0, 1]}, ValueError, r"range is a tuple \(low, high\)"),
        ({"range": (1, 0)}, ValueError, "the upper end of the range is not below the lower one"),
    ):
        with pytest.raises(kind, match=f"histogram: {rule}"):
            ops.histogram([1.0], **kwargs)
    with pytest.raises(ValueError, match="histogram: x is a vector"):
        ops.histogram(np.ones((2, 2)))


def test_correlations():
    x = np.random.default_rng(0).standard_normal((4, 9))
    np.testing.assert_allclose(ops.corrcoef(x), np.corrcoef(x), rtol=1e-12, atol=1e-15)
    assert float(ops.corrcoef([1.0, 2.0, 4.0])) == 1
    with pytest.raises(ValueError, match="corrcoef: x has one or two axes"):
        ops.corrcoef(np.ones((1, 1, 1)))
    assert ops.correlate([1, 2, 3], [1, 1], "full").dtype == "float32"
    assert ops.correlate(Symbol((5,), "float32"), Symbol((3,), "float32"), "same").shape == (5,)
    assert ops.correlate(Symbol((None,), "float32"), Symbol((3,), "float32")).shape == (None,)
    with pytest.raises(ValueError, match=r"correlate: mode is valid, same or full\. Received: mode='all'"):
        ops.correlate([1.0], [1.0], "all")
    with pytest.raises(ValueError, match="correlate: `x2` is a vector that is not empty"):
        ops.correlate([1.0], [[1.0]])


def test_distances():
    x, y = np.random.default_rng(0).standard_normal((2, 5, 3)), np.random.default_rng(1).standard_normal((4, 3))
    want = np.sqrt(((x[:, :, None] - y) ** 2).sum(-1))
    np.testing.assert_allclose(ops.cdist(x, y), want, rtol=1e-12)
    assert ops.cdist(np.ones((2, 3), "int32"), np.ones((4, 3), "int32")).dtype == "float32"
    t = ops.convert_to_tensor(np.ones((2, 3)))
    with keras.GradientTape() as tape:
        tape.watch(t)
        d = ops.cdist(t, np.ones((1, 3)))
    np.testing.assert_array_equal(tape.gradient(d, t), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="cdist: the rows of x and y have the same length"):
        ops.cdist(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(ValueError, match="cdist: x and y have at least two axes"):
        ops.cdist(np.ones(3), np.ones((2, 3)))
    np.testing.assert_allclose(ops.psnr(np.zeros((2, 2)), np.ones((2, 2)), 255), 20 * np.log10(255))
    with pytest.raises(ValueError, match="psnr: x1 and x2 have the same shape"):
        ops.psnr([1.0], [1.0, 2.0], 1.0)


def test_trapezoid():
    y = np.random.default_rng(0).random((3, 4, 5))
    at = np.sort(np.random.default_rng(1).random(4))
    np.testing.assert_allclose(ops.trapezoid(y, axis=1), np.trapezoid(y, axis=1))
    np.testing.assert_allclose(ops.trapezoid(y, at, axis=1), np.trapezoid(y, at, axis=1))
    np.testing.assert_allclose(ops.trapezoid(y, np.cumsum(y, -1), axis=-1), np.trapezoid(y, np.cumsum(y, -1), axis=-1))
    np.testing.assert_allclose(ops.trapezoid(y, dx=0.5), np.trapezoid(y, dx=0.5))
    assert ops.trapezoid([1, 2]).dtype == "float32"
    assert ops.trapezoid(Symbol((None, 4), "float32"), axis=0).shape == (4,)
