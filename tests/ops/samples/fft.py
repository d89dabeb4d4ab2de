"""Samples for kerasish/ops/fft.py."""

import numpy as np

from ..sample import Sample, rand


def pair(y):
    return y.real, y.imag


def fft(real, imag, rank, inverse, norm):
    fn = np.fft.ifftn if inverse else np.fft.fftn
    return pair(fn(real + 1j * imag, axes=tuple(range(-rank, 0)), norm=norm))


def irfft(real, imag, fft_length):
    return np.fft.irfft(real + 1j * imag, fft_length)


def adjoint_of_rfft(g_real, g_imag, length, fft_length):
    eye = np.fft.rfft(np.eye(length), fft_length)
    return g_real @ eye.real.T + g_imag @ eye.imag.T


def adjoint_of_irfft(g, bins):
    n = g.shape[-1]
    return g @ np.fft.irfft(np.eye(bins), n).T, g @ np.fft.irfft(1j * np.eye(bins), n).T


def frames(x, length, stride):
    return np.stack([x[..., k : k + length] for k in range(0, x.shape[-1] - length + 1, stride)], -2)


def overlap_add(f, stride, length=None):
    n = f.shape[-1] + stride * (f.shape[-2] - 1) if length is None else length
    out = np.zeros((*f.shape[:-2], n))
    for k in range(f.shape[-2]):
        out[..., k * stride : k * stride + f.shape[-1]] += f[..., k, :]
    return out


SAMPLES = [
    Sample("fft", (rand(2, 5), rand(2, 5, seed=1)), {"rank": 1, "inverse": False, "norm": "backward"}, fft),
    Sample("fft", (rand(3, 4), rand(3, 4, seed=1)), {"rank": 2, "inverse": False, "norm": "backward"}, fft),
    Sample("fft", (rand(2, 3, 4), rand(2, 3, 4, seed=1)), {"rank": 2, "inverse": True, "norm": "backward"}, fft),
    Sample("rfft", (rand(2, 6),), {"fft_length": None}, lambda x, fft_length: pair(np.fft.rfft(x))),
    Sample("rfft", (rand(2, 5),), {"fft_length": 8}, lambda x, fft_length: pair(np.fft.rfft(x, 8))),
    Sample("rfft", (rand(2, 5),), {"fft_length": 3}, lambda x, fft_length: pair(np.fft.rfft(x, 3))),
    Sample("rfft_grad", (rand(2, 5), rand(2, 5, seed=1)), {"length": 6, "fft_length": 8}, adjoint_of_rfft),
    Sample("rfft_grad", (rand(2, 2), rand(2, 2, seed=1)), {"length": 6, "fft_length": 3}, adjoint_of_rfft),
    Sample("irfft", (rand(2, 4), rand(2, 4, seed=1)), {"fft_length": None}, irfft),
    Sample("irfft", (rand(2, 4), rand(2, 4, seed=1)), {"fft_length": 5}, irfft),
    Sample("irfft", (rand(2, 4), rand(2, 4, seed=1)), {"fft_length": 9}, irfft),
    Sample("irfft_grad", (rand(2, 6),), {"bins": 4}, adjoint_of_irfft),
    Sample("irfft_grad", (rand(2, 5),), {"bins": 6}, adjoint_of_irfft),
    Sample("extract_sequences", (rand(2, 9),), {"length": 4, "stride": 2}, frames),
    Sample("overlap_add", (rand(2, 3, 4),), {"stride": 2}, overlap_add),
    Sample("overlap_add", (rand(2, 3, 4),), {"stride": 3, "length": 12}, overlap_add),
]  # fmt: skip
