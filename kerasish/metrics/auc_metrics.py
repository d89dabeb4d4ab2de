"""Area under the ROC or the precision-recall curve, from counts over thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.tensor import as_input
from kerasish.metrics.confusion import even_thresholds, is_even, update_counts
from kerasish.metrics.metric import Metric

_CURVES = ("ROC", "PR", "PRGAIN")
_SUMS = ("interpolation", "majoring", "minoring")


def _choice(what: str, given: Any, allowed: Sequence[str]) -> str:
    for name in allowed:
        if isinstance(given, str) and given.lower() == name.lower():
            return name
    raise invalid("AUC", f"{what} is one of {', '.join(map(repr, allowed))}", **{what: given})


@export("keras.metrics")
class AUC(Metric):
    """Area under a curve, as a sum over thresholds.

    Args:
        num_thresholds: how many thresholds, evenly spaced between 0 and 1.
        curve: `"ROC"` (true over false positive rate), `"PR"` (precision over recall) or `"PRGAIN"`.
        summation_method: `"interpolation"` (trapezoids; for PR, the interpolation of true positives by Davis and
            Goadrich, 2006), `"minoring"` or `"majoring"` (the smaller or larger end of each step).
        name, dtype: see `Metric`.
        thresholds: the thresholds themselves, in [0, 1], instead of `num_thresholds`; below 0 and above 1 are added.
        multi_label: take the area of each column by itself, and then their mean.
        num_labels: number of columns with `multi_label`, if state is to exist before the first batch.
        label_weights: weights of the columns.
        from_logits: whether predictions are logits.

    Raises:
        ValueError: an argument is out of its range, or shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.AUC(num_thresholds=3)
    >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(metric.result())
    0.75
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self.curve = _choice("curve", curve, _CURVES)
        self.summation_method = _choice("summation_method", summation_method, _SUMS)
        self._init_from_thresholds = thresholds is not None
        if thresholds is not None:
            inner = sorted(thresholds)
            if any(not 0 <= t <= 1 for t in inner):
                raise invalid("AUC", "thresholds lie in [0, 1]", thresholds=thresholds)
            self.num_thresholds = len(inner) + 2
            self._evenly = is_even([0.0, *inner, 1.0])
        else:
            if num_thresholds <= 1:
                raise invalid("AUC", "num_thresholds is an integer above 1", num_thresholds=num_thresholds)
            inner = even_thresholds(num_thresholds)[1:-1]
            self.num_thresholds = num_thresholds
            self._evenly = True
        # So that the first threshold is below every score and the last above.
        self._thresholds = [-epsilon(), *inner, 1.0 + epsilon()]
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else np.asarray(label_weights, self.dtype)
        self._from_logits = from_logits
        self._built = False
        if num_labels and not multi_label:
            raise invalid("AUC", "num_labels needs multi_label=True", num_labels=num_labels)
        if not multi_label:
            self._build(None)
        elif num_labels:
            self._build(num_labels)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, with those below 0 and above 1."""
        return list(self._thresholds)

    def _build(self, labels: int | None) -> None:
        if self.label_weights is not None and labels is not None and self.label_weights.shape != (labels,):
            raise invalid(
                "AUC", f"there is a label weight for each of {labels} labels", label_weights=self.label_weights
            )
        shape = (self.num_thresholds,) if labels is None else (self.num_thresholds, labels)
        for count in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            setattr(self, count, self.add_variable(shape=shape, initializer="zeros", name=count))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets 0 or 1, shape (batch, ...).
            y_pred: scores of the same shape, in [0, 1], or logits.
            sample_weight: weights, an entry per sample or per score.

        Raises:
            ValueError: the shapes do not fit.
        """
        y_pred = as_input(y_pred)
        if not self._built:
            if len(y_pred.shape) != 2 or y_pred.shape[1] is None:
                raise invalid("AUC", "with multi_label, predictions have shape (batch, labels)", y_pred=y_pred)
            self._build(y_pred.shape[1])
        if self._from_logits:
            y_pred = ops.sigmoid(y_pred)
        update_counts(
            "AUC",
            {
                "tp": self.true_positives,
                "fp": self.false_positives,
                "tn": self.true_negatives,
                "fn": self.false_negatives,
            },
            y_true,
            y_pred,
            self._thresholds,
            evenly=self._evenly,
            sample_weight=sample_weight,
            multi_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )

    def interpolate_pr_auc(self) -> Any:
        """Area under the precision-recall curve with true positives interpolated between thresholds.

        Between two thresholds A and B, with P = TP + FP, the precision is slope + intercept / P, slope = dTP / dP and
        intercept = TP_B - slope * P_B, whose integral over the recall is
        slope * (dTP + intercept * log(P_A / P_B)) / (TP_B + FN_B). See Davis and Goadrich, 2006.
        """
        tp, fn = self.true_positives, self.false_negatives
        p = ops.add(tp, self.false_positives)
        delta_tp = tp[:-1] - tp[1:]
        slope = ops.divide_no_nan(delta_tp, ops.maximum(p[:-1] - p[1:], 0.0))
        intercept = tp[1:] - slope * p[1:]
        ratio = ops.where(
            ops.logical_and(p[:-1] > 0, p[1:] > 0),
            ops.divide_no_nan(p[:-1], ops.maximum(p[1:], 0.0)),
            ops.ones_like(p[1:]),
        )
        area = ops.divide_no_nan(slope * (delta_tp + intercept * ops.log(ratio)), ops.maximum(tp[1:] + fn[1:], 0.0))
        return self._total(area)

    def _total(self, areas: Any) -> Any:
        """The sum over thresholds; with several labels, the (weighted) mean of their sums."""
        if not self.multi_label:
            return ops.sum(areas)
        by_label = ops.sum(areas, axis=0)
        if self.label_weights is None:
            return ops.mean(by_label)
        return ops.divide_no_nan(ops.sum(by_label * self.label_weights), float(np.sum(self.label_weights)))

    def result(self) -> Any:
        """The area, a scalar; 0 before the first batch."""
        if not self._built:
            return ops.zeros((), dtype=self.dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        tp, fp = self.true_positives.value, self.false_positives.value
        tn, fn = self.true_negatives.value, self.false_negatives.value
        recall = ops.divide_no_nan(tp, tp + fn)
        if self.curve == "ROC":
            x, y = ops.divide_no_nan(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, ops.divide_no_nan(tp, tp + fp)
        else:
            # Flach and Kull, 2015: gains over the classifier that calls everything positive.
            odds = ops.divide_no_nan(tp + fn, tn + fp)
            none = ops.equal(tp, 0.0)
            x = ops.maximum(ops.where(none, 0.0, 1.0 - odds * ops.divide_no_nan(fn, tp)), 0.0)
            y = ops.where(none, 1.0, 1.0 - odds * ops.divide_no_nan(fp, tp))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            heights = ops.minimum(y[:-1], y[1:])
        else:
            heights = ops.maximum(y[:-1], y[1:])
        return self._total((x[:-1] - x[1:]) * heights)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self._from_logits,
        }
        if self._init_from_thresholds:
            config["thresholds"] = self._thresholds[1:-1]
        return config
