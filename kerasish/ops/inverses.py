"""Determinants, inverses and linear systems: det, inv, solve, lstsq and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import define_op
from ..engine.spec import Spec, broadcast_shapes
from .cast import promote, unbroadcast
from .creation import eye
from .diagonal import tril, triu
from .math import multiply
from .matrices import check_matrix, floating_matrix, lapack, square_like, t
from .reduce import sum as reduce_sum
from .shape import expand_dims, squeeze

__all__ = [
    "cholesky_inverse", "det", "inv", "logdet", "lstsq", "matrix_rank", "pinv", "slogdet", "solve", "solve_triangular",
]  # fmt: skip


def _each(v: Any) -> Any:
    """A number for each matrix of a batch, as a factor of the matrices."""
    return expand_dims(v, (-2, -1))


# ---- determinants -----------------------------------------------------------------------------------------------


def _det_infer(x: Spec) -> Spec:
    check_matrix("det", x, square=True)
    return Spec(x.shape[:-2], x.dtype)


def _cofactor_host(x: np.ndarray) -> np.ndarray:
    """det(x) inv(x)^T through singular values, which holds for singular matrices too."""
    u, s, vh = np.linalg.svd(x)
    others = np.ones_like(s)
    for k in range(s.shape[-1]):
        others[..., k] = np.delete(s, k, axis=-1).prod(axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return (u * (sign[..., None] * others)[..., None, :]) @ vh


def _cofactor_grad(ctx: Any, g: Any) -> Any:
    x = ctx.inputs[0]
    inverse = t(inv_op(x))
    along = _each(reduce_sum(multiply(g, inverse), axis=(-2, -1)))
    return _each(det_op(x)) * (along * inverse - inverse @ t(g) @ inverse)


cofactor_op = define_op(
    "cofactor",  # the gradient of det
    inputs="x",
    infer=square_like("cofactor"),
    kernel=lapack("cofactor", _cofactor_host),
    grad=(_cofactor_grad,),
    saves="x",
)

det_op = define_op(
    "det",
    inputs="x",
    infer=_det_infer,
    kernel=lapack("det", np.linalg.det),
    grad=(lambda ctx, g: _each(g) * cofactor_op(ctx.inputs[0]),),
    saves="x",
)


def det(x: Any) -> Any:
    """The determinant of each matrix.

    Args:
        x: `(..., m, m)`.

    Returns:
        `(...)`.

    >>> import kerasish as keras
    >>> keras.ops.det([[2.0, 0.0], [0.0, 3.0]]).item()
    6.0
    """
    return det_op(floating_matrix(x))


def _slogdet_infer(x: Spec) -> tuple[Spec, Spec]:
    check_matrix("slogdet", x, square=True)
    each = Spec(x.shape[:-2], x.dtype)
    return each, each


slogdet_op = define_op(
    "slogdet",
    inputs="x",
    infer=_slogdet_infer,
    kernel=lapack("slogdet", lambda x: tuple(np.linalg.slogdet(x))),
    grad=(lambda ctx, g_sign, g_log: _each(g_log) * t(inv_op(ctx.inputs[0])),),
    saves="x",
    outputs="sign logabsdet",
)


def slogdet(x: Any) -> tuple:
    """Sign and natural logarithm of the absolute value of each matrix's determinant.

    Args:
        x: `(..., m, m)`.

    Returns:
        Two tensors `(...)`: the sign (0 for a singular matrix) and the logarithm (minus infinity for one).

    >>> import kerasish as keras
    >>> sign, logarithm = keras.ops.slogdet([[0.0, 1.0], [1.0, 0.0]])
    >>> sign.item(), logarithm.item()
    (-1.0, 0.0)
    """
    return slogdet_op(floating_matrix(x))


def logdet(x: Any) -> Any:
    """Natural logarithm of the determinant of positive definite matrices.

    Args:
        x: `(..., m, m)`.

    Returns:
        `(...)`.

    >>> import kerasish as keras
    >>> keras.ops.logdet([[1.0, 0.0], [0.0, 1.0]]).item()
    0.0
    """
    return slogdet(x)[1]


# ---- inverses ---------------------------------------------------------------------------------------------------


def _inv_host(x: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(x)
    except np.linalg.LinAlgError:
        raise invalid("inv", "the matrix is singular", x=x) from None


inv_op = define_op(
    "inv",
    inputs="x",
    infer=square_like("inv"),
    kernel=lapack("inv", _inv_host),
    grad=(lambda ctx, g: -(t(ctx.outputs[0]) @ g @ t(ctx.outputs[0])),),
    saves="y",
)


def inv(x: Any) -> Any:
    """The inverse of each matrix.

    Args:
        x: `(..., m, m)`.

    Raises:
        ValueError: where a matrix is not square or singular.

    >>> import kerasish as keras
    >>> keras.ops.inv([[2.0, 0.0], [0.0, 4.0]]).numpy()
    array([[0.5 , 0.  ],
           [0.  , 0.25]], dtype=float32)
    """
    return inv_op(floating_matrix(x))


def _pinv_infer(x: Spec, rcond: float | None, factor: int) -> Spec:
    check_matrix("pinv", x)
    return Spec((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)


def _pinv_host(x: np.ndarray, rcond: float | None, factor: int) -> np.ndarray:
    return np.linalg.pinv(x, factor * max(x.shape[-2:]) * np.finfo(x.dtype).eps if rcond is None else rcond)


def _pinv_grad(ctx: Any, g: Any) -> Any:
    # Golub and Pereyra (1973), at constant rank.
    x, p = ctx.inputs[0], ctx.outputs[0]
    m, n = ctx.specs[0].shape[-2:]
    dx = -(t(p) @ g @ t(p))
    dx = dx + (eye(m, dtype=x.dtype) - x @ p) @ t(g) @ p @ t(p)
    return dx + t(p) @ p @ t(g) @ (eye(n, dtype=x.dtype) - p @ x)


pinv_op = define_op(
    "pinv",
    inputs="x",
    infer=_pinv_infer,
    kernel=lapack("pinv", _pinv_host),
    grad=(_pinv_grad,),
    saves="x y",
)


def pinv(x: Any, rcond: float | None = None) -> Any:
    """The Moore-Penrose pseudoinverse of each matrix.

    Args:
        x: `(..., m, n)`.
        rcond: singular values up to rcond times the largest count as 0; by default 10 max(m, n) units of rounding.

    Returns:
        `(..., n, m)`.

    >>> import kerasish as keras
    >>> keras.ops.pinv([[2.0, 0.0], [0.0, 0.0]]).numpy()
    array([[0.5, 0. ],
           [0. , 0. ]], dtype=float32)
    """
    return pinv_op(floating_matrix(x), rcond=rcond, factor=10)


def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of the matrix whose Cholesky factor is given.

    Args:
        x: `(..., m, m)`: L of a matrix L L^T, or U of U^T U.
        upper: x is U.

    >>> import kerasish as keras
    >>> keras.ops.cholesky_inverse([[2.0, 0.0], [0.0, 4.0]]).numpy()
    array([[0.25  , 0.    ],
           [0.    , 0.0625]], dtype=float32)
    """
    x = floating_matrix(x)
    check_matrix("cholesky_inverse", Spec(tuple(x.shape), x.dtype), square=True)
    if x.shape[-1] is None:
        raise invalid("cholesky_inverse", "the size of the matrix must be known", x=x)
    inverse = solve_triangular_op(x, eye(x.shape[-1], dtype=x.dtype), lower=not upper)
    return inverse @ t(inverse) if upper else t(inverse) @ inverse


def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """The number of singular values above a tolerance.

    Args:
        x: `(..., m, n)`.
        tol: the tolerance; by default the largest singular value times max(m, n) units of rounding.

    Returns:
        `(...)` int32.

    >>> import kerasish as keras
    >>> keras.ops.matrix_rank([[1.0, 2.0], [2.0, 4.0]]).item()
    1
    """
    return matrix_rank_op(floating_matrix(x), tol=tol)


def _rank_infer(x: Spec, tol: float | None) -> Spec:
    check_matrix("matrix_rank", x)
    return Spec(x.shape[:-2], "int32")


def _rank_host(x: np.ndarray, tol: float | None) -> np.ndarray:
    s = np.linalg.svd(x, compute_uv=False)
    if tol is None:
        tol = s.max(axis=-1, keepdims=True, initial=0) * (max(x.shape[-2:]) * np.finfo(s.dtype).eps)
    return (s > tol).sum(axis=-1)


matrix_rank_op = define_op(
    "matrix_rank", inputs="x", infer=_rank_infer, kernel=lapack("matrix_rank", _rank_host), grad=None
)


# ---- linear systems ---------------------------------------------------------------------------------------------


def _system_infer(where: str):
    def infer(a: Spec, b: Spec, **attrs: Any) -> Spec:
        check_matrix(where, a, square=True, name="a")
        check_matrix(where, b, name="b")
        n, rows = a.shape[-1] if a.shape[-1] is not None else a.shape[-2], b.shape[-2]
        if None not in (n, rows) and n != rows:
            raise invalid(where, f"`b` must have as many rows as `a`, not {rows}", a=a, b=b)
        batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if batch is None:
            raise invalid(where, "the leading dimensions must broadcast against each other", a=a, b=b)
        return Spec((*batch, *b.shape[-2:]), b.dtype)

    return infer


def _solve_host(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise invalid("solve", "the matrix is singular", a=a) from None


def _solve_grads(ctx: Any, g: Any) -> list:
    db = solve_op(t(ctx.inputs[0]), g)
    da = unbroadcast(-(db @ t(ctx.outputs[0])), ctx.specs[0]) if ctx.needs[0] else None
    return [da, unbroadcast(db, ctx.specs[1])]


solve_op = define_op(
    "solve",
    inputs="a b",
    infer=_system_infer("solve"),
    kernel=lapack("solve", _solve_host),
    grad=_solve_grads,
    saves="a y",
)


def _substitute(a: np.ndarray, b: np.ndarray, lower: bool) -> np.ndarray:
    """Forward or backward substitution, row by row over the whole batch; a zero on the diagonal gives infinities."""
    n = a.shape[-1]
    x = np.empty((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)
    for k in range(n) if lower else reversed(range(n)):
        done = slice(0, k) if lower else slice(k + 1, n)
        rest = b[..., k, :] - (a[..., k, None, done] @ x[..., done, :])[..., 0, :]
        x[..., k, :] = rest / a[..., k, k, None]
    return x


def _solve_triangular_grads(ctx: Any, g: Any) -> list:
    lower = ctx.attrs["lower"]
    db = solve_triangular_op(t(ctx.inputs[0]), g, lower=not lower)
    da = None
    if ctx.needs[0]:
        da = unbroadcast((tril if lower else triu)(-(db @ t(ctx.outputs[0]))), ctx.specs[0])
    return [da, unbroadcast(db, ctx.specs[1])]


solve_triangular_op = define_op(
    "solve_triangular",
    inputs="a b",
    infer=_system_infer("solve_triangular"),
    kernel=lapack("solve_triangular", _substitute),
    grad=_solve_triangular_grads,
    saves="a y",
)


def _solve_with(where: str, op: Any, a: Any, b: Any, **attrs: Any) -> Any:
    """b may be one vector, or a vector for each matrix; anything else is matrices."""
    a, b = promote(floating_matrix(a), floating_matrix(b))
    if len(b.shape) == 0:
        raise invalid(where, "`b` is a vector, a matrix or a batch of them", b=b)
    vectors = len(b.shape) == len(a.shape) - 1 and all(
        None in (p, q) or p == q for p, q in zip(a.shape[:-1], b.shape, strict=True)
    )
    if len(b.shape) > 1 and not vectors:
        return op(a, b, **attrs)
    check_matrix(where, Spec(tuple(a.shape), a.dtype), square=True, name="a")
    n, rows = a.shape[-1], b.shape[-1]
    if None not in (n, rows) and n != rows:
        raise invalid(where, f"`b` must have as many rows as `a`, not {rows}", a=a, b=b)
    return squeeze(op(a, expand_dims(b, -1), **attrs), -1)


def solve(a: Any, b: Any) -> Any:
    """The solution x of a x = b.

    Args:
        a: `(..., m, m)`.
        b: `(..., m, n)`; or `(m,)`, or `(..., m)` with the leading dimensions of a: a vector for each matrix.

    Returns:
        x, shaped like b (the leading dimensions broadcast).

    Raises:
        ValueError: where the shapes do not fit or a matrix is singular.

    >>> import kerasish as keras
    >>> keras.ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0]).numpy()
    array([1. , 0.5], dtype=float32)
    """
    return _solve_with("solve", solve_op, a, b)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The solution x of a x = b for a triangular matrix, of which the other triangle is not read.

    Args:
        a: `(..., m, m)`.
        b: as for `solve`.
        lower: a is lower triangular.

    Returns:
        x, shaped like b; infinite where the diagonal has a zero.

    >>> import kerasish as keras
    >>> keras.ops.solve_triangular([[1.0, 0.0], [1.0, 2.0]], [1.0, 3.0], lower=True).numpy()
    array([1., 1.], dtype=float32)
    """
    return _solve_with("solve_triangular", solve_triangular_op, a, b, lower=bool(lower))


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """The x that minimizes the Euclidean length of a x - b, the shortest one where there are several.

    Args:
        a: `(m, n)`.
        b: `(m,)`, or `(m, k)` for k problems.
        rcond: singular values up to rcond times the largest count as 0; by default max(m, n) units of rounding.

    Returns:
        `(n,)` or `(n, k)`.

    Raises:
        ValueError: where the shapes do not fit.

    >>> import kerasish as keras
    >>> keras.ops.round(keras.ops.lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0]), 4).numpy()
    array([1., 2.], dtype=float32)
    """
    a, b = promote(floating_matrix(a), floating_matrix(b))
    if len(a.shape) != 2 or len(b.shape) not in (1, 2):
        raise invalid("lstsq", "`a` is a matrix and `b` a vector or a matrix", a=a, b=b)
    if None not in (a.shape[0], b.shape[0]) and a.shape[0] != b.shape[0]:
        raise invalid("lstsq", "`b` must have as many rows as `a`", a=a, b=b)
    inverse = pinv_op(a, rcond=rcond, factor=1)
    return inverse @ b if len(b.shape) == 2 else squeeze(inverse @ expand_dims(b, 1), 1)
