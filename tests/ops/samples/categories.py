"""Samples of counts of categories."""

import numpy as np

from ..sample import Sample, ints


def counted(x, depth, dtype):
    return (x[..., None] == np.arange(depth)).sum(min(x.ndim - 1, 1)).astype(dtype)


SAMPLES = [
    Sample("count_categories", (ints(*shape, low=-1, high=6, dtype=dtype),), {"depth": 5, "dtype": out}, counted)
    for shape, dtype, out in (
        ((4, 7), "int32", "float32"), ((6,), "int64", "int64"), ((2, 5, 3), "int16", "int64"),
        ((3, 0), "int32", "int8"),
    )
]  # fmt: skip
