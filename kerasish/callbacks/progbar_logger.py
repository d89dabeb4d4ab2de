"""ProgbarLogger, which shows the progress of fit, evaluate and predict."""

from __future__ import annotations

from ..utils.messages import print_msg
from ..utils.progbar import Progbar
from .callback import Callback


class ProgbarLogger(Callback):
    """Shows loss and metrics while they change; fit, evaluate and predict add one by themselves unless `verbose=0`.

    Example:

    >>> logger = ProgbarLogger()
    >>> logger.set_params({"verbose": 2, "epochs": 3, "steps": 1})
    >>> logger.on_epoch_begin(0)
    Epoch 1/3
    >>> logger.on_train_batch_end(0)
    >>> logger.on_epoch_end(0, {"loss": 0.5})  # doctest: +ELLIPSIS
    1/1 - 0s - .../step - loss: 0.5000
    """

    def __init__(self):
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._called_in_fit = False

    def set_params(self, params: dict) -> None:
        super().set_params(params)
        self.verbose = 1 if params["verbose"] == "auto" else params["verbose"]
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def due(self, batch: int) -> bool:
        """Takes note of a batch, and says whether the bar would be redrawn for it."""
        self.seen = batch + 1
        return bool(self.verbose) and (self.seen == 1 or self._bar().due())

    def due_in_test(self, batch: int) -> bool:
        """Likewise for a batch of an evaluation, which is silent inside fit."""
        return not self._called_in_fit and self.due(batch)

    def _bar(self) -> Progbar:
        if self.progbar is None:
            self.progbar = Progbar(target=self.target, verbose=self.verbose, unit_name="step", stateless_metrics=())
        return self.progbar

    def _start(self) -> None:
        self.seen = 0
        self.progbar = None
        self._bar()

    def _show(self, batch: int, logs: dict | None) -> None:
        self.seen = batch + 1
        if self.verbose:
            self._bar().update(self.seen, list((logs or {}).items()), finalize=False)

    def _finish(self, logs: dict | None) -> None:
        if self.target is None:
            self.target = self.seen
        bar = self._bar()
        bar.target = self.target
        bar.update(self.target, list((logs or {}).items()), finalize=True)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._called_in_fit = True  # a validation inside fit is silent

    def on_test_begin(self, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._start()

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._start()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._start()
        if self.verbose and self.epochs > 1:
            print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._show(batch, logs)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._show(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._show(batch, None)  # the logs hold predictions

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._finish(logs)

    def on_test_end(self, logs: dict | None = None) -> None:
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._finish(None)
