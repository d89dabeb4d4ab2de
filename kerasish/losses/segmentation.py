"""Losses on the overlap of regions: Dice and Tversky."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.registry import export
from kerasish.losses.loss import pair
from kerasish.losses.wrapper import NamedLoss


@export("keras.losses")
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon)` over `axis`.

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.
        axis: dimensions that are summed; all by default.

    Returns:
        Losses with the dimensions in `axis` gone.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.dice([[1.0, 0.0]], [[1.0, 1.0]], axis=1).numpy().round(3)
    array([0.333], dtype=float32)
    """
    y_true, y_pred = pair("dice", y_true, y_pred)
    overlap = ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * overlap / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + epsilon())


@export("keras.losses")
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """`1 - overlap / (overlap + alpha * fp + beta * fn + epsilon)` over `axis`.

    As in Keras, `alpha` weighs what is in `y_true` alone and `beta` what is in `y_pred` alone. With both 0.5 it is
    the Dice loss. Reference: Salehi et al., 2017 (https://arxiv.org/abs/1706.05721).

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.
        alpha, beta: weights of the two kinds of error.
        axis: dimensions that are summed; all by default.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.tversky([[1.0, 0.0]], [[1.0, 1.0]], axis=1).numpy().round(3)
    array([0.333], dtype=float32)
    """
    y_true, y_pred = pair("tversky", y_true, y_pred)
    overlap = ops.sum(y_true * y_pred, axis=axis)
    only_true = ops.sum((1.0 - y_pred) * y_true, axis=axis)
    only_pred = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - overlap / (overlap + only_true * alpha + only_pred * beta + epsilon())


@export("keras.losses")
class Dice(NamedLoss):
    """Dice loss, see `dice`.

    Args:
        reduction, name, dtype: see `Loss`.
        axis: dimensions that are summed; all by default.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.Dice()([[1.0, 0.0]], [[1.0, 1.0]])), 3)
    0.333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


@export("keras.losses")
class Tversky(NamedLoss):
    """Tversky loss, see `tversky`.

    Args:
        alpha, beta: weights of the two kinds of error.
        reduction, name, dtype: see `Loss`.
        axis: dimensions that are summed; all by default.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.Tversky()([[1.0, 0.0]], [[1.0, 1.0]])), 3)
    0.333
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
