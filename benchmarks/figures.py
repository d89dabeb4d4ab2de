"""The figures of a run of roofline.py as a page of tables.

    OPENBLAS_NUM_THREADS=1 python benchmarks/roofline.py --threads 1 --json one.json
    python benchmarks/roofline.py --threads 2 --alone --json two.json
    python benchmarks/figures.py one.json two.json > docs/figures_avx2.md

Each line is one call: what limits it, then its rate and share of the limit on one thread and on all, and the times of
NumPy and PyTorch on one thread as multiples of its own.  Two threads are measured alone, since the threads of the
others spin for a while after each of their calls.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

NAMES = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON", "scalar": "portable C"}
LEGEND = [
    "Rate and share of the limit of each call, and the times of NumPy and PyTorch on one thread as multiples of its",
    "own (above 1 the kernel here is the faster one). What a limit is: [how it is measured](performance.md).",
    "",
    "Made by `benchmarks/figures.py` of these runs of `benchmarks/roofline.py`:",
]
TITLES = {
    "matmul": "Products",
    "conv": "Convolution",
    "depthwise": "Depthwise convolution",
    "pool": "Pooling",
    "batch_norm": "Batch normalisation",
    "layer_norm": "Layer normalisation",
    "loss": "Losses",
    "move": "Moving and choosing",
    "reduce": "Reductions",
    "update": "Optimizers",
}
UNITS = {"FMA": ("flops", "GFLOP/s"), "vector operations": ("operations", "Gop/s")}


def rate(r: dict) -> str:
    """What a call does of what limits it, a second.

    Example:
        >>> rate({"binds": "FMA", "flops": 2e9, "seconds": {"ours": 0.01}})
        '200 GFLOP/s'
    """
    amount, unit = UNITS.get(r["binds"], ("bytes", "GB/s"))
    return f"{r[amount] / r['seconds']['ours'] / 1e9:.0f} {unit}"


def table(rows: list[dict]) -> list[str]:
    """Lines of Markdown: a header, and one line for each shape and kernel."""
    threads = sorted({r["threads"] for r in rows})
    counts = [f"{n} thread{'s' * (n > 1)}" for n in threads]
    peers = [
        (k, name) for k, name in (("numpy", "NumPy"), ("torch", "PyTorch")) if any(k in r["seconds"] for r in rows)
    ]
    head = ["shape", "kernel", "limit", *counts, *(name for _, name in peers)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    calls: dict[tuple[str, str], dict[int, dict]] = {}
    for r in rows:
        calls.setdefault((r["shape"], r["kernel"]), {})[r["threads"]] = r
    for (shape, kernel), by_threads in calls.items():
        first = by_threads[min(by_threads)]
        shares = [f"{rate(by_threads[n])}, {by_threads[n]['share']:.0%}" if n in by_threads else "" for n in threads]
        seconds = first["seconds"]
        versus = [f"{seconds[k] / seconds['ours']:.2f}" if k in seconds else "" for k, _ in peers]
        lines.append(f"| {' | '.join([shape, f'`{kernel}`', first['binds'], *shares, *versus])} |")
    return lines


def page(runs: list[dict]) -> str:
    """All tables of some runs, one for each family of kernels, under what the machine could do in them."""
    every = [r for run in runs for r in run["rows"]]
    lines = [f"# Figures on {NAMES.get(every[0]['isa'], every[0]['isa'])}", "", *LEGEND, ""]
    lines += [f"- {line}" for run in runs for line in run["machine"]] + [""]
    for group in dict.fromkeys(r["group"] for r in every):
        lines += [
            f"## {TITLES.get(group, group.capitalize())}",
            "",
            *table([r for r in every if r["group"] == group]),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("json", type=Path, nargs="+", help="what roofline.py --json has written")
    print(page([json.loads(path.read_text()) for path in p.parse_args().json]), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
