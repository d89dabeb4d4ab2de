"""Normalisation: moments, batch, layer and RMS normalisation, scaling to unit norm."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

import numpy as np

from ..engine.config import epsilon as small
from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import as_input, to_tensor
from .axes import one_axis, some_axes
from .cast import cast
from .creation import ones_like, zeros_like
from .epilogue import EPILOGUES, epilogue_code
from .math import absolute, clip, maximum, power, rsqrt, square
from .reduce import max, mean_op, moments_over, sum, sum_op, sum_square_op
from .shape import reshape

__all__ = [
    "batch_norm_training", "batch_normalization", "layer_normalization", "moments", "normalize", "rms_normalization",
]  # fmt: skip

# ---- batch normalisation


def _channels(where: str, x: Spec, axis: int, **vectors: Spec) -> int | None:
    """The number of channels, which every vector must have."""
    size = x.shape[axis]
    for name, v in vectors.items():
        if v.ndim != 1 or (None not in (v.shape[0], size) and v.shape[0] != size):
            raise invalid(where, f"`{name}` is a vector with one element for each channel", x=x, axis=axis, **{name: v})
        size = v.shape[0] if size is None else size
    return size


def _batch_infer(
    x: Spec, gamma: Spec, beta: Spec, axis: int, epsilon: float, activation: str | None = None
) -> tuple[Spec, Spec, Spec]:
    channels = Spec((_channels("batch_normalization", x, axis, scale=gamma, offset=beta),), x.dtype)
    return x, channels, channels


def _batch_grad_infer(x, gamma, mean, var, g, g_mean, g_var, axis, epsilon):
    return x, gamma, gamma


def _inference_infer(
    x: Spec, mean: Spec, var: Spec, gamma: Spec, beta: Spec, axis: int, epsilon: float, activation: str | None = None
) -> Spec:
    _channels("batch_normalization", x, axis, mean=mean, variance=var, scale=gamma, offset=beta)
    return x


def _axis_and_eps() -> dict:
    return {"i": lambda specs, a: (a["axis"], epilogue_code(a)), "f": lambda specs, a: (a["epsilon"],)}


class _Channels:
    """Sums over all axes but the channels', and vectors spread along them; for the gradient rules."""

    def __init__(self, x: Any, axis: int):
        self.rest = tuple(k for k in range(x.ndim) if k != axis)
        self.shape = tuple(d if k == axis else 1 for k, d in enumerate(x.shape))
        self.count = prod(x.shape[k] for k in self.rest) or 1

    def wide(self, v: Any) -> Any:
        return reshape(v, self.shape)

    def sum(self, x: Any) -> Any:
        return sum_op(x, axis=self.rest, keepdims=False)


def _batch_grad(ctx: Any, g: Any, g_mean: Any, g_var: Any) -> tuple:
    x, gamma, _ = ctx.inputs
    _, mean, var = ctx.outputs
    return batch_norm_grad_op(x, gamma, mean, var, g, g_mean, g_var, **ctx.attrs)


def _batch_relu_grad_infer(x, gamma, beta, mean, var, g, g_mean, g_var, axis, epsilon):
    return x, gamma, gamma


def _join_gate(inputs: tuple, attrs: dict, gate: str, g: Any, maker: Any) -> tuple | None:
    """The gradient that also goes through the rectifier behind the normalization, where it is that."""
    x, gamma, mean, var, _, g_mean, g_var = inputs
    if gate != "relu_grad" or maker.op is not batch_norm_op or maker.attrs != {**attrs, "activation": "relu"}:
        return None
    if any(a is not b for a, b in zip((x, gamma, mean, var), (*maker.inputs[:2], *maker.outputs[1:]))):
        return None
    return batch_norm_relu_grad_op, (x, gamma, maker.inputs[2], mean, var, g, g_mean, g_var), attrs


def _batch_grad_grad(ctx: Any, hx: Any, h_gamma: Any, h_beta: Any) -> tuple:
    """Derivatives of L = sum hx dx + sum h_gamma dgamma + sum h_beta dbeta, mean and var standing for themselves.

    With d = x - mean, n elements a channel, and S_uv the sum of u v over a channel (S_g that of g), the kernel has
    dx = gamma r (g - S_g / n - r^2 d S_gd / n) + g_mean / n + 2 g_var d / n, dgamma = r S_gd, dbeta = S_g.
    """
    x, gamma, mean, var, g, _, g_var = ctx.inputs
    c = _Channels(x, ctx.attrs["axis"])
    n = c.count
    d = x - c.wide(mean)
    r = rsqrt(var + ctx.attrs["epsilon"])
    r3 = r * r * r
    s_g, s_gd = c.sum(g), c.sum(g * d)
    s_h, s_hg, s_hd = c.sum(hx), c.sum(hx * g), c.sum(hx * d)
    along_h = c.wide(2 * g_var / n - gamma * r3 * s_gd / n)
    dd = hx * along_h + g * c.wide(h_gamma * r - gamma * r3 * s_hd / n)
    dg = hx * c.wide(gamma * r) + d * c.wide(h_gamma * r - gamma * r3 * s_hd / n) + c.wide(h_beta - gamma * r * s_h / n)
    d_gamma = r * (s_hg - s_g * s_h / n) - r3 * s_hd * s_gd / n
    d_r = gamma * (s_hg - s_g * s_h / n - 3 * r * r * s_hd * s_gd / n) + h_gamma * s_gd
    return dd, d_gamma, -c.sum(dd), -0.5 * r3 * d_r, dg, s_h / n, 2 * s_hd / n


def _inference_grad(ctx: Any, g: Any) -> tuple:
    x, mean, var, gamma, _ = ctx.inputs
    c = _Channels(x, ctx.attrs["axis"])
    r = rsqrt(var + ctx.attrs["epsilon"])
    need_x, need_mean, need_var, need_gamma, need_beta = ctx.needs
    dx = g * c.wide(gamma * r) if need_x else None
    s_g = c.sum(g) if need_mean or need_beta else None
    s_gd = c.sum(g * (x - c.wide(mean))) if need_var or need_gamma else None
    return (
        dx,
        -s_g * gamma * r if need_mean else None,
        -0.5 * s_gd * gamma * r * r * r if need_var else None,
        s_gd * r if need_gamma else None,
        s_g if need_beta else None,
    )


def _moments_of(x: Spec, axis: int) -> dict:
    return {"axis": tuple(k for k in range(x.ndim) if k != axis), "keepdims": False}


batch_norm_op = define_op(
    "batch_norm",
    inputs="x gamma beta",
    outputs="y mean var",
    infer=_batch_infer,
    kernel=C("batch_norm", **_axis_and_eps()),
    grad=_batch_grad,
    saves="x gamma mean var",
    inplace=((0, 0),),
    epilogue=EPILOGUES,
    recompute=lambda x, y, attrs: ("batch_norm_inference", (x[0], y[1], y[2], x[1], x[2]), attrs),
    traits={"statistics": lambda x, attrs: ("moments", (x[0],), _moments_of(x[0].spec, attrs["axis"]))},
)
batch_norm_grad_op = define_op(
    "batch_norm_grad",
    inputs="x gamma mean var g g_mean g_var",
    outputs="dx dgamma dbeta",
    infer=_batch_grad_infer,
    kernel=C("batch_norm_grad", **_axis_and_eps()),
    grad=_batch_grad_grad,
    saves="x gamma mean var g g_var",
    inplace=((0, 0), (4, 0)),
    traits={"takes gate": (4, _join_gate)},
)
# Of max(y, 0), g being its gradient.  Compiled steps make it of the two gradients; it needs none itself.
batch_norm_relu_grad_op = define_op(
    "batch_norm_relu_grad",
    inputs="x gamma beta mean var g g_mean g_var",
    outputs="dx dgamma dbeta",
    infer=_batch_relu_grad_infer,
    kernel=C("batch_norm_relu_grad", **_axis_and_eps()),
    grad=None,
    inplace=((0, 0), (5, 0)),
)
batch_norm_inference_op = define_op(
    "batch_norm_inference",
    inputs="x mean var gamma beta",
    infer=_inference_infer,
    kernel=C("batch_norm_inference", **_axis_and_eps()),
    grad=_inference_grad,
    saves="x mean var gamma",
    inplace=((0, 0),),
    epilogue=EPILOGUES,
    lead=lambda specs, attrs: attrs["axis"],
    whole="mean var gamma beta",
    recompute=lambda x, y, attrs: ("batch_norm_inference", x, attrs),
)

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


def _floating(where: str, x: Any) -> tuple[Any, str]:
    """x in a dtype that the kernels take, and the dtype of the result."""
    x = as_input(x)
    dtype = x.dtype if x.dtype in FLOATS else result_type(x.dtype, float)
    return cast(x, result_type(dtype, "float32")), dtype


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
    x, dtype = _floating("moments", x)
    out = moments_over(x, tuple(sorted(some_axes("moments", axes, len(x.shape), "axes"))), bool(keepdims))
    if dtype == "float16":
        limit = float(np.finfo(np.float16).max)
        out = tuple(clip(v, -limit, limit) for v in out)
    return tuple(cast(v, dtype) for v in out)


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with given statistics of each channel.

    Args:
        x: a tensor.
        mean, variance: vectors, one element for each channel.
        axis: the axis of the channels.
        offset, scale: vectors like mean; None stands for 0 and for 1.
        epsilon: added to the variance.

    Returns:
        A tensor of x's shape, in the common dtype of the arguments.

    Raises:
        ValueError: where a vector does not fit the channels.

    >>> import kerasish as keras
    >>> keras.ops.batch_normalization([[1.0, 4.0]], [1.0, 2.0], [1.0, 4.0], axis=-1, epsilon=0.0).numpy()
    array([[0., 1.]], dtype=float32)
    """
    x = as_input(x)
    mean, variance = as_input(mean), as_input(variance)
    given = [x, mean, variance]
    gamma = ones_like(variance) if scale is None else as_input(scale)
    beta = zeros_like(mean) if offset is None else as_input(offset)
    given += [v for v, k in ((gamma, scale), (beta, offset)) if k is not None]
    dtype = result_type(*(v.dtype for v in given), float)
    work = result_type(dtype, "float32")
    axis = one_axis("batch_normalization", axis, len(x.shape))
    args = [cast(v, work) for v in (x, mean, variance, gamma, beta)]
    return cast(batch_norm_inference_op(*args, axis=axis, epsilon=float(epsilon)), dtype)


def batch_norm_training(
    x: Any, gamma: Any = None, beta: Any = None, axis: int = -1, epsilon: float = 1e-3
) -> tuple[Any, Any, Any]:
    """Batch normalisation by the batch's own statistics, as one fused op; not part of Keras's namespace.

    Args:
        x: a tensor of rank 1 or more, float32 or float64 (others are converted).
        gamma, beta: scale and offset, one element for each channel; None stands for constant ones and zeros, which
            take no gradient.
        axis: the axis of the channels; all others are averaged over.
        epsilon: added to the variance.

    Returns:
        (y, mean, variance): the result and the statistics of each channel, through all of which gradients flow.

    Raises:
        ValueError: where a vector does not fit the channels, or the number of channels is unknown.

    >>> import kerasish as keras
    >>> y, mean, variance = keras.ops.batch_norm_training([[1.0], [3.0]], epsilon=0.0)
    >>> y.numpy()[:, 0].tolist(), mean.numpy().tolist(), variance.numpy().tolist()
    ([-1.0, 1.0], [2.0], [1.0])
    """
    where = "batch_normalization"
    x, _ = _floating(where, x)
    axis = one_axis(where, axis, len(x.shape))
    channels = x.shape[axis]
    if channels is None and (gamma is None or beta is None):
        raise invalid(where, "the number of channels must be known", x=x, axis=axis)
    gamma = to_tensor(np.ones(channels, x.dtype)) if gamma is None else cast(gamma, x.dtype)
    beta = to_tensor(np.zeros(channels, x.dtype)) if beta is None else cast(beta, x.dtype)
    return batch_norm_op(x, gamma, beta, axis=axis, epsilon=float(epsilon))


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
    x, dtype = _floating(where, x)
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
    x, dtype = _floating(where, x)
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
    x, dtype = _floating(where, x)
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
