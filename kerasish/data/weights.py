"""Weights of samples: one array per output, or derived from weights of classes."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..engine import config, tree
from ..engine.errors import invalid
from .arrays import to_numpy


def spread_sample_weight(where: str, y: Any, sample_weight: Any) -> Any:
    """`sample_weight` in the structure of `y`: one array for several outputs is repeated for each of them.

    Raises:
        ValueError: the structures differ, or one array for several outputs has more than a scalar per sample.
    """
    if not tree.is_nested(y):
        return sample_weight
    if tree.is_nested(sample_weight):
        try:
            tree.assert_same_structure(y, sample_weight)
        except ValueError:
            rule = "sample_weight must have the structure of y, an array (or None) for each output"
            shapes = {name: tree.map_structure(_shape, s) for name, s in (("y", y), ("sample_weight", sample_weight))}
            raise invalid(where, rule, **shapes) from None
        return sample_weight
    shape = _shape(sample_weight)
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        rule = "one sample_weight for several outputs must have one number per sample"
        raise invalid(where, rule, sample_weight=sample_weight)
    return tree.map_structure(lambda _: sample_weight, y)


def _shape(value: Any) -> tuple:
    return tuple(getattr(value, "shape", ()))


def check_class_weight(where: str, class_weight: Any) -> None:
    """Raises unless `class_weight` maps classes (integers) to finite numbers that are not negative."""
    if not isinstance(class_weight, Mapping) or not class_weight:
        raise invalid(where, "class_weight must be a dict from class index to weight", class_weight=class_weight)
    for label, weight in class_weight.items():
        if isinstance(label, bool) or not isinstance(label, numbers.Integral):
            raise invalid(where, "the keys of class_weight must be class indices, integers", key=label)
        if not isinstance(weight, numbers.Real) or not 0 <= weight < float("inf"):
            rule = "the values of class_weight must be finite numbers that are not negative"
            raise invalid(where, rule, **{f"class_weight[{label}]": weight})


def class_weight_to_sample_weight(where: str, y: Any, class_weight: Mapping[int, float]) -> np.ndarray:
    """A weight per sample, shape `(samples,)`, from the class of each sample.

    Args:
        where: the caller's name, for errors.
        y: classes as integers, shape `(samples,)` or `(samples, 1)`, or one-hot rows `(samples, classes)`.
        class_weight: weight of each class; a class without an entry counts with weight 1, with a warning.

    Raises:
        ValueError: several outputs, or labels of any other shape.

    Example:

    >>> class_weight_to_sample_weight("fit", np.array([0, 1, 1]), {0: 2.0, 1: 0.5})
    array([2. , 0.5, 0.5], dtype=float32)
    """
    if tree.is_nested(y):
        rule = "class_weight is only supported for a single output"
        raise invalid(where, rule, y=tree.map_structure(_shape, y))
    check_class_weight(where, class_weight)
    labels = to_numpy(y)
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    if labels.ndim != 1:
        rule = "class_weight needs a class per sample, y of shape (samples,), (samples, 1) or (samples, classes)"
        raise invalid(where, rule, y=to_numpy(y))
    classes, inverse = np.unique(np.round(labels).astype("int64"), return_inverse=True)
    missing = [int(c) for c in classes if int(c) not in class_weight]
    if missing:
        shown = f"{missing[:10]}{' and more' if len(missing) > 10 else ''}"
        message = f"{where}: class_weight has no entry for the classes {shown}; they count with weight 1."
        warnings.warn(message, stacklevel=2)
    weights = np.array([class_weight.get(int(c), 1.0) for c in classes], config.floatx())
    return weights[inverse]
