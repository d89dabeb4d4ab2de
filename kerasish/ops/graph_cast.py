"""`ops.cast` as users call it."""

from __future__ import annotations

from typing import Any

from ..engine.dtype import standardize_dtype
from ..engine.operation import tracing
from ..engine.symbol import Symbol
from .cast import cast as _cast
from .cast import cast_op

__all__ = ["cast"]


def cast(x: Any, dtype: Any) -> Any:
    """Converts to another dtype; floats are cut towards zero on their way to integers.

    >>> import kerasish as keras
    >>> keras.ops.cast([1.7, -1.7], "int32").numpy()
    array([ 1, -1], dtype=int32)
    """
    if isinstance(x, Symbol) and not tracing.depth and x.dtype == standardize_dtype(dtype):
        # A graph keeps the call although it changes nothing, as Keras's does: the order of layers, and with it their
        # names in files, follows from how many calls lie behind each.
        return cast_op(x, dtype=x.dtype)
    return _cast(x, dtype)
