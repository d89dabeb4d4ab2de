"""Conversion to another dtype that stops at its limits instead of wrapping around."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .cast import cast

__all__ = ["saturate_cast"]


def _limits(dtype: str) -> tuple:
    if dtype == "bool":
        return 0, 1
    if dtype in FLOATS:
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _saturate_host(x, dtype):
    low, high = _bounds(x.dtype, dtype)
    return np.clip(x, low, high).astype(dtype)


def _bounds(source: np.dtype, dtype: str) -> tuple:
    """The limits of dtype as values of the source's dtype that do not leave them when cast."""
    out = []
    for end, (mine, theirs) in enumerate(zip(_limits(str(source)), _limits(dtype))):
        limit = np.asarray(max(mine, theirs) if end == 0 else min(mine, theirs)).astype(source)
        # As Python numbers: NumPy would round the other limit to the source's dtype before comparing.
        beyond = limit.item() < theirs if end == 0 else limit.item() > theirs
        out.append(np.nextafter(limit, np.zeros_like(limit)) if beyond and source.kind == "f" else limit)
    return tuple(out)


saturate_cast_op = define_op(
    "saturate_cast",
    inputs="x",
    infer=lambda x, dtype: Spec(x.shape, dtype),
    kernel=Host(_saturate_host),
    grad=(lambda ctx, g: cast(saturate_mask_op(ctx.inputs[0], g), ctx.specs[0].dtype),),
    saves="x",
)


def _mask_host(x, g):
    low, high = _bounds(x.dtype, str(g.dtype))
    return np.where((x >= low) & (x <= high), g, 0).astype(g.dtype)


saturate_mask_op = define_op(
    "saturate_mask",  # g where x lies within the limits of g's dtype, else 0
    inputs="x g",
    infer=lambda x, g: g,
    kernel=Host(_mask_host),
    grad=(None, lambda ctx, g: saturate_mask_op(ctx.inputs[0], g)),
    saves="x",
)


def saturate_cast(x: Any, dtype: Any) -> Any:
    """Converts to another dtype; values outside its range become its nearest limit.

    >>> import kerasish as keras
    >>> keras.ops.saturate_cast([-1.0, 256.0], "uint8").numpy()
    array([  0, 255], dtype=uint8)
    """
    x = as_input(x)
    dtype = standardize_dtype(dtype)
    if dtype in ("bfloat16", "string") or dtype.startswith(("float8", "complex")):
        raise invalid(
            "saturate_cast", "the dtype is bool, an integer or a floating one that tensors can have", dtype=dtype
        )
    return saturate_cast_op(x, dtype=dtype)
