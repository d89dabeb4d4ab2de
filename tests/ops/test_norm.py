"""Normalisation functions: axes, absent vectors, dtypes, errors, gradients through the statistics."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

EPS = 1e-3


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def along(v, axis, rank=4):
    return v.reshape([-1 if k == axis % rank else 1 for k in range(rank)])


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_batch_normalization(axis):
    x = values(3, 4, 2, 5)
    c = x.shape[axis]
    mean, var, offset, scale = values(c), np.abs(values(c, seed=1)), values(c, seed=2), values(c, seed=3)
    base = (x - along(mean, axis)) / np.sqrt(along(var, axis) + EPS)
    np.testing.assert_allclose(ops.batch_normalization(x, mean, var, axis, epsilon=EPS), base, rtol=1e-10)
    want = base * along(scale, axis) + along(offset, axis)
    np.testing.assert_allclose(ops.batch_normalization(x, mean, var, axis, offset, scale, EPS), want, rtol=1e-10)
    np.testing.assert_allclose(
        ops.batch_normalization(x, mean, var, axis, offset=offset, epsilon=EPS), base + along(offset, axis), rtol=1e-10
    )


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_norm_training(axis):
    x = values(3, 4, 2, 5)
    rest = tuple(k for k in range(4) if k != axis % 4)
    y, mean, var = ops.batch_norm_training(x, axis=axis, epsilon=EPS)
    np.testing.assert_allclose(mean, x.mean(rest), atol=1e-14)
    np.testing.assert_allclose(var, x.var(rest), rtol=1e-12)
    np.testing.assert_allclose(y, (x - along(x.mean(rest), axis)) / np.sqrt(along(x.var(rest), axis) + EPS), rtol=1e-9)
    gamma = values(x.shape[axis])
    scaled = ops.batch_norm_training(x, gamma, gamma, axis=axis, epsilon=EPS)[0]
    np.testing.assert_allclose(scaled, y.numpy() * along(gamma, axis) + along(gamma, axis), rtol=1e-9)
    symbols = ops.batch_norm_training(Symbol((None, 4, 2, 5), "float32"), axis=axis)
    assert [s.shape for s in symbols] == [(None, 4, 2, 5), (x.shape[axis],), (x.shape[axis],)]


def test_gradients_flow_through_the_statistics_too():
    x = ops.convert_to_tensor(values(6, 3))
    with keras.GradientTape() as tape:
        tape.watch(x)
        _, mean, var = ops.batch_norm_training(x)
        total = ops.sum(mean * 2.0) + ops.sum(var)
    d = x.numpy() - x.numpy().mean(0)
    np.testing.assert_allclose(tape.gradient(total, x), 2 / 6 + 2 * d / 6, rtol=1e-10)


def test_batch_normalization_takes_the_common_dtype():
    x, v = np.ones((2, 3), "float16"), np.ones(3, "float32")
    assert ops.batch_normalization(x, v, v, -1).dtype == "float32"
    assert ops.batch_normalization(x, v.astype("float16"), v.astype("float16"), -1).dtype == "float16"
    assert ops.batch_normalization(np.ones((2, 3), "int32"), v, v, -1).dtype == "float32"


def test_vectors_that_do_not_fit_the_channels():
    x, good = np.ones((2, 3)), np.ones(3)
    for name, bad in (
        ("mean", np.ones(2)),
        ("variance", np.ones((3, 1))),
        ("scale", np.ones(4)),
        ("offset", np.ones(1)),
    ):
        args = {"mean": good, "variance": good, "axis": 1, name: bad}
        with pytest.raises(ValueError, match=f"batch_normalization: `{name}` is a vector with one element for each"):
            ops.batch_normalization(x, **args)
    with pytest.raises(ValueError, match="batch_normalization: `scale` is a vector"):
        ops.batch_norm_training(x, np.ones(2))
    with pytest.raises(ValueError, match="batch_normalization: the number of channels must be known"):
        ops.batch_norm_training(Symbol((2, None), "float32"))
    with pytest.raises(ValueError, match="batch_normalization: `axis` must lie in"):
        ops.batch_normalization(x, good, good, 2)


@pytest.mark.parametrize("axis", [-1, (1, 2), 0, (0, 2), [-1, -2]])
@pytest.mark.parametrize("name", ["layer", "rms"])
def test_layer_and_rms_normalization(name, axis):
    x = values(3, 4, 5)
    axes = tuple(sorted(a % 3 for a in np.atleast_1d(axis)))
    d = x - x.mean(axes, keepdims=True) if name == "layer" else x
    base = d / np.sqrt((d * d).mean(axes, keepdims=True) + EPS)
    fn = ops.layer_normalization if name == "layer" else ops.rms_normalization
    np.testing.assert_allclose(fn(x, axis=axis, epsilon=EPS), base, rtol=1e-10)
    line = [x.shape[k] if k in axes else 1 for k in range(3)]
    gamma = values(*line)
    np.testing.assert_allclose(fn(x, gamma, axis=axis, epsilon=EPS), base * gamma, rtol=1e-10)
    if name == "layer":
        flat = gamma.reshape([x.shape[k] for k in axes])
        np.testing.assert_allclose(fn(x, flat, flat, axis=axis, epsilon=EPS), base * gamma + gamma, rtol=1e-10)
    symbol = fn(Symbol((None, 4, 5), "float32"), axis=axis)
    assert symbol.shape == (None, 4, 5)


def test_layer_normalization_errors():
    with pytest.raises(TypeError, match=r"layer_normalization: unexpected arguments.*gama"):
        ops.layer_normalization(np.ones((2, 3)), gama=1)
    with pytest.raises(ValueError, match="layer_normalization: `gamma` has the shape of the normalised axes"):
        ops.layer_normalization(np.ones((2, 3, 4)), np.ones(5), axis=1)
    with pytest.warns(UserWarning, match="layer_normalization: rms_scaling"):
        y = ops.layer_normalization(np.array([[1.0, 3.0]]), epsilon=0.0, rms_scaling=True)
    np.testing.assert_allclose(y, [[1, 3]])


def test_half_precision_is_computed_in_single():
    x = (values(4, 50) * 300).astype("float16")
    for fn in (ops.layer_normalization, ops.rms_normalization):
        y = fn(x)
        assert y.dtype == "float16" and np.isfinite(y).all()
    mean, var = ops.moments(np.array([0.0, 6e4], "float16"), axes=[0])
    assert (mean.dtype, float(mean), float(var)) == ("float16", 3e4, float(np.finfo("float16").max))


def test_moments():
    x = values(2, 3, 4, 5)
    for axes in ([0], (0, 2), -1, None, [1, 3], (0, 1, 2, 3)):
        for keepdims in (False, True):
            mean, var = ops.moments(x, axes, keepdims=keepdims)
            kept = tuple(axes) if isinstance(axes, list) else axes
            np.testing.assert_allclose(mean, x.mean(kept, keepdims=keepdims), atol=1e-14)
            np.testing.assert_allclose(var, x.var(kept, keepdims=keepdims), rtol=1e-12)
    assert ops.moments([1, 2, 3], [0])[0].dtype == "float32"
    assert ops.moments(Symbol((None, 3), "float32"), [0], keepdims=True)[1].shape == (1, 3)
    with pytest.raises(ValueError, match="moments: `axes` must lie in"):
        ops.moments(x, [4])


@pytest.mark.parametrize("axis", [-1, 0, (0, 1)])
def test_normalize(axis):
    x = values(3, 4)
    axes = axis if isinstance(axis, tuple) else (axis,)
    np.testing.assert_allclose(ops.normalize(x, axis), x / np.sqrt((x * x).sum(axes, keepdims=True)), rtol=1e-12)
    if len(axes) == 1:
        for order in (1, 3):
            norm = (np.abs(x) ** order).sum(axes, keepdims=True) ** (1 / order)
            np.testing.assert_allclose(ops.normalize(x, axis, order), x / norm, rtol=1e-12)
    else:
        np.testing.assert_allclose(ops.normalize(x, axis, 1), x / np.linalg.norm(x, 1), rtol=1e-12)


def test_normalize_of_zeros_and_scalars_and_its_errors():
    x = ops.convert_to_tensor(np.zeros((2, 3)))
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = ops.normalize(x)
    assert (y.numpy() == 0).all() and np.isfinite(tape.gradient(y, x)).all()
    np.testing.assert_allclose(ops.normalize([1e-9, 0.0], epsilon=1e-6), [1e-3, 0], rtol=1e-5)
    assert ops.normalize(3.0).numpy().tolist() == [1.0]
    assert ops.rms_normalization(3.0, epsilon=0.0).numpy().tolist() == [1.0]
    for order in (0, 1.5, True):
        with pytest.raises(ValueError, match="normalize: order is an integer of at least 1"):
            ops.normalize([1.0], order=order)
    with pytest.raises(ValueError, match="normalize: a norm over several axes has order 2, or 1 over two axes"):
        ops.normalize(np.ones((2, 2)), axis=(0, 1), order=3)
