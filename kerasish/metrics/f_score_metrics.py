"""F scores: harmonic means of precision and recall."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.metrics.metric import Metric, two_dimensional


@export("keras.metrics")
class FBetaScore(Metric):
    """`(1 + beta ** 2) * precision * recall / (beta ** 2 * precision + recall)`, for each class or over them.

    Args:
        average: None gives a score for each class, `"micro"` counts all classes together, `"macro"` takes the mean
            of the classes' scores, `"weighted"` weighs it by the number of positives.
        beta: how many times the recall counts as much as the precision.
        threshold: predictions above it are positive; by default the largest of each row alone is.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range, or shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.FBetaScore(beta=2.0, threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().numpy().round(4)
    array([0.3846, 0.9091, 0.8333], dtype=float32)
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(name=name, dtype=dtype)
        where = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            raise invalid(where, "average is None, 'micro', 'macro' or 'weighted'", average=average)
        if not isinstance(beta, float) or beta <= 0.0:
            raise invalid(where, "beta is a positive float", beta=beta)
        if threshold is not None and not (isinstance(threshold, float) and 0.0 < threshold <= 1.0):
            raise invalid(where, "the threshold is a float in (0, 1]", threshold=threshold)
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self.axis = None if average == "micro" else 0
        self._built = False

    def _build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        classes = two_dimensional(type(self).__name__, y_true_shape, y_pred_shape)
        shape = () if self.average == "micro" else (classes,)
        for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
            setattr(self, name, self.add_variable(shape=shape, initializer="zeros", dtype=self.dtype, name=name))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets 0 or 1, shape (batch, classes).
            y_pred: predictions of the same shape.
            sample_weight: weights of shape (batch,).

        Raises:
            ValueError: the shapes do not fit.
        """
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            best = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
            # A row of zeros predicts nothing, not everything.
            y_pred = ops.logical_and(best, ops.abs(y_pred) > 1e-9)
        else:
            y_pred = y_pred > self.threshold
        y_pred = ops.cast(y_pred, self.dtype)
        weights = None
        if sample_weight is not None:
            weights = ops.expand_dims(ops.convert_to_tensor(sample_weight, dtype=self.dtype), 1)

        def count(hits: Any) -> Any:
            return ops.sum(hits if weights is None else hits * weights, axis=self.axis)

        self.true_positives.assign_add(count(y_pred * y_true))
        self.false_positives.assign_add(count(y_pred * (1.0 - y_true)))
        self.false_negatives.assign_add(count((1.0 - y_pred) * y_true))
        self.intermediate_weights.assign_add(count(y_true))

    def result(self) -> Any:
        """The score: a scalar, or a vector with an entry per class where `average` is None."""
        if not self._built:
            return ops.zeros((), dtype=self.dtype)
        hits = self.true_positives.value
        precision = hits / (hits + self.false_positives + epsilon())
        recall = hits / (hits + self.false_negatives + epsilon())
        squared = self.beta**2
        score = precision * recall / (squared * precision + recall + epsilon()) * (1.0 + squared)
        if self.average == "weighted":
            weights = self.intermediate_weights.value
            return ops.sum(score * (weights / (ops.sum(weights) + epsilon())))
        return score if self.average is None else ops.mean(score)

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


@export("keras.metrics")
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall: `FBetaScore` with beta 1.

    Args:
        average, threshold: see `FBetaScore`.
        name, dtype: see `Metric`.

    Raises:
        ValueError: an argument is out of its range, or shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.F1Score(threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().numpy().round(4)
    array([0.5   , 0.8   , 0.6667], dtype=float32)
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
