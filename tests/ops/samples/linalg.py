"""Samples for kerasish/ops/linalg.py, decompositions.py and inverses.py."""

import numpy as np

from ..sample import Sample, rand

EYE = np.eye(3)


def spread(*shape, seed=0):
    """A matrix far from singular, whose eigenvalues and singular values keep their distance."""
    m, n = shape[-2:]
    diagonal = np.zeros((m, n))
    np.fill_diagonal(diagonal, 2.0 + 1.5 * np.arange(min(m, n)))
    return 0.3 * rand(*shape, seed=seed) + diagonal


def mirrored(x):
    return (x + np.swapaxes(x, -1, -2)) / 2


def np_cholesky(x, upper):
    y = np.linalg.cholesky(mirrored(x))
    return np.swapaxes(y, -1, -2) if upper else y


def np_cofactor(x):
    return np.linalg.det(x)[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2)


def np_lu(x):
    """Plain elimination of one matrix after the other."""
    lu, pivots = np.array(x), np.zeros((*x.shape[:-2], min(x.shape[-2:])), "int32")
    for at in np.ndindex(x.shape[:-2]):
        a = lu[at]
        for k in range(min(a.shape)):
            p = pivots[at][k] = k + np.argmax(abs(a[k:, k]))
            a[[k, p]] = a[[p, k]]
            for i in range(k + 1, a.shape[0]):
                a[i, k] /= a[k, k]
                a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return lu, pivots


def np_triangular(a, b, lower):
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


def np_pinv(x, rcond, factor):
    return np.linalg.pinv(x, 1e-6 if rcond is None else rcond)


def np_eig(x):
    w, v = np.linalg.eig(x)
    return w.astype("complex128"), v.astype("complex128")


COMPLEX = "a complex result has no gradient here"

SAMPLES = [
    *(Sample("cholesky", (spread(*s),), {"upper": u}, np_cholesky) for s in ((3, 3), (2, 4, 4)) for u in (False, True)),
    Sample("cholesky", (spread(1, 1),), {"upper": False}, np_cholesky),
    Sample("cholesky", (rand(0, 3, 3),), {"upper": False}, np_cholesky),
    Sample("eig", (spread(3, 3),), {}, np_eig, grad=(), note=COMPLEX),
    Sample("eig", (spread(2, 1, 1),), {}, np_eig, grad=(), note=COMPLEX),
    Sample("eigh", (spread(3, 3),), {}, lambda x: tuple(np.linalg.eigh(mirrored(x)))),
    Sample("eigh", (spread(2, 4, 4),), {}, lambda x: tuple(np.linalg.eigh(mirrored(x)))),
    Sample("eigh", (spread(1, 1),), {}, lambda x: tuple(np.linalg.eigh(mirrored(x)))),
    *(Sample("lu_factor", (rand(*s),), {}, np_lu, grad=()) for s in ((3, 3), (4, 2), (2, 3, 5), (1, 1), (0, 2, 2))),
    *(Sample("qr", (spread(*s),), {"mode": "reduced"}, np.linalg.qr) for s in ((3, 3), (5, 3), (2, 4, 2), (1, 1))),
    Sample("qr", (spread(2, 4),), {"mode": "reduced"}, np.linalg.qr, grad=()),
    Sample("qr", (spread(4, 4),), {"mode": "complete"}, np.linalg.qr),
    Sample("qr", (spread(4, 2),), {"mode": "complete"}, np.linalg.qr, grad=()),
    *(
        Sample("svd", (spread(*s),), {"full_matrices": False}, lambda x, full_matrices: tuple(np.linalg.svd(x, False)))
        for s in ((3, 3), (5, 3), (3, 5), (2, 4, 2))
    ),
    Sample("svd", (spread(3, 3),), {"full_matrices": True}, lambda x, full_matrices: tuple(np.linalg.svd(x))),
    Sample("svd", (spread(4, 2),), {"full_matrices": True}, lambda x, full_matrices: tuple(np.linalg.svd(x)), grad=()),
    *(
        Sample("singular_values", (spread(*s),), {}, lambda x: np.linalg.svd(x, compute_uv=False))
        for s in ((3, 3), (4, 2), (2, 2, 3), (0, 2, 2))
    ),
    *(Sample("det", (spread(*s),), {}, np.linalg.det) for s in ((3, 3), (2, 2, 2), (1, 1), (0, 2, 2))),
    Sample("cofactor", (spread(3, 3),), {}, np_cofactor),
    Sample("cofactor", (spread(2, 2, 2) - 4 * np.eye(2),), {}, np_cofactor),
    *(
        Sample("slogdet", (spread(*s) * sign,), {}, lambda x: tuple(np.linalg.slogdet(x)))
        for s in ((3, 3), (2, 2, 2), (1, 1))
        for sign in (1, -1)
    ),
    *(Sample("inv", (spread(*s),), {}, np.linalg.inv) for s in ((3, 3), (2, 4, 4), (1, 1), (0, 2, 2))),
    *(
        Sample("pinv", (spread(*s),), {"rcond": None, "factor": 10}, np_pinv)
        for s in ((3, 3), (4, 2), (2, 3, 5), (1, 1))
    ),
    *(
        Sample("solve", (spread(*a), rand(*b, seed=1)), {}, np.linalg.solve)
        for a, b in (((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 4)), ((2, 1, 2, 2), (3, 2, 2)))
    ),
    *(
        Sample("solve_triangular", (spread(*a), rand(*b, seed=1)), {"lower": lower}, np_triangular)
        for a, b in (((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((4, 4), (2, 4, 3)), ((1, 1), (1, 1)))
        for lower in (False, True)
    ),
    Sample("matrix_rank", (np.ones((3, 4)),), {"tol": None}, lambda x, tol: np.linalg.matrix_rank(x)),
    Sample("matrix_rank", (np.stack([EYE, 0 * EYE]),), {"tol": None}, lambda x, tol: np.linalg.matrix_rank(x)),
    Sample("matrix_rank", (np.diag([3.0, 1.0]),), {"tol": 2.0}, lambda x, tol: np.linalg.matrix_rank(x, tol)),
]
