"""Every loss class: config, dtypes, reductions, weights, masks, gradients."""

import numpy as np
import pytest

import kerasish
from kerasish import losses, ops
from tests.contracts.cases import KINDS, LOSSES, case_id
from tests.contracts.round_trip import check_round_trip

# What a prediction that is no probability would do to these is not defined.
CASES = pytest.mark.parametrize("case", LOSSES, ids=case_id)


def make(case, **kwargs):
    return getattr(losses, case[0])(**case[1], **kwargs)


def test_all_classes_are_covered():
    bases = (losses.Loss, losses.LossFunctionWrapper)
    assert {c.__name__ for c in losses._classes if c not in bases} == {case[0] for case in LOSSES}


@CASES
def test_config(case):
    loss = make(case, reduction="sum", name="mine")
    back = check_round_trip(loss, losses.serialize, losses.deserialize, losses.get)
    y_true, y_pred = KINDS[case[2]]()
    np.testing.assert_array_equal(loss(y_true, y_pred), back(y_true, y_pred))
    assert back.name == "mine" and back.reduction == "sum"


@CASES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(case, dtype):
    y_true, y_pred = KINDS[case[2]]()
    value = make(case, dtype=dtype)(y_true, y_pred)
    assert value.dtype == dtype and value.shape == ()
    np.testing.assert_allclose(float(value), float(make(case, dtype="float64")(y_true, y_pred)), rtol=1e-5)


@CASES
def test_reductions_agree(case):
    y_true, y_pred = KINDS[case[2]]()
    raw = make(case, reduction="none")(y_true, y_pred)
    values = np.asarray(raw)
    np.testing.assert_allclose(float(make(case, reduction="sum")(y_true, y_pred)), values.sum(), rtol=1e-5)
    mask = np.ones(values.shape, bool)
    if case[0] == "Circle":
        mask = values > 0
    elif case[1].get("ignore_class") is not None:
        mask = y_true != case[1]["ignore_class"]
    expected = values.sum() / mask.sum() if values.ndim else values
    for reduction in ("sum_over_batch_size", "mean"):
        np.testing.assert_allclose(float(make(case, reduction=reduction)(y_true, y_pred)), expected, rtol=1e-5)


@CASES
def test_gradient_reaches_the_predictions(case):
    y_true, y_pred = KINDS[case[2]]()
    loss = make(case, dtype="float64", reduction="sum")
    x = ops.convert_to_tensor(y_pred, dtype="float64")
    with kerasish.GradientTape() as tape:
        tape.watch(x)
        value = loss(y_true, x)
    gradient = np.asarray(tape.gradient(value, x))
    assert gradient.shape == y_pred.shape and np.isfinite(gradient).all() and np.abs(gradient).sum() > 0
    direction = np.random.default_rng(0).normal(size=y_pred.shape)
    h = 1e-6
    high, low = (float(loss(y_true, np.asarray(x) + s * h * direction)) for s in (1, -1))
    np.testing.assert_allclose((gradient * direction).sum(), (high - low) / (2 * h), rtol=1e-4, atol=1e-6)


@CASES
def test_works_on_symbols(case):
    y_true, y_pred = KINDS[case[2]]()
    loss = make(case, reduction="none")
    concrete = loss(y_true, y_pred)
    if case[0] == "Circle":
        return  # compares the samples of a batch with each other: needs to know how many there are
    batch = [kerasish.KerasTensor((None, *y.shape[1:]), dtype=str(y.dtype)) for y in (y_true, y_pred)]
    shape = loss(*batch).shape
    assert len(shape) == len(concrete.shape)
    assert all(a in (None, b) for a, b in zip(shape, concrete.shape))
