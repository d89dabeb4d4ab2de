"""Files that are there whole or not at all: a temporary file beside the target, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..engine.errors import invalid


def sync_folder(folder: str) -> None:
    """Makes a rename in a folder durable, where the file system knows how."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder that may be written to, but not read
        return
    try:
        os.fsync(handle)
    except OSError:  # file systems that cannot sync a folder
        pass
    finally:
        os.close(handle)


def sync_file(path: str) -> None:
    """Waits until a file's content is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def atomic_path(target: Any, where: str) -> Iterator[str]:
    """The path of a new file in the target's folder, which replaces the target when the block ends without error.

    Args:
        target: path of the file to write.
        where: the caller's name, for errors.

    Raises:
        OSError: the folder does not exist or cannot be written to, or the disk is full; an older file stays whole.
    """
    target = os.path.realpath(os.fspath(target))  # a link is followed, not replaced
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise invalid(
            where, "the path of a file is expected, not that of a folder", kind=IsADirectoryError, path=target
        )
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)
    except OSError as error:
        error.strerror = f"{where}: {error.strerror}; the file {target!r} cannot be written, an older one is unchanged"
        raise
    os.close(handle)
    try:
        yield temporary
        sync_file(temporary)
        os.chmod(temporary, _mode(target))
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    sync_folder(folder)


def _mode(target: str) -> int:
    """The older file's permissions, else what the umask leaves of 0o666 (mkstemp gives 0o600)."""
    try:
        return os.stat(target).st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def write_bytes(target: Any, data: bytes, where: str) -> None:
    """Writes a small file atomically."""
    with atomic_path(target, where) as path, open(path, "wb") as f:
        f.write(data)
