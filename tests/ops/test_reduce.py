"""Public reductions: axes, dtypes, errors, gradients at ties and zeros, symbols with unknown dimensions."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

NAMES = ("sum", "mean", "prod", "max", "min", "amax", "amin", "all", "any", "var", "std", "ptp", "logsumexp", "median")
INPUTS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float16", "float32", "float64")


def gradient(fn, *values):
    ts = [keras.ops.convert_to_tensor(np.asarray(v, "float64")) for v in values]
    with keras.GradientTape() as tape:
        tape.watch(ts)
        y = fn(*ts)
    return [g.numpy() for g in tape.gradient(y, ts)]


@pytest.mark.parametrize("name", NAMES)
def test_axis_may_be_none_negative_a_list_or_a_tuple(name):
    x = np.random.default_rng(0).random((2, 3, 4)).astype("float32")
    fn = getattr(ops, name)
    whole = fn(x)
    assert whole.shape == () and fn(x, axis=[0, 1, 2]).numpy() == whole.numpy()
    np.testing.assert_array_equal(fn(x, axis=-1), fn(x, axis=2))
    np.testing.assert_array_equal(fn(x, axis=(-1, 0)), fn(x, axis=[0, 2]))
    assert fn(x, axis=1, keepdims=True).shape == (2, 1, 4)
    assert fn(x, axis=(0, 2), keepdims=True).shape == (1, 3, 1)


@pytest.mark.parametrize("name", NAMES)
def test_an_axis_out_of_range_or_given_twice_is_an_error(name):
    x = np.ones((2, 3), "float32")
    where = {"amax": "max", "amin": "min", "ptp": "max"}.get(name, name)  # the op that does the work is named
    with pytest.raises(ValueError, match=rf"^{where}: `axis` must lie in \[-2, 2\) for a tensor of rank 2.*axis=2"):
        getattr(ops, name)(x, axis=2)
    with pytest.raises(ValueError, match="`axis` names an axis twice"):
        getattr(ops, name)(x, axis=(0, -2))


@pytest.mark.parametrize("dtype", INPUTS)
def test_dtypes_of_results(dtype):
    x = np.ones((2, 3)).astype(dtype)
    narrow = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    floating = dtype if dtype.startswith("float") else "float32"
    expected = {
        "sum": narrow.get(dtype, dtype),
        "prod": narrow.get(dtype, dtype),
        "nansum": narrow.get(dtype, dtype),
        "cumsum": "int32" if dtype == "bool" else dtype,
        "cumprod": "int32" if dtype == "bool" else dtype,
        **{k: dtype for k in ("max", "min", "amax", "amin", "nanmax", "nanmin")},
        **{k: "bool" for k in ("any", "all")},
        **{k: "int32" for k in ("argmax", "argmin", "count_nonzero", "nanargmax", "nanargmin")},
        **{
            k: floating for k in ("mean", "var", "std", "median", "average", "nanmean", "nanvar", "nanstd", "logsumexp")
        },
    }
    for name, want in expected.items():
        fn = getattr(ops, name)
        assert fn(x).dtype == want, name
        assert fn(Symbol((2, 3), dtype)).dtype == want, name
        symbol = fn(Symbol((None, 3), dtype), axis=1)
        assert symbol.shape == (None, 3) if name.startswith("cum") else symbol.shape == (None,), name
    assert ops.prod(x, dtype="float64").dtype == "float64"
    assert ops.cumsum(x, dtype="int64").dtype == "int64"


def test_half_precision_is_summed_in_single():
    x = np.full(5000, 20.0, "float16")
    assert float(ops.mean(x)) == 20
    assert abs(float(ops.var(np.arange(600, dtype="float16"))) / 29999.9 - 1) < 1e-3
    assert float(ops.sum(np.ones(4000, "float16"))) == 4000


def test_no_elements():
    empty = np.ones((0, 3), "float32")
    np.testing.assert_array_equal(ops.sum(empty, axis=0), np.zeros(3))
    np.testing.assert_array_equal(ops.prod(empty, axis=0), np.ones(3))
    assert np.isnan(ops.mean(empty, axis=0)).all()
    assert not ops.any(empty) and ops.all(empty)
    assert ops.max(empty, axis=1).shape == (0,)
    np.testing.assert_array_equal(ops.max(empty, axis=0, initial=2.0), np.full(3, 2.0))
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(
            ValueError, match=rf"{name}: there is no extreme of no elements. Received: x.shape=\(0, 3\)"
        ):
            getattr(ops, name)(empty, axis=0)
    with pytest.raises(ValueError, match="quantile: there is no quantile of no elements"):
        ops.median(empty, axis=0)


def test_initial_bounds_the_extreme():
    assert int(ops.max([1, 2], initial=5)) == 5 and int(ops.max([1, 9], initial=5)) == 9
    assert float(ops.min([1.0, 2.0], initial=0.5)) == 0.5
    assert ops.max(np.array([1, 2], "int32"), initial=5).dtype == "int32"


def test_argmax_takes_the_first_and_nan_as_extreme():
    assert int(ops.argmax([1.0, 3.0, 3.0])) == 1
    assert int(ops.argmax([1.0, float("nan"), 3.0])) == 1 == int(ops.argmin([1.0, float("nan"), 0.0]))
    assert int(ops.argmax(3.0)) == 0
    assert ops.argmax(np.ones((2, 3)), axis=1, keepdims=True).shape == (2, 1)
    assert ops.argmax(np.ones((2, 3)), keepdims=True).shape == (1, 1)


def test_gradient_of_an_extreme_is_shared_among_ties():
    (g,) = gradient(lambda x: ops.max(x, axis=1), [[1, 3, 3], [2, 2, 2]])
    np.testing.assert_allclose(g, [[0, 0.5, 0.5], [1 / 3] * 3])


def test_gradient_of_a_product_with_zeros():
    (g,) = gradient(lambda x: ops.prod(x, axis=1), [[0, 2, 3], [0, 0, 3], [1, 2, 3]])
    np.testing.assert_allclose(g, [[6, 0, 0], [0, 0, 0], [6, 3, 2]])
    (g,) = gradient(lambda x: ops.sum(ops.cumprod(x)), [2, 0, 3, 4])
    np.testing.assert_allclose(g, [1, 2 * (1 + 3 + 12), 0, 0])


def test_average():
    x = np.arange(6.0, dtype="float32").reshape(2, 3)
    np.testing.assert_allclose(ops.average(x, axis=1, weights=[1.0, 0.0, 3.0]), np.average(x, 1, [1, 0, 3]))
    np.testing.assert_allclose(ops.average(x, axis=0, weights=x), np.average(x, 0, x), equal_nan=True)
    np.testing.assert_allclose(ops.average(x, weights=x), np.average(x, weights=x))
    np.testing.assert_allclose(ops.average(x, axis=(0, 1)), x.mean())
    assert ops.average(Symbol((None, 3), "float32"), axis=1, weights=np.ones(3)).shape == (None,)
    for bad in (np.ones(2), np.ones((3, 2))):
        with pytest.raises(ValueError, match="average: weights have the shape of x, or are a vector along one axis"):
            ops.average(x, axis=1, weights=bad)


def test_variance_of_any_set_of_axes():
    x = np.random.default_rng(1).standard_normal((2, 3, 4, 5, 2))
    for axes in [(0, 2), (0, 2, 4), (1, 3), (0, 1), (4,), (0,), (0, 3)]:
        for keepdims in (False, True):
            got = ops.var(x, axis=axes, keepdims=keepdims)
            np.testing.assert_allclose(got, x.var(axis=axes, keepdims=keepdims), rtol=1e-12)
    (g,) = gradient(lambda x: ops.var(x, axis=(0, 2, 4)), x)
    np.testing.assert_allclose(g, 2 * (x - x.mean((0, 2, 4), keepdims=True)) / 16, rtol=1e-9, atol=1e-12)


def test_bool_has_no_peak_to_peak():
    with pytest.raises(TypeError, match="ptp: bool has no difference"):
        ops.ptp([True, False])


def test_more_dimensions_than_the_kernels_take():
    x = np.random.default_rng(0).standard_normal((1, 2) * 5).astype("float32")
    np.testing.assert_allclose(ops.sum(x, axis=(1, 4)), x.sum((1, 4)), rtol=1e-5)
    np.testing.assert_allclose(ops.var(x, axis=(1, 4)), x.var((1, 4)), rtol=1e-5)
    np.testing.assert_array_equal(ops.argmax(x, axis=3), x.argmax(3))


def test_scan_axes():
    x = np.arange(1.0, 7, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(ops.cumsum(x), np.cumsum(x))
    np.testing.assert_array_equal(ops.cumprod(x, axis=-2), np.cumprod(x, 0))
    assert ops.cumsum(Symbol((None, 3), "float32"), axis=0).shape == (None, 3)
    with pytest.raises(ValueError, match="cumsum: `axis` must lie in"):
        ops.cumsum(x, axis=2)
