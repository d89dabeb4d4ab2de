"""From a planned graph to a Program in C, and what a run of it needs: buffers, Variables, host kernels, errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import prod
from sys import getrefcount
from typing import Any

import numpy as np

from .._core import core
from ..engine import guard
from ..engine.op import index_error, run_host
from ..engine.tensor import Tensor
from .graph import Call, Graph, Value
from .kept import OWN_ARRAY, OWN_TENSOR, Kept
from .passes.blocks import ANCHOR_ROWS, by_rows, chunk, is_folded, leading, samples
from .plan import ALIGN, MemoryPlan

BLOCK_BYTES = 1 << 17  # what a block of rows may take in all: a share of L2, which every core has to itself
SMALL_BYTES = 1 << 17  # a step that touches less is not worth waking a worker
TASK_BYTES, TASK_FLOPS = 1 << 15, 1 << 20  # blocks are not divided into tasks that do less


class Executable:
    """A captured and optimized step that can run; any number of threads may do so at once.

    Args:
        graph: after `run_passes`.
        log: positions of outputs that are logged for each batch when several run at once; scalars.

    Attributes:
        plan: the MemoryPlan.
        program: the core's Program.
        seconds: time spent in the program so far.
    """

    def __init__(self, graph: Graph, log: Sequence[int] = ()):
        self.graph = graph
        self.plan = MemoryPlan(graph)
        self.isa = core.isa()
        self._slots: dict[int, int] = {}
        self._constants: list[np.ndarray] = []
        self._hosts: dict[int, Call] = {}
        self._steps: list[Call] = []
        self.seconds = 0.0
        for x in graph.inputs:
            self._slot(x)
        for x in graph.variables:
            self._slot(x)
        for x in graph.constants():
            self._slot(x)
            self._constants.append(np.ascontiguousarray(x.data).reshape(x.data.shape))
        self._new = [self.plan.buffer(x).slot for v, x in graph.updates if id(v) not in self.plan.inplace]
        self._renewed = [v for v, _ in graph.updates if id(v) not in self.plan.inplace]
        for x in [*self._new, *(self.plan.buffer(x).slot for x in graph.outputs), *self.plan.kept]:
            self._slot(x)
        self._variables = [x.variable for x in graph.variables]
        self._guards = guard.guards_of(self._variables)
        number = {id(x): k for k, x in enumerate(graph.variables)}
        self._inplace = [number[id(v)] for v, _ in graph.updates if id(v) in self.plan.inplace]
        self._renewed_at = [number[id(v)] for v in self._renewed]
        self._first_variable = len(graph.inputs)
        self._out_specs = [(x.root.spec, x.spec.shape) for x in graph.outputs]
        self._new_specs = [x.spec for x in self._new]
        self._kept = Kept(graph, self.plan.kept, number) if self.plan.kept else None
        self.program = self._build(log)

    @property
    def steps(self) -> list[Call]:
        """The calls that are steps of the program (views are not), in order."""
        return self._steps

    # -- building ---------------------------------------------------------------------------------------------------

    def _slot(self, x: Value) -> int:
        return self._slots.setdefault(id(x), len(self._slots) + 1)

    def _place(self, x: Value) -> tuple[int, int]:
        buffer = self.plan.buffer(x)
        return (0, buffer.offset) if buffer.slot is None else (self._slots[id(buffer.slot)], 0)

    def _build(self, log: Sequence[int]) -> core.Program:
        arrays, places, steps, made_at = [], [], [], {}
        for call in self.graph.calls:
            if call.is_view:
                continue
            for x in [*call.inputs, *call.outputs]:
                made_at.setdefault(id(x.root), len(arrays))
                if any(x is o for o in call.outputs):
                    made_at[id(x)] = len(arrays)
                arrays.append((x.spec.dtype, x.spec.shape))
                places.append(self._place(x))
            if call.packed is not None:
                arrays.append((call.packed.spec.dtype, call.packed.spec.shape))
                places.append(self._place(call.packed))
            n_in, n_out = len(call.inputs), len(call.outputs)
            if call.parts is not None:
                steps.append(("blocks", n_in, n_out, *_block_parts(call)))
            elif call.plan.kernel is not None:
                packed = int(call.packed is not None)
                steps.append(("kernel", call.plan.kernel, n_in, n_out, call.plan.i, call.plan.f, packed))
            else:
                self._hosts[len(steps)] = call
                steps.append(("host", n_in, n_out))
            self._steps.append(call)
        taps = tuple(made_at[id(self.graph.outputs[k].root)] for k in log)
        swaps = tuple((self._slots[id(v)], self._slots[id(x)]) for v, x in zip(self._renewed, self._new))
        arena = max(self.plan.arena, ALIGN)
        kept = sum(not c.is_view for c in self.graph.calls[: self.graph.kept]) if self.plan.kept else 0
        return core.Program(arrays, places, steps, len(self._slots), arena, taps, swaps, kept)

    # -- running ----------------------------------------------------------------------------------------------------

    def run(
        self,
        inputs: Sequence[np.ndarray],
        outputs: list[np.ndarray] | None = None,
        times: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Runs the step once.

        Args:
            inputs: C-contiguous arrays of the inputs' Specs.
            outputs: C-contiguous arrays of the outputs' Specs to write to; by default new ones.
            times: see `core.Program.run`.

        Returns:
            The outputs. Variables have their new values; after an error, all have the old ones.
        """
        return self._run(list(inputs), outputs=outputs, times=times)

    def run_batches(
        self, feeds: Sequence[np.ndarray], rows: np.ndarray | None, batches: int, batch_rows: int
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Runs the step for several batches, whose rows are copied from arrays.

        Args:
            feeds: an array for each input, of any number of rows.
            rows: int64 numbers of the rows, batch after batch; None: in order.
            batches, batch_rows: how many batches, of how many rows.

        Returns:
            The logged scalars, (batches, taps), and the outputs of the last batch. After an error, the batches before
            it have been made; the exception's `batches_done` says how many.
        """
        inputs = [core.empty(x.spec.shape, x.spec.dtype) for x in self.graph.inputs]
        log = np.zeros((batches, self.program.n_taps))
        places = tuple((k + 1, a) for k, a in enumerate(feeds))
        outputs = self._run(inputs, batches=batches, batch_rows=batch_rows, feeds=places, rows=rows, log=log)
        return log, outputs

    def _run(self, buffers: list, batches: int = 1, **how: Any) -> list[np.ndarray]:
        if self.graph.updates:
            with guard.changing(self._guards):  # two threads that update one model take turns
                return self._run_held(buffers, [v._held for v in self._variables], batches, **how)
        return self._run_held(buffers, guard.read(self._guards, self._variables), batches, **how)

    def _run_held(
        self, buffers: list, held: list[Tensor], batches: int, outputs: list | None = None, **how: Any
    ) -> list[np.ndarray]:
        first = self._first_variable
        buffers += [t.data for t in held]
        copied = self._own(held, buffers, batches)
        buffers += self._constants
        new = [core.empty(s.shape, s.dtype) for s in self._new_specs]
        buffers += new
        if outputs is None:
            outputs = [core.empty(s.shape, s.dtype) for s, _ in self._out_specs]
        buffers += outputs
        kept = None if self._kept is None else self._kept.take(held, self._variables)
        if kept is not None:
            buffers += kept.arrays
            how["made"] = kept.made
        # What the variables hold after an odd and after an even number of batches: each batch exchanges a pair's
        # buffers.  The core makes them hold it, so that Ctrl-C cannot come between two of them.
        commit = [(self._variables[k], t, t) for k in copied for t in (Tensor(buffers[first + k]),)]
        for at, array in zip(self._renewed_at, new):
            commit.append((self._variables[at], Tensor(array), Tensor(buffers[first + at]) if batches > 1 else None))
        del held
        started = time.perf_counter()
        try:
            self.program.run(buffers, self._run_host if self._hosts else None, batches, commit=commit, **how)
            if kept is not None and kept.made is not self._kept.all_made:
                self._kept.put(kept)
        except core.StepFailed as e:
            error = self._named(e, buffers)
            error.batches_done = e.batches_done
            raise error from None
        finally:
            self.seconds += time.perf_counter() - started
        return [a.reshape(shape) if a.shape != shape else a for a, (_, shape) in zip(outputs, self._out_specs)]

    def _own(self, held: list, buffers: list, batches: int) -> list[int]:
        """Copies the values that will be overwritten and that somebody else may be looking at; returns whose."""
        first, copied = self._first_variable, []
        for k in [*self._inplace, *(self._renewed_at if batches > 1 else ())]:
            # Ours: the variable and `held` have the tensor, the tensor and `buffers` the array.  A view shows memory
            # that others may know by another name, and a read-only array is a constant that others share.
            array, kept = buffers[first + k], self._variables[k]._kept_uid
            if (
                getrefcount(held[k]) > OWN_TENSOR
                or getrefcount(array) > OWN_ARRAY
                or isinstance(array.base, np.ndarray)
                or not (array.flags.writeable or kept == held[k].uid)
            ):
                fresh = core.empty(array.shape, held[k].dtype)
                fresh[...] = array
                buffers[first + k] = fresh
                copied.append(k)
            elif kept:  # what is kept of the value is of a tensor that is no more
                held[k].renew()
                self._variables[k]._kept_uid = held[k].uid
        return copied

    def _run_host(self, step: int, arrays: list[np.ndarray]) -> list[np.ndarray]:
        call = self._hosts[step]
        return run_host(call.op, call.plan, arrays, call.attrs)

    def _named(self, failed: core.StepFailed, buffers: list) -> Exception:
        """The error that the failed kernel's op would have raised."""
        call = self._steps[failed.step]
        if call.parts is not None:
            call = call.parts[failed.part][1][failed.inner]
        x = call.inputs[failed.error.input]
        slot = self._place(x)[0] if id(x.root) in self.plan._buffers else 0
        array = buffers[slot - 1].reshape(x.spec.shape) if slot else _Unseen(x.spec)
        return index_error(call.op, call.attrs, failed.error, array)


class _Unseen:
    """Stands for an array that an error cannot show any more: it has lain in the arena."""

    def __init__(self, spec: Any):
        self.shape, self.dtype = spec.shape, spec.dtype


def _block_parts(call: Call) -> tuple[list, int, bool]:
    """A block's parts as the core wants them, its scratch in bytes for each worker, and tasks that it has work for."""
    number = {id(x): k for k, x in enumerate([*call.inputs, *call.outputs])}
    parts, scratch, touched = [], 0, 0
    for rows, body in call.parts:
        values = {id(x): x for c in body for x in (*c.inputs, *c.outputs)}
        touched += sum(x.bytes for x in values.values())
        per_row = sum(_row_bytes(x.spec, rows) for x in values.values() if _is_rowed(x, body, rows))
        block = rows if rows == 1 else max(1, min(rows, BLOCK_BYTES // max(per_row, 1)))
        if body[0].op.kind == "anchor":
            block = max(block, min(samples(body[0]) or ANCHOR_ROWS, rows))
        block = chunk(body, rows) or block
        offsets, size = _temporaries(body, number, rows, block)
        scratch = max(scratch, size)
        calls = []
        for c in body:
            locals_ = []
            for x in (*c.inputs, *c.outputs):
                root = x if id(x) in number else x.root
                rowed = by_rows(c, x, rows)
                shape, row_bytes, block_bytes = x.spec.shape, 0, 0
                if is_folded(c, x):
                    shape, block_bytes = (1, *shape[1:]), x.bytes // shape[0]
                elif rowed:
                    p = leading(shape, rows)
                    shape, row_bytes = (block, *(1,) * (p - 1), *shape[p:]), _row_bytes(x.spec, rows)
                at = number.get(id(root), -1)
                offset = offsets.get(id(root), 0) if at < 0 else 0
                locals_.append((at, row_bytes, block_bytes, offset, x.spec.dtype, shape))
            packed = 0 if c.packed is None else number[id(c.packed)] + 1
            calls.append((c.plan.kernel, locals_, len(c.inputs), len(c.outputs), c.plan.i, c.plan.f, packed))
        parts.append((rows, block, calls))
    work = max(touched // TASK_BYTES, call.flops // TASK_FLOPS)
    return parts, scratch, 1 if touched <= SMALL_BYTES else max(2, work)


def _row_bytes(spec: Any, rows: int) -> int:
    return prod(spec.shape) // rows * np.dtype(spec.dtype).itemsize


def _is_rowed(x: Value, body: list[Call], rows: int) -> bool:
    return any(by_rows(c, x, rows) for c in body if any(v is x for v in (*c.inputs, *c.outputs)))


def _temporaries(body: list[Call], number: dict[int, int], rows: int, block: int) -> tuple[dict[int, int], int]:
    """Offsets of the values that stay within a part, in a worker's scratch; those that are done make room."""
    last: dict[int, int] = {}
    for k, c in enumerate(body):
        for x in (*c.inputs, *c.outputs):
            last[id(x.root)] = k
    offsets: dict[int, int] = {}
    free: list[tuple[int, int]] = []  # (bytes, offset)
    passed_on: set[int] = set()  # values whose place another one has taken
    size = 0
    for k, c in enumerate(body):
        for j, x in enumerate(c.outputs):
            if id(x) in number:
                continue
            over = next(
                (c.inputs[i].root for i, o in c.op.inplace if o == j and _ends(c, i, k, x, offsets, last)), None
            )
            if over is not None:
                offsets[id(x)] = offsets[id(over)]
                passed_on.add(id(over))
                continue
            need = (x.bytes if rows == 1 else _row_bytes(x.spec, rows) * block) + ALIGN - 1
            need -= need % ALIGN
            fit = next((f for f in sorted(free) if f[0] >= need), None)
            if fit is not None:
                free.remove(fit)
                offsets[id(x)] = fit[1]
                if fit[0] > need:
                    free.append((fit[0] - need, fit[1] + need))
            else:
                offsets[id(x)] = size
                size += need
        for x in {id(v.root): v.root for v in (*c.inputs, *c.outputs)}.values():
            if id(x) in offsets and last[id(x)] == k and id(x) not in passed_on:
                need = (x.bytes if rows == 1 else _row_bytes(x.spec, rows) * block) + ALIGN - 1
                free.append((need - need % ALIGN, offsets[id(x)]))
    return offsets, size


def _ends(call: Call, i: int, k: int, x: Value, offsets: dict[int, int], last: dict[int, int]) -> bool:
    """Whether call k of a part may write x where its input i lies, which nobody reads afterwards."""
    if i >= len(call.inputs):
        return False
    old = call.inputs[i]
    root = old.root
    return (
        id(root) in offsets
        and last[id(root)] == k
        and old.spec == x.spec
        and all(v is old for v in call.inputs if v.root is root)
        and not any(offsets.get(id(v)) == offsets[id(root)] for v in call.outputs)
    )


def compile_graph(graph: Graph, watch: Callable | None = None, log: Sequence[int] = ()) -> Executable:
    """Runs the passes on a captured graph and plans it."""
    from .passes import run_passes

    return Executable(run_passes(graph, watch), log)
