"""Weights packed once for many calls: the same bits as without, on every ISA; a form that does not fit is ignored."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

DTYPES = ("float32", "float64")
RELU = 1
PRODUCTS = [  # m, k, n, x2 transposed
    (1, 64, 48, False),
    (3, 40, 200, False),
    (100, 129, 131, False),
    (100, 129, 131, True),
    (500, 2100, 33, False),
    (33, 2500, 150, True),
]
CONVOLUTIONS = [  # x, kernel, strides; groups follow from the channels
    ((2, 9, 8, 16), (3, 3, 16, 32), 1),
    ((3, 12, 12, 32), (3, 3, 32, 48), 1),
    ((2, 10, 10, 3), (3, 3, 3, 20), 1),
    ((2, 11, 9, 6), (5, 3, 3, 8), 2),
    ((4, 7, 7, 40), (1, 1, 40, 33), 1),
    ((2, 8, 8, 64), (5, 5, 64, 2), 1),
    ((1, 4, 4, 520), (3, 3, 520, 70), 1),
    ((9, 20, 5), (4, 5, 12), 1),
]


def data(shape, dtype, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def packed_for(kernel, ins, outs, i, threads=2):
    """Input 1 as the packing kernel leaves it; None where the call reads it as it is."""
    found = kernel.packing(*(tuple((str(x.dtype), x.shape) for x in xs) for xs in (ins, outs)), i)
    if found is None:
        return None
    size, form = found
    frame = np.full(size + 128, 77, "uint8")
    pack = core.find(f"{kernel.name}_pack", kernel.dtype, kernel.isa)
    core.set_num_threads(threads)
    core.run(pack, (ins[1],), (frame[64 : 64 + size],), form)
    core.set_num_threads(0)
    assert (frame[:64] == 77).all()
    assert (frame[64 + size :] == 77).all()
    return frame[64 : 64 + size].copy()


def check(name, isa, ins, shapes, i, dtypes=None):
    """Whether a call of these shapes takes packed weights; it must give the same bits with them."""
    dtype = str(ins[0].dtype)
    kernel = core.find(name, dtype, isa)
    dtypes = dtypes or (dtype,) * len(shapes)

    def call(ins, packed=None, threads=2):
        core.set_num_threads(threads)
        outs = tuple(np.full(s, 7, d) for s, d in zip(shapes, dtypes))
        core.run(kernel, ins, outs, i, (), "", packed)
        core.set_num_threads(0)
        return outs

    def same(a, b):
        return all((x == y).all() for x, y in zip(a, b))

    want = call(ins)
    packed = packed_for(kernel, ins, want, i)
    if packed is None:
        return False
    assert (packed[:48] == packed_for(kernel, ins, want, i, threads=1)[:48]).all()
    # The weights themselves are not read any more.
    blind = (ins[0], np.full_like(ins[1], np.nan), *ins[2:])
    for threads in (1, 2):
        assert same(call(blind, packed, threads), want)
    assert same(call(blind, packed_for(kernel, ins, want, i, threads=1)), want)
    other = packed.copy()
    other[:8] = 255  # another form: the call packs for itself
    assert same(call(ins, other), want)
    return True


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_products(isa, dtype):
    taken = []
    for m, k, n, tb in PRODUCTS:
        x1, x2, bias = data((m, k), dtype), data((n, k) if tb else (k, n), dtype), data((n,), dtype)
        taken.append(check("matmul", isa, (x1, x2), ((m, n),), (0, int(tb), 0)))
        assert taken[-1] == check("matmul", isa, (x1, x2, bias), ((m, n),), (0, int(tb), RELU))
    assert sum(taken) >= 3
    assert not taken[0]  # one row is limited by memory, and reads the matrix as it is


@pytest.mark.parametrize("isa", core.isas())
def test_leading_dimensions_of_the_left_operand_are_rows(isa):
    assert check("matmul", isa, (data((6, 20, 64), "float32"), data((64, 200), "float32")), ((6, 20, 200),), (0, 0, 0))


@pytest.mark.parametrize("isa", core.isas())
def test_batches_of_matrices_are_read_as_they_are(isa):
    x1, x2 = data((4, 40, 64), "float32"), data((4, 64, 200), "float32")
    assert not check("matmul", isa, (x1, x2), ((4, 40, 200),), (0, 0, 0))


@pytest.mark.parametrize("isa", core.isas())
def test_contractions(isa):
    """x1 (b, k) times x2 (k, h, d), as the projections of attention are."""
    b, k, h, d = 60, 48, 8, 20
    i = (0, 1, 2, 1, b, k, 0, h, 0, d, d, 0, 1, k, 1, h * d)
    assert check("contract", isa, (data((b, k), "float32"), data((k, h, d), "float32")), ((b, h, d),), i)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_convolutions(isa, dtype):
    taken = []
    for shape, size, stride in CONVOLUTIONS:
        d = len(shape) - 2
        pads = [(k - 1) // 2 for k in size[:d]]
        cells = tuple((n + 2 * p - k) // stride + 1 for n, p, k in zip(shape[1:-1], pads, size))
        x, kernel, bias = data(shape, dtype), data(size, dtype, 1), data(size[-1:], dtype, 2)
        fill = 3 - d
        i = (*(1,) * fill, *(stride,) * d, *(1,) * 3, *(0,) * fill, *pads)
        out = (shape[0], *cells, size[-1])
        taken.append(check("conv", isa, (x, kernel), (out,), i))
        assert taken[-1] == check("conv", isa, (x, kernel, bias), (out,), (*i, RELU))
    assert all(taken[:5])
    assert sum(taken) >= len(taken) - 1


TRANSPOSED = [  # g, kernel (with the channels of the result before those of g), strides, dilation, groups
    ((2, 12, 12, 32), (3, 3, 48, 32), 1, 1, 1),
    ((2, 6, 5, 20), (3, 3, 40, 20), 2, 1, 1),
    ((2, 5, 5, 7), (5, 4, 3, 7), 3, 2, 1),
    ((1, 4, 4, 530), (3, 3, 70, 530), 1, 1, 1),
    ((2, 9, 9, 40), (3, 3, 3, 40), 1, 1, 1),
    ((3, 9, 24), (4, 33, 24), 2, 1, 2),
]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
def test_transposed_convolutions(isa, dtype):
    taken = []
    for shape, size, stride, dilation, groups in TRANSPOSED:
        d = len(shape) - 2
        cells = tuple((n - 1) * stride + (k - 1) * dilation + 1 for n, k in zip(shape[1:-1], size))
        g, kernel = data(shape, dtype), data(size, dtype, 1)
        fill = 3 - d
        i = (*(1,) * fill, *(stride,) * d, *(1,) * fill, *(dilation,) * d, *(0,) * 3)
        out = (shape[0], *cells, size[-2] * groups)
        taken.append(check("conv_grad_input", isa, (g, kernel), (out,), i))
    assert sum(taken) >= len(taken) - 1, taken


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [1, 17, 33, 70])
def test_recurrent_layers(isa, dtype, units):
    batch, time, whole = 3, 4, "int32" if dtype == "float32" else "int64"
    u = {gates: data((units, gates * units), dtype) for gates in (1, 3, 4)}
    x = {gates: data((batch, time, gates * units), dtype) for gates in (1, 3, 4)}
    h0, y = data((batch, units), dtype), (batch, units)

    def kept(per_step):
        return (batch, time, per_step * units)

    assert check("simple_rnn", isa, (x[1], u[1], h0), (y, kept(1)), (0, 0, 0), (dtype, whole))
    outs = (y, y, kept(4), kept(2)), (0, 1, 0), (dtype, dtype, whole, whole)
    assert check("lstm", isa, (x[4], u[4], h0, h0), *outs)
    for reset_after in (0, 1):
        ins = (x[3], u[3], data((3 * units,), dtype), h0)
        assert check("gru", isa, ins, (y, kept(3), kept(2)), (0, 0, reset_after), (dtype, whole, whole))
