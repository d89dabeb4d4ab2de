"""The base class of callbacks."""

from __future__ import annotations

from typing import Any


class Callback:
    """Base class: override the hooks that are of interest; fit, evaluate and predict call them.

    Attributes:
        params: dict with `verbose`, `epochs` and `steps` (None while unknown).
        model: the model that is being trained, evaluated or used.

    The dict `logs` holds the loss and the metrics by name, as Python floats; in `on_epoch_end` also those of the
    validation, with the prefix `val_`. Setting `self.model.stop_training = True` ends training after the epoch.

    Example:

    >>> class Announce(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']:.1f}")
    >>> Announce().on_epoch_end(0, {"loss": 0.25})
    epoch 0: 0.2
    """

    def __init__(self):
        self.params: dict | None = None
        self._model: Any = None

    def set_params(self, params: dict) -> None:
        """Called once before the run, with `verbose`, `epochs` and `steps`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called once before the run."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model that is being trained, evaluated or used."""
        return self._model

    def on_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called by `on_train_batch_begin`; the older name."""

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called by `on_train_batch_end`; the older name."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Called before each epoch of training; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Called after each epoch of training, when the validation has run."""

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before each batch of training; `batch` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after each batch of training."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before each batch of an evaluation, also of a validation in fit."""

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after each batch of an evaluation, also of a validation in fit."""

    def on_predict_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Called before each batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Called after each batch of a prediction; `logs["outputs"]` holds what the model gave."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Called before training."""

    def on_train_end(self, logs: dict | None = None) -> None:
        """Called after training; `logs` are those of the last epoch."""

    def on_test_begin(self, logs: dict | None = None) -> None:
        """Called before an evaluation, also before a validation in fit."""

    def on_test_end(self, logs: dict | None = None) -> None:
        """Called after an evaluation, also after a validation in fit."""

    def on_predict_begin(self, logs: dict | None = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: dict | None = None) -> None:
        """Called after a prediction."""
