"""Samples of checks of data."""

import numpy as np

from ..sample import Sample, ints

SAMPLES = [
    Sample(
        "check_labels", (ints(3, 4, high=5, dtype=dtype),), {"classes": 5, "where": "test"},
        reference=lambda x, classes, where: np.True_,
    )
    for dtype in ("int32", "uint8", "int64", "float32")
]  # fmt: skip
