"""Convolution kernels against float64 NumPy, at the edges of tiles and blocks, on every ISA, at any thread count."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

from kerasish._core import core

from . import calls, references
from .bounds import within
from .windows import case

# geometry, (batch, channels, filters, groups)
CASES = [
    (case((6, 6), (3, 3)), (2, 3, 5, 1)),
    (case((6, 7), (3, 3), pads=((1, 1), (1, 1))), (2, 1, 32, 1)),
    (case((5, 5), (1, 1)), (3, 7, 33, 1)),
    (case((5, 6), (1, 1), (2, 2)), (3, 8, 4, 1)),  # cells that no output reads
    (case((7, 8), (3, 3), (2, 2), pads=((1, 1), (0, 1))), (2, 6, 8, 2)),
    (case((9, 8), (2, 4), (3, 1), pads=((0, 0), (1, 2))), (2, 5, 3, 1)),
    (case((9, 11), (3, 2), dilation=(2, 3), pads=((2, 2), (1, 2))), (2, 4, 6, 2)),
    (case((9, 12), (2, 3), (2, 4), (3, 2), ((1, 2), (2, 2))), (2, 4, 6, 1)),
    (case((3, 2), (5, 5), pads=((2, 2), (2, 2))), (2, 3, 4, 1)),  # a window larger than the input
    (case((12,), (3,), (2,), pads=((1, 0),)), (2, 4, 6, 1)),
    (case((8,), (3,), dilation=(2,), pads=((4, 0),)), (2, 6, 4, 2)),  # causal
    (case((4, 5, 6), (2, 3, 2), pads=((0, 1), (1, 1), (0, 1))), (2, 3, 4, 1)),
    (case((5, 5, 5), (3, 2, 3), (2, 1, 2), pads=((1, 1), (0, 0), (1, 1))), (1, 4, 4, 2)),
    (case((5, 4), (2, 2), pads=((0, 3), (2, 5))), (1, 2, 2, 1)),  # pads as wide as the window and wider
    (case((1, 1), (1, 1)), (1, 1, 1, 1)),
    (case((4, 4), (3, 3), pads=((1, 1), (1, 1))), (2, 6, 6, 6)),  # a group for each channel
]
# Rows, columns and channels just below, at and above the tiles (12 x 32, 6 x 16, 4 x 4 and half as wide) and the limits
# that choose between algorithms.
EDGES = [(n, c, f) for n in (11, 12, 13, 28) for c in (31, 32, 33) for f in (15, 16, 17, 32, 33)]


def attrs(g):
    return (*g.flat(g.strides, g.dilation), *g.low)


def run(name, isa, ins, shape, g, threads=2, extra=()):
    out = [(shape, str(ins[0].dtype))]
    return calls.run(name, ins, out, (*attrs(g), *extra), isa=isa, threads=threads)[0]


LANES = {"avx512": 16, "avx2": 8, "neon": 4}  # of float32
WINOGRAD = "in Winograd's tiles"


def may_be_tiled(g, c, f, groups, dtype, isa):
    """Whether Winograd's tiles may take it: what conv/wino_plan.h can, of which it leaves out what would not pay."""
    lanes = LANES.get(isa or core.isa(), 0) // (1 if dtype == "float32" else 2)
    plain = g.window == (3, 3) and g.strides == (1, 1) and g.dilation == (1, 1) and groups == 1
    return plain and lanes > 0 and c % lanes == 0 and f % lanes == 0


@lru_cache(maxsize=4)  # the same for every ISA
def expected(g, n, c, f, groups, dtype):
    """(kernel, inputs, result in float64, sum of the sizes of its terms, number of terms) for each pass."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, *g.sizes, c)).astype(dtype)
    k = rng.standard_normal((*g.window, c // groups, f)).astype(dtype)
    dy = rng.standard_normal((n, *g.out, f)).astype(dtype)
    x64, k64, dy64 = (a.astype("float64") for a in (x, k, dy))
    xs, ks, dys = (np.abs(a).astype("float32") for a in (x, k, dy))
    return (
        ("conv", (x, k), references.conv(g, x64, k64), references.conv(g, xs, ks),
         k.size // f),
        ("conv_grad_input", (dy, k), references.conv_grad_input(g, x.shape, dy64, k64),
         references.conv_grad_input(g, x.shape, dys, ks), k.size // c if groups == 1 else None),
        ("conv_grad_kernel", (x, dy), references.conv_grad_kernel(g, x64, dy64, k.shape),
         references.conv_grad_kernel(g, xs, dys, k.shape), n * math.prod(g.out)),
    )  # fmt: skip


def check(g, n, c, f, groups, dtype, isa):
    for name, ins, want, size, terms in expected(g, n, c, f, groups, dtype):
        got = run(name, isa, ins, want.shape, g)
        if may_be_tiled(g, c, f, groups, dtype, isa):
            within(name, got, want, of=f"{WINOGRAD}, largest", k=terms)
            within(name, got, want, of=f"{WINOGRAD}, root mean square", k=terms)
        else:
            within(name, got, want, size=size, k=terms)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("g", "sizes"), CASES, ids=str)
def test_all_three_passes(g, sizes, dtype, isa):
    check(g, *sizes, dtype, isa)


# Few filters or few channels: overlap and add, the gradient to the kernel by its transpose.
NARROW = [
    (case((6, 7), (3, 3)), (3, 16, 1, 1)),
    (case((6, 7), (3, 3), pads=((1, 1), (1, 1))), (2, 16, 3, 1)),
    (case((7, 8), (3, 3), (2, 2), pads=((1, 1), (0, 1))), (2, 2, 32, 1)),
    (case((9, 11), (3, 2), (1, 3), (2, 2), ((2, 2), (1, 2))), (2, 1, 40, 1)),
    (case((9, 12), (2, 3), (2, 4), (3, 2), ((1, 2), (2, 2))), (2, 1, 33, 1)),
    (case((12,), (3,), (2,), pads=((1, 0),)), (2, 40, 2, 1)),
    (case((4, 5, 6), (2, 3, 2), (1, 2, 1), pads=((0, 1), (1, 1), (0, 1))), (2, 17, 2, 1)),
    (case((4, 5, 6), (2, 3, 2), (1, 2, 1), pads=((0, 1), (1, 1), (0, 1))), (2, 2, 17, 1)),
    (case((5, 4), (2, 2), pads=((0, 3), (2, 5))), (1, 20, 2, 1)),
    (case((4, 4), (3, 3)), (5, 33, 17, 1)),  # much padding in the gradient to the input
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("g", "sizes"), NARROW, ids=str)
def test_narrow(g, sizes, dtype, isa):
    check(g, *sizes, dtype, isa)


@pytest.mark.parametrize(("c", "f"), [(20, 1), (1, 20)])
def test_narrow_in_several_chunks_of_images(c, f):
    check(case((90, 90), (3, 3), pads=((1, 1), (1, 1))), 29, c, f, 1, "float32", None)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tile_edges(dtype, isa):
    for n, c, f in EDGES:
        check(case((1,), (1,)), n, c, f, 1, dtype, isa)
        check(case((2, 3), (3, 3), pads=((1, 1), (1, 1))), 2, c, f, 1, dtype, isa)


# Gradients to the kernel of first layers: tiles of several lines of taps, whole and partial vectors of filters, lines
# that end in the padding, more lines than a chunk has, parts that begin within an image.
FIRST = [
    (case((13, 11), (3, 3)), (3, 1, 32, 1)),
    (case((13, 11), (3, 3), pads=((1, 1), (1, 1))), (3, 1, 9, 1)),
    (case((13, 11), (3, 3), (2, 2), pads=((0, 1), (0, 1))), (3, 1, 47, 1)),
    (case((32, 30), (3, 3), pads=((1, 1), (1, 1))), (6, 3, 16, 1)),
    (case((13, 12), (3, 3), (2, 1), pads=((2, 2), (0, 2))), (3, 3, 17, 1)),
    (case((13, 12), (3, 3), dilation=(3, 1), pads=((3, 3), (1, 1))), (3, 3, 64, 1)),
    (case((9, 7), (3, 3), (4, 5), pads=((1, 1), (2, 1))), (2, 3, 33, 1)),
    (case((1, 1), (3, 3), pads=((2, 2), (3, 3))), (2, 3, 31, 1)),  # all of it in the padding but for one tap
    (case((28, 28), (5, 5)), (3, 1, 20, 1)),
    (case((12, 9), (5, 5), pads=((2, 2), (2, 2))), (2, 1, 48, 1)),
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("g", "sizes"), FIRST, ids=str)
def test_first_layers(g, sizes, dtype, isa):
    check(g, *sizes, dtype, isa)


@pytest.mark.parametrize("isa", core.isas())
def test_more_than_one_block_of_depth(isa):
    g = case((17, 15), (3, 3), pads=((1, 1), (1, 1)))
    check(g, 3, 65, 40, 1, "float32", isa)
    check(case((31, 30), (3, 3), (2, 2), pads=((0, 1), (0, 1))), 4, 3, 16, 1, "float32", isa)


# What decides between direct and packed products, and how direct ones are cut up.
WIDE = [
    (case((3, 4), (1, 1)), (3, 513, 33, 1)),  # a tap in two runs
    (case((3, 3), (3, 3), pads=((1, 1), (1, 1))), (2, 455, 5, 1)),  # 4095 rows of the kernel: direct
    (case((3, 3), (3, 3), pads=((1, 1), (1, 1))), (2, 456, 18, 1)),  # 4104: packed
    (case((5, 5), (3, 3), (2, 2), pads=((1, 1), (1, 1))), (2, 3, 520, 1)),  # packed, but for a stride
    (case((6, 6), (3, 3), pads=((1, 1), (1, 1))), (1, 128, 256, 1)),  # columns are shared out before rows
    (case((7, 6), (3, 3), pads=((1, 1), (0, 2))), (2, 9, 64, 1)),  # outer products
    (case((7, 6), (3, 3), pads=((1, 1), (0, 2))), (2, 9, 65, 1)),  # g packed
    (case((15, 14), (3, 3), (2, 1), pads=((1, 1), (0, 2))), (3, 10, 150, 2)),  # the same in groups
    (case((17, 13), (1, 1)), (3, 10, 200, 2)),  # lines that images share, and a part of one
    (case((7, 6), (3, 3), pads=((1, 1), (0, 2))), (2, 9, 129, 1)),  # both packed
    (case((2, 400), (1, 3), pads=((0, 0), (1, 1))), (2, 3, 40, 1)),  # lines longer than a chunk of cells
    (case((40, 40), (3, 3), pads=((1, 1), (1, 1))), (3, 16, 16, 1)),  # several chunks of lines, several parts
    # few channels, cells by lines: tiles of each height, overlapping ones, stride 2, borders of each kind
    (case((4, 28), (3, 3), pads=((2, 0), (0, 0))), (2, 1, 40, 1)),
    (case((5, 32), (3, 3), pads=((1, 1), (1, 1))), (2, 3, 17, 1)),
    (case((9, 55), (3, 4), (2, 2), pads=((1, 1), (2, 3))), (2, 3, 33, 1)),
    (case((3, 17), (2, 2)), (2, 3, 9, 1)),
    (case((3, 4, 8), (2, 2, 3), pads=((1, 0), (0, 1), (1, 1))), (2, 3, 18, 1)),
    # more channels by lines: dilation, long lines in pieces and with borders, all cells as one line
    (case((7, 28), (3, 3), dilation=(2, 3), pads=((2, 2), (3, 3))), (2, 9, 40, 1)),
    (case((3, 260), (3, 3), (2, 1), pads=((1, 1), (1, 1))), (1, 40, 70, 1)),
    (case((9, 23), (1, 1)), (3, 20, 70, 1)),
    (case((9, 23), (1, 1), pads=((1, 0), (2, 3))), (3, 20, 70, 1)),
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(("g", "sizes"), WIDE, ids=str)
def test_the_choice_of_algorithms(g, sizes, isa):
    check(g, *sizes, "float32", isa)


# The gradient to the input for stride 2, even and odd columns together where the channels are half of a panel: columns
# that only one of them meets, none that do, an even column left over, dilation, copies at both borders.
PAIRS = [
    (case((6, 32), (3, 3), (2, 2), pads=((0, 1), (0, 1))), 40),
    (case((5, 29), (3, 3), (2, 2), pads=((1, 1), (1, 1))), 3),
    (case((4, 28), (1, 1), (2, 2)), 17),
    (case((3, 16), (2, 5), (1, 2), pads=((1, 0), (3, 2))), 5),
    (case((4, 5, 55), (2, 2, 4), (2, 1, 2), (1, 2, 3), ((0, 1), (1, 1), (5, 4))), 6),
    (case((33,), (2,), (2,), (2,)), 9),
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(("g", "f"), PAIRS, ids=str)
def test_pairs_of_columns(g, f, isa):
    for c in (4, 8, 16):
        for dtype in ("float32", "float64"):
            check(g, 2, c, f, 1, dtype, isa)


# Winograd's tiles: images that tiles fill and that they do not, padding of each width, one vector of filters left over,
# tiles that fill no register tile, several blocks of tiles, several parts and several shares of filters.
TILES = [
    (case((8, 8), (3, 3), pads=((1, 1), (1, 1))), (3, 16, 48, 1)),
    (case((13, 9), (3, 3)), (8, 32, 16, 1)),
    (case((7, 8), (3, 3), pads=((2, 0), (0, 2))), (2, 48, 32, 1)),
    (case((10, 11), (3, 3), pads=((2, 2), (1, 0))), (11, 16, 16, 1)),
    (case((14, 14), (3, 3), pads=((1, 1), (1, 1))), (21, 16, 32, 1)),
    (case((8, 8), (3, 3), pads=((1, 1), (1, 1))), (64, 128, 160, 1)),
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(("g", "sizes"), TILES, ids=str)
def test_winograd_tiles(g, sizes, isa):
    check(g, *sizes, "float32", isa)
    if sizes[0] < 20:
        check(g, *sizes, "float64", isa)


# The gradient to the input by tiles of g: whole and clipped ones, a task of many images and of one, as many tiles as an
# image may have, more than it may, a window that reaches beyond dx.
SPREAD = [
    (case((10, 10), (3, 3)), (21, 16, 32, 1)),
    (case((13, 13), (3, 3)), (7, 48, 16, 1)),
    (case((9, 14), (3, 3)), (2, 32, 48, 1)),
    (case((6, 18), (3, 3)), (3, 16, 16, 1)),
    (case((34, 34), (3, 3)), (2, 16, 16, 1)),
    (case((38, 33), (3, 3)), (1, 16, 16, 1)),
    (case((13, 13), (3, 3), pads=((0, 1), (0, 0))), (2, 16, 16, 1)),
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(("g", "sizes"), SPREAD, ids=str)
def test_winograd_tiles_that_are_spread(g, sizes, isa):
    check(g, *sizes, "float32", isa)
    check(g, *sizes, "float64", isa)


@pytest.mark.parametrize("pad", [1, 0])
def test_the_error_of_winograd_tiles(pad):
    # conv/wino_plan.h states it: the root mean square error is below twice that of a direct sum, for all three passes.
    g, (n, c, f, _) = case((16, 16), (3, 3), pads=((pad, pad), (pad, pad))), (4, 64, 64, 1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 16, 16, c)).astype("float32")
    y = rng.standard_normal((n, 14 + 2 * pad, 14 + 2 * pad, f)).astype("float32")
    k = rng.standard_normal((3, 3, c, f)).astype("float32")
    x64, y64, k64 = (a.astype("float64") for a in (x, y, k))
    for name, ins, want, terms in (
        ("conv", (x, k), references.conv(g, x64, k64), 9 * c),
        ("conv_grad_input", (y, k), references.conv_grad_input(g, x.shape, y64, k64), 9 * f),
        ("conv_grad_kernel", (x, y), references.conv_grad_kernel(g, x64, y64, k.shape), y.size // f),
    ):
        got = run(name, None, ins, want.shape, g)
        within(name, got, want, of=f"{WINOGRAD}, largest", k=terms)
        within(name, got, want, of=f"{WINOGRAD}, root mean square", k=terms)


@pytest.mark.parametrize("pad", [1, 0])
def test_an_image_has_the_same_bits_in_any_batch(pad):
    g = case((10, 10), (3, 3), pads=((pad, pad), (pad, pad)))
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((7, side, side, 32)).astype("float32") for side in (10, 8 + 2 * pad))
    k = rng.standard_normal((3, 3, 32, 32)).astype("float32")
    for name, source, shape in (("conv", x, y.shape), ("conv_grad_input", y, x.shape)):
        all_of_them = run(name, None, (source, k), shape, g)
        alone = run(name, None, (source[3:4].copy(), k), (1, *shape[1:]), g)
        assert alone.tobytes() == all_of_them[3:4].tobytes(), name


# groups; overlap; packed; Winograd's tiles
@pytest.mark.parametrize(("c", "kc", "f"), [(4, 2, 6), (40, 40, 2), (460, 460, 9), (16, 16, 48)])
def test_bias_and_activation(c, kc, f):
    g = case((7, 8), (3, 3))
    rng = np.random.default_rng(0)
    x, k = rng.standard_normal((2, 7, 8, c)), rng.standard_normal((3, 3, kc, f))
    bias = rng.standard_normal(f)
    want = references.conv(g, x, k) + bias
    size = references.conv(g, np.abs(x), np.abs(k)) + np.abs(bias)
    tiled = may_be_tiled(g, kc, f, c // kc, "float64", None)
    bounds = {"of": f"{WINOGRAD}, largest", "k": 9 * kc} if tiled else {"size": size, "k": 9 * kc}
    within("conv", run("conv", None, (x, k, bias), want.shape, g), want, **bounds)
    got = run("conv", None, (x, k, bias), want.shape, g, extra=(1,))
    within("conv", got, np.maximum(want, 0), **bounds)


def test_bias_and_activation_of_few_channels():
    g = case((5, 26), (3, 3), pads=((1, 1), (0, 1)))
    rng = np.random.default_rng(0)
    x, k, bias = rng.standard_normal((2, 5, 26, 3)), rng.standard_normal((3, 3, 3, 21)), rng.standard_normal(21)
    want = np.maximum(references.conv(g, x, k) + bias, 0)
    size = references.conv(g, np.abs(x), np.abs(k)) + np.abs(bias)
    within("conv", run("conv", None, (x, k, bias), want.shape, g, extra=(1,)), want, size=size)


@pytest.mark.parametrize(("n", "c", "f"), [(0, 2, 3), (2, 0, 3), (2, 2, 0)])
def test_empty_arrays(n, c, f):
    g = case((5, 5), (3, 3), (2, 2), pads=((1, 1), (1, 1)))
    x, k = np.ones((n, 5, 5, c), "float32"), np.ones((3, 3, c, f), "float32")
    y = np.ones((n, 3, 3, f), "float32")
    assert not run("conv", None, (x, k), y.shape, g).any() or (n and c and f)
    assert not run("conv_grad_input", None, (y, k), x.shape, g).any()
    assert not run("conv_grad_kernel", None, (x, y), k.shape, g).any()


@pytest.mark.parametrize(
    ("g", "sizes"),
    [
        (case((13, 13), (3, 3)), (8, 32, 64, 1)),
        (case((30, 31), (3, 3), (2, 2), pads=((0, 1), (1, 1))), (5, 24, 20, 2)),
        (case((28, 28), (3, 3)), (16, 1, 32, 1)),
        (case((32, 32), (3, 3), pads=((1, 1), (1, 1))), (8, 3, 16, 1)),
        (case((16, 16), (1, 1)), (8, 32, 64, 1)),
        (case((28, 28), (3, 3)), (16, 32, 2, 1)),
        (case((16, 16), (3, 3), pads=((1, 1), (1, 1))), (12, 128, 256, 1)),
        (case((16, 16), (3, 3), pads=((1, 1), (1, 1))), (12, 100, 200, 1)),
        (case((13, 13), (3, 3)), (8, 24, 40, 1)),
        (case((32, 32), (3, 3), (2, 2), pads=((0, 1), (0, 1))), (8, 16, 40, 1)),
    ],
    ids=str,
)
def test_same_bits_at_any_thread_count(g, sizes):
    n, c, f, groups = sizes
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, *g.sizes, c)).astype("float32")
    k = rng.standard_normal((*g.window, c // groups, f)).astype("float32")
    y = rng.standard_normal((n, *g.out, f)).astype("float32")
    for name, ins, shape in (
        ("conv", (x, k), y.shape),
        ("conv_grad_input", (y, k), x.shape),
        ("conv_grad_kernel", (x, y), k.shape),
    ):
        assert len({run(name, None, ins, shape, g, threads).tobytes() for threads in (1, 2, 3, 8, 24)}) == 1, name
