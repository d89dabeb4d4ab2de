"""Losses between distributions: Kullback-Leibler divergence and Poisson likelihood."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.registry import export
from kerasish.losses.loss import pair
from kerasish.losses.wrapper import NamedLoss


@export("keras.losses", aliases=("keras.metrics",))
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """`sum(y_true * log(y_true / y_pred))` over the last dimension; both are clipped to [epsilon, 1].

    Args:
        y_true: probabilities, shape (batch, d0, ..., dN).
        y_pred: probabilities of the same shape.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.kl_divergence([[0.5, 0.5]], [[0.25, 0.75]]).numpy().round(4)
    array([0.1438], dtype=float32)
    """
    y_true, y_pred = pair("kl_divergence", y_true, y_pred)
    y_true = ops.clip(y_true, epsilon(), 1.0)
    y_pred = ops.clip(y_pred, epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def poisson(y_true: Any, y_pred: Any) -> Any:
    """`mean(y_pred - y_true * log(y_pred + epsilon))` over the last dimension.

    Args:
        y_true: counts, shape (batch, d0, ..., dN).
        y_pred: rates of the same shape.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.poisson([[0.0, 1.0]], [[1.0, 1.0]]).numpy().round(3)
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair("poisson", y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + epsilon()), axis=-1)


@export("keras.losses")
class KLDivergence(NamedLoss):
    """Kullback-Leibler divergence of the predictions from the targets, see `kl_divergence`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "kl_divergence", dtype: Any = None
    ):
        super().__init__(kl_divergence, reduction, name, dtype)


@export("keras.losses")
class Poisson(NamedLoss):
    """Negative log-likelihood of counts under Poisson rates, without its constant, see `poisson`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.Poisson()([[0.0, 1.0]], [[1.0, 1.0]])), 3)
    1.0
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "poisson", dtype: Any = None):
        super().__init__(poisson, reduction, name, dtype)
