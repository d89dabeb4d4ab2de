"""Matrix products against float64 NumPy at tile edges, on every ISA, with the same bits at any thread count."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core
from kerasish.ops.epilogue import PRODUCT_EPILOGUES

from .bounds import within
from .calls import before_no_memory

LINEAR, RELU = 0, 1
DTYPES = ("float32", "float64")
# Rows and columns of the register tile by ISA; float64 has half the columns. Blocks of k have at most 2048.
TILES = {"scalar": (4, 8), "neon": (6, 16), "avx2": (6, 16), "avx512": (14, 32)}
# Products with few columns have tiles of their own, of other heights.
NARROW_ROWS = {"scalar": 4, "neon": 6, "avx2": 6, "avx512": 12}


def run(name, ins, shape, i, isa=None, threads=2):
    core.set_num_threads(threads)
    try:
        dtype = str(ins[0].dtype)
        # A frame around the output shows what is written outside.
        size = int(np.prod(shape))
        frame = np.full(size + 128, 777, dtype)
        out = frame[64 : 64 + size].reshape(shape)
        core.run(core.find(name, dtype, isa), tuple(before_no_memory(x) for x in ins), (out,), i, (), name)
        assert (frame[:64] == 777).all()
        assert (frame[64 + size :] == 777).all()
        return out
    finally:
        core.set_num_threads(0)


def data(shape, dtype, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def operands(m, n, k, dtype, batch_a=(), batch_b=(), ta=False, tb=False):
    """(as stored, as multiplied) of both matrices."""
    a, b = data((*batch_a, m, k), dtype), data((*batch_b, k, n), dtype, 1)
    stored = [x.swapaxes(-1, -2).copy() if t else x for x, t in ((a, ta), (b, tb))]
    return stored, a, b


def check(got, a, b, start=0.0, activation=LINEAR):
    a, b = a.astype("float64"), b.astype("float64")
    want = a @ b + start
    size = np.abs(a) @ np.abs(b) + np.abs(start)
    if activation == RELU:
        want = np.maximum(want, 0)
    within("matmul", got, want, size=size, k=a.shape[-1])


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_tile_edges(isa, dtype):
    mr, nr = TILES[isa]
    nr = nr if dtype == "float32" or isa == "scalar" else nr // 2
    nr = nr if isa != "scalar" or dtype == "float32" else 4
    for m in (5, mr - 1, mr, mr + 1, 2 * mr + 3):
        for n in (5, nr // 2, nr // 2 + 1, nr - 1, nr, nr + 1, 2 * nr + 3):
            for k in (1, 2, 15, 16, 17):
                (x1, x2), a, b = operands(m, n, k, dtype)
                check(run("matmul", (x1, x2), (m, n), (0, 0, LINEAR), isa), a, b)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transpose", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_few_columns(isa, dtype, transpose):
    ta, tb = transpose
    mr = NARROW_ROWS[isa]
    for m in (7, 8, mr - 1, mr, mr + 1, 2 * mr - 1, 2 * mr + 3):
        for n in (5, 8, 10, 16, 17, 31, 33, 64, 65, 128, 129):
            for k in (1, 30, 257):
                (x1, x2), a, b = operands(m, n, k, dtype, ta=ta, tb=tb)
                bias = data((n,), dtype, 2)
                check(run("matmul", (x1, x2), (m, n), (ta, tb, LINEAR), isa), a, b)
                check(run("matmul", (x1, x2, bias), (m, n), (ta, tb, RELU), isa), a, b, bias, RELU)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_that_fill_no_vector(isa, dtype):
    """Tiles of C turned: whole ones, and one with fewer rows, for each number of columns that has code of its own."""
    for n in range(5, 14):
        for m, k in ((69, 33), (64, 7)):
            (x1, x2), a, b = operands(m, n, k, dtype, ta=True)
            bias = data((n,), dtype, 2)
            check(run("matmul", (x1, x2, bias), (m, n), (1, 0, RELU), isa), a, b, bias, RELU)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transpose", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_transposes_and_blocks(isa, dtype, transpose):
    ta, tb = transpose
    shapes = (
        (33, 70, 40), (61, 37, 511), (40, 40, 513), (150, 140, 1030), (150, 600, 65), (700, 90, 64),
        (17, 19, 4200), (9, 10, 4096), (30, 140, 1100), (70, 60, 2100), (24, 64, 300),
        (25, 64, 300),
    )  # fmt: skip
    for m, n, k in shapes:
        (x1, x2), a, b = operands(m, n, k, dtype, ta=ta, tb=tb)
        check(run("matmul", (x1, x2), (m, n), (ta, tb, LINEAR), isa), a, b)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("transpose", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_no_columns_and_sums_of_nothing(isa, transpose):
    ta, tb = transpose
    for m, n, k in ((9, 0, 5), (300, 0, 5), (0, 7, 5), (9, 7, 0), (300, 40, 0), (30, 200, 0)):
        (x1, x2), a, b = operands(m, n, k, "float32", ta=ta, tb=tb)
        bias = data((n,), "float32", 2)
        check(run("matmul", (x1, x2), (m, n), (ta, tb, LINEAR), isa), a, b)
        check(run("matmul", (x1, x2, bias), (m, n), (ta, tb, RELU), isa), a, b, bias, RELU)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_columns_and_a_long_sum(isa, dtype):
    """Sums in parts, whose chunks may end anywhere, with one and several tasks for the rows of each."""
    for m, k, n in ((64, 1153, 64), (61, 1100, 37), (256, 2100, 16), (300, 900, 10)):
        (x1, x2), a, b = operands(m, n, k, dtype, ta=True)
        bias = data((n,), dtype, 2)
        results = [run("matmul", (x1, x2, bias), (m, n), (1, 0, RELU), isa, threads) for threads in (1, 2, 3, 8)]
        check(results[0], a, b, bias, RELU)
        assert all(np.array_equal(results[0], x) for x in results[1:])


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_to_weights(isa, dtype):
    """Products of columns whose sums are cut: turned, as they are, wide, and with more rows than stay packed."""
    for m, k, n in ((64, 2048, 32), (70, 2111, 33), (130, 2050, 64), (40, 2100, 67), (16, 2060, 600), (270, 2048, 70)):
        (x1, x2), a, b = operands(m, n, k, dtype, ta=True)
        results = [run("matmul", (x1, x2), (m, n), (1, 0, LINEAR), isa, threads) for threads in (1, 2, 3, 64)]
        check(results[0], a, b)
        assert all(np.array_equal(results[0], x) for x in results[1:])
        bias = data((n,), dtype, 2)
        check(run("matmul", (x1, x2, bias), (m, n), (1, 0, RELU), isa), a, b, bias, RELU)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_or_columns_end_where_memory_ends(isa, dtype):
    for few in (1, 2, 4):
        for many, k in ((1, 1), (7, 3), (9, 10), (16, 17), (33, 5)):
            for m, n in ((few, many), (many, few)):
                for ta, tb in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    (x1, x2), a, b = operands(m, n, k, dtype, ta=ta, tb=tb)
                    check(run("matmul", (x1, x2), (m, n), (ta, tb, LINEAR), isa), a, b)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transpose", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_few_rows_or_columns(isa, dtype, transpose):
    ta, tb = transpose
    for few in (1, 2, 3, 4):
        for many in (1, 3, 4, 16, 33, 2049):
            for k in (1, 3, 4, 63, 64, 65, 130):
                for m, n in ((few, many), (many, few)):
                    (x1, x2), a, b = operands(m, n, k, dtype, ta=ta, tb=tb)
                    bias = data((n,), dtype, 2)
                    check(run("matmul", (x1, x2, bias), (m, n), (ta, tb, RELU), isa), a, b, bias, RELU)
    for m, n, k in ((1, 1, 100000), (1, 30, 40000), (3, 2, 70000), (2, 5000, 70)):
        (x1, x2), a, b = operands(m, n, k, dtype, ta=ta, tb=tb)
        check(run("matmul", (x1, x2), (m, n), (ta, tb, LINEAR), isa), a, b)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_bias_and_activation(isa, dtype):
    for m, n, k in ((30, 45, 20), (9, 8, 1030), (300, 200, 100), (20, 24, 9000)):
        (x1, x2), a, b = operands(m, n, k, dtype)
        bias = data((n,), dtype, 2) * 10
        check(run("matmul", (x1, x2, bias), (m, n), (0, 0, LINEAR), isa), a, b, bias)
        check(run("matmul", (x1, x2, bias), (m, n), (0, 0, RELU), isa), a, b, bias, RELU)
        check(run("matmul", (x1, x2), (m, n), (0, 0, RELU), isa), a, b, 0, RELU)


@pytest.mark.parametrize("isa", core.isas())
def test_relu_keeps_nan(isa):
    for m, n in ((20, 40), (1, 40), (40, 1)):
        x1, x2 = np.full((m, 8), np.nan, "float32"), np.ones((8, n), "float32")
        assert np.isnan(run("matmul", (x1, x2), (m, n), (0, 0, RELU), isa)).all()


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_broadcast(isa, dtype):
    for batch_a, batch_b in (
        ((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 1, 2), (3, 1)), ((5,), (5,)), ((70,), (70,)),
    ):  # fmt: skip
        batch = np.broadcast_shapes(batch_a, batch_b)
        for ta, tb in ((0, 0), (0, 1), (1, 0)):
            for m, n, k in ((6, 7, 5), (1, 9, 33), (9, 1, 33), (20, 40, 30)):
                (x1, x2), a, b = operands(m, n, k, dtype, batch_a, batch_b, ta, tb)
                check(run("matmul", (x1, x2), (*batch, m, n), (ta, tb, LINEAR), isa), a, b)
    (x1, x2), a, b = operands(120, 130, 140, dtype, (3,), (3,))  # large products, one after the other
    check(run("matmul", (x1, x2), (3, 120, 130), (0, 0, LINEAR), isa), a, b)


@pytest.mark.parametrize("isa", core.isas())
def test_empty_arrays(isa):
    for shape_a, shape_b, shape in (
        ((0, 3), (3, 2), (0, 2)),
        ((2, 3), (3, 0), (2, 0)),
        ((0, 2, 3), (3, 2), (0, 2, 2)),
        ((0, 2, 3), (0, 3, 2), (0, 2, 2)),
        ((0, 0), (0, 0), (0, 0)),
    ):
        assert run("matmul", (data(shape_a, "float32"), data(shape_b, "float32")), shape, (0, 0, 0), isa).shape == shape
    bias = data((2,), "float32")
    for m in (1, 20):
        x1, x2 = np.zeros((m, 0), "float32"), np.zeros((0, 2), "float32")
        assert (run("matmul", (x1, x2), (m, 2), (0, 0, 0), isa) == 0).all()
        np.testing.assert_array_equal(run("matmul", (x1, x2, bias), (m, 2), (0, 0, 0), isa), np.tile(bias, (m, 1)))


def contract_numbers(left, right, out, x1, x2):
    """i[] of `contract` from labels, as gemm.c documents it."""
    size = {**dict(zip(left, x1.shape)), **dict(zip(right, x2.shape))}
    a = {c: s // x1.itemsize for c, s in zip(left, x1.strides)}
    b = {c: s // x2.itemsize for c, s in zip(right, x2.strides)}
    groups = (
        [c for c in out if c in left and c in right],
        [c for c in out if c not in right],
        [c for c in out if c not in left],
        [c for c in left if c not in out],
    )
    return (*map(len, groups), *(n for g in groups for c in g for n in (size[c], a.get(c, 0), b.get(c, 0))))


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "labels",
    ["ij,jk,ik", "ji,kj,ik", "i,i,", "i,j,ij", "aib,bja,ij", "bthd,bshd,bhts", "bhts,bshd,bhtd", "imj,jnm,in",
     "xaybz,bnya,xzn", "dab,cbda,c", "abc,cd,abd", "cba,dc,abd"],
)  # fmt: skip
def test_contraction(isa, dtype, labels):
    left, right, out = labels.split(",")
    sizes = dict(zip("abcdhijkmnstxyz", (3, 4, 5, 6, 2, 9, 33, 17, 4, 18, 7, 8, 2, 3, 5)))
    x1, x2 = data([sizes[c] for c in left], dtype), data([sizes[c] for c in right], dtype, 1)
    shape = tuple(sizes[c] for c in out)
    got = run("contract", (x1, x2), shape, contract_numbers(left, right, out, x1, x2), isa)
    x1, x2 = x1.astype("float64"), x2.astype("float64")
    want, size = (np.einsum(f"{left},{right}->{out}", f(x1), f(x2)) for f in (np.array, np.abs))
    within("contract", got, want, size=size, k=int(np.prod([sizes[c] for c in left if c not in out])))


@pytest.mark.parametrize("isa", core.isas())
def test_same_bits_at_any_thread_count(isa):
    shapes = (
        (128, 512, 784), (300, 300, 300), (64, 32, 20000), (1, 3000, 300), (2, 20, 50000), (3000, 3, 100),
        (20, 2000, 600), (700, 10, 900), (90, 48, 9000), (1500, 150, 600), (40, 1500, 530), (60, 130, 1000),
        (400, 20, 900),
    )  # fmt: skip
    for m, n, k in shapes:
        for ta, tb in ((0, 0), (1, 0), (1, 1)):
            (x1, x2), a, b = operands(m, n, k, "float32", ta=ta, tb=tb)
            results = [run("matmul", (x1, x2), (m, n), (ta, tb, 0), isa, t) for t in (1, 2, 3, 8)]
            assert len({y.tobytes() for y in results}) == 1, (m, n, k)
            check(results[-1], a, b)  # rows and columns are cut to suit the threads
    for batch, m, n, k in ((40, 50, 60, 70), (5000, 1, 4, 9), (300, 40, 1, 30)):
        (x1, x2), _, _ = operands(m, n, k, "float32", (batch,), (batch,))
        results = {run("matmul", (x1, x2), (batch, m, n), (0, 0, 0), isa, t).tobytes() for t in (1, 2, 3, 8)}
        assert len(results) == 1, (batch, m, n, k)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_have_the_bits_of_their_own_kernels(isa, dtype):
    """In each engine: packed in blocks and in chunks of k, in batches, few columns by rows and by columns, few rows."""
    shapes = (
        ((), 150, 700, 1100, 0), ((), 40, 30, 4200, 0), ((40,), 20, 140, 30, 0), ((), 90, 30, 50, 0),
        ((), 64, 20, 1100, 1), ((5,), 30, 20, 40, 1), ((), 2, 5000, 30, 0), ((), 1, 1, 7, 0),
    )  # fmt: skip
    for code, name in enumerate(PRODUCT_EPILOGUES[1:], start=2):
        for batch, m, n, k, ta in shapes if name in ("tanh", "gelu") else shapes[3:5]:
            (x1, x2), _, _ = operands(m, n, k, dtype, batch, batch, ta=bool(ta))
            ins, out = (x1, x2, data((n,), dtype, 2)), (*batch, m, n)
            y = run("matmul", ins, out, (ta, 0, LINEAR), isa)
            want = np.empty_like(y)
            core.run(core.find(name, dtype, isa), (y,), (want,), (), (), name)
            for threads in (1, 3):
                np.testing.assert_array_equal(run("matmul", ins, out, (ta, 0, code), isa, threads), want)
