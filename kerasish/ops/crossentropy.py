"""Cross-entropies of classes, labels and bits, from logits (fused and stable) and from probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.config import epsilon
from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input, to_tensor
from .activation import sigmoid
from .axes import one_axis
from .cast import cast
from .elementary import log
from .gather import one_hot
from .reductions import sum_op
from .shape import expand_dims, moveaxis, squeeze
from .softmax import log_softmax_op, softmax_grad_op, softmax_op

__all__ = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]


def _differ(a: tuple, b: tuple) -> bool:
    return len(a) != len(b) or any(m != n for m, n in zip(a, b) if m is not None and n is not None)


def _same_shape(where: str, output: Spec, target: Spec) -> None:
    if _differ(output.shape, target.shape):
        raise invalid(where, "target and output must have the same shape", target=target, output=output)


def _known(a: tuple, b: tuple) -> tuple:
    """The shape of two tensors of the same shape, from what is known of either."""
    return tuple(n if m is None else m for m, n in zip(a, b))


def _dense_infer(output: Spec, target: Spec, eps: float = 0.0) -> Spec:
    where = "categorical_crossentropy"
    _same_shape(where, output, target)
    if output.ndim < 1:
        raise invalid(where, "target and output have at least one axis, the classes", target=target, output=output)
    return Spec(_known(output.shape, target.shape)[:-1], output.dtype)


def _sparse_infer(output: Spec, target: Spec, eps: float = 0.0) -> Spec:
    where = "sparse_categorical_crossentropy"
    if output.ndim < 1:
        raise invalid(where, "output has at least one axis, the classes", target=target, output=output)
    if _differ(output.shape[:-1], target.shape):
        raise invalid(where, "target has the shape of output without the classes", target=target, output=output)
    return Spec(_known(output.shape[:-1], target.shape), output.dtype)


def _binary_infer(output: Spec, target: Spec, eps: float = 0.0) -> Spec:
    _same_shape("binary_crossentropy", output, target)
    return Spec(_known(output.shape, target.shape), output.dtype)


def _grad_infer(output: Spec, target: Spec, g: Spec, eps: float = 0.0) -> Spec:
    return output


def _f(specs: tuple[Spec, ...], attrs: dict) -> tuple[float, ...]:
    return (attrs["eps"],) if "eps" in attrs else ()


def _last(x: Any) -> Any:
    """Sum over the classes, kept as a dimension of length 1."""
    return sum_op(x, axis=(x.ndim - 1,), keepdims=True)


def _wide(g: Any) -> Any:
    return expand_dims(g, -1)


def _sum_classes(x: Any) -> Any:
    return sum_op(x, axis=(x.ndim - 1,), keepdims=False)


def _ones(spec: Spec) -> Any:
    return to_tensor(np.ones(spec.shape, spec.dtype))


def _softmax_of(x: Any) -> Any:
    return softmax_op(x, start=x.ndim - 1, stop=x.ndim)


def _clipped(p: Any, eps: float) -> tuple[Any, Any]:
    """Where p lies within [eps, 1 - eps], as 1 and 0; and p there, with a harmless value elsewhere."""
    inside = cast(p >= eps, p.dtype) * cast(p <= 1 - eps, p.dtype)
    return inside, p * inside + 0.5 * (1 - inside)


def _clip(p: Any, eps: float) -> Any:
    inside, safe = _clipped(p, eps)
    return safe * inside + (eps * cast(p < eps, p.dtype) + (1 - eps) * cast(p > 1 - eps, p.dtype))


def _samples(specs: tuple[Spec, ...], attrs: dict) -> int:
    """All dimensions but the classes."""
    return specs[0].ndim - 1


def _all_dimensions(specs: tuple[Spec, ...], attrs: dict) -> int:
    return specs[0].ndim


# ---- classes, from logits: L = sum t (logsumexp(x) - x), dL/dx = softmax(x) sum t - t


def _dense_logits_grad_grad(ctx: Any, h: Any) -> tuple:
    x, t, g = ctx.inputs
    p = _softmax_of(x)
    g_wide = _wide(g)
    dx = g_wide * _last(t) * softmax_grad_op(p, h, start=x.ndim - 1, stop=x.ndim) if ctx.needs[0] else None
    dt = g_wide * (_last(h * p) - h) if ctx.needs[1] else None
    dg = _sum_classes(h * dense_logits_grad_op(x, t, _ones(ctx.specs[2]))) if ctx.needs[2] else None
    return dx, dt, dg


dense_logits_op = define_op(
    "categorical_crossentropy_from_logits",
    inputs="output target",
    outputs="loss",
    infer=_dense_infer,
    kernel=C("softmax_cross_entropy"),
    grad=(
        lambda ctx, g: dense_logits_grad_op(*ctx.inputs, g),
        lambda ctx, g: -_wide(g) * log_softmax_op(ctx.inputs[0], start=g.ndim, stop=g.ndim + 1),
    ),
    saves="output target",
    kind="reduce",
    lead=_samples,
)
dense_logits_grad_op = define_op(
    "categorical_crossentropy_from_logits_grad",
    inputs="output target g",
    outputs="dx",
    infer=_grad_infer,
    kernel=C("softmax_cross_entropy_grad"),
    grad=_dense_logits_grad_grad,
    saves="output target g",
    lead=_samples,
)


def _sparse_logits_grad_grad(ctx: Any, h: Any) -> tuple:
    x, labels, g = ctx.inputs
    dx = _wide(g) * softmax_grad_op(_softmax_of(x), h, start=x.ndim - 1, stop=x.ndim) if ctx.needs[0] else None
    dg = _sum_classes(h * sparse_logits_grad_op(x, labels, _ones(ctx.specs[2]))) if ctx.needs[2] else None
    return dx, None, dg


sparse_logits_op = define_op(
    "sparse_categorical_crossentropy_from_logits",
    inputs="output target",
    outputs="loss",
    infer=_sparse_infer,
    kernel=C("sparse_softmax_cross_entropy"),
    grad=(lambda ctx, g: sparse_logits_grad_op(*ctx.inputs, g), None),
    saves="output target",
    kind="reduce",
    lead=_samples,
)
sparse_logits_grad_op = define_op(
    "sparse_categorical_crossentropy_from_logits_grad",
    inputs="output target g",
    outputs="dx",
    infer=_grad_infer,
    kernel=C("sparse_softmax_cross_entropy_grad"),
    grad=_sparse_logits_grad_grad,
    saves="output target g",
    lead=_samples,
)

# ---- classes, from probabilities: L = -sum t log(clip(p / s)), s = sum p; with m = 1 where nothing is clipped,
# dL/dp = (sum t m) / s - t m / p


def _prob_grad_grad(p: Any, t: Any, g: Any, h: Any, eps: float) -> tuple[Any, Any]:
    """Gradients with respect to p and t of sum h dL/dp, g being the gradient of the loss."""
    s = _last(p)
    m, _ = _clipped(p / s, eps)
    safe = p * m + (1 - m)
    total_h, g = _last(h), _wide(g)
    dp = g * (h * t * m / (safe * safe) - total_h * _last(t * m) / (s * s))
    dt = g * m * (total_h / s - h / safe)
    return dp, dt


def _dense_grad_grad(ctx: Any, h: Any) -> tuple:
    p, t, g = ctx.inputs
    dp, dt = _prob_grad_grad(p, t, g, h, ctx.attrs["eps"])
    dg = _sum_classes(h * dense_grad_op(p, t, _ones(ctx.specs[2]), **ctx.attrs)) if ctx.needs[2] else None
    return dp, dt, dg


dense_op = define_op(
    "categorical_crossentropy",
    inputs="output target",
    outputs="loss",
    infer=_dense_infer,
    kernel=C("cross_entropy", f=_f),
    grad=(
        lambda ctx, g: dense_grad_op(*ctx.inputs, g, **ctx.attrs),
        lambda ctx, g: -_wide(g) * log(_clip(ctx.inputs[0] / _last(ctx.inputs[0]), ctx.attrs["eps"])),
    ),
    saves="output target",
    kind="reduce",
    lead=_samples,
)
dense_grad_op = define_op(
    "categorical_crossentropy_grad",
    inputs="output target g",
    outputs="dp",
    infer=_grad_infer,
    kernel=C("cross_entropy_grad", f=_f),
    grad=_dense_grad_grad,
    saves="output target g",
    lead=_samples,
)


def _sparse_grad_grad(ctx: Any, h: Any) -> tuple:
    p, labels, g = ctx.inputs
    dp = (
        _prob_grad_grad(p, one_hot(labels, ctx.specs[0].shape[-1], dtype=ctx.specs[0].dtype), g, h, ctx.attrs["eps"])[0]
        if ctx.needs[0]
        else None
    )
    dg = _sum_classes(h * sparse_grad_op(p, labels, _ones(ctx.specs[2]), **ctx.attrs)) if ctx.needs[2] else None
    return dp, None, dg


sparse_op = define_op(
    "sparse_categorical_crossentropy",
    inputs="output target",
    outputs="loss",
    infer=_sparse_infer,
    kernel=C("sparse_cross_entropy", f=_f),
    grad=(lambda ctx, g: sparse_grad_op(*ctx.inputs, g, **ctx.attrs), None),
    saves="output target",
    kind="reduce",
    lead=_samples,
)
sparse_grad_op = define_op(
    "sparse_categorical_crossentropy_grad",
    inputs="output target g",
    outputs="dp",
    infer=_grad_infer,
    kernel=C("sparse_cross_entropy_grad", f=_f),
    grad=_sparse_grad_grad,
    saves="output target g",
    lead=_samples,
)

# ---- bits: L = log(1 + exp(x)) - t x, dL/dx = sigmoid(x) - t


def _binary_logits_grad_grad(ctx: Any, h: Any) -> tuple:
    x, t, g = ctx.inputs
    sigma = sigmoid(x) if ctx.needs[0] else None
    return (
        h * g * sigma * (1 - sigma) if ctx.needs[0] else None,
        -h * g if ctx.needs[1] else None,
        binary_logits_grad_op(x, t, h) if ctx.needs[2] else None,
    )


binary_logits_op = define_op(
    "binary_crossentropy_from_logits",
    inputs="output target",
    outputs="loss",
    infer=_binary_infer,
    kernel=C("sigmoid_cross_entropy"),
    grad=(
        lambda ctx, g: binary_logits_grad_op(*ctx.inputs, g),
        lambda ctx, g: -g * ctx.inputs[0],
    ),
    saves="output target",
    kind="elementwise",
    lead=_all_dimensions,
)
binary_logits_grad_op = define_op(
    "binary_crossentropy_from_logits_grad",
    inputs="output target g",
    outputs="dx",
    infer=_grad_infer,
    kernel=C("sigmoid_cross_entropy_grad"),
    grad=_binary_logits_grad_grad,
    saves="output target g",
    kind="elementwise",
    lead=_all_dimensions,
)

# ---- bits, from probabilities: L = -(t log q + (1 - t) log(1 - q)), q = clip(p); dL/dp = (p - t) / (p (1 - p)) or 0


def _binary_grad_grad(ctx: Any, h: Any) -> tuple:
    p, t, g = ctx.inputs
    m, safe = _clipped(p, ctx.attrs["eps"])
    v = safe * (1 - safe)
    scale = h * g * m / v
    dp = scale * (1 - (safe - t) * (1 - 2 * safe) / v) if ctx.needs[0] else None
    return dp, -scale, binary_grad_op(p, t, h, **ctx.attrs) if ctx.needs[2] else None


def _binary_target_grad(ctx: Any, g: Any) -> Any:
    q = _clip(ctx.inputs[0], ctx.attrs["eps"])
    return g * (log(1 - q) - log(q))


binary_op = define_op(
    "binary_crossentropy",
    inputs="output target",
    outputs="loss",
    infer=_binary_infer,
    kernel=C("binary_cross_entropy", f=_f),
    grad=(lambda ctx, g: binary_grad_op(*ctx.inputs, g, **ctx.attrs), _binary_target_grad),
    saves="output target",
    kind="elementwise",
    lead=_all_dimensions,
)
binary_grad_op = define_op(
    "binary_crossentropy_grad",
    inputs="output target g",
    outputs="dp",
    infer=_grad_infer,
    kernel=C("binary_cross_entropy_grad", f=_f),
    grad=_binary_grad_grad,
    saves="output target g",
    kind="elementwise",
    lead=_all_dimensions,
)


def _prepared(where: str, output: Any, axis: int | None) -> tuple[Any, Any, str]:
    """The output in a dtype that the kernels take, its axis, and the dtype of the loss."""
    output = as_input(output)
    dtype = output.dtype if output.dtype in FLOATS else result_type(output.dtype, float)
    output = cast(output, result_type(dtype, "float32"))
    if axis is not None and len(output.shape):
        axis = one_axis(where, axis, len(output.shape))
    return output, axis, dtype


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-sum(target * log(p)) over the classes, for each sample.

    Args:
        target: class probabilities, often one-hot; of output's shape.
        output: logits, or probabilities, which are divided by their sum and clipped to [epsilon, 1 - epsilon].
        from_logits: whether `output` holds logits; the loss is then computed in one stable step.
        axis: the axis of the classes.

    Returns:
        A tensor of output's shape without the axis, in output's dtype.

    Raises:
        ValueError: where the shapes differ or have no axis.

    >>> import kerasish as keras
    >>> keras.ops.categorical_crossentropy([[0, 1, 0]], [[0.25, 0.5, 0.25]]).numpy()
    array([0.6931472], dtype=float32)
    """
    where = "categorical_crossentropy"
    output, axis, dtype = _prepared(where, output, axis)
    target = cast(target, output.dtype)
    _dense_infer(*(Spec(tuple(t.shape), t.dtype) for t in (output, target)))
    if axis != len(output.shape) - 1:
        output, target = moveaxis(output, axis, -1), moveaxis(target, axis, -1)
    loss = dense_logits_op(output, target) if from_logits else dense_op(output, target, eps=epsilon())
    return cast(loss, dtype)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """-log(p[target]), for each sample.

    Args:
        target: class numbers; of output's shape without the axis, or with a last dimension of length 1 besides.
        output: logits, or probabilities, which are divided by their sum and clipped to [epsilon, 1 - epsilon].
        from_logits: whether `output` holds logits; the loss is then computed in one stable step.
        axis: the axis of the classes.

    Returns:
        A tensor of target's shape, in output's dtype.

    Raises:
        ValueError: where the shapes do not fit, or a class number lies outside [0, classes).

    >>> import kerasish as keras
    >>> keras.ops.sparse_categorical_crossentropy([1], [[0.25, 0.5, 0.25]]).numpy()
    array([0.6931472], dtype=float32)
    """
    where = "sparse_categorical_crossentropy"
    output, axis, dtype = _prepared(where, output, axis)
    target = as_input(target)
    if target.dtype not in ("int32", "int64"):
        target = cast(target, "int32")
    rank = len(output.shape)
    if len(target.shape) == rank and rank and target.shape[-1] == 1:
        target = squeeze(target, -1)
    if rank and axis != rank - 1:
        output = moveaxis(output, axis, -1)
    loss = sparse_logits_op(output, target) if from_logits else sparse_op(output, target, eps=epsilon())
    return cast(loss, dtype)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-(target * log(p) + (1 - target) * log(1 - p)), element by element.

    Args:
        target: probabilities, often 0 and 1; of output's shape.
        output: logits, or probabilities, which are clipped to [epsilon, 1 - epsilon].
        from_logits: whether `output` holds logits; the loss is then computed without overflow or cancellation.

    Returns:
        A tensor of output's shape and dtype.

    Raises:
        ValueError: where the shapes differ.

    >>> import kerasish as keras
    >>> keras.ops.binary_crossentropy([1.0, 0.0], [0.5, 0.5]).numpy()
    array([0.6931472, 0.6931472], dtype=float32)
    """
    output, _, dtype = _prepared("binary_crossentropy", output, None)
    target = cast(target, output.dtype)
    loss = binary_logits_op(output, target) if from_logits else binary_op(output, target, eps=epsilon())
    return cast(loss, dtype)
