"""Depthwise convolution kernels against float64 NumPy, at vector edges, on every ISA, any thread count."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from kerasish._core import core

from . import calls, references
from .bounds import within
from .windows import case

CASES = [
    case((6, 6), (3, 3), pads=((1, 1), (1, 1))),
    case((7, 19), (3, 3)),
    case((9, 18), (3, 3), (2, 2), pads=((0, 1), (1, 1))),
    case((8, 7), (2, 4), (3, 1), pads=((0, 0), (1, 2))),
    case((9, 11), (3, 2), (1, 1), (2, 3), ((2, 2), (1, 2))),
    case((9, 12), (2, 3), (2, 4), (3, 2), ((1, 2), (2, 2))),  # stride and dilation with and without a common factor
    case((5, 5), (1, 1), (3, 2)),  # cells that no output reads
    case((3, 2), (5, 5), pads=((2, 2), (2, 2))),  # a window larger than the input
    case((2, 6), (3, 3), (1, 1), (1, 4), ((1, 1), (4, 4))),  # three taps of which no cell meets all
    case((13, 15), (5, 5), pads=((2, 2), (1, 3))),  # blocks of eight rows and cells, and what is left
    case((10, 9), (3, 4), (1, 1), (1, 2), ((3, 1), (0, 3))),  # padding that a window fits into
    case((1, 1), (1, 1)),
    case((12,), (3,), (2,), pads=((1, 0),)),
    case((8,), (3,), (1,), (2,), ((4, 0),)),  # causal
]
SHAPES = [(1, 1), (3, 2), (7, 1), (8, 1), (9, 1), (16, 1), (17, 3), (33, 1), (5, 4)]  # channels, multiplier


def attrs(g):
    return (*g.flat(g.strides, g.dilation), *g.low)


def run(name, isa, ins, shape, g, threads=2):
    return calls.run(name, ins, [(shape, str(ins[0].dtype))], attrs(g), isa=isa, threads=threads)[0]


# 3x3 of stride 1 on channels that fill vectors, which take two rows at once, and how many of them
PAIRED = [
    (case((2, 1), (3, 3), pads=((1, 1), (1, 1))), 16),
    (case((3, 2), (3, 3), pads=((1, 1), (2, 2))), 8),
    (case((3, 6), (3, 3)), 16),  # one row of outputs: the gradient to the input has a row that meets one tap row
    (case((4, 3), (3, 3)), 16),
    (case((2, 4), (3, 3), pads=((2, 0), (0, 2))), 16),
    (case((5, 4), (3, 3), pads=((0, 4), (0, 3))), 16),  # outputs that meet nothing
    (case((4, 9), (3, 3), pads=((1, 0), (2, 1))), 24),
    (case((19, 7), (3, 3)), 32),
    (case((34, 5), (3, 3), pads=((2, 2), (2, 2))), 8),  # three blocks of rows
    (case((18, 37), (3, 3), pads=((1, 1), (1, 1))), 64),  # segments of rows
    (case((6, 41), (3, 3), pads=((2, 2), (2, 2))), 128),
    (case((6, 19), (3, 3), pads=((1, 1), (0, 0))), 112),
    (case((35, 3), (3, 3), pads=((2, 2), (1, 1))), 256),  # cells a multiple of 1 KB apart, which are copied
    (case((7, 5), (3, 3), pads=((0, 2), (1, 1))), 768),
    (case((15, 6), (3, 3), pads=((0, 4), (1, 1))), 256),  # a block of rows that meets nothing
    (case((30, 40), (3, 3), pads=((0, 6), (1, 1))), 256),  # in parts of the gradient to the kernel
]

# Three taps of stride 2, along segments of rows where cells crowd L1
STRIDED = [
    (case((5, 38), (3, 3), (2, 2), pads=((0, 0), (0, 1))), 64),
    (case((6, 37), (3, 3), (2, 2), pads=((0, 1), (1, 1))), 128),
    (case((7, 18), (3, 3), (2, 2), pads=((1, 1), (2, 2))), 256),
    (case((4, 19), (3, 3), (2, 2), pads=((1, 0), (0, 4))), 512),  # outputs that meet nothing
    (case((4, 20), (3, 3), (1, 2), pads=((1, 1), (1, 0))), 36),  # three rows of taps for a row of the input
    (case((3, 21), (3, 3), (2, 2), (2, 1), ((2, 2), (4, 1))), 20),
    (case((8, 2), (3, 3), (2, 2), pads=((0, 1), (0, 1))), 16),
    (case((8, 1), (3, 3), (2, 2), pads=((0, 1), (1, 1))), 16),
    (case((41,), (3,), (2,), pads=((0, 0),)), 256),  # cells that no output reads
]


@lru_cache(maxsize=2)  # the same for every ISA
def expected(g, dtype, shapes=tuple(SHAPES)):
    """(kernel, inputs, result in float64, sum of the sizes of its terms) for each shape and pass."""
    rng, cases = np.random.default_rng(0), []
    for c, m in shapes:
        x = rng.standard_normal((2, *g.sizes, c)).astype(dtype)
        k = rng.standard_normal((*g.window, c, m)).astype(dtype)
        dy = rng.standard_normal((2, *g.out, c * m)).astype(dtype)
        x64, k64, dy64 = (a.astype("float64") for a in (x, k, dy))
        for name, ins, f in (
            ("depthwise_conv", (x, k), lambda x, k, dy: references.depthwise(g, x, k)),
            ("depthwise_conv_grad_input", (dy, k), lambda x, k, dy: references.depthwise_grad_input(g, x.shape, dy, k)),
            ("depthwise_conv_grad_kernel", (x, dy),
             lambda x, k, dy: references.depthwise_grad_kernel(g, x, dy, k.shape)),
        ):  # fmt: skip
            cases.append((name, ins, f(x64, k64, dy64), f(*map(np.abs, (x64, k64, dy64)))))
    return cases


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("g", CASES, ids=str)
def test_all_three_passes(g, dtype, isa):
    for name, ins, want, size in expected(g, dtype):
        within(name, run(name, isa, ins, want.shape, g), want, size=size)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("g", "channels"), [*PAIRED, *STRIDED], ids=str)
def test_rows_of_many_channels(g, channels, dtype, isa):
    for name, ins, want, size in expected(g, dtype, ((channels, 1),)):
        within(name, run(name, isa, ins, want.shape, g), want, size=size)


@pytest.mark.parametrize("isa", core.isas())
def test_infinite_weights_meet_no_padding(isa):
    """Neither in rows nor in columns that lie outside: an infinite weight gives no NaN there."""
    g = case((5, 6), (3, 3), pads=((1, 1), (1, 1)))
    x, k = np.ones((1, 5, 6, 16), "float32"), np.ones((3, 3, 16, 1), "float32")
    k[0, :] = k[:, 0] = np.inf
    for name in ("depthwise_conv", "depthwise_conv_grad_input"):
        out = run(name, isa, (x, k), x.shape, g)
        assert not np.isnan(out).any()
        assert np.isfinite(out).sum() == 16, name  # at one corner
    g = case((5, 6), (3, 3), (2, 2), pads=((1, 1), (1, 1)))
    y = run("depthwise_conv", isa, (x, k), (1, *g.out, 16), g)
    dx = run("depthwise_conv_grad_input", isa, (np.ones_like(y), k), x.shape, g)
    for out, finite in ((y, 1), (dx, 12)):
        assert not np.isnan(out).any()
        assert np.isfinite(out).sum() == 16 * finite


@pytest.mark.parametrize(("n", "c", "m"), [(0, 4, 1), (0, 16, 1), (2, 0, 1), (2, 4, 0)])
def test_empty_arrays(n, c, m):
    g = CASES[0]
    x = np.ones((n, *g.sizes, c), "float32")
    k = np.ones((*g.window, c, m), "float32")
    y = np.ones((n, *g.out, c * m), "float32")
    assert run("depthwise_conv", None, (x, k), y.shape, g).shape == y.shape
    assert not run("depthwise_conv_grad_input", None, (y, k), x.shape, g).any()
    assert not run("depthwise_conv_grad_kernel", None, (x, y), k.shape, g).any()


@pytest.mark.parametrize(("window", "strides", "c", "m"), [
    (3, (2, 1), 24, 1), (3, (2, 1), 24, 2), (5, (1, 1), 24, 1), (3, (1, 1), 32, 1), (3, (1, 1), 256, 1),
    (3, (2, 2), 20, 2), (3, (2, 2), 128, 1),
])  # fmt: skip
def test_same_bits_at_any_thread_count(window, strides, c, m):
    g = case((33, 29), (window, window), strides, pads=((1, 1), (1, 1)))
    rng = np.random.default_rng(0)
    n = 1 if c == 256 else 7  # one image: tasks are shares of the channels
    x = rng.standard_normal((n, *g.sizes, c)).astype("float32")
    k = rng.standard_normal((*g.window, c, m)).astype("float32")
    y = rng.standard_normal((n, *g.out, c * m)).astype("float32")
    for name, ins, shape in (
        ("depthwise_conv", (x, k), y.shape),
        ("depthwise_conv_grad_input", (y, k), x.shape),
        ("depthwise_conv_grad_kernel", (x, y), k.shape),
    ):
        assert len({run(name, None, ins, shape, g, threads).tobytes() for threads in (1, 2, 3, 8)}) == 1, name
