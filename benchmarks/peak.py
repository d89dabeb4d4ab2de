"""The machine's peaks, arithmetic and memory: what every other benchmark states its figures as a share of."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "csrc"))
import build as core_build  # noqa: E402  (csrc/build.py)


def _compile(program: str, isa: str, binary: Path, *more: str) -> None:
    flags = [*core_build.COMMON, *core_build.OPTIMIZE, *core_build.isas()[isa], f"-DKR_FOR_{isa.upper()}", *more]
    source = [str(HERE / f"{program}.c"), "-lm", "-o", str(binary)]
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, *flags, f"-I{core_build.ROOT}", *source], check=True)


def measure(program: str, isa: str, *arguments: int) -> dict[str, float]:
    """Compiles benchmarks/<program>.c for `isa`, runs it now, and gives the named figures that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / program
        _compile(program, isa, binary)
        out = subprocess.run([str(binary), *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def fma_peak(threads: int, isa: str) -> dict[str, float]:
    """GFLOP/s by dtype of independent fused multiply-adds on registers."""
    return measure("fma_peak", isa, threads)


def multiply_adds(isa: str) -> Callable[[int, float], None]:
    """A function that runs so many float32 operations at the peak on so many threads, to be timed beside others."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "fma_peak.so"
        _compile("fma_peak", isa, library, "-shared")
        fn = ctypes.CDLL(str(library)).multiply_adds
    fn.argtypes, fn.restype = (ctypes.c_int, ctypes.c_double), None
    return fn


def bandwidth(threads: int, isa: str, size: int) -> dict[str, float]:
    """GB/s on working sets of `size` bytes in all: of reading ("read"), of a = b + s c ("triad"), of a = b ("copy")
    and of a = s ("fill")."""
    return measure("bandwidth", isa, threads, size // threads)


def main() -> int:
    from kerasish._core import core

    counts = sorted({1, core.num_threads()})
    for isa in core.isas():
        for threads in counts:
            figures = ", ".join(f"{dtype} {value:.0f}" for dtype, value in fma_peak(threads, isa).items())
            print(f"{isa:8} {threads} thread{'s' if threads > 1 else ''}: {figures} GFLOP/s")
    for threads in counts:
        for bits in range(14, 30, 3):
            figures = ", ".join(f"{name} {v:.0f}" for name, v in bandwidth(threads, core.isa(), 1 << bits).items())
            print(f"{1 << bits >> 10:6} KB {threads} thread{'s' if threads > 1 else ''}: {figures} GB/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
