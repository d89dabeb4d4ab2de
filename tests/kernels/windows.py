"""Float64 NumPy references of what the pooling and convolution kernels share: the cells each window covers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """One geometry: spatial sizes (1 to 3 of them), window, strides, dilation, low and high pads of each dimension."""

    sizes: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def rank(self) -> int:
        return len(self.sizes)

    @property
    def out(self) -> tuple[int, ...]:
        spans = [(k - 1) * d + 1 for k, d in zip(self.window, self.dilation)]
        return tuple(
            (n + lo + hi - span) // s + 1 for n, (lo, hi), span, s in zip(self.sizes, self.pads, spans, self.strides)
        )

    def flat(self, *values: tuple[int, ...]) -> tuple[int, ...]:
        """Attributes as the kernels take them: (depth, height, width) with leading ones, of each value in turn."""
        return tuple(v for value in values for v in (*(1,) * (3 - self.rank), *value))

    @property
    def low(self) -> tuple[int, ...]:
        return (*(0,) * (3 - self.rank), *(lo for lo, _ in self.pads))


def case(sizes, window, strides=None, dilation=None, pads=None) -> Case:
    rank = len(sizes)
    return Case(
        tuple(sizes),
        tuple(window),
        tuple(strides or (1,) * rank),
        tuple(dilation or (1,) * rank),
        tuple(pads or ((0, 0),) * rank),
    )


def taps(g: Case, fill: float, x: np.ndarray):
    """Yields (tap, cells): for each tap of the window in memory order, the cells of x (n, *sizes, c) that it meets at
    every output position, `fill` where that is padding."""
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(g.out, g.strides, g.window, g.dilation)]
    widths = [(lo, max(r - n - lo, 0)) for (lo, _), r, n in zip(g.pads, reach, g.sizes)]
    wide = np.pad(x, ((0, 0), *widths, (0, 0)), constant_values=fill)
    for tap in np.ndindex(*g.window):
        index = tuple(slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, g.dilation, g.out, g.strides))
        yield tap, wide[(slice(None), *index, slice(None))]


def scatter(g: Case, x_shape: tuple[int, ...], parts) -> np.ndarray:
    """The transpose of `taps`: sums (tap, values at every output position) back into an array like x."""
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(g.out, g.strides, g.window, g.dilation)]
    sizes = [max(r, n + lo) for (lo, _), r, n in zip(g.pads, reach, g.sizes)]
    wide = np.zeros((x_shape[0], *sizes, x_shape[-1]))
    for tap, values in parts:
        index = tuple(slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, o, s in zip(tap, g.dilation, g.out, g.strides))
        wide[(slice(None), *index, slice(None))] += values
    inner = tuple(slice(lo, lo + n) for (lo, _), n in zip(g.pads, g.sizes))
    return wide[(slice(None), *inner, slice(None))]
