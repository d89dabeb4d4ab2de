"""Recurrent kernels as a share of the machine's arithmetic peak: a forward and a backward pass over whole sequences.

    python benchmarks/rnn.py [NAME ...] [--threads N] [--isa NAME] [--repeat N]

Each line has the milliseconds and the share of the peak (by the multiply-adds of the products alone; the gates come on
top) of the steps forward, the steps backward with the gradient to the recurrent kernel, and the whole layer: with the
projection of the inputs and its gradients. Where PyTorch is installed, its layer's times stand beside, taken in turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from peak import fma_peak

import kerasish as keras
from kerasish._core import core
from kerasish.ops import rnn
from kerasish.ops.matmul import matmul_bias


class Shape(NamedTuple):
    """A layer: its kind, batch, time steps, units, features of the input."""

    name: str
    kind: str
    batch: int
    time: int
    units: int
    features: int


SHAPES = [
    Shape("lstm", "lstm", 64, 80, 128, 128),
    Shape("gru", "gru", 64, 80, 128, 128),
    Shape("gru before", "gru_before", 64, 80, 128, 128),
    Shape("simple", "simple_rnn", 64, 80, 128, 128),
    Shape("lstm small", "lstm", 32, 28, 32, 28),
    Shape("lstm wide", "lstm", 64, 20, 512, 512),
    Shape("lstm one", "lstm", 1, 80, 128, 128),
]
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3, "gru_before": 3}


def once(f) -> float:
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def ours(s: Shape, data) -> dict:
    """What to time, by name."""
    gates = GATES[s.kind]
    t = keras.ops.convert_to_tensor
    inputs = t(data(s.batch, s.time, s.features))
    kernel, bias = t(data(s.features, gates * s.units)), t(data(gates * s.units))
    u, h0 = t(data(s.units, gates * s.units) / s.units**0.5), t(np.zeros((s.batch, s.units), "float32"))
    attrs = {"sequences": False, "reverse": False}
    if s.kind == "lstm":
        op, rest = rnn.lstm_op, (u, h0, h0)
    elif s.kind == "simple_rnn":
        op, rest = rnn.simple_rnn_op, (u, h0)
        attrs["activation"] = "tanh"
    else:
        op, rest = rnn.gru_op, (u, bias, h0)
        attrs["reset_after"] = s.kind == "gru"
    x = keras.ops.matmul(inputs, kernel)
    out = op(x, *rest, **attrs)
    grad = keras.engine.op.get_op(f"{op.name}_grad")
    ys = out[: 1 + (s.kind == "lstm")]
    back = (x, *rest, ys[0], *out[len(ys) :], *ys)

    def whole():
        with keras.GradientTape() as tape:
            tape.watch([kernel, u, inputs, bias])
            last = op(matmul_bias(inputs, kernel, bias), *rest, **attrs)[0]
        return tape.gradient(last, [inputs, kernel, bias, u], output_gradients=ys[0])

    return {
        "forward": lambda: op(x, *rest, **attrs),
        "backward": lambda: grad(*back, **attrs),
        "layer": whole,
    }


def theirs(s: Shape, data):
    """PyTorch's layer, forwards and backwards, or None."""
    if find_spec("torch") is None:
        return None
    import torch

    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "simple_rnn": torch.nn.RNN}.get(s.kind)
    if kind is None:
        return None
    layer = kind(s.features, s.units, batch_first=True)
    x = torch.from_numpy(data(s.batch, s.time, s.features)).requires_grad_()
    g = torch.from_numpy(data(s.batch, s.units))
    return lambda: layer(x)[0][:, -1].backward(g)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("name", nargs="*", help="only shapes whose names contain one of these")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--isa", default=core.isa(), choices=core.isas())
    p.add_argument("--repeat", type=int, default=10)
    a = p.parse_args()
    core.set_isa(a.isa)
    core.set_num_threads(a.threads)
    beside = find_spec("torch") is not None
    if beside:
        import torch

        torch.set_num_threads(a.threads)
    peak = max(fma_peak(a.threads, a.isa)["float32"] for _ in range(3))  # of three: a neighbour may disturb one
    print(f"{a.isa}, {a.threads} thread{'s' if a.threads > 1 else ''}: peak {peak:.0f} GFLOP/s (float32)")
    print(f"{'':12}{'forward':>18}{'backward':>18}{'layer':>18}" + (f"{'torch':>18}" if beside else ""))
    rng = np.random.default_rng(0)

    def data(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype="float32")

    for s in SHAPES:
        if a.name and not any(part in s.name for part in a.name):
            continue
        runs = ours(s, data)
        other = theirs(s, data)
        if other:
            runs["torch"] = other
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(a.repeat + 1):  # in turns, so that a disturbance meets all
            for name, f in runs.items():
                best[name] = min(best[name], once(f))
        product = 2 * s.batch * s.time * s.units * GATES[s.kind]
        work = {"forward": s.units, "backward": 2 * s.units, "layer": 3 * (s.units + s.features)}
        cells = [
            f"{seconds * 1e3:.2f} ms" + (f"{product * work[k] / seconds / 1e9 / peak:6.0%}" if k in work else "")
            for k, seconds in best.items()
        ]
        print(f"{s.name:12}" + "".join(f"{c:>18}" for c in cells), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
