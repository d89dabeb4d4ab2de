"""Factories for elementwise ops: one line declares an op with its kernel, its NumPy form and its gradient.

Kernels exist for the dtypes that matter (float32 and float64, int32 and int64, bool); a NumPy function serves the rest,
and float16 is computed by the float32 kernel and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import core
from ..engine.config import floatx
from ..engine.dtype import FLOATS
from ..engine.errors import invalid
from ..engine.op import C, Op, define_op
from ..engine.spec import Spec, broadcast_shapes
from ..engine.tensor import as_input
from .cast import cast, promote, unbroadcast

REAL = {"complex64": "float32", "complex128": "float64"}  # dtype of the parts of a complex number
COMPLEX = frozenset(REAL)


def floating(x: Any) -> Any:
    """x as an operand of a function of real (or complex) numbers: integers and bools become `floatx`."""
    x = as_input(x)
    return x if x.dtype in FLOATS or x.dtype in COMPLEX else cast(x, floatx())


def floating_pair(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two operands in their common floating dtype; where both are integers or bools, that is `floatx`."""
    x1, x2 = promote(x1, x2)
    return floating(x1), floating(x2)


def numeric_pair(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two operands in their common dtype, bools counting as int32."""
    x1, x2 = promote(x1, x2)
    return (cast(x1, "int32"), cast(x2, "int32")) if x1.dtype == "bool" else (x1, x2)


def scalar(name: str, argument: str, value: Any) -> float:
    """An attribute that has to be a number, as a float.

    Raises:
        TypeError: for anything else.
    """
    try:
        return float(value)
    except (TypeError, ValueError):
        raise invalid(name, f"`{argument}` is a number", kind=TypeError, **{argument: value}) from None


def _host(op: str, kernel: str, fn: Callable | None, flat: Callable | None) -> Callable:
    """What runs where the registry has no kernel for the dtype, or the rank is more than kernels take."""

    def run(*arrays: np.ndarray, **attrs: Any) -> np.ndarray:
        half = any(a.dtype == np.float16 for a in arrays)
        found = core.find(kernel, "float32" if half else str(arrays[0].dtype))
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        if len(arrays) == 1:
            arrays = (arrays[0].reshape(-1),)
        if found is not None and (half or len(arrays) == 1) and arrays[0].ndim <= core.MAX_NDIM >= arrays[-1].ndim:
            y = core.empty(np.broadcast_shapes(*(a.shape for a in arrays)), "bool" if op in _BOOL else found.dtype)
            wide = tuple(np.asarray(a, np.float32, order="C") if half else a for a in arrays)
            core.run(found, wide, (y,), (), flat((), attrs) if flat else (), op)
            return y.astype(np.float16).reshape(shape) if half and op not in _BOOL else y.reshape(shape)
        if fn is None:
            raise invalid(
                op, f"there is no kernel for dtype {arrays[0].dtype}", kind=TypeError, dtype=str(arrays[0].dtype)
            )
        return np.reshape(fn(*arrays, **attrs), shape)

    return run


_BOOL: set[str] = set()  # names of the ops whose result is bool


def unary(
    name: str,
    host: Callable | None,
    grad: Callable | None,
    *,
    saves: str = "",
    kernel: str | None = None,
    f: Callable | None = None,
    result: str | None = None,
    epilogue: str = "",
) -> Op:
    """Declares y = op(x), element by element.

    Args:
        name: the op's name, and its kernel's unless `kernel` says otherwise.
        host: the NumPy function for dtypes without a kernel (called with the attributes, too), or None.
        grad: rule(ctx, g), or None where the op has no gradient.
        saves: what the rule reads, of "x y".
        f: (specs, attributes) -> the kernel's floating attributes.
        result: dtype of y where it is not that of x.
        epilogue: its name where matrix products and convolutions can compute it on the way, see `epilogue.py`.
    """
    if result == "bool":
        _BOOL.add(name)
    return define_op(
        name,
        inputs="x",
        infer=(lambda x, **attrs: Spec(x.shape, result)) if result else (lambda x, **attrs: x),
        kernel=C(kernel or name, f=f, host=_host(name, kernel or name, host, f)),
        grad=None if grad is None else (grad,),
        saves=saves,
        inplace=() if result else ((0, 0),),
        kind="elementwise",
        epilogue=epilogue,
    )


def broadcast_spec(name: str, specs: dict[str, Spec], dtype: str) -> Spec:
    """The Spec of an elementwise result of operands, by argument name.

    Raises:
        ValueError: where the shapes do not broadcast.
    """
    shape = broadcast_shapes(*(s.shape for s in specs.values()))
    if shape is None:
        raise invalid(name, "the shapes of the operands must broadcast", **specs)
    return Spec(shape, dtype)


def binary(
    name: str,
    host: Callable | None,
    grad: tuple[Callable | None, Callable | None] | None,
    *,
    saves: str = "",
    inputs: str = "x1 x2",
    result: str | None = None,
    no_bool: bool = False,
    neutral: tuple[float | None, float | None] = (None, None),
    traits: dict[str, Any] | None = None,
) -> Op:
    """Declares y = op(x1, x2) under NumPy's broadcasting, for operands of one dtype.

    Args:
        name: the op's and its kernel's name.
        host: the NumPy function for dtypes without a kernel, or None.
        grad: a rule(ctx, g) for each operand, in the broadcast shape (it is summed down here), or None.
        saves: what the rules read, of the inputs' names and "y".
        inputs: names of the operands.
        result: dtype of y where it is not that of the operands.
        no_bool: whether bools are refused.
        traits: see `define_op`.
        neutral: for each operand the number that leaves the other one as it is, bit for bit, or None.
    """
    first, second = inputs.split()
    if result == "bool":
        _BOOL.add(name)

    def infer(a: Spec, b: Spec) -> Spec:
        if a.dtype != b.dtype:
            raise invalid(name, "the operands must have one dtype", kind=TypeError, **{first: a.dtype, second: b.dtype})
        if no_bool and a.dtype == "bool":
            raise invalid(name, "bools are not numbers here; cast them first", kind=TypeError, dtype="bool")
        return broadcast_spec(name, {first: a, second: b}, result or a.dtype)

    def summed(rule: Callable | None, k: int) -> Callable | None:
        return None if rule is None else lambda ctx, g: unbroadcast(rule(ctx, g), ctx.specs[k])

    return define_op(
        name,
        inputs=inputs,
        infer=infer,
        kernel=C(name, host=_host(name, name, host, None)),
        grad=None if grad is None else tuple(summed(rule, k) for k, rule in enumerate(grad)),
        saves=saves,
        inplace=() if result else ((0, 0), (1, 0)),
        kind="elementwise",
        simplify=_drops_neutral(neutral) if neutral != (None, None) else None,
        traits=traits,
    )


def _drops_neutral(neutral: tuple[float | None, float | None]) -> Callable:
    def simplify(specs: Any, outs: Any, attrs: dict, constants: list) -> int | None:
        for k, number in enumerate(neutral):
            value = constants[k]
            if number is None or value is None or not value.size or not (value == number).all():
                continue
            if not np.signbit(value).any():  # x - -0.0 is 0.0 where x is -0.0
                return 1 - k
        return None

    return simplify


def comparison(name: str, host: Callable) -> Op:
    """Declares a test of two operands, which gives bool and has no gradient."""
    return binary(name, host, None, result="bool")
