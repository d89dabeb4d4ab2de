"""Samples for kerasish/ops/unfold.py."""

import numpy as np

from ..sample import Sample, rand


def pair(v):
    return (v, v) if isinstance(v, int) else v


def places(sizes, kernel_size, dilation, padding, stride):
    """(row of the columns, block, image cell or None) of every pair of a kernel cell and a block."""
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = pair(kernel_size), pair(dilation), pair(padding), pair(stride)
    rows = range(0, sizes[0] + 2 * ph - (kh - 1) * dh, sh)
    columns = range(0, sizes[1] + 2 * pw - (kw - 1) * dw, sw)
    for block, (top, left) in enumerate((t, c) for t in rows for c in columns):
        for row, (i, j) in enumerate(np.ndindex(kh, kw)):
            h, w = top + i * dh - ph, left + j * dw - pw
            yield row, block, (h, w) if 0 <= h < sizes[0] and 0 <= w < sizes[1] else None


def unfold(x, **a):
    found = list(places(x.shape[2:], **a))
    y = np.zeros((*x.shape[:2], 1 + max(f[0] for f in found), 1 + max(f[1] for f in found)))
    for row, block, cell in found:
        if cell:
            y[:, :, row, block] = x[:, :, cell[0], cell[1]]
    return y.reshape(len(x), x.shape[1] * y.shape[2], y.shape[3])


def fold(x, output_size, **a):
    sizes = pair(output_size)
    found = list(places(sizes, **a))
    cells = 1 + max(f[0] for f in found)
    parts = x.reshape(len(x), x.shape[1] // cells, cells, x.shape[2])
    y = np.zeros((*parts.shape[:2], *sizes))
    for row, block, cell in found:
        if cell:
            y[:, :, cell[0], cell[1]] += parts[:, :, row, block]
    return y


def both(x, **attrs):
    attrs = {"kernel_size": 2, "dilation": 1, "padding": 0, "stride": 1, **attrs}
    columns = rand(*unfold(x, **attrs).shape, seed=1)
    return [
        Sample("unfold", (x,), attrs, unfold),
        Sample("fold", (columns,), {"output_size": x.shape[2:], **attrs}, fold),
    ]


SAMPLES = [
    *both(rand(2, 3, 4, 5)),
    *both(rand(2, 2, 6, 5), kernel_size=(3, 2), stride=2, padding=1),
    *both(rand(1, 2, 7, 6), kernel_size=2, dilation=(2, 3), stride=(1, 2), padding=(0, 2)),
    *both(rand(1, 1, 1, 1), kernel_size=1),
    *both(rand(0, 2, 4, 4)),
]
