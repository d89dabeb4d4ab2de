"""matmul and its relatives, and einsum, against keras.ops: values, dtypes, symbolic shapes, which calls fail."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from kerasish import ops
from kerasish.engine.symbol import Symbol

from ..ops.sample import rand
from ..ops.test_einsum import CASES

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def data(shape, seed=0):
    return rand(*shape, seed=seed).astype("float32")


def agree(got, want):
    assert got.dtype == str(want.dtype)
    want = np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("subscripts", "shapes"), [(c[0], c[1:]) for c in CASES])
def test_einsum(keras, subscripts, shapes):
    if (subscripts, shapes) == ("ij,jk->ik", ((3, 1), (4, 5))):
        return  # only NumPy lets a labelled dimension of 1 broadcast
    xs = [data(s, k) for k, s in enumerate(shapes)]
    agree(ops.einsum(subscripts, *xs), keras.ops.einsum(subscripts, *xs))


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("btd,dhk->bthk", ((None, 5, 8), (8, 2, 4))),
        ("bthk,bshk->bhts", ((None, 5, 2, 4), (None, 7, 2, 4))),
        ("...ij,...jk->...ik", ((None, 3, 4), (4, 5))),
        ("ab,bc->ac", ((None, 3), (3, None))),
        ("ab->ba", ((None, 3),)),
    ],
)
def test_einsum_of_symbols(keras, subscripts, shapes):
    got = ops.einsum(subscripts, *[Symbol(s) for s in shapes])
    want = keras.ops.einsum(subscripts, *[keras.KerasTensor(s) for s in shapes])
    assert (got.shape, got.dtype) == (want.shape, want.dtype)


PAIRS = [
    ("matmul", ((3, 4), (4, 5)), {}),
    ("matmul", ((2, 3, 4), (4,)), {}),
    ("matmul", ((4,), (2, 4, 3)), {}),
    ("matmul", ((2, 1, 3, 4), (5, 4, 2)), {}),
    ("dot", ((4,), (4,)), {}),
    ("dot", ((2, 3, 4), (5, 4, 2)), {}),
    ("dot", ((3, 4), (4,)), {}),
    ("dot", ((), (3,)), {}),
    ("inner", ((2, 4), (3, 4)), {}),
    ("inner", ((), (3,)), {}),
    ("vdot", ((2, 3), (3, 2)), {}),
    ("outer", ((2, 3), (4,)), {}),
    ("tensordot", ((2, 3, 4), (3, 4, 5)), {}),
    ("tensordot", ((2, 3), (4, 5)), {"axes": 0}),
    ("tensordot", ((2, 3, 4), (4, 3, 5)), {"axes": [[1, 2], [1, 0]]}),
    ("kron", ((2, 3), (3, 2)), {}),
    ("cross", ((5, 3), (5, 3)), {}),
    ("cross", ((5, 2), (5, 3)), {}),
    ("cross", ((5, 2), (5, 2)), {}),
    ("cross", ((3, 4), (4, 3)), {"axisa": 0, "axisc": 0}),
]


@pytest.mark.parametrize(("name", "shapes", "kwargs"), PAIRS)
def test_products(keras, name, shapes, kwargs):
    xs = [data(s, k) for k, s in enumerate(shapes)]
    agree(getattr(ops, name)(*xs, **kwargs), getattr(keras.ops, name)(*xs, **kwargs))


@pytest.mark.parametrize("name", ["matmul", "dot", "inner", "tensordot", "vdot", "outer", "kron"])
@pytest.mark.parametrize("dtypes", [("int8", "int8"), ("uint8", "int8"), ("int32", "float32"), ("int16", "int32")])
def test_dtypes(keras, name, dtypes):
    xs = [np.ones((2, 2), d) for d in dtypes]
    got, want = getattr(ops, name)(*xs), getattr(keras.ops, name)(*xs)
    if name not in ("matmul", "outer", "kron") and dtypes == ("int8", "int8"):
        assert got.dtype == "int32"  # Keras keeps int8 here, in which a sum of three products overflows
    else:
        assert got.dtype == str(want.dtype)
    np.testing.assert_array_equal(got.numpy(), np.asarray(want))


@pytest.mark.parametrize("dtype", ["bool", "int8", "int16", "uint8", "int32", "float32"])
def test_trace(keras, dtype):
    x = (data((3, 4, 5)) > 0).astype(dtype)
    agree(ops.trace(x, 1, 0, 2), keras.ops.trace(x, 1, 0, 2))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("matmul", (np.ones((2, 3)), np.ones((4, 5)))),
        ("matmul", (1.0, np.ones((4, 5)))),
        ("tensordot", (np.ones((2, 3)), np.ones((4, 5)), 1)),
        ("dot", (np.ones((2, 3)), np.ones((4, 5)))),
        ("inner", (np.ones((2, 3)), np.ones((4, 5)))),
        ("cross", (np.ones((2, 4)), np.ones((2, 3)))),
        ("trace", (np.ones(3),)),
        ("einsum", ("ij,jk", np.ones((2, 3)))),
        ("einsum", ("ij->k", np.ones((2, 3)))),
        ("einsum", ("ijk", np.ones((2, 3)))),
        ("einsum", ("ij,jk", np.ones((2, 3)), np.ones((4, 5)))),
    ],
)
def test_what_fails_there_fails_here(keras, name, args):
    for namespace in (keras.ops, ops):
        with pytest.raises((ValueError, TypeError)):
            getattr(namespace, name)(*args)


@pytest.mark.parametrize("name", sorted({p[0] for p in PAIRS} | {"trace", "einsum"}))
def test_signatures(keras, name):
    def parameters(fn):
        return [(p.name, p.default, p.kind) for p in inspect.signature(fn).parameters.values()]

    assert parameters(getattr(ops, name)) == parameters(getattr(keras.ops, name))
