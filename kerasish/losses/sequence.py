"""The CTC loss, for label sequences shorter than the outputs they are read from."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.losses.wrapper import NamedLoss

# The class of the blank, which also fills up short label sequences.
_BLANK = 0


@export("keras.losses")
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Connectionist temporal classification (Graves et al., 2006), see `ops.ctc_loss`.

    Args:
        y_true: labels, integers of shape (batch, max_labels); 0 fills up shorter sequences and is no label.
        y_pred: logits, shape (batch, time, classes); class 0 is the blank.

    Returns:
        Losses of shape (batch,).

    Raises:
        ValueError: the ranks do not fit.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.ctc([[1]], [[[0.0, 0.0], [0.0, 0.0]]]).numpy().round(4)
    array([0.2877], dtype=float32)
    """
    y_true, y_pred = ops.cast(y_true, "int32"), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        raise invalid(
            "ctc",
            "labels have shape (batch, max_labels) and logits (batch, time, classes)",
            y_true=y_true,
            y_pred=y_pred,
        )
    label_length = ops.sum(ops.cast(ops.not_equal(y_true, _BLANK), "int32"), axis=1)
    # As many time steps as there are for each of the batch, whose size may not be known.
    time = ops.full_like(label_length, y_pred.shape[1])
    return ops.ctc_loss(y_true, y_pred, label_length, time, mask_index=_BLANK)


@export("keras.losses")
class CTC(NamedLoss):
    """Connectionist temporal classification, see `ctc`.

    Args:
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.losses.CTC()([[1]], [[[0.0, 0.0], [0.0, 0.0]]])), 4)
    0.2877
    """

    _integer_targets = True

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "ctc", dtype: Any = None):
        super().__init__(ctc, reduction, name, dtype)
