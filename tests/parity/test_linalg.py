"""Linear algebra against keras.ops: values, symbolic shapes, which calls fail, signatures."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from kerasish import ops
from kerasish.engine.symbol import Symbol

from ..ops.sample import rand

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def matrix(*shape, seed=0):
    return (rand(*shape, seed=seed) + 2 * np.eye(*shape[-2:])).astype("float32")


def definite(*shape):
    x = rand(*shape).astype("float32")
    return x @ np.swapaxes(x, -1, -2) + 2 * np.eye(shape[-1], dtype="float32")


def agree(got, want):
    got, want = (list(x) if isinstance(x, (tuple, list)) else [x] for x in (got, want))
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.dtype == str(w.dtype)
        assert g.shape == tuple(w.shape)
        np.testing.assert_allclose(g.numpy(), np.asarray(w), rtol=2e-5, atol=2e-5)


INF = float("inf")
CALLS = [
    ("cholesky", (definite(3, 3),), {}),
    ("cholesky", (definite(2, 3, 3),), {"upper": True}),
    ("cholesky_inverse", (np.linalg.cholesky(definite(3, 3)),), {}),
    ("cholesky_inverse", (np.linalg.cholesky(definite(3, 3)).T.copy(),), {"upper": True}),
    ("det", (matrix(2, 3, 3),), {}),
    ("inv", (matrix(2, 3, 3),), {}),
    ("logdet", (definite(3, 3),), {}),
    ("slogdet", (matrix(2, 3, 3),), {}),
    ("lu_factor", (matrix(3, 3),), {}),
    ("lu_factor", (matrix(2, 4, 3),), {}),
    ("matrix_rank", (np.ones((2, 3, 4), "float32"),), {}),
    ("matrix_rank", (np.eye(3, dtype="float32"),), {"tol": 2.0}),
    ("pinv", (matrix(2, 4, 3),), {}),
    ("pinv", (np.diag([1.0, 1e-3]).astype("float32"),), {"rcond": 0.1}),
    ("solve", (matrix(3, 3), matrix(3, 2)), {}),
    ("solve", (matrix(2, 3, 3), np.ones(3, "float32")), {}),
    ("solve", (matrix(2, 3, 3), np.eye(3, dtype="float32")), {}),
    ("solve_triangular", (matrix(3, 3), matrix(3, 2)), {}),
    ("solve_triangular", (matrix(3, 3), np.ones(3, "float32")), {"lower": True}),
    ("lstsq", (matrix(4, 2), np.ones(4, "float32")), {}),
    ("lstsq", (matrix(4, 2), matrix(4, 3)), {}),
    ("svd", (matrix(4, 3),), {"compute_uv": False}),
    *[("norm", (matrix(3, 4),), {"ord": o}) for o in (None, "fro", "nuc", 1, -1, 2, -2, INF, -INF)],
    *[("norm", (matrix(3, 4),), {"ord": o, "axis": 1, "keepdims": True}) for o in (None, 0, 1, 2, 3, -1, INF, -INF)],
    ("norm", (np.arange(6, dtype="int32").reshape(2, 3),), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS)
def test_values(keras, name, args, kwargs):
    agree(getattr(ops, name)(*args, **kwargs), getattr(keras.ops, name)(*args, **kwargs))
    agree(getattr(ops, name)(*args, **kwargs), getattr(keras.ops, name)(*args, **kwargs))


@pytest.mark.parametrize(
    ("name", "shape", "kwargs"),
    [
        ("eigh", (3, 3), {}),
        ("qr", (4, 3), {}),
        ("qr", (2, 3, 4), {"mode": "complete"}),
        ("svd", (4, 3), {}),
        ("svd", (2, 3, 4), {"full_matrices": False}),
    ],
)
def test_decompositions_up_to_signs(keras, name, shape, kwargs):
    x = definite(*shape) if name == "eigh" else matrix(*shape)
    got, want = getattr(ops, name)(x, **kwargs), getattr(keras.ops, name)(x, **kwargs)
    agree([abs(g) for g in got], [abs(np.asarray(w)) for w in want])


def test_eig(keras):
    x = matrix(3, 3)
    got, want = ops.eig(x), keras.ops.eig(x)
    assert [g.dtype for g in got] == [str(w.dtype) for w in want]
    order = [np.argsort(np.asarray(w[0]).view(np.float32)[::2]) for w in (got, want)]
    np.testing.assert_allclose(got[0].numpy()[order[0]], np.asarray(want[0])[order[1]], rtol=1e-4)


def test_gradients(keras):
    """Against the other library's derivative along a direction, which is forward mode there."""
    for name, args, kwargs in CALLS:
        if name in ("lu_factor", "matrix_rank") or args[0].dtype != np.float32 or kwargs.get("ord") == 0:
            continue
        tangents = tuple(rand(*a.shape, seed=5).astype("float32") for a in args)

        def first(out):
            return out[-1] if isinstance(out, (tuple, list)) else out

        got = ops.jvp(lambda *xs: first(getattr(ops, name)(*xs, **kwargs)), args, tangents)[1]  # noqa: B023
        want = keras.ops.jvp(
            lambda *xs: first(getattr(keras.ops, name)(*xs, **kwargs)),  # noqa: B023
            tuple(map(keras.ops.convert_to_tensor, args)),
            tuple(map(keras.ops.convert_to_tensor, tangents)),
        )[1]
        scale = max(1.0, float(np.abs(np.asarray(want)).max()))
        np.testing.assert_allclose(got.numpy(), np.asarray(want), atol=2e-4 * scale, err_msg=f"{name} {kwargs}")


@pytest.mark.parametrize(
    ("name", "shapes", "kwargs"),
    [
        ("cholesky", ((None, 3, 3),), {}),
        ("det", ((None, 3, 3),), {}),
        ("inv", ((None, 3, 3),), {}),
        ("qr", ((None, 4, 3),), {}),
        ("qr", ((None, 4, 3),), {"mode": "complete"}),
        ("svd", ((None, 4, 3),), {}),
        ("svd", ((None, 4, 3),), {"full_matrices": False}),
        ("svd", ((None, 4, 3),), {"compute_uv": False}),
        ("pinv", ((None, 4, 3),), {}),
        ("matrix_rank", ((None, 4, 3),), {}),
        ("eigh", ((None, 3, 3),), {}),
        ("solve", ((None, 3, 3), (None, 3, 2)), {}),
        ("solve_triangular", ((None, 3, 3), (None, 3)), {}),
        ("lstsq", ((4, 3), (4, 2)), {}),
        ("norm", ((None, 3),), {"axis": 1}),
        ("norm", ((None, 3),), {"axis": 1, "keepdims": True}),
        ("norm", ((None, 3, 4),), {"axis": (1, 2), "ord": "nuc"}),
        ("logdet", ((None, 3, 3),), {}),
    ],
)
def test_symbolic_shapes(keras, name, shapes, kwargs):
    got = getattr(ops, name)(*[Symbol(s) for s in shapes], **kwargs)
    want = getattr(keras.ops, name)(*[keras.KerasTensor(s) for s in shapes], **kwargs)
    got, want = (list(x) if isinstance(x, (tuple, list)) else [x] for x in (got, want))
    assert [(g.shape, g.dtype) for g in got] == [(tuple(w.shape), w.dtype) for w in want]


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("cholesky", (np.ones((2, 3)),), {}),
        ("cholesky", (-np.eye(3),), {}),
        ("det", (np.ones(3),), {}),
        ("inv", (np.ones((2, 3)),), {}),
        ("eigh", (np.ones((2, 3)),), {}),
        ("qr", (np.eye(3),), {"mode": "raw"}),
        ("solve", (np.eye(3), np.ones((2, 2))), {}),
        ("solve", (np.ones((2, 3)), np.ones(3)), {}),
        ("lstsq", (np.ones((2, 3)), np.ones(3)), {}),
        ("norm", (np.ones((2, 2, 2)),), {"ord": 2}),
        ("norm", (np.ones((2, 2)),), {"ord": 3}),
        ("norm", (np.ones((2, 2)),), {"ord": "nuc", "axis": 1}),
        ("pinv", (np.ones(3),), {}),
        ("svd", (np.ones(3),), {}),
    ],
)
def test_what_fails_there_fails_here(keras, name, args, kwargs):
    args = tuple(a.astype("float32") for a in args)
    for namespace in (keras.ops, ops):
        with pytest.raises((ValueError, TypeError)):
            getattr(namespace, name)(*args, **kwargs)


@pytest.mark.parametrize("name", sorted({c[0] for c in CALLS} | {"eig", "eigh", "qr", "jvp"}))
def test_signatures(keras, name):
    def parameters(fn):
        return [(p.name, p.default, p.kind) for p in inspect.signature(fn).parameters.values()]

    assert parameters(getattr(ops, name)) == parameters(getattr(keras.ops, name))
    if name not in ("slogdet", "logdet"):
        assert hasattr(keras.ops.linalg, name) and hasattr(ops.linalg, name)
