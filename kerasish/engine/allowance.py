"""A cap on the memory that new Variables may take, for building a model from a file that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from .errors import invalid

_left: ContextVar[list[int] | None] = ContextVar("kerasish_allowance", default=None)


@contextmanager
def allowance(nbytes: int) -> Iterator[None]:
    """Inside, a Variable whose memory would exceed what is left of `nbytes` is an error before it is allocated.

    Example:

    >>> import kerasish as keras
    >>> with allowance(1000):
    ...     keras.Variable(keras.initializers.Zeros(), shape=(10**12,))
    Traceback (most recent call last):
    ValueError: Variable 'variable': variables may take 1000 more bytes. Received: shape=(1000000000000,)
    """
    token = _left.set([nbytes])
    try:
        yield
    finally:
        _left.reset(token)


def charge(name: str, shape: tuple[int, ...], dtype: str) -> None:
    """Takes a Variable's memory from the allowance, where there is one.

    Raises:
        ValueError: it is more than what is left.
    """
    left = _left.get()
    if left is None:
        return
    # A shape may be of any size: the arithmetic is Python's, which does not overflow.
    needed = math.prod(int(d) for d in shape) * np.dtype(dtype).itemsize
    if needed > left[0]:
        raise invalid(f"Variable {name!r}", f"variables may take {left[0]} more bytes", shape=shape)
    left[0] -= needed
