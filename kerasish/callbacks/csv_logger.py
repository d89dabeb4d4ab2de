"""CSVLogger, which writes the results of each epoch into a CSV file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from .callback import Callback


class CSVLogger(Callback):
    """Writes one line per epoch: the number of the epoch, then loss and metrics in the order of their names.

    Args:
        filename: the file; its folder must exist.
        separator: what stands between two values.
        append: whether to continue a file that exists (its header is kept) instead of writing it anew.

    A value that an epoch lacks, such as those of the validation with `validation_freq=2`, is written as `NA`; a
    one-dimensional value as `"[a, b]"`.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "log.csv")
    >>> log = CSVLogger(path)
    >>> log.on_train_begin()
    >>> log.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.6})
    >>> log.on_train_end()
    >>> print(path.read_text())
    epoch,loss,val_loss
    0,0.5,0.6
    <BLANKLINE>
    """

    def __init__(self, filename: str | os.PathLike, separator: str = ",", append: bool = False):
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.writer: Any = None
        self.keys: list[str] | None = None
        self.append_header = True
        self.csv_file: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._close()
        continues = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self.append_header = not continues
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            # the first epoch may come without a validation, later ones with it
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.writer is None:
            import csv  # here, because few programs need it

            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self.keys}})
        self.csv_file.flush()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None:
            self.csv_file.close()
        self.csv_file = self.writer = None


def _cell(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
