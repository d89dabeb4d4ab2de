"""Scaled dot-product attention."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..engine.dtype import result_type
from ..engine.errors import invalid
from ..engine.tensor import as_input
from .cast import cast, promote
from .compare import logical_and, where
from .creation import ones_like
from .diagonal import tril
from .einsum import einsum
from .math import add, multiply
from .repeat import repeat
from .softmax import softmax

__all__ = ["dot_product_attention"]


def _checked(query: Any, key: Any, value: Any) -> tuple[int, int]:
    """How many query heads share a key head, and the width of a head."""
    given = {"query": query, "key": key, "value": value}
    if any(len(x.shape) != 4 for x in given.values()):
        raise invalid("dot_product_attention", "query, key and value have rank 4", **given)
    (_, _, heads, width), (_, _, kv_heads, kv_width) = query.shape, key.shape
    fits = [(query.shape[0], key.shape[0]), (width, kv_width), *zip(key.shape[:3], value.shape[:3])]
    if any(None not in p and p[0] != p[1] for p in fits):
        raise invalid(
            "dot_product_attention", "query (B, T, N, H), key (B, S, K, H) and value (B, S, K, ...) must fit", **given
        )
    if None in (heads, kv_heads, width) or kv_heads == 0 or heads % kv_heads:
        raise invalid("dot_product_attention", "the heads of query must be a known multiple of those of key", **given)
    return heads // kv_heads, width


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
    group of neighbouring query heads (Ainslie et al., 2023, GQA). The softmax is computed in float32 or wider.

    Args:
        query: (batch, T, heads, width).
        key: (batch, S, key heads, width); key heads divides heads.
        value: (batch, S, key heads, value width).
        bias: added to the logits; must broadcast to (batch, heads, T, S).
        mask: bools, true where attention is allowed; must broadcast to (batch, heads, T, S).
        scale: 1 / sqrt(width) by default.
        is_causal: each position attends to itself and to earlier ones only.
        flash_attention: must not be true; there is one implementation.
        attn_logits_soft_cap: must be None.

    Returns:
        A tensor (batch, T, heads, value width).

    Raises:
        ValueError: for shapes that do not fit, or for the last two arguments.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 4, 8, 16))
    >>> keras.ops.dot_product_attention(x, x, x, is_causal=True).shape
    (2, 4, 8, 16)
    """
    where_ = "dot_product_attention"
    if flash_attention:
        raise invalid(where_, "`flash_attention` is not available on CPUs", flash_attention=flash_attention)
    if attn_logits_soft_cap is not None:
        raise invalid(where_, "`attn_logits_soft_cap` is not supported", attn_logits_soft_cap=attn_logits_soft_cap)
    query, key, value = promote(*(as_input(x) for x in (query, key, value)))
    group, width = _checked(query, key, value)
    dtype = result_type(query.dtype, float)
    wide = result_type(dtype, "float32")
    query, key, value = (cast(x, dtype) for x in (query, key, value))
    if group > 1:
        key, value = repeat(key, group, axis=2), repeat(value, group, axis=2)
    logits = einsum("btnh,bsnh->bnts", cast(query, wide), cast(key, wide))
    logits = multiply(logits, 1 / sqrt(width) if scale is None else cast(scale, wide))
    if bias is not None:
        logits = add(logits, cast(bias, wide))
    allowed = None if mask is None else cast(mask, "bool")
    if is_causal:
        past = tril(ones_like(logits, dtype="bool"))
        allowed = past if allowed is None else logical_and(past, allowed)
    if allowed is not None:
        # Far below every logit, but finite: a row that may attend to nothing gets equal weights, not NaN.
        logits = where(allowed, logits, float(-0.7 * np.finfo(wide).max))
    weights = cast(softmax(logits, axis=-1), dtype)
    return einsum("bnts,bsnh->btnh", weights, value)
