"""The loops of fit, evaluate and predict over arrays: many batches of the compiled step in one go.

The general loops call Python for every batch, which a small model pays for more dearly than for its arithmetic. Where
the data are arrays and nobody asks to be called between two batches, the Program takes the rows of a batch from the
arrays itself and goes on to the next; Python comes back every `CHUNK_SECONDS` to look for Ctrl-C, for a NaN, and to
move the progress bar. The batches, their order, the random numbers and all results are those of the general loops.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..data import EpochIterator
from ..engine import tree
from ..engine.spec import Spec
from ..executor import Compiled, Slot

CHUNK_SECONDS = 0.05
MOST_BATCHES = 1024


def _program(run: Any, rows: Any, size: int) -> Compiled | None:
    """The program of a step for batches of `size` rows, where all it returns are scalars and arrays of the batch."""
    compiled = getattr(run, "compiled", None)
    if compiled is None:
        return None
    batch = tree.map_structure(lambda r: Spec((size, *r.shape[1:]), np.dtype(r.dtype).name), rows, none_is_leaf=False)
    return compiled.prepare(batch)


class _Rows:
    """What the loops need of a pass over arrays."""

    def __init__(self, batches: EpochIterator, run: Any):
        source = batches.source
        rows = batches.array_rows()
        self.program = None
        if rows is None or source.num_samples < source.batch_size:
            return
        self.size, self.total = source.batch_size, source.num_samples
        self.full = self.total // self.size
        self.program = _program(run, rows, self.size)
        self.feeds = [r.array for r in tree.flatten(rows) if r is not None]
        if self.program is not None and len(self.feeds) != len(self.program.executable.graph.inputs):
            self.program = None

    def chunks(self, order: np.ndarray | None):
        """Runs chunk after chunk; yields (first batch, last batch, log, outputs)."""
        executable, size = self.program.executable, self.size
        at, count = 0, 1
        while at < self.full:
            count = min(count, self.full - at)
            lo, hi = at * size, (at + count) * size
            started = time.perf_counter()
            if order is not None:
                log, outputs = executable.run_batches(self.feeds, order[lo:hi], count, size)
            else:
                log, outputs = executable.run_batches([a[lo:hi] for a in self.feeds], None, count, size)
            seconds = time.perf_counter() - started
            yield at, at + count - 1, log, outputs
            at += count
            count = max(1, min(MOST_BATCHES, int(count * CHUNK_SECONDS / max(seconds, 1e-6)), 8 * count))


def _scalars_only(program: Compiled) -> bool:
    return all(x.spec.size == 1 for x in program.executable.graph.outputs)


def train_on_arrays(model: Any, run: Any, batches: EpochIterator, callbacks: Any, interrupts: Any, epoch: int) -> Any:
    """One epoch of training; the last batch's logs. None where the general loop has to do it."""
    if not callbacks.between_batches_only_progress("train"):
        return None
    rows = _Rows(batches, run)
    if rows.program is None or not _scalars_only(rows.program):
        return None
    structure, _ = rows.program.structure
    loss = structure.get("loss") if isinstance(structure, dict) else None
    order = batches.source.order()
    logs: Any = {}
    for begin, end, log, outputs in rows.chunks(order):
        callbacks.on_train_batch_begin(begin)
        logs, losses = rows.program.result(outputs)
        model._compile_loss_keeps(losses)
        if isinstance(loss, Slot) and np.isnan(log[:, loss.index]).any():
            first = int(np.isnan(log[:, loss.index]).argmax())
            at_losses = rows.program.structure[1]
            model._compile_loss_keeps([log[first, x.index] if isinstance(x, Slot) else x for x in at_losses])
            model._report_nan(epoch, begin + first, {"loss": log[first, loss.index]})
        callbacks.on_train_batch_end(end, logs)
        interrupts.check()
    if rows.full * rows.size < rows.total:
        begin = rows.full
        callbacks.on_train_batch_begin(begin)
        rest = order[rows.full * rows.size :] if order is not None else slice(rows.full * rows.size, None)
        logs = run([batches.source.gather(rest)])
        model._report_nan(epoch, begin, logs)
        callbacks.on_train_batch_end(begin, logs)
        interrupts.check()
    return logs


def test_on_arrays(run: Any, batches: EpochIterator, callbacks: Any, interrupts: Any) -> Any:
    """One evaluation; the last batch's logs. None where the general loop has to do it."""
    if not callbacks.between_batches_only_progress("test"):
        return None
    rows = _Rows(batches, run)
    if rows.program is None:
        return None
    logs: Any = {}
    for begin, end, _, outputs in rows.chunks(None):
        callbacks.on_test_batch_begin(begin)
        logs = rows.program.result(outputs)
        callbacks.on_test_batch_end(end, logs)
        interrupts.check()
    if rows.full * rows.size < rows.total:
        callbacks.on_test_batch_begin(rows.full)
        logs = run([batches.source.gather(slice(rows.full * rows.size, None))])
        callbacks.on_test_batch_end(rows.full, logs)
        interrupts.check()
    return logs


def predict_on_array(run: Any, x: np.ndarray, size: int) -> Any:
    """The outputs for an array, silently. None where the general loop has to do it.

    The batches are slices of the array, and the outputs go straight to their place in the result.
    """
    step = run.compiled
    total = len(x)
    if total <= size:
        out = run([x])[0]
        return tree.map_structure(lambda t: np.array(t), out)
    program = step.prepare(x[:size])
    if program is None:
        return None
    graph = program.executable.graph
    specs = [v.spec for v in graph.outputs]
    if not specs or any(s.ndim == 0 or s.shape[0] != size for s in specs):
        return None
    results = [np.empty((total, *s.shape[1:]), s.dtype) for s in specs]
    full = total // size
    for k in range(full):
        part = slice(k * size, (k + 1) * size)
        program.executable.run([x[part]], outputs=[r[part] for r in results])
    if full * size < total:
        part = slice(full * size, None)
        rest = tree.flatten(run([x[part]])[0])
        slots = [s for s in tree.flatten(program.structure) if isinstance(s, Slot)]
        for slot, value in zip(slots, rest):
            results[slot.index][part] = np.asarray(value)
    return tree.map_structure(lambda s: results[s.index] if isinstance(s, Slot) else s, program.structure)
