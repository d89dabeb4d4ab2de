"""Fashion-MNIST: pictures of clothes."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np

from ..engine.errors import invalid
from .files import ORIGIN, locate


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """70,000 grayscale images of clothes, 28 by 28 pixels, a replacement for MNIST (Xiao, Rasul and Vollgraf, 2017).

    The classes are T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag and ankle boot.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, uint8: images `(60000, 28, 28)` and `(10000, 28, 28)` with values
        from 0 to 255, labels `(60000,)` and `(10000,)`.

    Raises:
        OSError: the files are neither in the cache folder nor can be downloaded.
        ValueError: a file is damaged.
    """
    y_train, x_train, y_test, x_test = (
        read_idx(locate(name, ORIGIN + name, subdir=os.path.join("datasets", "fashion-mnist")))
        for name in (
            "train-labels-idx1-ubyte.gz",
            "train-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
        )
    )
    return (x_train, y_train), (x_test, y_test)


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array of a compressed IDX file: two zeros, the code 8, the rank, the sizes (big-endian), the values."""
    with gzip.open(path, "rb") as file:
        data = file.read()
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise invalid("fashion_mnist", "the file must be an IDX file of bytes", path=str(path))
    rank = data[3]
    start = 4 + 4 * rank
    shape = struct.unpack(f">{rank}I", data[4:start]) if len(data) >= start else ()
    if len(data) < start or len(data) - start != np.prod(shape, dtype="int64"):
        raise invalid("fashion_mnist", "the file has another length than its header says", path=str(path), shape=shape)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
