"""Intersection over union of classes, from a confusion matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.tensor import as_input
from kerasish.metrics.metric import Metric


class _ConfusionMatrix(Metric):
    """A matrix of counts: rows are targets, columns predictions."""

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        # Integer counts by default: exact for any number of pixels below 2**31.
        super().__init__(name=name, dtype=dtype or "int32")
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            shape=(num_classes, num_classes), initializer="zeros", dtype=self.dtype, name="total_confusion_matrix"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch; entries whose target or prediction is no class do not count.

        Args:
            y_true: labels, or scores of classes along `axis` without `sparse_y_true`.
            y_pred: predicted labels, or scores of classes along `axis` without `sparse_y_pred`.
            sample_weight: a number, or weights that broadcast to the flattened labels.

        Raises:
            ValueError: there are not as many predictions as targets, or weights do not fit.
        """
        where = type(self).__name__
        y_true = as_input(y_true) if self.sparse_y_true else ops.argmax(y_true, axis=self.axis)
        y_pred = as_input(y_pred) if self.sparse_y_pred else ops.argmax(y_pred, axis=self.axis)
        y_true = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        y_pred = ops.reshape(ops.cast(y_pred, "int32"), (-1,))
        if None not in (*y_true.shape, *y_pred.shape) and y_true.shape != y_pred.shape:
            raise invalid(where, "there are as many predictions as targets", y_true=y_true, y_pred=y_pred)
        weights = as_input(1 if sample_weight is None else sample_weight)
        if weights.dtype.startswith("float") and self.dtype.startswith("int"):
            warnings.warn(
                f"{where}: sample weights of dtype {weights.dtype} are cut to integers, because the counts have dtype "
                f"{self.dtype}; give the metric dtype='float32' to keep them.",
                stacklevel=2,
            )
        weights = ops.cast(weights, self.dtype)
        if len(weights.shape) > 1:
            weights = ops.reshape(weights, (-1,))
        if len(weights.shape) and weights.shape[0] not in (1, y_true.shape[0]):
            raise invalid(where, "there is a sample weight for each target", y_true=y_true, sample_weight=weights)
        n = self.num_classes
        known = ops.logical_and(ops.logical_and(y_true >= 0, y_true < n), ops.logical_and(y_pred >= 0, y_pred < n))
        if self.ignore_class is not None:
            known = ops.logical_and(known, ops.not_equal(y_true, self.ignore_class))
        cells = ops.where(known, y_true * n + y_pred, 0)
        counts = ops.where(known, weights, ops.zeros((), dtype=self.dtype))
        counts = ops.segment_sum(counts, cells, num_segments=n * n)
        self.total_cm.assign_add(ops.reshape(counts, (n, n)))


@export("keras.metrics")
class IoU(_ConfusionMatrix):
    """Mean over chosen classes of `tp / (tp + fp + fn)`, of those that occur.

    Args:
        num_classes: number of classes.
        target_class_ids: the classes whose mean is taken.
        name, dtype: see `Metric`; counts are integers by default.
        ignore_class: a label that does not count.
        sparse_y_true, sparse_y_pred: whether targets and predictions are labels, not scores of classes.
        axis: the dimension of the scores.

    Raises:
        ValueError: a class is out of range, or shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 3)
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        if not all(0 <= c < num_classes for c in target_class_ids):
            raise invalid(
                type(self).__name__,
                f"target classes lie in [0, {num_classes})",
                target_class_ids=list(target_class_ids),
            )
        self.target_class_ids = list(target_class_ids)

    def result(self) -> Any:
        """The mean, a scalar of dtype float32."""
        matrix = ops.cast(self.total_cm, "float32")
        ids = np.asarray(self.target_class_ids, "int32")
        hits = ops.take(ops.diag(matrix), ids, axis=0)
        union = ops.take(ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1), ids, axis=0) - hits
        occurs = union > 1e-9
        iou = ops.where(occurs, hits / (union + epsilon()), 0.0)
        return ops.sum(iou) / (ops.sum(ops.cast(occurs, "float32")) + epsilon())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in names}


@export("keras.metrics")
class BinaryIoU(IoU):
    """`IoU` of the two classes that a threshold divides predictions into.

    Args:
        target_class_ids: the classes whose mean is taken, of 0 and 1.
        threshold: predictions of at least it are class 1.
        name, dtype: see `Metric`; counts are integers by default.

    Raises:
        ValueError: a class is out of range, or shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    >>> round(float(metric.result()), 3)
    0.333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(num_classes=2, target_class_ids=target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: labels 0 and 1.
            y_pred: scores of the same shape.
            sample_weight: a number, or weights that broadcast to the flattened labels.
        """
        super().update_state(y_true, ops.greater_equal(ops.cast(y_pred, "float32"), self.threshold), sample_weight)

    def get_config(self) -> dict[str, Any]:
        own = {"target_class_ids": self.target_class_ids, "threshold": self.threshold}
        return {**Metric.get_config(self), **own}


@export("keras.metrics")
class MeanIoU(IoU):
    """`IoU` of all classes.

    Args:
        num_classes: number of classes.
        name, dtype: see `Metric`; counts are integers by default.
        ignore_class, sparse_y_true, sparse_y_pred, axis: see `IoU`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.MeanIoU(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(float(metric.result()), 3)
    0.333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(
            num_classes, list(range(num_classes)), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "target_class_ids")


@export("keras.metrics")
class OneHotIoU(IoU):
    """`IoU` with one-hot targets.

    Args:
        num_classes: number of classes.
        target_class_ids: the classes whose mean is taken.
        name, dtype: see `Metric`; counts are integers by default.
        ignore_class, sparse_y_pred, axis: see `IoU`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.OneHotIoU(num_classes=3, target_class_ids=[0, 2])
    >>> metric.update_state([[0, 0, 1], [1, 0, 0]], [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    >>> round(float(metric.result()), 3)
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")


@export("keras.metrics")
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` with one-hot targets.

    Args:
        num_classes: number of classes.
        name, dtype: see `Metric`; counts are integers by default.
        ignore_class, sparse_y_pred, axis: see `IoU`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.OneHotMeanIoU(num_classes=3)
    >>> metric.update_state([[0, 0, 1], [1, 0, 0]], [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    >>> round(float(metric.result()), 3)
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return _without(super().get_config(), "sparse_y_true")
