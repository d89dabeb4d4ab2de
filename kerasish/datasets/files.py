"""Finds the files of datasets: a path, the cache folder, Keras's own cache folder, or a download."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from ..engine import config
from ..engine.errors import invalid
from ..utils.downloads import get_file, validate_file
from .pickled_data import read_npy

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def locate(path: str | os.PathLike, origin: str, file_hash: str | None = None, subdir: str = "datasets") -> Path:
    """The path of a dataset's file.

    A `path` with a folder in it is that file, whatever its hash. A mere name is looked for in the cache folder
    (`KERASISH_HOME` or `~/.kerasish`), then in Keras's (`KERAS_HOME` or `~/.keras`), with the right hash, and is
    downloaded into the first otherwise.

    Raises:
        FileNotFoundError: a `path` with a folder does not exist.
        OSError: the download failed.
        ValueError: the download has the wrong hash.
    """
    given = Path(path).expanduser()
    if given.name != str(given):
        if not given.is_file():
            raise invalid("datasets", "the file does not exist", kind=FileNotFoundError, path=os.fspath(path))
        return given
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    for home in (config.home(), keras_home):
        file = home / subdir / given.name
        if file.is_file() and (file_hash is None or validate_file(file, file_hash)):
            return file
    return Path(get_file(given.name, origin, file_hash=file_hash, cache_subdir=subdir))


def read_npz(path: Path, *names: str) -> list[np.ndarray]:
    """The arrays of these names from an `.npz` file; arrays of lists are read as data, never unpickled.

    Raises:
        ValueError: the file is no such archive, or lacks an array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            present = [name.removesuffix(".npy") for name in archive.namelist()]
            missing = [name for name in names if name not in present]
            if missing:
                raise invalid("datasets", f"the file must hold the arrays {', '.join(names)}", holds=present)
            return [read_npy(archive.read(f"{name}.npy")) for name in names]
    except zipfile.BadZipFile as e:
        raise invalid("datasets", "the file must be an .npz archive", path=str(path)) from e


def shuffled_split(
    where: str, x: np.ndarray, y: np.ndarray, test_split: float, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """`(x_train, y_train), (x_test, y_test)`: samples in an order given by `seed`, the last ones for testing."""
    check_test_split(where, test_split)
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    at = int(len(x) * (1 - test_split))
    train, test = order[:at], order[at:]
    return (x[train], y[train]), (x[test], y[test])


def check_test_split(where: str, test_split: float) -> None:
    """Raises unless the fraction is at least 0 and less than 1."""
    if not 0 <= test_split < 1:
        raise invalid(where, "test_split must be at least 0 and less than 1", test_split=test_split)
