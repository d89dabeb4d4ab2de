"""Scaled dot-product attention: one fused op, its gradient, and the gradient of that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .cast import cast, promote, unbroadcast
from .compare import greater, logical_and, where
from .creation import ones
from .diagonal import tril
from .elementary import exp
from .math import add, multiply, subtract
from .matmul import matmul_op
from .random import dropout_op
from .reduce import sum as reduce_sum
from .repeat import repeat
from .seed_generator import check_seed, draw_seed
from .shape import expand_dims, reshape, transpose

__all__ = ["attention", "dot_product_attention"]

_NAME = "dot_product_attention"


# ---- declarations -----------------------------------------------------------------------------------------------


def _check(query: Spec, key: Spec, value: Spec) -> None:
    """Refuses operands that do not fit each other."""
    given = {"query": query, "key": key, "value": value}
    if any(x.ndim != 4 for x in given.values()):
        raise invalid(_NAME, "query, key and value have rank 4", **given)
    if query.dtype not in FLOATS or key.dtype != query.dtype or value.dtype != query.dtype:
        raise invalid(
            _NAME, "query, key and value have one floating-point dtype", **{k: v.dtype for k, v in given.items()}
        )
    (_, _, heads, width), (_, _, kv_heads, kv_width) = query.shape, key.shape
    fits = [(query.shape[0], key.shape[0]), (width, kv_width), *zip(key.shape[:3], value.shape[:3])]
    if any(None not in p and p[0] != p[1] for p in fits):
        raise invalid(_NAME, "query (B, T, N, H), key (B, S, K, H) and value (B, S, K, ...) must fit", **given)
    if None in (heads, kv_heads, width) or kv_heads == 0 or heads % kv_heads:
        raise invalid(_NAME, "the heads of query must be a known multiple of those of key", **given)


def _check_extras(query: Spec, key: Spec, extras: tuple[Spec, ...], bias: bool, mask: bool, rate: float) -> None:
    """Refuses a bias, a mask or a seed that is not what the attributes promise."""
    names = [n for n, there in (("bias", bias), ("mask", mask), ("seed", rate > 0)) if there]
    if len(names) != len(extras):
        raise invalid(_NAME, f"the inputs after value are {names}", given=len(extras))
    if not 0 <= rate <= 1:
        raise invalid(_NAME, "the rate of dropout is in [0, 1]", rate=rate)
    logits = (query.shape[0], query.shape[2], query.shape[1], key.shape[1])
    for name, x in zip(names, extras):
        if name == "seed":
            check_seed(_NAME, x)
            continue
        if x.ndim != 4 or any(None not in (d, n) and d not in (1, n) for d, n in zip(x.shape, logits)):
            raise invalid(_NAME, f"the {name} must broadcast to (B, N, T, S) = {logits}", **{name: x})
        wanted = "bool" if name == "mask" else query.dtype
        if x.dtype != wanted:
            raise invalid(_NAME, f"the {name} has dtype {wanted}", dtype=x.dtype)


def _infer(
    query: Spec, key: Spec, value: Spec, *extras: Spec, scale: float | None, causal: bool, bias: bool, mask: bool,
    rate: float,
) -> tuple[Spec, Spec]:  # fmt: skip
    _check(query, key, value)
    _check_extras(query, key, extras, bias, mask, rate)
    (batch, queries, heads, _), dtype = query.shape, query.dtype
    return Spec((batch, queries, heads, value.shape[3]), dtype), Spec((batch, heads, queries), dtype)


def _grad_infer(
    query: Spec, key: Spec, value: Spec, y: Spec, lse: Spec, g: Spec, glse: Spec, *extras: Spec, **attrs: Any
) -> tuple[Spec, ...]:
    """The gradients have the shapes of what they belong to."""
    outs = _infer(query, key, value, *extras, **attrs)
    for name, x, out in (("y", y, outs[0]), ("g", g, outs[0]), ("lse", lse, outs[1]), ("glse", glse, outs[1])):
        if x.dtype != out.dtype or x.ndim != out.ndim or any(
            None not in (a, b) and a != b for a, b in zip(x.shape, out.shape)
        ):  # fmt: skip
            raise invalid("attention_grad", f"{name} has the shape {out.shape} and dtype {out.dtype}", **{name: x})
    return query, key, value


def _bias_grad_infer(*specs: Spec, **attrs: Any) -> tuple[Spec, ...]:
    query, key = specs[:2]
    logits = (query.shape[0], query.shape[2], query.shape[1], key.shape[1])
    return *_grad_infer(*specs, **attrs), Spec(logits, query.dtype)


def _flags(specs: tuple[Spec, ...], attrs: dict) -> tuple[int, ...]:
    return int(attrs["causal"]), int(attrs["bias"]), int(attrs["mask"]), int(attrs["rate"] > 0)


def _scale(width: int, scale: float | None) -> float:
    return 1 / math.sqrt(max(width, 1)) if scale is None else scale


def _numbers(specs: tuple[Spec, ...], attrs: dict) -> tuple[float, float]:
    return _scale(specs[0].shape[3], attrs["scale"]), attrs["rate"]


def _work(products: int) -> Any:
    """Multiply-adds of so many products of queries and keys, which alternate between both widths."""

    def flops(specs: tuple[Spec, ...], outs: tuple[Spec, ...], attrs: dict) -> int:
        (batch, queries, heads, width), (_, keys, _, depth) = specs[0].shape, specs[2].shape
        if None in (batch, queries, keys, depth):
            return 0
        pairs = batch * heads * queries * keys / (2 if attrs["causal"] and queries == keys else 1)
        return int(2 * pairs * (width * ((products + 1) // 2) + depth * (products // 2)))

    return flops


def _grad(ctx: Any, gy: Any, glse: Any) -> tuple:
    wanted = ctx.attrs["bias"] and ctx.needs[3]
    op = attention_bias_grad_op if wanted else attention_grad_op
    query, key, value, *extras = ctx.inputs
    grads = op(query, key, value, *ctx.outputs, gy, glse, *extras, **ctx.attrs)
    bias = (unbroadcast(grads[3], ctx.specs[3]),) if wanted else ()
    return (*grads[:3], *bias, *[None] * (len(extras) - len(bias)))


# ---- the gradient of the gradient, composed of ordinary ops --------------------------------------------------------


def _times(x: Any, y: Any) -> Any:
    return matmul_op(x, y)


def _times_turned(x: Any, y: Any) -> Any:
    """x y^T"""
    return matmul_op(x, y, transpose_a=False, transpose_b=True)


def _turned_times(x: Any, y: Any) -> Any:
    """x^T y"""
    return matmul_op(x, y, transpose_a=True, transpose_b=False)


def _grad_grad(ctx: Any, hq: Any, hk: Any, hv: Any, hl: Any = None) -> tuple:
    """Vector-Jacobian product of attention_grad, whose formulas stand in csrc/attention/attention.c.

    With u = scale (hq k^T + q hk^T) + hl, what arrives at dl, f the factors of dropout, and ps the softmax without the
    rows that may attend to nothing:
        at p:  f (g hv^T) + u (f dp - delta)       at dp:  f u ps        at delta:  -sum u ps over the keys
    """
    query, key, value, y, lse, g, _, *extras = ctx.inputs
    a = ctx.attrs
    share = ctx.specs[0].shape[2] // ctx.specs[1].shape[2]
    scale = _scale(ctx.specs[0].shape[3], a["scale"])

    def of_heads(x: Any) -> Any:
        """(batch, heads, time, width), of as many heads as query has."""
        x = transpose(x, (0, 2, 1, 3))
        return x if x.shape[1] == ctx.specs[0].shape[2] else repeat(x, share, axis=1)

    def back(x: Any, groups: int) -> Any:
        """Undoes `of_heads`: sums over the heads that share one."""
        if groups != x.shape[1]:
            x = reduce_sum(reshape(x, (x.shape[0], groups, share, *x.shape[2:])), axis=2)
        return transpose(x, (0, 2, 1, 3))

    q, k, v, y, g, hq, hk, hv = (of_heads(x) for x in (query, key, value, y, g, hq, hk, hv))
    groups, keys = ctx.specs[1].shape[2], ctx.specs[1].shape[1]
    allowed = expand_dims(greater(lse, -math.inf), -1)
    alive = allowed
    logits = multiply(_times_turned(q, k), scale)
    rest = list(extras)
    if a["bias"]:
        logits = add(logits, rest.pop(0))
    if a["mask"]:
        allowed = logical_and(allowed, rest.pop(0))
    if a["causal"]:
        allowed = logical_and(allowed, tril(ones((ctx.specs[0].shape[1], keys), "bool")))
    # Where nothing is allowed, the exponent is 0 and not -inf - -inf.
    ps = where(allowed, exp(where(allowed, subtract(logits, expand_dims(lse, -1)), 0.0)), 0.0)
    p = where(alive, ps, 1.0 / max(keys, 1))
    dp = _times_turned(g, v)
    delta = subtract(reduce_sum(multiply(g, y), axis=-1, keepdims=True), expand_dims(ctx.inputs[6], -1))
    u = multiply(add(_times_turned(hq, k), _times_turned(q, hk)), scale)
    if hl is not None:
        u = add(u, hl)
    at_pd = _times_turned(g, hv)
    up = multiply(u, ps)
    at_dp, pd = up, p
    if a["rate"] > 0:
        f = _dropout_factors(rest.pop(0), ctx.specs, a["rate"], query.dtype)
        dp, at_pd, at_dp, pd = (multiply(f, x) for x in (dp, at_pd, up, p))
    error = subtract(dp, delta)
    dl = multiply(ps, error)
    at_l = multiply(add(at_pd, multiply(u, error)), ps)
    at_delta = multiply(reduce_sum(up, axis=-1, keepdims=True), -1.0)
    at_q = multiply(add(_times(at_l, k), _times(dl, hk)), scale)
    at_k = multiply(add(_turned_times(at_l, q), _turned_times(dl, hq)), scale)
    at_g = add(add(_times(pd, hv), _times(at_dp, v)), multiply(at_delta, y))
    results = [
        transpose(at_q, (0, 2, 1, 3)),
        back(at_k, groups),
        back(_turned_times(at_dp, g), groups),
        transpose(multiply(at_delta, g), (0, 2, 1, 3)),
        multiply(reduce_sum(at_l, axis=-1), -1.0),
        transpose(at_g, (0, 2, 1, 3)),
        reshape(multiply(at_delta, -1.0), ctx.specs[4].shape),
    ]
    if a["bias"]:
        results.append(unbroadcast(at_l, ctx.specs[7]))
    return (*results, *[None] * (len(ctx.inputs) - len(results)))


def _dropout_factors(seed: Any, specs: tuple[Spec, ...], rate: float, dtype: str) -> Any:
    """What dropout multiplies the weights with: the kernel's decisions, a row of whole groups of 64 for each query."""
    (batch, queries, heads, _), keys = specs[0].shape, specs[1].shape[1]
    drawn = ones((batch, heads, queries, -(-keys // 64) * 64), dtype)
    return dropout_op(drawn, seed, rate=rate, noise_shape=None)[..., :keys]


attention_op = define_op(
    "attention",
    inputs="query key value *extras",
    outputs="y lse",
    infer=_infer,
    kernel=C("attention", i=_flags, f=_numbers),
    grad=_grad,
    saves="query key value extras y lse",
    kind="anchor",
    flops=_work(2),
)
attention_grad_op = define_op(
    "attention_grad",
    inputs="query key value y lse g glse *extras",
    outputs="dq dk dv",
    infer=_grad_infer,
    kernel=C("attention_grad", i=_flags, f=_numbers),
    grad=_grad_grad,
    saves="query key value y lse g glse extras",
    kind="anchor",
    flops=_work(5),
)
attention_bias_grad_op = define_op(
    "attention_bias_grad",
    inputs="query key value y lse g glse *extras",
    outputs="dq dk dv dlogits",
    infer=_bias_grad_infer,
    kernel=C("attention_grad", i=_flags, f=_numbers),
    grad=_grad_grad,
    saves="query key value y lse g glse extras",
    kind="anchor",
    flops=_work(5),
)


# ---- public -----------------------------------------------------------------------------------------------------


def _rank4(x: Any) -> Any:
    """With leading dimensions of 1, as broadcasting adds them."""
    missing = 4 - len(x.shape)
    return expand_dims(x, tuple(range(missing))) if missing > 0 else x


def attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
    causal: bool = False,
    rate: float = 0.0,
    seed: Any = None,
) -> Any:
    """`dot_product_attention` with dropout of the weights.

    With probability `rate` a weight becomes 0; those that are left are multiplied by 1 / (1 - rate). `seed` is a
    SeedGenerator, an integer or None, as in `random.dropout`.
    """
    query, key, value = promote(*(as_input(x) for x in (query, key, value)))
    dtype = result_type(query.dtype, float)
    wide = result_type(dtype, "float32")
    query, key, value = (cast(x, wide) for x in (query, key, value))
    if scale is not None and not isinstance(scale, (int, float, np.integer, np.floating)):
        query, scale = multiply(query, cast(scale, wide)), 1.0
    extras = []
    if bias is not None:
        extras.append(_rank4(cast(bias, wide)))
    if mask is not None:
        extras.append(_rank4(cast(mask, "bool")))
    if rate > 0:
        extras.append(draw_seed(seed))
    y, _ = attention_op(
        query,
        key,
        value,
        *extras,
        scale=None if scale is None else float(scale),
        causal=bool(causal),
        bias=bias is not None,
        mask=mask is not None,
        rate=float(rate),
    )
    return cast(y, dtype)


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: Any = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """softmax(query . key * scale + bias) . value, for each head.

    Vaswani et al. (2017), Attention is all you need. With fewer key heads than query heads, each key head serves a
    group of neighbouring query heads (Ainslie et al., 2023, GQA). It is computed in float32 or wider, block by block,
    so that the scores never go through memory (Dao et al., 2022, FlashAttention). A row that may attend to nothing gets
    equal weights.

    Args:
        query: (batch, T, heads, width).
        key: (batch, S, key heads, width); key heads divides heads.
        value: (batch, S, key heads, value width).
        bias: added to the logits; must broadcast to (batch, heads, T, S).
        mask: bools, true where attention is allowed; must broadcast to (batch, heads, T, S).
        scale: 1 / sqrt(width) by default.
        is_causal: each position attends to itself and to earlier ones only.
        flash_attention: accepted; the computation is the same either way.
        attn_logits_soft_cap: must be None.

    Returns:
        A tensor (batch, T, heads, value width).

    Raises:
        ValueError: for shapes that do not fit, or for `attn_logits_soft_cap`.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 4, 8, 16))
    >>> keras.ops.dot_product_attention(x, x, x, is_causal=True).shape
    (2, 4, 8, 16)
    """
    if attn_logits_soft_cap is not None:
        raise invalid(_NAME, "`attn_logits_soft_cap` is not supported", attn_logits_soft_cap=attn_logits_soft_cap)
    return attention(query, key, value, bias, mask, scale, is_causal)
