"""Samples of softmax and its relatives."""

import numpy as np

from ..sample import Sample, rand


def axes_of(start, stop):
    return tuple(range(start, stop))


def logsumexp(x, start, stop, keepdims=True):
    axes = axes_of(start, stop)
    shift = x.max(axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(shift), shift, 0)
    y = shift + np.log(np.exp(x - shift).sum(axes, keepdims=True))
    return y if keepdims else np.squeeze(y, axes)


def log_softmax(x, start, stop):
    shifted = x - x.max(axes_of(start, stop), keepdims=True)
    return shifted - logsumexp(shifted, start, stop)


def softmax(x, start, stop):
    return np.exp(log_softmax(x, start, stop))


def softmax_grad(y, g, start, stop):
    return y * (g - (g * y).sum(axes_of(start, stop), keepdims=True))


def log_softmax_grad(y, g, start, stop):
    return g - np.exp(y) * g.sum(axes_of(start, stop), keepdims=True)


SAMPLES = []
for shape, start, stop in [
    ((1,), 0, 1),
    ((5,), 0, 1),
    ((0, 4), 1, 2),
    ((3, 7), 1, 2),
    ((2, 16), 1, 2),
    ((2, 17), 1, 2),
    ((2, 33), 1, 2),
    ((4, 3), 0, 1),
    ((2, 5, 3), 1, 2),
    ((2, 3, 4), 1, 3),
    ((3, 4), 0, 2),
    ((2, 4, 130), 1, 2),
    ((3, 1100), 1, 2),
]:
    x, at = rand(*shape, low=-4, high=4), {"start": start, "stop": stop}
    SAMPLES += [
        Sample("softmax", (x,), at, softmax),
        Sample("log_softmax", (x,), at, log_softmax),
        Sample("softmax_grad", (softmax(x, **at) if x.size else x, rand(*shape, seed=1)), at, softmax_grad),
        Sample("log_softmax_grad", (log_softmax(x, **at) if x.size else x, rand(*shape, seed=1)), at, log_softmax_grad),
        Sample("logsumexp", (x,), {**at, "keepdims": False}, logsumexp),
        Sample("logsumexp", (x,), {**at, "keepdims": True}, logsumexp),
    ]

huge = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [3e4, 3e4, 3e4]])
SAMPLES += [
    Sample("softmax", (huge,), {"start": 1, "stop": 2}, softmax),
    Sample("log_softmax", (huge,), {"start": 1, "stop": 2}, log_softmax),
    Sample(
        "logsumexp",
        (np.array([[-np.inf, -np.inf], [np.inf, 1.0], [np.nan, 1.0]]),),
        {"start": 1, "stop": 2, "keepdims": False},
        logsumexp,
        grad=(),
    ),
]
