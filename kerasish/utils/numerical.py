"""Small preparations of arrays: one-hot labels, normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.tensor import Tensor


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot rows for class indices.

    Args:
        x: integers from 0 to `num_classes - 1`, any shape; a last axis of length 1 is dropped.
        num_classes: by default the largest index plus one.

    Returns:
        Shape `x.shape + (num_classes,)`: a float64 array, or for a Tensor a float32 Tensor.

    Raises:
        ValueError: `x` is empty while `num_classes` is not given, or holds an index outside of `[0, num_classes)`.

    Example:

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    labels = np.asarray(x).astype("int64")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not num_classes:
        if labels.size == 0:
            raise invalid("to_categorical", "num_classes must be given for empty labels", x=labels)
        num_classes = int(labels.max()) + 1
    if labels.size and not (labels.min() >= 0 and labels.max() < num_classes):
        rule = f"the labels must be from 0 to {num_classes - 1}"
        raise invalid("to_categorical", rule, smallest=int(labels.min()), largest=int(labels.max()))
    rows = np.zeros((labels.size, num_classes), "float32" if isinstance(x, Tensor) else "float64")
    rows[np.arange(labels.size), labels.reshape(-1)] = 1
    rows = rows.reshape(labels.shape + (num_classes,))
    return Tensor(rows) if isinstance(x, Tensor) else rows


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """`x` divided by its norm along an axis; where the norm is zero, `x` stays.

    Args:
        x: an array, or a Tensor (which gives a Tensor).
        axis: the axis; None for the norm of the whole.
        order: 2 for the Euclidean norm, 1 for the sum of magnitudes, `np.inf` for the largest.

    Example:

    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    array = np.asarray(x)
    norm = np.asarray(np.linalg.norm(array, order, axis, keepdims=True))
    norm[norm == 0] = 1
    result = array / norm
    return Tensor(np.ascontiguousarray(result, array.dtype)) if isinstance(x, Tensor) else result
