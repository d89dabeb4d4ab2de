"""The error functions in long double, which NumPy lacks, by the series and the continued fraction of DLMF 7.6, 7.9."""

from __future__ import annotations

import numpy as np


def _decay(x):
    """exp(-x^2), with a square that is not rounded."""
    head = np.asarray(x, "float32").astype(np.longdouble)
    return np.exp(-head * head) * np.exp(-(x - head) * (x + head))


def _series(x):
    """erf of |x| < 2.5: 2 / sqrt(pi) exp(-x^2) sum over n of 2^n x^(2n + 1) / (1 3 5 ... (2n + 1)), all positive."""
    term = total = np.asarray(x, np.longdouble)
    for n in range(1, 60):
        term = term * (2 * x * x / (2 * n + 1))
        total = total + term
    return total * _decay(x) * 2 / np.sqrt(np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16))


def _fraction(x):
    """erfc of x >= 2: exp(-x^2) / sqrt(pi) / (x + (1/2) / (x + 1 / (x + (3/2) / ...)))."""
    tail = np.asarray(x, np.longdouble)
    for n in range(120, 0, -1):
        tail = x + np.longdouble(n) / 2 / tail
    return _decay(x) / tail / np.sqrt(np.longdouble(np.pi) + np.longdouble(1.2246467991473532e-16))


def erf(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.longdouble)
    size = np.minimum(np.abs(x), 30)  # where erf is 1
    near = np.where(size < 2.5, _series(np.minimum(size, 2.5)), 1 - _fraction(np.maximum(size, 2)))
    return np.copysign(near, x)


def erfc(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.longdouble)
    size = np.maximum(x, 2)
    return np.where(x < 0.5, 1 - erf(x), np.where(x < 2, 1 - _series(np.clip(x, 0, 2)), _fraction(size)))
