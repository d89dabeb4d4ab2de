"""Tests and choices: comparisons, logic, kinds of numbers, closeness, `where` and `select`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import FLOATS
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input, register_operators
from .cast import cast, promote, unbroadcast
from .factories import binary, broadcast_spec, comparison, floating, scalar, unary

__all__ = [
    "allclose", "equal", "greater", "greater_equal", "heaviside", "isclose", "isfinite", "isinf", "isnan", "isneginf",
    "isposinf", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "nan_to_num",
    "not_equal", "select", "signbit", "where",
]  # fmt: skip

equal_op = comparison("equal", np.equal)
not_equal_op = comparison("not_equal", np.not_equal)
greater_op = comparison("greater", np.greater)
greater_equal_op = comparison("greater_equal", np.greater_equal)
less_op = comparison("less", np.less)
less_equal_op = comparison("less_equal", np.less_equal)
logical_and_op = comparison("logical_and", np.logical_and)
logical_or_op = comparison("logical_or", np.logical_or)
logical_xor_op = comparison("logical_xor", np.logical_xor)
logical_not_op = unary("logical_not", np.logical_not, None)
isnan_op = unary("isnan", np.isnan, None, result="bool")
isinf_op = unary("isinf", np.isinf, None, result="bool")
isfinite_op = unary("isfinite", np.isfinite, None, result="bool")
signbit_op = unary("signbit", np.signbit, None, result="bool")


def _select_infer(condition: Spec, x1: Spec, x2: Spec) -> Spec:
    if condition.dtype != "bool":
        raise invalid("where", "the condition is of dtype bool", kind=TypeError, condition=condition.dtype)
    if x1.dtype != x2.dtype:
        raise invalid("where", "`x1` and `x2` must have one dtype", kind=TypeError, x1=x1.dtype, x2=x2.dtype)
    return broadcast_spec("where", {"condition": condition, "x1": x1, "x2": x2}, x1.dtype)


select_op = define_op(
    "select",
    inputs="condition x1 x2",
    infer=_select_infer,
    kernel=C("select", dtype=1, host=np.where),
    grad=(
        None,
        lambda ctx, g: unbroadcast(where(ctx.inputs[0], g, 0), ctx.specs[1]),
        lambda ctx, g: unbroadcast(where(ctx.inputs[0], 0, g), ctx.specs[2]),
    ),
    saves="condition",
    inplace=((1, 0), (2, 0)),
    kind="elementwise",
)

heaviside_op = binary(
    "heaviside",
    np.heaviside,
    (None, lambda ctx, g: where(equal(ctx.inputs[0], 0), g, 0)),
    saves="x1",
)
_CLOSENESS = {"rtol": "relative", "atol": "absolute"}


def _close_infer(name: str, whole: bool):
    def infer(x1: Spec, x2: Spec, rtol: float, atol: float, equal_nan: bool) -> Spec:
        spec = broadcast_spec(name, {"x1": x1, "x2": x2}, "bool")
        return Spec((), "bool") if whole else spec

    return infer


isclose_op = define_op(
    "isclose",
    inputs="x1 x2",
    infer=_close_infer("isclose", False),
    kernel=Host(np.isclose),
    grad=None,
    kind="elementwise",
)
allclose_op = define_op(
    "allclose",
    inputs="x1 x2",
    infer=_close_infer("allclose", True),
    kernel=Host(lambda x1, x2, **how: np.asarray(np.allclose(x1, x2, **how))),
    grad=None,
    kind="reduce",
)


def equal(x1: Any, x2: Any) -> Any:
    """Whether x1 == x2, element by element. Shapes broadcast.

    Raises:
        ValueError: where the shapes do not broadcast.

    >>> import kerasish as keras
    >>> keras.ops.equal([1, 2], [1, 3]).tolist()
    [True, False]
    """
    return equal_op(*promote(x1, x2))


def not_equal(x1: Any, x2: Any) -> Any:
    """Whether x1 != x2, element by element; true for NaN.

    >>> import kerasish as keras
    >>> keras.ops.not_equal([1, 2], [1, 3]).tolist()
    [False, True]
    """
    return not_equal_op(*promote(x1, x2))


def greater(x1: Any, x2: Any) -> Any:
    """Whether x1 > x2, element by element.

    >>> import kerasish as keras
    >>> keras.ops.greater([1, 3], 2).tolist()
    [False, True]
    """
    return greater_op(*promote(x1, x2))


def greater_equal(x1: Any, x2: Any) -> Any:
    """Whether x1 >= x2, element by element.

    >>> import kerasish as keras
    >>> keras.ops.greater_equal([1, 2], 2).tolist()
    [False, True]
    """
    return greater_equal_op(*promote(x1, x2))


def less(x1: Any, x2: Any) -> Any:
    """Whether x1 < x2, element by element.

    >>> import kerasish as keras
    >>> keras.ops.less([1, 3], 2).tolist()
    [True, False]
    """
    return less_op(*promote(x1, x2))


def less_equal(x1: Any, x2: Any) -> Any:
    """Whether x1 <= x2, element by element.

    >>> import kerasish as keras
    >>> keras.ops.less_equal([1, 2, 3], 2).tolist()
    [True, True, False]
    """
    return less_equal_op(*promote(x1, x2))


def logical_and(x1: Any, x2: Any) -> Any:
    """Whether both are true; numbers are true where they are not 0.

    >>> import kerasish as keras
    >>> keras.ops.logical_and([True, True], [1, 0]).tolist()
    [True, False]
    """
    return logical_and_op(cast(x1, "bool"), cast(x2, "bool"))


def logical_or(x1: Any, x2: Any) -> Any:
    """Whether one of them is true, or both.

    >>> import kerasish as keras
    >>> keras.ops.logical_or([True, False], False).tolist()
    [True, False]
    """
    return logical_or_op(cast(x1, "bool"), cast(x2, "bool"))


def logical_xor(x1: Any, x2: Any) -> Any:
    """Whether exactly one of them is true.

    >>> import kerasish as keras
    >>> keras.ops.logical_xor([True, False], True).tolist()
    [False, True]
    """
    return logical_xor_op(cast(x1, "bool"), cast(x2, "bool"))


def logical_not(x: Any) -> Any:
    """Whether x is false (0).

    >>> import kerasish as keras
    >>> keras.ops.logical_not([True, False]).tolist()
    [False, True]
    """
    return logical_not_op(cast(x, "bool"))


def isnan(x: Any) -> Any:
    """Whether x is NaN.

    >>> import kerasish as keras
    >>> keras.ops.isnan([1.0, float("nan")]).tolist()
    [False, True]
    """
    return isnan_op(x)


def isinf(x: Any) -> Any:
    """Whether x is inf or -inf.

    >>> import kerasish as keras
    >>> keras.ops.isinf([1.0, float("-inf")]).tolist()
    [False, True]
    """
    return isinf_op(x)


def isfinite(x: Any) -> Any:
    """Whether x is neither infinite nor NaN.

    >>> import kerasish as keras
    >>> keras.ops.isfinite([1.0, float("inf"), float("nan")]).tolist()
    [True, False, False]
    """
    return isfinite_op(x)


def isposinf(x: Any) -> Any:
    """Whether x is inf.

    >>> import kerasish as keras
    >>> keras.ops.isposinf([float("inf"), float("-inf")]).tolist()
    [True, False]
    """
    return equal(floating(x), float("inf"))


def isneginf(x: Any) -> Any:
    """Whether x is -inf.

    >>> import kerasish as keras
    >>> keras.ops.isneginf([float("inf"), float("-inf")]).tolist()
    [False, True]
    """
    return equal(floating(x), float("-inf"))


def signbit(x: Any) -> Any:
    """Whether the sign bit of x is set: of negative numbers and of -0.0.

    >>> import kerasish as keras
    >>> keras.ops.signbit([1.0, -0.0, -2.0]).tolist()
    [False, True, True]
    """
    x = as_input(x)
    return signbit_op(cast(x, "int32") if x.dtype == "bool" else x)


def heaviside(x1: Any, x2: Any) -> Any:
    """0 where x1 < 0, 1 where x1 > 0, x2 where x1 is 0.

    >>> import kerasish as keras
    >>> keras.ops.heaviside([-1.0, 0.0, 2.0], 0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    x1, x2 = promote(x1, x2)
    return heaviside_op(floating(x1), floating(x2))


def _tolerances(name: str, **tolerances: Any) -> dict[str, float]:
    out = {}
    for key, value in tolerances.items():
        out[key] = scalar(name, key, value)
        if not out[key] >= 0:
            raise invalid(name, f"the {_CLOSENESS[key]} tolerance `{key}` is at least 0", **{key: value})
    return out


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether |x1 - x2| <= atol + rtol |x2|; infinities are close to themselves.

    Args:
        x1, x2: tensors whose shapes broadcast.
        rtol, atol: relative and absolute tolerance, at least 0.
        equal_nan: whether NaN counts as close to NaN.

    >>> import kerasish as keras
    >>> keras.ops.isclose([1.0, 2.0], [1.0 + 1e-7, 2.1]).tolist()
    [True, False]
    """
    return isclose_op(*promote(x1, x2), **_tolerances("isclose", rtol=rtol, atol=atol), equal_nan=bool(equal_nan))


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether `isclose` holds for all elements, as a bool scalar.

    >>> import kerasish as keras
    >>> bool(keras.ops.allclose([1.0, 2.0], [1.0, 2.0 + 1e-6]))
    True
    """
    return allclose_op(*promote(x1, x2), **_tolerances("allclose", rtol=rtol, atol=atol), equal_nan=bool(equal_nan))


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, x2 elsewhere; all three broadcast. Without x1 and x2, the indices where it holds.

    Args:
        condition: bools, or numbers that count as true where they are not 0.
        x1, x2: both or neither.

    Returns:
        A tensor of the common dtype of x1 and x2; without them, as `nonzero`, a tuple of index tensors.

    Raises:
        ValueError: where only one of x1 and x2 is given, or where shapes do not broadcast.

    >>> import kerasish as keras
    >>> keras.ops.where([True, False], [1.0, 2.0], 0.0).tolist()
    [1.0, 0.0]
    """
    if x1 is None and x2 is None:
        from .sort import nonzero

        return nonzero(condition)
    if x1 is None or x2 is None:
        raise invalid("where", "`x1` and `x2` are given both, or neither", x1=x1, x2=x2)
    return select_op(cast(condition, "bool"), *promote(x1, x2))


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """For every element, the choice that belongs to the first condition that holds, or the default.

    Args:
        condlist, choicelist: sequences of equal length, of bool tensors and of tensors.
        default: what stands where no condition holds.

    Raises:
        ValueError: where the sequences are empty or differ in length.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor([0, 1, 2, 3, 4])
    >>> keras.ops.select([x < 2, x > 3], [x, x * 10], 7).tolist()
    [0, 1, 7, 7, 40]
    """
    if not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise invalid("select", "`condlist` and `choicelist` are lists", condlist=condlist, choicelist=choicelist)
    if not condlist or len(condlist) != len(choicelist):
        raise invalid(
            "select", "there is one choice for each condition, and at least one",
            conditions=len(condlist), choices=len(choicelist),
        )  # fmt: skip
    *choices, out = promote(*choicelist, default)
    for condition, choice in zip(reversed(condlist), reversed(choices)):
        out = where(condition, choice, out)
    return out


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with NaN and the infinities replaced.

    Args:
        x: a tensor; integers are returned as they are.
        nan: what replaces NaN.
        posinf, neginf: what replaces inf and -inf; by default the largest and the lowest finite number.

    >>> import kerasish as keras
    >>> keras.ops.nan_to_num([1.0, float("nan"), float("-inf")], neginf=-9.0).tolist()
    [1.0, 0.0, -9.0]
    """
    x = as_input(x)
    if x.dtype not in FLOATS:
        return x
    limits = np.finfo(x.dtype)
    x = where(isnan(x), nan, x)
    x = where(isposinf(x), float(limits.max) if posinf is None else posinf, x)
    return where(isneginf(x), float(limits.min) if neginf is None else neginf, x)


def _is_operand(x: Any) -> bool:
    return x is not None and not isinstance(x, (str, bytes, type))


register_operators(
    # What is no number is simply not equal, so that `x == None` and `x in [...]` work.
    eq=lambda x, y: equal(x, y) if _is_operand(y) else False,
    ne=lambda x, y: not_equal(x, y) if _is_operand(y) else True,
    lt=less,
    le=less_equal,
    gt=greater,
    ge=greater_equal,
)
