"""Prediction with weights that are kept packed between runs, against programs that pack them in every run.

    python benchmarks/kept_weights.py [NAME ...] [--threads N ...] [--batch N ...] [--seconds S]

Both programs of a model run in turns, on the same weights, and must give the same bits. Each line has the median of the
ratios (without over with), and the memory that is kept beside that of the weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import models
import numpy as np

import kerasish as keras
from kerasish._core import core
from kerasish.engine.spec import Spec
from kerasish.executor import Executable, capture, passes

PACKING = ("pack_weights", "keep_what_stays")


MODELS: dict[str, Callable[[], keras.Model]] = {
    f.__name__: f for f in (models.mlp, models.convnet, models.resnet20, models.vgg, models.lstm)
}


def program(model: keras.Model, shape: tuple, kept: bool) -> Executable:
    """The program of a call of the model, without the passes that pack weights unless they are to be kept."""
    graph, _ = capture(lambda x: model(x, training=False), (Spec(shape, "float32"),))
    for one in passes.PASSES:
        if kept or one.__name__ not in PACKING:
            one(graph)
    return Executable(graph)


def compare(model: keras.Model, batch: int, seconds: float) -> str:
    x = models.inputs(model, batch)
    with_kept, without = program(model, x.shape, True), program(model, x.shape, False)
    assert np.array_equal(with_kept.run([x])[0], without.run([x])[0])
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for one, took in zip((with_kept, without), times):
            start = time.perf_counter()
            one.run([x])
            took.append(time.perf_counter() - start)
    ratio = np.median([b / a for a, b in zip(*times)])
    weights = sum(v.bytes for v in with_kept.graph.variables)
    return f"x {ratio:.2f}   kept {with_kept.plan.kept_bytes / 2**20:6.2f} MB beside {weights / 2**20:6.2f}"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MODELS)}; all by default")
    p.add_argument("--threads", type=int, nargs="+", default=[1, 0], help="0: as many as the machine has")
    p.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32, 128])
    p.add_argument("--seconds", type=float, default=1.0, help="for each line")
    a = p.parse_args()
    for name in a.names or MODELS:
        model = MODELS[name]()
        for threads in a.threads:
            core.set_num_threads(threads)
            for batch in a.batch:
                line = compare(model, batch, a.seconds)
                print(f"{name:10s} {core.num_threads()} thread(s), {batch:4d} samples   {line}", flush=True)


if __name__ == "__main__":
    main()
