"""The machine's peaks, arithmetic and memory: what every other benchmark states its figures as a share of."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "csrc"))
import build as core_build  # noqa: E402  (csrc/build.py)


def measure(program: str, isa: str, *arguments: int) -> dict[str, float]:
    """Compiles benchmarks/<program>.c for `isa`, runs it now, and gives the named figures that it prints."""
    flags = [*core_build.COMMON, *core_build.OPTIMIZE, *core_build.isas()[isa], f"-DKR_FOR_{isa.upper()}"]
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / program
        source = [str(HERE / f"{program}.c"), "-lm", "-o", str(binary)]
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, *flags, f"-I{core_build.ROOT}", *source], check=True)
        out = subprocess.run([str(binary), *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def fma_peak(threads: int, isa: str) -> dict[str, float]:
    """GFLOP/s by dtype of independent fused multiply-adds on registers."""
    return measure("fma_peak", isa, threads)


def bandwidth(threads: int, isa: str, level: str) -> dict[str, float]:
    """GB/s of reading ("read") and of a = b + s c ("triad") where half of a cache is in use, or far more than all.

    Args:
        level: "L1", "L2" (each thread has its own), "L3" or "memory" (they share).
    """
    from kerasish._core import core

    l1, l2, l3 = core.caches()
    sizes = {"L1": l1 // 2, "L2": l2 // 2, "L3": l3 // 2 // threads, "memory": max(8 * l3, 256 << 20) // threads}
    return measure("bandwidth", isa, threads, sizes[level])


def main() -> int:
    from kerasish._core import core

    counts = sorted({1, core.num_threads()})
    for isa in core.isas():
        for threads in counts:
            figures = ", ".join(f"{dtype} {value:.0f}" for dtype, value in fma_peak(threads, isa).items())
            print(f"{isa:8} {threads} thread{'s' if threads > 1 else ''}: {figures} GFLOP/s")
    for threads in counts:
        for level in ("L1", "L2", "L3", "memory"):
            figures = ", ".join(f"{name} {value:.0f}" for name, value in bandwidth(threads, core.isa(), level).items())
            print(f"{level:8} {threads} thread{'s' if threads > 1 else ''}: {figures} GB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
