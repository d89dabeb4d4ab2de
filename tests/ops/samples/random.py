"""Samples of the random ops; the references draw the same words from Philox in NumPy."""

import math

import numpy as np

from ...kernels import philox
from ..sample import Sample, rand

SEED = np.array([2024, 3], "uint32")
KEPT = rand(9, 11, seed=1) > 0


def uniform(seed, shape, dtype, minval, maxval):
    u = philox.uniform(seed, math.prod(shape), dtype).astype(dtype).reshape(shape)
    return np.array(minval, dtype) + np.array(maxval - minval, dtype) * u


def normal(seed, shape, dtype, mean, stddev):
    return mean + stddev * philox.normal(seed, math.prod(shape), dtype).reshape(shape)


def integers(seed, shape, minval, maxval, dtype):
    words = philox.words64(seed, math.prod(shape))
    return np.array([minval + (int(u) * (maxval - minval) >> 64) for u in words], dtype).reshape(shape)


def dropout(x, seed, rate, noise_shape):
    noise = tuple(d if m is None else m for m, d in zip(noise_shape or (None,) * x.ndim, x.shape))
    kept = philox.words(seed, math.prod(noise)).reshape(noise) < round((1 - rate) * 2**32)
    return np.where(kept, x / (1 - rate or 1), 0)


def dropout_kept(x, seed, rate, noise_shape):
    kept = dropout(np.ones(x.shape), seed, rate, noise_shape) > 0
    return dropout(x, seed, rate, noise_shape), kept


def dropout_again(x, kept, rate, noise_shape):
    return np.where(kept, x / (1 - rate), 0)


def shuffle(x, seed, axis, inverse):
    words = philox.words(seed, 2 * x.size).astype("uint64").reshape(*x.shape, 2)
    order = np.argsort(words[..., 0] | words[..., 1] << np.uint64(32), axis=axis, kind="stable")
    return np.take_along_axis(x, np.argsort(order, axis=axis) if inverse else order, axis=axis)


def categorical(logits, seed, num_samples, dtype):
    u = philox.uniform(seed, len(logits) * num_samples, "float64").reshape(len(logits), num_samples)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    edges = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)
    return (u[..., None] >= edges[:, None]).sum(axis=-1).astype(dtype)


def generator(seed):
    return np.random.Generator(np.random.Philox(key=seed.astype("uint64")))


SAMPLES = [
    Sample("next_seed", (SEED,), {}, lambda seed: seed + np.array([0, 1], "uint32"), unknown=False),
    *(
        Sample("random_uniform", (SEED,), {"shape": s, "dtype": d, "minval": -1.5, "maxval": 2.0}, uniform)
        for s in ((), (0, 3), (1,), (5, 13), (40000,))
        for d in ("float32", "float64")
    ),
    *(
        Sample("random_normal", (SEED,), {"shape": s, "dtype": d, "mean": 0.5, "stddev": 2.0}, normal, rtol=1e-6)
        for s in ((), (0, 3), (1,), (5, 13), (40000,))
        for d in ("float32", "float64")
    ),
    Sample(
        "random_truncated_normal",
        (SEED,),
        {"shape": (5, 13), "dtype": "float32", "mean": 0.5, "stddev": 2.0},
        note="its distribution function is checked in tests/kernels/test_random.py; NumPy has no inverse of erf",
    ),
    *(
        Sample("random_integers", (SEED,), {"shape": s, "minval": -7, "maxval": 93, "dtype": d}, integers)
        for s in ((), (0,), (3, 50))
        for d in ("int8", "int32", "int64")
    ),
    *(
        Sample("dropout", (rand(*s), SEED), {"rate": r, "noise_shape": None}, dropout)
        for s in ((), (0, 4), (1,), (7, 9), (200, 200))
        for r in (0.25, 1.0)
    ),
    Sample("dropout", (rand(4, 5, 6), SEED), {"rate": 0.5, "noise_shape": (None, 1, 6)}, dropout),
    Sample("dropout", (rand(4, 5, 6), SEED), {"rate": 0.5, "noise_shape": (1, None, 1)}, dropout),
    Sample("dropout_kept", (rand(9, 11), SEED), {"rate": 0.4, "noise_shape": None}, dropout_kept),
    Sample("dropout_again", (rand(9, 11), KEPT), {"rate": 0.4, "noise_shape": None}, dropout_again),
    Sample("shuffle", (rand(9, 4), SEED), {"axis": 0, "inverse": False}, shuffle),
    Sample("shuffle", (rand(3, 4, 5), SEED), {"axis": -2, "inverse": True}, shuffle),
    Sample("shuffle", (rand(0, 4), SEED), {"axis": 1, "inverse": False}, shuffle),
    Sample("categorical", (rand(6, 5), SEED), {"num_samples": 9, "dtype": "int32"}, categorical),
    Sample("categorical", (rand(3, 1), SEED), {"num_samples": 2, "dtype": "int64"}, categorical),
    Sample("categorical", (rand(0, 4), SEED), {"num_samples": 2, "dtype": "int64"}, categorical),
    Sample(
        "random_gamma",
        (rand(5, low=0.1, high=9.0), SEED),
        {"shape": (3, 5), "dtype": "float64"},
        lambda a, seed, shape, dtype: generator(seed).standard_gamma(a, shape),
        unknown=False,
    ),
    Sample(
        "random_beta",
        (rand(5, low=0.1, high=9.0), rand(3, 1, low=0.5, high=2.0), SEED),
        {"shape": (3, 5), "dtype": "float64"},
        lambda a, b, seed, shape, dtype: generator(seed).beta(a, b, shape),
        unknown=False,
    ),
    Sample(
        "random_binomial",
        (np.array([3, 40, 5]), rand(2, 1, low=0.1, high=0.9), SEED),
        {"shape": (2, 3), "dtype": "float64"},
        lambda n, p, seed, shape, dtype: generator(seed).binomial(n, p, shape).astype(dtype),
        unknown=False,
    ),
]
