"""Recurrent layers over whole sequences: ONNX's RNN, GRU and LSTM, and a Scan where steps are masked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..family import Ref, Step
from ..writer import Writer
from .table import lowering

_ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "linear": "Affine"}
# The gates as they lie side by side in Keras's kernels (LSTM: i f g o; GRU: z r n), in ONNX's order (i o f c; z r h).
_ORDER = {"simple_rnn": (0,), "gru": (0, 1, 2), "lstm": (0, 3, 1, 2)}
_KIND = {"simple_rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


@lowering("simple_rnn", "gru", "lstm")
def _rnn(w: Writer, step: Step) -> tuple:
    named = dict(zip(("x", "u", "h0", "c0") if step.op == "lstm" else ("x", "u", "h0"), step.inputs))
    if step.op == "gru":
        named = dict(zip(("x", "u", "bias", "h0"), step.inputs))
    mask = step.inputs[len(named) :]
    run = _scan if mask else _operator
    y, *states = run(w, step, named, *mask)
    given = (y, *states)
    return (*given, *[None] * (len(step.outputs) - len(given)))  # the others are for the gradient


# ---- without a mask -------------------------------------------------------------------------------------------------


def _gates(w: Writer, x: str, step: Step, n: int, axis: int) -> str:
    """Parts of n along an axis, in ONNX's order."""
    order = _ORDER[step.op]
    if order == tuple(range(len(order))):
        return x
    parts = w.op("Split", x, w.ints(*[n] * len(order)), outputs=len(order), axis=axis)
    return w.op("Concat", *(parts[k] for k in order), axis=axis)


def _projection(x: Ref) -> tuple[Ref, Ref, Ref | None] | None:
    """(inputs, kernel, bias) where x is the product that a recurrent layer takes over all steps."""
    maker = x.maker[0] if x.maker is not None else None
    if maker is None or maker.op not in ("matmul", "matmul_bias"):
        return None
    inputs, kernel, *bias = maker.inputs
    plain = not any(maker.get(k) for k in ("transpose_a", "transpose_b", "activation"))
    return (inputs, kernel, bias[0] if bias else None) if plain and (inputs.ndim, kernel.ndim) == (3, 2) else None


def _operator(w: Writer, step: Step, named: dict[str, Ref]) -> list[str]:
    """One operator, which takes the inputs themselves where it can: the product over all steps is its own, too."""
    x, u = named["x"], named["u"]
    n, count = step.fixed(u, 0), len(_ORDER[step.op])
    found = _projection(x)
    if found is None:
        inputs, kernel, bias = x, w.const(np.eye(count * n), x.dtype), None
    else:
        inputs, kernel, bias = found[0], w.name(found[1]), found[2]
    nothing = w.const(np.zeros(count * n), x.dtype)
    of_inputs = nothing if bias is None else _gates(w, w.name(bias), step, n, 0)
    of_state = w.name(named["bias"]) if "bias" in named else nothing
    sequence = w.transpose(w.name(inputs), (1, 0, 2))
    if step["reverse"]:
        sequence = w.slice(sequence, 0, -1, None, -1)
    states = [w.unsqueeze(w.name(named[k]), 0) for k in ("h0", "c0") if k in named]
    attrs: dict[str, Any] = {"hidden_size": n}
    if step.op == "gru":
        attrs["linear_before_reset"] = int(step["reset_after"])
    if step.op == "simple_rnn":
        attrs["activations"] = [_ACTIVATIONS[step["activation"]]]
        if step["activation"] == "linear":
            attrs |= {"activation_alpha": [1.0], "activation_beta": [0.0]}
    weights = [w.unsqueeze(w.transpose(_gates(w, k, step, n, 1), (1, 0)), 0) for k in (kernel, w.name(u))]
    biases = w.unsqueeze(w.op("Concat", of_inputs, of_state, axis=0), 0)
    outputs = w.op(
        _KIND[step.op], sequence, *weights, biases, "", *states, outputs=3 if step.op == "lstm" else 2, **attrs
    )
    if step["sequences"]:  # (time, 1, batch, n)
        y = w.transpose(w.squeeze(outputs[0], 1), (1, 0, 2))
    else:
        y = w.squeeze(outputs[1], 0)
    return [y, *(w.squeeze(s, 0) for s in outputs[2:])]


# ---- with one -------------------------------------------------------------------------------------------------------


def _scan(w: Writer, step: Step, named: dict[str, Ref], mask: Ref) -> list[str]:
    """Step by step: where the mask is false, states stay as they are."""
    x, u = named["x"], named["u"]
    states = [named[k] for k in ("h0", "c0") if k in named]
    weights = {k: w.name(named[k]) for k in ("u", "bias") if k in named}
    n, dtype = step.fixed(u, 0), x.dtype
    if step.op == "gru" and not step["reset_after"]:
        parts = w.op("Split", weights["u"], w.ints(2 * n, n), outputs=2, axis=1)
        weights |= {"gates": parts[0], "rest": parts[1]}
        biases = w.op("Split", weights["bias"], w.ints(2 * n, n), outputs=2, axis=0)
        weights |= {"gate_bias": biases[0], "rest_bias": biases[1]}

    def body(*given: str) -> list[tuple[str, str, int]]:
        old, sums, kept = list(given[: len(states)]), given[-2], w.unsqueeze(given[-1], 1)
        new = _STEPS[step.op](w, step, sums, old, weights, n)
        new = [w.op("Where", kept, a, b) for a, b in zip(new, old)]
        return [*((name, dtype, 2) for name in new), (w.op("Identity", new[0]), dtype, 2)]

    inputs = [*((dtype, 2) for _ in states), (dtype, 2), ("bool", 1)]
    backwards = int(step["reverse"])
    outputs = w.op(
        "Scan",
        *(w.name(s) for s in states),
        w.name(x),
        w.name(mask),
        outputs=len(states) + 1,
        body=w.subgraph("step", inputs, body),
        num_scan_inputs=2,
        scan_input_axes=[1, 1],
        scan_input_directions=[backwards, backwards],
        scan_output_axes=[1],
    )
    return [outputs[-1] if step["sequences"] else outputs[0], *outputs[1:-1]]


def _simple_step(w: Writer, step: Step, x: str, old: list, weights: dict, n: int) -> list[str]:
    y = w.op("Add", x, w.op("MatMul", old[0], weights["u"]))
    return [y if step["activation"] == "linear" else w.op(_ACTIVATIONS[step["activation"]], y)]


def _lstm_step(w: Writer, step: Step, x: str, old: list, weights: dict, n: int) -> list[str]:
    sums = w.op("Add", x, w.op("MatMul", old[0], weights["u"]))
    i, f, g, o = w.op("Split", sums, w.ints(*[n] * 4), outputs=4, axis=1)
    kept = w.op("Mul", w.op("Sigmoid", f), old[1])
    c = w.op("Add", kept, w.op("Mul", w.op("Sigmoid", i), w.op("Tanh", g)))
    return [w.op("Mul", w.op("Sigmoid", o), w.op("Tanh", c)), c]


def _gru_step(w: Writer, step: Step, x: str, old: list, weights: dict, n: int) -> list[str]:
    h = old[0]
    xz, xr, xn = w.op("Split", x, w.ints(n, n, n), outputs=3, axis=1)
    if step["reset_after"]:
        q = w.op("Add", w.op("MatMul", h, weights["u"]), weights["bias"])
        qz, qr, qn = w.op("Split", q, w.ints(n, n, n), outputs=3, axis=1)
    else:
        q = w.op("Add", w.op("MatMul", h, weights["gates"]), weights["gate_bias"])
        qz, qr = w.op("Split", q, w.ints(n, n), outputs=2, axis=1)
    z = w.op("Sigmoid", w.op("Add", xz, qz))
    r = w.op("Sigmoid", w.op("Add", xr, qr))
    if step["reset_after"]:
        rest = w.op("Mul", r, qn)
    else:
        rest = w.op("Add", w.op("MatMul", w.op("Mul", r, h), weights["rest"]), weights["rest_bias"])
    new = w.op("Tanh", w.op("Add", xn, rest))
    return [w.op("Add", new, w.op("Mul", z, w.op("Sub", h, new)))]


_STEPS = {"simple_rnn": _simple_step, "lstm": _lstm_step, "gru": _gru_step}
