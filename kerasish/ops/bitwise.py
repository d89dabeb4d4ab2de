"""Operations on the bits of integers (and on bools), and the operators &, |, ^ and ~."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS
from ..engine.errors import invalid
from ..engine.tensor import as_input, register_operators
from .cast import promote
from .compare import logical_and_op, logical_not_op, logical_or_op, logical_xor_op
from .factories import binary, numeric_pair, unary

__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "left_shift", "right_shift",
]  # fmt: skip

bitwise_and_op = binary("bitwise_and", np.bitwise_and, None, inputs="x y")
bitwise_or_op = binary("bitwise_or", np.bitwise_or, None, inputs="x y")
bitwise_xor_op = binary("bitwise_xor", np.bitwise_xor, None, inputs="x y")
bitwise_invert_op = unary("bitwise_invert", np.invert, None)


def _left(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """NumPy's shift gives 0 for counts of the width and more already; negative counts do the same here."""
    return np.where((y < 0) if y.dtype.kind == "i" else False, 0, np.left_shift(x, y)).astype(x.dtype)


def _right(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A negative count shifts everything out, as one of the width does: 0, or -1 for negative x."""
    width = x.dtype.itemsize * 8 - 1
    return np.right_shift(x, np.where(y < 0, width, y).astype(y.dtype) if y.dtype.kind == "i" else y)


left_shift_op = binary("left_shift", _left, None, inputs="x y", no_bool=True)
right_shift_op = binary("right_shift", _right, None, inputs="x y", no_bool=True)


def _bits(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    x, y = promote(x, y)
    if x.dtype != "bool" and x.dtype not in INTEGERS:
        raise invalid(name, "the operands are integers or bools", kind=TypeError, dtype=x.dtype)
    return x, y


def bitwise_and(x: Any, y: Any) -> Any:
    """The bits that are set in both.

    Raises:
        TypeError: where an operand is neither integer nor bool.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_and(12, 10).item()
    8
    """
    x, y = _bits("bitwise_and", x, y)
    return logical_and_op(x, y) if x.dtype == "bool" else bitwise_and_op(x, y)


def bitwise_or(x: Any, y: Any) -> Any:
    """The bits that are set in one of them, or in both.

    Raises:
        TypeError: where an operand is neither integer nor bool.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_or(12, 10).item()
    14
    """
    x, y = _bits("bitwise_or", x, y)
    return logical_or_op(x, y) if x.dtype == "bool" else bitwise_or_op(x, y)


def bitwise_xor(x: Any, y: Any) -> Any:
    """The bits that are set in exactly one of them.

    Raises:
        TypeError: where an operand is neither integer nor bool.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_xor(12, 10).item()
    6
    """
    x, y = _bits("bitwise_xor", x, y)
    return logical_xor_op(x, y) if x.dtype == "bool" else bitwise_xor_op(x, y)


def bitwise_invert(x: Any) -> Any:
    """All bits flipped: -x - 1 of signed integers, `not` of bools.

    Raises:
        TypeError: where x is neither integer nor bool.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_invert(5).item()
    -6
    """
    x = as_input(x)
    if x.dtype == "bool":
        return logical_not_op(x)
    if x.dtype not in INTEGERS:
        raise invalid("bitwise_invert", "the operand is an integer or bool", kind=TypeError, dtype=x.dtype)
    return bitwise_invert_op(x)


def bitwise_not(x: Any) -> Any:
    """Alias of `bitwise_invert`.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_not(0).item()
    -1
    """
    return bitwise_invert(x)


def left_shift(x: Any, y: Any) -> Any:
    """The bits of x moved y places up; 0 where y is negative or at least the width.

    Raises:
        TypeError: where an operand is neither integer nor bool (which counts as int32).

    >>> import kerasish as keras
    >>> keras.ops.left_shift(3, 2).item()
    12
    """
    return left_shift_op(*numeric_pair(*_bits("left_shift", x, y)))


def right_shift(x: Any, y: Any) -> Any:
    """The bits of x moved y places down, the sign being kept.

    Raises:
        TypeError: where an operand is neither integer nor bool (which counts as int32).

    >>> import kerasish as keras
    >>> keras.ops.right_shift(13, 2).item()
    3
    """
    return right_shift_op(*numeric_pair(*_bits("right_shift", x, y)))


def bitwise_left_shift(x: Any, y: Any) -> Any:
    """Alias of `left_shift`.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_left_shift(1, 4).item()
    16
    """
    return left_shift(x, y)


def bitwise_right_shift(x: Any, y: Any) -> Any:
    """Alias of `right_shift`.

    >>> import kerasish as keras
    >>> keras.ops.bitwise_right_shift(16, 4).item()
    1
    """
    return right_shift(x, y)


register_operators(invert=bitwise_invert, **{"and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor})
