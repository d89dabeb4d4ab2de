"""What callbacks that watch one metric share: its value, its direction, and what counts as better."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from ..engine.errors import invalid
from .callback import Callback


class MonitorCallback(Callback):
    """Base class of callbacks that compare a monitored value with the best one so far.

    Args:
        monitor: name in the logs, such as `val_loss`.
        mode: `"min"`, `"max"`, or `"auto"` to take the direction from the metric of that name.
        baseline: the first value to compare with; None for the first one that comes.
        min_delta: a smaller change does not count.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ):
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{type(self).__name__}: mode {mode!r} is unknown, using 'auto'.", stacklevel=3)
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[float, float], bool] | None = None

    def _set_monitor_op(self) -> None:
        """Settles the direction; not earlier than in training, when the model's metrics exist."""
        direction = {"min": "down", "max": "up"}.get(self.mode) or self._direction_of_metric()
        if direction is None:
            rule = (
                "the direction of the monitored metric is not known; pass mode='max' if more is better, "
                "mode='min' if less is better"
            )
            raise invalid(type(self).__name__, rule, monitor=self.monitor)
        self.monitor_op = operator.gt if direction == "up" else operator.lt
        if self.monitor_op is operator.lt:
            self.min_delta *= -1

    def _direction_of_metric(self) -> str | None:
        name = self.monitor.removeprefix("val_")
        metrics = list(_flat_metrics(getattr(self.model, "metrics", None) or ()))
        # a metric of one output among several is logged under `<output>_<metric>`
        for matches in (lambda m: m.name == name, lambda m: name.endswith(f"_{m.name}")):
            for metric in filter(matches, metrics):
                direction = getattr(metric, "_direction", None)
                if direction is not None:
                    return "up" if direction == "up" else "down"
        return "down" if name == "loss" or name.endswith("_loss") else None

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        return reference is None or bool(self.monitor_op(value - self.min_delta, reference))

    def _monitored(self, logs: dict | None, subject: str) -> float | None:
        """The monitored value; without it, a warning that names what there is."""
        logs = logs or {}
        if self.monitor_op is None:
            self._set_monitor_op()
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"{subject} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=3,
            )
        return value


def _flat_metrics(metrics: Any) -> Iterator[Any]:
    for metric in metrics:
        yield metric
        yield from _flat_metrics(getattr(metric, "metrics", None) or ())
