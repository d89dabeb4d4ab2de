"""Cross-entropies of classes: binary, one-hot, integer labels, focal and generalised."""

from __future__ import annotations

import warnings
from typing import Any

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.dtype import is_float_dtype
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.tensor import as_input
from kerasish.losses.loss import pair
from kerasish.losses.wrapper import NamedLoss


def _one_hot_pair(where: str, y_true: Any, y_pred: Any, label_smoothing: float, axis: Any) -> tuple[Any, Any]:
    """Targets (smoothed) and predictions of a categorical loss."""
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise invalid(where, "axis is an integer", axis=axis)
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    if y_pred.ndim and y_pred.shape[-1] == 1:
        warnings.warn(
            f"{where}: the predictions have a single class, whose probability is always 1; for two classes use "
            f"binary_crossentropy. Received: y_pred.shape={tuple(y_pred.shape)}",
            SyntaxWarning,
            stacklevel=3,
        )
    if len(y_true.shape) != len(y_pred.shape):
        raise invalid(
            where,
            "targets and predictions must have the same shape (integer labels are for the sparse loss)",
            y_true=y_true,
            y_pred=y_pred,
        )
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    return pair(where, y_true, y_pred)


@export("keras.losses", aliases=("keras.metrics",))
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """`-sum(y_true * log(y_pred))` over the classes.

    Args:
        y_true: one-hot targets (or probabilities), shape (batch, d0, ..., classes).
        y_pred: probabilities of the same shape, or logits. Probabilities are divided by their sum.
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1]; the share of the target that is spread evenly over the classes.
        axis: the dimension of the classes.

    Returns:
        Losses with the dimension of the classes gone.

    Raises:
        ValueError: the shapes differ.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.categorical_crossentropy([[0, 1, 0]], [[0.05, 0.95, 0.0]]).numpy().round(4)
    array([0.0513], dtype=float32)
    """
    y_true, y_pred = _one_hot_pair("categorical_crossentropy", y_true, y_pred, label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


@export("keras.losses", aliases=("keras.metrics",))
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """`-sum(alpha * (1 - p) ** gamma * y_true * log(p))` over the classes.

    Reference: Lin et al., 2018 (https://arxiv.org/abs/1708.02002).

    Args:
        y_true: one-hot targets, shape (batch, d0, ..., classes).
        y_pred: probabilities p of the same shape, or logits.
        alpha: weight of the classes, a number or one for each class.
        gamma: how much easy examples are weighed down; 0 not at all.
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1], see `categorical_crossentropy`.
        axis: the dimension of the classes.

    Raises:
        ValueError: the shapes differ.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.categorical_focal_crossentropy([[0, 1, 0]], [[0.25, 0.5, 0.25]]).numpy().round(4)
    array([0.0433], dtype=float32)
    """
    y_true, y_pred = _one_hot_pair("categorical_focal_crossentropy", y_true, y_pred, label_smoothing, axis)
    p = ops.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = ops.clip(p / ops.sum(p, axis=axis, keepdims=True), epsilon(), 1.0 - epsilon())
    weight = ops.power(1.0 - p, gamma) * ops.convert_to_tensor(alpha, dtype=p.dtype)
    return -ops.sum(weight * y_true * ops.log(p), axis=axis)


@export("keras.losses", aliases=("keras.metrics",))
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """`-log(y_pred[y_true])`: the cross-entropy for integer labels.

    Args:
        y_true: labels in [0, classes), shape (batch, d0, ...); a last dimension of 1 may follow.
        y_pred: probabilities of shape (batch, d0, ..., classes), or logits.
        from_logits: whether the predictions are logits.
        ignore_class: a label whose positions have loss 0 and are masked out of the mean.
        axis: the dimension of the classes.

    Returns:
        Losses of the labels' shape.

    Raises:
        ValueError: the shapes do not fit, or a label lies outside [0, classes).

    Example:

    >>> import kerasish as keras
    >>> keras.losses.sparse_categorical_crossentropy([1], [[0.05, 0.95, 0.0]]).numpy().round(4)
    array([0.0513], dtype=float32)
    """
    y_true, y_pred = as_input(y_true), ops.convert_to_tensor(y_pred)
    if is_float_dtype(y_true.dtype) or y_true.dtype == "bool":
        y_true = ops.cast(y_true, "int32")
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(y_true, ignore_class)
    # An ignored position gets label 0 and flat predictions, so that neither its loss nor its gradient is NaN.
    loss = ops.sparse_categorical_crossentropy(
        ops.where(valid, y_true, 0),
        ops.where(ops.expand_dims(valid, axis), y_pred, 0.0 if from_logits else 1.0),
        from_logits=from_logits,
        axis=axis,
    )
    loss = ops.where(valid, loss, 0.0)
    loss._keras_mask = valid
    return loss


@export("keras.losses", aliases=("keras.metrics",))
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """`-mean(y_true * log(p) + (1 - y_true) * log(1 - p))` over `axis`.

    Args:
        y_true: targets 0 or 1, shape (batch, d0, ..., dN).
        y_pred: probabilities p of the same shape, or logits.
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1]; moves the targets towards 0.5 by that share.
        axis: the dimension that is averaged.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.binary_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).numpy().round(3)
    array([0.916, 0.714], dtype=float32)
    """
    y_true, y_pred = pair("binary_crossentropy", y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


@export("keras.losses", aliases=("keras.metrics",))
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times `(1 - p_t) ** gamma`, p_t the probability of the true class, averaged over `axis`.

    Reference: Lin et al., 2018 (https://arxiv.org/abs/1708.02002).

    Args:
        y_true: targets 0 or 1, shape (batch, d0, ..., dN).
        y_pred: probabilities of the same shape, or logits.
        apply_class_balancing: weigh class 1 by `alpha` and class 0 by `1 - alpha`.
        alpha: see `apply_class_balancing`.
        gamma: how much easy examples are weighed down; 0 not at all.
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1], see `binary_crossentropy`.
        axis: the dimension that is averaged.

    Raises:
        ValueError: the shapes do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.binary_focal_crossentropy([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]).numpy().round(3)
    array([0.33 , 0.206], dtype=float32)
    """
    y_true, y_pred = pair("binary_focal_crossentropy", y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    p_t = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = ops.power(1.0 - p_t, gamma) * ops.binary_crossentropy(y_true, p, from_logits=False)
    if apply_class_balancing:
        loss = loss * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return ops.mean(loss, axis=axis)


@export("keras.losses")
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """`(1 - p ** q) / q` with p the probability of the true class.

    Between the cross-entropy (q towards 0) and the mean absolute error (q towards 1): robust to wrong labels.
    Reference: Zhang and Sabuncu, 2018 (https://arxiv.org/abs/1805.07836).

    Args:
        y_true: labels in [0, classes), shape (batch,) or (batch, 1).
        y_pred: probabilities, shape (batch, classes).
        q: in (0, 1).

    Returns:
        Losses of shape (batch,).

    Example:

    >>> import kerasish as keras
    >>> keras.losses.categorical_generalized_cross_entropy([1], [[0.0, 0.25]], q=0.5).numpy()
    array([1.], dtype=float32)
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, "int32")
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    one_hot = ops.one_hot(y_true, y_pred.shape[-1], dtype=y_pred.dtype)
    p = ops.sum(y_pred * one_hot, axis=-1)
    return (1.0 - ops.power(p, q)) / q


@export("keras.losses")
class BinaryCrossentropy(NamedLoss):
    """Cross-entropy of targets 0 and 1, see `binary_crossentropy`.

    Args:
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1]; moves the targets towards 0.5 by that share.
        axis: the dimension that is averaged.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.BinaryCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 3)
    0.815
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@export("keras.losses")
class BinaryFocalCrossentropy(NamedLoss):
    """Binary cross-entropy that weighs easy examples down, see `binary_focal_crossentropy`.

    Args:
        apply_class_balancing: weigh class 1 by `alpha` and class 0 by `1 - alpha`.
        alpha: see `apply_class_balancing`.
        gamma: how much easy examples are weighed down; 0 not at all.
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1]; moves the targets towards 0.5 by that share.
        axis: the dimension that is averaged.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.BinaryFocalCrossentropy()([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])), 3)
    0.268
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@export("keras.losses")
class CategoricalCrossentropy(NamedLoss):
    """Cross-entropy of one-hot targets, see `categorical_crossentropy`.

    Args:
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1]; the share of the target that is spread evenly over the classes.
        axis: the dimension of the classes.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> loss = keras.losses.CategoricalCrossentropy()
    >>> round(float(loss([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 3)
    1.177
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@export("keras.losses")
class CategoricalFocalCrossentropy(NamedLoss):
    """Cross-entropy of one-hot targets that weighs easy examples down, see `categorical_focal_crossentropy`.

    Args:
        alpha: weight of the classes, a number or one for each class.
        gamma: how much easy examples are weighed down; 0 not at all.
        from_logits: whether the predictions are logits.
        label_smoothing: in [0, 1]; the share of the target that is spread evenly over the classes.
        axis: the dimension of the classes.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.CategoricalFocalCrossentropy()([[0, 1, 0]], [[0.25, 0.5, 0.25]])), 4)
    0.0433
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@export("keras.losses")
class SparseCategoricalCrossentropy(NamedLoss):
    """Cross-entropy of integer labels, see `sparse_categorical_crossentropy`.

    Args:
        from_logits: whether the predictions are logits.
        ignore_class: a label whose positions do not count.
        reduction: see `Loss`.
        axis: the dimension of the classes.
        name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> loss = keras.losses.SparseCategoricalCrossentropy()
    >>> round(float(loss([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])), 3)
    1.177
    """

    _integer_targets = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


@export("keras.losses")
class CategoricalGeneralizedCrossEntropy(NamedLoss):
    """Cross-entropy of integer labels that tolerates wrong ones, see `categorical_generalized_cross_entropy`.

    Args:
        q: in (0, 1).
        reduction, name, dtype: see `Loss`.

    Raises:
        ValueError: q is not in (0, 1).

    Example:

    >>> import kerasish as keras
    >>> float(keras.losses.CategoricalGeneralizedCrossEntropy()([1], [[0.0, 0.25]]))
    1.0
    """

    _integer_targets = True

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise invalid("CategoricalGeneralizedCrossEntropy", "q lies strictly between 0 and 1", q=q)
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
