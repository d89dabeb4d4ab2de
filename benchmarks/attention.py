"""Fused attention as a share of the machine's arithmetic peak, beside the same computation composed of ordinary ops.

    python benchmarks/attention.py [NAME ...] [--threads N] [--isa NAME] [--repeat N]

Each line has the milliseconds of the forward pass, of it together with the gradients to query, key and value, and their
shares of the peak (counting what the products need at least: two forward, five backward); then the same for einsum,
softmax and einsum, and for PyTorch where that is installed. The runs of all are interleaved, and the fastest of each
counts.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from peak import fma_peak

import kerasish as keras
from kerasish import ops
from kerasish._core import core


class Shape(NamedTuple):
    """Self-attention: batch, time, heads, key heads, width of a head; whether it is causal."""

    name: str
    batch: int
    time: int
    heads: int
    groups: int
    width: int
    causal: bool = False


SHAPES = [
    Shape("small", 32, 100, 4, 4, 16),
    Shape("bert", 4, 128, 12, 12, 64),
    Shape("512", 2, 512, 8, 8, 64),
    Shape("512 causal", 2, 512, 8, 8, 64, True),
    Shape("2048 causal", 1, 2048, 4, 4, 64, True),
    Shape("grouped", 1, 512, 16, 4, 64),
    Shape("wide", 1, 512, 4, 4, 128),
    Shape("narrow", 8, 256, 8, 8, 32),
]


def composed(q, k, v, causal: bool):
    """Attention made of ordinary ops."""
    if q.shape[2] != k.shape[2]:
        k, v = (ops.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
    logits = ops.multiply(ops.einsum("btnh,bsnh->bnts", q, k), q.shape[3] ** -0.5)
    if causal:
        logits = ops.where(ops.tril(ops.ones((q.shape[1], k.shape[1]), "bool")), logits, -1e30)
    return ops.einsum("bnts,bsnh->btnh", ops.softmax(logits), v)


def both(forward: Callable, arrays: list[np.ndarray]) -> tuple[Callable, Callable]:
    """The forward pass, and it with the gradients."""
    xs = [ops.convert_to_tensor(x) for x in arrays]

    def train():
        with keras.GradientTape() as tape:
            tape.watch(xs)
            y = forward(*xs)
        tape.gradient(y, xs, output_gradients=y)

    return lambda: forward(*xs), train


def torch_runs(shape: Shape, arrays: list[np.ndarray], threads: int) -> tuple[Callable, Callable] | None:
    """The same in PyTorch, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    xs = [torch.tensor(x).transpose(1, 2).requires_grad_() for x in arrays]

    def forward():
        return torch.nn.functional.scaled_dot_product_attention(
            *xs, is_causal=shape.causal, enable_gqa=shape.heads != shape.groups
        )

    def train():
        y = forward()
        torch.autograd.grad(y, xs, y)

    def inference():
        with torch.no_grad():
            forward()

    return inference, train


def fastest(runs: list[Callable], repeat: int) -> list[float]:
    """Seconds of the fastest of `repeat` runs of each, in turn."""
    best = [float("inf")] * len(runs)
    for round_ in range(repeat + 1):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            if round_:
                best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("name", nargs="*", help="only shapes whose names contain one of these")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--isa", default=core.isa(), choices=core.isas())
    p.add_argument("--repeat", type=int, default=10)
    a = p.parse_args()
    core.set_isa(a.isa)
    core.set_num_threads(a.threads)
    peak = max(fma_peak(a.threads, a.isa)["float32"] for _ in range(3))  # of three: a neighbour may disturb one
    print(f"{a.isa}, {a.threads} thread{'s' if a.threads > 1 else ''}: peak {peak:.0f} GFLOP/s (float32)")
    print(f"{'':14}{'fused: forward':>20}{'with gradients':>20}", end="")
    print(f"{'composed':>12}{'gradients':>12}{'torch':>12}{'gradients':>12}")
    rng = np.random.default_rng(0)
    for s in SHAPES:
        if a.name and not any(part in s.name for part in a.name):
            continue
        arrays = [
            rng.standard_normal((s.batch, s.time, n, s.width), dtype="float32") for n in (s.heads, s.groups, s.groups)
        ]
        runs = [
            *both(partial(ops.dot_product_attention, is_causal=s.causal), arrays),
            *both(partial(composed, causal=s.causal), arrays),
            *(torch_runs(s, arrays, a.threads) or ()),
        ]
        seconds = fastest(runs, a.repeat)
        flops = 4 * s.batch * s.heads * s.time**2 * s.width / (2 if s.causal else 1)
        cells = [
            f"{t * 1e3:.2f} ms {n * flops / t / 1e9 / peak:6.0%}" if i < 2 else f"{t * 1e3:.2f} ms"
            for i, (t, n) in enumerate(zip(seconds, (1, 3.5, 0, 0, 0, 0)))
        ]
        print(f"{s.name:14}" + "".join(f"{c:>{20 if i < 2 else 12}}" for i, c in enumerate(cells)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
