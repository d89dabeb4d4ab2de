"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..utils.messages import print_msg
from .callback import Callback
from .monitor import MonitorCallback


def _optimizers(model: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of a name (empty for a single one) and an optimizer: the model's own, or the parts of a combined one."""
    optimizer = model.optimizer
    if hasattr(optimizer, "optimizers"):
        for part in optimizer.optimizers:
            yield part.name, part
    else:
        yield "", optimizer


def _learning_rate(optimizer: Any) -> float:
    return float(np.asarray(optimizer.learning_rate))


def _log_learning_rates(model: Any, logs: dict) -> None:
    for name, optimizer in _optimizers(model):
        logs[f"learning_rate_{name}" if name else "learning_rate"] = _learning_rate(optimizer)


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch to what a function says.

    Args:
        schedule: `schedule(epoch, learning_rate)` or `schedule(epoch)`, which returns the new rate, a float.
        verbose: 1 to print each new rate.

    The rate also appears in the logs of each epoch, as `learning_rate`.

    Raises:
        ValueError: the function returns something else, or the optimizer has no `learning_rate`.

    Example:

    >>> class Model:
    ...     class optimizer:
    ...         learning_rate = 0.1
    >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> halve.set_model(Model)
    >>> halve.on_epoch_begin(0)
    >>> Model.optimizer.learning_rate
    0.05
    """

    def __init__(self, schedule: Callable, verbose: int = 0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def _scheduled(self, epoch: int, rate: float) -> Any:
        try:
            inspect.signature(self.schedule).bind(epoch, rate)
        except TypeError:
            return self.schedule(epoch)
        except ValueError:  # a built-in function that does not tell its signature
            pass
        return self.schedule(epoch, rate)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        for name, optimizer in _optimizers(self.model):
            if not hasattr(optimizer, "learning_rate"):
                raise invalid("LearningRateScheduler", "the optimizer must have a learning_rate", optimizer=optimizer)
            rate = self._scheduled(epoch, _learning_rate(optimizer))
            if getattr(rate, "shape", None) == () and "float" in str(rate.dtype):
                rate = float(rate)
            if not isinstance(rate, float):
                raise invalid("LearningRateScheduler", "the schedule must return a float", value=rate)
            optimizer.learning_rate = rate
            if self.verbose > 0:
                of = f"{name} " if name else ""
                print_msg(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {of}learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is not None:
            _log_learning_rates(self.model, logs)


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when the monitored value has not improved for `patience` epochs.

    Args:
        monitor: name in the logs.
        factor: less than 1.
        patience: epochs without improvement after which the rate is reduced.
        verbose: 1 to print each reduction.
        mode: `"min"`, `"max"`, or `"auto"` to take the direction from the metric.
        min_delta: a smaller change is no improvement.
        cooldown: epochs after a reduction during which nothing is counted.
        min_lr: the rate does not fall below this.
        **kwargs: accepted for scripts written for older versions, with a warning; no effect.

    The rate also appears in the logs of each epoch, as `learning_rate`.

    Raises:
        ValueError: `factor` is 1 or more.

    Example:

    >>> class Model:
    ...     class optimizer:
    ...         learning_rate = 1.0
    >>> plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1)
    >>> plateau.set_model(Model)
    >>> for epoch, loss in enumerate([0.5, 0.5]):
    ...     plateau.on_epoch_end(epoch, {"loss": loss})
    >>> Model.optimizer.learning_rate
    0.5
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise invalid("ReduceLROnPlateau", "the factor must be less than 1", factor=factor)
        if kwargs:
            warnings.warn(f"ReduceLROnPlateau: {', '.join(sorted(kwargs))} has no effect.", stacklevel=2)
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction was made less than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = {} if logs is None else logs
        _log_learning_rates(self.model, logs)
        current = self._monitored(logs, "Learning rate reduction is")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            # every optimizer is reduced, so no short circuit
            if self.wait >= self.patience and any([self._reduce(epoch, *o) for o in _optimizers(self.model)]):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, epoch: int, name: str, optimizer: Any) -> bool:
        old = _learning_rate(optimizer)
        if old <= np.float32(self.min_lr):  # the optimizer holds its rate in float32
            return False
        new = max(old * self.factor, self.min_lr)
        optimizer.learning_rate = new
        if self.verbose > 0:
            of = f" {name}" if name else ""
            print_msg(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing{of} learning rate to {new}.")
        return True
