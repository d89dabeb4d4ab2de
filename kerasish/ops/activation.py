"""Activation functions: element by element, in the dtype of x (integers become `floatx`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.tensor import as_input
from .axes import one_axis
from .cast import cast
from .compare import greater, greater_equal, less, less_equal, logical_and, where
from .elementary import erfc, exp, expm1, tanh, tanh_grad_op
from .factories import binary, floating, scalar, unary
from .join import split
from .math import absolute, clip, sqrt, square

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu",
    "log_sigmoid", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "squareplus", "swish", "tanh_shrink", "threshold",
]  # fmt: skip

# Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 14.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
# Hendrycks and Gimpel 2016, "Gaussian Error Linear Units": sqrt(2/pi) (x + 0.044715 x^3) in place of erf.
_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715

# Gradients from the output, each one pass over memory.
relu_grad_op = binary(
    "relu_grad",
    lambda g, y: np.where(y > 0, g, 0),
    (lambda ctx, gg: relu_grad_op(gg, ctx.inputs[1]), None),
    inputs="g y",
    saves="y",
    traits={"gate": (0, 1)},
)
sigmoid_grad_op = binary(
    "sigmoid_grad",
    lambda g, y: g * y * (1 - y),
    (
        lambda ctx, gg: sigmoid_grad_op(gg, ctx.inputs[1]),
        lambda ctx, gg: gg * ctx.inputs[0] * (1.0 - ctx.inputs[1] * 2.0),
    ),
    inputs="g y",
    saves="g y",
)


def _inside(x: Any, low: float, high: float, g: Any) -> Any:
    """g where low < x < high, else 0."""
    return where(logical_and(greater(x, low), less(x, high)), g, 0.0)


def _gelu_slope(ctx: Any, g: Any) -> Any:
    """Phi(x) + x phi(x)"""
    x = ctx.inputs[0]
    cdf = erfc(x * -math.sqrt(0.5)) * 0.5
    return g * (cdf + x * exp(square(x) * -0.5) * (1 / math.sqrt(2 * math.pi)))


def _gelu_tanh_slope(ctx: Any, g: Any) -> Any:
    """s + x s (1 - s) v' with s = sigmoid(v), v = 2 sqrt(2/pi) (x + 0.044715 x^3); (1 + tanh(v/2)) / 2 is s"""
    x = ctx.inputs[0]
    z = square(x)
    s = sigmoid_op(x * (z * _GELU_CUBIC + 1.0) * (2 * _GELU_SCALE))
    return g * (s + sigmoid_grad_op(x * (z * (3 * _GELU_CUBIC) + 1.0) * (2 * _GELU_SCALE), s))


def _silu_slope(ctx: Any, g: Any) -> Any:
    """s + y (1 - s) with s = sigmoid(x)"""
    s = sigmoid_op(ctx.inputs[0])
    return g * (s + ctx.outputs[0] * (1.0 - s))


def _mish_slope(ctx: Any, g: Any) -> Any:
    """t + x (1 - t^2) sigmoid(x) with t = tanh(softplus(x))"""
    x = ctx.inputs[0]
    t = tanh(softplus_op(x))
    return g * (t + tanh_grad_op(x * sigmoid_op(x), t))


def _attr(name: str):
    return lambda specs, attrs: (attrs[name],)


relu_op = unary(
    "relu",
    lambda x: np.maximum(x, 0),
    lambda ctx, g: relu_grad_op(g, ctx.outputs[0]),
    saves="y",
    epilogue="relu",
)
relu6_op = unary("relu6", None, lambda ctx, g: _inside(ctx.inputs[0], 0.0, 6.0, g), saves="x", epilogue="relu6")
leaky_relu_op = unary(
    "leaky_relu",
    None,
    lambda ctx, g: where(greater_equal(ctx.inputs[0], 0.0), g, g * ctx.attrs["negative_slope"]),
    saves="x",
    f=_attr("negative_slope"),
)
elu_op = unary(
    "elu",
    None,
    lambda ctx, g: where(greater(ctx.inputs[0], 0.0), g, g * (ctx.outputs[0] + ctx.attrs["alpha"])),
    saves="x y",
    f=_attr("alpha"),
)
selu_op = unary(
    "selu",
    None,
    lambda ctx, g: where(
        greater(ctx.inputs[0], 0.0), g * _SELU_SCALE, g * (ctx.outputs[0] + _SELU_SCALE * _SELU_ALPHA)
    ),
    saves="x y",
    epilogue="selu",
)
gelu_op = unary("gelu", None, _gelu_slope, saves="x", epilogue="gelu")
gelu_tanh_op = unary("gelu_tanh", None, _gelu_tanh_slope, saves="x", epilogue="gelu_tanh")
sigmoid_op = unary("sigmoid", None, lambda ctx, g: sigmoid_grad_op(g, ctx.outputs[0]), saves="y", epilogue="sigmoid")
log_sigmoid_op = unary(
    "log_sigmoid", None, lambda ctx, g: g * sigmoid_op(-ctx.inputs[0]), saves="x", epilogue="log_sigmoid"
)
softplus_op = unary("softplus", None, lambda ctx, g: g * sigmoid_op(ctx.inputs[0]), saves="x", epilogue="softplus")
silu_op = unary("silu", None, _silu_slope, saves="x y", epilogue="silu")
softsign_op = unary(
    "softsign", None, lambda ctx, g: g / square(absolute(ctx.inputs[0]) + 1.0), saves="x", epilogue="softsign"
)
hard_sigmoid_op = unary(
    "hard_sigmoid",
    None,
    lambda ctx, g: _inside(ctx.inputs[0], -3.0, 3.0, g * (1 / 6)),
    saves="x",
    epilogue="hard_sigmoid",
)
mish_op = unary("mish", None, _mish_slope, saves="x", epilogue="mish")


def relu(x: Any) -> Any:
    """max(x, 0); integers keep their dtype, bools become int32. The gradient at 0 is 0.

    >>> import kerasish as keras
    >>> keras.ops.relu([-1.0, 0.0, 2.0]).tolist()
    [0.0, 0.0, 2.0]
    """
    x = as_input(x)
    return relu_op(cast(x, "int32") if x.dtype == "bool" else x)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6). The gradient at 0 and at 6 is 0.

    >>> import kerasish as keras
    >>> keras.ops.relu6([-1.0, 3.0, 9.0]).tolist()
    [0.0, 3.0, 6.0]
    """
    return relu6_op(floating(x))


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where x >= 0, negative_slope x below.

    >>> import kerasish as keras
    >>> keras.ops.leaky_relu([-2.0, 3.0], negative_slope=0.5).tolist()
    [-1.0, 3.0]
    """
    return leaky_relu_op(floating(x), negative_slope=scalar("leaky_relu", "negative_slope", negative_slope))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, alpha (exp(x) - 1) below (Clevert et al. 2015).

    >>> import kerasish as keras
    >>> keras.ops.elu([0.0, 3.0]).tolist()
    [0.0, 3.0]
    """
    return elu_op(floating(x), alpha=scalar("elu", "alpha", alpha))


def selu(x: Any) -> Any:
    """scale elu(x, alpha), with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017).

    >>> import kerasish as keras
    >>> keras.ops.selu([0.0, 1.0]).numpy()
    array([0.      , 1.050701], dtype=float32)
    """
    return selu_op(floating(x))


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where x > 0, alpha (exp(x / alpha) - 1) below (Barron 2017).

    Raises:
        ValueError: where alpha is 0.

    >>> import kerasish as keras
    >>> keras.ops.celu([0.0, 3.0], alpha=2.0).tolist()
    [0.0, 3.0]
    """
    alpha, x = scalar("celu", "alpha", alpha), floating(x)
    if alpha == 0:
        raise invalid("celu", "`alpha` must not be 0", alpha=alpha)
    positive = greater(x, 0.0)
    return where(positive, x, expm1(where(positive, 0.0, x) / alpha) * alpha)


def gelu(x: Any, approximate: bool = True) -> Any:
    """x Phi(x), Phi being the distribution function of the standard normal (Hendrycks and Gimpel 2016).

    Args:
        x: a tensor.
        approximate: whether to use tanh(sqrt(2/pi) (x + 0.044715 x^3)) in place of erf(x / sqrt(2)).

    >>> import kerasish as keras
    >>> keras.ops.gelu([-1.0, 0.0, 1.0], approximate=False).numpy()
    array([-0.15865526,  0.        ,  0.8413447 ], dtype=float32)
    """
    return gelu_tanh_op(floating(x)) if approximate else gelu_op(floating(x))


def glu(x: Any, axis: int = -1) -> Any:
    """a sigmoid(b), where a and b are the halves of x along an axis (Dauphin et al. 2016).

    Raises:
        ValueError: where the axis does not have an even length.

    >>> import kerasish as keras
    >>> keras.ops.glu([[1.0, 2.0, 0.0, 0.0]]).tolist()
    [[0.5, 1.0]]
    """
    x = floating(x)
    axis = one_axis("glu", axis, len(x.shape))
    if x.shape[axis] is not None and x.shape[axis] % 2:
        raise invalid("glu", "the axis must have an even length", x=x, axis=axis)
    a, b = split(x, 2, axis=axis)
    return a * sigmoid_op(b)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)).

    >>> import kerasish as keras
    >>> keras.ops.sigmoid([-100.0, 0.0, 100.0]).numpy().round(6)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    return sigmoid_op(floating(x))


def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6.

    >>> import kerasish as keras
    >>> keras.ops.hard_sigmoid([-4.0, 0.0, 4.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    return hard_sigmoid_op(floating(x))


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), without underflow for very negative x.

    >>> import kerasish as keras
    >>> keras.ops.log_sigmoid([-1000.0]).tolist()
    [-1000.0]
    """
    return log_sigmoid_op(floating(x))


def sparse_sigmoid(x: Any) -> Any:
    """0 below -1, 1 above 1, (x + 1) / 2 between (Martins and Astudillo 2016, for two classes).

    >>> import kerasish as keras
    >>> keras.ops.sparse_sigmoid([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    x = floating(x)
    return where(less_equal(x, -1.0), 0.0, where(greater_equal(x, 1.0), 1.0, (x + 1.0) * 0.5))


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), without overflow.

    >>> import kerasish as keras
    >>> keras.ops.softplus([-1000.0, 1000.0]).tolist()
    [0.0, 1000.0]
    """
    return softplus_op(floating(x))


def sparse_plus(x: Any) -> Any:
    """0 below -1, x above 1, (x + 1)^2 / 4 between: the integral of `sparse_sigmoid`.

    >>> import kerasish as keras
    >>> keras.ops.sparse_plus([-2.0, 0.0, 2.0]).tolist()
    [0.0, 0.25, 2.0]
    """
    x = floating(x)
    return where(less_equal(x, -1.0), 0.0, where(greater_equal(x, 1.0), x, square(x + 1.0) * 0.25))


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2 (Barron 2021).

    >>> import kerasish as keras
    >>> keras.ops.squareplus([0.0]).tolist()
    [1.0]
    """
    x = floating(x)
    return (x + sqrt(square(x) + scalar("squareplus", "b", b))) * 0.5


def silu(x: Any) -> Any:
    """x sigmoid(x), also known as swish (Ramachandran et al. 2017).

    >>> import kerasish as keras
    >>> keras.ops.silu([0.0, 100.0]).tolist()
    [0.0, 100.0]
    """
    return silu_op(floating(x))


def swish(x: Any) -> Any:
    """Alias of `silu`.

    >>> import kerasish as keras
    >>> keras.ops.swish([0.0]).tolist()
    [0.0]
    """
    return silu(x)


def hard_silu(x: Any) -> Any:
    """x hard_sigmoid(x) (Howard et al. 2019).

    >>> import kerasish as keras
    >>> keras.ops.hard_silu([-3.0, 0.0, 3.0]).tolist()
    [-0.0, 0.0, 3.0]
    """
    x = floating(x)
    return x * hard_sigmoid_op(x)


def hard_swish(x: Any) -> Any:
    """Alias of `hard_silu`.

    >>> import kerasish as keras
    >>> keras.ops.hard_swish([4.0]).tolist()
    [4.0]
    """
    return hard_silu(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|).

    >>> import kerasish as keras
    >>> keras.ops.softsign([-1.0, 0.0, 3.0]).tolist()
    [-0.5, 0.0, 0.75]
    """
    return softsign_op(floating(x))


def hard_tanh(x: Any) -> Any:
    """x limited to [-1, 1]; integers keep their dtype.

    >>> import kerasish as keras
    >>> keras.ops.hard_tanh([-2.0, 0.5]).tolist()
    [-1.0, 0.5]
    """
    return clip(x, -1, 1)


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x).

    >>> import kerasish as keras
    >>> keras.ops.tanh_shrink([0.0]).tolist()
    [0.0]
    """
    x = floating(x)
    return x - tanh(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by the threshold, 0 within it.

    >>> import kerasish as keras
    >>> keras.ops.soft_shrink([-1.0, 0.3, 2.0]).tolist()
    [-0.5, 0.0, 1.5]
    """
    x, limit = floating(x), scalar("soft_shrink", "threshold", threshold)
    return where(greater(x, limit), x - limit, where(less(x, -limit), x + limit, 0.0))


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where |x| is above the threshold, 0 within it.

    >>> import kerasish as keras
    >>> keras.ops.hard_shrink([-1.0, 0.3, 2.0]).tolist()
    [-1.0, 0.0, 2.0]
    """
    x = floating(x)
    return where(greater(absolute(x), scalar("hard_shrink", "threshold", threshold)), x, 0.0)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above the threshold, the default value elsewhere.

    >>> import kerasish as keras
    >>> keras.ops.threshold([0.0, 2.0], 1.0, -5.0).tolist()
    [-5.0, 2.0]
    """
    x = floating(x)
    return where(greater(x, scalar("threshold", "threshold", threshold)), x, cast(default_value, x.dtype))
