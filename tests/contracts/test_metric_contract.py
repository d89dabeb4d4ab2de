"""Every metric class: config, dtypes, state, stateless use, reset."""

import numpy as np
import pytest

from kerasish import metrics, ops
from tests.contracts.cases import KINDS, METRICS, case_id
from tests.contracts.round_trip import check_round_trip

CASES = pytest.mark.parametrize("case", METRICS, ids=case_id)


def make(case, **kwargs):
    return getattr(metrics, case[0])(**case[1], **kwargs)


def result(metric):
    return np.asarray(metric.result())


def test_all_classes_are_covered():
    others = (metrics.Metric, metrics.Mean, metrics.Sum, metrics.MeanMetricWrapper)
    assert {c.__name__ for c in metrics._classes if c not in others} == {case[0] for case in METRICS}


@CASES
def test_config(case):
    metric = make(case, name="mine")
    back = check_round_trip(metric, metrics.serialize, metrics.deserialize, metrics.get)
    assert back.name == "mine" and back.dtype == metric.dtype
    y_true, y_pred = KINDS[case[2]]()
    metric.update_state(y_true, y_pred)
    back.update_state(y_true, y_pred)
    np.testing.assert_array_equal(result(metric), result(back))


@CASES
def test_batches_add_up(case):
    """Two halves and the whole give the same result; a reset forgets."""
    y_true, y_pred = KINDS[case[2]]()
    halves, whole = make(case), make(case)
    halves.update_state(y_true[:5], y_pred[:5])
    halves.update_state(y_true[5:], y_pred[5:])
    whole.update_state(y_true, y_pred)
    np.testing.assert_allclose(result(halves), result(whole), rtol=2e-5, atol=1e-6)
    halves.reset_state()
    assert all((v.numpy() == 0).all() for v in halves.variables)
    halves.update_state(y_true, y_pred)
    np.testing.assert_allclose(result(halves), result(whole), rtol=1e-6)


@CASES
def test_weights_of_one_change_nothing(case):
    y_true, y_pred = KINDS[case[2]]()
    plain, weighted = make(case), make(case)
    plain.update_state(y_true, y_pred)
    shape = np.shape(y_true) if "IoU" in case[0] and case[2] in ("pixels", "binary") else np.shape(y_true)[:1]
    if case[2] in ("pixels_scores", "pixels_mixed"):
        shape = np.shape(y_true)[:2]
    weighted.update_state(y_true, y_pred, sample_weight=np.ones(shape, "int32"))
    np.testing.assert_allclose(result(weighted), result(plain), rtol=1e-6)


@CASES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(case, dtype):
    y_true, y_pred = KINDS[case[2]]()
    metric = make(case, dtype=dtype)
    metric.update_state(y_true, y_pred)
    reference = make(case)
    reference.update_state(y_true, y_pred)
    assert metric.dtype == dtype and np.asarray(metric.result()).dtype.kind == "f"
    np.testing.assert_allclose(result(metric), result(reference), rtol=1e-4, atol=1e-5)


@CASES
def test_stateless_use_leaves_the_metric_alone(case):
    y_true, y_pred = KINDS[case[2]]()
    reference, metric = make(case), make(case)
    for m in (reference, metric):
        m.update_state(y_true, y_pred)  # some make their state by the first batch
    reference.update_state(y_true, y_pred)
    before = [v.numpy() for v in metric.variables]
    state = metric.stateless_update_state(metric.variables, y_true, y_pred)
    np.testing.assert_array_equal(np.asarray(metric.stateless_result(state)), result(reference))
    assert all((np.asarray(v) == 0).all() for v in metric.stateless_reset_state())
    for v, old in zip(metric.variables, before):
        np.testing.assert_array_equal(v.numpy(), old)
    with pytest.raises(
        ValueError, match=rf"{case[0]}.stateless_update_state: metric_variables holds one value for each"
    ):
        metric.stateless_update_state([], y_true, y_pred)


@CASES
def test_result_before_the_first_batch(case):
    metric = make(case)
    with np.errstate(all="ignore"):
        assert np.asarray(metric.result()).dtype.kind == "f"


@CASES
def test_accepts_tensors_and_gives_tensors(case):
    y_true, y_pred = (ops.convert_to_tensor(y) for y in KINDS[case[2]]())
    value = make(case)(y_true, y_pred)
    assert ops.is_tensor(value)
