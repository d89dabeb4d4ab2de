"""ModelCheckpoint, which saves the model or its weights as it gets trained."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ..engine.errors import invalid
from ..utils.messages import print_msg
from .monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, after each epoch or every so many batches.

    Every file is written beside its place and renamed, so that an older one stays whole.

    Args:
        filepath: path of the file; may have `{epoch}`, `{batch}` and the names of logs in braces, as in
            `"{epoch:02d}-{val_loss:.2f}.keras"`. Ends in `.keras`, or with `save_weights_only` in `.weights.h5`.
        monitor: name in the logs.
        verbose: 1 to say so when a file is written.
        save_best_only: write a file only when the monitored value is better than at every file before.
        save_weights_only: write the weights alone.
        mode: `"min"`, `"max"`, or `"auto"` to take the direction from the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: the first value to compare with.

    Raises:
        ValueError: another extension or `save_freq`.

    Example:

    >>> import numpy as np
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> save = ModelCheckpoint("after-{epoch}.keras", monitor="loss")
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[save])
    >>> keras.saving.load_model("after-2.keras").output_shape
    (None, 1)
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode, baseline=initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._since = 0  # batches since the last file
        self._last_batch: int | None = None
        self._epoch = 0
        check_save_freq("ModelCheckpoint", save_freq)
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not self.filepath.endswith(ending):
            raise invalid("ModelCheckpoint", f"the file name ends in {ending}", filepath=self.filepath)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._since, self._last_batch = count_batches(self._since, self._last_batch, batch)
        if self._since >= self.save_freq:
            self._since = 0
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: dict) -> None:
        path = self._path(epoch, batch, logs)
        if not self._is_due(epoch, logs, path):
            return
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            print_msg(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _path(self, epoch: int, batch: int | None, logs: dict) -> str:
        names = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return self.filepath.format(**names)
        except KeyError as error:
            rule = f"the names in filepath are among {sorted(names)}; {error} is not"
            raise invalid("ModelCheckpoint", rule, kind=KeyError, filepath=self.filepath) from None

    def _is_due(self, epoch: int, logs: dict, path: str) -> bool:
        say = print_msg if self.verbose > 0 else lambda text: None
        if not self.save_best_only:
            say(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        if self.monitor_op is None:
            self._set_monitor_op()
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(f"Can save best model only with {self.monitor} available.", stacklevel=4)
            return True
        if getattr(value, "shape", ()) != ():
            warnings.warn(
                f"Can save best model only when `monitor` is a scalar value. Received: {value}. Falling back to "
                "`save_best_only=False`.",
                stacklevel=4,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(value, self.best):
            say(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best}")
            return False
        say(f"\nEpoch {epoch + 1}: {self.monitor} improved from {best} to {value:.5f}, saving model to {path}")
        self.best = value
        return True


def check_save_freq(where: str, save_freq: Any) -> None:
    """Raises unless `save_freq` is "epoch" or a positive integer."""
    whole = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
    if save_freq != "epoch" and not whole:
        raise invalid(where, "save_freq is 'epoch' or a positive number of batches", save_freq=save_freq)


def count_batches(since: int, last: int | None, batch: int) -> tuple[int, int]:
    """Batches since a file was written, when batch number `batch` of the epoch is done, and that number.

    Numbers may skip: with several steps per execution only the last of each is reported.
    """
    new = batch + 1 if last is None or batch <= last else batch - last
    return since + new, batch
