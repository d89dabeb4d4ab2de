"""Samples of the reductions and scans."""

import numpy as np

from ..sample import Sample, ints, rand


def numpy_of(fn, **more):
    return lambda x, axis, keepdims, **_: fn(x, axis=axis, keepdims=keepdims, **more)


def distinct(*shape):
    """Values that no step of the gradient check brings to a tie."""
    n = int(np.prod(shape))
    return (np.random.default_rng(3).permutation(n).reshape(shape) - n / 3) / (n or 1)


def mean(x, axis, keepdims):
    with np.errstate(invalid="ignore"):  # NumPy's own mean warns where there are no elements
        return np.sum(x, axis=axis, keepdims=keepdims) / np.prod([x.shape[a] for a in axis])


def moments(x, axis, keepdims):
    return mean(x, axis, keepdims), mean((x - mean(x, axis, True)) ** 2, axis, keepdims)


def linear_scan(a, b, axis, reverse):
    a, b = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    s = np.array(b)
    for k in range(1, len(s)):
        if reverse:
            s[-1 - k] += a[-k] * s[-k]
        else:
            s[k] += a[k] * s[k - 1]
    return np.moveaxis(s, 0, axis)


def shift(x, axis, by, fill):
    edge = np.full_like(np.take(x, [0], axis), fill)
    body = np.take(x, range(x.shape[axis] - 1) if by > 0 else range(1, x.shape[axis]), axis)
    return np.concatenate([edge, body] if by > 0 else [body, edge], axis)


def flipped(fn):
    return lambda x, axis, reverse: np.flip(fn(np.flip(x, axis), axis=axis), axis) if reverse else fn(x, axis=axis)


# (shape, axes): rows, columns, both, neither, kept groups in between, sizes 0 and 1, tile edges, long for segments
CASES = [
    ((), ()),
    ((1,), (0,)),
    ((0,), (0,)),
    ((3, 0), (1,)),
    ((0, 3), (1,)),
    ((4, 5), ()),
    ((4, 5), (0, 1)),
    ((3, 1, 5), (1,)),
    ((7, 17), (1,)),
    ((17, 7), (0,)),
    ((2, 3, 4, 5), (0, 2)),
    ((2, 3, 4, 5), (1, 3)),
    ((5, 33), (0,)),
    ((65, 3), (0,)),
]
LONG = [((70001,), (0,)), ((20000, 5), (0,)), ((3, 300, 1030), (1,)), ((2, 3, 40000), (0, 2)), ((40, 1100), (0, 1))]

SAMPLES = []
for shape, axis in CASES + LONG:
    small = (shape, axis) in CASES
    for keepdims in (False, True):
        attrs = {"axis": axis, "keepdims": keepdims}
        grad = None if small else ()
        x = rand(*shape)
        SAMPLES += [
            Sample("sum", (x,), attrs, numpy_of(np.sum), grad=grad),
            Sample("mean", (x,), attrs, mean, grad=grad),
            Sample(
                "sum_square",
                (x,),
                attrs,
                lambda x, axis, keepdims: np.sum(x * x, axis=axis, keepdims=keepdims),
                grad=grad,
            ),
            Sample("any", (ints(*shape, high=2) > 0,), attrs, numpy_of(np.any)),
            Sample("all", (ints(*shape, high=9) > 0,), attrs, numpy_of(np.all)),
            Sample(
                "count_nonzero",
                (ints(*shape, high=3),),
                attrs,
                lambda x, axis, keepdims: np.sum(x != 0, axis=axis, keepdims=keepdims),
            ),
            Sample("sum", (ints(*shape, high=2**31 - 1),), attrs, numpy_of(np.sum, dtype="int32")),
        ]
        if small:
            SAMPLES.append(Sample("prod", (rand(*shape, low=0.5, high=1.5),), attrs, numpy_of(np.prod)))
        if 0 not in shape:
            SAMPLES += [
                Sample("max", (distinct(*shape),), attrs, numpy_of(np.max), grad=grad),
                Sample("min", (distinct(*shape),), attrs, numpy_of(np.min), grad=grad),
                Sample("max", (ints(*shape, high=99, dtype="int64"),), attrs, numpy_of(np.max)),
                Sample("min", (ints(*shape, high=2) > 0,), attrs, numpy_of(np.min)),
            ]
        if 0 not in shape and (len(shape), axis) != (4, (0, 2)):  # a pattern that the kernel leaves to `moments_over`
            SAMPLES.append(Sample("moments", (x,), attrs, moments, grad=grad))
    if 0 not in shape and len(axis) == 1:
        for keepdims in (False, True):
            attrs = {"axis": axis[0], "keepdims": keepdims}
            SAMPLES += [
                Sample("argmax", (rand(*shape),), attrs, np.argmax),
                Sample("argmin", (ints(*shape, high=5),), attrs, np.argmin),
            ]
            SAMPLES += [Sample("argmax", (rand(*shape),), {"axis": None, "keepdims": keepdims}, np.argmax)]

SAMPLES += [
    Sample(
        "max", (np.array([[1.0, np.nan], [2.0, 3.0]]),), {"axis": (1,), "keepdims": False}, numpy_of(np.max), grad=()
    ),
    Sample("argmax", (np.array([[1.0, np.nan, np.nan], [2.0, 3.0, 3.0]]),), {"axis": 1, "keepdims": False}, np.argmax),
    Sample(
        "prod",
        (np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, -1.0]]),),
        {"axis": (1,), "keepdims": False},
        numpy_of(np.prod),
    ),
    Sample("prod", (ints(3, 4, low=1, high=5),), {"axis": (0,), "keepdims": False}, numpy_of(np.prod, dtype="int32")),
]

for reverse in (False, True):
    for shape, axis in [((1,), 0), ((0, 3), 1), ((6,), 0), ((3, 5), 1), ((5, 3), 0), ((2, 4, 3), 1), ((3, 1200), 0)]:
        attrs = {"axis": axis, "reverse": reverse}
        x = rand(*shape, low=0.5, high=1.5)
        SAMPLES += [
            Sample("cumsum", (x,), attrs, flipped(np.cumsum)),
            Sample("cumprod", (x,), attrs, flipped(np.cumprod)),
            Sample("linear_scan", (rand(*shape, seed=1), rand(*shape)), attrs, linear_scan),
        ]
        if 0 not in shape:
            SAMPLES.append(Sample("shift", (x,), {"axis": axis, "by": -1 if reverse else 1, "fill": 2.0}, shift))
    zeros = np.array([[2.0, 0.0, 3.0, 0.0, 1.5]])
    SAMPLES.append(Sample("cumprod", (zeros,), {"axis": 1, "reverse": reverse}, flipped(np.cumprod)))
    SAMPLES.append(Sample("cumsum", (ints(3, 4, high=9),), {"axis": 1, "reverse": reverse}, flipped(np.cumsum)))


def in_chunks(fn, rows, **more):
    """The reference of a reduction of leading axes that stops at chunks of so many rows."""

    def run(x, axis):
        flat = x.reshape(-1, *(d for k, d in enumerate(x.shape) if k not in axis))
        return np.stack([fn(flat[k : k + rows], axis=0, **more) for k in range(0, len(flat), rows)])

    return run


# Of (300, 7, 40), chunks have whole samples of 7 rows.
for shape, axis, rows in [((70001,), (0,), 32768), ((300, 7, 40), (0, 1), 826), ((1, 130, 1100), (0, 1), 64)]:
    x, attrs = rand(*shape), {"axis": axis}
    SAMPLES += [
        Sample("sum_chunks", (x,), attrs, in_chunks(np.sum, rows)),
        Sample("sum_square_chunks", (x,), attrs, in_chunks(lambda v, axis: np.sum(v * v, axis=axis), rows)),
        Sample("prod_chunks", (1 + x * 1e-3,), attrs, in_chunks(np.prod, rows), rtol=1e-4),
        Sample("max_chunks", (x,), attrs, in_chunks(np.max, rows)),
        Sample("min_chunks", (ints(*shape, high=99),), attrs, in_chunks(np.min, rows)),
        Sample("any_chunks", (x > 0.9999,), attrs, in_chunks(np.any, rows)),
        Sample("all_chunks", (x > -0.9999,), attrs, in_chunks(np.all, rows)),
        Sample("count_nonzero_chunks", (ints(*shape, high=3),), attrs, in_chunks(np.count_nonzero, rows)),
    ]
