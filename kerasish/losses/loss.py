"""The base class of losses, and the arithmetic that all of them share: ranks, masks, weights and the reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasish import ops
from kerasish.engine import dtype_policy, tree
from kerasish.engine.config import floatx
from kerasish.engine.dtype import is_float_dtype
from kerasish.engine.errors import invalid
from kerasish.engine.naming import auto_name, to_snake_case
from kerasish.engine.registry import export
from kerasish.engine.tensor import as_input

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def standardize_reduction(reduction: str | None) -> str | None:
    """The reduction itself, after checking that there is one of this name."""
    if reduction not in REDUCTIONS:
        raise invalid("Loss", f"reduction is one of {', '.join(map(repr, REDUCTIONS))}", reduction=reduction)
    return reduction


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """Two tensors whose ranks differ by one, with a last dimension of 1 removed from the larger or given to the other.

    A vector meets a column as a column where `expand_rank_1` allows it.
    """
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if rank1 == rank2 + 1 and x1.shape[-1] == 1:
        if rank2 == 1 and expand_rank_1:
            return x1, ops.expand_dims(x2, axis=-1)
        return ops.squeeze(x1, axis=-1), x2
    if rank2 == rank1 + 1 and x2.shape[-1] == 1:
        if rank1 == 1 and expand_rank_1:
            return ops.expand_dims(x1, axis=-1), x2
        return x1, ops.squeeze(x2, axis=-1)
    return x1, x2


def broadcast_together(a: tuple, b: tuple) -> bool:
    """Whether two shapes, in which None is unknown, can be broadcast together."""
    return all(m == n or 1 in (m, n) or None in (m, n) for m, n in zip(reversed(a), reversed(b)))


def pair(where: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Targets and predictions as tensors of the predictions' dtype and of one rank.

    Raises:
        ValueError: their shapes do not fit; `where` names the loss or metric.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true, dtype=y_pred.dtype)
    y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
    if not broadcast_together(y_true.shape, y_pred.shape):
        raise invalid(where, "targets and predictions must have the same shape", y_true=y_true, y_pred=y_pred)
    return y_true, y_pred


def apply_mask(sample_weight: Any, mask: Any, dtype: str, reduction: str | None, where: str = "Loss") -> Any:
    """A mask merged into the sample weights; without weights, the mask as weights; None where there is neither.

    Where a mean will be taken over all entries, the valid ones weigh total / valid, so that it is the mean over them.

    Raises:
        ValueError: weights and mask do not fit; `where` names the loss or metric.
    """
    if mask is None:
        return sample_weight
    weights = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        weights = ops.divide_no_nan(weights, ops.mean(weights))
    if sample_weight is None:
        return weights
    weights, sample_weight = squeeze_or_expand_to_same_rank(weights, ops.cast(sample_weight, dtype))
    if not broadcast_together(weights.shape, sample_weight.shape):
        raise invalid(
            where, f"the sample weights must fit a mask of shape {tuple(weights.shape)}", sample_weight=sample_weight
        )
    return sample_weight * weights


def reduce_values(values: Any, sample_weight: Any = None, reduction: str | None = "sum_over_batch_size") -> Any:
    """Values, weighted already, after the reduction."""
    if reduction in (None, "none") or tuple(values.shape) in ((), (0,)):
        return values
    if reduction == "sum" or 0 in values.shape:
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return ops.divide_no_nan(ops.sum(values), ops.cast(ops.sum(sample_weight), values.dtype))
    return ops.mean(values)


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: str | None = None,
    where: str = "Loss",
) -> Any:
    """Values times sample weights and mask, reduced.

    Raises:
        ValueError: the weights do not fit the values; `where` names the loss.
    """
    standardize_reduction(reduction)
    values = ops.convert_to_tensor(values, dtype=dtype)
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    sample_weight = apply_mask(sample_weight, mask, values.dtype, reduction, where)
    if sample_weight is not None:
        sample_weight = ops.cast(sample_weight, values.dtype)
        values, sample_weight = squeeze_or_expand_to_same_rank(values, sample_weight)
        if not broadcast_together(values.shape, sample_weight.shape):
            raise invalid(
                where, f"the sample weights must fit losses of shape {tuple(values.shape)}", sample_weight=sample_weight
            )
        values = values * sample_weight
    return reduce_values(values, sample_weight, reduction)


def keras_mask(x: Any) -> Any:
    """The mask that a layer left on its output, or None."""
    return getattr(x, "_keras_mask", None)


@export("keras.losses", aliases=("keras",))
class Loss:
    """A loss: a callable `(y_true, y_pred, sample_weight=None) -> tensor`.

    Subclasses implement `call(y_true, y_pred)`, which gives a loss per sample (or per position).

    Args:
        name: its name; the snake-case class name by default.
        reduction: `"sum_over_batch_size"` or `"mean"` (over all entries), `"sum"`, `"mean_with_sample_weight"` (the sum
            divided by the sum of the weights), `"none"` or None (an array of losses).
        dtype: dtype or policy of the computation; `floatx` by default.

    Raises:
        ValueError: unknown reduction.

    Example:

    >>> import kerasish as keras
    >>> class Worst(keras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)
    >>> float(Worst()([[0.0, 0.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 4.0]]))
    2.0
    """

    # Losses over class indices keep their targets as integers.
    _integer_targets = False

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.reduction = standardize_reduction(reduction)
        self._dtype_policy = dtype_policy.get(dtype or floatx())
        self._dtype = self._dtype_policy.compute_dtype

    @property
    def dtype(self) -> str:
        """The dtype of the computation."""
        return self._dtype

    def _each(self, convert: Callable, y: Any) -> Any:
        """`convert` applied to each array of a structure; a list of numbers is one array."""
        if tree.is_nested(y) and any(hasattr(leaf, "shape") for leaf in tree.flatten(y)):
            return tree.map_structure(convert, y)
        return convert(y)

    def _target(self, y_true: Any) -> Any:
        y_true = as_input(y_true)
        if self._integer_targets and not is_float_dtype(y_true.dtype):
            return ops.convert_to_tensor(y_true)
        return ops.convert_to_tensor(y_true, dtype=self._dtype)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        mask = keras_mask(y_pred)
        y_pred = self._each(lambda x: ops.convert_to_tensor(x, dtype=self._dtype), y_pred)
        y_true = self._each(self._target, y_true)
        losses = self.call(y_true, y_pred)
        out_mask = keras_mask(losses)
        if out_mask is not None:
            mask = out_mask if mask is None else ops.logical_and(mask, out_mask)
        return reduce_weighted_values(
            losses, sample_weight, mask, self.reduction, dtype=self._dtype, where=type(self).__name__
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The losses before weights and reduction."""
        raise NotImplementedError(f"{type(self).__name__} does not implement call(y_true, y_pred)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """A loss with these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"
