"""How the work of a training step divides among many threads, on a machine of any number of cores.

    python benchmarks/balance.py [NAME ...] [--threads N ...] [--steps N] [--repeat N]

A step is planned for so many threads and run on one, which times each task (`core.task_times`).  From that follows what
threads would need that begin with their own runs of the tasks and then help each other; what does not divide is added.
It is what balance alone allows: bandwidth that cores share, clocks that fall and the few microseconds for
threads to meet are not in it.  --steps also lists the steps of a program that lose most at the largest number.
"""

from __future__ import annotations

import argparse
import heapq
from collections import deque
from collections.abc import Sequence

import models
import numpy as np

import kerasish as keras
from kerasish._core import core
from kerasish.engine.spec import Spec
from kerasish.executor import Executable, capture, compile_graph


def makespan(tasks: Sequence[int], threads: int) -> int:
    """When the last of these tasks is done. Each thread takes its own run of them, in order, and then helps the others
    (`csrc/base/threads.c`).

    Example:
        >>> makespan([4, 1, 1, 1, 1, 1], 2)
        5
    """
    n = min(threads, len(tasks))
    runs = [deque(tasks[k * len(tasks) // n : (k + 1) * len(tasks) // n]) for k in range(n)]
    free, end = [(0, k) for k in range(n)], 0
    while free:
        now, k = heapq.heappop(free)
        run = next((runs[(k + d) % n] for d in range(n) if runs[(k + d) % n]), None)
        if run is not None:
            now += int(run.popleft())
            end = max(end, now)
            heapq.heappush(free, (now, k))
    return end


def training_step(model: keras.Model, batch: int) -> tuple[Executable, list[np.ndarray]]:
    """The program of a training step, and arrays for it."""
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = models.inputs(model, batch), np.random.default_rng(1).integers(0, 10, batch, "int32")
    for _ in range(2):  # builds everything
        model.train_on_batch(x, y)
    specs = (Spec(x.shape, str(x.dtype)), Spec(y.shape, "int32"))
    return compile_graph(capture(model.train_step, (specs,))[0]), [x, y]


def step_times(program: Executable, arrays: list[np.ndarray], threads: int, repeat: int) -> np.ndarray:
    """What each step of a program would take on so many threads, in ns."""
    core.set_num_threads(threads)
    readings = np.zeros(program.program.n_steps + 1, "int64")
    best: list | None = None
    for _ in range(repeat):
        jobs = core.task_times(lambda: program.run(arrays, times=readings))
        steps = np.searchsorted(readings, [began for began, _ in jobs], "right") - 1
        serial = np.diff(readings)
        for k, (_, tasks) in zip(steps, jobs):
            serial[k] -= tasks.sum()
        now = [serial, *(tasks for _, tasks in jobs)]
        best = now if best is None else [np.minimum(a, b) for a, b in zip(best, now)]
    took = np.maximum(best[0], 0)
    for k, tasks in zip(steps, best[1:]):
        took[k] += makespan(tasks, threads)
    return took


def main() -> None:
    names = {f.__name__: f for f in models.TRAINED}
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all by default")
    p.add_argument("--threads", type=int, nargs="+", default=[2, 8, 16, 64])
    p.add_argument("--steps", type=int, default=0, help="how many steps to list for each model")
    p.add_argument("--repeat", type=int, default=5, help="runs, of whose times the shortest counts")
    a = p.parse_args()
    print("Training steps: times as fast as one thread by balance alone, and the share of the threads that is used.\n")
    print("| model | batch | " + " | ".join(f"{t} threads" for t in a.threads) + " |")
    print("|---|---|" + "---|" * len(a.threads))
    for name in a.names or names:
        batch = models.TRAINED[names[name]]
        program, arrays = training_step(names[name](), batch)
        alone = step_times(program, arrays, 1, a.repeat)
        took = {t: step_times(program, arrays, t, a.repeat) for t in a.threads}
        gains = {t: alone.sum() / took[t].sum() for t in a.threads}
        cells = " | ".join(f"{gains[t]:.2f} ({gains[t] / t:.0%})" for t in a.threads)
        print(f"| {name} | {batch} | {cells} |", flush=True)
        most = max(a.threads)
        lost = took[most] - alone / most
        for k in np.argsort(-lost)[: a.steps]:
            call = program.steps[k]
            print(f"    {alone[k] / 1e3:8.0f} us on 1, {took[most][k] / 1e3:7.0f} us on {most}: {call.name[:60]}"
                  f" {call.outputs[0].spec.shape}")  # fmt: skip


if __name__ == "__main__":
    main()
