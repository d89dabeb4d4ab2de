"""Losses of real-valued predictions."""

from __future__ import annotations

import math
from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.registry import export
from kerasish.losses.loss import pair
from kerasish.losses.wrapper import NamedLoss

# The functions below take y_true and y_pred of shape (batch, d0, ..., dN) and give losses of shape (batch, d0, ...,
# dN-1) in the dtype of y_pred, unless they say otherwise.


@export("keras.losses", aliases=("keras.metrics",))
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """`mean((y_true - y_pred) ** 2)` over the last dimension.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]).numpy()
    array([2.5], dtype=float32)
    """
    y_true, y_pred = pair("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """`mean(abs(y_true - y_pred))` over the last dimension.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]).numpy()
    array([1.5], dtype=float32)
    """
    y_true, y_pred = pair("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """`100 * mean(abs((y_true - y_pred) / max(abs(y_true), epsilon)))` over the last dimension.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 3.0]]).numpy()
    array([37.5], dtype=float32)
    """
    y_true, y_pred = pair("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), epsilon())), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """`mean((log(1 + y_true) - log(1 + y_pred)) ** 2)` over the last dimension; values below epsilon count as epsilon.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.mean_squared_logarithmic_error([[0.0, 1.0]], [[0.0, 3.0]]).numpy().round(3)
    array([0.24], dtype=float32)
    """
    y_true, y_pred = pair("mean_squared_logarithmic_error", y_true, y_pred)
    log_pred = ops.log(ops.maximum(y_pred, epsilon()) + 1.0)
    log_true = ops.log(ops.maximum(y_true, epsilon()) + 1.0)
    return ops.mean(ops.square(log_pred - log_true), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Half the squared error up to `delta`, linear beyond, averaged over the last dimension (Huber, 1964).

    `0.5 * e ** 2` where `abs(e) <= delta`, else `delta * abs(e) - 0.5 * delta ** 2`, with e = y_pred - y_true.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy()
    array([1.5], dtype=float32)
    """
    y_true, y_pred = pair("huber", y_true, y_pred)
    error = y_pred - y_true
    size = ops.abs(error)
    return ops.mean(ops.where(size <= delta, 0.5 * ops.square(error), delta * size - 0.5 * delta * delta), axis=-1)


@export("keras.losses", aliases=("keras.metrics",))
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """`mean(log(cosh(y_pred - y_true)))` over the last dimension, in the form that does not overflow.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.log_cosh([[0.0, 0.0]], [[1.0, 100.0]]).numpy().round(3)
    array([49.87], dtype=float32)
    """
    y_true, y_pred = pair("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(error * -2.0) - math.log(2.0), axis=-1)


@export("keras.losses")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between targets and predictions along `axis`: -1 is the best, 1 the worst.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.cosine_similarity([[0.0, 1.0]], [[0.0, 3.0]]).numpy()
    array([-1.], dtype=float32)
    """
    y_true, y_pred = pair("cosine_similarity", y_true, y_pred)
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis=axis)


@export("keras.losses")
class MeanSquaredError(NamedLoss):
    """Mean of squared errors, see `mean_squared_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]))
    2.5
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "mean_squared_error", dtype: Any = None
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


@export("keras.losses")
class MeanAbsoluteError(NamedLoss):
    """Mean of absolute errors, see `mean_absolute_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = "mean_absolute_error", dtype: Any = None
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@export("keras.losses")
class MeanAbsolutePercentageError(NamedLoss):
    """Mean of absolute errors in percent of the targets, see `mean_absolute_percentage_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 3.0]]))
    37.5
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@export("keras.losses")
class MeanSquaredLogarithmicError(NamedLoss):
    """Mean of squared differences of logarithms, see `mean_squared_logarithmic_error`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.MeanSquaredLogarithmicError()([[0.0, 1.0]], [[0.0, 3.0]])), 3)
    0.24
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@export("keras.losses")
class Huber(NamedLoss):
    """Squared for small errors and linear for large ones, see `huber`.

    Args:
        delta: where the one becomes the other.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.Huber()([[0.0, 0.0]], [[1.0, 3.0]]))
    1.5
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)


@export("keras.losses")
class LogCosh(NamedLoss):
    """Logarithm of the hyperbolic cosine of the error, see `log_cosh`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.LogCosh()([[0.0, 0.0]], [[1.0, 100.0]])), 2)
    49.87
    """

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "log_cosh", dtype: Any = None):
        super().__init__(log_cosh, reduction, name, dtype)


@export("keras.losses")
class CosineSimilarity(NamedLoss):
    """Minus the cosine between targets and predictions, see `cosine_similarity`.

    Args:
        axis: the dimension along which the vectors lie.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.CosineSimilarity()([[0.0, 1.0]], [[0.0, 3.0]]))
    -1.0
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
