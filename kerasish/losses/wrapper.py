"""Losses made from a function `(y_true, y_pred, **kwargs)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kerasish.engine import tree
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.losses.loss import Loss, squeeze_or_expand_to_same_rank


@export("keras.src.losses.losses")
class LossFunctionWrapper(Loss):
    """A loss whose `call` is a function.

    Args:
        fn: function of (y_true, y_pred, **kwargs) that gives a loss per sample.
        reduction, name, dtype: see `Loss`.
        **kwargs: passed on to `fn`.
    """

    def __init__(
        self,
        fn: Callable,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if tree.is_nested(y_true) or tree.is_nested(y_pred):
            pairs = [squeeze_or_expand_to_same_rank(*p) for p in zip(tree.flatten(y_true), tree.flatten(y_pred))]
            y_true = tree.pack_sequence_as(y_true, [t for t, _ in pairs])
            y_pred = tree.pack_sequence_as(y_pred, [p for _, p in pairs])
        else:
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        fn = {"fn": serialize_keras_object(self.fn)}
        return {**super().get_config(), **fn, **serialize_keras_object(self._fn_kwargs)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        # A string stays one, also where a custom object has the same name as this one.
        return cls(**{k: v if isinstance(v, str) else deserialize_keras_object(v) for k, v in config.items()})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self.fn, '__name__', self.fn)} kwargs={self._fn_kwargs}>"


class NamedLoss(LossFunctionWrapper):
    """A loss class that stands for one function: its arguments are attributes and the config."""

    def __init__(self, fn: Callable, reduction: str | None, name: str | None, dtype: Any, **kwargs: Any):
        super().__init__(fn, reduction=reduction, name=name, dtype=dtype, **kwargs)
        self.__dict__.update(kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**Loss.get_config(self), **self._fn_kwargs}
