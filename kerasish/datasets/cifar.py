"""What CIFAR-10 and CIFAR-100 share: archives of batches that Python 2 pickled."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..engine import config
from ..engine.errors import invalid
from ..utils.downloads import get_file
from .pickled_data import read_pickled

_ORIGIN = "https://www.cs.toronto.edu/~kriz/"


def locate_folder(name: str, inner: str, archive: str, file_hash: str) -> Path:
    """The folder of batches: in the cache folder, in Keras's own, or downloaded and unpacked."""
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    for home in (config.home(), keras_home):
        folder = home / "datasets" / name / inner
        if folder.is_dir():
            return folder
    return Path(get_file(name, _ORIGIN + archive, extract=True, file_hash=file_hash)) / inner


def load_batch(path: Path, label_key: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 in the layout of `config.image_data_format()`, and labels, uint8 `(samples, 1)`, of one file.

    Raises:
        ValueError: the file holds something else.
    """
    content = read_pickled(path.read_bytes())
    try:
        images, labels = np.asarray(content[b"data"]), np.array(content[label_key.encode()], "uint8")
        images = images.astype("uint8").reshape(len(labels), 3, 32, 32)
    except (KeyError, TypeError, ValueError) as e:
        rule = f"the file must hold images of 3072 bytes under `data` and labels under `{label_key}`"
        raise invalid("cifar", rule, path=str(path)) from e
    if config.image_data_format() == "channels_last":
        images = images.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.reshape(-1, 1)
