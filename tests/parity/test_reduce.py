"""Reductions, scans and statistics give Keras's values and dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish import ops

pytestmark = pytest.mark.parity

REDUCTIONS = (
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "amax",
    "amin",
    "any",
    "all",
    "var",
    "std",
    "median",
    "logsumexp",
    "ptp",
)
NAN_REDUCTIONS = ("nansum", "nanmean", "nanprod", "nanmax", "nanmin", "nanvar", "nanstd", "nanmedian")
INPUTS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "float16", "float32")


def oracle(name):
    import keras

    return getattr(keras.ops, name)


def agree(got, want, rtol=1e-5):
    got, want = (v if isinstance(v, (tuple, list)) else (v,) for v in (got, want))
    assert len(got) == len(want)
    for g, w in zip(got, want):
        w = np.asarray(w)
        assert g.dtype == str(w.dtype), (g.dtype, w.dtype)
        assert g.shape == w.shape
        if w.dtype.kind == "f":
            np.testing.assert_allclose(g, w, rtol=2e-3 if g.dtype == "float16" else rtol, atol=1e-6)
        else:
            np.testing.assert_array_equal(g, w)


def values(dtype, *shape):
    x = np.random.default_rng([len(shape), *shape]).random(shape) * 4
    return x > 2 if dtype == "bool" else x.astype(dtype)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    x = values("float32", 3, 4, 5)
    for axis, keepdims in ((None, False), (None, True), (0, False), (-1, True), ((0, 2), False), ([1, 2], True)):
        agree(getattr(ops, name)(x, axis=axis, keepdims=keepdims), oracle(name)(x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", INPUTS)
def test_dtypes_of_reductions(name, dtype):
    if name == "ptp" and dtype == "bool":
        return  # an error in both
    agree(getattr(ops, name)(values(dtype, 3, 4), axis=1), oracle(name)(values(dtype, 3, 4), axis=1))


@pytest.mark.parametrize("name", NAN_REDUCTIONS)
@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_nan_reductions(name, dtype):
    x = values(dtype, 3, 4, 5)
    if dtype == "float32":
        x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
        x[:, 1] = np.nan
    for axis, keepdims in ((None, False), (0, True), ((0, 2), False)):
        agree(getattr(ops, name)(x, axis=axis, keepdims=keepdims), oracle(name)(x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("name", ["argmax", "argmin", "nanargmax", "nanargmin"])
def test_positions(name):
    x = np.random.default_rng(0).integers(-3, 3, (3, 4, 5)).astype("float32")
    if name.startswith("nan"):
        x[0] = np.nan
        x[1:, 2] = np.nan
    for axis in (None, 0, 1, -1):
        for keepdims in (False, True):
            agree(getattr(ops, name)(x, axis=axis, keepdims=keepdims), oracle(name)(x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "nancumsum", "nancumprod"])
@pytest.mark.parametrize("dtype", INPUTS)
def test_scans(name, dtype):
    x = values(dtype, 3, 4)
    agree(getattr(ops, name)(x, axis=-1), oracle(name)(x, axis=-1))
    if dtype != "float32":
        return
    for axis in (None, 0):
        agree(getattr(ops, name)(x, axis=axis), oracle(name)(x, axis=axis))
    agree(getattr(ops, name)(x, axis=0, dtype="float32"), oracle(name)(x, axis=0, dtype="float32"))


def test_count_nonzero_and_average():
    x = values("float32", 3, 4)
    for axis in (None, 0, (0, 1)):
        agree(ops.count_nonzero(x - x[0], axis=axis), oracle("count_nonzero")(x - x[0], axis=axis))
    agree(ops.average(x, axis=1, weights=x[0]), oracle("average")(x, axis=1, weights=x[0]))
    agree(ops.average(x, weights=x), oracle("average")(x, weights=x))
    agree(ops.average(values("int32", 3, 4), axis=0), oracle("average")(values("int32", 3, 4), axis=0))


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("name", ["quantile", "nanquantile", "percentile", "nanpercentile"])
def test_quantiles(name, method):
    x = values("float32", 3, 4, 6)
    if name.startswith("nan"):
        x[0, :, ::2] = np.nan
    scale = 100 if name.endswith("percentile") else 1
    # Off the elements and their middles: there Keras, in float32, may take another element for lower or nearest.
    for q in (0.32 * scale, np.array([0.0, 0.47, 0.99], "float32") * scale):
        for axis, keepdims in ((None, True), (2, False), ((0, 2), False)):
            args = {"axis": axis, "method": method, "keepdims": keepdims}
            agree(getattr(ops, name)(x, q, **args), oracle(name)(x, q, **args))


def test_bins_and_histograms():
    x = np.random.default_rng(0).integers(0, 6, 30).astype("int32")
    agree(ops.bincount(x, minlength=9), oracle("bincount")(x, minlength=9))
    agree(ops.bincount(x, weights=(x / 2).astype("float32")), oracle("bincount")(x, weights=(x / 2).astype("float32")))
    y, bins = values("float32", 4, 5), np.array([0.5, 1.0, 3.0], "float32")
    agree(ops.digitize(y, bins), oracle("digitize")(y, bins))
    agree(ops.histogram(y.ravel(), bins=5), oracle("histogram")(y.ravel(), bins=5))
    agree(ops.histogram(x, bins=4, range=(1.0, 3.0)), oracle("histogram")(x, bins=4, range=(1.0, 3.0)))


def test_correlations_distances_and_areas():
    x, y = values("float32", 4, 7), values("float32", 5, 7)
    agree(ops.corrcoef(x), oracle("corrcoef")(x))
    for mode in ("valid", "same", "full"):
        for a, b in ((x[0], y[0, :3]), (x[0, :3], y[0]), (x[0, :4], y[0]), (x[0], y[0])):
            agree(ops.correlate(a, b, mode), oracle("correlate")(a, b, mode))
    agree(ops.cdist(x, y), oracle("cdist")(x, y))
    agree(ops.psnr(x, x + 1, 255), oracle("psnr")(x, x + 1, 255))
    agree(ops.trapezoid(x, axis=0), oracle("trapezoid")(x, axis=0))
    agree(ops.trapezoid(x, np.cumsum(x[0]), axis=1), oracle("trapezoid")(x, np.cumsum(x[0]), axis=1))
