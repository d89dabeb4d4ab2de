"""Elementwise kernels against long double and NumPy: error bounds, special values, lengths, broadcasting, casts."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

from kerasish._core import core

from . import calls, error_function
from .bounds import within
from .calls import exact

ISAS = core.isas()
FLOATS = ("float32", "float64")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def run(name, isa, *ins, out=None, i=(), f=(), dtype=None, threads=0):
    """Calls a kernel; `out` is the output's dtype where it is not that of the first input."""
    dtype = dtype or str(ins[0].dtype)
    outs = [(np.broadcast_shapes(*(x.shape for x in ins)), out or dtype)]
    return calls.run(name, ins, outs, i, f, isa, threads, dtype)[0]


def long(fn):
    """fn on long doubles, whose last place is 2^-11 of a double's."""
    return lambda x: fn(x.astype(np.longdouble))


REFERENCE = {
    "exp": long(np.exp),
    "expm1": long(np.expm1),
    "log": long(np.log),
    "log2": long(np.log2),
    "log10": long(np.log10),
    "log1p": long(np.log1p),
    "sin": long(np.sin),
    "cos": long(np.cos),
    "tan": long(np.tan),
    "sinh": long(np.sinh),
    "cosh": long(np.cosh),
    "tanh": long(np.tanh),
    "sigmoid": long(lambda x: 1 / (1 + np.exp(-x))),
    "softplus": long(lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "erf": error_function.erf,
    "erfc": error_function.erfc,
    "rsqrt": long(lambda x: 1 / np.sqrt(x)),
}


def arguments(name: str, dtype: str) -> np.ndarray:
    rng, n, limits = np.random.default_rng(7), 20000, np.finfo(dtype)
    top, decades = math.log(float(limits.max)), math.log10(float(limits.max))

    def signed(low, high):
        return 10 ** rng.uniform(low, high, n) * rng.choice([-1, 1], n)

    if name in ("log", "log2", "log10", "rsqrt"):
        parts = [rng.uniform(0.3, 3, n), rng.uniform(0.9, 1.1, n), 10 ** rng.uniform(1 - decades, decades, n)]
    elif name == "log1p":
        parts = [rng.uniform(-1, 1, n), -(10 ** rng.uniform(-30, 0, n)), 10 ** rng.uniform(-30, decades, n)]
    elif name in ("sin", "cos", "tan"):
        multiples = (np.arange(-7000, 7000) * np.pi / 2).astype(dtype)  # where the reduction cancels
        parts = [rng.uniform(-4, 4, n), rng.uniform(-12000, 12000, n), signed(-20, 8), multiples]
    elif name in ("erf", "erfc"):
        parts = [rng.uniform(-1, 1, n), rng.uniform(-4, 4, n), rng.uniform(3, 27, n), signed(-30, 1)]
    else:
        parts = [rng.uniform(-1, 1, n), rng.uniform(-20, 20, n), rng.uniform(-top - 1, top + 1, n), signed(-30, 2)]
    return np.concatenate(parts).astype(dtype)


@lru_cache(maxsize=2)  # the same for every ISA
def expected(name, dtype):
    x = arguments(name, dtype)
    return x, REFERENCE[name](x)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", REFERENCE)
def test_error_is_within_the_stated_bound(name, dtype, isa):
    limits, (x, want) = np.finfo(dtype), expected(name, dtype)
    got = run(name, isa, x) if core.find(name, dtype, isa) else None
    size = np.abs(want)
    normal = (size >= limits.smallest_normal) & (size <= limits.max)
    within(name, got[normal], want[normal])
    above = size > limits.max
    assert np.all(np.isinf(got[above]) | (np.abs(got[above]) == limits.max))


EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 1e30, -1e30, 100.0, -100.0, 8.0, -8.0]


def same(name, got, want):
    """Within the bound (no name: equal), with the same signs of zeros; denormals count as zero."""
    want = np.where(np.abs(want) < np.finfo(want.dtype).smallest_normal, np.copysign(want.dtype.type(0), want), want)
    within(name, got, want) if name else np.testing.assert_array_equal(got, want)
    zero = want == 0
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(want[zero]))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(set(REFERENCE) - {"erf", "erfc", "sigmoid", "softplus"}))
def test_special_values(name, dtype, isa):
    x = np.array(EDGES, dtype)
    same(name, run(name, isa, x), REFERENCE[name](x).astype(dtype))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_special_values_without_a_numpy_function(dtype, isa):
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    same(None, run("erf", isa, x), np.array([1, -1, np.nan, 0, -0.0], dtype))
    same(None, run("erfc", isa, x), np.array([0, 2, np.nan, 1, 1], dtype))
    same(None, run("sigmoid", isa, x), np.array([1, 0, np.nan, 0.5, 0.5], dtype))
    same("softplus", run("softplus", isa, x), np.array([np.inf, 0, np.nan, np.log(2), np.log(2)], dtype))
    same("log_sigmoid", run("log_sigmoid", isa, x), np.array([-0.0, -np.inf, np.nan, -np.log(2), -np.log(2)], dtype))


@pytest.mark.parametrize("isa", ISAS)
def test_nan_payloads_survive_the_exponent_arithmetic(isa):
    x = np.array([0x7FC00001, 0x7F800101, 0xFFFFFFFF], np.uint32).view(np.float32)
    for name in REFERENCE:
        assert np.isnan(run(name, isa, x)).all(), name


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_exp_at_its_limits(dtype, isa):
    limits, kind = np.finfo(dtype), np.dtype(dtype).type
    highest, lowest = (np.log(np.longdouble(v)) for v in (limits.max, limits.smallest_normal))
    below = [np.nextafter(kind(v), kind(0)) for v in (highest, lowest)]
    above = [kind(v * np.longdouble(1.0001)) for v in (highest, lowest)]
    y = run("exp", isa, np.array([*below, *above]))
    assert limits.max * 0.999 < y[0] < np.inf and y[1] >= limits.smallest_normal
    assert y[2] == np.inf and y[3] == 0


ROUNDING = {
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "rint": np.rint,
    "sign": np.sign,
    "negative": np.negative,
    "absolute": np.absolute,
    "square": np.square,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ROUNDING)
def test_exact_functions(name, dtype, isa):
    x = np.array([*EDGES, 0.5, 1.5, 2.5, -2.5, 2.4999, 2**23 + 1, -(2**31) - 0.5, 1e18], dtype)
    within(name, run(name, isa, x), ROUNDING[name](x))


LIBM = {
    "arcsin": (np.arcsin, -1, 1),
    "arccos": (np.arccos, -1, 1),
    "arctan": (np.arctan, -9, 9),
    "arcsinh": (np.arcsinh, -9, 9),
    "arccosh": (np.arccosh, 1, 9),
    "arctanh": (np.arctanh, -1, 1),
    "cbrt": (np.cbrt, -9, 9),
    "exp2": (np.exp2, -20, 20),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", LIBM)
def test_functions_from_libm(name, dtype, isa):
    fn, low, high = LIBM[name]
    x = np.random.default_rng(0).uniform(low, high, 500).astype(dtype)
    within(name, run(name, isa, x), fn(x.astype(np.longdouble)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_erfinv_inverts_erf(dtype, isa):
    x = np.concatenate([np.linspace(-3.5, 3.5, 999), 10.0 ** -np.arange(1, 30)])
    y = np.array([math.erf(v) for v in x]).astype(dtype)
    y = y[np.abs(y) < 1]
    got = run("erfinv", isa, y)
    size, head = np.abs(exact(got)), np.abs(exact(y))  # the error is that of erf here, by the derivative
    residual = np.where(size < 0.5, error_function.erf(size) - head, (1 - head) - error_function.erfc(size))
    error = residual / (2 / math.sqrt(math.pi) * np.exp(-(size**2)))
    within("erfinv", got, np.copysign(size - error, got))
    np.testing.assert_array_equal(
        run("erfinv", isa, np.array([1, -1, 2, np.nan], dtype)), [np.inf, -np.inf, np.nan, np.nan]
    )


def _gelu(x):
    return x / 2 * error_function.erfc(-x / np.sqrt(np.longdouble(2)))


ACTIVATIONS = {
    "relu": ((), lambda x: np.maximum(x, 0)),
    "relu6": ((), lambda x: np.clip(x, 0, 6)),
    "leaky_relu": ((0.3,), lambda x: np.where(x < 0, 0.3 * x, x)),
    "elu": ((1.5,), lambda x: np.where(x > 0, x, 1.5 * np.expm1(x))),
    "selu": ((), lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "gelu": ((), _gelu),
    "gelu_tanh": ((), lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    "log_sigmoid": ((), lambda x: np.where(x > 0, -np.log1p(np.exp(-np.abs(x))), x - np.log1p(np.exp(-np.abs(x))))),
    "silu": ((), lambda x: x / (1 + np.exp(-x))),
    "softsign": ((), lambda x: x / (1 + np.abs(x))),
    "hard_sigmoid": ((), lambda x: np.clip(x + 3, 0, 6) / 6),
    "mish": ((), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
}
LENGTHS = (0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_at_every_length(name, dtype, isa):
    f, fn = ACTIVATIONS[name]
    whole = np.random.default_rng(1).uniform(-8, 8, 65).astype(dtype)
    full = run(name, isa, whole, f=f)
    within(name, full, fn(exact(whole)), size=np.abs(whole))
    for n in LENGTHS:  # a tail has the bits that it would have inside
        np.testing.assert_array_equal(run(name, isa, whole[:n], f=f), full[:n])
    assert np.isnan(run(name, isa, np.array([np.nan], dtype), f=f)).all()


BINARY = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "floor_divide": np.floor_divide,
    "mod": np.mod,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "arctan2": np.arctan2,
    "hypot": np.hypot,
    "power": np.power,
}
COMPARISON = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
SHAPES = [
    ((), ()),
    ((1,), (1, 1)),
    ((5,), ()),
    ((), (33,)),
    ((0,), (1,)),
    ((3, 0, 2), (1, 2)),
    ((7, 19), (7, 19)),
    ((7, 19), (19,)),
    ((50, 33), (50, 1)),
    ((50, 3), (50, 1)),
    ((90, 3), (3,)),
    ((3,), (90, 3)),
    ((4, 1, 5), (3, 1)),
    ((2, 1, 3, 1), (1, 4, 1, 5)),
    ((1, 6, 1), (8, 1, 40)),
    ((33, 1), (1, 35)),
    ((2, 3, 4, 5), (3, 1, 5)),
    ((2, 1, 2, 1, 2, 1, 2, 1), (1, 3, 1, 3, 1, 3, 1, 3)),
    ((300, 200), (200,)),
    ((20000, 3), (3,)),
    ((16385, 1, 3), (1, 2, 1)),
    ((700, 47), (700, 1)),
    ((40, 20, 49), (40, 1, 49)),
    ((9, 300, 10), (9, 1, 10)),
    ((70000,), ()),
]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_broadcasting(shapes, dtype, isa):
    rng = np.random.default_rng(2)
    a, b = (rng.integers(-50, 50, s).astype(dtype) for s in shapes)
    np.testing.assert_array_equal(run("subtract", isa, a, b), a - b)
    np.testing.assert_array_equal(run("less", isa, a, b, out="bool"), a < b)
    condition = rng.integers(0, 2, shapes[0][-2:]).astype(bool)
    if a.size:
        got = run("select", isa, condition, a, b, out=dtype, dtype=dtype)
        np.testing.assert_array_equal(got, np.where(condition, a, b))


@pytest.mark.parametrize("isa", ISAS)
def test_select_broadcasts_every_operand(isa):
    rng = np.random.default_rng(3)
    for sc in ((), (4, 1), (40,), (4, 40)):
        for sa in ((), (4, 1), (40,), (4, 40)):
            for sb in ((), (4, 1), (40,), (4, 40)):
                c, a, b = rng.integers(0, 2, sc).astype(bool), rng.normal(size=sa), rng.normal(size=sb)
                got = run("select", isa, c, a, b, out="float64", dtype="float64")
                within("select", got, np.where(c, a, b))


def nearest(name, a, b):
    """What is nearest to the value of a function that NumPy itself rounds more than once."""
    if name in ("arctan2", "hypot", "power"):
        return BINARY[name](a.astype(np.longdouble), b.astype(np.longdouble)).astype(a.dtype)
    return BINARY[name](a, b)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_binary_values_and_special_values(name, dtype, isa):
    a, b = (x.ravel() for x in np.meshgrid(*[np.array([*EDGES, 2, -2, 3, -3, 2.5, -2.5, 7], dtype)] * 2))
    same(name, run(name, isa, a, b), nearest(name, a, b))
    for column in np.unique(b):  # one exponent, one divisor
        row = np.full_like(a, column)  # an array, because NumPy takes shortcuts for scalar exponents
        same(name, run(name, isa, a, np.array(column)), nearest(name, a, row))
        same(name, run(name, isa, np.array(column), b), nearest(name, row, b))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", COMPARISON)
def test_comparisons(name, dtype, isa):
    rng = np.random.default_rng(4)
    a, b = (rng.integers(0, 3, 67).astype(dtype) for _ in range(2))
    if dtype in FLOATS:
        a[::7] = np.nan
    within(name, run(name, isa, a, b, out="bool"), COMPARISON[name](a, b))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_follow_numpy_and_never_trap(dtype, isa):
    limits = np.iinfo(dtype)
    edge = np.array([0, 1, -1, 2, -2, 7, -7, limits.max, limits.min, limits.max - 1], dtype)
    a, b = (x.ravel() for x in np.meshgrid(edge, edge))
    for name in ("add", "subtract", "multiply", "floor_divide", "mod", "maximum", "minimum"):
        np.testing.assert_array_equal(run(name, isa, a, b), BINARY[name](a, b), name)
    small = b >= 0
    np.testing.assert_array_equal(run("power", isa, a[small], b[small]), np.power(a[small], b[small]))
    negative = run("power", isa, np.array([1, -1, -1, 2, 0], dtype), np.array([-3, -3, -2, -1, -1], dtype))
    np.testing.assert_array_equal(negative, [1, -1, 1, 0, 0])
    for name in ("negative", "absolute", "square", "sign"):
        np.testing.assert_array_equal(run(name, isa, edge), ROUNDING[name](edge), name)
    np.testing.assert_array_equal(run("relu", isa, edge), np.maximum(edge, 0))


@pytest.mark.parametrize("isa", ISAS)
def test_logic(isa):
    a, b = np.array([0, 0, 1, 1] * 9, bool), np.array([0, 1, 0, 1] * 9, bool)
    for name, fn in (("logical_and", np.logical_and), ("logical_or", np.logical_or), ("logical_xor", np.logical_xor)):
        within(name, run(name, isa, a, b), fn(a, b))
    within("logical_not", run("logical_not", isa, a), ~a)
    x = np.array([*EDGES, 3.4e38] * 3)
    for dtype in FLOATS:
        for name in ("isnan", "isinf", "isfinite"):
            within(name, run(name, isa, x.astype(dtype), out="bool"), getattr(np, name)(x))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_from_the_output(dtype, isa):
    g, y = np.random.default_rng(5).uniform(-1, 1, (2, 37)).astype(dtype)
    wg, wy = exact(g), exact(y)
    within("relu_grad", run("relu_grad", isa, g, y), np.where(y > 0, g, 0))
    within("sigmoid_grad", run("sigmoid_grad", isa, g, y), wg * wy * (1 - wy))
    within("tanh_grad", run("tanh_grad", isa, g, y), wg * (1 - wy * wy), size=np.abs(wg) * (1 + wy * wy))


@pytest.mark.parametrize("isa", ISAS)
def test_the_output_may_be_an_operand(isa):
    rng = np.random.default_rng(8)
    for shape, other in (((40000,), (40000,)), ((50, 3), (3,)), ((70, 40), (70, 1)), ((40000,), ())):
        x, b = rng.uniform(-2, 2, shape).astype("float32"), rng.uniform(-2, 2, other).astype("float32")
        for name in ("subtract", "mod", "power"):
            for ins, k in (((x, b), 0), ((b, x), 1)):
                want = run(name, isa, *ins)
                y = x.copy()
                core.run(core.find(name, "float32", isa), tuple(y if j == k else a for j, a in enumerate(ins)), (y,))
                np.testing.assert_array_equal(y, want)
        y = x.copy()
        core.run(core.find("tanh", "float32", isa), (y,), (y,))
        np.testing.assert_array_equal(y, run("tanh", isa, x))


def test_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(6)
    x = rng.uniform(-3, 3, 100_003).astype("float32")
    a, b = rng.uniform(-3, 3, (1201, 83)).astype("float32"), rng.uniform(-3, 3, (83,)).astype("float32")
    for isa in ISAS:
        for call in (
            lambda t, isa=isa: run("tanh", isa, x, threads=t),
            lambda t, isa=isa: run("multiply", isa, a, b, threads=t),
            lambda t, isa=isa: run("cast", isa, x, out="float16", i=(core.DTYPE_CODES["float16"],), threads=t),
        ):
            first = call(1)
            for threads in (2, 3, 8):
                np.testing.assert_array_equal(call(threads), first)


NUMBERS = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", *FLOATS]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("source", NUMBERS)
def test_cast_is_astype(source, isa):
    if source == "bool":
        x = np.array([0, 1] * 9, bool)
    elif source in ("float16", *FLOATS):
        x = np.array(
            [0, -0.0, 0.5, 0.999, 1.5, -1.5, 2.5, 100.7, -100.7, 127, -128, 1e-3, 65504, 1.0009766] * 3, source
        )
    else:
        limits = np.iinfo(source)
        x = np.array([0, 1, 2, 77, limits.min, limits.max, limits.max - 1, limits.max // 3] * 3, source)
    for target in NUMBERS:
        want = x.astype(target)
        if source in ("float16", *FLOATS) and target in NUMBERS[1:9]:  # only what the target can hold is defined
            limits = np.iinfo(target)
            held = (x > limits.min - 1.0) & (x < limits.max + 1.0) if limits.max < 2**53 else x >= min(limits.min, 0)
            x_ok = x[held]
            want = x_ok.astype(target)
        else:
            x_ok = x
        got = run("cast", isa, x_ok, out=target, i=(core.DTYPE_CODES[target],))
        within("cast", got, want)


@pytest.mark.parametrize("isa", ISAS)
def test_cast_of_what_does_not_fit_is_the_same_everywhere(isa):
    for dtype in FLOATS:
        x = np.array([np.nan, np.inf, -np.inf, 1e30, 3e9, -3e9, 300, -1] * 3, dtype)
        low32, low64 = -(2**31), -(2**63)
        got = run("cast", isa, x, out="int32", i=(core.DTYPE_CODES["int32"],))
        np.testing.assert_array_equal(got[:8], [low32] * 6 + [300, -1])
        got = run("cast", isa, x, out="int64", i=(core.DTYPE_CODES["int64"],))
        np.testing.assert_array_equal(got[:8], [low64] * 4 + [3000000000, -3000000000, 300, -1])
        got = run("cast", isa, x, out="uint8", i=(core.DTYPE_CODES["uint8"],))
        np.testing.assert_array_equal(got[6:8], [44, 255])


@pytest.mark.parametrize("isa", ISAS)
def test_float16_both_ways_for_every_bit_pattern(isa):
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    code = core.DTYPE_CODES
    for dtype in FLOATS:
        wide = run("cast", isa, halves, out=dtype, i=(code[dtype],))
        np.testing.assert_array_equal(wide, halves.astype(dtype))
        finite = halves[np.isfinite(halves)].astype(dtype)
        between = np.sort(finite)[:-1] + np.diff(np.sort(finite)) / 2  # ties
        for x in (
            finite,
            between,
            np.nextafter(between, np.inf, dtype=dtype),
            np.nextafter(between, -np.inf, dtype=dtype),
        ):
            got = run("cast", isa, x, out="float16", i=(code["float16"],))
            np.testing.assert_array_equal(got.view(np.uint16), x.astype(np.float16).view(np.uint16))
        x = np.array([np.inf, -np.inf, np.nan, 65519, 65520, -1e30, 1e-30], dtype)
        got = run("cast", isa, x, out="float16", i=(code["float16"],))
        np.testing.assert_array_equal(got, [np.inf, -np.inf, np.nan, 65504, np.inf, -np.inf, 0])


@pytest.mark.parametrize("isa", ISAS)
def test_a_cast_to_another_dtype_than_the_output_is_refused(isa):
    with pytest.raises(RuntimeError, match="cast: the kernel refused its arguments"):
        run("cast", isa, np.zeros(3), out="int32", i=(core.DTYPE_CODES["int64"],))
