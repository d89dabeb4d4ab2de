"""Gives Python's operators on tensors, variables and symbols their meaning."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import as_input, register_operators
from . import compare, indexing, math, matmul, shape


def _logical_or_bitwise(name: str) -> Any:
    """&, | and ^ are logical on bools and bitwise on integers, as in NumPy."""
    bitwise = getattr(math, f"bitwise_{name}")
    logical = getattr(compare, f"logical_{name}")

    def operator(x: Any, y: Any) -> Any:
        x, y = as_input(x), as_input(y)
        return logical(x, y) if x.dtype == y.dtype == "bool" else bitwise(x, y)

    return operator


def _invert(x: Any) -> Any:
    return compare.logical_not(x) if x.dtype == "bool" else math.bitwise_not(x)


register_operators(
    **{
        "add": math.add,
        "sub": math.subtract,
        "mul": math.multiply,
        "truediv": math.true_divide,
        "floordiv": math.floor_divide,
        "mod": math.mod,
        "pow": math.power,
        "matmul": matmul.matmul,
        "neg": math.negative,
        "abs": math.absolute,
        "round": math.round,
        "invert": _invert,
        "and": _logical_or_bitwise("and"),
        "or": _logical_or_bitwise("or"),
        "xor": _logical_or_bitwise("xor"),
        "lt": compare.less,
        "le": compare.less_equal,
        "gt": compare.greater,
        "ge": compare.greater_equal,
        "eq": compare.equal,
        "ne": compare.not_equal,
        "getitem": indexing.getitem,
        "reshape": shape.reshape,
        "squeeze": shape.squeeze,
    }
)
