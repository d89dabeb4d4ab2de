"""Every important kernel on real shapes, as a share of what the machine can do, which is measured first.

    python benchmarks/roofline.py                              # all cases, one thread and all
    python benchmarks/roofline.py conv "resnet20 16"           # cases whose family, shape or kernel contains a word
    python benchmarks/roofline.py --isa avx2 --threads 1
    python benchmarks/roofline.py --against OTHER/core.so      # and another build of the core, interleaved
    python benchmarks/roofline.py --draw roofline.png          # needs matplotlib

A call is limited by its arithmetic at the rate of independent fused multiply-adds on registers, by what it must read
and write at least at the bandwidth measured on a working set of that size, and by the vector operations that its
formula needs (operations.py) at the rate at which the processor starts them; the largest of the three times is its
limit, the table says which one that is, and the share is the limit over the time taken. Short runs at the peak find
moments in which the machine is faster than it is for long: for calls of milliseconds the multiply-adds are timed in
turns with the kernel, as many of them as it has. Times are minima over many calls, taken in turns with those of
NumPy, PyTorch and the other build, so that a neighbour on the machine disturbs all of them alike; long calls of one
thread are timed by the CPU time it had, all others by the clock on the wall. NumPy's BLAS keeps the number of threads
that it starts with: it is shown beside as many of ours, which OPENBLAS_NUM_THREADS=1 makes one.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.util
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from case import Case
from figures import rate
from operations import operations
from peak import bandwidth, fma_peak, multiply_adds
from shapes import cases

from kerasish._core import core

LONG = 2e-3  # seconds from which on a call's limit is timed in turns with it
LANES = {"avx512": 16, "avx2": 8, "neon": 4}  # of float32 in a vector; else 1
# What moves bytes as a call does whose outputs are up to this share of them: a line that is written is fetched first.
KINDS = ((0.1, "read"), (0.4, "triad"), (0.7, "copy"), (1.0, "fill"))


def caches() -> list[tuple[str, int, int]]:
    """The data caches that the system tells of, nearest first: name, bytes, processors that share it."""
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size, shared = (
            (index / name).read_text().strip() for name in ("level", "type", "size", "shared_cpu_map")
        )
        if kind != "Instruction":
            sharers = int(shared.replace(",", ""), 16).bit_count()
            found.append((f"L{level}", int(size.rstrip("K")) << 10, sharers))
    return found


class Limits:
    """What the machine can do with so many threads of an ISA: flops, vector operations and bytes per second."""

    def __init__(self, threads: int, isa: str):
        self.threads, self.isa = threads, isa
        self.flops = max(fma_peak(threads, isa)["float32"] for _ in range(2)) * 1e9
        self.operations = self.flops / 2 / LANES.get(isa, 1)  # a multiply-add is two flops in each lane
        self.multiply_adds = multiply_adds(isa)
        self.caches = caches()
        self._rates: dict[int, dict[str, float]] = {}

    def bytes(self, size: int, kind: str) -> float:
        """Bandwidth at a working set of about `size` bytes, measured when it is first asked for; kind: as in KINDS."""
        # In quarters of an octave: where a cache ends, the rate halves in one.
        quarter = max(14 * 4, round(4 * math.log2(max(size, 1))))
        if quarter not in self._rates:
            self._rates[quarter] = bandwidth(self.threads, self.isa, round(2 ** (quarter / 4)))
        return self._rates[quarter][kind] * 1e9

    def level(self, size: int) -> str:
        """The nearest memory that holds a working set of `size` bytes, of which each thread has its part."""
        for name, capacity, sharers in self.caches:
            if size <= capacity * math.ceil(self.threads / sharers):
                return f"memory {name}"
        return "memory"

    def of(self, case: Case, read: int, written: int) -> tuple[float, str]:
        """Seconds that a call takes at least, and what binds: "FMA", "vector operations" or the memory's level."""
        moved = read + written
        kind = next(kind for share, kind in KINDS if written <= share * moved)
        times = {
            self.level(moved): moved / self.bytes(moved, kind),
            "FMA": in_float32(case) / self.flops,
            "vector operations": operations(case.work, self.isa) / LANES.get(self.isa, 1) / self.operations,
        }
        binds = max(times, key=times.get)
        return times[binds], binds


def in_turns(calls: dict[str, Callable], budget: float, threads: int) -> dict[str, float]:
    """Seconds of the fastest call of each, taken in turns until each has had its budget, three times at least.

    Short ones follow a call of their own, which has left in cache what it leaves there, not what another one does, and
    are timed by the clock on the wall, since a neighbour spares some of many; the time that a thread had is too coarse.
    """
    best = dict.fromkeys(calls, math.inf)
    spent = dict.fromkeys(calls, 0.0)
    rounds = 0
    while rounds < 3 or min(spent.values()) < budget:
        for name, fn in calls.items():
            if rounds >= 3 and spent[name] > 2 * budget:
                continue  # the slow ones do not make the others wait
            short = best[name] < LONG
            clock = time.perf_counter if short or threads > 1 else time.thread_time
            if short:
                fn()
            start = clock()
            fn()
            taken = clock() - start
            spent[name] += taken
            if rounds:  # the first call warms up
                best[name] = min(best[name], taken)
        rounds += 1
    return best


def arrays(case: Case) -> tuple[tuple, tuple]:
    """Inputs with values, and outputs."""
    rng = np.random.default_rng(0)

    def split(entry: tuple) -> tuple[tuple, str]:
        return entry if len(entry) == 2 and isinstance(entry[1], str) else (entry, "float32")

    ins = []
    for entry in case.ins:
        shape, dtype = split(entry)
        values = rng.uniform(0.1, 1.0, shape) if dtype == "float32" else rng.integers(0, case.limit, shape)
        if dtype == "float32" and case.group in ("matmul", "conv", "depthwise", "pool"):
            values = rng.standard_normal(shape, "float32")
        x = core.empty(shape, dtype)
        x[...] = values
        ins.append(x)
    return tuple(ins), tuple(core.empty(*split(entry)) for entry in case.outs)


def other_build(path: str) -> Any:
    """The extension module of another build, beside the one in use."""
    loader = importlib.machinery.ExtensionFileLoader("other.core", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("other.core", loader))
    loader.exec_module(module)
    return module


def find_torch() -> Any:
    try:
        import torch
    except ImportError:
        return None
    torch.set_grad_enabled(False)
    return torch


def measure(case: Case, threads: int, isa: str, limits: Limits, a: argparse.Namespace, torch: Any, other: Any) -> dict:
    """The figures of one case."""
    ins, outs = arrays(case)
    core.set_num_threads(0)
    kernel = core.find(case.kernel, dtype_of(case), isa)
    calls = {"ours": lambda: core.run(kernel, ins, outs, case.i, case.f)}
    if other is not None:
        other.set_num_threads(threads)
        theirs = other.find(case.kernel, dtype_of(case), isa)
        calls["other"] = lambda: other.run(theirs, ins, outs, case.i, case.f)
    blas = int(os.environ.get("OPENBLAS_NUM_THREADS") or core.num_threads())
    core.set_num_threads(threads)
    if case.numpy and blas == threads and not a.alone:
        calls["numpy"] = lambda: case.numpy(*ins)
    if torch is not None and case.torch and not a.alone:
        torch.set_num_threads(threads)
        tensors = [torch.from_numpy(x.astype("int32") if x.dtype == np.uint32 else x) for x in ins]
        calls["torch"] = lambda: case.torch(torch, *tensors)
    read, written = sum(x.nbytes for x in ins) + case.again, sum(x.nbytes for x in outs)
    least, binds = limits.of(case, read, written)
    if binds == "FMA" and least >= LONG:
        calls["peak"] = lambda: limits.multiply_adds(threads, in_float32(case))
    seconds = in_turns(calls, a.seconds, threads)
    least = seconds.get("peak", least)
    return {
        "group": case.group, "shape": case.name, "kernel": case.kernel, "isa": isa, "threads": threads,
        "flops": float(case.flops), "bytes": float(read + written), "operations": operations(case.work, isa),
        "binds": binds, "share": least / seconds["ours"], "seconds": seconds,
    }  # fmt: skip


def dtype_of(case: Case) -> str:
    """The dtype that a kernel is registered for: that of its first floating input."""
    floats = [e for e in case.ins if not (len(e) == 2 and isinstance(e[1], str))]
    return "float32" if floats else case.ins[0][1]


def in_float32(case: Case) -> float:
    """The float32 operations that take as long as the case's: a vector has half as many lanes of float64."""
    return case.flops * (2 if case.ins and dtype_of(case) == "float64" else 1)


HEADER = "| shape | kernel | threads | time | rate | limit | of limit | NumPy | PyTorch | other build |"


def row(r: dict) -> str:
    s = r["seconds"]
    versus = [f"x {s[k] / s['ours']:.2f}" if k in s else "" for k in ("numpy", "torch", "other")]
    cells = (
        f"{r['shape']:24}", f"{r['kernel']:34}", f"{r['threads']:2}", f"{s['ours'] * 1e6:9.1f} us",
        f"{rate(r):>11}", f"{r['binds']:17}", f"{r['share']:4.0%}", *(f"{v:>7}" for v in versus),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def draw(rows: list[dict], limits: dict[tuple, Limits], path: str) -> None:
    """The roofline of the most threads: rate over arithmetic intensity, one mark for each case."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    isa, threads = max(limits, key=lambda key: key[1])
    roof = limits[isa, threads]
    figure, axes = pyplot.subplots(figsize=(10, 6.5))
    x = np.logspace(-2, 3, 200)
    for megabytes, style in ((1, "-"), (16, "--"), (256, ":")):
        bytes_per_second = roof.bytes(megabytes << 20, "triad")
        label = f"{megabytes} MB: {bytes_per_second / 1e9:.0f} GB/s"
        axes.plot(x, np.minimum(roof.flops, x * bytes_per_second) / 1e9, style, color="gray", label=label)
    for k, group in enumerate(dict.fromkeys(r["group"] for r in rows)):
        mine = [r for r in rows if r["group"] == group and r["flops"] and (r["isa"], r["threads"]) == (isa, threads)]
        axes.scatter([r["flops"] / r["bytes"] for r in mine], [r["flops"] / r["seconds"]["ours"] / 1e9 for r in mine],
                     s=18, color=f"C{k}", marker="os^vDP*X"[k % 8], label=group)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="flops per byte that must move", ylabel="GFLOP/s",
             title=f"{isa}, {threads} threads: {roof.flops / 1e9:.0f} GFLOP/s")  # fmt: skip
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120, bbox_inches="tight")


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("word", nargs="*", help="only cases whose family, shape or kernel contains all of these")
    p.add_argument("--threads", type=int, nargs="+", default=sorted({1, core.num_threads()}))
    p.add_argument("--isa", nargs="+", default=[core.isa()], choices=core.isas())
    p.add_argument("--seconds", type=float, default=0.1, help="for each figure")
    p.add_argument("--alone", action="store_true", help="without NumPy and PyTorch")
    p.add_argument("--against", metavar="FILE", help="the extension module of another build")
    p.add_argument(
        "--json", metavar="FILE", type=Path, help="write all figures there (figures.py makes a page of them)"
    )
    p.add_argument("--draw", metavar="FILE", help="draw the roofline there")
    a = p.parse_args()
    torch = None if a.alone else find_torch()
    other = other_build(a.against) if a.against else None
    chosen = [c for c in cases() if all(any(w in s for s in (c.group, c.name, c.kernel)) for w in a.word)]
    limits, rows, machine = {}, [], []
    for isa in a.isa:
        for threads in a.threads:
            limits[isa, threads] = found = Limits(threads, isa)
            rates = ", ".join(
                f"{mb} MB {found.bytes(mb << 20, 'read') / 1e9:.0f} / {found.bytes(mb << 20, 'triad') / 1e9:.0f}"
                for mb in (1, 16, 256)
            )
            machine.append(
                f"{isa}, {threads} thread(s): {found.flops / 1e9:.0f} GFLOP/s; read / triad in GB/s: {rates}"
            )
            print(machine[-1])
        print(f"\nShapes on {isa}; the last columns are times as multiples of ours.\n\n{HEADER}")
        print("|" + "---|" * HEADER.count(" | ") + "---|", flush=True)
        for case in chosen:
            for threads in a.threads:
                rows.append(measure(case, threads, isa, limits[isa, threads], a, torch, other))
                print(row(rows[-1]), flush=True)
    if a.json:
        a.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    if a.draw:
        draw(rows, limits, a.draw)
    return 0


if __name__ == "__main__":
    sys.exit(main())
