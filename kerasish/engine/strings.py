"""Strings as data: they stay NumPy arrays on the host, for tensors and programs hold numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import invalid


def is_strings(value: Any) -> bool:
    """Whether a value is an array of str or bytes.

    >>> from kerasish.engine.strings import is_strings
    >>> is_strings(np.array(["a"])), is_strings(np.array(["a", 1], object)), is_strings("a")
    (True, False, False)
    """
    if not isinstance(value, np.ndarray):
        return False
    if value.dtype.kind == "O":
        return value.size > 0 and all(isinstance(x, (str, bytes)) for x in value.flat)
    return value.dtype.kind in "UST"


def as_strings(value: Any, where: str) -> np.ndarray:
    """An array of strings as it is, or from a (nested) list of them.

    Raises:
        TypeError: it holds something else.
    """
    array = value if isinstance(value, np.ndarray) or not isinstance(value, (str, bytes, list, tuple)) else None
    if array is None:
        try:
            array = np.array(value, object)  # a dtype of fixed width would cut zeros off the end
        except ValueError:
            array = value
    if not is_strings(array) and not (isinstance(array, np.ndarray) and array.size == 0):
        rule = "the input is a NumPy array or a list of strings: tensors hold none"
        raise invalid(where, rule, kind=TypeError, input=value)
    return array
