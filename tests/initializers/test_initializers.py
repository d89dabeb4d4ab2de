"""Values, distributions and errors of initializers."""

import numpy as np
import pytest

from kerasish import initializers, ops
from kerasish.initializers.random_initializers import compute_fans


def value_of(initializer, shape, dtype=None):
    return np.asarray(initializer(shape, dtype=dtype))


def test_constants():
    assert (value_of(initializers.Zeros(), (2, 3)) == 0).all()
    assert (value_of(initializers.Ones(), (2, 3), "int32") == 1).all()
    assert (value_of(initializers.Constant(1.5), (2,)) == 1.5).all()
    np.testing.assert_array_equal(value_of(initializers.Constant(np.arange(3.0)), (2, 3)), [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(value_of(initializers.Identity(2.0), (2, 3)), [[2, 0, 0], [0, 2, 0]])


def test_identity_needs_a_matrix():
    with pytest.raises(ValueError, match=r"Identity: only a matrix.* Received: shape=\(2, 3, 4\)"):
        initializers.Identity()((2, 3, 4))


@pytest.mark.parametrize(
    "shape, axes, fans",
    [
        ((), {}, (1, 1)),
        ((3,), {}, (3, 3)),
        ((3, 4), {}, (3, 4)),
        ((2, 5, 3, 4), {}, (30, 40)),
        ((2, 3, 4), {"input_axes": [0], "output_axes": [1, 2]}, (2, 12)),
    ],
)
def test_fans(shape, axes, fans):
    assert compute_fans(shape, **axes) == fans


@pytest.mark.parametrize(
    "make, mean, stddev, limits",
    [
        (lambda: initializers.RandomNormal(1.0, 2.0, seed=1), 1.0, 2.0, None),
        (lambda: initializers.RandomUniform(-1.0, 3.0, seed=1), 1.0, 4 / 12**0.5, (-1.0, 3.0)),
        (lambda: initializers.TruncatedNormal(1.0, 2.0, seed=1), 1.0, 2 * 0.8796, (-3.0, 5.0)),
        (lambda: initializers.GlorotUniform(seed=1), 0.0, (2 / 500) ** 0.5, (-((6 / 500) ** 0.5), (6 / 500) ** 0.5)),
        (lambda: initializers.GlorotNormal(seed=1), 0.0, (2 / 500) ** 0.5, None),
        (lambda: initializers.HeUniform(seed=1), 0.0, (2 / 200) ** 0.5, (-((6 / 200) ** 0.5), (6 / 200) ** 0.5)),
        (lambda: initializers.HeNormal(seed=1), 0.0, (2 / 200) ** 0.5, None),
        (lambda: initializers.LecunUniform(seed=1), 0.0, (1 / 200) ** 0.5, (-((3 / 200) ** 0.5), (3 / 200) ** 0.5)),
        (lambda: initializers.LecunNormal(seed=1), 0.0, (1 / 200) ** 0.5, None),
        (
            lambda: initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1),
            0.0,
            (3 / 300) ** 0.5,
            None,
        ),
    ],
)
def test_distributions(make, mean, stddev, limits):
    values = value_of(make(), (200, 300)).astype("float64")
    assert abs(values.mean() - mean) < 4 * stddev / values.size**0.5
    assert abs(values.std() / stddev - 1) < 0.01
    if limits:
        assert limits[0] <= values.min() and values.max() <= limits[1]
        assert values.max() > limits[1] - 0.01 * (limits[1] - limits[0])


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 3, 4)])
def test_orthogonal(shape):
    q = value_of(initializers.Orthogonal(gain=2.0, seed=1), shape, "float64").reshape(-1, shape[-1])
    rows, columns = q.shape
    product = q.T @ q if rows >= columns else q @ q.T
    np.testing.assert_allclose(product, 4 * np.eye(min(rows, columns)), atol=1e-12)
    with pytest.raises(ValueError, match=r"Orthogonal: the shape has at least two dimensions. Received: shape=\(3,\)"):
        initializers.Orthogonal()((3,))


def test_stft_is_the_fourier_basis():
    real = value_of(initializers.STFT("real", window=None), (8, 1, 5), "float64")[:, 0]
    imag = value_of(initializers.STFT("imag", window=None), (8, 1, 5), "float64")[:, 0]
    x = np.arange(8.0) ** 2
    np.testing.assert_allclose(x @ real + 1j * (x @ imag), np.fft.rfft(x), atol=1e-9)
    windowed = value_of(initializers.STFT("real", window=np.arange(8.0), scaling="spectrum"), (8, 1, 5), "float64")
    np.testing.assert_allclose(windowed[:, 0], real * np.arange(8.0)[:, None] / 28, atol=1e-12)
    with pytest.raises(ValueError, match=r"STFT: the window must have shape \(8,\). Received: window.shape=\(3,\)"):
        initializers.STFT(window=np.ones(3))((8, 1, 5))


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: initializers.VarianceScaling(0.0),
            r"VarianceScaling: scale is a positive number. Received: scale=0.0",
        ),
        (lambda: initializers.VarianceScaling(mode="fan"), r"mode is 'fan_in', .* Received: mode='fan'"),
        (lambda: initializers.VarianceScaling(distribution="beta"), r"distribution is .*distribution='beta'"),
        (lambda: initializers.STFT(side="both"), r"STFT: side is 'real' or 'imag'. Received: side='both'"),
        (lambda: initializers.STFT(window="hat"), r"a window by name is one of hann, .*window='hat'"),
        (lambda: initializers.STFT(scaling="x"), r"scaling is 'density', 'spectrum' or None"),
        (
            lambda: initializers.get("glorot_unform"),
            r"unknown initializer: 'glorot_unform'. Did you mean 'glorot_uniform'",
        ),
        (lambda: initializers.get(3), r"an initializer is given as a name.*Received: 3 of type int"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_get_takes_functions_classes_and_values():
    assert initializers.get(None) is None
    assert type(initializers.get(initializers.Ones)) is initializers.Ones

    def mine(shape, dtype=None):
        return ops.ones(shape, dtype)

    assert initializers.get(mine) is mine
    fixed = initializers.get(np.arange(3.0))
    assert value_of(fixed, (3,)).dtype == "float32"
    with pytest.raises(ValueError, match=r"serves for its own shape alone, not \(4,\). Received: value.shape=\(3,\)"):
        fixed((4,))


def test_base_class_says_what_is_missing():
    class Half(initializers.Initializer):
        pass

    with pytest.raises(NotImplementedError, match=r"Half does not implement __call__"):
        Half()((2,))
