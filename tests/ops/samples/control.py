"""Samples for the ops behind branches, rearrange and saturate_cast."""

import numpy as np

from ..sample import Sample, ints, rand


def rearrange(x, factors, perm, groups):
    shape = []
    for n, parts in zip(x.shape, factors):
        known = int(np.prod([p for p in parts if p is not None]))
        shape += [n // known if p is None else p for p in parts]
    y = x.reshape(shape).transpose(perm)
    ends = np.cumsum(groups)
    return y.reshape([int(np.prod(y.shape[e - g : e])) for e, g in zip(ends, groups)])


def saturate(x, dtype):
    info = np.iinfo(dtype)
    return np.clip(x, info.min, info.max).astype(dtype)


ONE, FOUR = (None,), (2, None, 2)

SAMPLES = [
    Sample("rearrange", (rand(2, 8, 12),),
           {"factors": (ONE, FOUR, FOUR), "perm": (0, 1, 4, 2, 5, 3, 6), "groups": (1, 2, 4)}, rearrange),
    Sample("rearrange", (rand(3, 4),), {"factors": (ONE, (2, 2)), "perm": (2, 0, 1), "groups": (2, 1)}, rearrange),
    Sample("rearrange", (rand(0, 4),), {"factors": (ONE, (2, 2)), "perm": (2, 0, 1), "groups": (3,)}, rearrange),
    Sample("select_branch", (np.array(1), rand(2, 3), rand(2, 3, seed=1), rand(2, 3, seed=2)), {}, lambda i, *b: b[i]),
    Sample("select_branch", (np.array(True), rand(2, 3), rand(2, 3, seed=1)), {}, lambda i, *b: b[int(i)]),
    Sample("select_branch", (np.array(7), rand(2, 3), rand(2, 3, seed=1)), {}, lambda i, *b: b[1]),
    Sample("saturate_cast", (rand(4, 5, low=-300, high=300),), {"dtype": "int8"}, saturate, grad=()),
    Sample("saturate_cast", (ints(9, low=-500, high=500),), {"dtype": "uint8"}, saturate),
    Sample("saturate_cast", (rand(3, 4),), {"dtype": "float64"}, lambda x, dtype: x.astype(dtype)),
    Sample("saturate_mask", (rand(3, 4), rand(3, 4, seed=1)), {}, lambda x, g: g, grad=(1,)),
]  # fmt: skip
