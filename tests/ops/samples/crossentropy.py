"""Samples of the cross-entropies."""

import numpy as np

from ..sample import Sample, ints, rand
from .softmax import log_softmax, softmax

EPS = 1e-3  # large, so that the samples have clipped elements; none lies within a step of the bounds


def last(x):
    return {"start": x.ndim - 1, "stop": x.ndim}


def one_hot(labels, n):
    return np.eye(n)[labels]


def dense_logits(x, t):
    return -(t * log_softmax(x, **last(x))).sum(-1)


def dense_logits_grad(x, t, g):
    return g[..., None] * (softmax(x, **last(x)) * t.sum(-1, keepdims=True) - t)


def dense(p, t, eps):
    return -(t * np.log(np.clip(p / p.sum(-1, keepdims=True), eps, 1 - eps))).sum(-1)


def dense_grad(p, t, g, eps):
    s = p.sum(-1, keepdims=True)
    kept = np.where((p / s >= eps) & (p / s <= 1 - eps), t, 0)
    return g[..., None] * (kept.sum(-1, keepdims=True) / s - kept / p)


def sparse(fn):
    return lambda x, labels, *g, **attrs: fn(x, one_hot(labels, x.shape[-1]), *g, **attrs)


def binary_logits(x, t):
    return np.logaddexp(0, x) - t * x


def binary_logits_grad(x, t, g):
    return g * (1 / (1 + np.exp(-x)) - t)


def binary(p, t, eps):
    q = np.clip(p, eps, 1 - eps)
    return -(t * np.log(q) + (1 - t) * np.log(1 - q))


def binary_grad(p, t, g, eps):
    return np.where((p >= eps) & (p <= 1 - eps), g * (p - t) / (p * (1 - p)), 0)


SAMPLES = []
for shape in [(4,), (1, 1), (0, 3), (3, 10), (2, 3, 5), (2, 17), (3, 33)]:
    rows, n = shape[:-1], shape[-1]
    x, p, t = rand(*shape, low=-5, high=5), rand(*shape, low=0.1, high=1), rand(*shape, seed=1, low=0, high=1)
    p[..., :1] = 1e-5  # clipped
    if n == 1:
        p[...] = 0.5
    g, labels = rand(*rows, seed=2), ints(*rows, high=n)
    eps = {"eps": EPS}
    SAMPLES += [
        Sample("categorical_crossentropy_from_logits", (x, t), {}, dense_logits),
        Sample("categorical_crossentropy_from_logits_grad", (x, t, g), {}, dense_logits_grad),
        Sample("sparse_categorical_crossentropy_from_logits", (x, labels), {}, sparse(dense_logits)),
        Sample("sparse_categorical_crossentropy_from_logits", (x, labels.astype("int64")), {}, sparse(dense_logits)),
        Sample("sparse_categorical_crossentropy_from_logits_grad", (x, labels, g), {}, sparse(dense_logits_grad)),
        Sample("categorical_crossentropy", (p, t), eps, dense),
        Sample("categorical_crossentropy_grad", (p, t, g), eps, dense_grad),
        Sample("sparse_categorical_crossentropy", (p, labels), eps, sparse(dense)),
        Sample("sparse_categorical_crossentropy_grad", (p, labels, g), eps, sparse(dense_grad)),
    ]
for shape in [(), (1,), (0,), (3, 5), (17,), (2, 33)]:
    x, p, t = rand(*shape, low=-5, high=5), rand(*shape, low=0.1, high=0.9), rand(*shape, seed=1, low=0, high=1)
    if p.ndim:
        p[..., :1] = 1e-5
    g, eps = rand(*shape, seed=2), {"eps": EPS}
    SAMPLES += [
        Sample("binary_crossentropy_from_logits", (x, t), {}, binary_logits),
        Sample("binary_crossentropy_from_logits_grad", (x, t, g), {}, binary_logits_grad),
        Sample("binary_crossentropy", (p, t), eps, binary),
        Sample("binary_crossentropy_grad", (p, t, g), eps, binary_grad),
    ]
SAMPLES.append(
    Sample(
        "binary_crossentropy_from_logits",
        (np.array([80.0, -80.0, 30.0]), np.array([1.0, 0.0, 1.0])),
        {},
        lambda x, t: np.log1p(np.exp(-np.abs(x))),
    )
)
