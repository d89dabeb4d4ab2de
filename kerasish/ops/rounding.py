"""Rounding to whole numbers and to decimals. Its gradient is 0 wherever it exists, so there is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.dtype import FLOATS
from ..engine.tensor import as_input, register_operators
from .axes import as_int
from .cast import cast
from .factories import floating, unary

__all__ = ["ceil", "floor", "round", "trunc"]

floor_op = unary("floor", np.floor, None)
ceil_op = unary("ceil", np.ceil, None)
trunc_op = unary("trunc", np.trunc, None)
round_op = unary("round", np.rint, None, kernel="rint")


def floor(x: Any) -> Any:
    """The largest whole number that is at most x, as a float. No gradient.

    >>> import kerasish as keras
    >>> keras.ops.floor([1.7, -1.2]).tolist()
    [1.0, -2.0]
    """
    return floor_op(floating(x))


def ceil(x: Any) -> Any:
    """The smallest whole number that is at least x, as a float. No gradient.

    >>> import kerasish as keras
    >>> keras.ops.ceil([1.2, -1.7]).tolist()
    [2.0, -1.0]
    """
    return ceil_op(floating(x))


def trunc(x: Any) -> Any:
    """x without its fraction; integers stay as they are. No gradient.

    >>> import kerasish as keras
    >>> keras.ops.trunc([1.7, -1.7]).tolist()
    [1.0, -1.0]
    """
    x = as_input(x)
    return trunc_op(x) if x.dtype in FLOATS else x


def round(x: Any, decimals: int = 0) -> Any:
    """x to the nearest number with so many decimals, ties to even; integers keep their dtype. No gradient.

    Args:
        x: a tensor.
        decimals: digits after the point; negative ones round to tens, hundreds, ...

    Raises:
        TypeError: where `decimals` is not an integer.

    >>> import kerasish as keras
    >>> keras.ops.round([0.5, 1.5, 2.346], 0).tolist(), keras.ops.round(1234, -2).item()
    ([0.0, 2.0, 2.0], 1200)
    """
    x, decimals = as_input(x), as_int("round", "decimals", decimals)
    if x.dtype not in FLOATS:
        if decimals >= 0:
            return x
        return cast(round_op(floating(x) / 10.0**-decimals) * 10.0**-decimals, x.dtype)
    if decimals == 0:
        return round_op(x)
    # By whole powers of ten, which are exact where 10^-n is not.
    factor = 10.0 ** math.fabs(decimals)
    return round_op(x * factor) / factor if decimals > 0 else round_op(x / factor) * factor


register_operators(round=round)
