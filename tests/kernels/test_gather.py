"""Kernels that read and write rows by index (csrc/embedding), against NumPy."""

import numpy as np
import pytest

from kerasish._core import core

from . import calls
from .bounds import within
from .calls import exact

DTYPES = ("uint8", "float16", "float32", "float64", "int64")
SUMS = ("float32", "float64", "int32", "int64")
INDEX = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@pytest.fixture(params=(1, 2, 3, 8), ids=lambda n: f"threads{n}")
def threads(request):
    core.set_num_threads(request.param)
    yield request.param
    core.set_num_threads(0)


def numbers(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 100, shape).astype(dtype) if np.dtype(dtype).kind in "iu" else rng.random(shape).astype(dtype)
    )


def wide(dtype):
    """Of what a reference is: all terms here are positive, so that a sum is the sum of their sizes."""
    return exact(np.zeros((), dtype)).dtype if np.dtype(dtype).kind == "f" else dtype


def run(name, dtype, ins, out_shape, i=(), out_dtype=None):
    return calls.run(name, ins, [(out_shape, out_dtype or dtype)], i, dtype=dtype, fill=9, threads=0)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("index_dtype", INDEX)
def test_gather(dtype, index_dtype):
    for shape, axis, ishape in [((7,), 0, (3,)), ((7, 3), 0, (2, 5)), ((2, 7, 4), 1, (6,)), ((2, 7), 1, ()),
                                ((2, 7, 0), 1, (4,)), ((2, 7), 0, (0,))]:  # fmt: skip
        x = numbers(shape, dtype)
        index = np.random.default_rng(1).integers(0, shape[axis], ishape).astype(index_dtype).reshape(ishape)
        want = np.take(x, index.astype("int64"), axis)
        within("gather", run("gather", dtype, (x, index), want.shape, (axis, 0)), want)


def test_gather_in_parallel(threads):
    x = numbers((3, 1000, 40), "float32")
    index = np.random.default_rng(1).integers(-1000, 1000, 777)
    want = np.take(x, index, 1)
    np.testing.assert_array_equal(run("gather", "float32", (x, index), want.shape, (1, 1)), want)


def test_gather_gives_zeros_for_what_it_is_told_to_drop():
    x, index = numbers((5, 2), "float32"), np.asarray([1, -1, 5, 4])
    want = np.stack([x[1], 0 * x[0], 0 * x[0], x[4]])
    np.testing.assert_array_equal(run("gather", "float32", (x, index), (4, 2), (0, 2)), want)
    back = run("gather_grad", "float32", (want + 1, index), (5, 2), (0, 2))
    assert (back[[0, 2, 3]] == 0).all() and (back[1] == x[1] + 1).all() and (back[4] == x[4] + 1).all()


def test_gather_reports_the_first_bad_index():
    x = numbers((5, 2), "float32")
    for index, negative, position, value in [([1, 5, -9], 0, 1, 5), ([1, -1], 0, 1, -1), ([-5, -6], 1, 1, -6)]:
        index = np.asarray(index, "int32")
        with pytest.raises(core.IndexOutOfRange) as e:
            run("gather", "float32", (x, index), (index.size, 2), (0, negative))
        assert (e.value.input, e.value.position, e.value.value, e.value.limit) == (1, position, value, 5)


def test_an_unsigned_index_past_int64_is_out_of_range():
    index = np.asarray([2**64 - 1], "uint64")
    with pytest.raises(core.IndexOutOfRange):
        run("gather", "float32", (numbers((5,), "float32"), index), (1,), (0, 0))


@pytest.mark.parametrize("dtype", SUMS)
def test_gather_grad_adds_repeated_rows(dtype, threads):
    for shape, axis, n in [
        ((7, 3), 0, 50),
        ((500, 64), 0, 3000),
        ((2, 7, 300), 1, 400),
        ((2, 9), 1, 12),
        ((4, 3), 0, 0),
    ]:
        index = np.random.default_rng(2).integers(0, shape[axis], n).astype("int32")
        g = numbers((*shape[:axis], n, *shape[axis + 1 :]), dtype)
        want = np.zeros(shape, wide(dtype))
        np.add.at(want, (slice(None),) * axis + (index,), g)
        got = run("gather_grad", dtype, (g, index), shape, (axis, 0))
        within("gather_grad", got, want, size=want)


def test_sums_have_the_same_bits_at_any_thread_count():
    index = np.random.default_rng(2).integers(0, 100, 5000)
    g = numbers((5000, 64), "float32")
    tuples, rows = index[:, None], np.zeros((100, 64), "float32")
    results = []
    try:
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            results.append(
                run("gather_grad", "float32", (g, index), (100, 64), (0, 0)).tobytes()
                + run("segment_reduce", "float32", (g, index), (100, 64), (1,)).tobytes()
                + run("scatter_update", "float32", (rows, tuples, g), (100, 64), (1, 0)).tobytes()
            )
    finally:
        core.set_num_threads(0)
    assert len(set(results)) == 1


@pytest.mark.parametrize(("rows", "inner", "count"), [(17, 1000, 300), (1001, 64, 4000), (5, 9000, 7)])
def test_indices_dealt_out_to_tasks_meet_in_their_order(rows, inner, count):
    """Ranges of rows that do not come out even, and indices of no row."""
    index, g = np.random.default_rng(4).integers(-2, rows + 2, count), numbers((count, inner), "float32")
    want, last = np.zeros((rows, inner), "float32"), np.zeros((rows, inner), "float32")
    for k, row in enumerate(index):
        if 0 <= row < rows:
            want[row] += g[k]
        last[np.clip(row, 0, rows - 1)] = g[k]
    assert run("gather_grad", "float32", (g, index), (rows, inner), (0, 2)).tobytes() == want.tobytes()
    tuples, base = np.clip(index, 0, rows - 1)[:, None], np.zeros((rows, inner), "float32")
    assert run("scatter_set", "float32", (base, tuples, g), (rows, inner), (0,)).tobytes() == last.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gather_nd(dtype):
    x = numbers((4, 5, 6), dtype)
    for k in (0, 1, 2, 3):
        index = np.stack([np.random.default_rng(d).integers(-n, n, (2, 7)) for d, n in enumerate(x.shape[:k])] or
                         [np.zeros((2, 7), int)], -1)[..., :k]  # fmt: skip
        want = x[tuple(np.moveaxis(index, -1, 0))] if k else np.broadcast_to(x, (2, 7, *x.shape))
        got = run("gather_nd", dtype, (x, np.ascontiguousarray(index)), want.shape, (1,))
        within("gather_nd", got, want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_take_along_axis(dtype, threads):
    for shape, axis, n in [
        ((5,), 0, 7),
        ((3, 4), 0, 2),
        ((3, 4), 1, 9),
        ((2, 3, 4), 1, 3),
        ((0, 3), 1, 2),
        ((50, 40, 30), 1, 40),
    ]:
        x = numbers(shape, dtype)
        ishape = (*shape[:axis], n, *shape[axis + 1 :])
        index = np.random.default_rng(3).integers(-shape[axis], shape[axis], ishape)
        got = run("take_along_axis", dtype, (x, index), ishape, (axis, 1))
        within("take_along_axis", got, np.take_along_axis(x, index, axis))


@pytest.mark.parametrize("dtype", SUMS)
def test_take_along_axis_grad(dtype, threads):
    for shape, axis, n in [((5,), 0, 7), ((3, 4), 0, 2), ((3, 4), 1, 9), ((2, 3, 4), 1, 3), ((900, 10, 10), 1, 20)]:
        ishape = (*shape[:axis], n, *shape[axis + 1 :])
        index = np.random.default_rng(3).integers(0, shape[axis], ishape)
        g = numbers(ishape, dtype)
        want = np.zeros(shape, wide(dtype))
        grid = list(np.meshgrid(*map(np.arange, ishape), indexing="ij"))
        grid[axis] = index
        np.add.at(want, tuple(grid), g)
        got = run("take_along_axis_grad", dtype, (g, index), shape, (axis, 0))
        within("take_along_axis_grad", got, want, size=want)


@pytest.mark.parametrize("dtype", SUMS)
def test_scatter_nd_and_updates(dtype, threads):
    rng = np.random.default_rng(5)
    for shape, k, n in [((6,), 1, 20), ((4, 3), 1, 9), ((4, 3), 2, 30), ((200, 100), 1, 900), ((3, 2, 2), 2, 0)]:
        index = np.stack([rng.integers(-d, d, n) for d in shape[:k]], -1)
        key = tuple(index.T)
        u = numbers((n, *shape[k:]), dtype) + np.asarray(1, dtype)
        want = np.zeros(shape, wide(dtype))
        np.add.at(want, key, u)
        out = core.empty(shape, dtype)
        core.run(core.find("scatter_nd", dtype), (index, u), (out,), (1,))
        within("scatter_nd", out, want, size=want)
        x = numbers(shape, dtype, 8)
        small = np.minimum(u, np.asarray(2, dtype))
        for op, ufunc in enumerate((None, np.add, np.maximum, np.minimum, np.multiply)):
            value = small if ufunc is np.multiply else u
            want = x.astype(wide(dtype))
            if ufunc is None:
                want[key] = value
            else:
                with np.errstate(over="ignore"):
                    ufunc.at(want, key, value)
            got = run("scatter_update", dtype, (x, index, value), shape, (op, 1))
            within("scatter_update", got, want, size=want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scatter_set_keeps_the_last(dtype):
    x = numbers((4, 2), dtype)
    index = np.asarray([[1], [3], [1]])
    u = numbers((3, 2), dtype, 1)
    want = x.copy()
    want[1], want[3] = u[2], u[1]
    within("scatter_set", run("scatter_set", dtype, (x, index, u), (4, 2), (0,)), want)


def test_scatter_reports_the_bad_index():
    out = core.empty((3, 2), "float32")
    with pytest.raises(core.IndexOutOfRange) as e:
        core.run(
            core.find("scatter_nd", "float32"), (np.asarray([[0, 1], [2, 2]]), np.ones(2, "float32")), (out,), (0,)
        )
    assert (e.value.position, e.value.value, e.value.limit) == (3, 2, 2)


@pytest.mark.parametrize("dtype", SUMS)
def test_segment_reduce(dtype, threads):
    x = numbers((2000, 33), dtype) + np.asarray(1, dtype)
    ids = np.random.default_rng(6).integers(-2, 60, 2000).astype("int32")
    least = -np.inf if np.dtype(dtype).kind == "f" else np.iinfo(dtype).min
    most = np.inf if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    for op, ufunc, start in [(1, np.add, 0), (2, np.maximum, least), (3, np.minimum, most)]:
        want = np.full((70, 33), start, wide(dtype))
        ok = (ids >= 0) & (ids < 70)
        ufunc.at(want, ids[ok], x[ok])
        within("segment_reduce", run("segment_reduce", dtype, (x, ids), (70, 33), (op,)), want, size=want)
    want = np.ones((3, 2), dtype)
    np.multiply.at(want, [0, 0, 2], np.asarray([[2, 3], [4, 5], [6, 7]], dtype))
    got = run(
        "segment_reduce", dtype, (np.asarray([[2, 3], [4, 5], [6, 7]], dtype), np.asarray([0, 0, 2])), (3, 2), (4,)
    )
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("op,pick", [(2, np.nanmax), (3, np.nanmin)])
def test_segment_extremes_keep_nan(op, pick):
    x = np.asarray([1.0, np.nan, 3.0, 5.0, 2.0], "float32")
    got = run("segment_reduce", "float32", (x, np.asarray([0, 0, 0, 1, 1])), (2,), (op,))
    assert np.isnan(got[0]) and got[1] == pick(x[3:])


@pytest.mark.parametrize("dtype", INDEX)
@pytest.mark.parametrize("out", ["bool", "uint8", "int32", "float16", "float32", "float64"])
def test_one_hot(dtype, out):
    x = np.asarray([[0, 3, 2], [5, 1, 4]], dtype)
    if dtype.startswith("int"):
        x[0, 0] = -1
    eye = (x[..., None] == np.arange(5)).astype(out)
    for axis in range(3):
        want = np.moveaxis(eye, -1, axis)
        within("one_hot", run("one_hot", dtype, (x,), want.shape, (axis,), out), want)


@pytest.mark.parametrize("dtype", INDEX)
def test_check_index(dtype):
    x, out = np.asarray([[0, 3], [4, 1]], dtype), core.empty((), "bool")
    out[...] = False
    core.run(core.find("check_index", dtype), (x,), (out,), (5,))
    within("check_index", out, np.array(True))
    with pytest.raises(core.IndexOutOfRange) as e:
        core.run(core.find("check_index", dtype), (x,), (out,), (4,))
    assert (e.value.input, e.value.position, e.value.value, e.value.limit) == (0, 2, 4, 4)


def test_one_hot_in_parallel(threads):
    x = numbers((5, 1000), "int32") % 40
    want = (x[..., None] == np.arange(33)).astype("float32")
    within("one_hot", run("one_hot", "int32", (x,), want.shape, (2,), "float32"), want)
