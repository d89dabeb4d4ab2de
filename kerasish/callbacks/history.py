"""History, the record of a training run that fit returns."""

from __future__ import annotations

from .callback import Callback


class History(Callback):
    """Records the logs of each epoch; fit adds one by itself and returns it.

    Attributes:
        epoch: list of the epochs that were run.
        history: dict from a name such as `loss` or `val_loss` to its values, one per epoch.

    Example:

    >>> record = History()
    >>> record.on_train_begin()
    >>> record.on_epoch_end(0, {"loss": 0.5})
    >>> record.history
    {'loss': [0.5]}
    """

    def __init__(self):
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list] = {}

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
