"""Reductions, softmax and normalisation in GB/s of operands and results, as a share of the read bandwidth.

    python benchmarks/reduce.py [--isa NAME] [--threads N] [--size ELEMENTS] [--only PREFIX]

The default size is that of memory. The column at the end compares with NumPy where it has the function.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable

import numpy as np
from peak import bandwidth

from kerasish._core import core


def seconds(fn: Callable[[], object], budget: float = 0.4) -> float:
    """The best time of a call within about `budget` seconds."""
    fn()
    best, end = math.inf, time.perf_counter() + budget
    while time.perf_counter() < end:
        start = time.perf_counter()
        fn()
        best = min(best, time.perf_counter() - start)
    return best


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# (shape of n elements, reduced axes)
SUMS = {
    "whole": lambda n: ((n,), (0,)),
    "rows": lambda n: ((n // 1024, 1024), (1,)),
    "rows of 10": lambda n: ((n // 10, 10), (1,)),
    "columns": lambda n: ((n // 1024, 1024), (0,)),
    "64 columns": lambda n: ((n // 64, 64), (0,)),
    "3 columns": lambda n: ((n // 3, 3), (0,)),
    "middle": lambda n: ((n // 65536, 256, 256), (1,)),
    "outer and inner": lambda n: ((n // 65536, 64, 1024), (0, 2)),
}


def cases(n: int, rng: np.random.Generator) -> list[tuple]:
    """(label, kernel, inputs, outputs, i, f, NumPy's function or None)"""
    out = []
    for pattern, shape_of in SUMS.items():
        shape, axes = shape_of(n)
        x = rng.standard_normal(shape, np.float32)
        kept = tuple(d for k, d in enumerate(shape) if k not in axes)
        bits = (sum(1 << a for a in axes),)
        for name, fn in (("sum", np.sum), ("max", np.max)):
            out.append(
                (f"{name} {pattern}", name, (x,), [kept], bits, (), lambda x=x, fn=fn, axes=axes: fn(x, axis=axes))
            )
        out.append((f"moments {pattern}", "moments", (x,), [kept, kept], bits, (), None))
    x = rng.standard_normal((n // 1024, 1024), np.float32)
    out.append(("argmax rows", "argmax", (x,), [(len(x),)], (1, 2), (), lambda: x.argmax(1)))
    for shape in ((n // 1000, 1000), (n // 10, 10)):
        x = rng.standard_normal(shape, np.float32)
        label = np.zeros(len(x), np.int32)
        out.append((f"softmax of {shape[1]}", "softmax", (x,), [shape], (1, 2), (), lambda x=x: softmax(x)))
        out.append(
            (f"cross-entropy of {shape[1]}", "sparse_softmax_cross_entropy", (x, label), [(len(x),)], (), (), None)
        )
    for shape in ((n // 64, 64), (n // 768, 768)):
        x, v = rng.standard_normal(shape, np.float32), np.ones(shape[1], np.float32)
        one = [(shape[1],)] * 2
        out += [
            (f"batch_norm of {shape[1]}", "batch_norm", (x, v, v), [shape, *one], (1,), (1e-3,), None),
            (
                f"batch_norm_grad of {shape[1]}",
                "batch_norm_grad",
                (x, v, v, v, x, v, v),
                [shape, *one],
                (1,),
                (1e-3,),
                None,
            ),
            (f"layer_norm of {shape[1]}", "layer_norm", (x, v, v), [shape], (1,), (1e-3,), None),
            (f"layer_norm_grad of {shape[1]}", "layer_norm_grad", (x, v, x), [shape, *one], (1,), (1e-3,), None),
        ]
    return out


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--isa", default=core.isa(), choices=core.isas())
    p.add_argument("--threads", type=int, default=core.num_threads())
    p.add_argument("--size", type=int, default=16 << 20)
    p.add_argument("--only", default="")
    a = p.parse_args()
    core.set_num_threads(a.threads)
    peak = bandwidth(a.threads, a.isa, "memory")["read"]
    print(f"{a.isa}, {a.threads} thread(s), {a.size} elements; memory reads {peak:.1f} GB/s")
    for label, name, ins, shapes, i, f, reference in cases(a.size, np.random.default_rng(0)):
        if not label.startswith(a.only):
            continue
        outs = tuple(core.empty(s, "int32" if name == "argmax" else "float32") for s in shapes)
        kernel = core.find(name, "float32", a.isa)
        moved = sum(v.nbytes for v in (*ins, *outs))
        ours = moved / seconds(lambda k=kernel, ins=ins, outs=outs, i=i, f=f: core.run(k, ins, outs, i, f)) / 1e9
        text = f"{label:28} {ours:7.1f} GB/s  {ours / peak:5.0%}"
        if reference is not None:
            numpys = moved / seconds(reference) / 1e9
            text += f"   NumPy {numpys:6.1f}   x {ours / numpys:5.1f}"
        print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
