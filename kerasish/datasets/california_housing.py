"""California housing: house prices of 1990."""

from __future__ import annotations

import os

import numpy as np

from ..engine.errors import invalid
from .files import ORIGIN, check_test_split, locate, read_npz, shuffled_split

_SHA256 = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_SMALL = 600


def load_data(
    version: str = "large",
    path: str | os.PathLike = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """20,640 districts of California with 8 attributes, and the median value of houses there (in dollars).

    The attributes are median income, age of houses, rooms and bedrooms per household, population, people per
    household, latitude and longitude (Pace and Barry, 1997).

    Args:
        version: `"large"`, or `"small"` for the first 600 districts.
        path: name in the cache folder (it is downloaded when it is not there), or a path of an `.npz` file.
        test_split: fraction of the samples to test on.
        seed: gives the order of the samples.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: attributes `(samples, 8)` and values `(samples,)`.

    Raises:
        OSError: the file is neither there nor can be downloaded.
        ValueError: it is damaged, or `version` or `test_split` is out of range.
    """
    check_test_split("california_housing", test_split)
    if version not in ("large", "small"):
        raise invalid("california_housing", 'version must be "large" or "small"', version=version)
    x, y = read_npz(locate(path, f"{ORIGIN}california_housing.npz", _SHA256), "x", "y")
    if version == "small":
        x, y = x[:_SMALL], y[:_SMALL]
    return shuffled_split("california_housing", x, y, test_split, seed)
