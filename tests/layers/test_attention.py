"""Attention layers: what masks, dropout and flags do, that fused and plain paths agree, and what bad arguments say."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L
from kerasish import ops
from kerasish._core import core

from .test_errors import fails, ones

RNG = np.random.default_rng(0)
Q, V = RNG.standard_normal((2, 5, 6)).astype("float32"), RNG.standard_normal((2, 7, 6)).astype("float32")
PADDING = np.arange(7) < np.array([[4], [7]])


def layers():
    return [
        L.MultiHeadAttention(2, 3, name="multi"),
        L.MultiHeadAttention(2, 3, value_dim=4, use_gate=True, sliding_window=3),
        L.GroupQueryAttention(3, 4, 2, name="grouped"),
        L.GroupQueryAttention(3, 4, 1, use_gate=True, sliding_window=2),
    ]


CALLS = [
    {},
    {"use_causal_mask": True},
    {"value_mask": PADDING},
    {"key_mask": PADDING, "use_causal_mask": True},
    {"attention_mask": np.tri(5, 7, 2, dtype=bool)[None]},
    {"attention_mask": np.tri(5, 7, 2, dtype="int32")[None].repeat(2, 0), "value_mask": PADDING},
]


@pytest.mark.parametrize("call", CALLS, ids=lambda c: "+".join(c) or "plain")
def test_the_fused_path_and_the_plain_one_agree(call):
    for layer in layers():
        fused = layer(Q, V, **call).numpy()
        plain, weights = layer(Q, V, return_attention_scores=True, **call)
        np.testing.assert_allclose(fused, plain.numpy(), rtol=1e-5, atol=1e-6)
        assert weights.shape[-2:] == (5, 7)
        np.testing.assert_allclose(weights.numpy().sum(-1), 1, rtol=1e-5)


def test_disabling_flash_attention_takes_the_plain_path():
    keras.config.disable_flash_attention()
    try:
        plain = L.MultiHeadAttention(2, 3)
        plain(Q, V)
        with keras.GradientTape() as tape:
            plain(Q, V)
        assert "attention" not in {r.op.name for r in tape._records}
    finally:
        keras.config.enable_flash_attention()
    fused = L.MultiHeadAttention(2, 3, flash_attention=True)
    fused(Q, V)
    with keras.GradientTape() as tape:
        y = fused(Q, V)
    assert "attention" in {r.op.name for r in tape._records}
    plain.set_weights(fused.get_weights())
    np.testing.assert_allclose(plain(Q, V).numpy(), y.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_masked_steps_do_not_count_and_carry_their_mask_on(dropout):
    value = ops.convert_to_tensor(V)
    value._keras_mask = ops.convert_to_tensor(PADDING)
    changed = V.copy()
    changed[~PADDING] += 5
    other = ops.convert_to_tensor(changed)
    other._keras_mask = ops.convert_to_tensor(PADDING)
    query = ops.convert_to_tensor(Q)
    query._keras_mask = ops.convert_to_tensor(np.ones((2, 5), bool))
    for layer in (L.MultiHeadAttention(2, 3, dropout=dropout), L.GroupQueryAttention(3, 2, 1, dropout=dropout)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            y, z = layer(query, value), layer(query, other)
        np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(y._keras_mask.numpy(), np.ones((2, 5), bool))
        assert value._keras_mask is not None  # the masks are put back
        np.testing.assert_allclose(y.numpy(), layer(Q, V, value_mask=PADDING).numpy(), rtol=1e-5, atol=1e-6)
    attention = L.Attention(dropout=dropout)
    y, z = attention([query, value]), attention([query, other])
    np.testing.assert_allclose(y.numpy(), z.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y._keras_mask.numpy(), np.ones((2, 5), bool))


def test_a_masked_query_of_attention_gives_zero():
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]], bool)
    for layer in (L.Attention(), L.AdditiveAttention(), L.Attention(score_mode="concat")):
        y = layer([Q, V], mask=[mask, None]).numpy()
        assert (y[~mask] == 0).all()
        assert (y[mask] != 0).all()
        assert layer.compute_mask([Q, V], [mask, PADDING]).numpy().tolist() == mask.tolist()
        assert layer.compute_mask([Q, V]) is None


@pytest.mark.parametrize("make", [
    lambda: L.MultiHeadAttention(2, 3, dropout=0.5, seed=1),
    lambda: L.GroupQueryAttention(3, 2, 1, dropout=0.5, seed=1),
    lambda: L.MultiHeadAttention(1, 3, dropout=0.5, seed=1, attention_axes=1),
])  # fmt: skip
def test_dropout_acts_in_training_only(make):
    layer = make()
    still = layer(Q, V).numpy()
    np.testing.assert_array_equal(layer(Q, V, training=False).numpy(), still)
    a, b = layer(Q, V, training=True).numpy(), layer(Q, V, training=True).numpy()
    assert (a != still).any() and (a != b).any()
    again = make()
    again(Q, V)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(Q, V, training=True).numpy(), a)  # the same seed, from the start
    y, weights = layer(Q, V, training=True, return_attention_scores=True)
    np.testing.assert_allclose(weights.numpy().sum(-1), 1, rtol=1e-5)  # the scores are those before dropout
    assert y.shape == still.shape


@pytest.mark.parametrize("make", [
    lambda: L.Attention(dropout=0.5, seed=1),
    lambda: L.Attention(score_mode="concat", dropout=0.5, seed=1),
    lambda: L.AdditiveAttention(dropout=0.5, seed=1),
])  # fmt: skip
def test_dropout_of_attention(make):
    layer = make()
    still = layer([Q, V]).numpy()
    a, b = layer([Q, V], training=True).numpy(), layer([Q, V], training=True).numpy()
    assert (a != still).any() and (a != b).any()
    y, weights = layer([Q, V], training=True, return_attention_scores=True)
    assert 0 < (weights.numpy() == 0).mean() < 1
    assert y.shape == still.shape


def test_symbolic_scores_have_the_real_shape():
    x, v = keras.Input((5, 6)), keras.Input((7, 6))
    for layer in layers():
        y, weights = layer(x, v, return_attention_scores=True)
        model = keras.Model([x, v], [y, weights])
        real = model([Q, V])
        assert [t.shape[1:] for t in real] == [y.shape[1:], weights.shape[1:]]
    y, weights = L.Attention()([x, v], return_attention_scores=True)
    assert (y.shape, weights.shape) == ((None, 5, 6), (None, 5, 7))
    images = keras.Input((3, 4, 6))
    y, weights = L.MultiHeadAttention(2, 3, attention_axes=2)(images, images, return_attention_scores=True)
    real = keras.Model(images, [y, weights])(np.ones((2, 3, 4, 6), "float32"))
    assert [t.shape[1:] for t in real] == [y.shape[1:], weights.shape[1:]]


def test_one_step_gives_the_same_bits_at_any_thread_count():
    x = RNG.standard_normal((4, 150, 16)).astype("float32")
    results = []
    try:
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            keras.utils.set_random_seed(1)
            keras.backend.clear_session(free_memory=False)
            inputs = keras.Input((150, 16))
            y = L.MultiHeadAttention(2, 8, dropout=0.2)(inputs, inputs, use_causal_mask=True)
            y = L.GroupQueryAttention(8, 4, 2)(y, y)
            model = keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(y)))
            model.compile("adam", "mse")
            model.fit(x, np.ones((4, 1), "float32"), epochs=2, batch_size=2, verbose=0, shuffle=False)
            results.append([w.tobytes() for w in model.get_weights()])
    finally:
        core.set_num_threads(0)
    assert all(r == results[0] for r in results)


def test_second_gradients_pass_through_a_layer():
    layer, x = L.MultiHeadAttention(2, 3, dtype="float64"), ops.convert_to_tensor(Q.astype("float64"))
    layer(x, x)

    def penalty(x):
        with keras.GradientTape() as inner:
            inner.watch(x)
            y = ops.sum(ops.square(layer(x, x, use_causal_mask=True)))
        return ops.sum(ops.square(inner.gradient(y, x)))

    with keras.GradientTape() as outer:
        outer.watch(x)
        value = penalty(x)
    d = RNG.standard_normal(x.shape)
    numeric = (float(penalty(x + 1e-5 * d)) - float(penalty(x - 1e-5 * d))) / 2e-5
    assert abs((outer.gradient(value, x).numpy() * d).sum() - numeric) < 1e-6 * abs(numeric)


def test_initial_values_of_projections_differ_and_have_the_right_scale():
    keras.utils.set_random_seed(0)
    layer = L.MultiHeadAttention(4, 16)
    layer(ones(1, 2, 64), ones(1, 2, 64))
    kernels = [w.numpy() for w in layer.weights if w.name == "kernel"]
    for k in kernels:
        assert abs(np.abs(k).max() - np.sqrt(6 / 128)) < 0.01  # Glorot's limit for 64 to 64
    assert not np.array_equal(kernels[0], kernels[1])


# -- errors

MULTI = [
    ({"num_heads": 0}, "num_heads is a positive integer. Received: num_heads=0"),
    ({"key_dim": 2.5}, "key_dim is a positive integer. Received: key_dim=2.5"),
    ({"value_dim": -1}, "value_dim is a positive integer. Received: value_dim=-1"),
    ({"dropout": 1.5}, "dropout is a number between 0 and 1. Received: dropout=1.5"),
    ({"sliding_window": 0}, "sliding_window is a positive integer. Received: sliding_window=0"),
    ({"output_shape": "a"}, "output_shape is a positive integer or a tuple of them. Received: output_shape='a'"),
    ({"attention_axes": "a"}, "attention_axes is an integer or a tuple of integers. Received: attention_axes='a'"),
    ({"flash_attention": True, "dropout": 0.1}, "there is no dropout with flash_attention=True. Received: dropout=0.1"),
]


@pytest.mark.parametrize("given, message", MULTI, ids=[str(given) for given, _ in MULTI])
def test_arguments_of_multi_head_attention(given, message):
    fails(f"MultiHeadAttention: {message}", lambda: L.MultiHeadAttention(**{"num_heads": 2, "key_dim": 3, **given}))


GROUPED = [
    ({"head_dim": 0}, "head_dim is a positive integer. Received: head_dim=0"),
    ({"num_query_heads": "a"}, "num_query_heads is a positive integer. Received: num_query_heads='a'"),
    ({"num_key_value_heads": -2}, "num_key_value_heads is a positive integer. Received: num_key_value_heads=-2"),
    ({"num_key_value_heads": 3}, "num_key_value_heads divides num_query_heads. Received: num_query_heads=4, num_key"),
    ({"dropout": "a"}, "dropout is a number between 0 and 1. Received: dropout='a'"),
    ({"sliding_window": 1.5}, "sliding_window is a positive integer. Received: sliding_window=1.5"),
]


@pytest.mark.parametrize("given, message", GROUPED, ids=[str(given) for given, _ in GROUPED])
def test_arguments_of_grouped_query_attention(given, message):
    base = {"head_dim": 2, "num_query_heads": 4, "num_key_value_heads": 2}
    fails(f"GroupedQueryAttention: {message}", lambda: L.GroupQueryAttention(**{**base, **given}))


def test_inputs_of_projected_attention():
    x, v, k = ones(2, 5, 6), ones(2, 7, 6), ones(2, 4, 6)
    agree = "value and key agree in all dimensions but the last. Received:"
    fails(f"MultiHeadAttention: {agree} value_shape=(2, 7, 6)", lambda: L.MultiHeadAttention(2, 3)(x, v, k))
    fails(f"GroupedQueryAttention: {agree}", lambda: L.GroupQueryAttention(3, 2, 1)(x, v, k))
    fails(
        "GroupedQueryAttention: query and value have the same last dimension. Received:",
        lambda: L.GroupQueryAttention(3, 2, 1).compute_output_shape((2, 5, 6), (2, 7, 4)),
    )
    fails(
        "GroupedQueryAttention: query, value and key have three dimensions. Received:",
        lambda: L.GroupQueryAttention(3, 2, 1)(ones(2, 3, 4, 5), ones(2, 3, 4, 5)),
    )
    scores = "there are no attention scores with flash_attention=True."
    for layer in (
        L.MultiHeadAttention(2, 3, flash_attention=True),
        L.GroupQueryAttention(3, 2, 1, flash_attention=True),
    ):
        fails(scores, lambda layer=layer: layer(x, v, return_attention_scores=True))
    wrong = np.ones((2, 5, 6), bool)
    fails("the mask must broadcast to", lambda: L.MultiHeadAttention(2, 3)(x, v, attention_mask=wrong))
    fails("Softmax: the mask must broadcast to the inputs.", lambda: L.Softmax()(x, mask=np.ones((2, 5, 4), bool)))


def test_arguments_and_inputs_of_attention():
    fails("Attention: score_mode is 'dot' or 'concat'. Received: score_mode='a'", lambda: L.Attention(score_mode="a"))
    fails("Attention: dropout is a number between 0 and 1. Received: dropout=2", lambda: L.Attention(dropout=2))
    fails("AdditiveAttention: dropout is a number between 0 and 1.", lambda: L.AdditiveAttention(dropout=-1))
    for make in (L.Attention, L.AdditiveAttention):
        name, layer = make.__name__, make()
        listed = f"{name}: the inputs are a list [query, value] or [query, value, key]. Received: inputs="
        for inputs in (ones(2, 3, 4), [ones(2, 3, 4)], [ones(2, 3, 4)] * 4, (ones(2, 3, 4),) * 2):
            fails(listed, lambda layer=layer, inputs=inputs: layer(inputs))
        for mask in ((None, None), [None]):
            fails(
                f"{name}: the mask is a list [query mask, value mask]. Received: mask=",
                lambda layer=layer, mask=mask: layer.call([ops.ones((2, 3, 4))] * 2, mask=mask),
            )
    fails(
        "AdditiveAttention: the query's last dimension is known. Received:",
        lambda: L.AdditiveAttention().build([(2, 3, None), (2, 3, None)]),
    )


EINSUM = [
    (("a->b", 3), (2, 4), "equation has the form 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...'."),
    (("ab,bc->...ac", 3), (2, 4), "equation has the form"),
    (("ab,bc->ac", 0), (2, 4), "output_shape has positive integers and None. Received: output_shape=0"),
    (("ab,bc->ac", ("x",)), (2, 4), "output_shape has positive integers and None."),
    (("ab,bc->ac", 3), (2, 4, 5), "the input has the 2 dimensions that the equation names."),
    (("ab,bc->ac", (3, 4)), (2, 4), "output_shape has 1 entries."),
    (("abc,cd->abd", (7, 3)), (2, 4, 5), "input and output must agree in dimension 'b': 4 and 7."),
    (("ab,bc->ad", 3), (2, 4), "the output's dimension 'd' is in the input or in the kernel."),
    (("ab,bdc->ac", 3), (2, 4), "the kernel's dimension 'd' is in the input or in the output."),
    (("ab,bc->ac", 3, None, "b"), (2, 4), "bias_axes names dimensions of the output 'ac'."),
    (("ab,bc->ac", (None,)), (2, 4), "the dimensions of the kernel must be known, not (4, None)."),
]


@pytest.mark.parametrize("args, shape, message", EINSUM, ids=[str(c[0]) for c in EINSUM])
def test_einsum_dense(args, shape, message):
    fails(f"EinsumDense: {message}", lambda: L.EinsumDense(*args)(ones(*shape)))


@pytest.mark.parametrize("name", ["lora_rank", "lora_alpha", "gptq_unpacked_column_size", "quantization_config"])
def test_what_einsum_dense_does_not_support(name):
    fails(
        f"EinsumDense: {name} is not supported. Received: {name}=2", lambda: L.EinsumDense("ab,bc->ac", 3, **{name: 2})
    )


def test_einsum_dense_needs_a_known_bias():
    layer = L.EinsumDense("abc,cd->abd", (None, 3), bias_axes="bd")
    fails("EinsumDense: the dimensions of the bias must be known, not", lambda: layer(keras.Input((None, 5))))


def test_einsum_dense_is_one_product_where_nothing_is_transposed():
    for equation, shape, out in (
        ("abc,cde->abde", (2, 3, 4), (None, 5, 6)),
        ("abcd,cde->abe", (2, 3, 4, 5), (None, 6)),
    ):
        layer = L.EinsumDense(equation, out, bias_axes=equation.split("->")[1][2:])
        layer(ones(*shape))
        with keras.GradientTape() as tape:
            layer(ones(*shape))
        assert {r.op.name for r in tape._records} <= {"reshape", "matmul_bias"}


@pytest.mark.parametrize("flash", [True, False])
def test_a_step_with_attention_is_compiled(flash):
    x = RNG.integers(1, 9, (8, 6)).astype("int32")
    if not flash:
        keras.config.disable_flash_attention()
    try:
        inputs = keras.Input((6,), dtype="int32")
        y = L.Embedding(9, 8, mask_zero=True)(inputs)
        y = L.MultiHeadAttention(2, 4, dropout=0.1)(y, y, use_causal_mask=True)
        y = L.GroupQueryAttention(4, 2, 1, sliding_window=3)(y, y)
        y = L.Attention(use_scale=True, dropout=0.1)([y, y])
        y = L.AdditiveAttention()([y, y])
    finally:
        keras.config.enable_flash_attention()
    model = keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(y)))
    model.compile("adam", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a step that cannot be compiled says so
        model.fit(x, np.ones((8, 1), "float32"), batch_size=4, epochs=2, verbose=0)
        model.predict(x, verbose=0)
