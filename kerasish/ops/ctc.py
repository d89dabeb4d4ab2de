"""Connectionist temporal classification: how likely a label sequence is under all alignments with a longer output."""

from __future__ import annotations

from typing import Any

from ..engine.dtype import result_type
from ..engine.errors import invalid
from ..engine.tensor import as_input
from .cast import cast
from .compare import equal, not_equal, where
from .creation import arange, full_like, zeros
from .elementary import logaddexp
from .gather import take_along_axis
from .join import concatenate, stack, unstack
from .shape import expand_dims, reshape, squeeze
from .softmax import log_softmax

__all__ = ["ctc_loss"]

# Logarithm of the probability of what is impossible; finite, so that gradients are.
_NEVER = -1e5


def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """Minus the log-likelihood of each label sequence, summed over its alignments (Graves et al., 2006).

    An alignment gives each time step a label or the blank; without repetitions and then without blanks it is the label
    sequence. The sum is the forward recursion over the labels with blanks between them,
    a[t, s] = (a[t-1, s] + a[t-1, s-1] + a[t-1, s-2]) p[t, s] in logarithms, where the last term is there only for a
    label that differs from the one before.

    Args:
        target: labels, integers of shape (batch, max_labels).
        output: logits, shape (batch, time, classes).
        target_length: number of labels of each sequence, shape (batch,).
        output_length: number of time steps of each, at least 1, shape (batch,).
        mask_index: the class of the blank.

    Returns:
        Losses of shape (batch,). About 1e5 where there are too few time steps for the labels.

    Raises:
        ValueError: the ranks or the batch sizes do not fit, or the number of time steps or labels is unknown.

    >>> import kerasish as keras
    >>> keras.ops.ctc_loss([[1]], [[[0.0, 0.0], [0.0, 0.0]]], [1], [2]).numpy().round(4)
    array([0.2877], dtype=float32)
    """
    target, output = cast(target, "int32"), as_input(output)
    if len(target.shape) != 2 or len(output.shape) != 3:
        raise invalid(
            "ctc_loss",
            "the target has shape (batch, labels), the output (batch, time, classes)",
            target=target,
            output=output,
        )
    labels, steps = target.shape[1], output.shape[1]
    if labels is None or steps is None:
        raise invalid("ctc_loss", "the numbers of labels and of time steps must be known", target=target, output=output)
    target_length, output_length = cast(target_length, "int32"), cast(output_length, "int32")
    for name, length in (("target_length", target_length), ("output_length", output_length)):
        batch = {length.shape[0] if length.shape else 0, target.shape[0], output.shape[0]} - {None}
        if len(length.shape) != 1 or len(batch) > 1:
            raise invalid(
                "ctc_loss", f"there is one {name} for each sequence", **{name: length}, target=target, output=output
            )
    output = cast(output, result_type(output.dtype, "float32"))
    # blank, label, blank, label, ..., blank
    blank = full_like(target[:, :1], mask_index)
    states = reshape(stack([full_like(target, mask_index), target], axis=-1), (-1, 2 * labels))
    states = concatenate([states, blank], axis=1)
    count = 2 * labels + 1
    before = concatenate([blank, blank, states[:, :-2]], axis=1)[:, :count]
    may_skip = where(not_equal(states, mask_index) & not_equal(states, before), 0.0, _NEVER)
    may_skip = cast(may_skip, output.dtype)
    index = expand_dims(states, axis=1) + zeros((steps, 1), dtype="int32")
    log_p = unstack(take_along_axis(log_softmax(output, axis=-1), index, axis=2), axis=1)
    never = full_like(log_p[0][:, :1], _NEVER)
    alpha = where(arange(count) < 2, log_p[0], _NEVER)
    for t in range(1, steps):
        one = concatenate([never, alpha[:, :-1]], axis=1)
        two = concatenate([never, never, alpha[:, :-2]], axis=1)[:, :count] + may_skip
        later = logaddexp(logaddexp(alpha, one), two) + log_p[t]
        alpha = where(expand_dims(output_length > t, axis=1), later, alpha)
    end = expand_dims(2 * target_length, axis=1)
    in_blank = squeeze(take_along_axis(alpha, end, axis=1), axis=1)
    last = where(equal(end, 0), end, end - 1)
    in_label = squeeze(take_along_axis(alpha, last, axis=1), axis=1)
    in_label = where(equal(target_length, 0), _NEVER, in_label)
    return -logaddexp(in_blank, in_label)
