"""dot_product_attention: masks, gradients, symbols, errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .errors import refuses

RNG = np.random.default_rng(0)
Q, K, V = RNG.standard_normal((2, 3, 2, 4)), RNG.standard_normal((2, 5, 2, 4)), RNG.standard_normal((2, 5, 2, 6))


def test_a_row_that_may_attend_to_nothing_gets_equal_weights():
    y = ops.dot_product_attention(Q, K, V, mask=np.zeros((2, 1, 3, 5), bool))
    np.testing.assert_allclose(y, np.broadcast_to(V.mean(1, keepdims=True), (2, 3, 2, 6)))


def test_the_future_does_not_matter_where_attention_is_causal():
    changed = K.copy()
    changed[:, 3:] += 1
    first, second = (ops.dot_product_attention(Q, k, V, is_causal=True).numpy() for k in (K, changed))
    np.testing.assert_allclose(first[:, 0], V[:, 0])
    np.testing.assert_array_equal(first, second)


def test_gradients():
    xs = [ops.convert_to_tensor(x) for x in (Q, K[:, :, :1], V[:, :, :1], RNG.standard_normal((2, 2, 3, 5)))]
    weight = RNG.standard_normal((2, 3, 2, 6))

    def loss(*x):
        return ops.sum(ops.dot_product_attention(*x, is_causal=True) * weight)

    with keras.GradientTape() as tape:
        tape.watch(xs)
        y = loss(*xs)
    for k, g in enumerate(tape.gradient(y, xs)):
        d = RNG.standard_normal(g.shape)
        plus, minus = ([x + s * 1e-6 * d if j == k else x for j, x in enumerate(xs)] for s in (1, -1))
        np.testing.assert_allclose((g.numpy() * d).sum(), float(loss(*plus) - loss(*minus)) / 2e-6, rtol=1e-5)


def test_dtypes_and_symbols():
    half = [x.astype("float16") for x in (Q, K, V)]
    assert ops.dot_product_attention(*half).dtype == "float16"
    q, k = Symbol((None, None, 4, 8)), Symbol((None, None, 2, 8))
    assert ops.dot_product_attention(q, k, k, is_causal=True).shape == (None, None, 4, 8)


@pytest.mark.parametrize("call,message", [
    (lambda: ops.dot_product_attention(Q[0], K, V), "query, key and value have rank 4."),
    (lambda: ops.dot_product_attention(Q, K[..., :3], V), "query (B, T, N, H), key (B, S, K, H) and value"),
    (lambda: ops.dot_product_attention(Q, K, V[:, :4]), "query (B, T, N, H), key (B, S, K, H) and value"),
    (lambda: ops.dot_product_attention(Q[:1], K, V), "query (B, T, N, H), key (B, S, K, H) and value"),
    (lambda: ops.dot_product_attention(Q[:, :, :1], K, V), "the heads of query must be a known multiple"),
    (lambda: ops.dot_product_attention(Q, K, V, flash_attention=True), "`flash_attention` is not available on CPUs."),
    (lambda: ops.dot_product_attention(Q, K, V, attn_logits_soft_cap=1.0), "`attn_logits_soft_cap` is not supported."),
])  # fmt: skip
def test_refusals(call, message):
    refuses(call, f"dot_product_attention: {message}")
