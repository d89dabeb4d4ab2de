"""Samples of the arithmetic and elementary functions and of the bitwise and complex ops."""

import math

import numpy as np

from ..sample import Sample, ints, rand

erf = np.vectorize(math.erf, otypes=[float])
erfc = np.vectorize(math.erfc, otypes=[float])


def inverse_of(fn, slope, low, high):
    """The inverse of a rising function by Newton's method from bisection's answer."""

    def inverse(y):
        a, b = np.full(np.shape(y), low), np.full(np.shape(y), high)
        for _ in range(60):
            middle = (a + b) / 2
            a, b = np.where(fn(middle) < y, middle, a), np.where(fn(middle) < y, b, middle)
        x = (a + b) / 2
        return x - (fn(x) - y) / slope(x)

    return inverse


erfinv = inverse_of(erf, lambda x: 2 / math.sqrt(math.pi) * np.exp(-(x**2)), -5.0, 5.0)

# name: reference, lowest and highest argument
UNARY = {
    "exp": (np.exp, -2, 2),
    "exp2": (np.exp2, -2, 2),
    "expm1": (np.expm1, -2, 2),
    "log": (np.log, 0.2, 3),
    "log1p": (np.log1p, -0.7, 3),
    "log2": (np.log2, 0.2, 3),
    "log10": (np.log10, 0.2, 3),
    "cbrt": (np.cbrt, 0.3, 3),
    "sin": (np.sin, -4, 4),
    "cos": (np.cos, -4, 4),
    "tan": (np.tan, -1.2, 1.2),
    "arcsin": (np.arcsin, -0.8, 0.8),
    "arccos": (np.arccos, -0.8, 0.8),
    "arctan": (np.arctan, -3, 3),
    "sinh": (np.sinh, -2, 2),
    "cosh": (np.cosh, -2, 2),
    "tanh": (np.tanh, -2, 2),
    "arcsinh": (np.arcsinh, -3, 3),
    "arccosh": (np.arccosh, 1.3, 4),
    "arctanh": (np.arctanh, -0.8, 0.8),
    "erf": (erf, -2, 2),
    "erfc": (erfc, -2, 2),
    "erfinv": (erfinv, -0.8, 0.8),
    "sinc": (np.sinc, -2, 2),
    "negative": (np.negative, -2, 2),
    "absolute": (np.absolute, -2, 2),
    "square": (np.square, -2, 2),
    "sqrt": (np.sqrt, 0.2, 3),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 0.2, 3),
    "reciprocal": (np.reciprocal, 0.4, 3),
    "floor": (np.floor, -3, 3),
    "ceil": (np.ceil, -3, 3),
    "trunc": (np.trunc, -3, 3),
    "round": (np.rint, -3, 3),
    "sign": (np.sign, -3, 3),
}
# name: reference, range of the first operand, range of the second
BINARY = {
    "add": (np.add, (-2, 2), (-2, 2)),
    "subtract": (np.subtract, (-2, 2), (-2, 2)),
    "multiply": (np.multiply, (-2, 2), (-2, 2)),
    "divide": (np.divide, (-2, 2), (0.5, 2)),
    "floor_divide": (np.floor_divide, (-9, 9), (0.5, 2)),
    "mod": (np.mod, (2.05, 2.9), (-2.04, -1.1)),
    "fmod": (np.fmod, (-2.9, -2.05), (1.1, 2.04)),
    "power": (np.power, (0.3, 2), (-2, 2)),
    "maximum": (np.maximum, (-2, 2), (-2, 2)),
    "minimum": (np.minimum, (-2, 2), (-2, 2)),
    "hypot": (np.hypot, (0.5, 2), (0.5, 2)),
    "arctan2": (np.arctan2, (0.5, 2), (-2, 2)),
    "logaddexp": (np.logaddexp, (-3, 3), (-3, 3)),
    "logaddexp2": (np.logaddexp2, (-3, 3), (-3, 3)),
    "nextafter": (np.nextafter, (-2, 2), (-2, 2)),
}
SHAPES = [((3, 17), (3, 17)), ((5, 1, 3), (4, 1)), ((), (2, 3)), ((0, 4), (4,))]
NUMBERS = ("negative", "absolute", "square", "sign")
INTEGER_PAIRS = ("add", "subtract", "multiply", "floor_divide", "mod", "fmod", "maximum", "minimum")


def i_order(x, order):
    """The power series of I_order."""
    return sum((x / 2) ** (2 * k + order) / (math.factorial(k) * math.factorial(k + order)) for k in range(40))


SAMPLES = [
    *(Sample(name, (rand(*shape, low=low, high=high),), reference=fn)
      for name, (fn, low, high) in UNARY.items() for shape in ((3, 17), (), (0, 2))),
    *(Sample(name, (ints(4, 5, low=-9, high=9, dtype=dtype),), reference=UNARY[name][0])
      for name in NUMBERS for dtype in ("int32", "int64", "int8")),
    *(Sample(name, (rand(*a, seed=1, low=r1[0], high=r1[1]), rand(*b, seed=2, low=r2[0], high=r2[1])), reference=fn)
      for name, (fn, r1, r2) in BINARY.items() for a, b in SHAPES),
    *(Sample(name, (ints(4, 5, low=-9, high=9, dtype=dtype), ints(5, low=1, high=4, dtype=dtype)),
             reference=BINARY[name][0])
      for name in INTEGER_PAIRS for dtype in ("int32", "int64", "int16")),
    Sample("power", (ints(4, 5, low=-3, high=3), ints(5, high=4)), reference=np.power),
    Sample("power", (np.array([0.0, 0.0, 1.5]), np.array([2.0, 3.0, 0.0])), grad=(), reference=np.power),
    Sample("add", (np.array([True, False]), np.array([True, True])), reference=np.add),
    Sample("absolute", (rand(3).astype("float16"),), reference=np.absolute),
    Sample("multiply", (rand(3).astype("complex64"), rand(3, seed=1).astype("complex64")), reference=np.multiply),
    Sample("modulus", (np.array([3 + 4j, 0, -1j], "complex64"),), reference=np.absolute),
    Sample("gcd", (ints(4, 5, high=30), ints(5, high=30)), reference=np.gcd),
    Sample("lcm", (ints(4, 5, high=30), ints(5, high=30)), reference=np.lcm),
    Sample("ldexp", (rand(4, 5), ints(5, low=-3, high=4)), reference=np.ldexp),
    Sample("tanh_grad", (rand(3, 17), rand(3, 17, seed=1)), reference=lambda g, y: g * (1 - y * y)),
    *(Sample("bessel_i", (rand(3, 4, low=-4, high=4),), {"order": n}, reference=i_order) for n in (0, 1, 2)),
    Sample("sinc", (np.array([0.0, 0.05, -0.099, 0.101, 1e-8]),), reference=np.sinc),
    *(Sample(name, (ints(4, 5, high=99), ints(5, high=99, seed=1)), reference=getattr(np, name))
      for name in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    Sample("bitwise_invert", (ints(4, 5, low=-9, high=9),), reference=np.invert),
    Sample("left_shift", (ints(4, 5, high=99), ints(5, high=8)), reference=np.left_shift),
    Sample("right_shift", (ints(4, 5, low=-99, high=99), ints(5, high=8)), reference=np.right_shift),
    *(Sample(name, (np.array([3 + 4j, 0, -1j], "complex64"),), reference=getattr(np, name))
      for name in ("real", "imag", "angle", "conjugate")),
    Sample("angle", (np.array([1.0, -1.0, 0.0]),), reference=np.angle),
    Sample("polar", (rand(3), rand(3, seed=1)), reference=lambda abs_, angle: abs_ * np.exp(1j * angle)),
    Sample("view_as_complex", (rand(3, 2),), reference=lambda x: x[..., 0] + 1j * x[..., 1]),
    Sample("view_as_real", (np.array([3 + 4j, 0, -1j], "complex64"),),
           reference=lambda x: np.stack([x.real, x.imag], -1)),
]  # fmt: skip
