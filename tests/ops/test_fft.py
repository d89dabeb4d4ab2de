"""Fourier transforms beyond their samples: round trips, windows, gradients through stft, errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .errors import refuses

X = np.random.default_rng(0).standard_normal((2, 64)).astype("float32")
PAIR = (X, X[::-1].copy())


def test_round_trips():
    image = (X.reshape(2, 8, 8), PAIR[1].reshape(2, 8, 8))
    for got, want in zip(ops.ifft2(ops.fft2(image)), image):
        np.testing.assert_allclose(got, want, atol=1e-5)
    np.testing.assert_allclose(ops.irfft(ops.rfft(X)), X, atol=1e-5)
    np.testing.assert_allclose(ops.irfft(ops.rfft(X[:, :63]), 63), X[:, :63], atol=1e-5)


@pytest.mark.parametrize("window", ["hann", "hamming", None, np.linspace(0.5, 1, 12)], ids=str)
@pytest.mark.parametrize("stride", [3, 6])
def test_istft_inverts_stft(window, stride):
    spectrum = ops.stft(X, 12, stride, 16, window)
    back = ops.istft(spectrum, 12, stride, 16, length=60, window=window)
    np.testing.assert_allclose(back, X[:, :60], atol=1e-4)


def test_dtypes_and_symbols():
    assert ops.rfft(X.astype("float64"))[0].dtype == "float64"
    assert ops.rfft(np.arange(8))[0].dtype == "float32"
    real, imag = ops.stft(Symbol((None, None)), 12, 4, 16)
    assert real.shape == imag.shape == (None, None, 9)
    assert ops.irfft((Symbol((None, 9)), Symbol((None, 9)))).shape == (None, 16)
    assert ops.extract_sequences(Symbol((None, 10), "int32"), 4, 3).shape == (None, 3, 4)


def test_gradient_through_stft_and_back():
    x = ops.convert_to_tensor(X.astype("float64"))
    with keras.GradientTape() as tape:
        tape.watch(x)
        real, imag = ops.stft(x, 12, 4, 16)
        power = ops.sum(real * real + imag * imag)
    got = tape.gradient(power, x).numpy()

    def loss(v):
        r, i = ops.stft(v, 12, 4, 16)
        return float(ops.sum(r * r + i * i))

    d = np.random.default_rng(1).standard_normal(X.shape)
    numeric = (loss(x + 1e-5 * d) - loss(x - 1e-5 * d)) / 2e-5
    np.testing.assert_allclose((got * d).sum(), numeric, rtol=1e-7)


REFUSED = [
    (lambda: ops.fft(X), "fft: x is a pair of tensors, the real and the imaginary part."),
    (lambda: ops.fft((X, X[:1])), "fft: both parts must have the same shape."),
    (lambda: ops.fft((X, X.astype("float64"))), "fft: both parts must be of the same floating dtype."),
    (lambda: ops.fft2((X[0], X[0])), "fft2: x needs 2 dimensions that are not empty."),
    (lambda: ops.ifft2((np.arange(4), np.arange(4))), "ifft2: both parts must be of the same floating dtype."),
    (lambda: ops.rfft(X, 0), "rfft: `fft_length` is positive."),
    (lambda: ops.rfft(X[:, :0]), "rfft: the transform needs at least one point."),
    (lambda: ops.rfft(1.0), "rfft: x is a floating tensor of rank 1 or more."),
    (lambda: ops.irfft((X, X[:1])), "irfft: both parts must have the same shape."),
    (lambda: ops.irfft((X, X.astype("float64"))), "irfft: both parts must be of the same floating dtype."),
    (lambda: ops.irfft((X[:, :1], X[:, :1])), "irfft: the transform needs at least one point."),
    (lambda: ops.extract_sequences(X, 65, 1), "extract_sequences: the last axis must hold at least one sequence."),
    (lambda: ops.extract_sequences(X, 5, 0), "extract_sequences: `sequence_stride` is positive."),
    (lambda: ops.stft(X, 16, 4, 8), "stft: `fft_length` is at least `sequence_length`."),
    (lambda: ops.stft(X, 16, 4, 16, "boxcar"), "stft: `window` is 'hann', 'hamming', a tensor or None."),
    (lambda: ops.stft(X, 16, 4, 16, np.ones(3)), "stft: `window` has shape (16,)."),
    (
        lambda: ops.istft((X[0], X[0]), 16, 4, 16),
        "istft: x needs two dimensions or more, with a known number of pieces.",
    ),
]


@pytest.mark.parametrize("call,message", REFUSED, ids=[m for _, m in REFUSED])
def test_refusals(call, message):
    refuses(call, message)


def test_stft_refuses_integers():
    refuses(lambda: ops.stft(np.arange(32), 8, 4, 8), "stft: x is of dtype float32 or float64.", TypeError)
