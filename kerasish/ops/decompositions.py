"""Matrix decompositions on NumPy's LAPACK: cholesky, eig, eigh, lu_factor, qr, svd."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import define_op, missing_gradient
from ..engine.spec import Spec
from .cast import cast
from .compare import equal
from .creation import eye
from .diagonal import tril
from .inverses import solve_triangular
from .matrices import check_matrix, floating_matrix, lapack, square_like, t
from .shape import expand_dims

__all__ = ["cholesky", "eig", "eigh", "lu_factor", "qr", "svd"]


def _smaller(m: int | None, n: int | None) -> int | None:
    return None if None in (m, n) else min(m, n)


def _symmetric(x: Any) -> Any:
    return (x + t(x)) * 0.5


def _columns(v: Any) -> Any:
    """Vectors as factors of columns: (..., 1, n)."""
    return expand_dims(v, -2)


def _inverse_gaps(w: Any) -> Any:
    """1 / (w[j] - w[i]), and 0 where both are equal: there the directions of the vectors are free."""
    gap = _columns(w) - expand_dims(w, -1)
    same = cast(equal(gap, 0.0), gap.dtype)
    return (1.0 - same) / (gap + same)


# ---- cholesky ---------------------------------------------------------------------------------------------------


def _cholesky_host(x: np.ndarray, upper: bool) -> np.ndarray:
    try:
        factor = np.linalg.cholesky((x + x.swapaxes(-1, -2)) * x.dtype.type(0.5))
    except np.linalg.LinAlgError:
        raise invalid("cholesky", "the matrix is not positive definite", x=x) from None
    return factor.swapaxes(-1, -2) if upper else factor


def _cholesky_grad(ctx: Any, g: Any) -> Any:
    # Murray (2016), "Differentiation of the Cholesky decomposition", equation 10.
    lower, g = (t(ctx.outputs[0]), t(g)) if ctx.attrs["upper"] else (ctx.outputs[0], g)
    inner = tril(t(lower) @ g) * (1.0 - 0.5 * eye(lower.shape[-1], dtype=lower.dtype))
    upper = t(lower)
    left = solve_triangular(upper, inner, lower=False)
    return _symmetric(t(solve_triangular(upper, t(left), lower=False)))


cholesky_op = define_op(
    "cholesky",
    inputs="x",
    infer=square_like("cholesky"),
    kernel=lapack("cholesky", _cholesky_host),
    grad=(_cholesky_grad,),
    saves="y",
)


def cholesky(x: Any, upper: bool = False) -> Any:
    """The Cholesky factor of positive definite matrices: L with L L^T = x, or U with U^T U = x.

    Args:
        x: `(..., m, m)`; its symmetric part is decomposed.
        upper: give U in place of L.

    Raises:
        ValueError: where x is not square or not positive definite.

    >>> import kerasish as keras
    >>> keras.ops.cholesky([[4.0, 2.0], [2.0, 5.0]]).numpy()
    array([[2., 0.],
           [1., 2.]], dtype=float32)
    """
    return cholesky_op(floating_matrix(x), upper=bool(upper))


# ---- eigenvalues ------------------------------------------------------------------------------------------------


def _eig_infer(x: Spec) -> tuple[Spec, Spec]:
    check_matrix("eig", x, square=True)
    dtype = "complex128" if x.dtype == "float64" else "complex64"
    return Spec(x.shape[:-1], dtype), Spec(x.shape, dtype)


eig_op = define_op(
    "eig",
    inputs="x",
    infer=_eig_infer,
    kernel=lapack("eig", lambda x: tuple(np.linalg.eig(x))),
    grad=(missing_gradient("eig", "x", "its results are complex; eigh has one"),),
    outputs="w v",
)


def eig(x: Any) -> tuple:
    """Eigenvalues and eigenvectors of square matrices, which are complex in general.

    Args:
        x: `(..., m, m)`.

    Returns:
        `(..., m)` eigenvalues in no particular order and `(..., m, m)` with the eigenvectors as columns, both complex.

    >>> import kerasish as keras
    >>> w, v = keras.ops.eig([[0.0, 1.0], [-1.0, 0.0]])
    >>> w.numpy()
    array([0.+1.j, 0.-1.j], dtype=complex64)
    """
    return eig_op(floating_matrix(x))


def _eigh_infer(x: Spec) -> tuple[Spec, Spec]:
    check_matrix("eigh", x, square=True)
    return Spec(x.shape[:-1], x.dtype), x


def _eigh_grad(ctx: Any, g_w: Any, g_v: Any) -> Any:
    w, v = ctx.outputs
    turned = _inverse_gaps(w) * (t(v) @ g_v)
    inner = turned + _columns(g_w) * eye(w.shape[-1], dtype=w.dtype)
    return _symmetric(v @ inner @ t(v))


eigh_op = define_op(
    "eigh",
    inputs="x",
    infer=_eigh_infer,
    kernel=lapack("eigh", lambda x: tuple(np.linalg.eigh((x + x.swapaxes(-1, -2)) * x.dtype.type(0.5)))),
    grad=(_eigh_grad,),
    saves="w v",
    outputs="w v",
)


def eigh(x: Any) -> tuple:
    """Eigenvalues and eigenvectors of symmetric matrices.

    The gradient through the vectors exists where all eigenvalues differ.

    Args:
        x: `(..., m, m)`; its symmetric part is decomposed.

    Returns:
        `(..., m)` eigenvalues, ascending, and `(..., m, m)` with the eigenvectors as columns.

    >>> import kerasish as keras
    >>> keras.ops.eigh([[2.0, 1.0], [1.0, 2.0]])[0].numpy()
    array([1., 3.], dtype=float32)
    """
    return eigh_op(floating_matrix(x))


# ---- LU ---------------------------------------------------------------------------------------------------------


def _lu_infer(x: Spec) -> tuple[Spec, Spec]:
    check_matrix("lu_factor", x)
    return x, Spec((*x.shape[:-2], _smaller(*x.shape[-2:])), "int32")


def _lu_host(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian elimination with partial pivoting over the whole batch; NumPy does not expose LAPACK's getrf."""
    m, n = x.shape[-2:]
    lu = np.array(x.reshape(-1, m, n))
    pivots = np.zeros((len(lu), min(m, n)), "int32")
    batch = np.arange(len(lu))
    for k in range(min(m, n)):
        row = pivots[:, k] = k + np.abs(lu[:, k:, k]).argmax(axis=1)
        lu[batch, k], lu[batch, row] = lu[batch, row], lu[batch, k].copy()
        pivot = lu[:, k, k, None]
        lu[:, k + 1 :, k] /= np.where(pivot == 0, 1, pivot)
        lu[:, k + 1 :, k + 1 :] -= lu[:, k + 1 :, k, None] * lu[:, k, None, k + 1 :]
    return lu.reshape(x.shape), pivots.reshape(*x.shape[:-2], min(m, n))


lu_factor_op = define_op(
    "lu_factor",
    inputs="x",
    infer=_lu_infer,
    kernel=lapack("lu_factor", _lu_host),
    grad=(missing_gradient("lu_factor", "x", "use solve, inv or det"),),
    outputs="lu pivots",
)


def lu_factor(x: Any) -> tuple:
    """Decomposes matrices into a lower and an upper triangle, with partial pivoting.

    Args:
        x: `(..., m, n)`.

    Returns:
        `(..., m, n)`: below the diagonal L, whose diagonal of ones is left out, and from the diagonal on U; and
        `(..., min(m, n))` int32: row k was exchanged with row pivots[k].

    >>> import kerasish as keras
    >>> lu, pivots = keras.ops.lu_factor([[1.0, 2.0], [2.0, 2.0]])
    >>> lu.numpy(), pivots.numpy()
    (array([[2. , 2. ],
           [0.5, 1. ]], dtype=float32), array([1, 1], dtype=int32))
    """
    return lu_factor_op(floating_matrix(x))


# ---- QR ---------------------------------------------------------------------------------------------------------


def _qr_infer(x: Spec, mode: str) -> tuple[Spec, Spec]:
    if mode not in ("reduced", "complete"):
        raise invalid("qr", "`mode` is 'reduced' or 'complete'", mode=mode)
    check_matrix("qr", x)
    m, n = x.shape[-2:]
    k = m if mode == "complete" else _smaller(m, n)
    return Spec((*x.shape[:-2], m, k), x.dtype), Spec((*x.shape[:-2], k, n), x.dtype)


def _qr_grad(ctx: Any, g_q: Any, g_r: Any) -> Any:
    # Walter and Lehmann (2010), "On evaluating higher-order derivatives of the QR decomposition".
    m, n = ctx.specs[0].shape[-2:]
    if m < n or (ctx.attrs["mode"] == "complete" and m > n):
        raise invalid(
            "qr",
            "there is a gradient for matrices with as many rows as columns or more, in mode 'reduced'",
            kind=LookupError,
            x=ctx.specs[0],
            mode=ctx.attrs["mode"],
        )
    q, r = ctx.outputs
    product = r @ t(g_r) - t(g_q) @ q
    mirrored = tril(product) + t(tril(product, -1))
    return t(solve_triangular(r, t(g_q + q @ mirrored), lower=False))


qr_op = define_op(
    "qr",
    inputs="x",
    infer=_qr_infer,
    kernel=lapack("qr", lambda x, mode: tuple(np.linalg.qr(x, mode))),
    grad=(_qr_grad,),
    saves="q r",
    outputs="q r",
)


def qr(x: Any, mode: str = "reduced") -> tuple:
    """Decomposes matrices into orthonormal columns and an upper triangle: x = q r.

    The gradient exists in mode "reduced" for matrices of full rank with m >= n.

    Args:
        x: `(..., m, n)`.
        mode: "reduced": q is `(..., m, k)` and r `(..., k, n)` with k = min(m, n); "complete": k = m.

    Raises:
        ValueError: for another mode or a rank below 2.

    >>> import kerasish as keras
    >>> q, r = keras.ops.qr(keras.ops.ones((3, 2)))
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    return qr_op(floating_matrix(x), mode=mode)


# ---- singular values --------------------------------------------------------------------------------------------


def _svd_infer(x: Spec, full_matrices: bool) -> tuple[Spec, Spec, Spec]:
    check_matrix("svd", x)
    m, n = x.shape[-2:]
    k, batch = _smaller(m, n), x.shape[:-2]
    rows, columns = (m, n) if full_matrices else (k, k)
    return Spec((*batch, m, rows), x.dtype), Spec((*batch, k), x.dtype), Spec((*batch, columns, n), x.dtype)


def _svd_grad(ctx: Any, g_u: Any, g_s: Any, g_vh: Any) -> Any:
    # Townsend (2016), "Differentiating the singular value decomposition".
    u, s, vh = ctx.outputs
    m, n = ctx.specs[0].shape[-2:]
    if ctx.attrs["full_matrices"] and m != n:
        raise invalid(
            "svd",
            "there is a gradient for square matrices or with full_matrices=False",
            kind=LookupError,
            x=ctx.specs[0],
        )
    gaps, size = _inverse_gaps(s * s), _columns(s)
    turn_u, turn_v = t(u) @ g_u, vh @ t(g_vh)
    inner = (gaps * (turn_u - t(turn_u))) * size
    inner = inner + expand_dims(s, -1) * (gaps * (turn_v - t(turn_v)))
    inner = inner + _columns(g_s) * eye(s.shape[-1], dtype=s.dtype)
    dx = u @ inner @ vh
    if m > n:  # what of g_u lies outside the columns of u
        dx = dx + ((g_u - u @ turn_u) / size) @ vh
    if n > m:
        dx = dx + (u / size) @ (g_vh - t(turn_v) @ vh)
    return dx


svd_op = define_op(
    "svd",
    inputs="x",
    infer=_svd_infer,
    kernel=lapack("svd", lambda x, full_matrices: tuple(np.linalg.svd(x, full_matrices))),
    grad=(_svd_grad,),
    saves="u s vh",
    outputs="u s vh",
)


def _singular_values_grad(ctx: Any, g: Any) -> Any:
    u, _, vh = svd_op(ctx.inputs[0], full_matrices=False)
    return (u * _columns(g)) @ vh


singular_values_op = define_op(
    "singular_values",  # its gradient needs no gaps between the values, unlike that of svd
    inputs="x",
    infer=lambda x: _svd_infer(x, False)[1],
    kernel=lapack("svd", lambda x: np.linalg.svd(x, compute_uv=False)),
    grad=(_singular_values_grad,),
    saves="x",
)


def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition: x = u diag(s) vh.

    The gradient through u and vh exists where all singular values differ and, unless x is square, with
    `full_matrices=False`; that of the values alone (`compute_uv=False`) always.

    Args:
        x: `(..., m, n)`.
        full_matrices: u is `(..., m, m)` and vh `(..., n, n)`; else they have min(m, n) columns and rows.
        compute_uv: give u and vh, not s alone.

    Returns:
        (u, s, vh), or s; `(..., min(m, n))` singular values, descending.

    >>> import kerasish as keras
    >>> keras.ops.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False).numpy()
    array([4., 3.], dtype=float32)
    """
    x = floating_matrix(x)
    return svd_op(x, full_matrices=bool(full_matrices)) if compute_uv else singular_values_op(x)
