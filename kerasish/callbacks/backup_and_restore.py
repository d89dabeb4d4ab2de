"""BackupAndRestore, which lets a run that was killed go on as if nothing had happened."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from typing import Any

from ..engine.errors import invalid
from ..saving import BadFileError
from ..saving.checkpoint import read_checkpoint, write_checkpoint
from ..utils.rng import random_state, set_random_state
from .callback import Callback
from .model_checkpoint import check_save_freq, count_batches
from .progbar_logger import ProgbarLogger

_NAME = re.compile(r"checkpoint-(\d{8})\.h5")
_UNFINISHED = re.compile(r"\.checkpoint-\d{8}\.h5\..*\.tmp")
# Of every callback: who it belongs to, not where it stands.
_NOT_STATE = frozenset(("params", "_model"))


class BackupAndRestore(Callback):
    """Writes checkpoints while `fit` runs, and lets the next `fit` of the same program go on from the last one.

    A checkpoint is one file with the weights, the state of the optimizer, of the metrics, of random layers and of the
    other callbacks, the random streams (of `keras.random`, NumPy and Python), the epoch, the step, and the position in
    the shuffled data. A run that is killed at any moment and started again ends with the same bits as one that was
    not, if it reads the same data in the same way. The state of a generator or of a dataset of the user's own is not in
    it: the batches that were used are drawn again and left out.

    Args:
        backup_dir: folder for the checkpoints of this run alone.
        save_freq: `"epoch"`, a number of batches, or False to write none.
        double_checkpoint: keep the last two checkpoints; the older one serves if the newest is damaged.
        delete_checkpoint: whether the checkpoints are deleted when training has ended.
        keep: how many checkpoints are kept; by default one, or two with `double_checkpoint`.

    Raises:
        ValueError: an empty `backup_dir`, another `save_freq` or `keep`; when training begins: checkpoints of another
            model.

    Example:

    >>> import numpy as np
    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> backup = BackupAndRestore("backup", delete_checkpoint=False)
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[backup])
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=5, verbose=0, callbacks=[backup])
    >>> history.epoch
    [0, 1, 2, 3, 4]
    """

    runs_last = True  # so that a checkpoint holds what the others have made of the step

    def __init__(
        self,
        backup_dir: Any,
        save_freq: Any = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        keep: int | None = None,
    ):
        super().__init__()
        if not backup_dir:
            raise invalid("BackupAndRestore", "backup_dir names a folder", backup_dir=backup_dir)
        if save_freq is not False:
            check_save_freq("BackupAndRestore", save_freq)
        if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or keep < 1):
            raise invalid("BackupAndRestore", "keep is a positive integer", keep=keep)
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.keep = keep or (2 if double_checkpoint else 1)
        self._callbacks: list[Callback] = []
        self._epoch = 0
        self._since = 0
        self._last_batch: int | None = None
        self._number = 0
        self._pending: dict | None = None

    def set_callbacks(self, callbacks: list[Callback]) -> None:
        """Called before the run with all callbacks; the state of the others goes into the checkpoints."""
        self._callbacks = [c for c in callbacks if c is not self and not isinstance(c, ProgbarLogger)]

    def _numbered(self) -> list[tuple[str, int, Callback]]:
        """Class name, number among those of the class, callback."""
        counts: Counter[str] = Counter()
        out = []
        for callback in self._callbacks:
            name = type(callback).__name__
            out.append((name, counts[name], callback))
            counts[name] += 1
        return out

    # -- reading ----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._pending, self._since, self._last_batch = None, 0, None
        state = self._read_newest()
        if state is None:
            return
        self.model._initial_epoch = state["epoch"]
        if state["stop"]:  # the run had ended already
            self.model._initial_epoch = max(state["epoch"], (self.params or {}).get("epochs") or 0)
        self._restore(state)
        self.model._epoch_iterator.resume(state["position"])
        # What happens at the beginning of an epoch (metrics are reset, learning rates set) has happened already.
        self._pending = state if state["position"]["step"] else None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        if self._pending is not None:
            self._restore(self._pending)
            self._pending = None

    def _paths(self) -> list[str]:
        """Checkpoints, the newest first."""
        names = os.listdir(self.backup_dir) if os.path.isdir(self.backup_dir) else []
        return [os.path.join(self.backup_dir, n) for n in sorted(filter(_NAME.fullmatch, names), reverse=True)]

    def _read_newest(self) -> dict | None:
        if os.path.isdir(self.backup_dir):
            for name in filter(_UNFINISHED.fullmatch, os.listdir(self.backup_dir)):  # of a run that was killed
                os.unlink(os.path.join(self.backup_dir, name))
        paths = self._paths()
        if paths:
            self._number = int(_NAME.fullmatch(os.path.basename(paths[0]))[1])
        for k, path in enumerate(paths):
            try:
                return read_checkpoint(path, self._variables())
            except BadFileError as error:
                if k == len(paths) - 1:
                    raise
                warnings.warn(f"BackupAndRestore: {error} The one before it is tried.", stacklevel=2)
        return None

    def _variables(self) -> list:
        model = self.model
        optimizer = model.optimizer.variables if model.optimizer is not None else []
        return [*model.variables, *optimizer, *model.metrics_variables]

    def _restore(self, state: dict) -> None:
        for variable, value in zip(self._variables(), state["variables"]):
            variable.assign(value)
        # By class, and the number among those of the class: a callback that has come or gone is no matter.
        stored = {(c["class"], c["number"]): c["state"] for c in state["callbacks"]}
        for name, number, callback in self._numbered():
            callback.__dict__.update(stored.get((name, number), {}))
        self._epoch = state["epoch"]
        self._since, self._last_batch = state["since"]
        set_random_state(state["random"])

    # -- writing ----------------------------------------------------------------------------------------------------

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.save_freq in ("epoch", False):
            return
        self._since, self._last_batch = count_batches(self._since, self._last_batch, batch)
        if self._since >= self.save_freq:
            self._since = 0
            self._write(self._epoch, {**self.model._epoch_iterator.position(), "logs": dict(logs or {})})

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._last_batch = None
        if self.save_freq == "epoch":
            self._write(epoch + 1, self.model._epoch_iterator.position())

    def _write(self, epoch: int, position: dict) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        self._number += 1
        state = {
            "epoch": epoch,
            "position": position,
            "stop": bool(self.model.stop_training),
            "since": [self._since, self._last_batch],
            "random": random_state(),
            "callbacks": [{"class": c, "number": k, "state": _state_of(x)} for c, k, x in self._numbered()],
        }
        path = os.path.join(self.backup_dir, f"checkpoint-{self._number:08}.h5")
        write_checkpoint(path, self._variables(), state)
        for older in self._paths()[self.keep :]:
            os.unlink(older)

    def on_train_end(self, logs: dict | None = None) -> None:
        self.model._initial_epoch = None
        if self.delete_checkpoint:
            for path in self._paths():
                os.unlink(path)
            if os.path.isdir(self.backup_dir) and not os.listdir(self.backup_dir):
                os.rmdir(self.backup_dir)


def _state_of(callback: Callback) -> dict[str, Any]:
    return {k: v for k, v in callback.__dict__.items() if k not in _NOT_STATE}
