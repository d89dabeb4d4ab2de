"""Samples of hashing; the numbers are compared with TensorFlow's in tests/layers/test_preprocessing_lookup.py."""

import numpy as np

from kerasish.ops.hashing import cross_strings, farmhash64, siphash64

from ..sample import Sample, ints


def bucket(x, buckets, salt):
    one = farmhash64 if salt is None else lambda t: siphash64(t, salt)
    return np.array([one(str(v).encode()) % buckets for v in x.ravel()], "int64").reshape(x.shape)


def cross(*columns, buckets):
    rows = [cross_strings([[int(v)] for v in row], buckets) for row in zip(*[c.ravel() for c in columns])]
    return np.array(rows, "int64").reshape(columns[0].shape)


X = ints(4, 3, low=-1000, high=1000, dtype="int64")
SAMPLES = [
    Sample("hash_buckets", (X,), {"buckets": 7, "salt": None}, bucket),
    Sample("hash_buckets", (X.astype("int32"),), {"buckets": 2**40, "salt": (3, -4)}, bucket),
    Sample("hash_cross", (X, X[::-1].astype("int32")), {"buckets": 97}, cross),
    Sample("hash_cross", (X[:, 0], X[:, 1], X[:, 2]), {"buckets": 2**50}, cross),
]
