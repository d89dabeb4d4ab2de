"""Elementary functions: exponentials, logarithms, trigonometric and hyperbolic functions, error functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.op import Host, define_op
from .compare import less, where
from .factories import binary, floating, floating_pair, unary
from .math import absolute, rsqrt, square

__all__ = [
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "i0",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "rad2deg",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
]  # fmt: skip

_LN2, _LN10, _ROOT_PI = math.log(2), math.log(10), math.sqrt(math.pi)

exp_op = unary("exp", np.exp, lambda ctx, g: g * ctx.outputs[0], saves="y")
exp2_op = unary("exp2", np.exp2, lambda ctx, g: g * ctx.outputs[0] * _LN2, saves="y")
expm1_op = unary("expm1", np.expm1, lambda ctx, g: g * (ctx.outputs[0] + 1.0), saves="y")
log_op = unary("log", np.log, lambda ctx, g: g / ctx.inputs[0], saves="x")
log1p_op = unary("log1p", np.log1p, lambda ctx, g: g / (ctx.inputs[0] + 1.0), saves="x")
log2_op = unary("log2", np.log2, lambda ctx, g: g / (ctx.inputs[0] * _LN2), saves="x")
log10_op = unary("log10", np.log10, lambda ctx, g: g / (ctx.inputs[0] * _LN10), saves="x")
cbrt_op = unary("cbrt", np.cbrt, lambda ctx, g: g / (square(ctx.outputs[0]) * 3.0), saves="y")
sin_op = unary("sin", np.sin, lambda ctx, g: g * cos(ctx.inputs[0]), saves="x")
cos_op = unary("cos", np.cos, lambda ctx, g: -g * sin(ctx.inputs[0]), saves="x")
tan_op = unary("tan", np.tan, lambda ctx, g: g * (square(ctx.outputs[0]) + 1.0), saves="y")
arcsin_op = unary("arcsin", np.arcsin, lambda ctx, g: g * rsqrt(1.0 - square(ctx.inputs[0])), saves="x")
arccos_op = unary("arccos", np.arccos, lambda ctx, g: -g * rsqrt(1.0 - square(ctx.inputs[0])), saves="x")
arctan_op = unary("arctan", np.arctan, lambda ctx, g: g / (square(ctx.inputs[0]) + 1.0), saves="x")
sinh_op = unary("sinh", np.sinh, lambda ctx, g: g * cosh(ctx.inputs[0]), saves="x")
cosh_op = unary("cosh", np.cosh, lambda ctx, g: g * sinh(ctx.inputs[0]), saves="x")
arcsinh_op = unary("arcsinh", np.arcsinh, lambda ctx, g: g * rsqrt(square(ctx.inputs[0]) + 1.0), saves="x")
# (x-1)(x+1) rather than x^2-1, which cancels near 1.
arccosh_op = unary(
    "arccosh", np.arccosh, lambda ctx, g: g * rsqrt((ctx.inputs[0] - 1.0) * (ctx.inputs[0] + 1.0)), saves="x"
)
arctanh_op = unary("arctanh", np.arctanh, lambda ctx, g: g / (1.0 - square(ctx.inputs[0])), saves="x")
erf_op = unary("erf", None, lambda ctx, g: g * exp(-square(ctx.inputs[0])) * (2 / _ROOT_PI), saves="x")
erfc_op = unary("erfc", None, lambda ctx, g: -g * exp(-square(ctx.inputs[0])) * (2 / _ROOT_PI), saves="x")
erfinv_op = unary("erfinv", None, lambda ctx, g: g * exp(square(ctx.outputs[0])) * (_ROOT_PI / 2), saves="y")

# The gradient of tanh from its output, in one pass over memory.
tanh_grad_op = binary(
    "tanh_grad",
    lambda g, y: g * (1 - y * y),
    (
        lambda ctx, gg: tanh_grad_op(gg, ctx.inputs[1]),
        lambda ctx, gg: gg * ctx.inputs[0] * (ctx.inputs[1] * -2.0),
    ),
    inputs="g y",
    saves="g y",
)
tanh_op = unary("tanh", np.tanh, lambda ctx, g: tanh_grad_op(g, ctx.outputs[0]), saves="y", epilogue="tanh")

arctan2_op = binary(
    "arctan2",
    np.arctan2,
    (
        lambda ctx, g: g * ctx.inputs[1] / (square(ctx.inputs[0]) + square(ctx.inputs[1])),
        lambda ctx, g: -g * ctx.inputs[0] / (square(ctx.inputs[0]) + square(ctx.inputs[1])),
    ),
    saves="x1 x2",
)
logaddexp_op = binary(
    "logaddexp",
    np.logaddexp,
    (
        lambda ctx, g: g * exp(ctx.inputs[0] - ctx.outputs[0]),
        lambda ctx, g: g * exp(ctx.inputs[1] - ctx.outputs[0]),
    ),
    saves="x1 x2 y",
)
logaddexp2_op = binary(
    "logaddexp2",
    np.logaddexp2,
    (
        lambda ctx, g: g * exp2(ctx.inputs[0] - ctx.outputs[0]),
        lambda ctx, g: g * exp2(ctx.inputs[1] - ctx.outputs[0]),
    ),
    saves="x1 x2 y",
)


def _sinc_slope(ctx: Any, g: Any) -> Any:
    """(cos(pi x) - sinc(x)) / x, and its Taylor series near 0, where that cancels."""
    x = ctx.inputs[0]
    small = less(absolute(x), 0.1)
    away = where(small, 1.0, x)
    z = square(x * math.pi)
    series = 0.0
    for k in range(8, 0, -1):  # sum over k of (-1)^k 2k (pi x)^(2k) / (2k+1)! / x
        series = series * z + (-1) ** k * 2 * k / math.factorial(2 * k + 1)
    exact = (cos(away * math.pi) - sinc(away)) / away
    return g * where(small, series * x * math.pi**2, exact)


sinc_op = unary("sinc", np.sinc, _sinc_slope, saves="x")


def _bessel_i(x: np.ndarray, order: int) -> np.ndarray:
    """I_n(x) = 1/pi times the integral of exp(x cos t) cos(n t) over [0, pi].

    The trapezoidal rule converges geometrically on a periodic integrand; 256 points serve the whole range of double.
    """
    total = np.zeros(x.shape, np.float64)
    for k in range(256):
        t = 2 * math.pi * k / 256
        total += np.exp(x.astype(np.float64) * math.cos(t)) * math.cos(order * t)
    return (total / 256).astype(x.dtype)


bessel_i_op = define_op(
    "bessel_i",
    inputs="x",
    infer=lambda x, order: x,
    kernel=Host(_bessel_i),
    grad=(
        lambda ctx, g: (
            g
            * (
                bessel_i_op(ctx.inputs[0], order=abs(ctx.attrs["order"] - 1))
                + bessel_i_op(ctx.inputs[0], order=ctx.attrs["order"] + 1)
            )
            * 0.5
        ),
    ),
    saves="x",
    kind="elementwise",
)


def exp(x: Any) -> Any:
    """e to the power x.

    >>> import kerasish as keras
    >>> keras.ops.exp([0.0, 1.0]).numpy()
    array([1.       , 2.7182817], dtype=float32)
    """
    return exp_op(floating(x))


def exp2(x: Any) -> Any:
    """2 to the power x.

    >>> import kerasish as keras
    >>> keras.ops.exp2([0, 3]).tolist()
    [1.0, 8.0]
    """
    return exp2_op(floating(x))


def expm1(x: Any) -> Any:
    """exp(x) - 1, exact near 0 too.

    >>> import kerasish as keras
    >>> keras.ops.expm1(1e-6).item()
    1.0000004522225936e-06
    """
    return expm1_op(floating(x))


def log(x: Any) -> Any:
    """The natural logarithm; -inf at 0, NaN below.

    >>> import kerasish as keras
    >>> keras.ops.log([1.0, 0.0]).tolist()
    [0.0, -inf]
    """
    return log_op(floating(x))


def log1p(x: Any) -> Any:
    """log(1 + x), exact near 0 too.

    >>> import kerasish as keras
    >>> keras.ops.log1p(0.0).item()
    0.0
    """
    return log1p_op(floating(x))


def log2(x: Any) -> Any:
    """The logarithm to base 2, exact at powers of two.

    >>> import kerasish as keras
    >>> keras.ops.log2([1, 8]).tolist()
    [0.0, 3.0]
    """
    return log2_op(floating(x))


def log10(x: Any) -> Any:
    """The logarithm to base 10.

    >>> import kerasish as keras
    >>> keras.ops.log10([1.0, 100.0]).tolist()
    [0.0, 2.0]
    """
    return log10_op(floating(x))


def logaddexp(x1: Any, x2: Any) -> Any:
    """log(exp(x1) + exp(x2)), without overflow.

    >>> import kerasish as keras
    >>> keras.ops.logaddexp(0.0, 0.0).item()
    0.6931471824645996
    """
    return logaddexp_op(*floating_pair(x1, x2))


def logaddexp2(x1: Any, x2: Any) -> Any:
    """log2(2^x1 + 2^x2), without overflow.

    >>> import kerasish as keras
    >>> keras.ops.logaddexp2(1.0, 1.0).item()
    2.0
    """
    return logaddexp2_op(*floating_pair(x1, x2))


def cbrt(x: Any) -> Any:
    """The cube root, of negative numbers too.

    >>> import kerasish as keras
    >>> keras.ops.cbrt([8.0, -27.0]).tolist()
    [2.0, -3.0]
    """
    return cbrt_op(floating(x))


def sin(x: Any) -> Any:
    """The sine of x in radians.

    >>> import kerasish as keras
    >>> keras.ops.sin(0.0).item()
    0.0
    """
    return sin_op(floating(x))


def cos(x: Any) -> Any:
    """The cosine of x in radians.

    >>> import kerasish as keras
    >>> keras.ops.cos(0.0).item()
    1.0
    """
    return cos_op(floating(x))


def tan(x: Any) -> Any:
    """The tangent of x in radians.

    >>> import kerasish as keras
    >>> keras.ops.tan(0.0).item()
    0.0
    """
    return tan_op(floating(x))


def arcsin(x: Any) -> Any:
    """The angle in [-pi/2, pi/2] whose sine is x; NaN outside [-1, 1].

    >>> import kerasish as keras
    >>> keras.ops.arcsin(0.0).item()
    0.0
    """
    return arcsin_op(floating(x))


def arccos(x: Any) -> Any:
    """The angle in [0, pi] whose cosine is x; NaN outside [-1, 1].

    >>> import kerasish as keras
    >>> keras.ops.arccos(1.0).item()
    0.0
    """
    return arccos_op(floating(x))


def arctan(x: Any) -> Any:
    """The angle in [-pi/2, pi/2] whose tangent is x.

    >>> import kerasish as keras
    >>> keras.ops.arctan(0.0).item()
    0.0
    """
    return arctan_op(floating(x))


def arctan2(x1: Any, x2: Any) -> Any:
    """The angle in [-pi, pi] of the point with ordinate x1 and abscissa x2.

    >>> import kerasish as keras
    >>> keras.ops.arctan2(0.0, -1.0).item()
    3.1415927410125732
    """
    return arctan2_op(*floating_pair(x1, x2))


def sinh(x: Any) -> Any:
    """The hyperbolic sine.

    >>> import kerasish as keras
    >>> keras.ops.sinh(0.0).item()
    0.0
    """
    return sinh_op(floating(x))


def cosh(x: Any) -> Any:
    """The hyperbolic cosine.

    >>> import kerasish as keras
    >>> keras.ops.cosh(0.0).item()
    1.0
    """
    return cosh_op(floating(x))


def tanh(x: Any) -> Any:
    """The hyperbolic tangent.

    >>> import kerasish as keras
    >>> keras.ops.tanh([0.0, 100.0]).tolist()
    [0.0, 1.0]
    """
    return tanh_op(floating(x))


def arcsinh(x: Any) -> Any:
    """The inverse of sinh.

    >>> import kerasish as keras
    >>> keras.ops.arcsinh(0.0).item()
    0.0
    """
    return arcsinh_op(floating(x))


def arccosh(x: Any) -> Any:
    """The inverse of cosh; NaN below 1.

    >>> import kerasish as keras
    >>> keras.ops.arccosh(1.0).item()
    0.0
    """
    return arccosh_op(floating(x))


def arctanh(x: Any) -> Any:
    """The inverse of tanh; infinite at -1 and 1, NaN beyond.

    >>> import kerasish as keras
    >>> keras.ops.arctanh([0.0, 1.0]).tolist()
    [0.0, inf]
    """
    return arctanh_op(floating(x))


def erf(x: Any) -> Any:
    """The error function: 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    >>> import kerasish as keras
    >>> keras.ops.erf([0.0, 9.0]).tolist()
    [0.0, 1.0]
    """
    return erf_op(floating(x))


def erfc(x: Any) -> Any:
    """1 - erf(x), with full relative accuracy where erf(x) is close to 1.

    >>> import kerasish as keras
    >>> keras.ops.erfc([0.0, -9.0]).tolist()
    [1.0, 2.0]
    """
    return erfc_op(floating(x))


def erfinv(x: Any) -> Any:
    """The inverse of erf; infinite at -1 and 1, NaN beyond.

    >>> import kerasish as keras
    >>> keras.ops.erfinv([0.0, 1.0]).tolist()
    [0.0, inf]
    """
    return erfinv_op(floating(x))


def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), 1 at 0.

    >>> import kerasish as keras
    >>> keras.ops.sinc([0.0, 0.5]).numpy()
    array([1.        , 0.63661975], dtype=float32)
    """
    return sinc_op(floating(x))


def i0(x: Any) -> Any:
    """The modified Bessel function of the first kind, of order 0.

    >>> import kerasish as keras
    >>> keras.ops.i0(0.0).item()
    1.0
    """
    return bessel_i_op(floating(x), order=0)


def deg2rad(x: Any) -> Any:
    """Degrees to radians.

    >>> import kerasish as keras
    >>> keras.ops.deg2rad(180.0).item()
    3.1415927410125732
    """
    return floating(x) * (math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians to degrees.

    >>> import kerasish as keras
    >>> keras.ops.rad2deg(3.14159265).item()
    180.0
    """
    return floating(x) * (180 / math.pi)
