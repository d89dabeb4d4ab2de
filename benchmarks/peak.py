"""The machine's arithmetic peak: what every other benchmark states its figures as a share of."""

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


def fma_peak(threads: int, isa: str) -> dict[str, float]:
    """GFLOP/s by dtype of independent fused multiply-adds on registers, compiled for `isa` and run now."""
    flags = [*core_build.COMMON, *core_build.OPTIMIZE, *core_build.isas()[isa], f"-DKR_FOR_{isa.upper()}"]
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "fma_peak"
        source = [str(HERE / "fma_peak.c"), "-lm", "-o", str(binary)]
        compiler = shlex.split(os.environ.get("CC", "cc"))
        subprocess.run([*compiler, *flags, f"-I{core_build.ROOT}", *source], check=True)
        out = subprocess.run([str(binary), str(threads)], check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def main() -> int:
    from kerasish._core import core

    for isa in core.isas():
        for threads in sorted({1, core.num_threads()}):
            figures = ", ".join(f"{dtype} {value:.0f}" for dtype, value in fma_peak(threads, isa).items())
            print(f"{isa:8} {threads} thread{'s' if threads > 1 else ''}: {figures} GFLOP/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
