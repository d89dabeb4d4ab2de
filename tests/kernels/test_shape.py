"""Kernels that move elements (csrc/shape), against NumPy, for every element size, ISA and thread count."""

import itertools

import numpy as np
import pytest

from kerasish._core import core

from . import calls
from .bounds import within

DTYPES = ("bool", "uint8", "float16", "int32", "float32", "int64", "float64")
ISAS = core.isas()


@pytest.fixture(params=(1, 3), ids=lambda n: f"threads{n}")
def threads(request):
    core.set_num_threads(request.param)
    yield request.param
    core.set_num_threads(0)


def numbers(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return rng.integers(0, 120, shape).astype(dtype)


def run(name, ins, out_shape, i=(), f=(), isa=None, fill=None):
    out = [(out_shape, str(ins[0].dtype))]
    return calls.run(name, ins, out, i, f, isa, threads=0, fill=1 if fill is None else fill)[0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_transpose_every_permutation_of_small_shapes(isa, dtype):
    for shape in [(), (1,), (5,), (3, 4), (0, 4), (2, 3, 4), (17, 1, 9), (8, 16, 8), (2, 3, 2, 5)]:
        x = numbers(shape, dtype)
        for perm in itertools.permutations(range(len(shape))):
            want = x.transpose(perm)
            within("transpose", run("transpose", (x,), want.shape, perm, isa=isa), want)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
def test_transpose_at_tile_edges(isa, dtype):
    for m, n in itertools.product((1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 65, 69, 133), repeat=2):
        x = numbers((m, n), dtype)
        np.testing.assert_array_equal(run("transpose", (x,), (n, m), (1, 0), isa=isa), x.T)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_transpose_to_rows_that_crowd_the_cache(isa, dtype):
    """Rows of the result a multiple of 1 KB apart: by squares of lines, and what is left of rows and columns."""
    for n in (7, 8, 15, 16, 17, 33, 79, 80, 81, 130):
        for shape, perm in (((256, n), (1, 0)), ((20, 64, n), (2, 1, 0)), ((37, 128, n), (2, 1, 0))):
            x = numbers(shape, dtype)
            want = x.transpose(perm)
            np.testing.assert_array_equal(run("transpose", (x,), want.shape, perm, isa=isa), want)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_channels_of_images_to_the_back_and_to_the_front(channels, dtype, isa):
    for size in ((3, 5), (4, 4), (1, 17), (7, 9)):
        x = numbers((2, channels, *size), dtype)
        back = x.transpose(0, 2, 3, 1)
        got = run("transpose", (x,), back.shape, (0, 2, 3, 1), isa=isa)
        np.testing.assert_array_equal(got, back)
        np.testing.assert_array_equal(run("transpose", (got,), x.shape, (0, 3, 1, 2), isa=isa), x)


@pytest.mark.parametrize("shape", [(70001, 3), (3, 70001), (300, 333), (131072, 1), (5, 40000, 2), (40000, 2, 5)])
def test_transpose_of_shapes_that_are_cut_into_tasks(shape, threads):
    x = numbers(shape, "float32")
    for perm in itertools.permutations(range(len(shape))):
        want = x.transpose(perm)
        np.testing.assert_array_equal(run("transpose", (x,), want.shape, perm), want)


def test_transpose_of_eight_dimensions():
    x = numbers((2, 3, 2, 1, 2, 3, 2, 2), "float32")
    perm = (7, 2, 5, 0, 3, 6, 1, 4)
    np.testing.assert_array_equal(run("transpose", (x,), x.transpose(perm).shape, perm), x.transpose(perm))


def test_rearrange_splits_transposes_and_merges(threads):
    x = numbers((4, 60, 70, 6), "float32")
    factors, perm = (4, 30, 2, 35, 2, 3, 2), (0, 1, 3, 2, 4, 6, 5)
    want = x.reshape(factors).transpose(perm).reshape(4, 30, 35, 24)
    within("rearrange", run("rearrange", (x,), want.shape, (7, *factors, *perm)), want)
    with pytest.raises(RuntimeError, match="refused its arguments"):
        run("rearrange", (x,), x.shape, (1, 5, 0))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [-9, -3, -1, 0, 1, 2, 9])
def test_triangles(isa, dtype, k):
    for shape in [(1, 1), (4, 4), (3, 7), (7, 3), (2, 3, 5, 4), (2, 0, 3)]:
        x = numbers(shape, dtype) + np.asarray(1, dtype)
        within("tril", run("tril", (x,), shape, (k,), isa=isa), np.tril(x, k))
        within("triu", run("triu", (x,), shape, (k,), isa=isa), np.triu(x, k))


@pytest.mark.parametrize("dtype", DTYPES)
def test_concatenate_and_split(dtype, threads):
    for shapes, axis in [([(2, 3), (2, 1), (2, 0), (2, 5)], 1), ([(4,), (3,)], 0), ([(2, 0, 3), (2, 0, 1)], 2),
                         ([(1, 70000), (3, 70000)], 0), ([(50000, 2), (50000, 1)], 1),
                         ([(900, 30), (900, 5), (900, 1), (900, 64)], 1), ([(9, 5000), (9, 300)], 1)]:  # fmt: skip
        parts = [numbers(s, dtype, seed) for seed, s in enumerate(shapes)]
        whole = np.concatenate(parts, axis)
        within("concatenate", run("concatenate", parts, whole.shape, (axis,)), whole)
        outs = tuple(core.empty(s, dtype) for s in shapes)
        core.run(core.find("split", dtype), (whole,), outs, (axis,))
        for got, want in zip(outs, parts):
            within("split", got, want)


SLICES = [
    ((10,), (slice(2, 9, 3),)),
    ((10,), (slice(9, None, -2),)),
    ((4, 6, 5), (slice(1, 4), slice(None, None, 2), slice(4, 0, -1))),
    ((4, 6, 5), (slice(1, 3), slice(2, 4), slice(None))),
    ((4, 6), (slice(2, 2), slice(None))),
    ((3, 50000), (slice(None), slice(1, 49999))),
    ((200, 300), (slice(None, None, -1), slice(None, None, 3))),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape,key", SLICES, ids=str)
def test_strided_slices_and_what_writes_them_back(shape, key, dtype, threads):
    x = numbers(shape, dtype)
    bounds = [s.indices(n) for s, n in zip(key, shape)]
    want = x[key]
    i = [b[0] for b in bounds] + [b[2] for b in bounds] + list(want.shape)
    within("strided_slice", run("strided_slice", (x,), want.shape, i), want)
    scattered = np.zeros_like(x)
    scattered[key] = want
    within("strided_slice_grad", run("strided_slice_grad", (want,), shape, i), scattered)
    updated = x.copy()
    updated[key] = 1
    within("strided_update", run("strided_update", (x, np.ones(want.shape, dtype)), shape, i, fill=0), updated)


def test_strided_update_in_place():
    x = numbers((4, 5), "float32")
    want = x.copy()
    want[1:3, 0:4:2] = 7
    u = np.full((2, 2), 7, "float32")
    core.run(core.find("strided_update", "float32"), (x, u), (x,), (1, 0, 1, 2, 2, 2))
    np.testing.assert_array_equal(x, want)


def test_a_slice_that_leaves_the_array_is_refused():
    with pytest.raises(RuntimeError, match="the kernel refused its arguments"):
        run("strided_slice", (numbers((4,), "float32"),), (3,), (2, 1, 3))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_flip_and_roll(isa, dtype):
    for shape in [(1,), (7,), (3, 4), (2, 0), (2, 3, 5), (3, 33, 2)]:
        x = numbers(shape, dtype)
        for which in itertools.product((0, 1), repeat=len(shape)):
            axes = tuple(d for d, w in enumerate(which) if w)
            within("flip", run("flip", (x,), shape, which, isa=isa), np.flip(x, axes))
            shift = [(w * 2 + d) % max(1, n) for d, (w, n) in enumerate(zip(which, shape))]
            want = np.roll(x, shift, tuple(range(len(shape))))
            within("roll", run("roll", (x,), shape, shift, isa=isa), want)


def test_flip_and_roll_in_parallel(threads):
    x = numbers((3, 100003), "float32")
    np.testing.assert_array_equal(run("flip", (x,), x.shape, (1, 1)), np.flip(x))
    np.testing.assert_array_equal(run("roll", (x,), x.shape, (2, 777)), np.roll(x, (2, 777), (0, 1)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [-2, 0, 1, 6])
def test_diagonal_and_its_inverse(dtype, offset):
    for shape in [(4, 4), (3, 6), (6, 3), (2, 4, 3), (2, 3, 4, 5)]:
        x = numbers(shape, dtype)
        for a, b in itertools.permutations(range(len(shape)), 2):
            want = np.diagonal(x, offset, a, b)
            within("diagonal", run("diagonal", (x,), want.shape, (offset, a, b)), want)
            back = run("diagonal_put", (np.ascontiguousarray(want),), shape, (offset, a, b))
            within("diagonal_put", np.diagonal(back, offset, a, b), want)
            assert back.astype("int64").sum() == want.astype("int64").sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_broadcast_tile_repeat(dtype, threads):
    for shape, target in [((), (3,)), ((1,), (0,)), ((3, 1), (3, 5)), ((1, 4), (6, 4)), ((2, 1, 3), (4, 2, 70, 3)),
                          ((1, 70000), (3, 70000)), ((70000, 1), (70000, 3))]:  # fmt: skip
        x = numbers(shape, dtype)
        within("broadcast_to", run("broadcast_to", (x,), target), np.broadcast_to(x, target))
    for shape, times in [((3,), (4,)), ((3,), (0,)), ((2, 3), (3, 1)), ((2, 3), (2, 2)), ((1, 5, 2), (2, 3, 4)),
                         ((200, 3), (3, 100))]:  # fmt: skip
        x = numbers(shape, dtype)
        within("tile", run("tile", (x,), np.tile(x, times).shape, times), np.tile(x, times))
    for shape, n, axis in [((3,), 2, 0), ((3, 4), 3, 0), ((3, 4), 3, 1), ((2, 3, 4), 0, 1), ((300, 70), 9, 1)]:
        x = numbers(shape, dtype)
        want = np.repeat(x, n, axis)
        within("repeat", run("repeat", (x,), want.shape, (n, axis)), want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pad(dtype, threads):
    value = 1 if dtype == "bool" else 3
    bits = int(np.float16(value).view("uint16")) if dtype == "float16" else value
    for shape, widths in [((3,), [(1, 2)]), ((2, 3), [(0, 0), (2, 1)]), ((2, 0), [(1, 1), (1, 1)]),
                          ((2, 3, 2), [(1, 0), (0, 1), (2, 2)]), ((200, 300), [(3, 3), (3, 3)])]:  # fmt: skip
        x = numbers(shape, dtype)
        want = np.pad(x, widths, constant_values=value)
        got = run("pad", (x,), want.shape, [w[0] for w in widths] + [bits], (float(value),), fill=0)
        within("pad", got, want)


def test_pad_with_negative_widths_cuts():
    x = numbers((5, 6), "float32")
    got = run("pad", (x,), (4, 5), (-2, 1, 0), (9.0,))  # after: 1 and -2
    want = np.full((4, 5), 9, "float32")
    want[:3, 1:] = x[2:, :4]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("inner", [1, 3, 7, 8, 15, 16, 17, 40])
def test_resample(isa, dtype, inner, threads):
    rng = np.random.default_rng(0)
    for outer, n, length, taps in [(3, 5, 9, 2), (1, 9, 4, 5), (2, 4, 3, 4), (0, 4, 3, 1), (40, 30, 60, 2)]:
        x = rng.standard_normal((outer, n, inner)).astype(dtype)
        start = rng.integers(0, n - taps + 1, length)
        w = rng.standard_normal((length, taps))
        want, size = (
            sum(f(w[:, t, None] * x[:, start + t].astype("float64")) for t in range(taps)) for f in (np.array, np.abs)
        )
        got = run("resample", (x,), (outer, length, inner), (1, taps, *start), w.ravel().tolist(), isa)
        within("resample", got, want, size=size)


def test_resample_that_leaves_its_input_is_refused():
    x = np.ones((1, 4, 1), "float32")
    with pytest.raises(RuntimeError, match="refused its arguments"):
        run("resample", (x,), (1, 2, 1), (1, 2, 0, 3), (1.0,) * 4)
