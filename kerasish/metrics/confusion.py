"""Counts of true and false positives and negatives over thresholds, which many metrics are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasish import ops
from kerasish.engine.config import epsilon
from kerasish.engine.errors import invalid
from kerasish.engine.variable import Variable
from kerasish.losses.loss import broadcast_together, squeeze_or_expand_to_same_rank

# Below every score: the threshold where the top k count as positive whatever their score.
NEG_INF = -1e10


def parse_thresholds(where: str, thresholds: Any, default: float) -> list[float]:
    """Thresholds as a list, the default where none is given.

    Raises:
        ValueError: a threshold is not in [0, 1].
    """
    if thresholds is None:
        return [default]
    out = list(thresholds) if isinstance(thresholds, (list, tuple)) else [thresholds]
    if any(t is None or not 0 <= t <= 1 for t in out):
        raise invalid(where, "thresholds lie in [0, 1]", thresholds=thresholds)
    return out


def even_thresholds(count: int) -> list[float]:
    """`count` thresholds from 0 to 1 at equal distances."""
    return [0.0, *((i + 1) / (count - 1) for i in range(count - 2)), 1.0]


def is_even(thresholds: Sequence[float]) -> bool:
    """Whether thresholds go from 0 to 1 at equal distances, so that a score's bin can be computed."""
    n = len(thresholds)
    if n < 3:
        return False
    return bool(np.allclose(thresholds, np.arange(n, dtype="float32") / (n - 1), atol=epsilon()))


def only_top_k(y_pred: Any, k: int) -> Any:
    """Scores with all but the k largest of the last dimension set to `NEG_INF`."""
    _, best = ops.top_k(y_pred, k)
    kept = ops.sum(ops.one_hot(best, y_pred.shape[-1], dtype=y_pred.dtype), axis=-2)
    return y_pred * kept + NEG_INF * (1.0 - kept)


def update_counts(
    where: str,
    variables: dict[str, Variable],
    y_true: Any,
    y_pred: Any,
    thresholds: Sequence[float],
    *,
    evenly: bool = False,
    top_k: int | None = None,
    class_id: int | None = None,
    sample_weight: Any = None,
    multi_label: bool = False,
    label_weights: Any = None,
) -> None:
    """Adds a batch to counts.

    Args:
        where: the metric, for errors.
        variables: the counts that are kept, among `"tp"`, `"fp"`, `"tn"`, `"fn"`; of shape (thresholds,), or
            (thresholds, labels) with `multi_label`.
        y_true: targets; anything but 0 is positive.
        y_pred: scores of the same shape; positive above a threshold.
        thresholds: the thresholds.
        evenly: whether they go from 0 to 1 at equal distances (by epsilon less at 0, more at 1): then the counts come
            from one histogram instead of a comparison with each threshold.
        top_k: only the k largest scores of each row can be positive.
        class_id: only this column counts.
        sample_weight: weights, an entry per sample or per score.
        multi_label: count each column by itself.
        label_weights: weights of the columns, without `multi_label`.

    Raises:
        ValueError: the shapes do not fit, or `class_id` is asked of vectors.
    """
    dtype = next(iter(variables.values())).dtype
    y_true, y_pred = ops.cast(y_true, dtype), ops.cast(y_pred, dtype)
    y_pred, y_true = squeeze_or_expand_to_same_rank(y_pred, y_true)
    if len(y_true.shape) != len(y_pred.shape) or not broadcast_together(y_true.shape, y_pred.shape):
        raise invalid(where, "targets and predictions must have the same shape", y_true=y_true, y_pred=y_pred)
    if multi_label and len(y_pred.shape) != 2:
        raise invalid(where, "with multi_label, predictions have shape (batch, labels)", y_pred=y_pred)
    weights = None
    if sample_weight is not None:
        weights = ops.expand_dims(ops.cast(sample_weight, dtype), axis=-1)
        _, weights = squeeze_or_expand_to_same_rank(y_true, weights, expand_rank_1=False)
        if not broadcast_together(weights.shape, y_true.shape):
            raise invalid(
                where, f"the sample weights must fit targets of shape {tuple(y_true.shape)}", sample_weight=weights
            )
    if top_k is not None:
        y_pred = only_top_k(y_pred, top_k)
    if class_id is not None:
        if len(y_pred.shape) < 2:
            raise invalid(where, "class_id needs predictions of shape (batch, classes)", y_pred=y_pred)
        y_true = ops.expand_dims(y_true[..., class_id], axis=-1)
        y_pred = ops.expand_dims(y_pred[..., class_id], axis=-1)
    positive = ops.cast(ops.not_equal(y_true, 0), dtype)
    negative = 1.0 - positive
    if label_weights is not None:
        label_weights = ops.cast(label_weights, dtype)
        weights = label_weights if weights is None else weights * label_weights
    if weights is not None:
        positive, negative = positive * weights, negative * weights
    if not multi_label:
        positive, negative, y_pred = (ops.reshape(x, (-1,)) for x in (positive, negative, y_pred))
    count = _count_in_bins if evenly else _count_by_comparison
    tp, fp = count(positive, negative, y_pred, thresholds)
    # What is not counted as positive is negative: no second pass.
    counts = {
        "tp": lambda: tp,
        "fp": lambda: fp,
        "fn": lambda: ops.sum(positive, axis=0) - tp,
        "tn": lambda: ops.sum(negative, axis=0) - fp,
    }
    for name, variable in variables.items():
        variable.assign_add(counts[name]())


def _count_by_comparison(positive: Any, negative: Any, y_pred: Any, thresholds: Sequence[float]) -> tuple[Any, Any]:
    """Weights of true and of false positives, shape (thresholds,) or (thresholds, labels)."""
    column = np.reshape(np.asarray(thresholds, y_pred.dtype), (-1,) + (1,) * len(y_pred.shape))
    above = ops.cast(ops.greater(ops.expand_dims(y_pred, axis=0), column), y_pred.dtype)
    return ops.sum(above * positive, axis=1), ops.sum(above * negative, axis=1)


def _count_in_bins(positive: Any, negative: Any, y_pred: Any, thresholds: Sequence[float]) -> tuple[Any, Any]:
    """The same for evenly spaced thresholds: bin b holds the scores above exactly b of the thresholds."""
    n = len(thresholds)
    bins = ops.cast(ops.ceil(ops.clip(y_pred, 0.0, 1.0) * (n - 1)), "int32")
    # A first threshold below 0 is exceeded by every score, also by 0. A NaN goes into the first bin.
    bins = ops.clip(bins, 1 if thresholds[0] < 0 else 0, n)
    columns = 1
    if len(y_pred.shape) == 2:
        columns = y_pred.shape[1]
        bins = bins + np.arange(columns, dtype="int32") * (n + 1)
    data = ops.stack([ops.reshape(positive, (-1,)), ops.reshape(negative, (-1,))], axis=-1)
    histogram = ops.segment_sum(data, ops.reshape(bins, (-1,)), num_segments=(n + 1) * columns)
    histogram = ops.reshape(histogram, (columns, n + 1, 2))
    above = ops.flip(ops.cumsum(ops.flip(histogram, axis=1), axis=1), axis=1)[:, 1:]
    if len(y_pred.shape) == 1:
        return above[0, :, 0], above[0, :, 1]
    return ops.transpose(above[..., 0]), ops.transpose(above[..., 1])
