"""Errors of real-valued predictions, and the coefficient of determination."""

from __future__ import annotations

import warnings
from typing import Any

from kerasish import losses, ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.losses.loss import pair
from kerasish.metrics.metric import Metric, two_dimensional
from kerasish.metrics.reduction_metrics import Mean, NamedMean


@export("keras.metrics")
class MeanSquaredError(NamedMean):
    """Mean of `losses.mean_squared_error`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.MeanSquaredError()
    >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    >>> float(metric.result())
    0.25
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


@export("keras.metrics")
class MeanAbsoluteError(NamedMean):
    """Mean of `losses.mean_absolute_error`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.MeanAbsoluteError()
    >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    >>> float(metric.result())
    0.25
    """

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


@export("keras.metrics")
class MeanAbsolutePercentageError(NamedMean):
    """Mean of `losses.mean_absolute_percentage_error`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.MeanAbsolutePercentageError()
    >>> metric.update_state([[2.0, 4.0]], [[1.0, 3.0]])
    >>> float(metric.result())
    37.5
    """

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@export("keras.metrics")
class MeanSquaredLogarithmicError(NamedMean):
    """Mean of `losses.mean_squared_logarithmic_error`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.MeanSquaredLogarithmicError()
    >>> metric.update_state([[0.0, 1.0]], [[0.0, 3.0]])
    >>> round(float(metric.result()), 3)
    0.24
    """

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@export("keras.metrics")
class RootMeanSquaredError(Mean):
    """Square root of the mean of squared errors over all samples so far.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.RootMeanSquaredError()
    >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    >>> float(metric.result())
    0.5
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets.
            y_pred: predictions of the same shape.
            sample_weight: weights, an entry per sample or per value.

        Raises:
            ValueError: the shapes do not fit.
        """
        y_true, y_pred = pair("RootMeanSquaredError", y_true, ops.convert_to_tensor(y_pred, dtype=self.dtype))
        super().update_state(ops.square(y_pred - y_true), sample_weight=sample_weight)

    def result(self) -> Any:
        return ops.sqrt(super().result())


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine between targets and predictions along `axis`: 1 is the best, unlike the loss of that name."""
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


@export("keras.metrics")
class CosineSimilarity(NamedMean):
    """Mean cosine between targets and predictions; 1 is the best.

    Args:
        name, dtype: see `Metric`.
        axis: the dimension along which the vectors lie.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.CosineSimilarity(axis=1)
    >>> metric.update_state([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]])
    >>> round(float(metric.result()), 4)
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(cosine_similarity, name, dtype, axis=axis)


@export("keras.metrics")
class LogCoshError(NamedMean):
    """Mean of `losses.log_cosh`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.LogCoshError()
    >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    >>> round(float(metric.result()), 3)
    0.108
    """

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(losses.log_cosh, name, dtype)


@export("keras.metrics")
class R2Score(Metric):
    """The coefficient of determination: 1 minus the squared error over the variance of the targets.

    Args:
        class_aggregation: `"uniform_average"` of the outputs, `"variance_weighted_average"`, or None for each.
        num_regressors: number of regressors, for the adjusted score; 0 gives the plain one.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range, or shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.R2Score()
    >>> metric.update_state([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
    >>> round(float(metric.result()), 4)
    0.5714
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise invalid(
                "R2Score",
                "class_aggregation is None, 'uniform_average' or 'variance_weighted_average'",
                class_aggregation=class_aggregation,
            )
        if num_regressors < 0:
            raise invalid("R2Score", "num_regressors is at least 0", num_regressors=num_regressors)
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable(shape=(), initializer="zeros", name="num_samples")
        self._built = False

    def _build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        shape = (two_dimensional("R2Score", y_true_shape, y_pred_shape),)
        self.squared_sum = self.add_variable(shape=shape, initializer="zeros", name="squared_sum")
        self.sum = self.add_variable(shape=shape, initializer="zeros", name="sum")
        self.total_mse = self.add_variable(shape=shape, initializer="zeros", name="residual")
        self.count = self.add_variable(shape=shape, initializer="zeros", name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets, shape (batch, outputs).
            y_pred: predictions of the same shape.
            sample_weight: weights of shape (batch,), or one for each value.

        Raises:
            ValueError: the shapes do not fit.
        """
        y_true, y_pred = pair("R2Score", y_true, ops.convert_to_tensor(y_pred, dtype=self.dtype))
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        weights = ops.convert_to_tensor(1.0 if sample_weight is None else sample_weight, dtype=self.dtype)
        if len(weights.shape) == 1:
            weights = ops.expand_dims(weights, axis=1)
        weights = ops.broadcast_to(weights, y_true.shape)
        weighted = y_true * weights
        self.sum.assign_add(ops.sum(weighted, axis=0))
        self.squared_sum.assign_add(ops.sum(y_true * weighted, axis=0))
        self.total_mse.assign_add(ops.sum(ops.square(y_true - y_pred) * weights, axis=0))
        self.count.assign_add(ops.sum(weights, axis=0))
        self.num_samples.assign_add(ops.size(y_true))

    def result(self) -> Any:
        """The score: a scalar, or a vector where `class_aggregation` is None."""
        if not self._built:
            return ops.zeros((), dtype=self.dtype)
        mean = ops.divide(self.sum, self.count)
        total = self.squared_sum - self.sum * mean
        scores = 1.0 - self.total_mse / total
        scores = ops.where(ops.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            score = ops.sum(total * scores) / ops.sum(total)
        else:
            score = scores
        if self.num_regressors:
            spare = float(self.num_samples) - 1.0 - self.num_regressors
            if spare > 0:
                return 1.0 - (1.0 - score) * (float(self.num_samples) - 1.0) / spare
            warnings.warn(
                f"R2Score: {self.num_regressors} regressors leave nothing to adjust by with "
                f"{int(self.num_samples)} values; the plain score is given.",
                stacklevel=2,
            )
        return score

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
