"""Elementwise kernels in GB/s of operands and results, beside NumPy.

    python benchmarks/elementwise.py [--isa NAME] [--threads N] [--size ELEMENTS] [--only PREFIX]

The default size fits the L2 cache, where the arithmetic shows; with --size 10000000 the figures are those of memory.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable

import numpy as np

from kerasish._core import core

# kernel: NumPy's form, or None
UNARY = {
    "negative": np.negative,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, 0),
    "erf": None,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": None,
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
}
BINARY = {
    "add": np.add,
    "divide": np.divide,
    "maximum": np.maximum,
    "power": np.power,
    "less": np.less,
}
# how the second operand's shape follows from the first's
PATTERNS = {
    "full": lambda n: ((n // 256, 256), (n // 256, 256)),
    "scalar": lambda n: ((n,), ()),
    "row": lambda n: ((n // 256, 256), (256,)),
    "column": lambda n: ((n // 256, 256), (n // 256, 1)),
    "row of 3": lambda n: ((n // 3, 3), (3,)),
    "middle": lambda n: ((n // 512, 8, 64), (n // 512, 1, 64)),
}


def seconds(fn: Callable[[], object], budget: float = 0.1) -> float:
    """The best time of a call within about `budget` seconds."""
    fn()
    best, end = math.inf, time.perf_counter() + budget
    while time.perf_counter() < end:
        start = time.perf_counter()
        fn()
        best = min(best, time.perf_counter() - start)
    return best


def measure(name: str, ins: tuple, out: str, isa: str, reference: Callable | None, label: str) -> None:
    y = core.empty(np.broadcast_shapes(*(x.shape for x in ins)), out)
    kernel = core.find(name, str(ins[0].dtype), isa)
    moved = sum(x.nbytes for x in ins) + y.nbytes
    ours = moved / seconds(lambda: core.run(kernel, ins, (y,))) / 1e9
    text = ""
    if reference is not None:
        numpys = moved / seconds(lambda: reference(*ins)) / 1e9
        text = f"   NumPy {numpys:7.2f}   x {ours / numpys:5.1f}"
    print(f"{label:24} {ins[0].dtype!s:8} {ours:7.2f} GB/s{text}", flush=True)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--isa", default=core.isa(), choices=core.isas())
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--size", type=int, default=3 * 2**15)
    p.add_argument("--only", default="")
    a = p.parse_args()
    core.set_num_threads(a.threads)
    print(f"{a.isa}, {a.threads} thread(s), {a.size} elements")
    rng = np.random.default_rng(0)
    for dtype in ("float32", "float64"):
        x = rng.uniform(0.1, 4, a.size).astype(dtype)
        for name, reference in UNARY.items():
            if name.startswith(a.only):
                measure(name, (x,), dtype, a.isa, reference, name)
        for name, reference in BINARY.items():
            for pattern, shapes in PATTERNS.items():
                if name.startswith(a.only) and (name == "add" or pattern == "full"):
                    ins = tuple(rng.uniform(0.1, 4, s).astype(dtype) for s in shapes(a.size))
                    measure(name, ins, "bool" if name == "less" else dtype, a.isa, reference, f"{name} {pattern}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
