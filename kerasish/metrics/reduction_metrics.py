"""Sum and mean of values, and metrics that are the mean of a function of targets and predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasish import losses, ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.losses.loss import apply_mask, broadcast_together, keras_mask, squeeze_or_expand_to_same_rank
from kerasish.metrics.metric import Metric


def reduce_to_samplewise_values(
    values: Any, sample_weight: Any, reduce_fn: Callable, dtype: str, where: str = "metric"
) -> tuple[Any, Any]:
    """Values (times their weights) and weights as vectors with an entry per sample.

    Dimensions beyond the weights' are reduced before they are weighted, all but the first after.

    Raises:
        ValueError: the weights do not fit the values.
    """
    mask = keras_mask(values)
    values = ops.cast(values, dtype)
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
        if mask is not None:
            sample_weight = apply_mask(sample_weight, mask, dtype, "sum", where)
        values, sample_weight = squeeze_or_expand_to_same_rank(values, sample_weight)
        rank = len(sample_weight.shape)
        if len(values.shape) > rank:
            values = reduce_fn(values, axis=list(range(rank, len(values.shape))))
        if not broadcast_together(values.shape, sample_weight.shape):
            raise invalid(
                where, f"the sample weights must fit values of shape {tuple(values.shape)}", sample_weight=sample_weight
            )
        if tuple(sample_weight.shape) != tuple(values.shape):
            sample_weight = ops.broadcast_to(sample_weight, values.shape)
        values = values * sample_weight
        if rank > 1:
            sample_weight = reduce_fn(sample_weight, axis=list(range(1, rank)))
    if len(values.shape) > 1:
        values = reduce_fn(values, axis=list(range(1, len(values.shape))))
    return values, sample_weight


@export("keras.metrics")
class Sum(Metric):
    """The sum of the values given to it, each times its weight.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Sum()
    >>> metric.update_state([1.0, 3.0, 5.0])
    >>> float(metric.result())
    9.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), initializer="zeros", dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values.

        Args:
            values: array of any shape.
            sample_weight: weights, an entry per sample or of the values' shape.
        """
        values, _ = reduce_to_samplewise_values(values, sample_weight, ops.sum, self.dtype, type(self).__name__)
        self.total.assign_add(ops.sum(values))

    def reset_state(self) -> None:
        self.total.assign(0)

    def result(self) -> Any:
        return self.total.value


@export("keras.metrics")
class Mean(Metric):
    """The mean of the values given to it, each with its weight; 0 before the first.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Mean()
    >>> metric.update_state([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0])
    >>> float(metric.result())
    2.0
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable(shape=(), initializer="zeros", dtype=self.dtype, name="total")
        self.count = self.add_variable(shape=(), initializer="zeros", dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Adds values.

        Args:
            values: array; the mean over all dimensions but the first is a sample's value.
            sample_weight: weights, an entry per sample or of the values' shape.
        """
        values, weights = reduce_to_samplewise_values(values, sample_weight, ops.mean, self.dtype, type(self).__name__)
        if weights is not None:
            count = ops.sum(weights) if len(weights.shape) else weights
        else:
            count = values.shape[0] if len(values.shape) else 1
        self.total.assign_add(ops.sum(values) if len(values.shape) else values)
        self.count.assign_add(count)

    def reset_state(self) -> None:
        self.total.assign(0)
        self.count.assign(0)

    def result(self) -> Any:
        return ops.divide_no_nan(self.total, self.count)


@export("keras.metrics")
class MeanMetricWrapper(Mean):
    """The mean of a function of targets and predictions.

    Args:
        fn: function of (y_true, y_pred, **kwargs) that gives a value per sample (or per position).
        name, dtype: see `Metric`.
        **kwargs: passed on to `fn`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.MeanMetricWrapper(keras.losses.mean_absolute_error, name="mae")
    >>> metric.update_state([[0.0], [2.0]], [[1.0], [5.0]])
    >>> float(metric.result())
    2.0
    """

    def __init__(self, fn: Callable, name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if self._direction is None and (fn in losses._functions or type(fn) in losses._classes):
            self._direction = "down"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: targets.
            y_pred: predictions; what their mask leaves out does not count.
            sample_weight: weights, an entry per sample or per position.
        """
        mask = keras_mask(y_pred)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        super().update_state(values, apply_mask(sample_weight, mask, self.dtype, "sum", type(self).__name__))

    def get_config(self) -> dict[str, Any]:
        fn = {"fn": serialize_keras_object(self._fn)}
        return {**super().get_config(), **fn, **serialize_keras_object(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        # A string stays one, also where a custom object has the same name as this one.
        return cls(**{k: v if isinstance(v, str) else deserialize_keras_object(v) for k, v in config.items()})


class NamedMean(MeanMetricWrapper):
    """A metric class that stands for one function: its arguments are attributes and the config."""

    def __init__(self, fn: Callable, name: str | None, dtype: Any, **kwargs: Any):
        super().__init__(fn, name=name, dtype=dtype, **kwargs)
        self.__dict__.update(kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), **self._fn_kwargs}
