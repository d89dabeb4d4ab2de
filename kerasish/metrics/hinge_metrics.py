"""Hinge losses as metrics."""

from __future__ import annotations

from typing import Any

from kerasish import losses
from kerasish.engine.registry import export
from kerasish.metrics.reduction_metrics import NamedMean


@export("keras.metrics")
class Hinge(NamedMean):
    """Mean of `losses.hinge`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Hinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 3)
    1.3
    """

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(losses.hinge, name, dtype)


@export("keras.metrics")
class SquaredHinge(NamedMean):
    """Mean of `losses.squared_hinge`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.SquaredHinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 3)
    1.86
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(losses.squared_hinge, name, dtype)


@export("keras.metrics")
class CategoricalHinge(NamedMean):
    """Mean of `losses.categorical_hinge`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.CategoricalHinge()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 3)
    1.4
    """

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.categorical_hinge, name, dtype)
