"""Samples for kerasish/ops/pool.py; the references of windows of one size are those of the kernels."""

import numpy as np

from kerasish.ops.windows import slide

from ...kernels import references
from ...kernels.windows import Case
from ..sample import Sample, rand


def geometry(sizes, window, strides, padding):
    s = slide("sample", tuple(sizes), window, window if strides is None else strides, padding)
    return Case(tuple(sizes), s.window, s.strides, s.dilation, s.pads)


def max_pool(x, **a):
    return references.first_maximum(geometry(x.shape[1:-1], **a), x)


def max_pool_grad(place, g, sizes, **a):
    return references.pool_scatter(geometry(sizes, **a), (len(g), *sizes, g.shape[-1]), place, g)


def max_pool_pick(place, v, **a):
    return references.pool_pick(geometry(v.shape[1:-1], **a), place, v)


def average_pool(x, **a):
    return references.average(geometry(x.shape[1:-1], **a), x)[0]


def average_pool_grad(g, sizes, **a):
    case = geometry(sizes, **a)
    shape = (len(g), *sizes, g.shape[-1])
    return references.average_grad(case, shape, g, references.average(case, np.ones(shape))[1])


def adaptive_cells(sizes, out):
    """(output cell, window) of adaptive pooling."""
    for cell in np.ndindex(*out):
        yield (
            cell,
            tuple(slice(int(np.floor(i * s / n)), int(np.ceil((i + 1) * s / n))) for i, s, n in zip(cell, sizes, out)),
        )


def adaptive(x, output_size, reduce):
    out = (output_size,) * (x.ndim - 2) if isinstance(output_size, int) else output_size
    y = np.zeros((len(x), *out, x.shape[-1]))
    for cell, window in adaptive_cells(x.shape[1:-1], out):
        y[(slice(None), *cell)] = reduce(x[(slice(None), *window)], axis=tuple(range(1, x.ndim - 1)))
    return y


def adaptive_average_grad(g, sizes):
    dx = np.zeros((len(g), *sizes, g.shape[-1]))
    for cell, window in adaptive_cells(sizes, g.shape[1:-1]):
        part = dx[(slice(None), *window)]
        share = g[(slice(None), *cell)].reshape(len(g), *(1,) * len(sizes), g.shape[-1])
        part += share / np.prod(part.shape[1:-1])
    return dx


def adaptive_max_grad(x, g, output_size):
    dx = np.zeros(x.shape)
    for cell, window in adaptive_cells(x.shape[1:-1], g.shape[1:-1]):
        part = x[(slice(None), *window)]
        top = part == part.max(tuple(range(1, x.ndim - 1)), keepdims=True)
        dx[(slice(None), *window)] += top * g[(slice(None), *cell)].reshape(len(g), *(1,) * (x.ndim - 2), g.shape[-1])
    return dx


def adaptive_max_pick(x, v, output_size):
    y = np.zeros((len(x), *output_size, x.shape[-1]))
    axes = tuple(range(1, x.ndim - 1))
    for cell, window in adaptive_cells(x.shape[1:-1], output_size):
        part = x[(slice(None), *window)]
        y[(slice(None), *cell)] = np.where(part == part.max(axes, keepdims=True), v[(slice(None), *window)], 0).sum(
            axes
        )
    return y


def windows(x, **attrs):
    attrs = {"window": 2, "strides": None, "padding": "valid", **attrs}
    place = max_pool(x, **attrs)[1].astype("uint8")
    g, sizes = rand(*place.shape, seed=2), {"sizes": x.shape[1:-1]}
    return [
        Sample("max_pool", (x,), attrs, max_pool),
        Sample("max_pool_grad", (place, g), {**sizes, **attrs}, max_pool_grad, grad=(1,)),
        Sample("max_pool_pick", (place, rand(*x.shape, seed=3)), attrs, max_pool_pick, grad=(1,)),
        Sample("average_pool", (x,), attrs, average_pool),
        Sample("average_pool_grad", (g,), {**sizes, **attrs}, average_pool_grad),
    ]


def adapting(x, out):
    g = rand(len(x), *out, x.shape[-1], seed=2)
    attrs = {"output_size": out}
    return [
        Sample("adaptive_average_pool", (x,), attrs, lambda x, output_size: adaptive(x, output_size, np.mean)),
        Sample("adaptive_average_pool_grad", (g,), {"sizes": x.shape[1:-1]}, adaptive_average_grad),
        Sample("adaptive_max_pool", (x,), attrs, lambda x, output_size: adaptive(x, output_size, np.max)),
        Sample("adaptive_max_pool_grad", (x, g), attrs, adaptive_max_grad, grad=(1,)),
        Sample("adaptive_max_pool_pick", (x, rand(*x.shape, seed=3)), attrs, adaptive_max_pick, grad=(1,)),
    ]


SAMPLES = [
    *windows(rand(2, 6, 6, 3)),
    *windows(rand(2, 5, 7, 3), window=(3, 2), strides=2, padding="same"),
    *windows(rand(2, 5, 5, 17), window=3, strides=1, padding="same"),
    *windows(rand(2, 9, 4), window=3, strides=2),
    *windows(rand(1, 4, 5, 3, 2), strides=(2, 1, 2)),
    *windows(rand(1, 1, 1, 1), window=1),
    *windows(rand(0, 4, 4, 2)),
    *adapting(rand(2, 7, 5, 3), (3, 5)),
    *adapting(rand(2, 4, 3), (7,)),
    *adapting(rand(1, 4, 5, 3, 2), (2, 1, 2)),
    *adapting(rand(0, 4, 4, 2), (2, 2)),
]
