"""Every layer's case, exported with a free batch and run by onnxruntime at batch sizes other than any captured one."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish import layers, ops
from kerasish.engine import tree
from kerasish.export import to_onnx

from ..contracts.layer_cases import ON_TENSORS, Case
from .runtime import check, run, session


def batch(x: np.ndarray, size: int) -> np.ndarray:
    """Rows that differ from each other."""
    rows = np.concatenate([np.roll(x, k, axis=-1) for k in range(size)])[:size]
    return np.ascontiguousarray(rows)


# What is hashed is refused (tests/export/test_errors.py).
EXPORTED = [case for case in ON_TENSORS if not case.name.startswith("Hash")]


@pytest.mark.parametrize("case", EXPORTED, ids=lambda c: c.name)
def test_a_layer_computes_the_same_in_onnx(case: Case):
    layer, x = case.make(layers), case.inputs()
    case.call(layer, x)
    rng = np.random.default_rng(1)
    for v in layer.variables:
        if v.dtype == "float32":  # zeros and ones, which fresh weights are, would hide a permutation
            v.assign(v.numpy() + rng.uniform(0, 0.3, v.shape).astype("float32"))
    arrays = x if isinstance(x, list) else [x]

    def call(*tensors):
        return case.call(layer, tensors[0] if len(tensors) == 1 else list(tensors))

    proto = to_onnx(
        call,
        [(None, *a.shape[1:]) for a in arrays],
        [str(a.dtype) for a in arrays],
        [f"x{k}" for k in range(len(arrays))],
        lambda _, count: [f"y{k}" for k in range(count)],
    )
    assert all(i.type.tensor_type.shape.dim[0].dim_param == "batch" for i in proto.graph.input)
    s = session(proto)
    for size in (1, 4):
        given = [batch(a, size) for a in arrays]
        check(run(s, given), call(*map(ops.convert_to_tensor, given)), rtol=2e-5)


def masked(layer, inputs, mask):
    return layer(inputs, mask=mask)


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("sequences", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize(
    "make",
    [
        lambda **k: layers.LSTM(3, **k),
        lambda **k: layers.GRU(3, **k),
        lambda **k: layers.GRU(3, reset_after=False, bias_initializer="normal", **k),
        lambda **k: layers.SimpleRNN(3, activation="relu", **k),
        lambda **k: layers.SimpleRNN(3, activation="linear", **k),
        lambda **k: layers.LSTM(3, zero_output_for_mask=True, **k),
        lambda **k: layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], **k),
    ],
    ids=["lstm", "gru", "gru reset before", "relu", "linear", "zeros", "stacked"],
)
def test_recurrent_layers_with_masks_and_states(make, sequences, reverse):
    layer = make(return_sequences=sequences, return_state=True, go_backwards=reverse)
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(4, 6, 2)).astype("float32"), rng.random((4, 6)) < 0.6
    mask[0], mask[1] = True, False
    layer(x)
    proto = to_onnx(
        lambda x, mask: (layer(x), masked(layer, x, mask)),
        [(None, 6, 2), (None, 6)],
        ["float32", "bool"],
        ["x", "mask"],
        lambda _, count: [f"y{k}" for k in range(count)],
    )
    s = session(proto)
    for n in (1, 4):
        given = ops.convert_to_tensor(x[:n])
        check(run(s, [x[:n], mask[:n]]), (layer(given), masked(layer, given, ops.convert_to_tensor(mask[:n]))))


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.SimpleRNNCell(3),
        lambda: layers.GRUCell(3, reset_after=False),
        lambda: layers.LSTMCell(3, recurrent_activation="hard_sigmoid"),
        lambda: layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(2)]),
    ],
    ids=["simple", "gru", "lstm", "stacked"],
)
def test_cells_by_themselves(make):
    cell = make()
    sizes = tree.flatten(cell.state_size)

    def call(x, *states):
        return cell(x, tree.pack_sequence_as(cell.state_size, states) if len(sizes) > 1 else list(states))

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(4, n)).astype("float32") for n in (2, *sizes)]
    call(*map(ops.convert_to_tensor, arrays))
    names = [f"x{k}" for k in range(len(arrays))]
    shapes = [(None, a.shape[1]) for a in arrays]
    proto = to_onnx(call, shapes, ["float32"] * len(arrays), names, lambda _, count: [f"y{k}" for k in range(count)])
    s = session(proto)
    for n in (1, 4):
        given = [a[:n] for a in arrays]
        check(run(s, given), call(*map(ops.convert_to_tensor, given)))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("kind", ["conv", "depthwise", "max", "average", "transpose"])
def test_images_of_free_size(kind, strides, padding):
    layer = {
        "conv": lambda: layers.Conv2D(3, 4, strides=strides, padding=padding),
        "depthwise": lambda: layers.DepthwiseConv2D(3, strides=strides, padding=padding),
        "max": lambda: layers.MaxPooling2D(3, strides=strides, padding=padding),
        "average": lambda: layers.AveragePooling2D(3, strides=strides, padding=padding),
        "transpose": lambda: layers.Conv2DTranspose(3, 4, strides=strides, padding=padding),
    }[kind]()
    layer(ops.zeros((1, 9, 9, 2)))
    proto = to_onnx(layer, [(None, None, None, 2)], ["float32"], ["x"], lambda *_: ["y"])
    s = session(proto)
    for shape in ((1, 8, 5, 2), (2, 7, 10, 2), (1, 9, 6, 2)):
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        check(run(s, [x]), layer(ops.convert_to_tensor(x)))
