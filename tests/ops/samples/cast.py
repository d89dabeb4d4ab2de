"""Samples for kerasish/ops/cast.py."""

import numpy as np

from ..sample import Sample, ints, rand

SAMPLES = [
    Sample("cast", (rand(3, 5, low=-9, high=9),), {"dtype": "int32"}, lambda x, dtype: x.astype(dtype), grad=()),
    Sample("cast", (rand(4, 17),), {"dtype": "float64"}, lambda x, dtype: x.astype(dtype)),
    Sample("cast", (ints(7, high=100),), {"dtype": "float32"}, lambda x, dtype: x.astype(dtype)),
    Sample("cast", (np.array([True, False]),), {"dtype": "float32"}, lambda x, dtype: x.astype(dtype)),
    Sample("cast", (rand(0, 3),), {"dtype": "float64"}, lambda x, dtype: x.astype(dtype)),
    Sample("stop_gradient", (rand(2, 3),), {}, lambda x: x),
]
