"""Samples for kerasish/ops/creation.py."""

import numpy as np

from ..sample import Sample, rand

SAMPLES = [
    Sample("copy", (rand(2, 3),), {}, np.copy),
    Sample(
        "full_like",
        (rand(2, 3),),
        {"value": 7, "dtype": "int32"},
        lambda x, value, dtype: np.full(x.shape, value, dtype),
    ),
]
