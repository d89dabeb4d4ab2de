"""Shape, join, repeat, pad, creation and rearranging ops against Keras: values, dtypes, symbolic shapes."""

import numpy as np
import pytest

import kerasish

from .compare import Case, check, check_symbolic, numbers, whole

pytestmark = pytest.mark.parity

X, M, V = numbers(2, 3, 4), numbers(3, 4), numbers(5)
I, B = whole(3, 4, high=9), whole(3, 4, high=2).astype(bool)

CASES = [
    Case("reshape", X, (4, -1)),
    Case("reshape", X, (2, 12)),
    Case("reshape", X, -1),
    Case("ravel", X),
    Case("transpose", X),
    Case("transpose", X, (1, 2, 0)),
    Case("swapaxes", X, 0, -1),
    Case("moveaxis", X, 0, -1),
    Case("moveaxis", X, (0, 1), (2, 0)),
    Case("expand_dims", X, 1),
    Case("expand_dims", X, (0, -1)),
    Case("squeeze", X[:, :1]),
    Case("squeeze", X[:, :1], 1),
    Case("broadcast_to", M, (2, 3, 4)),
    Case("concatenate", [M, M], symbolic=False),
    Case("concatenate", [I, M, B], 1, symbolic=False),
    Case("concatenate", [M, M], axis=None, symbolic=False),
    Case("stack", [M, M], symbolic=False),
    Case("stack", [I, M], -1, symbolic=False),
    Case("vstack", [V, V], symbolic=False),
    Case("hstack", [V, V], symbolic=False),
    Case("hstack", [M, M], symbolic=False),
    Case("dstack", [V, V], symbolic=False),
    Case("dstack", [M, M], symbolic=False),
    Case("append", I, V, symbolic=False),
    Case("append", M, M, 1),
    Case("split", X, 2, -1),
    Case("split", X, [1, 3], 2),
    Case("array_split", V, 3),
    Case("hsplit", M, 2),
    Case("hsplit", V, [2]),
    Case("vsplit", M, 3),
    Case("dsplit", X, 2),
    Case("unstack", M, axis=1),
    Case("unstack", M, 3),
    Case("tile", M, (2, 1)),
    Case("tile", M, 3),
    Case("tile", M, (2, 1, 2)),
    Case("repeat", M, 2),
    Case("repeat", M, 2, 1),
    Case("repeat", M, np.array([1, 0, 2]), 0, symbolic=False),
    Case("flip", X),
    Case("flip", X, 1),
    Case("flip", X, (0, 2)),
    Case("fliplr", M),
    Case("flipud", M),
    Case("roll", X, 2),
    Case("roll", X, 5, 1),
    Case("roll", X, (1, -1), (0, 2)),
    *(Case("rot90", X, k, symbolic=k % 2 == 1) for k in range(-1, 4)),  # Keras's symbolic shape swaps for even k, too
    Case("rot90", X, 1, (1, 2)),
    Case("meshgrid", V, M[0], symbolic=False),
    Case("meshgrid", V, M[0], I[0], indexing="ij", symbolic=False),
    Case("pad", M, 2),
    Case("pad", M, ((1, 2), (0, 3))),
    Case("pad", M, ((1, 2), (0, 3)), constant_values=7),
    Case("pad", I, (1, 2), "constant", 5),
    *(Case("pad", M, ((2, 1), (1, 2)), mode) for mode in ("edge", "reflect", "symmetric", "wrap", "linear_ramp")),
    *(Case("pad", M, ((2, 1), (1, 2)), mode) for mode in ("maximum", "minimum", "mean")),
    Case("pad", M, ((2, 1), (1, 2)), "median", symbolic=False),
    *(Case("pad", I, ((2, 1), (1, 2)), mode) for mode in ("maximum", "minimum", "mean", "linear_ramp")),
    Case("diag", V),
    Case("diag", V, -2),
    Case("diag", M, 1),
    Case("diagflat", M),
    Case("diagonal", X, 1, 2, 0),
    Case("tril", X, -1),
    Case("triu", X, 1),
    Case("tril", B),
    Case("trace", X, symbolic=False),
    Case("view", I, "float32"),
    Case("view", I, "int16"),
    Case("array", [1, 2], symbolic=False),
    Case("array", [1.5, 2], "int32", symbolic=False),
    Case("copy", M),
    Case("zeros", (2, 3), symbolic=False),
    Case("ones", (2, 3), "int32", symbolic=False),
    Case("full", (2, 3), 7, symbolic=False),
    Case("full", (2, 3), np.arange(3, dtype="float32"), symbolic=False),
    Case("zeros_like", I),
    Case("ones_like", I, "float32"),
    Case("full_like", M, 3),
    Case("full_like", M, np.float32(3), symbolic=False),
    Case("arange", 5, symbolic=False),
    Case("arange", 1, 7, 2, symbolic=False),
    Case("arange", 0.0, 1.0, 0.1, symbolic=False),
    Case("arange", 5.0, symbolic=False),
    Case("arange", 5, dtype="float32", symbolic=False),
    Case("arange", 10, 0, -3, symbolic=False),
    Case("eye", 3, 5, 1, symbolic=False),
    Case("eye", 3, dtype="int32", symbolic=False),
    Case("identity", 3, symbolic=False),
    Case("tri", 3, 5, -1, symbolic=False),
    Case("linspace", 0, 10, 5, symbolic=False),
    Case("linspace", 0, 10, 5, endpoint=False, retstep=True, symbolic=False),
    Case("linspace", 0, 10, 5, dtype="int32", symbolic=False),
    Case("linspace", M[0], M[1], 5, axis=-1, symbolic=False),
    Case("logspace", 0.0, 2.0, 5, symbolic=False),
    Case("logspace", 0, 3, 4, base=2, symbolic=False),
    Case("geomspace", 1.0, 1000.0, 4, symbolic=False),
    Case("vander", V, symbolic=False),
    Case("vander", V, 3, True, symbolic=False),
    *(Case(name, 7, symbolic=False) for name in ("bartlett", "blackman", "hamming", "hanning")),
    Case("kaiser", 7, 3.5, symbolic=False),
    Case("rearrange", X, "b h c -> b (h c)", symbolic=False),
    Case("rearrange", X, "b h (c d) -> (b d) c h", d=2, symbolic=False),
    Case("rearrange", numbers(2, 4, 6, 3), "b (h p) (w q) c -> b h w (c p q)", p=2, q=3, symbolic=False),
    Case("depth_to_space", numbers(2, 3, 2, 8), 2),
    Case("depth_to_space", numbers(2, 8, 3, 2), 2, "channels_first"),
    Case("space_to_depth", numbers(2, 4, 6, 3), 2),
    Case("space_to_depth", numbers(2, 3, 4, 6), 2, "channels_first"),
    Case("saturate_cast", numbers(3, 4) * 300, "uint8"),
    Case("saturate_cast", I - 5, "uint8"),
]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_values(case):
    check(case)


@pytest.mark.parametrize("case", [c for c in CASES if c.symbolic], ids=repr)
def test_symbolic_shapes(case):
    check_symbolic(case)


def test_size_shape_and_rank():
    import keras

    assert kerasish.ops.shape(X) == keras.ops.shape(X)
    assert kerasish.ops.size(X) == int(keras.ops.size(X))
    assert kerasish.ops.ndim(X) == int(keras.ops.ndim(X))
    symbol = kerasish.ops.size(kerasish.KerasTensor((None, 3)))
    want = keras.ops.size(keras.KerasTensor((None, 3)))
    assert (symbol.shape, symbol.dtype) == (want.shape, want.dtype)
