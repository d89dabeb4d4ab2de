"""matmul and its relatives beyond the bare ops: ranks, dtypes, symbols, layouts, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol
from kerasish.ops.matmul import contract, contract_op, matmul_bias, matmul_bias_op, matmul_op

from .sample import rand


def close(got, want, rtol=1e-12):
    assert tuple(got.shape) == np.shape(want)
    np.testing.assert_allclose(got.numpy(), want, rtol=rtol, atol=rtol)


SHAPES = [
    ((4,), (4,)),
    ((4,), (4, 3)),
    ((3, 4), (4,)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 3)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (5, 4, 2)),
    ((0,), (0, 3)),
]


@pytest.mark.parametrize(("a", "b"), SHAPES)
def test_matmul_of_any_ranks(a, b):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.matmul(x, y), np.matmul(x, y))
    close(ops.convert_to_tensor(x) @ y, np.matmul(x, y))
    assert ops.matmul(Symbol(a, "float64"), y).shape == np.matmul(x, y).shape


def test_matmul_of_unknown_dimensions():
    x = Symbol((None, None, 4))
    assert ops.matmul(x, np.ones((4, 3), "float32")).shape == (None, None, 3)
    assert ops.matmul(x, Symbol((2, None, 5))).shape == (2, None, 5)
    assert ops.matmul(x, Symbol((4,))).shape == (None, None)
    assert ops.matmul(Symbol((None,)), Symbol((None,))).shape == ()


@pytest.mark.parametrize(
    ("a", "b", "out"),
    [
        ("int8", "int8", "int32"),
        ("uint8", "int8", "int16"),
        ("int32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float16", "float16", "float16"),
        ("bool", "bool", "bool"),
        ("int64", "int32", "int64"),
    ],
)
def test_matmul_dtypes(a, b, out):
    x, y = np.ones((2, 3), a), np.ones((3, 4), b)
    for fn in (ops.matmul, ops.dot, lambda p, q: ops.tensordot(p, q, 1), lambda p, q: ops.einsum("ij,jk", p, q)):
        got = fn(x, y)
        assert got.dtype == out
        assert (got.numpy() == (out == "bool" or 3)).all()


def test_int8_products_have_room_in_int32():
    x = np.full((1, 9), 127, "int8")
    assert ops.matmul(x, x.T).item() == 9 * 127 * 127


def test_float16_sums_in_float32():
    x = np.ones((1, 4096), "float16")
    assert ops.matmul(x, x.T).item() == 4096


def test_gradient_of_a_vector_operand():
    x, w = ops.convert_to_tensor(rand(4)), ops.convert_to_tensor(rand(4, 3))
    with keras.GradientTape() as tape:
        tape.watch([x, w])
        y = ops.matmul(x, w)
    dx, dw = tape.gradient(y, [x, w])
    close(dx, w.numpy().sum(axis=1))
    close(dw, np.outer(x.numpy(), np.ones(3)))


def test_matmul_bias_is_matmul_plus_bias():
    x, w, b = rand(3, 5, 4), rand(4, 6), rand(6)
    close(matmul_bias(x, w, b), x @ w + b)
    assert matmul_bias(np.ones((2, 3), "int32"), np.ones((3, 2), "int32"), np.ones(2, "int32")).numpy().max() == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.matmul(np.ones((2, 3)), np.ones((4, 5))),
            "matmul: the inner dimensions must be equal, not 3 and 4. Received: x1.shape=(2, 3), x2.shape=(4, 5)",
        ),
        (
            lambda: ops.matmul(np.ones(3), np.ones((4, 5))),
            "matmul: the inner dimensions must be equal, not 3 and 4. Received: x1.shape=(3,), x2.shape=(4, 5)",
        ),
        (
            lambda: ops.matmul(np.ones((2, 3)), np.ones(4)),
            "matmul: the inner dimensions must be equal, not 3 and 4. Received: x1.shape=(2, 3), x2.shape=(4,)",
        ),
        (
            lambda: ops.matmul(2.0, np.ones((4, 5))),
            "matmul: the operands have one dimension or more. Received: x1.shape=(), x2.shape=(4, 5)",
        ),
        (
            lambda: ops.matmul(np.ones((2, 3, 4)), np.ones((3, 4, 5))),
            "matmul: the leading dimensions must broadcast against each other. "
            "Received: x1.shape=(2, 3, 4), x2.shape=(3, 4, 5)",
        ),
        (
            lambda: matmul_op(np.ones(3), np.ones((3, 1))),
            "matmul: both operands are matrices or batches of them. Received: x1.shape=(3,), x2.shape=(3, 1)",
        ),
        (
            lambda: matmul_bias_op(np.ones((2, 3)), np.ones((3, 4)), np.ones(3)),
            "matmul: the bias is a vector with one value for each of the 4 columns. Received: bias.shape=(3,)",
        ),
        (
            lambda: ops.dot(np.ones((2, 3)), np.ones((4, 5))),
            "dot: axis 1 of x1 and axis 0 of x2 must have equal lengths. Received: x1.shape=(2, 3), x2.shape=(4, 5)",
        ),
        (
            lambda: ops.inner(np.ones((2, 3)), np.ones((3, 2))),
            "inner: axis 1 of x1 and axis 1 of x2 must have equal lengths. Received: x1.shape=(2, 3), x2.shape=(3, 2)",
        ),
        (
            lambda: ops.vdot(np.ones((2, 3)), np.ones(5)),
            "vdot: axis 0 of x1 and axis 0 of x2 must have equal lengths. Received: x1.shape=(6,), x2.shape=(5,)",
        ),
        (
            lambda: ops.tensordot(np.ones((2, 3)), np.ones((2, 3)), 1),
            "tensordot: axis 1 of x1 and axis 0 of x2 must have equal lengths. "
            "Received: x1.shape=(2, 3), x2.shape=(2, 3)",
        ),
        (
            lambda: ops.tensordot(np.ones((2, 3)), np.ones((3, 2)), 3),
            "tensordot: `axes` is at least 0 and at most the rank of either operand. "
            "Received: axes=3, x1.shape=(2, 3), x2.shape=(3, 2)",
        ),
        (
            lambda: ops.tensordot(np.ones((2, 3)), np.ones((3, 2)), [[0, 1], [0]]),
            "tensordot: `axes` lists as many axes of x1 as of x2. Received: axes=[[0, 1], [0]]",
        ),
        (
            lambda: ops.tensordot(np.ones((2, 3)), np.ones((3, 2)), [[2], [0]]),
            "tensordot: `axes[0]` must lie in [-2, 2) for a tensor of rank 2. Received: axes[0]=2",
        ),
        (
            lambda: ops.kron(Symbol((None, None)), Symbol((2, 2))),
            "kron: at most one dimension of the result may be unknown. "
            "Received: x1.shape=(None, None), x2.shape=(2, 2)",
        ),
        (
            lambda: ops.cross(np.ones((2, 4)), np.ones((2, 3))),
            "cross: x1 has 2 or 3 components along its axis -1. Received: x1.shape=(2, 4)",
        ),
        (
            lambda: ops.cross(np.ones((2, 3)), np.ones((2, 3)), axisb=3),
            "cross: `axisb` must lie in [-2, 2) for a tensor of rank 2. Received: axisb=3",
        ),
        (lambda: ops.trace(np.ones(3)), "trace: x needs at least two dimensions. Received: x.shape=(3,)"),
        (
            lambda: contract_op(np.ones((2, 3)), np.ones(3), left="a", right="a", out=""),
            "contract: each operand has one label for each dimension. "
            "Received: x1.shape=(2, 3), x2.shape=(3,), labels=('a', 'a')",
        ),
        (
            lambda: contract_op(np.ones((2, 3)), np.ones((3, 4)), left="ab", right="bc", out="ca"),
            "contract: the output's labels are those of both operands, then the first's own, then the second's own. "
            "Received: left='ab', right='bc', out='ca'",
        ),
        (
            lambda: contract(np.ones((2, 3)), "ab", np.ones(4), "b", "a"),
            "contract: the operands differ in dimension 'b': 3 and 4. Received: x1.shape=(2, 3), x2.shape=(4,)",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError) as e:
        call()
    assert str(e.value) == message


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((2, 3, 4), (4, 5), 1),
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3), (4, 5), 0),
        ((2, 3), (2, 3), 2),
        ((2, 3, 4), (4, 3, 5), [[1, 2], [1, 0]]),
        ((2, 3, 4), (3, 5), ((-2,), (0,))),
        ((4, 3, 2), (4, 5), [[0], [0]]),
        ((4, 3), (5, 4), [0, 1]),
    ],
)
def test_tensordot(a, b, axes):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.tensordot(x, y, axes), np.tensordot(x, y, axes))
    want = np.tensordot(x, y, axes).shape
    assert ops.tensordot(Symbol(a, "float64"), Symbol(b, "float64"), axes).shape == want


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((2, 3, 4), (5, 4, 2)), ((), (3,)), ((2, 3), ()), ((), ())],
)
def test_dot(a, b):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.dot(x, y), np.dot(x, y))


@pytest.mark.parametrize(("a", "b"), [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (4, 3)), ((2, 3, 4), (5, 4)), ((), (3,))])
def test_inner(a, b):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.inner(x, y), np.inner(x, y))


def test_dot_and_inner_of_a_weak_scalar():
    assert ops.dot(2, np.ones(2, "float64")).dtype == "float64"
    assert ops.inner(2, np.ones(2, "uint8")).dtype == "uint8"


@pytest.mark.parametrize(("a", "b"), [((3,), (3,)), ((2, 3), (3, 2)), ((2, 3), (6,)), ((), ())])
def test_vdot(a, b):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.vdot(x, y), np.vdot(x, y))


@pytest.mark.parametrize(("a", "b"), [((3,), (4,)), ((2, 3), (2,)), ((), (3,))])
def test_outer(a, b):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.outer(x, y), np.outer(x, y))


def test_outer_of_unknown_dimensions():
    assert ops.outer(Symbol((None, 2)), Symbol((3, 2))).shape == (None, 6)


@pytest.mark.parametrize(
    ("a", "b"), [((3,), (4,)), ((2, 3), (4,)), ((2, 3), (3, 2)), ((), (3,)), ((), ()), ((2,), (1, 2, 3))]
)
def test_kron(a, b):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.kron(x, y), np.kron(x, y))


def test_kron_of_an_unknown_dimension():
    assert ops.kron(Symbol((None, 2)), Symbol((3, 2))).shape == (None, 4)


@pytest.mark.parametrize(
    ("a", "b", "kwargs"),
    [
        ((3,), (3,), {}),
        ((5, 3), (5, 3), {}),
        ((5, 1, 3), (4, 3), {}),
        ((3, 4), (3, 4), {"axis": 0}),
        ((3, 4), (4, 3), {"axisa": 0, "axisc": 0}),
        ((4, 3), (3, 4), {"axisb": 0, "axisc": -2}),
    ],
)
def test_cross(a, b, kwargs):
    x, y = rand(*a), rand(*b, seed=1)
    close(ops.cross(x, y, **kwargs), np.cross(x, y, **kwargs))


def test_cross_of_two_components():
    x, y, z = rand(5, 2), rand(5, 2, seed=1), rand(5, 3, seed=2)

    def with_zero(v):
        return np.concatenate([v, np.zeros((5, 1))], axis=1)

    close(ops.cross(x, y), np.cross(with_zero(x), with_zero(y))[:, 2])
    close(ops.cross(x, z), np.cross(with_zero(x), z))
    close(ops.cross(z, x), np.cross(z, with_zero(x)))


@pytest.mark.parametrize(
    "kwargs", [{}, {"offset": 1}, {"offset": -2, "axis1": 2, "axis2": 0}, {"axis1": -1, "axis2": 1}]
)
def test_trace(kwargs):
    x = rand(3, 4, 5)
    close(ops.trace(x, **kwargs), np.trace(x, **kwargs))


@pytest.mark.parametrize(
    ("dtype", "out"), [("bool", "int32"), ("int8", "int32"), ("uint8", "uint32"), ("int64", "int64")]
)
def test_trace_dtypes(dtype, out):
    y = ops.trace(np.ones((3, 3), dtype))
    assert y.dtype == out
    assert y.item() == 3


def test_non_contiguous_operands():
    x, y = rand(6, 8)[::2, ::-2], rand(5, 4).T
    close(ops.matmul(x, y), x @ y)
