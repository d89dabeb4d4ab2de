"""dot_product_attention: masks, gradients, symbols, errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol
from kerasish.ops.attention import attention, attention_grad_op, attention_op

from .errors import refuses

RNG = np.random.default_rng(0)
Q, K, V = RNG.standard_normal((2, 3, 2, 4)), RNG.standard_normal((2, 5, 2, 4)), RNG.standard_normal((2, 5, 2, 6))
PLAIN = {"scale": None, "causal": False, "bias": False, "mask": False, "rate": 0.0}


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
    (lambda: ops.dot_product_attention(Q, K, V, bias=np.zeros((3, 5, 2))), "the bias must broadcast to (B, N, T, S) ="),
    (lambda: ops.dot_product_attention(Q, K, V, mask=np.zeros((3, 1, 1, 5), bool)), "the mask must broadcast to"),
    (lambda: ops.dot_product_attention(Q, K, V, mask=np.zeros((1, 2, 1, 1, 5), bool)), "the mask must broadcast to"),
    (lambda: attention(Q, K, V, rate=1.5), "the rate of dropout is in [0, 1]."),
    (lambda: attention_op(Q, K, V, **{**PLAIN, "mask": True}), "the inputs after value are ['mask']."),
    (lambda: attention_op(Q, K, V, np.zeros((1, 1, 1, 1)), **{**PLAIN, "mask": True}), "the mask has dtype bool."),
    (lambda: attention_op(Q, K.astype("float32"), V, **PLAIN), "query, key and value have one floating-point dtype."),
    (lambda: attention_op(Q, K, V, np.zeros(3, "uint32"), **{**PLAIN, "rate": 0.5}), "the seed must have shape (2,)"),
    (lambda: ops.dot_product_attention(Q, K, V, attn_logits_soft_cap=1.0), "`attn_logits_soft_cap` is not supported."),
])  # fmt: skip
def test_refusals(call, message):
    refuses(call, f"dot_product_attention: {message}")


def test_the_gradient_refuses_what_does_not_fit():
    y, lse = attention_op(Q, K, V, **PLAIN)
    refuses(
        lambda: attention_grad_op(Q, K, V, y, lse, y.numpy()[:, :2], lse, **PLAIN),
        "attention_grad: g has the shape (2, 3, 2, 6) and dtype float64.",
    )


def test_flash_attention_changes_nothing():
    want = ops.dot_product_attention(Q, K, V).numpy()
    for flash in (True, False):
        np.testing.assert_array_equal(ops.dot_product_attention(Q, K, V, flash_attention=flash), want)


def test_a_tensor_may_be_the_scale():
    scale = ops.convert_to_tensor(0.3)
    with keras.GradientTape() as tape:
        tape.watch(scale)
        y = ops.dot_product_attention(Q, K, V, scale=scale)
    np.testing.assert_allclose(y, ops.dot_product_attention(Q, K, V, scale=0.3), rtol=1e-6)
    assert np.isfinite(float(tape.gradient(y, scale)))


def test_dropout_of_weights():
    many = np.ones((4, 32, 2, 4)), np.zeros((4, 200, 2, 4)), np.ones((4, 200, 2, 3))
    y = attention(*many, rate=0.25, seed=3).numpy()  # the mean of 200 weights, each 0 or 4 / 3
    assert abs(y.mean() - 1) < 0.01
    assert 0.8 < y.std() / np.sqrt(0.25 / 0.75 / 200) < 1.2
    np.testing.assert_array_equal(y, attention(*many, rate=0.25, seed=3).numpy())
    assert (y != attention(*many, rate=0.25, seed=4).numpy()).any()
    np.testing.assert_array_equal(attention(*many, rate=1.0, seed=3), np.zeros_like(y))


def test_a_row_of_infinite_bias_is_no_number_and_does_not_spread():
    bias = np.zeros((3, 5))
    bias[1] = -np.inf
    bias[2, :3] = -np.inf
    y = ops.dot_product_attention(Q, K, V, bias=bias).numpy()
    assert np.isnan(y[:, 1]).all()
    assert np.isfinite(y[:, [0, 2]]).all()
    np.testing.assert_allclose(y[:, 2], ops.dot_product_attention(Q, K[:, 3:], V[:, 3:]).numpy()[:, 2], rtol=1e-12)
