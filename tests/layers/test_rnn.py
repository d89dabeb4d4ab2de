"""Recurrent layers: the fused way and the general one agree; masks, states, directions, dropout, wrappers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L
from kerasish import ops
from kerasish.engine import tree
from kerasish.engine.op import get_op
from kerasish.engine.operation import infer_spec
from kerasish.engine.spec import Spec

CELLS = {"SimpleRNN": L.SimpleRNNCell, "GRU": L.GRUCell, "LSTM": L.LSTMCell}
KINDS = ["SimpleRNN", "GRU", "LSTM"]


def data(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def lengths(time, *given):
    """A mask of sequences of these lengths."""
    return np.arange(time)[None] < np.array(given)[:, None]


def count_calls(monkeypatch, name):
    """How often an op's kernel ran, from now on."""
    from kerasish.engine import op

    calls, execute = [], op.execute
    monkeypatch.setattr(op, "execute", lambda o, *a: calls.append(o.name) or execute(o, *a))
    return lambda: calls.count(name)


def flat(x):
    return [t.numpy() for t in tree.flatten(x)]


# -- the fused way and the general one


@pytest.mark.parametrize("kind", [*KINDS, "GRU before", "SimpleRNN relu"])
@pytest.mark.parametrize("mask", [None, lengths(6, 6, 3, 0), np.random.default_rng(1).random((3, 6)) < 0.5])
def test_fused_and_general_agree(kind, mask):
    """Outputs, states and all gradients, in every combination of what a layer returns."""
    name, _, variant = kind.partition(" ")
    extra = {"before": {"reset_after": False}, "relu": {"activation": "relu"}}.get(variant, {})
    x, first = data(3, 6, 4), [data(3, 5, seed=2 + k) for k in range(1 + (name == "LSTM"))]
    for sequences, backwards, zeros, bias in itertools.product((True, False), repeat=4):
        options = dict(
            return_sequences=sequences, go_backwards=backwards, zero_output_for_mask=zeros, return_state=True
        )
        cell = CELLS[name](5, use_bias=bias, bias_initializer="uniform", **extra)
        general = L.RNN(cell, **options)
        fused = getattr(L, name)(5, use_bias=bias, **extra, **options)
        general.build(x.shape), fused.build(x.shape)
        fused.set_weights(general.get_weights())
        results = []
        for layer in (general, fused):
            inputs, states = ops.convert_to_tensor(x), [ops.convert_to_tensor(s) for s in first]
            with keras.GradientTape() as tape:
                tape.watch([inputs, states])
                out = layer(inputs, initial_state=states, mask=mask)
                loss = sum(ops.sum(ops.sin(t + k)) for k, t in enumerate(out))
            results.append([*out, *tape.gradient(loss, [inputs, *states, *layer.trainable_weights])])
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_fused(kind, monkeypatch):
    """One kernel for the sequence wherever it computes the same."""
    x, mask = data(3, 6, 4), lengths(6, 6, 3, 0)
    op = {"SimpleRNN": "simple_rnn"}.get(kind, kind.lower())
    calls = count_calls(monkeypatch, op)

    def runs(training=False, mask=None, **options):
        before = calls()
        getattr(L, kind)(5, **options)(x, training=training, mask=mask)
        return calls() - before

    assert runs() == runs(mask=mask) == runs(unroll=True) == runs(go_backwards=True, return_sequences=True) == 1
    assert runs(True, dropout=0.5) == 1
    assert runs(dropout=0.5, recurrent_dropout=0.5) == 1  # nothing is dropped outside training
    assert runs(True, recurrent_dropout=0.5) == runs(activation="elu") == runs(mask=mask, unroll=True) == 0
    assert runs(activation="relu") == runs(activation=None) == (kind == "SimpleRNN")
    if kind != "SimpleRNN":
        assert runs(use_cudnn=False) == runs(recurrent_activation="relu") == 0
        assert runs(True, dropout=0.5, implementation=1) == 0
        assert runs(use_cudnn=True) == runs(implementation=1) == 1


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_dropout_of_inputs_is_the_same_in_both_ways(kind):
    x = data(3, 6, 4)
    fused, general = (getattr(L, kind)(5, dropout=0.5, seed=3, use_cudnn=c) for c in ("auto", False))
    fused.build(x.shape), general.build(x.shape)
    general.set_weights(fused.get_weights())
    for training in (True, True, False):
        a, b = fused(x, training=training).numpy(), general(x, training=training).numpy()
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_float16_and_float64(kind):
    x = data(3, 6, 4)
    for dtype, variables in (("mixed_float16", "float32"), ("float64", "float64")):
        layer = getattr(L, kind)(5, dtype=dtype, return_sequences=True, return_state=True)
        compute = layer.compute_dtype
        out = layer(x.astype(compute))
        assert {t.dtype for t in tree.flatten(out)} == {compute}
        assert {w.dtype for w in layer.weights} == {variables}
        same = L.RNN(layer.cell, return_sequences=True, return_state=True, dtype=dtype)
        for a, b in zip(flat(out), flat(same(x.astype(compute)))):
            np.testing.assert_allclose(a, b, atol=1e-12 if dtype == "float64" else 5e-3)


# -- dropout


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout_acts_in_training_and_draws_once_a_sequence(kind, rates):
    layer = getattr(L, kind)(5, seed=1, **rates)
    x = data(3, 6, 4)
    still = layer(x).numpy()
    state = layer.cell.seed_generator.state.numpy()
    np.testing.assert_array_equal(layer(x, training=False).numpy(), still)
    np.testing.assert_array_equal(layer.cell.seed_generator.state.numpy(), state)  # nothing drawn
    a, b = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert (a != still).any() and (a != b).any()
    masks = 2 * (layer.cell.dropout_mask_count or 1)
    assert layer.cell.seed_generator.state.numpy()[1] - state[1] == masks


def test_steps_share_the_dropout_mask():
    """What is dropped of the input is dropped in every step."""
    layer = L.SimpleRNN(
        8, activation=None, kernel_initializer="identity", recurrent_initializer="zeros", dropout=0.5,
        return_sequences=True, seed=1,
    )  # fmt: skip
    out = layer(np.ones((4, 6, 8), "float32"), training=True).numpy()
    assert set(np.unique(out)) == {0.0, 2.0}
    assert (out == out[:, :1]).all()


def test_everything_dropped():
    x = data(2, 3, 4)
    assert (L.SimpleRNN(5, dropout=1.0)(x, training=True).numpy() == 0).all()
    assert (L.LSTM(5, dropout=1.0)(x, training=True).numpy() != 0).any()  # as in Keras, a rate of 1 drops nothing


# -- masks


def test_masks_from_embedding_and_masking():
    tokens = np.array([[3, 4, 0, 0], [5, 1, 2, 0]])
    table = L.Embedding(7, 4, mask_zero=True)
    lstm = L.LSTM(5)
    out = lstm(table(tokens)).numpy()
    np.testing.assert_allclose(out[:1], lstm(table(tokens[:1, :2])).numpy(), rtol=1e-5, atol=1e-6)
    x = data(2, 4, 3)
    x[0, 2:] = 9
    gru = L.GRU(5, return_sequences=True)
    y = gru(L.Masking(9.0)(x))
    np.testing.assert_array_equal(y._keras_mask.numpy(), lengths(4, 2, 4))
    assert getattr(L.GRU(5)(L.Masking(9.0)(x)), "_keras_mask", None) is None
    np.testing.assert_allclose(y.numpy()[0, 3], gru(x[:1, :2]).numpy()[0, 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_outputs(kind):
    """A skipped step repeats the state, or gives zeros; the state stays either way."""
    x, mask = data(2, 5, 4), lengths(5, 3, 5)
    layer = getattr(L, kind)(3, return_sequences=True, return_state=True)
    y, h, *_ = layer(x, mask=mask)
    np.testing.assert_array_equal(y.numpy()[0, 3:], np.repeat(y.numpy()[:1, 2], 2, 0))
    np.testing.assert_array_equal(h.numpy()[0], y.numpy()[0, 2])
    layer.zero_output_for_mask = True
    z, h2, *_ = layer(x, mask=mask)
    assert (z.numpy()[0, 3:] == 0).all()
    np.testing.assert_array_equal(z.numpy()[mask], y.numpy()[mask])
    np.testing.assert_array_equal(h2.numpy(), h.numpy())
    layer.return_sequences = False
    np.testing.assert_array_equal(layer(x, mask=mask)[0].numpy()[0], np.zeros(3))


def test_compute_mask():
    mask = ops.convert_to_tensor(lengths(4, 2, 4))
    assert L.LSTM(3).compute_mask(None, mask) is None
    assert L.LSTM(3, return_sequences=True).compute_mask(None, mask) is mask
    assert L.LSTM(3, return_sequences=True, return_state=True).compute_mask(None, [mask]) == [mask, None, None]
    pair = L.Bidirectional(L.LSTM(3, return_sequences=True, return_state=True), merge_mode=None)
    assert pair.compute_mask(None, mask) == (mask, mask, None, None, None, None)


# -- states


@pytest.mark.parametrize("kind", KINDS)
def test_stateful(kind):
    """Two halves of a sequence in two calls are the whole in one."""
    x = data(2, 6, 4)
    whole = getattr(L, kind)(3, return_sequences=True)
    halves = getattr(L, kind)(3, return_sequences=True, stateful=True)
    whole.build(x.shape), halves.build(x.shape)
    halves.set_weights(whole.get_weights())
    assert [(v.name, v.trainable) for v in halves.states] == [("rnn_state", False)] * len(halves.states)
    assert len(halves.weights) == 3  # states are none, as in Keras
    want = whole(x).numpy()
    for _ in range(2):
        np.testing.assert_allclose(halves(x[:, :3]).numpy(), want[:, :3], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(halves(x[:, 3:]).numpy(), want[:, 3:], rtol=1e-6, atol=1e-6)
        halves.reset_state()
    halves.build(x.shape)  # begins anew
    halves(x)
    halves.reset_states()
    assert all((v.numpy() == 0).all() for v in halves.states)


def test_a_stateful_model_trains_and_keeps_its_state():
    model = keras.Sequential([keras.Input((3, 4), batch_size=2), L.LSTM(3, stateful=True), L.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(data(6, 3, 4), data(6, 1), batch_size=2, epochs=2, shuffle=False, verbose=0)
    assert all((v.numpy() != 0).all() for v in model.layers[0].states)


def test_symbolic_initial_state():
    """An encoder's states start a decoder."""
    source, target = keras.Input((None, 4)), keras.Input((None, 3))
    _, h, c = L.LSTM(5, return_state=True)(source)
    decoder = L.LSTM(5, return_sequences=True)
    model = keras.Model([source, target], decoder(target, initial_state=[h, c]))
    a, b = data(2, 6, 4), data(2, 7, 3)
    _, *states = model.layers[2](a) if isinstance(model.layers[2], L.LSTM) else model.layers[1](a)
    np.testing.assert_allclose(model([a, b]).numpy(), decoder(b, initial_state=states).numpy(), rtol=1e-5, atol=1e-6)
    model.compile("sgd", "mse")
    model.fit([a, b], data(2, 7, 5), verbose=0)
    assert model.predict([a, b], verbose=0).shape == (2, 7, 5)


def test_nested_states_of_stacked_cells():
    layer = L.RNN([L.LSTMCell(5), L.GRUCell(4)], return_state=True)
    assert layer.state_size == [[5, 5], 4]
    out, first, second = layer(data(2, 6, 3))
    assert [t.shape for t in first] == [(2, 5), (2, 5)]
    assert out.shape == second[0].shape == (2, 4)
    symbols = layer(keras.Input((None, 3)))
    assert [y.shape[1:] for y in tree.flatten(symbols)] == [(4,), (5,), (5,), (4,)]
    assert layer.compute_output_shape((None, 6, 3)) == ((None, 4), [(None, 5), (None, 5)], (None, 4))
    again = layer(data(2, 6, 3), initial_state=[first, second])
    assert (again[0].numpy() != out.numpy()).any()


def test_stacked_cells_are_stacked_layers():
    x, mask = data(2, 6, 3), lengths(6, 6, 4)
    stacked = L.RNN([L.LSTMCell(5), L.LSTMCell(4)], return_sequences=True)
    a, b = L.LSTM(5, return_sequences=True), L.LSTM(4, return_sequences=True)
    want = b(a(x), mask=mask).numpy()
    stacked.build(x.shape)
    stacked.set_weights(a.get_weights() + b.get_weights())
    np.testing.assert_allclose(stacked(x).numpy()[0], want[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stacked(x, mask=mask).numpy(), want, rtol=1e-5, atol=1e-6)


# -- shapes


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_time_and_batch(kind):
    layer = getattr(L, kind)(3, return_sequences=True, return_state=True)
    x = keras.Input((None, 4))
    outputs = layer(x)
    assert [tuple(y.shape) for y in outputs] == [(None, None, 3)] + [(None, 3)] * (len(outputs) - 1)
    model = keras.Model(x, outputs[0])
    for time in (2, 5):
        assert model.predict(data(3, time, 4), verbose=0).shape == (3, time, 3)
    traced = infer_spec(layer.call, Spec((None, None, 4), "float32"))  # as inside another layer
    assert [tuple(y.shape) for y in traced] == [tuple(y.shape) for y in outputs]


def test_general_cells_on_symbols():
    layer = L.RNN(L.LSTMCell(3), return_sequences=True)
    layer.build((None, 5, 4))
    assert infer_spec(layer.call, Spec((None, 5, 4), "float32")).shape == (None, 5, 3)
    assert layer(keras.Input((None, 4))).shape == (None, None, 3)
    with pytest.raises(ValueError, match="time steps must be known, and at least 1"):
        infer_spec(layer.call, Spec((None, None, 4), "float32"))


class Plain:
    """A cell that is no layer, with a state of another shape than its output."""

    state_size = 1
    output_size = 4

    def __call__(self, inputs, states):
        total = states[0] + ops.sum(inputs, axis=-1, keepdims=True)
        return inputs * total, total

    call = __call__


def test_a_cell_that_is_no_layer():
    layer = L.RNN(Plain(), return_sequences=True, return_state=True)
    x = data(2, 3, 4)
    y, total = layer(x)
    want = np.cumsum(x.sum(-1, keepdims=True), axis=1)
    np.testing.assert_allclose(total.numpy(), want[:, -1], rtol=1e-5)
    np.testing.assert_allclose(y.numpy(), x * want, rtol=1e-5, atol=1e-6)


# -- Bidirectional and TimeDistributed


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_merges_both_directions(mode, sequences):
    x, mask = data(2, 6, 3), lengths(6, 6, 4)
    layer = L.Bidirectional(L.GRU(4, return_sequences=sequences), merge_mode=mode)
    out = layer(x, mask=mask)
    a = layer.forward_layer(x, mask=mask).numpy()
    b = layer.backward_layer(x, mask=mask).numpy()
    b = b[:, ::-1] if sequences else b
    want = {"concat": lambda: np.concatenate([a, b], -1), "sum": lambda: a + b, "ave": lambda: (a + b) / 2,
            "mul": lambda: a * b, None: lambda: (a, b)}[mode]()  # fmt: skip
    for got, expected in zip(flat(out), want if mode is None else [want]):
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    shapes = layer.compute_output_shape((None, 6, 3))
    assert tree.map_shape_structure(lambda s: s[1:], shapes) == tree.map_structure(lambda t: tuple(t.shape[1:]), out)


def test_bidirectional_states_weights_and_names():
    x = data(2, 6, 3)
    values = [data(*s, seed=k) for k, s in enumerate([(3, 16), (4, 16), (16,)] * 2)]
    layer = L.Bidirectional(L.LSTM(4, return_state=True, stateful=True, name="it"), weights=values, name="both")
    y, *states = layer(x)
    for got, want in zip(layer.get_weights(), values, strict=True):
        np.testing.assert_array_equal(got, want)
    assert y.shape == (2, 8) and len(states) == len(layer.states) == 4
    assert [w.path for w in layer.weights][::3] == [
        "both/forward_it/lstm_cell/kernel",
        "both/backward_it/lstm_cell/kernel",
    ]
    layer.reset_state()
    np.testing.assert_array_equal(layer(x, initial_state=[np.zeros((2, 4), "float32")] * 4)[0].numpy(), y.numpy())
    layer.reset_states()
    assert all((v.numpy() == 0).all() for v in layer.states)
    assert L.Bidirectional(L.LSTM(4)).states is None


def test_bidirectional_symbolic_initial_state():
    x, h = keras.Input((5, 3)), keras.Input((4,))
    y = L.Bidirectional(L.GRU(4))(x, initial_state=[h, h])
    model = keras.Model([x, h], y)
    assert model([data(2, 5, 3), data(2, 4)]).shape == (2, 8)


def test_time_distributed():
    inner = L.Dense(3, activation="relu")
    layer = L.TimeDistributed(inner)
    x = data(2, 5, 4)
    np.testing.assert_allclose(layer(x).numpy(), inner(x).numpy(), rtol=1e-5, atol=1e-6)
    assert layer(keras.Input((None, 4))).shape == (None, None, 3)
    nested = L.TimeDistributed(L.TimeDistributed(L.LSTM(3)))
    assert nested(data(2, 3, 4, 5, 6)).shape == (2, 3, 4, 3)
    dropout = L.TimeDistributed(L.Dropout(0.5, seed=1))
    assert (dropout(x, training=True).numpy() != x).any()
    np.testing.assert_array_equal(dropout(x).numpy(), x)


SAMPLEWISE = [
    *((lambda r=r, n=n: getattr(L, n)(3, 2), r) for r in (1, 2, 3) for n in (f"Conv{r}D", f"Conv{r}DTranspose")),
    *((lambda r=r: getattr(L, f"SeparableConv{r}D")(3, 2), r) for r in (1, 2)),
    *((lambda r=r: getattr(L, f"DepthwiseConv{r}D")(2), r) for r in (1, 2)),
    *((lambda r=r, n=n: getattr(L, f"{n}Pooling{r}D")(2), r) for r in (1, 2, 3) for n in ("Max", "Average")),
    (lambda: L.Dense(3), 1), (lambda: L.LayerNormalization(), 1), (lambda: L.Flatten(), 2),
]  # fmt: skip


@pytest.mark.parametrize("make, rank", SAMPLEWISE)
def test_time_distributed_in_one_call(make, rank, monkeypatch):
    """Where all steps can be one call, the result is that of one call for each step."""
    layer = L.TimeDistributed(make())
    x = data(2, 3, *(4,) * rank, 5)
    fast = layer(x).numpy()
    monkeypatch.setattr("kerasish.layers.wrapper._SAMPLEWISE", frozenset())
    np.testing.assert_allclose(layer(x).numpy(), fast, rtol=1e-6, atol=1e-6)
    monkeypatch.undo()
    for shape in ((None, 3), (2, None)):
        y = infer_spec(layer.call, Spec((*shape, *x.shape[2:]), "float32"))
        assert y.shape == (*shape, *fast.shape[2:])


def test_every_samplewise_layer_is_tested():
    from kerasish.layers.wrapper import _SAMPLEWISE

    assert {type(make()) for make, _ in SAMPLEWISE} == _SAMPLEWISE


def test_time_distributed_hands_masks_on():
    inner = L.LSTM(3)
    layer = L.TimeDistributed(inner)
    x, mask = data(2, 3, 4, 5), np.stack([lengths(4, 4, 2)] * 3, 1)
    y = layer(x, mask=mask).numpy()
    np.testing.assert_allclose(y[:, 1], inner(x[:, 1], mask=mask[:, 1]).numpy(), rtol=1e-6)
    assert (y != layer(x).numpy()).any()


# -- ConvLSTM


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv_lstm_masks_states_and_dropout(data_format):
    shape = (2, 4, 5, 6, 3) if data_format == "channels_last" else (2, 4, 3, 5, 6)
    x, mask = data(*shape), lengths(4, 4, 2)
    layer = L.ConvLSTM2D(3, 2, data_format=data_format, return_state=True, dropout=0.3, recurrent_dropout=0.3, seed=1)
    y, h, c = layer(x, mask=mask)
    short = layer(x[1:, :2])
    for a, b in zip((y, h, c), short):
        np.testing.assert_allclose(a.numpy()[1:], b.numpy(), rtol=1e-5, atol=1e-6)
    again = layer(x, initial_state=[h, c])[0].numpy()
    assert (again != y.numpy()).any()
    assert (layer(x, training=True)[0].numpy() != layer(x)[0].numpy()).any()
    assert infer_spec(layer.call, Spec((None, *shape[1:]), "float32"))[0].shape == (None, *y.shape[1:])


# -- gradients of gradients


@pytest.mark.parametrize("kind", KINDS)
def test_second_order_through_the_layer(kind):
    layer = getattr(L, kind)(3, dtype="float64")
    x = ops.convert_to_tensor(data(2, 4, 3).astype("float64"))
    layer.build(x.shape)

    def slope(v):
        with keras.GradientTape() as tape:
            tape.watch(v)
            y = ops.sum(ops.square(layer(v)))
        return tape.gradient(y, v)

    with keras.GradientTape() as outer:
        outer.watch(x)
        penalty = ops.sum(ops.square(slope(x)))
    got = outer.gradient(penalty, x).numpy()
    d = np.random.default_rng(0).standard_normal(x.shape)
    plus, minus = (np.sum(slope(ops.convert_to_tensor(x.numpy() + e * d)).numpy() ** 2) for e in (1e-5, -1e-5))
    np.testing.assert_allclose(np.sum(got * d), (plus - minus) / 2e-5, rtol=1e-6)


def test_flops_are_counted():
    spec = Spec((64, 80, 512), "float32"), Spec((128, 512), "float32")
    assert get_op("lstm").flops(spec, (), {}) == 2 * 64 * 80 * 128 * 512
    assert get_op("lstm_grad").flops(spec, (), {}) == 4 * 64 * 80 * 128 * 512
