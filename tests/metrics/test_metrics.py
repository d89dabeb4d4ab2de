"""Metrics: values by hand, the base class, masks, errors."""

import numpy as np
import pytest

from kerasish import losses, metrics, ops


def after(metric, *updates):
    for update in updates:
        metric.update_state(*update)
    return np.asarray(metric.result())


class Fraction(metrics.Metric):
    def __init__(self, name="fraction", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.count = self.add_weight(name="count")
        self.inner = [metrics.Mean(name="inner")]

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total.assign_add(ops.sum(ops.cast(ops.equal(y_true, y_pred), "float32")))
        self.count.assign_add(ops.size(y_true))
        self.inner[0].update_state(y_pred)

    def result(self):
        return self.total / self.count


def test_a_metric_of_ones_own():
    metric = Fraction()
    assert after(metric, ([1, 2, 3], [1, 2, 0]), ([1], [0])) == 0.5
    assert [v.path for v in metric.variables] == ["fraction/total", "fraction/count", "inner/total", "inner/count"]
    metric.reset_state()
    assert all(float(v) == 0 for v in metric.variables)
    assert repr(metric) == "<Fraction name=fraction>"
    assert float(metric([1, 2], [1, 2])) == 1.0


def test_forgotten_super_call_is_named():
    class Bad(metrics.Metric):
        def __init__(self):
            self.total = self.add_variable(shape=(), initializer="zeros")

    with pytest.raises(RuntimeError, match=r"Bad: __init__ must call super\(\).__init__\(\)"):
        Bad()


@pytest.mark.parametrize("method, args", [("update_state", (1,)), ("result", ())])
def test_base_class_says_what_is_missing(method, args):
    with pytest.raises(NotImplementedError, match=rf"Metric does not implement {method}\(\)"):
        getattr(metrics.Metric(), method)(*args)


def test_mean_and_sum():
    assert after(metrics.Mean(), ([1.0, 3.0],), (5.0,)) == 3.0
    assert after(metrics.Mean(), (2.0, 3), (6.0, 1)) == 3.0
    assert after(metrics.Mean(), ([[1.0, 3.0], [5.0, 7.0]], [1.0, 0.0])) == 2.0
    assert after(metrics.Sum(), ([1.0, 3.0], [2.0, 1.0]), (5.0,)) == 10.0
    assert after(metrics.Mean()) == 0.0
    with pytest.raises(ValueError, match=r"Mean: the sample weights must fit values of shape \(3,\)"):
        metrics.Mean().update_state([1.0, 2.0, 3.0], [1.0, 2.0])


def test_accuracies():
    assert after(metrics.Accuracy(), ([[1], [2]], [[0], [2]])) == 0.5
    assert after(metrics.BinaryAccuracy(), ([1, 1, 0, 0], [0.98, 0.5, 0.1, 0.6])) == 0.5
    assert after(metrics.BinaryAccuracy(), (np.array([1, 0]), np.array([[0.9], [0.9]]))) == 0.5
    logits = np.array([[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
    assert after(metrics.CategoricalAccuracy(), ([[0, 0, 1], [0, 1, 0]], logits)) == 0.5
    for labels in ([2, 1], [[2], [1]], np.array([2.0, 1.0])):
        assert after(metrics.SparseCategoricalAccuracy(), (labels, logits)) == 0.5
    assert after(metrics.SparseTopKCategoricalAccuracy(k=2), ([2, 1], logits)) == 1.0
    ids = metrics.SparseTopKCategoricalAccuracy(k=1, from_sorted_ids=True)
    assert after(ids, ([2, 1], [[2, 0], [0, 1]])) == 0.5
    sequences = np.stack([logits, logits])
    assert after(metrics.SparseCategoricalAccuracy(), ([[2, 1], [1, 1]], sequences)) == 0.75
    assert after(metrics.TopKCategoricalAccuracy(k=1), (np.eye(3)[[[2, 1], [1, 1]]], sequences)) == 0.75


def test_labels_out_of_range_are_named():
    p = np.full((3, 4), 0.25)
    with pytest.raises(ValueError) as e:
        metrics.SparseCategoricalAccuracy().update_state([0, 1, 4], p)
    assert str(e.value) == (
        "SparseCategoricalAccuracy: every value of `labels` must lie in [0, 4). "
        "Received: value=4, position=(2,), labels.shape=(3,)"
    )
    assert after(metrics.SparseCategoricalAccuracy(), ([0, -1, 4], p, [1.0, 0.0, 0.0])) == 1.0
    masked = ops.convert_to_tensor(p)
    masked._keras_mask = ops.convert_to_tensor([True, False, True])
    assert after(metrics.SparseCategoricalAccuracy(), ([0, -1, 0], masked)) == 1.0


def test_masks_take_positions_out():
    p = ops.convert_to_tensor(np.array([[0.9], [0.1], [0.9]], "float32"))
    p._keras_mask = ops.convert_to_tensor([True, True, False])
    assert after(metrics.BinaryAccuracy(), ([[1], [0], [0]], p)) == 1.0
    assert after(metrics.MeanMetricWrapper(losses.mean_absolute_error), ([[1.0], [0.0], [0.0]], p)) == pytest.approx(
        0.1
    )


def test_confusion_counts():
    y_true, y_pred = [0, 1, 1, 1, 0, 0], [0.1, 0.9, 0.4, 0.8, 0.6, 0.3]
    weights = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    for cls, count, weight in (
        (metrics.TruePositives, 2, 6),
        (metrics.FalsePositives, 1, 5),
        (metrics.TrueNegatives, 2, 7),
        (metrics.FalseNegatives, 1, 3),
    ):
        assert after(cls(), (y_true, y_pred)) == count
        assert after(cls(), (y_true, y_pred, weights)) == weight
    np.testing.assert_array_equal(after(metrics.TruePositives([0.85, 0.3]), (y_true, y_pred)), [1, 3])
    assert after(metrics.Precision(), (y_true, y_pred)) == pytest.approx(2 / 3)
    assert after(metrics.Recall(), (y_true, y_pred, weights)) == pytest.approx(6 / 9)
    assert after(metrics.Precision(), ([0, 0], [0.1, 0.1])) == 0.0


@pytest.mark.parametrize("count", [3, 5, 11])
def test_histogram_counts_as_comparison_does(count):
    """Both ways to count over thresholds agree, also for scores on a threshold, below 0, above 1 and NaN."""
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 1, count)
    p = np.concatenate([rng.uniform(size=200), grid, [-1.0, 2.0]]).astype("float32")
    y = rng.integers(0, 2, p.size)
    evenly = metrics.TruePositives(thresholds=list(grid))
    assert evenly._evenly
    by_hand = [((p > np.float32(t)) & (y == 1)).sum() for t in grid]
    # Above 1 counts as 1 there: scores are probabilities.
    by_hand[-1] = 0
    np.testing.assert_array_equal(after(evenly, (y, p)), by_hand)
    with np.errstate(invalid="ignore"):
        after(evenly, ([1], [np.nan]))


def test_auc_of_a_perfect_and_a_random_classifier():
    y = np.array([0, 0, 1, 1])
    assert after(metrics.AUC(), (y, [0.1, 0.2, 0.8, 0.9])) == pytest.approx(1.0)
    assert after(metrics.AUC(curve="PR"), (y, [0.1, 0.2, 0.8, 0.9])) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 4000), rng.uniform(size=4000)
    assert abs(after(metrics.AUC(), (y, p)) - 0.5) < 0.03
    order = np.argsort(p)
    ranks = np.empty(4000)
    ranks[order] = np.arange(1, 4001)
    exact = (ranks[y == 1].sum() - (y == 1).sum() * ((y == 1).sum() + 1) / 2) / ((y == 1).sum() * (y == 0).sum())
    assert abs(after(metrics.AUC(num_thresholds=1000), (y, p)) - exact) < 1e-3


def test_auc_with_labels_builds_by_the_first_batch():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (50, 3)), rng.uniform(size=(50, 3))
    metric = metrics.AUC(multi_label=True)
    assert metric.variables == [] and float(metric.result()) == 0.0
    single = [after(metrics.AUC(), (y[:, k], p[:, k])) for k in range(3)]
    assert after(metric, (y, p)) == pytest.approx(np.mean(single), rel=1e-6)
    metric.reset_state()
    assert [v.shape for v in metric.variables] == [(200, 3)] * 4


def test_iou():
    metric = metrics.MeanIoU(num_classes=3)
    assert after(metric, ([0, 1, 2, 2], [0, 1, 1, 2])) == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    np.testing.assert_array_equal(metric.total_cm.numpy(), [[1, 0, 0], [0, 1, 0], [0, 1, 1]])
    assert metric.total_cm.dtype == "int32"
    ignoring = metrics.MeanIoU(num_classes=3, ignore_class=-1)
    assert after(ignoring, ([0, -1, 7], [0, 1, 2])) == pytest.approx(1.0)
    with pytest.warns(UserWarning, match=r"MeanIoU: sample weights of dtype float64 are cut to integers"):
        metrics.MeanIoU(num_classes=3).update_state([0, 1], [0, 1], sample_weight=np.array([0.5, 1.0]))


def test_r2_and_its_adjustment():
    y, p = np.array([[1.0], [4.0], [3.0], [0.0]]), np.array([[1.5], [3.5], [3.0], [0.5]])
    plain = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert after(metrics.R2Score(), (y, p)) == pytest.approx(plain)
    assert after(metrics.R2Score(num_regressors=2), (y, p)) == pytest.approx(1 - (1 - plain) * 3 / 1)
    with pytest.warns(UserWarning, match=r"R2Score: 3 regressors leave nothing to adjust by with 4 values"):
        assert after(metrics.R2Score(num_regressors=3), (y, p)) == pytest.approx(plain)


def test_directions_for_callbacks():
    assert (
        metrics.AUC()._direction == metrics.BinaryAccuracy()._direction == metrics.CosineSimilarity()._direction == "up"
    )
    assert metrics.MeanSquaredError()._direction == metrics.RootMeanSquaredError()._direction == "down"
    assert metrics.MeanMetricWrapper(losses.huber)._direction == "down"
    assert metrics.MeanMetricWrapper(lambda a, b: a - b)._direction is None


def test_wrapper_config_with_a_custom_function():
    def gap(y_true, y_pred, power=1):
        return ops.power(ops.abs(y_true - y_pred), power)

    metric = metrics.MeanMetricWrapper(gap, name="gap", power=2)
    back = metrics.deserialize(metrics.serialize(metric), custom_objects={"gap": gap})
    assert after(back, (np.array([1.0]), np.array([4.0]))) == 9.0


def test_get():
    assert metrics.get(None) is None
    assert type(metrics.get("auc")) is type(metrics.get("AUC")) is metrics.AUC
    assert type(metrics.get("mse")) is type(metrics.get("mean_squared_error")) is metrics.MeanSquaredError
    assert metrics.get(losses.huber) is losses.huber
    assert metrics.mean_squared_error is losses.mean_squared_error


Y, P = np.ones((4, 3)), np.full((4, 3), 0.5)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: metrics.get("acuracy"), r"unknown metric: 'acuracy'. Did you mean 'accuracy' or"),
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), r"Precision: thresholds lie in \[0, 1\]. Received"),
        (
            lambda: metrics.Precision(class_id=1).update_state([1], [1]),
            r"Precision: class_id needs predictions of shape",
        ),
        (
            lambda: metrics.Recall().update_state(Y, P[:, :2]),
            r"Recall: targets and predictions must have the same shape. "
            r"Received: y_true.shape=\(4, 3\), y_pred.shape=\(4, 2\)",
        ),
        (
            lambda: metrics.Recall().update_state(Y, P, np.ones(3)),
            r"Recall: the sample weights must fit targets of shape",
        ),
        (lambda: metrics.AUC(curve="ROCK"), r"AUC: curve is one of 'ROC', 'PR', 'PRGAIN'. Received: curve='ROCK'"),
        (lambda: metrics.AUC(summation_method="x"), r"AUC: summation_method is one of 'interpolation', "),
        (
            lambda: metrics.AUC(num_thresholds=1),
            r"AUC: num_thresholds is an integer above 1. Received: num_thresholds=1",
        ),
        (lambda: metrics.AUC(thresholds=[2.0]), r"AUC: thresholds lie in \[0, 1\]"),
        (lambda: metrics.AUC(num_labels=2), r"AUC: num_labels needs multi_label=True. Received: num_labels=2"),
        (
            lambda: metrics.AUC(multi_label=True).update_state([1], [1]),
            r"AUC: with multi_label, predictions have shape",
        ),
        (
            lambda: metrics.AUC(multi_label=True, num_labels=3, label_weights=[1.0]),
            r"AUC: there is a label weight for each of 3 labels",
        ),
        (lambda: metrics.SensitivityAtSpecificity(1.5), r"SensitivityAtSpecificity: specificity lies in \[0, 1\]"),
        (lambda: metrics.PrecisionAtRecall(0.5, num_thresholds=0), r"num_thresholds is a positive integer"),
        (lambda: metrics.FBetaScore(average="mean"), r"FBetaScore: average is None, 'micro', 'macro' or 'weighted'"),
        (lambda: metrics.FBetaScore(beta=0.0), r"FBetaScore: beta is a positive float. Received: beta=0.0"),
        (
            lambda: metrics.F1Score(threshold=2.0),
            r"F1Score: the threshold is a float in \(0, 1\]. Received: threshold=2.0",
        ),
        (
            lambda: metrics.F1Score().update_state([1.0], [1.0]),
            r"F1Score: targets and predictions have shape \(batch, out",
        ),
        (lambda: metrics.R2Score(class_aggregation="x"), r"R2Score: class_aggregation is None, "),
        (lambda: metrics.R2Score(num_regressors=-1), r"R2Score: num_regressors is at least 0"),
        (lambda: metrics.IoU(2, [2]), r"IoU: target classes lie in \[0, 2\). Received: target_class_ids=\[2\]"),
        (lambda: metrics.MeanIoU(2).update_state([0, 1], [0]), r"MeanIoU: there are as many predictions as targets"),
        (
            lambda: metrics.MeanIoU(2).update_state([0, 1], [0, 1], [1, 1, 1]),
            r"MeanIoU: there is a sample weight for each target",
        ),
        (
            lambda: metrics.BinaryAccuracy().update_state(Y, P[:, :2]),
            r"binary_accuracy: targets and predictions must have",
        ),
        (
            lambda: metrics.CategoricalAccuracy().update_state(Y[:, 0], P),
            r"categorical_accuracy: one-hot targets have the",
        ),
        (
            lambda: metrics.SparseCategoricalAccuracy().update_state(Y, P),
            r"sparse_categorical_accuracy: labels have the",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
