"""CIFAR-100: small color images of a hundred classes."""

from __future__ import annotations

import numpy as np

from ..engine.errors import invalid
from .cifar import load_batch, locate_folder

_SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine") -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """60,000 color images of 32 by 32 pixels (Krizhevsky, 2009).

    Args:
        label_mode: `"fine"` for the 100 classes, `"coarse"` for the 20 groups that they form.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, uint8: images `(50000, 32, 32, 3)` and `(10000, 32, 32, 3)` with
        values from 0 to 255 (channels in front if `config.image_data_format()` says so), labels `(50000, 1)` and
        `(10000, 1)`.

    Raises:
        OSError: the files are neither in the cache folder nor can be downloaded.
        ValueError: `label_mode` is unknown, or a file is damaged.
    """
    if label_mode not in ("fine", "coarse"):
        raise invalid("cifar100", 'label_mode must be "fine" or "coarse"', label_mode=label_mode)
    folder = locate_folder("cifar-100-python-target", "cifar-100-python", "cifar-100-python.tar.gz", _SHA256)
    train, test = (load_batch(folder / name, f"{label_mode}_labels") for name in ("train", "test"))
    return train, test
