"""Regularizers: values, config, errors."""

import numpy as np
import pytest

from kerasish import ops, regularizers
from tests.contracts.round_trip import check_round_trip

X = np.array([[1.0, -2.0], [3.0, 4.0], [0.5, 0.0]], "float32")


def cosines(x):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    products = unit @ unit.T
    pairs = np.triu_indices(len(x), 1)
    return np.abs(products[pairs]).sum() / len(pairs[0])


@pytest.mark.parametrize(
    "obj, expected",
    [
        (regularizers.L1(0.1), 0.1 * np.abs(X).sum()),
        (regularizers.L2(0.1), 0.1 * (X**2).sum()),
        (regularizers.L1L2(0.1, 0.2), 0.1 * np.abs(X).sum() + 0.2 * (X**2).sum()),
        (regularizers.L1L2(0.0, 0.2), 0.2 * (X**2).sum()),
        (regularizers.L1L2(), 0.0),
        (regularizers.OrthogonalRegularizer(0.1), 0.1 * cosines(X)),
        (regularizers.OrthogonalRegularizer(0.1, mode="columns"), 0.1 * cosines(X.T)),
    ],
)
def test_values_and_config(obj, expected):
    for dtype in ("float32", "float64"):
        got = obj(ops.convert_to_tensor(X, dtype=dtype))
        assert got.dtype == dtype and got.shape == ()
        np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-5)
    check_round_trip(obj, regularizers.serialize, regularizers.deserialize, regularizers.get)


def test_get():
    assert type(regularizers.get("l1_l2")) is type(regularizers.get("L1L2")) is regularizers.L1L2
    assert regularizers.get("l2").l2 == 0.01
    assert (
        regularizers.l1 is regularizers.L1 and regularizers.orthogonal_regularizer is regularizers.OrthogonalRegularizer
    )
    assert regularizers.get(None) is None
    assert regularizers.Regularizer()(X) == 0.0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: regularizers.L1(-0.1), r"L1: l1 is a finite number of at least 0. Received: l1=-0.1"),
        (lambda: regularizers.L2("x"), r"L2: l2 is a finite number of at least 0. Received: l2='x'"),
        (lambda: regularizers.L1L2(l2=float("nan")), r"L1L2: l2 is a finite number of at least 0. Received: l2=nan"),
        (lambda: regularizers.OrthogonalRegularizer(mode="x"), r"mode is 'rows' or 'columns'. Received: mode='x'"),
        (lambda: regularizers.OrthogonalRegularizer()(X[0]), r"the input is a matrix, of rank 2.*shape=\(2,\)"),
        (lambda: regularizers.get("l3"), r"unknown regularizer: 'l3'. Did you mean 'l"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_base_class_says_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"Regularizer does not implement get_config\(\)"):
        regularizers.Regularizer().get_config()
