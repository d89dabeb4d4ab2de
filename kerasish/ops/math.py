"""Arithmetic: sums, products, quotients, powers, extremes, and their Python operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS
from ..engine.errors import invalid
from ..engine.op import Host, define_op, get_op
from ..engine.spec import Spec
from ..engine.tensor import as_input, register_operators
from .cast import cast, promote, unbroadcast
from .compare import equal, greater, greater_equal, isnan, logical_or, where
from .factories import COMPLEX, REAL, binary, broadcast_spec, floating, floating_pair, numeric_pair, unary
from .rounding import trunc

__all__ = [
    "abs", "absolute", "add", "clip", "divide", "divide_no_nan", "fabs", "floor_divide", "fmax", "fmin", "fmod",
    "gcd", "hypot", "lcm", "ldexp", "maximum", "minimum", "mod", "multiply", "negative", "nextafter", "power",
    "reciprocal", "rsqrt", "sign", "sqrt", "square", "subtract", "true_divide",
]  # fmt: skip

add_op = binary("add", np.add, (lambda ctx, g: g, lambda ctx, g: g))
subtract_op = binary("subtract", np.subtract, (lambda ctx, g: g, lambda ctx, g: -g), no_bool=True, neutral=(None, 0.0))
multiply_op = binary(
    "multiply",
    np.multiply,
    (lambda ctx, g: g * ctx.inputs[1], lambda ctx, g: g * ctx.inputs[0]),
    saves="x1 x2",
    neutral=(1.0, 1.0),
)
divide_op = binary(
    "divide",
    np.true_divide,
    (lambda ctx, g: g / ctx.inputs[1], lambda ctx, g: -(g / ctx.inputs[1]) * ctx.outputs[0]),
    saves="x2 y",
    neutral=(None, 1.0),
)
floor_divide_op = binary("floor_divide", np.floor_divide, None, no_bool=True)
mod_op = binary(
    "mod",
    np.mod,
    (lambda ctx, g: g, lambda ctx, g: -g * floor_divide(ctx.inputs[0], ctx.inputs[1])),
    saves="x1 x2",
    no_bool=True,
)
fmod_op = binary(
    "fmod",
    np.fmod,
    (lambda ctx, g: g, lambda ctx, g: -g * trunc(ctx.inputs[0] / ctx.inputs[1])),
    saves="x1 x2",
    no_bool=True,
)


def _power_base(ctx: Any, g: Any) -> Any:
    """x2 x1^(x2-1), but 0 where x2 is 0, whatever x1 is."""
    x1, x2 = ctx.inputs
    return g * where(equal(x2, 0), 0.0, x2 * power(x1, where(equal(x2, 0), 1.0, x2 - 1)))


def _power_exponent(ctx: Any, g: Any) -> Any:
    """x1^x2 log(x1), with log(0) as 0 because 0^x2 is flat."""
    x1 = ctx.inputs[0]
    return g * ctx.outputs[0] * get_op("log")(where(equal(x1, 0), 1.0, x1))


power_op = binary("power", np.power, (_power_base, _power_exponent), saves="x1 x2 y", no_bool=True)


def _share(a: Any, b: Any, g: Any) -> Any:
    """g where a > b, half of it at ties."""
    return g * ((cast(greater(a, b), g.dtype) + cast(greater_equal(a, b), g.dtype)) * 0.5)


maximum_op = binary(
    "maximum",
    np.maximum,
    (lambda ctx, g: _share(*ctx.inputs, g), lambda ctx, g: _share(ctx.inputs[1], ctx.inputs[0], g)),
    saves="x1 x2",
)
minimum_op = binary(
    "minimum",
    np.minimum,
    (lambda ctx, g: _share(ctx.inputs[1], ctx.inputs[0], g), lambda ctx, g: _share(*ctx.inputs, g)),
    saves="x1 x2",
)
hypot_op = binary(
    "hypot",
    np.hypot,
    (lambda ctx, g: g * ctx.inputs[0] / ctx.outputs[0], lambda ctx, g: g * ctx.inputs[1] / ctx.outputs[0]),
    saves="x1 x2 y",
)
nextafter_op = binary("nextafter", np.nextafter, None)
gcd_op = binary("gcd", np.gcd, None)
lcm_op = binary("lcm", np.lcm, None)
ldexp_op = define_op(
    "ldexp",
    inputs="x1 x2",
    infer=lambda x1, x2: broadcast_spec("ldexp", {"x1": x1, "x2": x2}, x1.dtype),
    kernel=Host(np.ldexp),
    grad=(lambda ctx, g: unbroadcast(ldexp(g, ctx.inputs[1]), ctx.specs[0]), None),
    saves="x2",
    kind="elementwise",
)


negative_op = unary("negative", np.negative, lambda ctx, g: -g)
absolute_op = unary("absolute", np.absolute, lambda ctx, g: g * sign(ctx.inputs[0]), saves="x")
modulus_op = define_op(
    "modulus",
    inputs="x",
    infer=lambda x: Spec(x.shape, REAL[x.dtype]),
    kernel=Host(np.absolute),
    grad=None,
    kind="elementwise",
)
sign_op = unary("sign", np.sign, None)
square_op = unary("square", np.square, lambda ctx, g: g * (ctx.inputs[0] * 2.0), saves="x")
sqrt_op = unary("sqrt", np.sqrt, lambda ctx, g: g * 0.5 / ctx.outputs[0], saves="y")
rsqrt_op = unary(
    "rsqrt", lambda x: 1 / np.sqrt(x), lambda ctx, g: g * -0.5 * ctx.outputs[0] / ctx.inputs[0], saves="x y"
)
reciprocal_op = unary("reciprocal", np.reciprocal, lambda ctx, g: -g * square(ctx.outputs[0]), saves="y")


def add(x1: Any, x2: Any) -> Any:
    """x1 + x2. Shapes broadcast; dtypes are promoted, Python numbers taking the other operand's.

    Raises:
        ValueError: where the shapes do not broadcast.

    >>> import kerasish as keras
    >>> keras.ops.add([[1, 2], [3, 4]], [10, 20]).tolist()
    [[11, 22], [13, 24]]
    """
    return add_op(*promote(x1, x2))


def subtract(x1: Any, x2: Any) -> Any:
    """x1 - x2. Shapes broadcast; dtypes are promoted.

    Raises:
        ValueError: where the shapes do not broadcast.
        TypeError: where both are bools.

    >>> import kerasish as keras
    >>> keras.ops.subtract([5, 7], 2).tolist()
    [3, 5]
    """
    return subtract_op(*promote(x1, x2))


def multiply(x1: Any, x2: Any) -> Any:
    """x1 x2, element by element. Shapes broadcast; dtypes are promoted.

    Raises:
        ValueError: where the shapes do not broadcast.

    >>> import kerasish as keras
    >>> keras.ops.multiply([1.5, 2.0], 2).tolist()
    [3.0, 4.0]
    """
    return multiply_op(*promote(x1, x2))


def divide(x1: Any, x2: Any) -> Any:
    """x1 / x2. Integers give `floatx`; a division by zero gives inf or NaN.

    Raises:
        ValueError: where the shapes do not broadcast.

    >>> import kerasish as keras
    >>> keras.ops.divide([3, 5], 2).tolist()
    [1.5, 2.5]
    """
    return divide_op(*floating_pair(x1, x2))


def true_divide(x1: Any, x2: Any) -> Any:
    """Alias of `divide`.

    >>> import kerasish as keras
    >>> keras.ops.true_divide(1, 4).item()
    0.25
    """
    return divide(x1, x2)


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, but 0 wherever x2 is 0; the gradient is 0 there, too.

    >>> import kerasish as keras
    >>> keras.ops.divide_no_nan([1.0, 2.0], [0.0, 4.0]).tolist()
    [0.0, 0.5]
    """
    x1, x2 = floating_pair(x1, x2)
    zero = equal(x2, 0)
    return where(zero, 0.0, divide_op(x1, where(zero, 1.0, x2)))


def floor_divide(x1: Any, x2: Any) -> Any:
    """The floor of x1 / x2. Integers stay integers, and 0 where x2 is 0. No gradient.

    >>> import kerasish as keras
    >>> keras.ops.floor_divide([7, -7], 2).tolist()
    [3, -4]
    """
    return floor_divide_op(*numeric_pair(x1, x2))


def mod(x1: Any, x2: Any) -> Any:
    """The remainder of `floor_divide`, with the sign of x2; an integer modulo 0 is 0.

    >>> import kerasish as keras
    >>> keras.ops.mod([7, -7], 3).tolist()
    [1, 2]
    """
    return mod_op(*numeric_pair(x1, x2))


def fmod(x1: Any, x2: Any) -> Any:
    """The remainder of a division that truncates, with the sign of x1 (C's fmod).

    >>> import kerasish as keras
    >>> keras.ops.fmod([7.0, -7.0], 3.0).tolist()
    [1.0, -1.0]
    """
    return fmod_op(*numeric_pair(x1, x2))


def power(x1: Any, x2: Any) -> Any:
    """x1 to the power x2. A negative float to a fractional power is NaN.

    >>> import kerasish as keras
    >>> keras.ops.power([1.0, 2.0, 3.0], 2).tolist()
    [1.0, 4.0, 9.0]
    """
    return power_op(*numeric_pair(x1, x2))


def maximum(x1: Any, x2: Any) -> Any:
    """The larger of the two, NaN where either is. At a tie each gets half of the gradient.

    >>> import kerasish as keras
    >>> keras.ops.maximum([1, 5], [3, 2]).tolist()
    [3, 5]
    """
    return maximum_op(*promote(x1, x2))


def minimum(x1: Any, x2: Any) -> Any:
    """The smaller of the two, NaN where either is. At a tie each gets half of the gradient.

    >>> import kerasish as keras
    >>> keras.ops.minimum([1, 5], [3, 2]).tolist()
    [1, 2]
    """
    return minimum_op(*promote(x1, x2))


def fmax(x1: Any, x2: Any) -> Any:
    """The larger of the two, ignoring a NaN where the other is a number.

    >>> import kerasish as keras
    >>> keras.ops.fmax([1.0, float("nan")], [3.0, 2.0]).tolist()
    [3.0, 2.0]
    """
    x1, x2 = promote(x1, x2)
    return where(logical_or(greater(x1, x2), isnan(x2)), x1, x2)


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of the two, ignoring a NaN where the other is a number.

    >>> import kerasish as keras
    >>> keras.ops.fmin([1.0, float("nan")], [3.0, 2.0]).tolist()
    [1.0, 2.0]
    """
    x1, x2 = promote(x1, x2)
    return where(logical_or(greater(x2, x1), isnan(x2)), x1, x2)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x limited to [x_min, x_max], in x's dtype (bools become int32).

    Args:
        x: a tensor.
        x_min, x_max: numbers or tensors that broadcast with x; None for no limit.

    >>> import kerasish as keras
    >>> keras.ops.clip([-2.0, 0.5, 3.0], 0.0, 1.0).tolist()
    [0.0, 0.5, 1.0]
    """
    x = as_input(x)
    dtype = "int32" if x.dtype == "bool" else x.dtype
    x = cast(x, dtype)
    if x_min is not None:
        x = maximum(x, x_min)
    if x_max is not None:
        x = minimum(x, x_max)
    return cast(x, dtype)


def hypot(x1: Any, x2: Any) -> Any:
    """sqrt(x1^2 + x2^2) without overflow on the way.

    >>> import kerasish as keras
    >>> keras.ops.hypot(3.0, 4.0).item()
    5.0
    """
    return hypot_op(*floating_pair(x1, x2))


def nextafter(x1: Any, x2: Any) -> Any:
    """The next floating-point number after x1 towards x2.

    >>> import kerasish as keras
    >>> keras.ops.nextafter(1.0, 2.0).item() - 1
    1.1920928955078125e-07
    """
    return nextafter_op(*floating_pair(x1, x2))


def _integers(name: str, x1: Any, x2: Any) -> tuple[Any, Any]:
    x1, x2 = numeric_pair(x1, x2)
    if x1.dtype not in INTEGERS:
        raise invalid(name, "the operands are integers", kind=TypeError, dtype=x1.dtype)
    return x1, x2


def gcd(x1: Any, x2: Any) -> Any:
    """The greatest common divisor of integers.

    Raises:
        TypeError: where an operand is not of an integer dtype.

    >>> import kerasish as keras
    >>> keras.ops.gcd([12, 18], 8).tolist()
    [4, 2]
    """
    return gcd_op(*_integers("gcd", x1, x2))


def lcm(x1: Any, x2: Any) -> Any:
    """The least common multiple of integers.

    Raises:
        TypeError: where an operand is not of an integer dtype.

    >>> import kerasish as keras
    >>> keras.ops.lcm([4, 6], 10).tolist()
    [20, 30]
    """
    return lcm_op(*_integers("lcm", x1, x2))


def ldexp(x1: Any, x2: Any) -> Any:
    """x1 2^x2 for an integer x2.

    Raises:
        TypeError: where x2 is not of an integer dtype.

    >>> import kerasish as keras
    >>> keras.ops.ldexp([0.5, 3.0], [2, -1]).tolist()
    [2.0, 1.5]
    """
    x2 = as_input(x2)
    if x2.dtype not in INTEGERS:
        raise invalid("ldexp", "the exponent `x2` is of an integer dtype", kind=TypeError, dtype=x2.dtype)
    return ldexp_op(floating(x1), x2)


def negative(x: Any) -> Any:
    """-x.

    >>> import kerasish as keras
    >>> keras.ops.negative([1, -2]).tolist()
    [-1, 2]
    """
    return negative_op(x)


def absolute(x: Any) -> Any:
    """The absolute value; the modulus of complex numbers. Its gradient at 0 is 0.

    >>> import kerasish as keras
    >>> keras.ops.absolute([-1.5, 2.0]).tolist()
    [1.5, 2.0]
    """
    x = as_input(x)
    if x.dtype in COMPLEX:
        return modulus_op(x)
    return x if x.dtype == "bool" else absolute_op(x)


def abs(x: Any) -> Any:
    """Alias of `absolute`.

    >>> import kerasish as keras
    >>> keras.ops.abs(-3).item()
    3
    """
    return absolute(x)


def fabs(x: Any) -> Any:
    """The absolute value as a float.

    >>> import kerasish as keras
    >>> keras.ops.fabs([-1, 2]).tolist()
    [1.0, 2.0]
    """
    return absolute_op(floating(x))


def sign(x: Any) -> Any:
    """-1, 0 or 1 by the sign of x; NaN for NaN. No gradient.

    >>> import kerasish as keras
    >>> keras.ops.sign([-3.0, 0.0, 5.0]).tolist()
    [-1.0, 0.0, 1.0]
    """
    x = as_input(x)
    return sign_op(cast(x, "int32") if x.dtype == "bool" else x)


def square(x: Any) -> Any:
    """x^2; bools become int32.

    >>> import kerasish as keras
    >>> keras.ops.square([2, -3]).tolist()
    [4, 9]
    """
    x = as_input(x)
    return square_op(cast(x, "int32") if x.dtype == "bool" else x)


def sqrt(x: Any) -> Any:
    """The square root; NaN below 0.

    >>> import kerasish as keras
    >>> keras.ops.sqrt([4, 9]).tolist()
    [2.0, 3.0]
    """
    return sqrt_op(floating(x))


def rsqrt(x: Any) -> Any:
    """1 / sqrt(x); inf at 0, NaN below.

    >>> import kerasish as keras
    >>> keras.ops.rsqrt([1.0, 4.0]).tolist()
    [1.0, 0.5]
    """
    return rsqrt_op(floating(x))


def reciprocal(x: Any) -> Any:
    """1 / x.

    >>> import kerasish as keras
    >>> keras.ops.reciprocal([2.0, -4.0]).tolist()
    [0.5, -0.25]
    """
    return reciprocal_op(floating(x))


register_operators(
    add=add,
    sub=subtract,
    mul=multiply,
    truediv=divide,
    floordiv=floor_divide,
    mod=mod,
    pow=power,
    neg=negative,
    abs=absolute,
)
