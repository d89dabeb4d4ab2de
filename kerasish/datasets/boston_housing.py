"""Boston housing: house prices of the 1970s."""

from __future__ import annotations

import os

import numpy as np

from .files import ORIGIN, check_test_split, locate, read_npz, shuffled_split

_SHA256 = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str | os.PathLike = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """506 places around Boston with 13 attributes, and the median price of houses there (in 1,000 dollars).

    One attribute, "B", was built on the assumption that racial segregation influences prices. Use the dataset only
    to discuss that; `california_housing` serves everything else.

    Args:
        path: name in the cache folder (it is downloaded when it is not there), or a path of an `.npz` file.
        test_split: fraction of the samples to test on.
        seed: gives the order of the samples.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: attributes `(samples, 13)` and prices `(samples,)`, float64.

    Raises:
        OSError: the file is neither there nor can be downloaded.
        ValueError: it is damaged, or `test_split` is out of range.
    """
    check_test_split("boston_housing", test_split)
    x, y = read_npz(locate(path, f"{ORIGIN}boston_housing.npz", _SHA256), "x", "y")
    return shuffled_split("boston_housing", x, y, test_split, seed)
