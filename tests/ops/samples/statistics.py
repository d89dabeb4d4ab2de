"""Samples of quantiles, bins, histograms and correlation."""

import numpy as np

from ..sample import Sample, ints, rand


def quantile(x, q, axis, method, skip, keepdims):
    fn = np.nanquantile if skip else np.quantile
    return fn(x, q, axis=axis, method=method, keepdims=keepdims)


def with_nan(*shape):
    x = rand(*shape)
    x.flat[:: max(2, x.size // 5)] = np.nan
    return x


SAMPLES = []
for shape, axis in [((7,), (0,)), ((1,), (0,)), ((3, 6), (1,)), ((4, 3), (0,)), ((2, 3, 4), (0, 2)), ((2, 3), ())]:
    for method in ("linear", "lower", "higher", "midpoint", "nearest"):
        for q in (np.array(0.4), np.array([0.0, 0.3, 1.0])):
            attrs = {"axis": axis, "method": method, "skip": False, "keepdims": q.ndim > 0}
            SAMPLES.append(Sample("quantile", (rand(*shape), q), attrs, quantile, grad=(0,), unknown=False))
many = {"axis": (1,), "method": "linear", "skip": True, "keepdims": False}
SAMPLES += [
    Sample("quantile", (with_nan(3, 9), np.array([0.2, 0.5])), many, quantile, grad=(), unknown=False),
    Sample("quantile", (with_nan(3, 9), np.array(0.5)), {**many, "skip": False}, quantile, grad=(), unknown=False),
    Sample(
        "quantile_spread",
        (rand(3, 6), np.array([0.2, 0.5]), rand(2, 3, seed=1)),
        many,
        note="the gradient of quantile, which that op's gradient check covers",
        grad=(2,),
        unknown=False,
    ),
    Sample(
        "quantile_pick",
        (rand(3, 6), np.array([0.2, 0.5]), rand(3, 6, seed=1)),
        many,
        note="the transpose of quantile_spread, checked as its gradient",
        grad=(2,),
        unknown=False,
    ),
]


def bincount(x, *weights, minlength):
    rows = np.atleast_2d(x)
    length = max(x.max(initial=-1) + 1, minlength)
    weights = weights[0].reshape(rows.shape) if weights else [None] * len(rows)
    out = [np.bincount(r, w, length) for r, w in zip(rows, weights)]
    return np.reshape(out, (*x.shape[:-1], length))


for x, n in ((ints(9, high=5), 0), (ints(9, high=5), 8), (ints(2, 6, high=4), 0), (ints(0, high=4), 3)):
    SAMPLES += [
        Sample("bincount", (x,), {"minlength": n}, bincount),
        Sample("bincount", (x, rand(*x.shape)), {"minlength": n}, bincount),
    ]

BINS = np.array([-0.5, 0.0, 0.25])
SAMPLES += [
    Sample("digitize", (rand(3, 4), BINS), {}, np.digitize, unknown=False),
    Sample("digitize", (rand(5), BINS[::-1].copy()), {}, np.digitize, unknown=False),
    Sample("histogram", (rand(40),), {"bins": 7, "range": None}, np.histogram),
    Sample("histogram", (rand(40),), {"bins": 3, "range": (-0.5, 0.25)}, np.histogram),
]
for n, m in ((5, 3), (3, 5), (4, 4), (6, 2), (2, 6), (1, 1), (4, 1)):
    for mode in ("valid", "same", "full"):
        SAMPLES.append(
            Sample(
                "correlate",
                (rand(n), rand(m, seed=1)),
                {"mode": mode},
                lambda x1, x2, mode: np.correlate(x1, x2, mode),
                unknown=False,
            )
        )
