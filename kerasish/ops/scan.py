"""Running sums and products along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import standardize_dtype
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import one_axis
from .cast import cast
from .shape import ravel

__all__ = ["cumprod", "cumsum"]


def _i(specs: tuple[Spec, ...], attrs: dict) -> tuple[int, int]:
    return attrs["axis"], int(attrs["reverse"])


def _host(fn):
    def run(x, axis, reverse):
        if reverse:
            return np.flip(fn(np.flip(x, axis), axis=axis, dtype=x.dtype), axis)
        return fn(x, axis=axis, dtype=x.dtype)

    return run


def _cumprod_grad(ctx: Any, g: Any) -> Any:
    """With p the products before k, dx_k = p_k s_k, where s_k = g_k + x_{k+1} s_{k+1}: zeros need no care."""
    axis, reverse = ctx.attrs["axis"], ctx.attrs["reverse"]
    # a_k of the scan stands between k - 1 and k; in a reverse product the factor of k is what leads on to k - 1.
    a = shift_op(ctx.inputs[0], axis=axis, by=1, fill=0.0) if reverse else ctx.inputs[0]
    before = shift_op(ctx.outputs[0], axis=axis, by=-1 if reverse else 1, fill=1.0)
    return before * linear_scan_op(a, g, axis=axis, reverse=not reverse)


def _linear_scan_grad(ctx: Any, g: Any) -> tuple:
    a, s = ctx.inputs[0], ctx.outputs[0]
    axis, reverse = ctx.attrs["axis"], ctx.attrs["reverse"]
    t = linear_scan_op(a, g, axis=axis, reverse=not reverse)
    if not ctx.needs[0]:
        return None, t
    earlier, later = (t, s) if reverse else (s, t)
    return shift_op(earlier, axis=axis, by=1, fill=0.0) * later, t


cumsum_op = define_op(
    "cumsum",
    inputs="x",
    infer=lambda x, axis, reverse: x,
    kernel=C("cumsum", i=_i, host=_host(np.cumsum)),
    grad=(lambda ctx, g: cumsum_op(g, axis=ctx.attrs["axis"], reverse=not ctx.attrs["reverse"]),),
    inplace=((0, 0),),
)
cumprod_op = define_op(
    "cumprod",
    inputs="x",
    infer=lambda x, axis, reverse: x,
    kernel=C("cumprod", i=_i, host=_host(np.cumprod)),
    grad=(_cumprod_grad,),
    saves="x y",
    inplace=((0, 0),),
)
# s_k = b_k + a_k s_{k-1}, or in reverse s_k = b_k + a_{k+1} s_{k+1}.
linear_scan_op = define_op(
    "linear_scan",
    inputs="a b",
    outputs="s",
    infer=lambda a, b, axis, reverse: b,
    kernel=C("linear_scan", i=_i),
    grad=_linear_scan_grad,
    saves="a s",
    inplace=((1, 0),),
)


def _shift(x: np.ndarray, axis: int, by: int, fill: float) -> np.ndarray:
    out = np.full_like(x, fill)
    to, frm = (slice(1, None), slice(None, -1)) if by > 0 else (slice(None, -1), slice(1, None))
    lead = (slice(None),) * axis
    out[(*lead, to)] = x[(*lead, frm)]
    return out


# Elements move by one place (by is 1 or -1) and `fill` enters at the end.
shift_op = define_op(
    "shift",
    inputs="x",
    infer=lambda x, axis, by, fill: x,
    kernel=Host(_shift),
    grad=(lambda ctx, g: shift_op(g, axis=ctx.attrs["axis"], by=-ctx.attrs["by"], fill=0.0),),
)


def exclusive_product(x: Any, axis: int, reverse: bool = False) -> Any:
    """For each element the product of those before it (in reverse: after it) along the axis; 1 for the first."""
    y = cumprod_op(x, axis=axis, reverse=reverse)
    return shift_op(y, axis=axis, by=-1 if reverse else 1, fill=1.0)


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running sum along an axis.

    Args:
        x: a tensor.
        axis: the axis; None takes x as one line.
        dtype: dtype of the result; by default x's (int32 for bool).

    >>> import kerasish as keras
    >>> keras.ops.cumsum([1, 2, 3]).numpy()
    array([1, 3, 6], dtype=int32)
    """
    return _scan("cumsum", cumsum_op, x, axis, dtype)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running product along an axis.

    Args:
        x: a tensor.
        axis: the axis; None takes x as one line.
        dtype: dtype of the result; by default x's (int32 for bool).

    >>> import kerasish as keras
    >>> keras.ops.cumprod([1, 2, 3]).numpy()
    array([1, 2, 6], dtype=int32)
    """
    return _scan("cumprod", cumprod_op, x, axis, dtype)


def _scan(where: str, op: Any, x: Any, axis: int | None, dtype: Any) -> Any:
    x = as_input(x)
    if dtype is not None:
        x = cast(x, standardize_dtype(dtype))
    elif x.dtype == "bool":
        x = cast(x, "int32")
    if axis is None:
        return op(ravel(x), axis=0, reverse=False)
    return op(x, axis=one_axis(where, axis, len(x.shape)), reverse=False)
