"""Batch normalisation: by the batch's own statistics, by given ones, and the gradients."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.dtype import result_type
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input, to_tensor
from .axes import one_axis
from .cast import cast, floating
from .creation import ones_like, zeros_like
from .epilogue import EPILOGUES, epilogue_code
from .math import rsqrt
from .reductions import sum_op
from .shape import reshape

__all__ = ["batch_norm_training", "batch_normalization"]


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


def _behind_gate(inputs: tuple, attrs: dict, g: Any, y: Any) -> tuple | None:
    """The gradient call for a gradient that relu has not cut yet, where y is what the normalization made of x, and relu
    of it: x tells as well as y which elements those are."""
    x, gamma, mean, var, _, g_mean, g_var = inputs
    made = y.call
    if made is None or made.op is not batch_norm_op or made.outputs[0] is not y:
        return None
    same = (*made.inputs[:2], *made.outputs[1:], made.attrs)
    if any(a is not b for a, b in zip(same, (x, gamma, mean, var))) or same[4] != {**attrs, "activation": "relu"}:
        return None
    return "batch_norm_relu_grad", (x, gamma, mean, var, g, g_mean, g_var, made.inputs[2]), attrs


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
    traits={"gated": (4, _behind_gate)},
)
define_op(  # the executor puts it in place of relu_grad and batch_norm_grad
    "batch_norm_relu_grad",
    inputs="x gamma mean var g g_mean g_var beta",
    outputs="dx dgamma dbeta",
    infer=lambda x, gamma, mean, var, g, g_mean, g_var, beta, axis, epsilon: (x, gamma, gamma),
    kernel=C("batch_norm_grad", **_axis_and_eps()),
    grad=None,
    inplace=((0, 0), (4, 0)),
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
    x, _ = floating(where, x)
    axis = one_axis(where, axis, len(x.shape))
    channels = x.shape[axis]
    if channels is None and (gamma is None or beta is None):
        raise invalid(where, "the number of channels must be known", x=x, axis=axis)
    gamma = to_tensor(np.ones(channels, x.dtype)) if gamma is None else cast(gamma, x.dtype)
    beta = to_tensor(np.zeros(channels, x.dtype)) if beta is None else cast(beta, x.dtype)
    return batch_norm_op(x, gamma, beta, axis=axis, epsilon=float(epsilon))
