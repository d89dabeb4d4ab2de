"""Counts of the confusion matrix, precision, recall, and the best of one under a bound on another."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.metrics.confusion import NEG_INF, even_thresholds, is_even, parse_thresholds, update_counts
from kerasish.metrics.metric import Metric


class _Count(Metric):
    """One count of the confusion matrix."""

    _count: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = parse_thresholds(type(self).__name__, thresholds, 0.5)
        self._evenly = is_even(self.thresholds)
        self.accumulator = self.add_variable(shape=(len(self.thresholds),), initializer="zeros", name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets; anything but 0 is positive.
            y_pred: scores of the same shape, in [0, 1].
            sample_weight: weights, an entry per sample or per score.

        Raises:
            ValueError: the shapes do not fit.
        """
        update_counts(
            type(self).__name__,
            {self._count: self.accumulator},
            y_true,
            y_pred,
            self.thresholds,
            evenly=self._evenly,
            sample_weight=sample_weight,
        )

    def result(self) -> Any:
        """The count: a scalar, or a vector where there are several thresholds."""
        return self.accumulator[0] if len(self.thresholds) == 1 else self.accumulator.value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


@export("keras.metrics")
class FalsePositives(_Count):
    """Number (or weight) of negatives that score above the threshold.

    Args:
        thresholds: one or several, in [0, 1]; 0.5 by default.
        name, dtype: see `Metric`.

    Raises:
        ValueError: a threshold is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.FalsePositives()
    >>> metric.update_state([0, 1, 0, 0], [0, 0, 1, 1])
    >>> float(metric.result())
    2.0
    """

    _count = "fp"


@export("keras.metrics")
class FalseNegatives(_Count):
    """Number (or weight) of positives that do not score above the threshold.

    Args:
        thresholds: one or several, in [0, 1]; 0.5 by default.
        name, dtype: see `Metric`.

    Raises:
        ValueError: a threshold is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.FalseNegatives()
    >>> metric.update_state([0, 1, 1, 1], [0, 1, 0, 0])
    >>> float(metric.result())
    2.0
    """

    _count = "fn"


@export("keras.metrics")
class TrueNegatives(_Count):
    """Number (or weight) of negatives that do not score above the threshold.

    Args:
        thresholds: one or several, in [0, 1]; 0.5 by default.
        name, dtype: see `Metric`.

    Raises:
        ValueError: a threshold is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.TrueNegatives()
    >>> metric.update_state([0, 1, 0, 0], [1, 1, 0, 0])
    >>> float(metric.result())
    2.0
    """

    _count = "tn"


@export("keras.metrics")
class TruePositives(_Count):
    """Number (or weight) of positives that score above the threshold.

    Args:
        thresholds: one or several, in [0, 1]; 0.5 by default.
        name, dtype: see `Metric`.

    Raises:
        ValueError: a threshold is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.TruePositives()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> float(metric.result())
    2.0
    """

    _count = "tp"


class _Ratio(Metric):
    """True positives divided by themselves and one kind of error."""

    _direction = "up"
    _error: str
    _error_name: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = parse_thresholds(type(self).__name__, thresholds, 0.5 if top_k is None else NEG_INF)
        self._evenly = is_even(self.thresholds)
        shape = (len(self.thresholds),)
        self.true_positives = self.add_variable(shape=shape, initializer="zeros", name="true_positives")
        errors = self.add_variable(shape=shape, initializer="zeros", name=self._error_name)
        setattr(self, self._error_name, errors)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets; anything but 0 is positive.
            y_pred: scores of the same shape, in [0, 1].
            sample_weight: weights, an entry per sample or per score.

        Raises:
            ValueError: the shapes do not fit.
        """
        update_counts(
            type(self).__name__,
            {"tp": self.true_positives, self._error: getattr(self, self._error_name)},
            y_true,
            y_pred,
            self.thresholds,
            evenly=self._evenly,
            top_k=self.top_k,
            class_id=self.class_id,
            sample_weight=sample_weight,
        )

    def result(self) -> Any:
        """The ratio, 0 where nothing counts: a scalar, or a vector where there are several thresholds."""
        errors = getattr(self, self._error_name)
        ratio = ops.divide_no_nan(self.true_positives, ops.add(self.true_positives, errors))
        return ratio[0] if len(self.thresholds) == 1 else ratio

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


@export("keras.metrics")
class Precision(_Ratio):
    """The share of positives among what is predicted as positive.

    Args:
        thresholds: one or several, in [0, 1]; 0.5 by default.
        top_k: only the k largest scores of each row can be predicted as positive.
        class_id: only this column counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: a threshold is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Precision()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 3)
    0.667
    """

    _error, _error_name = "fp", "false_positives"


@export("keras.metrics")
class Recall(_Ratio):
    """The share of what is predicted as positive among the positives.

    Args:
        thresholds: one or several, in [0, 1]; 0.5 by default.
        top_k: only the k largest scores of each row can be predicted as positive.
        class_id: only this column counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: a threshold is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Recall()
    >>> metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    >>> round(float(metric.result()), 3)
    0.667
    """

    _error, _error_name = "fn", "false_negatives"


class SensitivitySpecificityBase(Metric):
    """Counts over evenly spaced thresholds, for the best of one ratio where another reaches a value."""

    _direction = "up"
    _bound: str

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        where = type(self).__name__
        if not 0 <= value <= 1:
            raise invalid(where, f"{self._bound} lies in [0, 1]", **{self._bound: value})
        if num_thresholds <= 0:
            raise invalid(where, "num_thresholds is a positive integer", num_thresholds=num_thresholds)
        super().__init__(name=name, dtype=dtype)
        self.value = value
        setattr(self, self._bound, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self.thresholds = [0.5] if num_thresholds == 1 else even_thresholds(num_thresholds)
        for count in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            variable = self.add_variable(shape=(len(self.thresholds),), initializer="zeros", name=count)
            setattr(self, count, variable)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets; anything but 0 is positive.
            y_pred: scores of the same shape, in [0, 1].
            sample_weight: weights, an entry per sample or per score.

        Raises:
            ValueError: the shapes do not fit.
        """
        update_counts(
            type(self).__name__,
            {
                "tp": self.true_positives,
                "fp": self.false_positives,
                "tn": self.true_negatives,
                "fn": self.false_negatives,
            },
            y_true,
            y_pred,
            self.thresholds,
            evenly=len(self.thresholds) > 1,
            class_id=self.class_id,
            sample_weight=sample_weight,
        )

    def get_config(self) -> dict[str, Any]:
        own = {"num_thresholds": self.num_thresholds, self._bound: self.value, "class_id": self.class_id}
        return {**super().get_config(), **own}

    def _recall(self) -> Any:
        return ops.divide_no_nan(self.true_positives, ops.add(self.true_positives, self.false_negatives))

    def _specificity(self) -> Any:
        return ops.divide_no_nan(self.true_negatives, ops.add(self.true_negatives, self.false_positives))

    def _precision(self) -> Any:
        return ops.divide_no_nan(self.true_positives, ops.add(self.true_positives, self.false_positives))

    def _best(self, bounded: Any, wanted: Any) -> Any:
        """The largest wanted ratio where the bounded one reaches the value; 0 where it never does."""
        return ops.max(ops.where(ops.greater_equal(bounded, self.value), wanted, 0.0))


@export("keras.metrics")
class SensitivityAtSpecificity(SensitivitySpecificityBase):
    """The best sensitivity (recall) at any threshold where the specificity is at least `specificity`.

    Args:
        specificity: in [0, 1].
        num_thresholds: how many evenly spaced thresholds are tried.
        class_id: only this column counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.SensitivityAtSpecificity(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> float(metric.result())
    0.5
    """

    _bound = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self._best(self._specificity(), self._recall())


@export("keras.metrics")
class SpecificityAtSensitivity(SensitivitySpecificityBase):
    """The best specificity at any threshold where the sensitivity (recall) is at least `sensitivity`.

    Args:
        sensitivity: in [0, 1].
        num_thresholds: how many evenly spaced thresholds are tried.
        class_id: only this column counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.SpecificityAtSensitivity(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> round(float(metric.result()), 4)
    0.6667
    """

    _bound = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self._best(self._recall(), self._specificity())


@export("keras.metrics")
class PrecisionAtRecall(SensitivitySpecificityBase):
    """The best precision at any threshold where the recall is at least `recall`.

    Args:
        recall: in [0, 1].
        num_thresholds: how many evenly spaced thresholds are tried.
        class_id: only this column counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.PrecisionAtRecall(0.5)
    >>> metric.update_state([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    >>> float(metric.result())
    0.5
    """

    _bound = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self._best(self._recall(), self._precision())


@export("keras.metrics")
class RecallAtPrecision(SensitivitySpecificityBase):
    """The best recall at any threshold where the precision is at least `precision`.

    Args:
        precision: in [0, 1].
        num_thresholds: how many evenly spaced thresholds are tried.
        class_id: only this column counts.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.RecallAtPrecision(0.8)
    >>> metric.update_state([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    >>> float(metric.result())
    0.5
    """

    _bound = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self._best(self._precision(), self._recall())
