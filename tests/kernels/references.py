"""Float64 NumPy references of pooling and convolution, written tap by tap; Case says which window."""

from __future__ import annotations

import numpy as np

from .windows import scatter, taps


def conv(g, x, k):
    kc, f = k.shape[-2:]
    groups = x.shape[-1] // kc
    y = np.zeros((len(x), *g.out, f))
    for tap, cells in taps(g, 0, x):
        for j in range(groups):
            ins, outs = slice(j * kc, (j + 1) * kc), slice(j * f // groups, (j + 1) * f // groups)
            y[..., outs] += cells[..., ins] @ k[tap][:, outs]
    return y


def conv_grad_input(g, x_shape, dy, k):
    kc, f = k.shape[-2:]
    groups = x_shape[-1] // kc
    parts = []
    for tap in np.ndindex(*g.window):
        part = np.zeros((len(dy), *g.out, x_shape[-1]))
        for j in range(groups):
            ins, outs = slice(j * kc, (j + 1) * kc), slice(j * f // groups, (j + 1) * f // groups)
            part[..., ins] = dy[..., outs] @ k[tap][:, outs].T
        parts.append((tap, part))
    return scatter(g, x_shape, parts)


def conv_grad_kernel(g, x, dy, k_shape):
    kc, f = k_shape[-2:]
    groups = x.shape[-1] // kc
    dk = np.zeros(k_shape)
    for tap, cells in taps(g, 0, x):
        for j in range(groups):
            ins, outs = slice(j * kc, (j + 1) * kc), slice(j * f // groups, (j + 1) * f // groups)
            a, b = cells[..., ins].reshape(-1, kc), dy[..., outs].reshape(-1, f // groups)
            dk[tap][:, outs] = a.T @ b
    return dk


def depthwise(g, x, k):
    c, m = k.shape[-2:]
    y = np.zeros((len(x), *g.out, c, m))
    for tap, cells in taps(g, 0, x):
        y += cells[..., None] * k[tap]
    return y.reshape(len(x), *g.out, c * m)


def depthwise_grad_input(g, x_shape, dy, k):
    c, m = k.shape[-2:]
    dy = dy.reshape(*dy.shape[:-1], c, m)
    return scatter(g, x_shape, [(tap, (dy * k[tap]).sum(-1)) for tap in np.ndindex(*g.window)])


def depthwise_grad_kernel(g, x, dy, k_shape):
    c, m = k_shape[-2:]
    dy = dy.reshape(*dy.shape[:-1], c, m)
    dk = np.zeros(k_shape)
    for tap, cells in taps(g, 0, x):
        dk[tap] = (cells[..., None] * dy).sum(tuple(range(g.rank + 1)))
    return dk


def first_maximum(g, x):
    """(maximum, number of the first tap that holds it) at every output position; NaN is the largest."""
    best = place = None
    for k, (_, cells) in enumerate(taps(g, -np.inf, x)):
        if best is None:
            best, place = cells.copy(), np.zeros(cells.shape, int)
            continue
        # Padding is -inf and must lose even against a cell of -inf: the first tap may be padding.
        larger = (cells > best) | (np.isnan(cells) & ~np.isnan(best))
        best, place = np.where(larger, cells, best), np.where(larger, k, place)
    return best, place


def pool_scatter(g, x_shape, place, dy):
    """Gradient of max pooling: dy at the taps that `first_maximum` numbers."""
    return scatter(g, x_shape, [(tap, np.where(place == k, dy, 0)) for k, tap in enumerate(np.ndindex(*g.window))])


def pool_pick(g, place, values):
    """What stands in `values` at the taps that `first_maximum` numbers."""
    return sum(np.where(place == k, cells, 0) for k, (_, cells) in enumerate(taps(g, 0, values)))


def average(g, x):
    """(mean of the cells of x that each window covers, how many they are)."""
    count = sum(cells for _, cells in taps(g, 0, np.ones(x.shape)))
    return sum(cells for _, cells in taps(g, 0, x)) / count, count


def average_grad(g, x_shape, dy, count):
    return scatter(g, x_shape, [(tap, dy / count) for tap in np.ndindex(*g.window)])
