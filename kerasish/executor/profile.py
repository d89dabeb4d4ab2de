"""Profiles: where the time of a compiled step goes, by op and by layer, against the machine's limits."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._core import core
from .graph import Call, Value
from .program import Executable

ROUNDS = 200_000  # of the measurement of the arithmetic peak: some tens of ms
COPY_BYTES = 64 << 20  # more than the caches that a core has to itself


def arithmetic_peak() -> float:
    """Floating-point operations a second that all threads together can do in float32, measured now."""
    kernel, out = core.find("fma_peak", "float32"), core.empty((2,), "float32")
    core.run(kernel, (), (out,), (1000,))
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        core.run(kernel, (), (out,), (ROUNDS,))
        best = max(best, float(out[1]) * ROUNDS / (time.perf_counter() - started))
    return best


def memory_peak() -> float:
    """Bytes a second that all threads together read and write while they copy a large array, measured now."""
    kernel = core.find("cast", "float32")
    x, y = (core.empty((COPY_BYTES // 4,), "float32") for _ in range(2))
    x[...] = 0
    best = 0.0
    for _ in range(4):
        started = time.perf_counter()
        core.run(kernel, (x,), (y,), (core.DTYPE_CODES["float32"],))
        best = max(best, 2 * COPY_BYTES / (time.perf_counter() - started))
    return best


class Row:
    """What one step of a program, one layer or one op has cost.

    Attributes:
        name: the op (or ops), or the layer.
        layer: the layer's path.
        seconds: time.
        flops: floating-point operations.
        bytes: bytes read and written, each array once.
        calls: number of steps.
    """

    __slots__ = ("bytes", "calls", "flops", "layer", "name", "seconds")

    def __init__(self, name: str, layer: str = ""):
        self.name, self.layer = name, layer
        self.seconds, self.flops, self.bytes, self.calls = 0.0, 0, 0, 0

    def add(self, seconds: float, flops: int, moved: int) -> None:
        self.seconds += seconds
        self.flops += flops
        self.bytes += moved
        self.calls += 1


def step_bytes(call: Call) -> int:
    """Bytes that a step reads and writes, each array once."""
    values: dict[int, Value] = {id(x.root): x for x in (*call.reads, *call.outputs) if x is not call.packed}
    return sum(x.bytes for x in values.values())


class Profile:
    """The times of a step.

    Args:
        executable: the step.
        times: clock readings, a row of n_steps + 1 for each run, in ns.
        outside: share of the time of a whole epoch that was not spent in the program; None where none was measured.

    Attributes:
        steps: a Row for each step of the program, in order; times are medians.
        seconds: the median time of a run.
        flops_limit, bytes_limit: what the machine can do in a second at most, measured together with the profile.
    """

    def __init__(self, executable: Executable, times: np.ndarray, outside: float | None = None):
        self.outside = outside
        self.flops_limit, self.bytes_limit = arithmetic_peak(), memory_peak()
        self.plan = executable.plan
        self._one = times[np.argsort(times[:, -1] - times[:, 0])[len(times) // 2]]
        self.seconds = float(np.median(times[:, -1] - times[:, 0])) * 1e-9
        durations = np.median(np.diff(times, axis=1), axis=0) * 1e-9
        self.steps = []
        for call, seconds in zip(executable.steps, durations):
            row = Row(call.name, call.layer)
            row.add(float(seconds), call.flops, step_bytes(call))
            self.steps.append(row)

    def _by(self, key: str) -> list[Row]:
        rows: dict[str, Row] = {}
        for step in self.steps:
            name = getattr(step, key) or "(step)"
            rows.setdefault(name, Row(name)).add(step.seconds, step.flops, step.bytes)
        return sorted(rows.values(), key=lambda r: -r.seconds)

    def layers(self) -> list[Row]:
        """A Row for each layer, forward and backward together, the dearest first."""
        return self._by("layer")

    def ops(self) -> list[Row]:
        """A Row for each op (or chain of ops that run as one), the dearest first."""
        return self._by("name")

    def text(self, most: int = 25) -> str:
        """Two tables, by layer and by op, with a line on the whole."""
        total = sum(r.seconds for r in self.steps) or 1.0
        out = [
            f"step: {self.seconds * 1e6:,.0f} us in {len(self.steps)} kernels; "
            f"{sum(r.flops for r in self.steps) / max(self.seconds, 1e-12) / 1e9:,.1f} GFLOP/s of "
            f"{self.flops_limit / 1e9:,.0f}; copying runs at {self.bytes_limit / 1e9:,.0f} GB/s here",
            f"memory: {self.plan.text()}",
        ]
        if self.outside is not None:
            out.append(f"outside the program: {100 * self.outside:.1f} % of an epoch's time")
        for title, rows in (("layer", self.layers()), ("op", self.ops())):
            table = [(title, "us", "share", "MFLOP", "MB", "GFLOP/s", "of peak", "GB/s", "calls")]
            for r in rows[:most]:
                rate, moved = (n / r.seconds if r.seconds else 0.0 for n in (r.flops, r.bytes))
                table.append(
                    (
                        r.name if len(r.name) <= 60 else r.name[:57] + "...",
                        f"{r.seconds * 1e6:,.1f}", f"{100 * r.seconds / total:.1f} %", f"{r.flops / 1e6:,.2f}",
                        f"{r.bytes / 2**20:,.3f}", f"{rate / 1e9:,.1f}", f"{100 * rate / self.flops_limit:.0f} %",
                        f"{moved / 1e9:,.1f}", str(r.calls),
                    )
                )  # fmt: skip
            if len(rows) > most:
                rest = sum(r.seconds for r in rows[most:])
                table.append((f"({len(rows) - most} more)", f"{rest * 1e6:,.1f}", *[""] * 7))
            widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
            out.append("")
            for k, row in enumerate(table):
                cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]
                out.append("  ".join(cells).rstrip())
                if k == 0:
                    out.append("-" * len(out[-1]))
        return "\n".join(out)

    def write_trace(self, path: Any) -> None:
        """Writes one run (the median one) as a Chrome trace, for chrome://tracing or Perfetto."""
        start = int(self._one[0])
        events = [
            {
                "name": row.name, "cat": row.layer or "step", "ph": "X", "pid": 0, "tid": 0,
                "ts": (int(a) - start) / 1e3, "dur": (int(b) - int(a)) / 1e3,
                "args": {"layer": row.layer, "flops": row.flops, "bytes": row.bytes},
            }
            for row, a, b in zip(self.steps, self._one[:-1], self._one[1:])
        ]  # fmt: skip
        Path(path).write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}))


def profile(executable: Executable, inputs: Sequence[np.ndarray], runs: int = 20) -> np.ndarray:
    """Runs a step and reads the clock around every kernel.

    Args:
        executable: the step; Variables that it updates are updated.
        inputs: as for `Executable.run`.
        runs: how many, after one that is not counted.

    Returns:
        Clock readings in ns, (runs, n_steps + 1).
    """
    times = np.zeros((runs, executable.program.n_steps + 1), np.int64)
    executable.run(inputs)
    for row in times:
        executable.run(inputs, times=row)
    return times
