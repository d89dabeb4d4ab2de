"""The circle loss, on the similarities of embeddings within a batch."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.registry import export
from kerasish.losses.wrapper import NamedLoss


@export("keras.losses")
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """The circle loss of Sun et al., 2020 (https://arxiv.org/abs/2002.10857).

    `softplus(logsumexp(gamma * a_n * (s_n - margin)) + logsumexp(-gamma * a_p * (s_p - 1 + margin)))` for each sample,
    over the similarities s_p to embeddings of its own class and s_n to the others; each weighs by its distance a from
    its optimum. A sample whose loss is 0 is masked out of the mean.

    Args:
        y_true: labels, integers of shape (batch,) or (batch, 1).
        y_pred: L2-normalised embeddings, shape (batch, size).
        ref_labels: labels of the embeddings to compare with; `y_true` by default.
        ref_embeddings: those embeddings, shape (references, size); `y_pred` by default.
        remove_diagonal: leave out the pair of a sample with itself.
        gamma: scale.
        margin: relaxation.

    Returns:
        Losses of shape (batch,).

    Example:

    >>> import kerasish as keras
    >>> keras.losses.circle([0, 0, 1], keras.ops.normalize([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])).shape
    (3,)
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, "int32")
    references = y_pred if ref_embeddings is None else ops.convert_to_tensor(ref_embeddings, dtype=y_pred.dtype)
    ref_labels = y_true if ref_labels is None else ops.cast(ref_labels, "int32")
    distance = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(references)), 0.0)
    same = ops.equal(ops.reshape(y_true, (-1, 1)), ops.reshape(ref_labels, (1, -1)))
    other = ops.logical_not(same)
    if remove_diagonal:
        diagonal = ops.eye(y_pred.shape[0], references.shape[0], dtype="bool")
        same = ops.logical_and(same, ops.logical_not(diagonal))
    positive = -gamma * (margin + distance) * (margin - distance)
    negative = gamma * ops.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    nothing = float("-inf")
    loss = ops.softplus(
        ops.logsumexp(ops.where(same, positive, nothing), axis=1)
        + ops.logsumexp(ops.where(other, negative, nothing), axis=1)
    )
    loss._keras_mask = loss > 0
    return loss


@export("keras.losses")
class Circle(NamedLoss):
    """Circle loss of L2-normalised embeddings and integer labels, see `circle`.

    Args:
        gamma: scale.
        margin: relaxation.
        remove_diagonal: leave out the pair of a sample with itself.
        reduction, name, dtype: see `Loss`.

    Example:

    >>> import kerasish as keras
    >>> embeddings = keras.ops.normalize([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    >>> keras.losses.Circle()([0, 0, 1], embeddings).shape
    ()
    """

    _integer_targets = True

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ):
        super().__init__(circle, reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal)
