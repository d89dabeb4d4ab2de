"""All callbacks of a run behind one, which calls only the hooks that somebody overrides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine import tree
from ..engine.errors import invalid
from .callback import Callback
from .history import History
from .progbar_logger import ProgbarLogger

_BATCH_HOOKS = tuple(
    f"on_{kind}batch_{when}" for kind in ("", "train_", "test_", "predict_") for when in ("begin", "end")
)


def python_logs(logs: dict | Callable[[], dict] | None) -> dict:
    """`logs` in the order of names, nested dicts flattened, values as Python floats where they can be.

    Example:

    >>> python_logs({"loss": 1, "accuracy": {"top": 2}})
    {'top': 2.0, 'loss': 1.0}
    """
    if callable(logs):
        logs = logs()
    result: dict = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, dict) and name != "outputs":  # the outputs of a prediction stay as they are
            result.update(python_logs(value))
        elif getattr(value, "shape", ()) == () and not isinstance(value, (str, list, tuple, dict, type(None))):
            result[name] = float(value)
        else:
            result[name] = value
    return result


def _overrides(callback: Callback, hook: str) -> bool:
    """Whether the callback's class or the instance itself brings its own `hook`."""
    return getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)


class CallbackList(Callback):
    """Calls every callback of a list in turn.

    A hook for batches that no callback overrides costs one test: which are overridden is worked out once, here.

    Args:
        callbacks: a callback or a (nested) list of callbacks.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model.
        **params: given to each callback's `set_params`: `verbose`, `epochs`, `steps`.

    Every hook takes `logs` as a dict, or as a function without arguments that gives one; the function is called
    only if a callback reads the logs, which saves the computation of metrics after each batch.

    Example:

    >>> seen = []
    >>> class Count(Callback):
    ...     def on_train_batch_end(self, batch, logs=None):
    ...         seen.append((batch, logs["loss"]))
    >>> callbacks = CallbackList([Count()])
    >>> callbacks.on_train_batch_end(0, {"loss": 2})
    >>> seen
    [(0, 2.0)]
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        super().__init__()
        self.callbacks: list[Callback] = [] if callbacks is None else tree.flatten(callbacks)
        for callback in self.callbacks:
            if not all(hasattr(callback, name) for name in ("set_model", "set_params", *_BATCH_HOOKS)):
                raise invalid("callbacks", "each must be an instance of Callback", callback=callback)
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        # Those that record what the others do see it last.
        self.callbacks.sort(key=lambda c: getattr(c, "runs_last", False))
        for callback in self.callbacks:
            if hasattr(callback, "set_callbacks"):
                callback.set_callbacks(self.callbacks)
        self._batch_hooks = {hook: self._batch_hook(hook) for hook in _BATCH_HOOKS}
        self.set_model(model)
        self.set_params(params)

    def _batch_hook(self, hook: str) -> list[tuple[Callable, Callable | None]]:
        """The callbacks' own hooks, each with a function that tells whether it needs to be called now."""
        older = hook.replace("_train", "") if "_train" in hook else hook  # what Callback's own hook calls
        found = []
        for callback in self.callbacks:
            if _overrides(callback, hook) or _overrides(callback, older):
                # a bar that is not going to be redrawn needs no logs; a subclass may want them all the same
                due = None
                if type(callback) is ProgbarLogger and hook.endswith("end"):
                    due = callback.due_in_test if "test" in hook else callback.due
                found.append((getattr(callback, hook), due))
        return found

    def between_batches_only_progress(self, what: str) -> bool:
        """Whether nobody but the progress bar wants to be called for each batch of "train", "test" or "predict"."""
        hooks = (f"on_{what}_batch_begin", f"on_{what}_batch_end")
        owners = (getattr(f, "__self__", None) for h in hooks for f, _ in self._batch_hooks[h])
        return type(self) is CallbackList and all(type(owner) is ProgbarLogger for owner in owners)

    def _call_batch(self, hook: str, batch: int, logs: Any) -> None:
        values = None
        for function, due in self._batch_hooks[hook]:
            if due is not None and not due(batch):
                continue
            if values is None:
                values = python_logs(logs)
            function(batch, logs=values)

    def _call(self, hook: str, *args: Any, logs: Any) -> None:
        values = python_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(*args, values)

    def set_params(self, params: dict) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        if model is None:
            return
        super().set_model(model)
        for callback in self.callbacks:
            if isinstance(callback, History):
                model.history = callback
            callback.set_model(model)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_batch_end", batch, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_predict_batch_end", batch, logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", epoch, logs=logs)

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", logs=logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", logs=logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._call("on_test_begin", logs=logs)

    def on_test_end(self, logs: Any = None) -> None:
        self._call("on_test_end", logs=logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._call("on_predict_begin", logs=logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._call("on_predict_end", logs=logs)
