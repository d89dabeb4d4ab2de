"""CIFAR-10: small color images of ten classes."""

from __future__ import annotations

import numpy as np

from .cifar import load_batch, locate_folder

_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """60,000 color images of 32 by 32 pixels (Krizhevsky, 2009).

    The classes are airplane, automobile, bird, cat, deer, dog, frog, horse, ship and truck.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, uint8: images `(50000, 32, 32, 3)` and `(10000, 32, 32, 3)` with
        values from 0 to 255 (channels in front if `config.image_data_format()` says so), labels `(50000, 1)` and
        `(10000, 1)`.

    Raises:
        OSError: the files are neither in the cache folder nor can be downloaded.
        ValueError: a file is damaged.
    """
    folder = locate_folder("cifar-10-batches-py-target", "cifar-10-batches-py", "cifar-10-python.tar.gz", _SHA256)
    batches = [load_batch(folder / f"data_batch_{i}") for i in range(1, 6)]
    x_train, y_train = (np.concatenate(parts) for parts in zip(*batches))
    return (x_train, y_train), load_batch(folder / "test_batch")
