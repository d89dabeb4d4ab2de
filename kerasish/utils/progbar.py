"""The progress bar of fit, evaluate, predict and downloads."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine import config
from ..engine.errors import invalid
from .messages import print_msg

BOLD, GREEN, WHITE, RESET = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class Progbar:
    """Shows how far something is: a bar that redraws itself on a terminal or in a notebook, else one line at the end.

    Args:
        target: steps in all, or None when that is not known.
        width: characters of the bar; a narrow terminal gets a shorter one.
        verbose: 0 for silence, 1 for the bar, 2 for one line at the end.
        interval: least time between two drawings, in seconds.
        stateful_metrics: names of values that are shown as given; all others are averaged over the steps so far.
        stateless_metrics: names of values that are averaged over steps; all others are shown as given.
        unit_name: what a step is called.

    The line at the end shows the values of the last update as given.

    Raises:
        ValueError: both `stateful_metrics` and `stateless_metrics` are given.

    Example:

    >>> bar = Progbar(2, verbose=2)
    >>> bar.update(1, [("loss", 0.5)])
    >>> bar.update(2, [("loss", 0.3)])  # doctest: +ELLIPSIS
    2/2 - 0s - .../step - loss: 0.3000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            rule = "only one of stateful_metrics and stateless_metrics can be given"
            raise invalid("progbar", rule, stateful_metrics=stateful_metrics, stateless_metrics=stateless_metrics)
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._stateful = None if stateful_metrics is None else set(stateful_metrics)
        self._stateless = None if stateless_metrics is None else set(stateless_metrics)
        self._is_terminal = hasattr(sys.stdout, "isatty") and sys.stdout.isatty()
        self._redraws = config.is_interactive_logging_enabled() and (
            self._is_terminal or "ipykernel" in sys.modules or "PYCHARM_HOSTED" in os.environ
        )
        self._seen = 0
        self._values: dict[str, list] = {}  # name -> [sum over steps, steps]
        self._start = time.perf_counter()
        self._after_first_step: float | None = None
        self._last_drawn = -float("inf")
        self._drawn_width = 0

    def due(self) -> bool:
        """Whether an update would draw something now."""
        return self.verbose == 1 and self._redraws and time.perf_counter() - self._last_drawn >= self.interval

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Takes note of step number `current` (from 1) and draws, if it is time to.

        Args:
            current: steps done so far.
            values: pairs of a name and its value at this step.
            finalize: whether this is the last update; by default when `current` reaches the target.
        """
        if not self.verbose:
            self._seen = current
            return
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._record(current, values or (), finalize)
        now = time.perf_counter()
        if current == 1 and self._after_first_step is None:
            self._after_first_step = now
        if finalize:
            plain = self.verbose == 2 or not self._redraws
            self._finish(self._plain_line(current, now) if plain else self._bar_line(current, now, final=True))
        elif self.verbose == 1 and self._redraws and now - self._last_drawn >= self.interval:
            self._draw(self._bar_line(current, now, final=False))
            self._last_drawn = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Takes note of `n` further steps; see `update`."""
        self.update(self._seen + n, values)

    def _record(self, current: int, values: Iterable[tuple[str, Any]], finalize: bool) -> None:
        steps = max(current - self._seen, 1)
        for name, value in values:
            averaged = name not in self._stateful if self._stateful is not None else True
            if self._stateless is not None:
                averaged = name in self._stateless
            # the last update may repeat a step that was counted already (with the means of an epoch): shown as given
            if averaged and not finalize and _is_number(value):
                total = self._values.setdefault(name, [0.0, 0])
                total[0] += float(np.mean(value)) * steps
                total[1] += steps
            else:
                self._values[name] = [value, 1]
        self._seen = current

    # -- what a line says ------------------------------------------------------------------------------------------

    def _counter(self, current: int) -> str:
        if self.target is None:
            return f"{current:7d}/Unknown"
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _seconds_per_step(self, current: int, now: float) -> float:
        """The first step is left out where there are others: it does work that the others don't."""
        if current < 1:
            return 0.0
        if self._after_first_step is not None and current > 1:
            return (now - self._after_first_step) / (current - 1)
        return (now - self._start) / current

    def _pace(self, current: int, now: float) -> str:
        seconds = self._seconds_per_step(current, now)
        if seconds >= 1 or seconds == 0:
            return f"{seconds:.0f}s/{self.unit_name}"
        if seconds >= 1e-3:
            return f"{seconds * 1e3:.0f}ms/{self.unit_name}"
        return f"{seconds * 1e6:.0f}us/{self.unit_name}"

    def _remaining(self, current: int, now: float) -> str:
        left = int(self._seconds_per_step(current, now) * (self.target - current))
        if left > 3600:
            return f"{left // 3600}:{left % 3600 // 60:02d}:{left % 60:02d}"
        return f"{left // 60}:{left % 60:02d}" if left > 60 else f"{left}s"

    def _metrics(self) -> str:
        return "".join(f" - {name}: {_format(total, steps)}" for name, (total, steps) in self._values.items())

    def _plain_line(self, current: int, now: float) -> str:
        return f"{self._counter(current)} - {now - self._start:.0f}s - {self._pace(current, now)}{self._metrics()}"

    def _bar_line(self, current: int, now: float, final: bool) -> tuple[str, int]:
        """The line with its colours, and how many columns it takes."""
        counter = self._counter(current)
        known = bool(self.target)
        clock = self._remaining(current, now) if known and not final else f"{now - self._start:.0f}s"
        info = f" {self._pace(current, now)}{self._metrics()}"
        width = self.width if known else 0
        fixed = len(counter) + 1 + len(clock)
        # a line wider than the terminal would wrap, and then no carriage return leads back to its start
        room = _columns() - 1 if self._is_terminal and not final else None
        if room is not None:
            width = max(0, min(width, room - fixed - len(info) - 1))
            if fixed + (width + 1 if width else 0) + len(info) > room:
                info = info[: max(0, room - fixed - (width + 1 if width else 0) - 1)] + "…"
        filled = int(width * current / self.target) if known else 0
        bar = f"{BOLD}{counter}{RESET}"
        if width:
            parts = ((GREEN, filled), (WHITE, width - filled))
            bar += " " + "".join(f"{color}{'━' * n}{RESET}" for color, n in parts if n > 0)
        columns = fixed + (width + 1 if width else 0) + len(info)
        return f"{bar} {BOLD}{clock}{RESET}{info}", columns

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _draw(self, line: tuple[str, int], end: str = "") -> None:
        text, columns = line
        print_msg(f"\r{text}{' ' * max(0, self._drawn_width - columns)}{end}", line_break=False)
        self._drawn_width = columns

    def _finish(self, line: str | tuple[str, int]) -> None:
        if isinstance(line, str):
            print_msg(line)
        else:
            self._draw(line, end="\n")
            self._drawn_width = 0


def _columns() -> int:
    """Columns of the terminal."""
    import shutil  # here, because it takes long to import and only terminals need it

    return shutil.get_terminal_size().columns


def _is_number(value: Any) -> bool:
    try:
        float(np.mean(value))
    except (TypeError, ValueError):
        return False
    return True


def _format(total: Any, steps: int) -> str:
    if not _is_number(total):
        return str(total)
    value = float(np.mean(total)) / max(1, steps)
    return f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}"
