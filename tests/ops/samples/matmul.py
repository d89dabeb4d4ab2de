"""Samples for kerasish/ops/matmul.py."""

import numpy as np

from ..sample import Sample, ints, rand


def np_matmul(x1, x2, bias=0, transpose_a=False, transpose_b=False):
    """Integers of 8 bits are multiplied in 32."""
    if x1.dtype == np.int8:
        x1, x2 = x1.astype("int32"), x2.astype("int32")
    return (
        np.matmul(np.swapaxes(x1, -1, -2) if transpose_a else x1, np.swapaxes(x2, -1, -2) if transpose_b else x2) + bias
    )


def np_contract(x1, x2, left, right, out):
    return np.einsum(f"{left},{right}->{out}", x1, x2)


def transposes(a, b):
    """The same product with each operand stored transposed or not."""
    for ta in (False, True):
        for tb in (False, True):
            stored = tuple(np.ascontiguousarray(x.swapaxes(-1, -2)) if t else x for x, t in ((a, ta), (b, tb)))
            yield stored, {"transpose_a": ta, "transpose_b": tb}


SAMPLES = [
    *(Sample("matmul", xs, attrs, np_matmul) for xs, attrs in transposes(rand(5, 7), rand(7, 3, seed=1))),
    *(Sample("matmul", xs, attrs, np_matmul) for xs, attrs in transposes(rand(2, 3, 4), rand(4, 5, seed=1))),
    *(Sample("matmul", xs, attrs, np_matmul) for xs, attrs in transposes(rand(3, 1, 2, 4), rand(2, 4, 3, seed=1))),
    *(Sample("matmul", xs, attrs, np_matmul) for xs, attrs in transposes(rand(1, 6), rand(6, 1, seed=1))),
    Sample("matmul", (rand(29, 65), rand(65, 33, seed=1)), {}, np_matmul, second=False, note="large"),
    Sample("matmul", (rand(300, 200), rand(200, 150, seed=1)), {}, np_matmul, grad=(), note="several tasks"),
    Sample("matmul", (rand(3, 0), rand(0, 2)), {}, np_matmul),
    Sample("matmul", (rand(0, 3), rand(3, 2)), {}, np_matmul),
    Sample("matmul", (rand(0, 2, 3), rand(3, 2)), {}, np_matmul),
    Sample("matmul", (rand(2, 3), rand(3, 0)), {}, np_matmul),
    Sample("matmul", (ints(3, 4, high=9), ints(4, 2, high=9)), {}, np_matmul),
    Sample("matmul", (ints(3, 4, high=99, dtype="int8"), ints(4, 2, high=99, dtype="int8")), {}, np_matmul),
    Sample("matmul_bias", (rand(5, 7), rand(7, 3, seed=1), rand(3, seed=2)), {}, np_matmul),
    Sample("matmul_bias", (rand(2, 5, 7), rand(7, 3, seed=1), rand(3, seed=2)), {}, np_matmul),
    Sample("matmul_bias", (rand(2, 0), rand(0, 3), rand(3)), {}, np_matmul),
    Sample("contract", (rand(3, 4), rand(4, 5)), {"left": "ab", "right": "bc", "out": "ac"}, np_contract),
    Sample("contract", (rand(6), rand(6, seed=1)), {"left": "a", "right": "a", "out": ""}, np_contract),
    Sample(
        "contract", (rand(2, 5, 3, 4), rand(2, 3, 4, 6)), {"left": "btij", "right": "bijn", "out": "btn"}, np_contract
    ),
    Sample(
        "contract", (rand(3, 2, 4, 5), rand(5, 2, 6, 4)), {"left": "kbmj", "right": "jbnm", "out": "bkn"}, np_contract
    ),
    Sample("contract", (rand(4, 3, 2), rand(3, 5, 2)), {"left": "abc", "right": "bdc", "out": "cad"}, np_contract),
    Sample("contract", (rand(2, 17, 3), rand(33, 3, 2)), {"left": "abk", "right": "nka", "out": "abn"}, np_contract),
    Sample("contract", (rand(3, 0), rand(0, 2)), {"left": "ab", "right": "bc", "out": "ac"}, np_contract),
    Sample(
        "contract", (ints(3, 4, high=9), ints(4, 5, high=9)), {"left": "ab", "right": "bc", "out": "ac"}, np_contract
    ),
]
