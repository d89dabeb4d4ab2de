"""Checks of data: ops whose only purpose is to refuse."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from .compare import not_equal
from .compare import where as where_
from .shape import reshape

__all__ = ["check_labels"]


def _on_host(labels: np.ndarray, classes: int, where: str) -> np.ndarray:
    wrong = ~((labels >= 0) & (labels < classes))  # NaN is wrong, too
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        rule = f"every value of `labels` must lie in [0, {classes})"
        raise invalid(where, rule, value=labels[position].item(), position=position, labels=labels)
    return np.True_


check_labels_op = define_op(
    "check_labels",
    inputs="labels",
    infer=lambda labels, classes, where: Spec((), "bool"),
    kernel=C("check_index", i=lambda specs, a: (a["classes"],), host=_on_host),
    grad=None,
    kind="check",
)


def check_labels(labels: Any, classes: int, where: str, weights: Any = ()) -> None:
    """Refuses labels outside [0, classes), except where a weight is 0.

    Args:
        labels: a tensor.
        classes: how many there are.
        where: whom the error names.
        weights: tensors of the labels' leading dimensions.

    Raises:
        ValueError: names a label and its position.

    >>> from kerasish.ops.checks import check_labels
    >>> import kerasish as keras
    >>> check_labels(keras.ops.convert_to_tensor([0, 7]), 3, "metric", [keras.ops.convert_to_tensor([1.0, 0.0])])
    """
    for weight in weights:
        weight = reshape(weight, (*weight.shape, *(1,) * (len(labels.shape) - len(weight.shape))))
        labels = where_(not_equal(weight, 0), labels, 0)
    check_labels_op(labels, classes=classes, where=where)
