"""Normalisation: moments, layer and RMS normalisation, scaling to unit norm."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

import numpy as np

from ..engine.config import epsilon as small
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import to_tensor
from .axes import some_axes
from .cast import cast, floating
from .math import absolute, clip, maximum, power, rsqrt, square
from .reduce import max, sum
from .reductions import mean_op, moments_over, sum_op, sum_square_op
from .shape import reshape

__all__ = ["layer_normalization", "moments", "normalize", "rms_normalization"]

# ---- layer and RMS normalisation


def _start_and_eps() -> dict:
    return {"i": lambda specs, a: (a["start"],), "f": lambda specs, a: (a["epsilon"],)}


def _lines_infer(where: str):
    def infer(x: Spec, *vectors: Spec, start: int, epsilon: float) -> Spec:
        for name, v in zip(("gamma", "beta") if where == "layer_normalization" else ("scale",), vectors):
            if v.ndim != x.ndim - start or any(
                a != b for a, b in zip(v.shape, x.shape[start:]) if a is not None and b is not None
            ):
                raise invalid(where, f"`{name}` has the shape of the normalised axes", x=x, **{name: v})
        return x

    return infer


def _lines_grad_grad(ctx: Any, hx: Any, *h: Any) -> tuple:
    """Derivatives of L = sum hx dx + sum h_gamma dgamma + sum h_beta dbeta.

    With P(v) = r (v - mean(v) - xhat mean(v xhat)), which is symmetric and is also the gradient of xhat, and
    u = gamma g: dx = P(u), dgamma = sum over samples g xhat, dbeta = sum over samples g. Besides,
    dr/dx = -r^2 xhat / n. RMS normalisation is the same without the means of v.
    """
    x, gamma, g = ctx.inputs
    centred = ctx.op.name == "layer_norm_grad"
    at = ctx.attrs
    axes, samples = tuple(range(at["start"], x.ndim)), tuple(range(at["start"]))
    ones = to_tensor(np.ones(gamma.shape, gamma.dtype))

    def projected(v):
        return (layer_norm_grad_op if centred else rms_norm_grad_op)(x, ones, v, **at)[0]

    def mean(v):
        return mean_op(v, axis=axes, keepdims=True)

    if centred:
        xhat = layer_norm_op(x, ones, ones * 0, **at)
        r = rsqrt(moments_over(x, axes, True)[1] + at["epsilon"])
    else:
        xhat = rms_norm_op(x, ones, **at)
        r = rsqrt(mean(square(x)) + at["epsilon"])
    h_gamma, h_beta = h[0], h[1] if centred else None
    u, p_h = gamma * g, projected(hx)
    dx = d_gamma = dg = None
    if ctx.needs[0]:
        both, a, b = mean(hx * u), mean(hx * xhat), mean(u * xhat)
        if centred:
            both = both - mean(hx) * mean(u)
        dx = projected(h_gamma * g) - xhat * (r * r * (both - a * b)) - r * (b * p_h + a * projected(u))
    if ctx.needs[1]:
        d_gamma = sum_op(g * p_h, axis=samples, keepdims=False)
    if ctx.needs[2]:
        dg = gamma * p_h + h_gamma * xhat
        dg = dg + h_beta if centred else dg
    return dx, d_gamma, dg


layer_norm_op = define_op(
    "layer_norm",
    inputs="x gamma beta",
    infer=_lines_infer("layer_normalization"),
    kernel=C("layer_norm", **_start_and_eps()),
    grad=lambda ctx, g: layer_norm_grad_op(*ctx.inputs[:2], g, **ctx.attrs),
    saves="x gamma",
    inplace=((0, 0),),
    lead=lambda specs, attrs: attrs["start"],
    whole="gamma beta",
)
layer_norm_grad_op = define_op(
    "layer_norm_grad",
    inputs="x gamma g",
    outputs="dx dgamma dbeta",
    infer=lambda x, gamma, g, start, epsilon: (x, gamma, gamma),
    kernel=C("layer_norm_grad", **_start_and_eps()),
    grad=_lines_grad_grad,
    saves="x gamma g",
    inplace=((0, 0), (2, 0)),
)
rms_norm_op = define_op(
    "rms_norm",
    inputs="x gamma",
    infer=_lines_infer("rms_normalization"),
    kernel=C("rms_norm", **_start_and_eps()),
    grad=lambda ctx, g: rms_norm_grad_op(*ctx.inputs, g, **ctx.attrs),
    saves="x gamma",
    inplace=((0, 0),),
)
rms_norm_grad_op = define_op(
    "rms_norm_grad",
    inputs="x gamma g",
    outputs="dx dgamma",
    infer=lambda x, gamma, g, start, epsilon: (x, gamma),
    kernel=C("rms_norm_grad", **_start_and_eps()),
    grad=_lines_grad_grad,
    saves="x gamma g",
    inplace=((0, 0), (2, 0)),
)

# ---- public functions


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """Mean and variance over the given axes, from one pass over x.

    Args:
        x: a tensor; float16 is computed in float32 and clipped to its range.
        axes: an axis, several, or None for all.
        keepdims: keep the reduced axes as dimensions of length 1.
        synchronized: accepted; there is one replica, whose statistics are the global ones.

    Returns:
        (mean, variance); the variance is divided by the number of elements. Blocks are merged by Chan's formula, so
        that a large mean costs no accuracy.

    >>> import kerasish as keras
    >>> mean, variance = keras.ops.moments([0.0, 1.0, 2.0, 3.0, 100.0], axes=[0])
    >>> round(float(mean), 3), round(float(variance), 3)
    (21.2, 1553.36)
    """
    x, dtype = floating("moments", x)
    out = moments_over(x, tuple(sorted(some_axes("moments", axes, len(x.shape), "axes"))), bool(keepdims))
    if dtype == "float16":
        limit = float(np.finfo(np.float16).max)
        out = tuple(clip(v, -limit, limit) for v in out)
    return tuple(cast(v, dtype) for v in out)


def _trailing(x: Any, axes: tuple[int, ...], *vectors: Any) -> bool:
    """Whether the axes are x's last ones, of known size, and the vectors have exactly their shape."""
    rank = len(x.shape)
    line = tuple(x.shape[rank - len(axes) :])
    return (
        axes == tuple(range(rank - len(axes), rank))
        and None not in line
        and all(v is None or tuple(v.shape) == line for v in vectors)
    )


def _line(x: Any, axes: tuple[int, ...], value: float) -> Any:
    return to_tensor(np.full(x.shape[len(x.shape) - len(axes) :], value, x.dtype))


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None, **kwargs: Any
) -> Any:
    """Each sample to mean 0 and variance 1 over the given axes, then times gamma, plus beta.

    (J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016.)

    Args:
        x: a tensor; float16 is computed in float32.
        gamma, beta: scale and offset of the shape of the normalised axes (or broadcastable to x); None stands for 1
            and 0.
        axis: an axis or several.
        epsilon: added to the variance; `keras.config.epsilon()` by default.

    Returns:
        A tensor of x's shape and dtype.

    >>> import kerasish as keras
    >>> keras.ops.layer_normalization([[1.0, 3.0]], epsilon=0.0).numpy()
    array([[-1.,  1.]], dtype=float32)
    """
    where = "layer_normalization"
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise invalid(where, "unexpected arguments", kind=TypeError, arguments=sorted(kwargs))
    if rms_scaling:
        warnings.warn(
            "layer_normalization: rms_scaling divides by the deviation without subtracting the mean, which is not RMS "
            "normalization. Use rms_normalization.",
            stacklevel=2,
        )
    x, dtype = floating(where, x)
    eps = small() if epsilon is None else float(epsilon)
    rank = len(x.shape)
    axes = tuple(sorted(some_axes(where, axis, rank)))
    gamma = None if gamma is None else cast(gamma, x.dtype)
    beta = None if beta is None else cast(beta, x.dtype)
    if not rms_scaling and _trailing(x, axes, gamma, beta):
        gamma = _line(x, axes, 1) if gamma is None else gamma
        beta = _line(x, axes, 0) if beta is None else beta
        return cast(layer_norm_op(x, gamma, beta, start=rank - len(axes), epsilon=eps), dtype)
    mean, variance = moments_over(x, axes, True)
    y = (x if rms_scaling else x - mean) * rsqrt(variance + eps)
    y = y if gamma is None else y * _beside(where, "gamma", gamma, x, axes)
    y = y if beta is None or rms_scaling else y + _beside(where, "beta", beta, x, axes)
    return cast(y, dtype)


def _beside(where: str, name: str, v: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """A vector of the normalised axes' shape, made to broadcast against x."""
    rank = len(x.shape)
    if len(v.shape) == rank or axes == (rank - 1,):
        return v
    shape = tuple(x.shape[k] if k in axes else 1 for k in range(rank))
    if None in shape:
        raise invalid(where, "the normalised axes must have known sizes", x=x, axis=axes)
    if prod(shape) != prod(v.shape):
        raise invalid(where, f"`{name}` has the shape of the normalised axes", x=x, axis=axes, **{name: v})
    return reshape(v, shape)


def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """x / sqrt(mean(x^2) + epsilon) * scale, the mean being over the given axes.

    (B. Zhang, R. Sennrich, Root mean square layer normalization, 2019.)

    Args:
        x: a tensor; float16 is computed in float32.
        scale: broadcastable to x; None stands for 1.
        axis: an axis or several.
        epsilon: added to the mean square; `keras.config.epsilon()` by default.

    Returns:
        A tensor of x's shape (a scalar becomes a vector of one element) and dtype.

    >>> import kerasish as keras
    >>> keras.ops.rms_normalization([[3.0, 3.0]], epsilon=0.0).numpy()
    array([[1., 1.]], dtype=float32)
    """
    where = "rms_normalization"
    x, dtype = floating(where, x)
    eps = small() if epsilon is None else float(epsilon)
    if not x.shape:
        x = reshape(x, (1,))
    rank = len(x.shape)
    axes = tuple(sorted(some_axes(where, axis, rank)))
    scale = None if scale is None else cast(scale, x.dtype)
    if _trailing(x, axes, scale):
        scale = _line(x, axes, 1) if scale is None else scale
        return cast(rms_norm_op(x, scale, start=rank - len(axes), epsilon=eps), dtype)
    y = x * rsqrt(mean_op(square(x), axis=axes, keepdims=True) + eps)
    return cast(y if scale is None else y * scale, dtype)


def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x / max(norm(x), epsilon), the norm being over the given axes.

    Args:
        x: a tensor; a scalar becomes a vector of one element.
        axis: an axis or several (order 2: the root of the sum of squares over all of them; order 1 over two axes: the
            matrix norm, the largest column sum of absolute values).
        order: the order of the norm, an integer of at least 1.
        epsilon: the least divisor; `keras.config.epsilon()` by default.

    Raises:
        ValueError: for another order, or a matrix norm of order 3 or more.

    >>> import kerasish as keras
    >>> keras.ops.normalize([3.0, 4.0]).numpy()
    array([0.6, 0.8], dtype=float32)
    """
    where = "normalize"
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise invalid(where, "order is an integer of at least 1", order=order)
    x, dtype = floating(where, x)
    if not x.shape:
        x = reshape(x, (1,))
    eps = small() if epsilon is None else float(epsilon)
    axes = some_axes(where, axis, len(x.shape))
    if order == 2:
        if isinstance(x, Symbol):  # for Keras, which has no op for both
            squares = sum(square(x), tuple(sorted(axes)), True)
        else:
            squares = sum_square_op(x, axis=tuple(sorted(axes)), keepdims=True)
        least = np.maximum(eps * eps, np.finfo(x.dtype).tiny)
        return cast(x * rsqrt(maximum(squares, float(least))), dtype)
    size = absolute(x)
    if len(axes) == 1:
        norm = sum(size, axes, True) if order == 1 else power(sum(power(size, order), axes, True), 1 / order)
    elif len(axes) == 2 and order == 1:
        norm = max(sum(size, axes[0], True), axes[1], True)
    else:
        raise invalid(where, "a norm over several axes has order 2, or 1 over two axes", order=order, axis=axis)
    return cast(x / maximum(norm, eps), dtype)
