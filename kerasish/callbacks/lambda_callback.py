"""LambdaCallback, a callback made of functions."""

from __future__ import annotations

from collections.abc import Callable

from ..engine.errors import invalid
from .callback import Callback


class LambdaCallback(Callback):
    """A callback whose hooks are given as functions.

    Args:
        on_epoch_begin: called with `(epoch, logs)`.
        on_epoch_end: called with `(epoch, logs)`.
        on_train_begin: called with `(logs)`.
        on_train_end: called with `(logs)`.
        on_train_batch_begin: called with `(batch, logs=logs)`.
        on_train_batch_end: called with `(batch, logs=logs)`.
        **kwargs: any other hook of `Callback` by name.

    Raises:
        ValueError: `Callback` has no hook of that name, or its value cannot be called.

    Example:

    >>> show = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    >>> show.on_epoch_end(0, {"loss": 0.5})
    0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable | None = None,
        on_epoch_end: Callable | None = None,
        on_train_begin: Callable | None = None,
        on_train_end: Callable | None = None,
        on_train_batch_begin: Callable | None = None,
        on_train_batch_end: Callable | None = None,
        **kwargs: Callable,
    ):
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in hooks.items():
            if not (name.startswith("on_") and hasattr(Callback, name)):
                raise invalid("LambdaCallback", "callbacks have no hook of this name", name=name)
            if function is not None:
                if not callable(function):
                    raise invalid("LambdaCallback", "a hook must be a function", **{name: function})
                setattr(self, name, function)
