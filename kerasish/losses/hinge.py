"""Hinge losses: for targets of -1 and 1 (or 0 and 1, which are turned into them)."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.registry import export
from kerasish.losses.loss import pair
from kerasish.losses.wrapper import NamedLoss


def _signs(y_true: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; targets with any other value among them as they are."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(binary, 2.0 * y_true - 1.0, y_true)


@export("keras.losses", aliases=("keras.metrics",))
def hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(max(1 - y_true * y_pred, 0))` over the last dimension.

    Args:
        y_true: targets -1 or 1 (0 and 1 are turned into them), shape (batch, d0, ..., dN).
        y_pred: predictions of the same shape.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.hinge([[-1.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([1.], dtype=float32)
    """
    y_true, y_pred = pair("hinge", y_true, y_pred)
    return ops.mean(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(max(1 - y_true * y_pred, 0) ** 2)` over the last dimension.

    Args:
        y_true: targets -1 or 1 (0 and 1 are turned into them), shape (batch, d0, ..., dN).
        y_pred: predictions of the same shape.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.squared_hinge([[-1.0, 1.0]], [[0.5, 0.5]]).numpy()
    array([1.25], dtype=float32)
    """
    y_true, y_pred = pair("squared_hinge", y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """`max(neg - pos + 1, 0)` with pos the score of the true class and neg the largest other.

    Args:
        y_true: one-hot targets, shape (batch, d0, ..., dN, classes).
        y_pred: scores of the same shape.

    Returns:
        Losses of shape (batch, d0, ..., dN).

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.categorical_hinge([[0, 1, 0]], [[0.5, 0.25, 0.25]]).numpy()
    array([1.25], dtype=float32)
    """
    y_true, y_pred = pair("categorical_hinge", y_true, y_pred)
    pos = ops.sum(y_true * y_pred, axis=-1)
    neg = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(neg - pos + 1.0, 0.0)


@export("keras.losses")
class Hinge(NamedLoss):
    """Hinge loss of targets -1 and 1, see `hinge`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.Hinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
    1.0
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "hinge", dtype: Any = None):
        super().__init__(hinge, reduction, name, dtype)


@export("keras.losses")
class SquaredHinge(NamedLoss):
    """Squared hinge loss of targets -1 and 1, see `squared_hinge`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.SquaredHinge()([[-1.0, 1.0]], [[0.5, 0.5]]))
    1.25
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "squared_hinge", dtype: Any = None
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


@export("keras.losses")
class CategoricalHinge(NamedLoss):
    """Hinge loss between the true class and the best other, see `categorical_hinge`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.CategoricalHinge()([[0, 1, 0]], [[0.5, 0.25, 0.25]]))
    1.25
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "categorical_hinge", dtype: Any = None
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)
