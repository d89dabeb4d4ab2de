"""MNIST: handwritten digits."""

from __future__ import annotations

import os

import numpy as np

from .files import ORIGIN, locate, read_npz

_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(
    path: str | os.PathLike = "mnist.npz",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """70,000 grayscale images of the digits 0 to 9, 28 by 28 pixels (LeCun, Cortes and Burges).

    Args:
        path: name in the cache folder (it is downloaded when it is not there), or a path of an `.npz` file.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, uint8: images `(60000, 28, 28)` and `(10000, 28, 28)` with values
        from 0 to 255, labels `(60000,)` and `(10000,)`.

    Raises:
        OSError: the file is neither there nor can be downloaded.
        ValueError: it is damaged.
    """
    file = locate(path, f"{ORIGIN}mnist.npz", _SHA256)
    x_train, y_train, x_test, y_test = read_npz(file, "x_train", "y_train", "x_test", "y_test")
    return (x_train, y_train), (x_test, y_test)
