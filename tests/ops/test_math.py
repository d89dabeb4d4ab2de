"""Elementwise functions beyond their samples: promotion, options, composed functions, kinks, errors, operators."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops

NAN, INF = float("nan"), float("inf")


def gradient(fn, *values):
    xs = [ops.convert_to_tensor(np.array(v, "float64")) for v in values]
    with keras.GradientTape() as tape:
        tape.watch(xs)
        y = fn(*xs)
    return [None if g is None else g.tolist() for g in tape.gradient(y, xs)]


@pytest.mark.parametrize(
    "x1, x2, dtype",
    [
        (np.int32(1), np.float32(1), "float32"),
        (np.ones(2, "int64"), np.ones(2, "float32"), "float32"),
        (np.ones(2, "uint8"), np.ones(2, "int8"), "int16"),
        (np.ones(2, "float16"), 1.5, "float16"),
        (np.ones(2, "int8"), 3, "int8"),
        (np.ones(2, "int8"), 3.5, "float32"),
        (np.ones(2, "float64"), 3, "float64"),
        (True, np.ones(2, "float32"), "float32"),
        (2, 3, "int32"),
        (2, 3.0, "float32"),
    ],
)
def test_sums_promote_and_python_numbers_are_weak(x1, x2, dtype):
    assert ops.add(x1, x2).dtype == dtype
    assert ops.add(x2, x1).dtype == dtype


def test_quotients_and_functions_of_integers_are_floats():
    i = np.array([1, 4], "int64")
    for y in (
        ops.divide(i, 2),
        ops.exp(i),
        ops.sqrt(i),
        ops.floor(i),
        ops.sigmoid(i),
        ops.hypot(i, i),
        i / ops.add(i, 0),
    ):
        assert y.dtype == "float32"
    for y in (ops.round(i), ops.trunc(i), ops.abs(i), ops.sign(i), ops.clip(i, 0, 2), ops.relu(i), ops.square(i)):
        assert y.dtype == "int64"


def test_bools_count_as_numbers_where_they_can():
    b = np.array([True, False])
    assert ops.add(b, b).dtype == "bool"
    assert ops.mod(b, True).dtype == ops.square(b).dtype == ops.clip(b, 0, 1).dtype == "int32"
    with pytest.raises(TypeError, match=r"subtract: bools are not numbers here; cast them first"):
        ops.subtract(b, b)


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"add: the shapes of the operands must broadcast\. Received: "
                                         r"x1\.shape=\(2, 3\), x2\.shape=\(4,\)"):  # fmt: skip
        ops.add(np.ones((2, 3)), np.ones(4))
    with pytest.raises(ValueError, match=r"multiply: the shapes of the operands must broadcast.*\(None, 3\)"):
        keras.KerasTensor((None, 3)) * np.ones((5, 4), "float32")
    with pytest.raises(ValueError, match="where: the shapes of the operands must broadcast"):
        ops.where([True, False], np.ones(3), np.ones(3))


def test_operands_of_an_op_have_one_dtype():
    from kerasish.ops.math import add_op

    with pytest.raises(TypeError, match=r"add: the operands must have one dtype\. Received: x1='float32', x2='int32'"):
        add_op(np.ones(2, "float32"), np.ones(2, "int32"))


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: ops.gcd(1.5, 2), TypeError, "gcd: the operands are integers. Received: dtype='float32'"),
        (lambda: ops.lcm([1.0], [2]), TypeError, "lcm: the operands are integers"),
        (lambda: ops.ldexp(1.0, 2.0), TypeError, "ldexp: the exponent `x2` is of an integer dtype"),
        (lambda: ops.round(1.5, 0.5), TypeError, "round: `decimals` is an integer"),
        (lambda: ops.bitwise_and(1.0, 2), TypeError, "bitwise_and: the operands are integers or bools"),
        (lambda: ops.bitwise_invert(1.0), TypeError, "bitwise_invert: the operand is an integer or bool"),
        (lambda: ops.where([True], 1.0), ValueError, "where: `x1` and `x2` are given both, or neither"),
        (lambda: ops.select([], []), ValueError, "select: there is one choice for each condition"),
        (lambda: ops.select([[True]], [1, 2]), ValueError, "Received: conditions=1, choices=2"),
        (lambda: ops.select(np.ones((1, 2)), [1]), ValueError, "select: `condlist` and `choicelist` are lists"),
        (lambda: ops.isclose(1, 2, rtol=-1), ValueError, "isclose: the relative tolerance `rtol` is at least 0"),
        (lambda: ops.allclose(1, 2, atol=NAN), ValueError, "allclose: the absolute tolerance `atol` is at least 0"),
        (lambda: ops.isclose(1, 2, atol="x"), TypeError, "isclose: `atol` is a number"),
        (lambda: ops.leaky_relu(1.0, "x"), TypeError, "leaky_relu: `negative_slope` is a number. Received: .*'x'"),
        (lambda: ops.celu(1.0, 0), ValueError, "celu: `alpha` must not be 0"),
        (lambda: ops.glu(np.ones((2, 3))), ValueError, "glu: the axis must have an even length"),
        (lambda: ops.glu(np.ones((2, 4)), axis=2), ValueError, "glu: `axis` must lie in"),
        (lambda: ops.view_as_complex(np.ones((2, 3))), ValueError, "view_as_complex: the last dimension holds"),
        (lambda: ops.view_as_complex(np.ones(2, "float16")), TypeError, "view_as_complex: the parts are float32"),
        (lambda: ops.polar(np.ones(2, "float16"), 1.0), TypeError, "polar: the parts are float32 or float64"),
        (
            lambda: ops.erf(np.ones(2, "complex64")),
            TypeError,
            "erf: there is no kernel for dtype complex64. Received: dtype='complex64'",
        ),
        (lambda: ops.exp("three"), TypeError, "values must be numbers or bools"),
    ],
)
def test_bad_input_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_more_dimensions_than_kernels_take():
    x = np.ones((1,) * 9 + (2,), "float32")
    for dtype in ("float16", "float32"):
        y = ops.add(x.astype(dtype), x.astype(dtype))
        assert y.shape == x.shape and y.numpy().max() == 2
        y = ops.gelu(x.astype(dtype))
        assert y.shape == x.shape and y.dtype == dtype and 0.84 < y.numpy().min() < 0.842


def test_operators():
    x, i = ops.convert_to_tensor([1.0, -2.0]), ops.convert_to_tensor([6, 3])
    assert (x + 1).tolist() == (1 + x).tolist() == [2.0, -1.0]
    assert (1 - x).tolist() == [0.0, 3.0] and (x - 1).tolist() == [0.0, -3.0]
    assert (2 / x).tolist() == [2.0, -1.0] and (x * x).tolist() == [1.0, 4.0]
    assert (x // 2).tolist() == [0.0, -1.0] and (x % 3).tolist() == [1.0, 1.0]
    assert (x**2).tolist() == [1.0, 4.0] and (2**i).tolist() == [64, 8]
    assert (-x).tolist() == [-1.0, 2.0] and abs(x).tolist() == [1.0, 2.0] and round(x * 1.4).tolist() == [1.0, -3.0]
    assert (i & 3).tolist() == [2, 3] and (i | 1).tolist() == [7, 3] and (i ^ 1).tolist() == [7, 2]
    assert (~i).tolist() == [-7, -4]
    assert ((x > 0) & (i > 5)).tolist() == [True, False] and (~(x > 0)).tolist() == [False, True]
    assert (x == x).tolist() == [True, True] and (x != 1).tolist() == [False, True]
    assert (
        (x >= 1).tolist() == [True, False] and (x < 0).tolist() == [False, True] and (x >= 1).tolist() == [True, False]
    )
    assert (x == None) is False and (x != "one") is True  # noqa: E711


def test_round_with_decimals():
    x = np.array([1.25, -1.35, 126.5, 0.005], "float32")
    np.testing.assert_allclose(ops.round(x, 1).numpy(), np.round(x, 1), rtol=1e-6)
    np.testing.assert_allclose(ops.round(x, -1).numpy(), [0, -0.0, 130, 0])
    assert ops.round(np.array([1234, -1266]), -2).tolist() == [1200, -1300]


def test_clip_takes_tensors_and_one_sided_limits():
    x = np.array([-3.0, 0.5, 9.0], "float32")
    assert ops.clip(x, [-1.0, 1.0, 2.0], 4).tolist() == [-1.0, 1.0, 4.0]
    assert ops.clip(x, None, 1.0).tolist() == [-3.0, 0.5, 1.0]
    assert ops.clip(np.array([1, 5]), 0.5, 2.5).dtype == "int64"


def test_divide_no_nan_and_its_gradient():
    assert ops.divide_no_nan([1.0, 0.0, 4.0], [0.0, 0.0, 2.0]).tolist() == [0.0, 0.0, 2.0]
    assert gradient(ops.divide_no_nan, [1.0, 4.0], [0.0, 2.0]) == [[0.0, 0.5], [0.0, -1.0]]


def test_where_keeps_nan_out_of_the_gradient():
    got = gradient(lambda x: ops.where(x > 0, ops.log(ops.where(x > 0, x, 1.0)), 0.0), [0.0, 2.0])
    assert got == [[0.0, 0.5]]


def test_where_without_choices_gives_indices():
    rows, columns = ops.where([[True, False], [False, True]])
    assert rows.tolist() == [0, 1] and columns.tolist() == [0, 1]


def test_nan_to_num():
    x = np.array([1.0, NAN, INF, -INF], "float32")
    limits = np.finfo("float32")
    assert ops.nan_to_num(x).tolist() == [1.0, 0.0, float(limits.max), float(limits.min)]
    assert ops.nan_to_num(x, nan=7, posinf=8, neginf=9).tolist() == [1.0, 7.0, 8.0, 9.0]
    assert ops.nan_to_num(np.array([3])).tolist() == [3]


def test_kinds_of_numbers():
    x = np.array([INF, -INF, NAN, -0.0, 1.0], "float32")
    assert ops.isposinf(x).tolist() == [True, False, False, False, False]
    assert ops.isneginf(x).tolist() == [False, True, False, False, False]
    assert ops.signbit(x[[1, 3, 4]]).tolist() == [True, True, False]
    for fn, want in ((ops.isnan, False), (ops.isinf, False), (ops.isfinite, True), (ops.isposinf, False)):
        assert fn(np.array([1, 2])).tolist() == [want, want]
    assert ops.isreal([1.0, 2.0]).tolist() == [True, True]


def test_closeness():
    assert ops.isclose([1.0, INF, NAN], [1.0 + 1e-6, INF, NAN]).tolist() == [True, True, False]
    assert ops.isclose([NAN], [NAN], equal_nan=True).tolist() == [True]
    assert not bool(ops.allclose([1.0, 2.0], [1.0, 2.1]))
    assert ops.allclose(keras.KerasTensor((None, 2)), 0.0).shape == ()


def test_fmax_and_fmin_ignore_nan():
    assert ops.fmax([NAN, 1.0, 3.0], [2.0, NAN, 1.0]).tolist() == [2.0, 1.0, 3.0]
    assert ops.fmin([NAN, 1.0, 3.0], [2.0, NAN, 1.0]).tolist() == [2.0, 1.0, 1.0]
    assert math.isnan(ops.maximum(NAN, 1.0).item()) and math.isnan(ops.minimum(1.0, NAN).item())


def test_integer_division_by_zero_is_numpys():
    for dtype in ("int8", "int32", "int64"):
        x, zero = np.array([5, -5, np.iinfo(dtype).min], dtype), np.zeros(3, dtype)
        assert ops.floor_divide(x, zero).tolist() == ops.mod(x, zero).tolist() == [0, 0, 0]
        assert ops.mod(x, -1).tolist() == [0, 0, 0]


def test_gradients_at_kinks():
    assert gradient(ops.relu, [-1.0, 0.0, 2.0]) == [[0.0, 0.0, 1.0]]
    assert gradient(ops.abs, [-1.0, 0.0, 2.0]) == [[-1.0, 0.0, 1.0]]
    assert gradient(ops.maximum, [1.0, 2.0], [2.0, 2.0]) == [[0.0, 0.5], [1.0, 0.5]]
    assert gradient(ops.minimum, [1.0, 2.0], [2.0, 2.0]) == [[1.0, 0.5], [0.0, 0.5]]
    assert gradient(ops.relu6, [0.0, 3.0, 6.0]) == [[0.0, 1.0, 0.0]]
    assert gradient(ops.sinc, [0.0]) == [[0.0]]
    assert gradient(ops.power, [0.0, 0.0], [2.0, 0.0]) == [[0.0, 0.0], [0.0, 0.0]]
    assert gradient(lambda x: x**2, [0.0, -3.0]) == [[0.0, -6.0]]
    assert gradient(ops.floor, [1.5]) == [None]


def test_gradients_are_summed_over_broadcast_dimensions():
    dx, db = gradient(ops.add, np.ones((4, 3)), np.ones(3))
    assert np.shape(dx) == (4, 3) and db == [4.0, 4.0, 4.0]
    dx, ds = gradient(ops.multiply, np.full((2, 3), 2.0), 5.0)
    assert dx == [[5.0] * 3] * 2 and ds == 12.0


def test_gelu_keeps_its_tail():
    x = np.array([-6.0, -9.0], "float64")
    want = [0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x]
    np.testing.assert_allclose(ops.gelu(x, approximate=False).numpy(), want, rtol=1e-13)
    assert ops.gelu(np.float32(-8.0), approximate=True).item() < 0


COMPOSED = {
    "celu": (lambda x: ops.celu(x, alpha=1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(x / 1.5))),
    "hard_silu": (ops.hard_silu, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "hard_tanh": (ops.hard_tanh, lambda x: np.clip(x, -1, 1)),
    "tanh_shrink": (ops.tanh_shrink, lambda x: x - np.tanh(x)),
    "soft_shrink": (lambda x: ops.soft_shrink(x, 0.7), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.7, 0)),
    "hard_shrink": (lambda x: ops.hard_shrink(x, 0.7), lambda x: np.where(np.abs(x) > 0.7, x, 0)),
    "threshold": (lambda x: ops.threshold(x, 0.7, -2.0), lambda x: np.where(x > 0.7, x, -2.0)),
    "squareplus": (lambda x: ops.squareplus(x, 3), lambda x: (x + np.sqrt(x * x + 3)) / 2),
    "sparse_plus": (ops.sparse_plus, lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4))),
    "sparse_sigmoid": (ops.sparse_sigmoid, lambda x: np.clip((x + 1) / 2, 0, 1)),
    "glu": (ops.glu, lambda x: x[:, :4] / (1 + np.exp(-x[:, 4:]))),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_composed_activations(name):
    fn, reference = COMPOSED[name]
    x = np.random.default_rng(1).uniform(-4, 4, (3, 8))
    y = fn(x)
    np.testing.assert_allclose(y.numpy(), reference(x), rtol=1e-12, atol=1e-12)
    assert fn(x.astype("float32")).dtype == "float32" and fn(x.astype("float16")).dtype == "float16"
    assert fn(keras.KerasTensor((None, 8))).shape == (None, *y.shape[1:])
    (slope,) = gradient(fn, x)
    step = 1e-6
    if name != "glu":
        numeric = (reference(x + step) - reference(x - step)) / (2 * step)
        np.testing.assert_allclose(slope, numeric, rtol=1e-5, atol=1e-7)


def test_float16_is_rounded_once():
    x = np.linspace(-4, 4, 33).astype("float16")
    np.testing.assert_array_equal(ops.exp(x).numpy(), np.exp(x.astype("float64")).astype("float16"))
    y = ops.where(x > 0, x, ops.multiply(x, x))
    assert y.dtype == "float16" and ops.less(x, 0).dtype == "bool"


def test_complex_parts():
    z = ops.view_as_complex(np.array([[3.0, 4.0], [0.0, -1.0]], "float32"))
    assert z.dtype == "complex64" and ops.abs(z).tolist() == [5.0, 1.0]
    assert ops.view_as_real(z).tolist() == [[3.0, 4.0], [0.0, -1.0]]
    assert (ops.real(z).tolist(), ops.imag(z).tolist()) == ([3.0, 0.0], [4.0, -1.0])
    np.testing.assert_allclose(ops.polar(ops.abs(z), ops.angle(z)).numpy(), z.numpy(), atol=1e-6)
    assert ops.multiply(z, ops.conj(z)).tolist() == [25, 1]
    assert ops.real([1.0]).tolist() == [1.0] and ops.imag([1.0]).tolist() == [0.0]


def test_symbols_and_variables():
    x = keras.KerasTensor((None, 3))
    y = ops.gelu(x * 2 + np.ones(3, "float32")) > 0.5
    assert (y.shape, y.dtype) == ((None, 3), "bool")
    assert ops.where(y, x, 0).shape == (None, 3) and ops.select([y], [x]).dtype == "float32"
    v = keras.Variable(np.array([1.0, 2.0], "float32"))
    assert ops.square(v).tolist() == [1.0, 4.0] and (v + 1).tolist() == [2.0, 3.0]
