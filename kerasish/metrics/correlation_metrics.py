"""Correlations between targets and predictions."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.registry import export
from kerasish.losses.loss import pair
from kerasish.metrics.reduction_metrics import NamedMean


@export("keras.metrics")
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The Pearson correlation coefficient along `axis`: covariance over the product of standard deviations.

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.
        axis: the dimension along which samples lie.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.pearson_correlation([[0.0, 1.0, 0.5]], [[0.1, 0.9, 1.0]]).numpy().round(3)
    array([0.811], dtype=float32)
    """
    y_true, y_pred = pair("pearson_correlation", y_true, y_pred)
    y_true = y_true - ops.mean(y_true, axis=axis, keepdims=True)
    y_pred = y_pred - ops.mean(y_pred, axis=axis, keepdims=True)
    y_true = y_true / ops.std(y_true, axis=axis, keepdims=True)
    y_pred = y_pred / ops.std(y_pred, axis=axis, keepdims=True)
    return ops.mean(y_true * y_pred, axis=axis)


@export("keras.metrics")
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Lin's concordance coefficient along `axis`.

    `2 * cov / (var_true + var_pred + (mean_true - mean_pred) ** 2 + epsilon)` (Lin, 1989).

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.
        axis: the dimension along which samples lie.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.concordance_correlation([[0.0, 1.0, 0.5]], [[0.1, 0.9, 1.0]]).numpy().round(3)
    array([0.748], dtype=float32)
    """
    y_true, y_pred = pair("concordance_correlation", y_true, y_pred)
    mean_true = ops.mean(y_true, axis=axis, keepdims=True)
    mean_pred = ops.mean(y_pred, axis=axis, keepdims=True)
    variances = ops.var(y_true, axis=axis, keepdims=True) + ops.var(y_pred, axis=axis, keepdims=True)
    # The mean of the predictions serves for both factors: the difference sums to zero.
    covariance = (y_true - mean_pred) * (y_pred - mean_pred)
    norm = variances + ops.square(mean_true - mean_pred)
    return ops.mean(2.0 * covariance / (norm + epsilon()), axis=axis)


@export("keras.metrics")
class PearsonCorrelation(NamedMean):
    """Mean of `pearson_correlation`.

    Args:
        name, dtype: see `Metric`.
        axis: the dimension along which samples lie.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.PearsonCorrelation(axis=-1)
    >>> metric.update_state([[0.0, 1.0, 0.5], [1.0, 1.0, 0.2]], [[0.1, 0.9, 1.0], [1.0, 0.8, 0.2]])
    >>> round(float(metric.result()), 3)
    0.891
    """

    _direction = "up"

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)


@export("keras.metrics")
class ConcordanceCorrelation(NamedMean):
    """Mean of `concordance_correlation`.

    Args:
        name, dtype: see `Metric`.
        axis: the dimension along which samples lie.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.ConcordanceCorrelation(axis=-1)
    >>> metric.update_state([[0.0, 1.0, 0.5], [1.0, 1.0, 0.2]], [[0.1, 0.9, 1.0], [1.0, 0.8, 0.2]])
    >>> round(float(metric.result()), 3)
    0.848
    """

    _direction = "up"

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
