"""Linear algebra beyond the bare ops: orders of norm, vectors and batches, dtypes, symbols, jvp, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .sample import rand

INF = float("inf")


def close(got, want, rtol=1e-10):
    assert tuple(got.shape) == np.shape(want)
    np.testing.assert_allclose(got.numpy(), want, rtol=rtol, atol=rtol)


def definite(*shape):
    x = rand(*shape)
    return x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1])


def test_the_namespace_has_the_same_functions():
    for name in ops.linalg.__all__:
        assert getattr(ops, name) is getattr(ops.linalg, name)


# ---- decompositions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 4), (1, 1)])
def test_cholesky_and_its_inverse(shape):
    x = definite(*shape)
    close(ops.cholesky(x), np.linalg.cholesky(x))
    close(ops.cholesky(x, upper=True), np.swapaxes(np.linalg.cholesky(x), -1, -2))
    close(ops.cholesky_inverse(ops.cholesky(x)), np.linalg.inv(x))
    close(ops.cholesky_inverse(ops.cholesky(x, upper=True), upper=True), np.linalg.inv(x))


def test_eig_solves_its_equation():
    x = rand(2, 4, 4)
    w, v = ops.eig(x)
    assert (w.dtype, v.dtype) == ("complex128", "complex128")
    np.testing.assert_allclose(x @ v.numpy(), v.numpy() * w.numpy()[:, None, :], atol=1e-10)
    assert ops.eig(x.astype("float32"))[0].dtype == "complex64"


def test_lu_factor_gives_the_matrix_back():
    for shape in ((4, 4), (5, 3), (3, 5)):
        x = rand(*shape)
        lu, pivots = (t.numpy() for t in ops.lu_factor(x))
        k = min(shape)
        lower, upper = np.tril(lu[:, :k], -1) + np.eye(shape[0], k), np.triu(lu[:k])
        product = lower @ upper
        for i, p in reversed(list(enumerate(pivots))):
            product[[i, p]] = product[[p, i]]
        np.testing.assert_allclose(product, x, atol=1e-12)


def test_lu_factor_of_a_singular_matrix():
    lu, pivots = ops.lu_factor(np.zeros((2, 2)))
    assert lu.numpy().tolist() == [[0, 0], [0, 0]]
    assert pivots.numpy().tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_svd_and_qr_give_the_matrix_back(shape):
    x = rand(*shape)
    for full in (False, True):
        u, s, vh = (t.numpy() for t in ops.svd(x, full_matrices=full))
        k = s.shape[-1]
        np.testing.assert_allclose((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], x, atol=1e-12)
    close(ops.svd(x, compute_uv=False), np.linalg.svd(x, compute_uv=False))
    for mode in ("reduced", "complete"):
        q, r = (t.numpy() for t in ops.qr(x, mode))
        np.testing.assert_allclose(q @ r, x, atol=1e-12)
        want = np.linalg.qr(x, mode)
        assert (q.shape, r.shape) == (want[0].shape, want[1].shape)


def test_eigenvalues_have_a_gradient_where_they_repeat():
    x = ops.convert_to_tensor(np.eye(3))
    with keras.GradientTape(persistent=True) as tape:
        tape.watch(x)
        total = ops.sum(ops.eigh(x)[0] * np.array([1.0, 2.0, 3.0]))
        values = ops.sum(ops.svd(x, compute_uv=False))
    assert np.isfinite(tape.gradient(total, x).numpy()).all()
    close(tape.gradient(values, x), np.eye(3))


# ---- determinants, inverses, systems ----------------------------------------------------------------------------


def test_det_and_its_gradient_of_a_singular_matrix():
    a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]])
    x = ops.convert_to_tensor(a)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = ops.det(x)
    assert abs(y.item()) < 1e-12
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1)) for j in range(3)] for i in range(3)
    ]
    close(tape.gradient(y, x), np.array(cofactors))


def test_slogdet_and_logdet():
    x = definite(2, 3, 3)
    close(ops.logdet(x), np.linalg.slogdet(x)[1])
    sign, logarithm = ops.slogdet(np.zeros((2, 2)))
    assert (sign.item(), logarithm.item()) == (0.0, -INF)


@pytest.mark.parametrize(("a", "b"), [((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (2, 3, 4))])
def test_solve_takes_vectors_and_matrices(a, b):
    x, y = definite(*a), rand(*b)
    want = np.linalg.solve(x, y[..., None])[..., 0] if len(b) == len(a) - 1 else np.linalg.solve(x, y)
    close(ops.solve(x, y), want)
    assert ops.solve(Symbol(a), Symbol(b)).shape == b
    for lower in (False, True):
        triangle = np.tril(x) if lower else np.triu(x)
        want = np.linalg.solve(triangle, y[..., None])[..., 0] if len(b) == len(a) - 1 else np.linalg.solve(triangle, y)
        close(ops.solve_triangular(x, y, lower=lower), want)
        assert ops.solve_triangular(Symbol(a), Symbol(b)).shape == b


def test_solve_broadcasts_one_right_hand_side():
    x = definite(2, 3, 3)
    close(ops.solve(x, np.arange(3.0)), np.linalg.solve(x, np.arange(3.0)[None, :, None])[..., 0])
    close(ops.solve(x, np.eye(3)), np.linalg.inv(x))  # of rank 2, but not a vector for each of two matrices
    assert ops.solve(Symbol((None, 3, 3)), Symbol((None, 3))).shape == (None, 3)


def test_solve_triangular_with_a_zero_on_the_diagonal_is_infinite():
    assert ops.solve_triangular(np.zeros((1, 1)), np.ones((1, 1))).item() == INF


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
def test_lstsq_and_pinv(shape):
    a = rand(*shape)
    for b in (rand(shape[0]), rand(shape[0], 3)):
        close(ops.lstsq(a, b), np.linalg.lstsq(a, b, rcond=None)[0])
    close(ops.pinv(a), np.linalg.pinv(a))
    close(ops.pinv(np.diag([1.0, 1e-3]), rcond=0.1), np.diag([1.0, 0.0]))
    close(ops.lstsq(np.diag([1.0, 1e-3]), np.ones(2), rcond=0.1), np.array([1.0, 0.0]))


def test_matrix_rank():
    assert ops.matrix_rank(np.ones((2, 3, 3), "int32")).numpy().tolist() == [1, 1]
    assert ops.matrix_rank(np.eye(3), tol=2.0).item() == 0
    assert ops.matrix_rank(np.eye(3)).dtype == "int32"


@pytest.mark.parametrize("fn", [ops.inv, ops.det, ops.cholesky, ops.pinv, lambda x: ops.svd(x, compute_uv=False)])
def test_dtypes(fn):
    assert fn(np.eye(2, dtype="int32")).dtype == "float32"
    assert fn(np.eye(2, dtype="float16")).dtype == "float16"
    assert fn(np.eye(2)).dtype == "float64"


def test_symbols():
    x = Symbol((None, 3, 3))
    assert ops.cholesky(x).shape == ops.inv(x).shape == ops.cholesky_inverse(x).shape == (None, 3, 3)
    assert ops.det(x).shape == ops.logdet(x).shape == ops.matrix_rank(x).shape == (None,)
    assert [y.shape for y in ops.svd(Symbol((None, 4, 2)), full_matrices=False)] == [
        (None, 4, 2),
        (None, 2),
        (None, 2, 2),
    ]
    assert [y.shape for y in ops.qr(Symbol((None, 4)))] == [(None, None), (None, 4)]
    assert [y.dtype for y in ops.eig(x)] == ["complex64", "complex64"]
    assert [y.shape for y in ops.lu_factor(Symbol((2, 4, 3)))] == [(2, 4, 3), (2, 3)]
    assert ops.pinv(Symbol((None, 4, 2))).shape == (None, 2, 4)
    assert ops.lstsq(Symbol((None, 4)), Symbol((None, 2))).shape == (4, 2)
    assert ops.norm(Symbol((None, 4)), axis=1).shape == (None,)


# ---- norm -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, 0.5, -1, -2, INF, -INF])
def test_vector_norms(order, keepdims):
    x = rand(3, 4)
    for axis in (0, -1, (1,)):
        close(ops.norm(x, order, axis, keepdims), np.linalg.norm(x, order, axis, keepdims))
    close(ops.norm(x[0], order, keepdims=keepdims), np.linalg.norm(x[0], order, keepdims=keepdims))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, -1, 2, -2, INF, -INF])
def test_matrix_norms(order, keepdims):
    x = rand(3, 4, 5)
    for axis in ((0, 1), (2, 0), (-1, -2)):
        close(ops.norm(x, order, axis, keepdims), np.linalg.norm(x, order, axis, keepdims))
    close(ops.norm(x[0], order, keepdims=keepdims), np.linalg.norm(x[0], order, keepdims=keepdims))


def test_norm_of_everything_and_of_integers():
    x = np.arange(24).reshape(2, 3, 4)
    close(ops.norm(x.astype("float64")), np.linalg.norm(x))
    assert ops.norm(x).dtype == "float32"
    assert ops.norm([3, 4]).item() == 5.0


@pytest.mark.parametrize("order", [None, 1, 2, 3, "nuc", INF])
def test_norm_has_a_gradient(order):
    a = rand(3, 4)
    x = ops.convert_to_tensor(a)
    axis = (0, 1) if isinstance(order, str) else None if order is None else 1
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = ops.sum(ops.norm(x, order, axis))
    d = rand(3, 4, seed=1)
    numeric = (
        np.sum(np.linalg.norm(a + 1e-6 * d, order, axis)) - np.sum(np.linalg.norm(a - 1e-6 * d, order, axis))
    ) / 2e-6
    np.testing.assert_allclose(np.sum(tape.gradient(y, x).numpy() * d), numeric, rtol=1e-6)


# ---- jvp --------------------------------------------------------------------------------------------------------


def test_jvp_of_structures():
    def f(a, b):
        return {"product": a["x"] @ b, "sum": ops.sum(a["x"]) + 0.0 * ops.sum(b)}

    x, w, dx, dw = rand(2, 3), rand(3, 4), rand(2, 3, seed=1), rand(3, 4, seed=1)
    y, dy = ops.jvp(f, ({"x": x}, w), ({"x": dx}, dw))
    close(y["product"], x @ w)
    close(dy["product"], dx @ w + x @ dw)
    close(dy["sum"], dx.sum())


def test_jvp_with_aux_integers_and_constants():
    def f(x, k):
        return (ops.square(x), ops.ones((2,)), ops.argmax(x)), "aux"

    y, dy, aux = ops.jvp(f, (np.array([1.0, 3.0]), np.array(2)), (np.array([1.0, 1.0]), np.array(0)), has_aux=True)
    assert aux == "aux"
    assert y[2].item() == 1
    close(dy[0], np.array([2.0, 6.0]))
    close(dy[1], np.zeros(2))
    assert dy[2].item() == 0


def test_jvp_of_the_same_argument_twice_and_of_a_variable():
    v = keras.Variable(np.array(3.0, "float64"))
    _, dy = ops.jvp(lambda a, b: a * b, (v, v), (1.0, 2.0))
    assert dy.item() == 9.0


def test_jvp_can_be_differentiated():
    x = ops.convert_to_tensor(2.0)
    with keras.GradientTape() as tape:
        tape.watch(x)
        _, dy = ops.jvp(lambda z: z * z * z * x, (1.0,), (1.0,))
    assert tape.gradient(dy, x).item() == 3.0


# ---- errors -----------------------------------------------------------------------------------------------------

FLAT, WIDE, SQUARE = np.ones(3), np.ones((2, 3)), np.eye(3)


@pytest.mark.parametrize("name", ["cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "slogdet"])
def test_square_matrices_only(name):
    fn = getattr(ops, name)
    with pytest.raises(ValueError) as e:
        fn(FLAT)
    assert str(e.value) == f"{name}: `x` is a matrix or a batch of them, of rank 2 or more. Received: x.shape=(3,)"
    with pytest.raises(ValueError) as e:
        fn(WIDE)
    assert str(e.value) == f"{name}: `x` must be square. Received: x.shape=(2, 3)"


@pytest.mark.parametrize("name", ["lu_factor", "qr", "svd", "pinv", "matrix_rank"])
def test_matrices_only(name):
    with pytest.raises(ValueError) as e:
        getattr(ops, name)(FLAT)
    assert str(e.value) == f"{name}: `x` is a matrix or a batch of them, of rank 2 or more. Received: x.shape=(3,)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.cholesky(-SQUARE),
            "cholesky: the matrix is not positive definite. Received: x.shape=(3, 3)",
        ),
        (lambda: ops.inv(0 * SQUARE), "inv: the matrix is singular. Received: x.shape=(3, 3)"),
        (lambda: ops.solve(0 * SQUARE, FLAT), "solve: the matrix is singular. Received: a.shape=(3, 3)"),
        (
            lambda: ops.eigh(np.nan * SQUARE),
            "eigh: the decomposition failed (Eigenvalues did not converge). Received: x.shape=(3, 3)",
        ),
        (
            lambda: ops.cholesky_inverse(Symbol((None, None))),
            "cholesky_inverse: the size of the matrix must be known. Received: x.shape=(None, None)",
        ),
        (lambda: ops.solve(WIDE, FLAT), "solve: `a` must be square. Received: a.shape=(2, 3)"),
        (lambda: ops.solve(WIDE, WIDE), "solve: `a` must be square. Received: a.shape=(2, 3)"),
        (
            lambda: ops.solve(FLAT, WIDE),
            "solve: `a` is a matrix or a batch of them, of rank 2 or more. Received: a.shape=(3,)",
        ),
        (lambda: ops.solve(SQUARE, 1.0), "solve: `b` is a vector, a matrix or a batch of them. Received: b.shape=()"),
        (
            lambda: ops.solve(SQUARE, WIDE),
            "solve: `b` must have as many rows as `a`, not 2. Received: a.shape=(3, 3), b.shape=(2, 3)",
        ),
        (
            lambda: ops.solve_triangular(SQUARE, np.ones(2)),
            "solve_triangular: `b` must have as many rows as `a`, not 2. Received: a.shape=(3, 3), b.shape=(2,)",
        ),
        (
            lambda: ops.solve(np.ones((2, 3, 3)), np.ones((4, 3, 3))),
            "solve: the leading dimensions must broadcast against each other. "
            "Received: a.shape=(2, 3, 3), b.shape=(4, 3, 3)",
        ),
        (
            lambda: ops.lstsq(FLAT, FLAT),
            "lstsq: `a` is a matrix and `b` a vector or a matrix. Received: a.shape=(3,), b.shape=(3,)",
        ),
        (
            lambda: ops.lstsq(WIDE, FLAT),
            "lstsq: `b` must have as many rows as `a`. Received: a.shape=(2, 3), b.shape=(3,)",
        ),
        (lambda: ops.qr(SQUARE, "raw"), "qr: `mode` is 'reduced' or 'complete'. Received: mode='raw'"),
        (lambda: ops.norm(WIDE, "max"), "norm: `ord` is a number, 'fro', 'nuc' or None. Received: ord='max'"),
        (
            lambda: ops.norm(WIDE, "nuc", axis=1),
            "norm: 'nuc' is a norm of matrices, with two axes. Received: ord='nuc', axis=1",
        ),
        (
            lambda: ops.norm(np.ones((2, 2, 2)), 2),
            "norm: `axis` is one axis (vectors) or two (matrices). Received: axis=None, x.shape=(2, 2, 2)",
        ),
        (
            lambda: ops.norm(WIDE, 3),
            "norm: a matrix norm is None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf. Received: ord=3",
        ),
        (
            lambda: ops.norm(WIDE, axis=2),
            "norm: `axis` must lie in [-2, 2) for a tensor of rank 2. Received: axis=2",
        ),
        (
            lambda: ops.jvp(ops.sin, (FLAT,), (WIDE,)),
            "jvp: `tangents` has the structure and shapes of `primals`. Received: primals=[(3,)], tangents=[(2, 3)]",
        ),
        (
            lambda: ops.jvp(ops.sin, (Symbol((3,)),), (FLAT,)),
            "jvp: a derivative follows values, not symbolic tensors.",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError) as e:
        call()
    assert str(e.value) == message


def test_jvp_wants_sequences():
    with pytest.raises(TypeError, match=r"^jvp: `primals` and `tangents` are tuples or lists\.$"):
        ops.jvp(ops.sin, np.ones(3), np.ones(3))


@pytest.mark.parametrize(
    ("fn", "shape", "message"),
    [
        (lambda x: ops.lu_factor(x)[0], (3, 3), "lu_factor: there is no gradient with respect to `x`: use solve, inv"),
        (lambda x: ops.qr(x)[0], (2, 3), "qr: there is a gradient for matrices with as many rows as columns or more"),
        (lambda x: ops.qr(x, "complete")[0], (3, 2), "qr: there is a gradient for matrices with as many rows as"),
        (lambda x: ops.svd(x)[0], (3, 2), "svd: there is a gradient for square matrices or with full_matrices=False."),
    ],
)
def test_gradients_that_do_not_exist(fn, shape, message):
    x = ops.convert_to_tensor(rand(*shape))
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = fn(x)
    with pytest.raises(LookupError) as e:
        tape.gradient(y, x)
    assert message in str(e.value)
