"""einsum against NumPy's: every kind of subscript, gradients, symbols, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .sample import rand

CASES = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,jk", (3, 4), (4, 5)),
    ("ij,jk->ki", (3, 4), (4, 5)),
    ("ji,kj->ik", (4, 3), (5, 4)),
    ("ij,j", (3, 4), (4,)),
    ("i,i", (5,), (5,)),
    ("i,i->i", (5,), (5,)),
    ("i,j->ji", (3,), (4,)),
    ("ij->ji", (3, 4)),
    ("ba", (3, 4)),
    ("ij->", (3, 4)),
    ("ij->j", (3, 4)),
    ("ii", (4, 4)),
    ("ii->i", (4, 4)),
    ("iij,j->i", (3, 3, 4), (4,)),
    ("iijj->ij", (2, 2, 3, 3)),
    ("iii->i", (3, 3, 3)),
    ("bij,bkj->bik", (2, 3, 4), (2, 5, 4)),
    ("bij,bij->b", (2, 3, 4), (2, 3, 4)),
    ("bthd,bshd->bhts", (2, 3, 4, 5), (2, 6, 4, 5)),
    ("bhts,bshd->bthd", (2, 4, 3, 6), (2, 6, 4, 5)),
    ("btd,dhk->bthk", (2, 3, 4), (4, 2, 5)),
    ("abc,cd->abd", (2, 3, 4), (4, 5)),
    ("ij,kl->", (2, 3), (4, 5)),
    ("ij,kl->jl", (2, 3), (4, 5)),
    ("ij,jk,kl->il", (3, 4), (4, 5), (5, 2)),
    ("ab,bc,cd,de->ae", (3, 4), (4, 5), (5, 6), (6, 2)),
    ("i,i,i->i", (3,), (3,), (3,)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 6)),
    ("...ij,jk", (2, 3, 4), (4, 5)),
    ("...i,...i->...", (2, 1, 3), (4, 3)),
    ("...", (2, 3)),
    ("i...->...i", (2, 3, 4)),
    ("a...b,b->...a", (2, 7, 3), (3,)),
    ("...,...", (2, 1, 3), (4, 1)),
    (" i j , j k -> i k ", (3, 4), (4, 5)),
    ("ij,jk->ik", (3, 1), (4, 5)),  # a dimension of 1 broadcasts
    ("ij,ij->ij", (3, 1), (3, 5)),
    ("aB,Bc->ac", (2, 3), (3, 4)),
    ("ij,jk->ik", (3, 0), (0, 5)),
    ("ij,jk->ik", (0, 3), (3, 5)),
    (",i->i", (), (3,)),
    ("->", ()),
]


def arrays(shapes):
    return [rand(*shape, seed=k) for k, shape in enumerate(shapes)]


@pytest.mark.parametrize(("subscripts", "shapes"), [(c[0], c[1:]) for c in CASES])
def test_value_and_shape(subscripts, shapes):
    xs = arrays(shapes)
    want = np.einsum(subscripts, *xs)
    got = ops.einsum(subscripts, *xs)
    assert got.dtype == "float64"
    assert got.shape == want.shape
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-12, atol=1e-12)
    symbols = [Symbol(s, "float64") for s in shapes]
    assert ops.einsum(subscripts, *symbols).shape == want.shape
    unknown = [Symbol((None, *s[1:]) if s else s, "float64") for s in shapes]
    shape = ops.einsum(subscripts, *unknown).shape
    assert len(shape) == want.ndim
    assert all(a is None or a == b or 1 in shapes[0] for a, b in zip(shape, want.shape))


@pytest.mark.parametrize(("subscripts", "shapes"), [(c[0], c[1:]) for c in CASES if 0 not in sum(c[1:], ())])
def test_gradient(subscripts, shapes):
    xs = [ops.convert_to_tensor(x) for x in arrays(shapes)]
    with keras.GradientTape() as tape:
        tape.watch(xs)
        y = ops.einsum(subscripts, *xs)
        weight = rand(*y.shape, seed=9)
        loss = ops.sum(y * weight)
    for k, g in enumerate(tape.gradient(loss, xs)):
        direction = rand(*shapes[k], seed=8)

        def value(step, k=k, direction=direction):
            values = [x.numpy() + step * direction if j == k else x.numpy() for j, x in enumerate(xs)]
            return np.sum(np.einsum(subscripts, *values) * weight)

        numeric = (value(1e-5) - value(-1e-5)) / 2e-5
        np.testing.assert_allclose(np.sum(g.numpy() * direction), numeric, rtol=1e-6, atol=1e-8)


def test_second_order_gradient():
    x, w = ops.convert_to_tensor(rand(3, 4)), ops.convert_to_tensor(rand(4, 5))
    with keras.GradientTape() as outer:
        outer.watch(w)
        with keras.GradientTape() as inner:
            inner.watch(x)
            y = ops.sum(ops.einsum("ij,jk->ik", x, w) ** 2)
        dx = inner.gradient(y, x)
    dw = outer.gradient(dx, w)
    ones = np.ones((3, 4))
    np.testing.assert_allclose(dw.numpy(), 2 * (x.numpy().T @ (ones @ w.numpy()) + ones.T @ (x.numpy() @ w.numpy())))


def test_only_known_sizes_decide_what_broadcasts():
    x, w = Symbol((None, None, 8)), Symbol((8, 2, 4))
    assert ops.einsum("btd,dhk->bthk", x, w).shape == (None, None, 2, 4)
    assert ops.einsum("bthk,bshk->bhts", Symbol((None, 5, 2, 4)), Symbol((None, None, 2, 4))).shape == (
        None,
        2,
        5,
        None,
    )


@pytest.mark.parametrize("dtype", ["bool", "int8", "int16", "int32", "uint8", "float16", "float32"])
@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ij,ij->ij", "ij,ij->i", "...j,jk->...k", "...j,...k->..."])
def test_dtypes(dtype, subscripts):
    x = np.ones((3, 3), dtype)
    got = ops.einsum(subscripts, x, x)
    assert got.dtype == ("int32" if dtype == "int8" else dtype)
    want = np.einsum(subscripts, x.astype("int32"), x.astype("int32"))
    np.testing.assert_array_equal(got.numpy(), want.astype(got.dtype))


def test_mixed_dtypes_are_promoted():
    assert ops.einsum("i,i", np.ones(3, "int32"), np.ones(3, "float32")).dtype == "float32"
    assert ops.einsum("i,", np.ones(3, "float64"), 2.0).dtype == "float64"


def test_long_chains_are_multiplied_in_a_cheap_order():
    # From left to right this would make a 400 x 400 matrix.
    u, v, w = rand(400, 1), rand(1, 400), rand(400, 2)
    np.testing.assert_allclose(ops.einsum("ij,jk,kl->il", u, v, w).numpy(), u @ (v @ w), rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.einsum("ij->i->j", x), "einsum: `subscripts` has at most one '->'."),
        (lambda x: ops.einsum("ij,jk", x), "einsum: `subscripts` has 2 terms for 1 operands."),
        (lambda x: ops.einsum("i1", x), "einsum: a term consists of letters and at most one '...', unlike 'i1'."),
        (lambda x: ops.einsum("i..", x), "einsum: a term consists of letters and at most one '...', unlike 'i..'."),
        (lambda x: ops.einsum("ijk", x), "einsum: the term 'ijk' does not fit an operand of rank 2."),
        (lambda x: ops.einsum("ijk...", x), "einsum: the term 'ijk...' does not fit an operand of rank 2."),
        (lambda x: ops.einsum("...i->i", x), "einsum: the result needs '...' where the operands have one."),
        (lambda x: ops.einsum("ij->ii", x), "einsum: the result has the label 'i' twice."),
        (lambda x: ops.einsum("ij->k", x), "einsum: the result's label 'k' is in no operand."),
        (lambda x: ops.einsum("ii", x), "einsum: dimensions labelled 'i' must be equal, not 2 and 3."),
        (lambda x: ops.einsum("ij,ij", x, x.T), "einsum: dimensions labelled 'i' must be equal, not 2 and 3."),
        (lambda x: ops.einsum("...,...", x, x.T), "einsum: dimensions behind '...' must be equal, not 2 and 3."),
        (lambda x: ops.einsum("ii", x[:, :1]), "einsum: the two dimensions labelled 'i' of one operand must be equal."),
        (
            lambda x: ops.einsum("abcdefghijklm,...", x, x),
            "einsum: the term 'abcdefghijklm' does not fit an operand of rank 2.",
        ),
        (
            lambda x: ops.einsum("...->abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", x),
            "einsum: there are more dimensions than letters.",
        ),
        (lambda x: ops.einsum("ij"), "einsum: there is at least one operand."),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError) as e:
        call(np.ones((2, 3)))
    assert str(e.value).startswith(message)


def test_errors_of_type():
    with pytest.raises(TypeError, match=r"^einsum: there is no argument `axis`\. Received: axis=1$"):
        ops.einsum("i", np.ones(3), axis=1)
    with pytest.raises(TypeError, match=r"^einsum: `subscripts` is a string\. Received: subscripts=3$"):
        ops.einsum(3, np.ones(3))
    assert ops.einsum("i", np.ones(3), optimize="greedy").shape == (3,)
