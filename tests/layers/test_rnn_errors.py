"""What recurrent layers, their cells, wrappers and ops refuse, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers as L
from kerasish.engine.spec import Spec
from kerasish.ops.rnn import gru_op, lstm_op, run_steps, simple_rnn_op

from .test_errors import fails

KINDS = ["SimpleRNN", "GRU", "LSTM"]


def ones(*shape):
    return np.ones(shape, "float32")


# -- arguments


@pytest.mark.parametrize("kind", KINDS)
def test_arguments(kind):
    make = getattr(L, kind)
    cell = f"{kind}Cell: "
    for units in (0, -1, 2.5, "3", True):
        fails(f"{cell}units is a positive integer. Received: units={units!r}", lambda units=units: make(units))
    fails(f"{cell}dropout is a number. Received: dropout='much'", lambda: make(3, dropout="much"))
    fails(f"{cell}recurrent_dropout is a number", lambda: make(3, recurrent_dropout=None))
    fails(f"{kind}: unrecognized keyword arguments. Received: colour='red'", lambda: make(3, colour="red"))
    if kind != "SimpleRNN":
        fails(f"{kind}: use_cudnn is 'auto', True or False. Received: use_cudnn=3", lambda: make(3, use_cudnn=3))
        fails(f"{cell}implementation is 1 or 2. Received: implementation=0", lambda: make(3, implementation=0))


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_fused_kernels_that_cannot_be_had(kind):
    layer = getattr(L, kind)(3, use_cudnn=True, activation="relu", name="it")
    fails(
        f"{kind} 'it': use_cudnn=True asks for the fused kernels, which have the default activations, no dropout of "
        "states or gate by gate, and no mask with unroll; use_cudnn='auto' takes the general way instead. Received: "
        "use_cudnn=True",
        lambda: layer(ones(2, 3, 4)),
    )


def test_cells():
    class NoState:
        def call(self, inputs, states):
            return inputs, states

    class OddState(NoState):
        state_size = "3"

    class OddOutput(NoState):
        state_size = 3
        output_size = (3,)

    fails("RNN: a cell has a `call` method. Received: cell=3", lambda: L.RNN(3))
    fails("RNN: a cell has a `state_size` attribute", lambda: L.RNN(NoState()))
    fails("RNN: a cell's state_size is an integer or a list of integers. Received: state_size='3'",
          lambda: L.RNN(OddState()))  # fmt: skip
    fails("StackedRNNCells: a cell has a `call` method", lambda: L.StackedRNNCells([L.LSTMCell(3), None]))
    fails("StackedRNNCells: a cell has a `state_size` attribute", lambda: L.RNN([NoState()]))
    layer = L.RNN(OddOutput(), name="it")
    fails("RNN 'it': output_size is an integer. Received: output_size=(3,)",
          lambda: layer.compute_output_shape((2, 3, 4)))  # fmt: skip


# -- inputs


@pytest.mark.parametrize("kind", KINDS)
def test_inputs(kind):
    layer = getattr(L, kind)(3, name="it")
    fails(f"{kind} 'it': expected ndim=3, found ndim=2. Received: x.shape=(2, 4)", lambda: layer(ones(2, 4)))
    fails(f"{kind}Cell: the last dimension of the input must be known. Received: input_shape=(None, None)",
          lambda: layer.build((None, 5, None)))  # fmt: skip
    assert not layer.built and not layer.weights
    layer(ones(2, 5, 4))
    name = {"SimpleRNN": "simple_rnn"}.get(kind, kind.lower())
    count = 1 + (kind == "LSTM")
    fails(f"{kind} 'it': initial_state has {count} states. Received: given=3",
          lambda: layer(ones(2, 5, 4), initial_state=[ones(2, 3)] * 3))  # fmt: skip
    fails(f"{name}: `h0` is (batch, units) = (2, 3). Received: h0.shape=(2, 4), x.shape=(2, 5, {count_of(kind) * 3})",
          lambda: layer(ones(2, 5, 4), initial_state=[ones(2, 4)] * count))  # fmt: skip
    fails(f"{name}: the mask is (batch, time) of bool. Received: mask.shape=(2, 4)",
          lambda: layer(ones(2, 5, 4), mask=ones(2, 4) > 0))  # fmt: skip


def count_of(kind):
    return {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[kind]


def test_no_steps():
    layer = L.RNN(L.GRUCell(3), name="it")
    fails("RNN 'it': the number of time steps must be known, and at least 1. Received: time=0",
          lambda: layer(ones(2, 0, 4)))  # fmt: skip


def test_stateful():
    layer = L.LSTM(3, stateful=True, name="it")
    fails(
        "LSTM 'it': the batch size of a stateful layer must be known: give the model an Input with batch_size or "
        "batch_shape. Received: sequences_shape=(None, 5, 4)",
        lambda: layer(keras.Input((5, 4))),
    )
    assert not layer.built and not layer.weights
    layer(ones(2, 5, 4))
    fails("LSTM 'it': a stateful layer that was built for batches of 2 takes no others. Received: "
          "sequences.shape=(3, 5, 4)", lambda: layer(ones(3, 5, 4)))  # fmt: skip


# -- wrappers


def test_bidirectional():
    fails("Bidirectional: `layer` is a layer. Received: layer=3", lambda: L.Bidirectional(3))
    fails("Bidirectional: `backward_layer` is a layer. Received: backward_layer=3",
          lambda: L.Bidirectional(L.LSTM(3), backward_layer=3))  # fmt: skip
    fails("Bidirectional: merge_mode is one of 'concat', 'sum', 'ave', 'mul', None. Received: merge_mode='max'",
          lambda: L.Bidirectional(L.LSTM(3), "max"))  # fmt: skip
    fails("Bidirectional: a recurrent layer has the attribute `go_backwards`", lambda: L.Bidirectional(L.Dense(3)))
    fails("Bidirectional: one of the layers goes backwards and the other one does not. Received: forward=False, "
          "backward=False", lambda: L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(3)))  # fmt: skip
    fails("Bidirectional: both layers have the same `return_sequences`. Received: forward=False, backward=True",
          lambda: L.Bidirectional(
              L.LSTM(3), backward_layer=L.LSTM(3, go_backwards=True, return_sequences=True)
          ))  # fmt: skip
    layer = L.Bidirectional(L.GRU(3), name="it")
    fails("Bidirectional 'it': initial_state has the states of the forward layer, then as many of the backward layer. "
          "Received: given=1", lambda: layer(ones(2, 5, 4), initial_state=[ones(2, 3)]))  # fmt: skip
    fails("Bidirectional 'it': only a stateful layer has states. Received: stateful=False", layer.reset_state,
          AttributeError)  # fmt: skip
    wrong = L.Bidirectional(L.GRU(3), weights=[ones(4, 9)] * 6)
    fails("set_weights", lambda: wrong(ones(2, 5, 4)))
    assert not wrong.built and not wrong.weights


def test_time_distributed():
    fails("Wrapper: what is wrapped is a layer. Received: layer=3", lambda: L.Wrapper(3))
    fails("TimeDistributed: what is wrapped is a layer. Received: layer=None", lambda: L.TimeDistributed(None))
    layer = L.TimeDistributed(L.Dense(3), name="it")
    fails("TimeDistributed 'it': the input has at least 3 dimensions. Received: input_shape=(2, 4)",
          lambda: layer(ones(2, 4)))  # fmt: skip
    fails("TimeDistributed 'it': the number of time steps must be known, and at least 1. Received: "
          "inputs.shape=(2, 0, 4)", lambda: layer(ones(2, 0, 4)))  # fmt: skip
    for shape in ((2,), (2, 4), (3, 5)):
        fails("TimeDistributed 'it': the mask begins with the input's first two dimensions, batch and time. Received: "
              f"mask.shape={shape}, inputs.shape=(2, 5, 4)",
              lambda shape=shape: layer(ones(2, 5, 4), mask=ones(*shape)))  # fmt: skip


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_lstm(rank):
    make, sizes = getattr(L, f"ConvLSTM{rank}D"), (5,) * rank
    name = f"ConvLSTM{rank}D"
    fails(f"{name}: filters is a positive integer. Received: filters=0", lambda: make(0, 2))
    fails(f"{name}: `kernel_size` must be at least 1", lambda: make(3, 0))
    fails(f"{name}: `strides` must be", lambda: make(3, 2, strides="2"))
    fails(f"{name}: `padding` must be one of 'valid', 'same'", lambda: make(3, 2, padding="causal"))
    fails(f"{name}: a stride of more than 1 cannot be combined with a dilation of more than 1",
          lambda: make(3, 2, strides=2, dilation_rate=2))  # fmt: skip
    layer = make(3, 2, name="it")
    fails(f"{name} 'it': expected ndim={rank + 3}, found ndim=3", lambda: layer(ones(2, 5, 4)))
    fails(f"{name}: channels and spatial dimensions must be known", lambda: layer.build((None, 4, *sizes, None)))
    fails(f"{name}: channels and spatial dimensions must be known",
          lambda: layer.build((None, 4, *(None,) * rank, 1)))  # fmt: skip
    assert not layer.built and not layer.weights


# -- ops


def spec(*shape, dtype="float32"):
    return Spec(shape, dtype)


def test_shapes_that_the_ops_refuse():
    a = {"sequences": True, "reverse": False}
    x, u, h = spec(2, 5, 12), spec(3, 12), spec(2, 3)
    infer = lstm_op.infer
    fails("lstm: the projection of the inputs is (batch, time, gates * units). Received: x.shape=(2, 12)",
          lambda: infer(spec(2, 12), u, h, h, **a))  # fmt: skip
    fails("lstm: the recurrent kernel is (units, 4 * units). Received: recurrent_kernel.shape=(3, 9)",
          lambda: infer(x, spec(3, 9), h, h, **a))  # fmt: skip
    fails("lstm: the recurrent kernel is (units, 4 * units)", lambda: infer(x, spec(12), h, h, **a))
    fails("lstm: the recurrent kernel is (units, 4 * units)", lambda: infer(x, spec(0, 0), h, h, **a))
    fails("lstm: the projection of the inputs has 12 columns. Received: x.shape=(2, 5, 9)",
          lambda: infer(spec(2, 5, 9), u, h, h, **a))  # fmt: skip
    fails("lstm: `c0` is (batch, units) = (2, 3). Received: c0.shape=(3, 3), x.shape=(2, 5, 12)",
          lambda: infer(x, u, h, spec(3, 3), **a))  # fmt: skip
    fails("lstm: the mask is (batch, time) of bool. Received: mask.shape=(2, 5), dtype='int32', x.shape=(2, 5, 12)",
          lambda: infer(x, u, h, h, spec(2, 5, dtype="int32"), **a))  # fmt: skip
    fails("gru: the recurrent bias is (9,). Received: bias.shape=(3,), recurrent_kernel.shape=(3, 9)",
          lambda: gru_op.infer(spec(2, 5, 9), spec(3, 9), spec(3), h, reset_after=True, **a))  # fmt: skip
    fails("simple_rnn: `h0` is (batch, units) = (None, 3)",
          lambda: simple_rnn_op.infer(spec(None, 5, 3), spec(3, 3), spec(3), activation="tanh", **a))  # fmt: skip
    fails("simple_rnn: the activation is one of tanh, relu, linear. Received: activation='elu'",
          lambda: simple_rnn_op.infer(spec(2, 5, 3), spec(3, 3), h, activation="elu", **a))  # fmt: skip


def test_steps_of_unknown_number():
    fails("it: the number of time steps must be known, and at least 1. Received: time=0",
          lambda: run_steps(None, ones(2, 0, 3), [], where="it"))  # fmt: skip
