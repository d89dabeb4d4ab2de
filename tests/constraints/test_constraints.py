"""Constraints: values, config, errors."""

import numpy as np
import pytest

from kerasish import constraints, ops
from tests.contracts.round_trip import check_round_trip

W = np.array([[3.0, 0.3, -1.0], [4.0, 0.4, 0.0]], "float32")
NORMS = np.linalg.norm(W, axis=0)


@pytest.mark.parametrize(
    "obj, expected",
    [
        (constraints.MaxNorm(2.0), W * np.minimum(NORMS, 2.0) / NORMS),
        (constraints.MaxNorm(2.0, axis=[0, 1]), W * 2.0 / np.linalg.norm(W)),
        (constraints.MinMaxNorm(0.8, 2.0, rate=0.5), W * (0.5 * np.clip(NORMS, 0.8, 2.0) + 0.5 * NORMS) / NORMS),
        (constraints.UnitNorm(), W / NORMS),
        (constraints.NonNeg(), np.maximum(W, 0)),
        (constraints.Constraint(), W),
    ],
)
def test_values_and_config(obj, expected):
    for dtype in ("float32", "float64"):
        got = obj(ops.convert_to_tensor(W, dtype=dtype))
        assert got.dtype == dtype
        np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-5)
    check_round_trip(obj, constraints.serialize, constraints.deserialize, constraints.get)


def test_get():
    assert type(constraints.get("max_norm")) is type(constraints.get("MaxNorm")) is constraints.MaxNorm
    assert constraints.max_norm is constraints.MaxNorm and constraints.non_neg is constraints.NonNeg
    assert constraints.get(None) is None
    with pytest.raises(ValueError, match=r"unknown constraint: 'maxnrm'. Did you mean 'MaxNorm'"):
        constraints.get("maxnrm")
