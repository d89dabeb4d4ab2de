"""Ctrl-C between steps instead of within one."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interrupts:
    """Holds Ctrl-C back until a step is finished, so that it never leaves a half-updated model.

    A second Ctrl-C is not held back.
    """

    def __enter__(self) -> Interrupts:
        self.pending = False
        self.installed = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self.installed:
            signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, signum: int, frame: Any) -> None:
        if self.pending:
            raise KeyboardInterrupt
        self.pending = True

    def check(self) -> None:
        """Raises what was held back."""
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def __exit__(self, *exc: Any) -> None:
        if self.installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if exc[0] is None:
            self.check()
