"""A file that the HDF5 library may write to when the disk is full.

The library leaves its own state broken when a write fails, and crashes the process when it closes the file or when the
process ends. Here the first error is kept, what comes after it goes nowhere, and the library never knows; the writer
raises the error once the library is done.
"""

from __future__ import annotations

import io
import os
from typing import Any


class Sink(io.RawIOBase):
    """A file opened for writing and reading back, whose operations seem to succeed.

    Args:
        path: of the file; it is emptied.

    Attributes:
        error: the first OSError, or None.
    """

    def __init__(self, path: str):
        super().__init__()
        self.error: OSError | None = None
        self._file = io.FileIO(path, "w+")
        self._at = self._end = 0

    def write(self, data: Any) -> int:
        data = memoryview(data).cast("B")
        done = 0
        while done < len(data) and self.error is None:
            try:
                done += os.pwrite(self._file.fileno(), data[done:], self._at + done)
            except OSError as error:
                self.error = error
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def readinto(self, buffer: Any) -> int:
        """What was written; zeros in place of what could not be."""
        data = os.pread(self._file.fileno(), len(buffer), self._at)
        buffer[:] = data + b"\0" * (len(buffer) - len(data))
        self._at += len(buffer)
        return len(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def truncate(self, size: int | None = None) -> int:
        size = self._at if size is None else size
        if self.error is None:
            try:
                os.ftruncate(self._file.fileno(), size)
            except OSError as error:
                self.error = error
        self._end = size
        return size

    def close(self) -> None:
        self._file.close()
        super().close()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def check(self) -> None:
        """Raises the error that a write met with.

        Raises:
            OSError: the disk is full, or cannot be written to.
        """
        if self.error is not None:
            raise self.error
