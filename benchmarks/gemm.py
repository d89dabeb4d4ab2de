"""Matrix products of real models: time, share of the FMA peak measured in the same run, and NumPy's time.

python benchmarks/gemm.py                # all shapes, float32, all threads
python benchmarks/gemm.py --threads 1 --dtype float64 --isa avx2
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from peak import fma_peak

from kerasish._core import core

# name, m, n, k, transpose_a, transpose_b
SHAPES = [
    ("square 2048", 2048, 2048, 2048, 0, 0),
    ("square 1024", 1024, 1024, 1024, 0, 0),
    ("square 512", 512, 512, 512, 0, 0),
    ("square 256", 256, 256, 256, 0, 0),
    ("square 64", 64, 64, 64, 0, 0),
    ("dense 128x784x512", 128, 512, 784, 0, 0),
    ("  its dx", 128, 784, 512, 0, 1),
    ("  its dw", 784, 512, 128, 1, 0),
    ("head 128x512x10", 128, 10, 512, 0, 0),
    ("  its dx", 128, 512, 10, 0, 1),
    ("  its dw", 512, 10, 128, 1, 0),
    ("transformer 4096x512x2048", 4096, 2048, 512, 0, 0),
    ("lstm step 64x256x1024", 64, 1024, 256, 0, 0),
    ("long sum 288x64x86528", 288, 64, 86528, 1, 0),
    ("predict 1x784x512", 1, 512, 784, 0, 0),
    ("vector 1x4096x4096", 1, 4096, 4096, 0, 0),
    ("vector 1x4096x4096^T", 1, 4096, 4096, 0, 1),
    ("regression 4096x1x64", 4096, 1, 64, 0, 0),
]


def best_time(fn: Callable, budget: float) -> float:
    """Seconds of the fastest call; calls until the budget is spent, at least five times."""
    best, end, calls = float("inf"), time.perf_counter() + budget, 0
    while calls < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        fn()
        best = min(best, time.perf_counter() - start)
        calls += 1
    return best


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--threads", type=int, default=0, help="0: all")
    p.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    p.add_argument("--isa", choices=core.isas(), default=core.isa())
    p.add_argument("--seconds", type=float, default=0.3, help="for each figure")
    a = p.parse_args()
    threads = core.set_num_threads(a.threads)
    kernel = core.find("matmul", a.dtype, a.isa)
    peak = fma_peak(threads, a.isa)[a.dtype]
    print(f"{a.dtype}, {a.isa}, {threads} threads, peak {peak:.0f} GFLOP/s; NumPy uses the threads of its own BLAS")
    print(f"{'shape':28}{'us':>10}{'GFLOP/s':>10}{'of peak':>9}{'NumPy us':>11}")
    rng = np.random.default_rng(0)
    for name, m, n, k, ta, tb in SHAPES:
        x1 = rng.standard_normal((k, m) if ta else (m, k)).astype(a.dtype)
        x2 = rng.standard_normal((n, k) if tb else (k, n)).astype(a.dtype)
        y = core.empty((m, n), a.dtype)
        ours = best_time(lambda: core.run(kernel, (x1, x2), (y,), (ta, tb, 0)), a.seconds)  # noqa: B023
        numpy = best_time(lambda: np.matmul(x1.T if ta else x1, x2.T if tb else x2, out=y), a.seconds)  # noqa: B023
        rate = 2e-9 * m * n * k / ours
        print(f"{name:28}{1e6 * ours:10.1f}{rate:10.1f}{rate / peak:9.0%}{1e6 * numpy:11.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
