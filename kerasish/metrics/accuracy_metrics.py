"""Accuracies: the share of predictions that hit."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.config import floatx
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.tensor import Tensor, as_input
from kerasish.losses.loss import broadcast_together, keras_mask, pair, squeeze_or_expand_to_same_rank
from kerasish.metrics.reduction_metrics import NamedMean
from kerasish.ops import checks


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where target and prediction are equal, else 0; of their shape."""
    y_true, y_pred = pair("accuracy", y_true, y_pred)
    return ops.cast(ops.equal(y_true, y_pred), floatx())


@export("keras.metrics")
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where the prediction lies on its target's side of `threshold`, else 0; of their shape.

    Args:
        y_true: targets 0 or 1.
        y_pred: predictions of the same shape.
        threshold: predictions above it count as 1.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.binary_accuracy([[1], [0]], [[0.8], [0.7]]).numpy()
    array([[1.],
           [0.]], dtype=float32)
    """
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    if not broadcast_together(y_true.shape, y_pred.shape):
        raise invalid(
            "binary_accuracy", "targets and predictions must have the same shape", y_true=y_true, y_pred=y_pred
        )
    hit = ops.equal(y_true, ops.cast(ops.greater(y_pred, threshold), y_true.dtype))
    return ops.cast(hit, floatx())


def _labels(y_true: Any, y_pred: Any) -> Any:
    """Labels without a last dimension of 1 that takes the place of the classes."""
    y_true = as_input(y_true)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        return ops.squeeze(y_true, axis=-1)
    return y_true


@export("keras.metrics")
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the largest target, else 0.

    Args:
        y_true: one-hot targets, shape (batch, d0, ..., classes).
        y_pred: predictions of the same shape.

    Returns:
        Array of shape (batch, d0, ...).

    Raises:
        ValueError: the shapes differ.

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]]).numpy()
    array([0., 1.], dtype=float32)
    """
    y_true, y_pred = as_input(y_true), as_input(y_pred)
    if len(y_true.shape) != len(y_pred.shape) or not broadcast_together(y_true.shape, y_pred.shape):
        raise invalid(
            "categorical_accuracy",
            "one-hot targets have the shape of the predictions (integer labels are for the sparse accuracy)",
            y_true=y_true,
            y_pred=y_pred,
        )
    return ops.cast(ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)), floatx())


@export("keras.metrics")
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is at the label, else 0.

    Args:
        y_true: labels, shape (batch, d0, ...); a last dimension of 1 may follow.
        y_pred: predictions, shape (batch, d0, ..., classes).

    Returns:
        Array of shape (batch, d0, ...).

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.sparse_categorical_accuracy([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]]).numpy()
    array([0., 1.], dtype=float32)
    """
    y_pred = as_input(y_pred)
    y_true = _labels(y_true, y_pred)
    best = ops.argmax(y_pred, axis=-1)
    if len(y_true.shape) != len(best.shape) or not broadcast_together(y_true.shape, best.shape):
        raise invalid(
            "sparse_categorical_accuracy",
            "labels have the shape of the predictions without the classes",
            y_true=y_true,
            y_pred=y_pred,
        )
    return ops.cast(ops.equal(ops.cast(y_true, best.dtype), best), floatx())


@export("keras.metrics")
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the class of the largest target is among the `k` largest predictions, else 0.

    Args:
        y_true: one-hot targets, shape (batch, d0, ..., classes).
        y_pred: predictions of the same shape.
        k: how many predictions count.

    Returns:
        Array of shape (batch, d0, ...).

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.top_k_categorical_accuracy([[0, 0, 1]], [[0.1, 0.9, 0.8]], k=2).numpy()
    array([1.], dtype=float32)
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k=k)


@export("keras.metrics")
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where the label is among the `k` largest predictions, else 0.

    Args:
        y_true: labels, shape (batch, d0, ...).
        y_pred: predictions, shape (batch, d0, ..., classes); with `from_sorted_ids`, class indices, best first.
        k: how many predictions count.
        from_sorted_ids: whether the predictions are indices.

    Returns:
        Array of the labels' shape.

    Example:

    >>> import kerasish as keras
    >>> keras.metrics.sparse_top_k_categorical_accuracy([2, 1], [[0.1, 0.9, 0.8], [0.3, 0.2, 0.5]], k=2).numpy()
    array([1., 0.], dtype=float32)
    """
    y_pred = as_input(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype if from_sorted_ids else "int32")
    shape = tuple(y_true.shape)
    if len(y_pred.shape) > 2:
        y_pred = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
    flat = ops.reshape(y_true, (-1,)) if len(shape) > 1 else y_true
    if from_sorted_ids:
        hit = ops.any(ops.equal(ops.expand_dims(flat, axis=1), y_pred[:, :k]), axis=1)
    else:
        hit = ops.in_top_k(flat, y_pred, k=k)
    hit = ops.cast(hit, floatx())
    return ops.reshape(hit, tuple(-1 if d is None else d for d in shape)) if len(shape) > 1 else hit


def check_labels(where: str, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
    """Refuses labels that are no class, except where their weight or the predictions' mask is 0.

    Raises:
        ValueError: names the label and where it is.
    """
    classes = y_pred.shape[-1] if len(y_pred.shape) else None
    if classes is None or not isinstance(y_true, Tensor):
        return
    weights = []
    for weight in (sample_weight, keras_mask(y_pred)):
        if weight is not None:
            weight = as_input(weight)
            shape = tuple(weight.shape) + (1,) * (len(y_true.shape) - len(weight.shape))
            if broadcast_together(shape, y_true.shape):
                weights.append(weight)
    checks.check_labels(y_true, classes, where, weights)


@export("keras.metrics")
class Accuracy(NamedMean):
    """How often predictions equal targets.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Accuracy()
    >>> metric.update_state([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    >>> float(metric.result())
    0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


@export("keras.metrics")
class BinaryAccuracy(NamedMean):
    """How often predictions lie on their target's side of a threshold, see `binary_accuracy`.

    Args:
        name, dtype: see `Metric`.
        threshold: predictions above it count as 1.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.BinaryAccuracy()
    >>> metric.update_state([[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]])
    >>> float(metric.result())
    0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@export("keras.metrics")
class CategoricalAccuracy(NamedMean):
    """How often the largest prediction is at the one-hot target, see `categorical_accuracy`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.CategoricalAccuracy()
    >>> metric.update_state([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    >>> float(metric.result())
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@export("keras.metrics")
class SparseCategoricalAccuracy(NamedMean):
    """How often the largest prediction is at the integer label, see `sparse_categorical_accuracy`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.SparseCategoricalAccuracy()
    >>> metric.update_state([[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]])
    >>> float(metric.result())
    0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: labels in [0, classes), shape (batch, d0, ...); a last dimension of 1 may follow.
            y_pred: predictions, shape (batch, d0, ..., classes); what their mask leaves out does not count.
            sample_weight: weights, an entry per sample or per position; a label of weight 0 may be anything.

        Raises:
            ValueError: the shapes do not fit, or a label lies outside.
        """
        y_pred = as_input(y_pred)
        y_true = _labels(y_true, y_pred)
        check_labels(type(self).__name__, y_true, y_pred, sample_weight)
        super().update_state(y_true, y_pred, sample_weight)


@export("keras.metrics")
class TopKCategoricalAccuracy(NamedMean):
    """How often the one-hot target is among the `k` largest predictions, see `top_k_categorical_accuracy`.

    Args:
        k: how many predictions count.
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.TopKCategoricalAccuracy(k=1)
    >>> metric.update_state([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    >>> float(metric.result())
    0.5
    """

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@export("keras.metrics")
class SparseTopKCategoricalAccuracy(NamedMean):
    """How often the label is among the `k` largest predictions, see `sparse_top_k_categorical_accuracy`.

    Args:
        k: how many predictions count.
        name, dtype: see `Metric`.
        from_sorted_ids: whether the predictions are class indices, best first.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.SparseTopKCategoricalAccuracy(k=1)
    >>> metric.update_state([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0]])
    >>> float(metric.result())
    0.5
    """

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
