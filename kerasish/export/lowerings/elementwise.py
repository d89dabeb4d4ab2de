"""Elementwise ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.dtype import FLOATS, INTEGERS
from ..family import Step
from ..writer import Writer
from .table import lowering, names

# op -> (ONNX operator, its attributes)
_UNARY: dict[str, tuple[str, dict[str, Any]]] = {
    "negative": ("Neg", {}), "absolute": ("Abs", {}), "sign": ("Sign", {}), "sqrt": ("Sqrt", {}),
    "reciprocal": ("Reciprocal", {}), "exp": ("Exp", {}), "log": ("Log", {}), "sin": ("Sin", {}), "cos": ("Cos", {}),
    "tan": ("Tan", {}), "arcsin": ("Asin", {}), "arccos": ("Acos", {}), "arctan": ("Atan", {}), "sinh": ("Sinh", {}),
    "cosh": ("Cosh", {}), "arcsinh": ("Asinh", {}), "arccosh": ("Acosh", {}), "arctanh": ("Atanh", {}),
    "erf": ("Erf", {}), "tanh": ("Tanh", {}), "relu": ("Relu", {}), "sigmoid": ("Sigmoid", {}),
    "softplus": ("Softplus", {}), "softsign": ("Softsign", {}), "logical_not": ("Not", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}), "bitwise_invert": ("BitwiseNot", {}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
}  # fmt: skip

_BINARY = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "power": "Pow", "maximum": "Max",
    "minimum": "Min", "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor",
    "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor",
}  # fmt: skip


def pointwise(w: Writer, x: str, kind: str, **attrs: Any) -> str:
    """An operator on one value. It goes before a transposition that made the value, which then meets that of the next
    convolution and is gone."""
    made = w.transposed(x)
    if made is None:
        return w.op(kind, x, **attrs)
    return w.transpose(w.op(kind, made[0], **attrs), made[1])


@lowering(*_UNARY)
def _unary(w: Writer, step: Step) -> str:
    kind, attrs = _UNARY[step.op]
    return pointwise(w, w.name(step.inputs[0]), kind, **attrs)


# Of bools, NumPy's sum and maximum are "or", and its product and minimum "and".
_OF_BOOLS = {"add": "Or", "maximum": "Or", "multiply": "And", "minimum": "And"}
_SAFE = {"float16", "float32", "float64", "int32", "int64"}  # what runtimes calculate with


def wide(dtype: str) -> str:
    """A dtype that runtimes calculate with and that holds all values of this one."""
    return dtype if dtype in _SAFE else "int64" if dtype in ("uint32", "uint64") else "int32"


@lowering(*_BINARY)
def _binary(w: Writer, step: Step) -> str:
    x, y = names(w, step)
    dtype, out, kind = step.inputs[0].dtype, step.outputs[0].dtype, _BINARY[step.op]
    if dtype == "bool" and step.op in _OF_BOOLS:
        return w.op(_OF_BOOLS[step.op], x, y)
    a, b = w.transposed(x), w.transposed(y)
    if dtype in _SAFE and a is not None and b is not None and a[1] == b[1]:  # it goes behind, as in `pointwise`
        return w.transpose(w.op(kind, a[0], b[0]), a[1])
    if dtype in _SAFE or kind == "Equal" or step.op.startswith(("logical", "bitwise")):
        return w.op(kind, x, y)
    z = w.op(kind, w.cast(x, wide(dtype)), w.cast(y, wide(dtype)))
    return z if out == "bool" else w.cast(z, out)


@lowering("copy", "stop_gradient")
def _same(w: Writer, step: Step) -> str:
    return w.name(step.inputs[0])


@lowering("not_equal")
def _not_equal(w: Writer, step: Step) -> str:
    return w.op("Not", w.op("Equal", *names(w, step)))


@lowering("leaky_relu", "elu")
def _slope(w: Writer, step: Step) -> str:
    x = w.name(step.inputs[0])
    if step.op == "elu":
        return pointwise(w, x, "Elu", alpha=step["alpha"])
    return pointwise(w, x, "LeakyRelu", alpha=step["negative_slope"])


@lowering("relu6")
def _relu6(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    name, low, high = w.name(x), w.scalar(0, x), w.scalar(6, x)
    made = w.transposed(name)
    if made is None:
        return w.op("Clip", name, low, high)
    return w.transpose(w.op("Clip", made[0], low, high), made[1])


@lowering("silu", "mish", "log_sigmoid", "gelu", "gelu_tanh")
def _gated(w: Writer, step: Step) -> str:
    ref = step.inputs[0]
    x = w.name(ref)
    if step.op == "silu":
        return w.op("Mul", x, w.op("Sigmoid", x))
    if step.op == "mish":
        return w.op("Mul", x, w.op("Tanh", w.op("Softplus", x)))
    if step.op == "log_sigmoid":
        return w.op("Neg", w.op("Softplus", w.op("Neg", x)))
    if step.op == "gelu":
        half = w.op("Mul", x, w.scalar(0.5, ref))
        return w.op(
            "Mul", half, w.op("Add", w.op("Erf", w.op("Mul", x, w.scalar(math.sqrt(0.5), ref))), w.scalar(1, ref))
        )
    # x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), which is x (1 + tanh(...)) / 2
    cube = w.op("Mul", w.op("Mul", x, x), w.op("Mul", x, w.scalar(0.044715, ref)))
    inner = w.op("Mul", w.op("Add", x, cube), w.scalar(2 * math.sqrt(2 / math.pi), ref))
    return w.op("Mul", x, w.op("Sigmoid", inner))


@lowering("square", "rsqrt", "exp2", "expm1", "log1p", "log2", "log10", "cbrt", "erfc", "sinc")
def _function(w: Writer, step: Step) -> str:
    ref = step.inputs[0]
    x, op = w.name(ref), step.op
    one = w.scalar(1, ref)
    if op == "square":
        return w.op("Mul", x, x)
    if op == "rsqrt":
        return w.op("Reciprocal", w.op("Sqrt", x))
    if op == "exp2":
        return w.op("Pow", w.scalar(2, ref), x)
    if op == "expm1":  # 2 exp(x / 2) sinh(x / 2), which cancels nothing near 0
        half = w.op("Mul", x, w.scalar(0.5, ref))
        return w.op("Mul", w.op("Mul", w.op("Exp", half), w.scalar(2, ref)), w.op("Sinh", half))
    if op == "log1p":  # with u = 1 + x rounded, log(u) x / (u - 1) is log(1 + x) (Kahan)
        u = w.op("Add", x, one)
        exact = w.op("Div", w.op("Mul", w.op("Log", u), x), w.op("Sub", u, one))
        usable = w.op("And", w.op("Not", w.op("Equal", u, one)), w.op("Not", w.op("IsInf", u)))
        return w.op("Where", usable, exact, w.op("Where", w.op("IsInf", u), u, x))
    if op in ("log2", "log10"):
        return w.op("Div", w.op("Log", x), w.scalar(math.log(2 if op == "log2" else 10), ref))
    if op == "cbrt":
        root = w.op("Pow", w.op("Abs", x), w.scalar(1 / 3, ref))
        return w.op("Mul", w.op("Sign", x), root)
    if op == "erfc":
        return w.op("Sub", one, w.op("Erf", x))
    angle = w.op("Mul", x, w.scalar(math.pi, ref))
    zero = w.op("Equal", x, w.scalar(0, ref))
    return w.op("Where", zero, one, w.op("Div", w.op("Sin", angle), w.op("Where", zero, one, angle)))


@lowering("floor", "ceil", "round", "trunc")
def _rounding(w: Writer, step: Step) -> str:
    ref = step.inputs[0]
    x = w.name(ref)
    if ref.dtype not in FLOATS:
        return x
    if step.op == "trunc":
        return w.op("Mul", w.op("Sign", x), w.op("Floor", w.op("Abs", x)))
    return w.op(step.op.capitalize(), x)


@lowering("isnan", "isinf", "isfinite", "signbit")
def _test(w: Writer, step: Step) -> str:
    ref = step.inputs[0]
    x = w.name(ref)
    if step.op == "signbit":
        below = w.op("Less", x, w.scalar(0, ref))
        if ref.dtype not in FLOATS:
            return below
        return w.op("Or", below, w.op("Less", w.op("Reciprocal", x), w.scalar(0, ref)))  # -0 has a sign, too
    if ref.dtype not in FLOATS:
        never = w.op("Not", w.op("Equal", x, x))
        return w.op("Not", never) if step.op == "isfinite" else never
    if step.op == "isnan":
        return w.op("IsNaN", x)
    if step.op == "isinf":
        return w.op("IsInf", x)
    return w.op("Not", w.op("Or", w.op("IsNaN", x), w.op("IsInf", x)))


@lowering("select")
def _select(w: Writer, step: Step) -> str:
    test, a, b = names(w, step)
    dtype = step.outputs[0].dtype
    held = "float32" if dtype == "float16" else wide(dtype)
    if held == dtype:
        return w.op("Where", test, a, b)
    return w.cast(w.op("Where", test, w.cast(a, held), w.cast(b, held)), dtype)


@lowering("cast")
def _cast(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    if x.dtype == step["dtype"]:
        return w.name(x)
    return w.cast(w.name(x), step["dtype"])


@lowering("saturate_cast")
def _saturate_cast(w: Writer, step: Step) -> str:
    from ...ops.saturate import _bounds

    x, dtype = step.inputs[0], step["dtype"]
    if x.dtype == "bool":
        return w.cast(w.name(x), dtype)
    low, high = _bounds(np.dtype(x.dtype), dtype)
    return w.cast(w.op("Min", w.op("Max", w.name(x), w.scalar(low, x)), w.scalar(high, x)), dtype)


def _wraps(w: Writer, step: Step, rest: str, y: str) -> str:
    """Whether the remainder of a division towards zero has not the divisor's sign."""
    zero = w.scalar(0, step.inputs[1])
    other = w.op("Xor", w.op("Less", rest, zero), w.op("Less", y, zero))
    return w.op("And", w.op("Not", w.op("Equal", rest, zero)), other)


@lowering("mod", "fmod", "floor_divide")
def _division(w: Writer, step: Step) -> str:
    x, y = names(w, step)
    ref = step.inputs[0]
    if ref.dtype in INTEGERS:
        if step.op != "floor_divide":
            return w.op("Mod", x, y, fmod=int(step.op == "fmod"))
        if ref.dtype.startswith("u"):
            return w.op("Div", x, y)
        rest = w.op("Mod", x, y, fmod=0)
        return w.op("Div", w.op("Sub", x, rest), y)
    if step.op == "floor_divide":
        return w.op("Floor", w.op("Div", x, y))
    rest = w.op("Mod", x, y, fmod=1)
    return rest if step.op == "fmod" else w.op("Where", _wraps(w, step, rest, y), w.op("Add", rest, y), rest)


@lowering("hypot", "logaddexp", "logaddexp2", "arctan2", "heaviside", "ldexp")
def _pair(w: Writer, step: Step) -> str:
    a, b = names(w, step)
    ref = step.inputs[0]
    zero, one = w.scalar(0, ref), w.scalar(1, ref)
    if step.op == "hypot":  # of the larger times sqrt(1 + ratio^2), so that no square overflows
        a, b = w.op("Abs", a), w.op("Abs", b)
        large, small = w.op("Max", a, b), w.op("Min", a, b)
        none = w.op("Equal", large, zero)
        ratio = w.op("Div", small, w.op("Where", none, one, large))
        return w.op("Mul", large, w.op("Sqrt", w.op("Add", w.op("Mul", ratio, ratio), one)))
    if step.op in ("logaddexp", "logaddexp2"):
        scale = w.scalar(1 if step.op == "logaddexp" else math.log(2), ref)
        gap = w.op("Mul", w.op("Abs", w.op("Sub", a, b)), scale)
        more = w.op("Log", w.op("Add", w.op("Exp", w.op("Neg", gap)), one))
        return w.op("Add", w.op("Max", a, b), w.op("Div", more, scale))
    if step.op == "arctan2":
        return _arctan2(w, step, a, b)
    if step.op == "heaviside":
        positive = w.cast(w.op("Greater", a, zero), ref.dtype)
        return w.op("Where", w.op("Equal", a, zero), b, positive)
    two = w.scalar(2, ref)
    return w.op("Mul", a, w.op("Pow", two, w.cast(b, ref.dtype)))


def _arctan2(w: Writer, step: Step, y: str, x: str) -> str:
    """atan(y / x), moved by pi where x is negative, and +-pi/2 where x is 0."""
    ref = step.inputs[0]
    zero, half = w.scalar(0, ref), w.scalar(math.pi / 2, ref)
    none = w.op("Equal", x, zero)
    angle = w.op("Atan", w.op("Div", y, w.op("Where", none, w.scalar(1, ref), x)))
    side = w.op("Where", w.op("Less", y, zero), w.scalar(-math.pi, ref), w.scalar(math.pi, ref))
    angle = w.op("Add", angle, w.op("Where", w.op("Less", x, zero), side, zero))
    return w.op("Where", none, w.op("Mul", w.op("Sign", y), half), angle)


@lowering("isclose", "allclose")
def _close(w: Writer, step: Step) -> str:
    a, b = names(w, step)
    ref = step.inputs[0]
    if ref.dtype not in FLOATS:
        a, b = w.cast(a, "float64"), w.cast(b, "float64")
        rtol, atol = (w.const(step[k], "float64") for k in ("rtol", "atol"))
    else:
        rtol, atol = (w.scalar(step[k], ref) for k in ("rtol", "atol"))
    near = w.op("LessOrEqual", w.op("Abs", w.op("Sub", a, b)), w.op("Add", atol, w.op("Mul", rtol, w.op("Abs", b))))
    near = w.op("And", near, w.op("Not", w.op("IsInf", b))) if ref.dtype in FLOATS else near
    near = w.op("Or", near, w.op("Equal", a, b))
    if step["equal_nan"] and ref.dtype in FLOATS:
        near = w.op("Or", near, w.op("And", w.op("IsNaN", a), w.op("IsNaN", b)))
    if step.op == "isclose":
        return near
    return w.cast(w.op("ReduceMin", w.cast(near, "int32"), keepdims=0), "bool")


@lowering("left_shift", "right_shift")
def _shift(w: Writer, step: Step) -> str:
    """ONNX shifts unsigned integers alone: a product with a power of two, and a division rounded down."""
    x, by = (w.cast(name, "int64") for name in names(w, step))
    power = w.cast(w.op("Pow", w.const(2.0, "float64"), w.cast(by, "float64")), "int64")
    if step.op == "left_shift":
        y = w.op("Mul", x, power)
    else:
        y = w.op("Div", w.op("Sub", x, w.op("Mod", x, power)), power)
    return w.cast(y, step.outputs[0].dtype)
