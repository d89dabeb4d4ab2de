"""The recurrent kernels against NumPy, on every ISA: values, gradients, masks, both directions, threads."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

from . import recurrent
from .bounds import within
from .calls import FLOATS, exact, run, same_bits_at_any_thread_count, values

ISAS = core.isas()
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
# (batch, time, units): around vectors, panels, tiles and blocks of samples, and at 0 and 1
SHAPES = [
    (1, 1, 1), (2, 3, 1), (1, 4, 5), (3, 2, 7), (4, 3, 8), (5, 2, 15), (6, 3, 16), (7, 2, 17), (8, 2, 31), (9, 3, 33),
    (13, 2, 47), (16, 2, 64), (17, 3, 65), (2, 2, 130), (26, 2, 260), (3, 0, 5), (0, 3, 5),
]  # fmt: skip


class Call:
    """One call of a kernel and of its gradient."""

    def __init__(self, cell, shape, dtype, mask, sequences, reverse, variant=True):
        batch, time, n = shape
        gates = GATES[cell]
        self.cell, self.dtype, self.shape, self.sequences = cell, dtype, shape, sequences
        self.x = values((batch, time, gates * n), dtype, 1)
        self.params = [values((n, gates * n), dtype, 2, scale=1 / np.sqrt(n))]
        if cell == "gru":
            self.params.append(values((3 * n,), dtype, 3))
        self.states = [values((batch, n), dtype, 4 + k) for k in range(1 + (cell == "lstm"))]
        self.mask = [np.random.default_rng(0).random((batch, time)) < 0.6] if mask else []
        self.y_shape = (batch, time, n) if sequences else (batch, n)
        self.grads = [values(self.y_shape, dtype, 7)]
        if cell == "lstm":
            self.grads.append(values((batch, n), dtype, 8))
        self.i = (int(sequences), int(reverse), int(variant))
        self.attrs = dict(sequences=sequences, reverse=reverse)
        if cell == "gru":
            self.attrs["reset_after"] = variant
        elif cell == "simple_rnn":
            self.attrs["activation"] = list(recurrent.ACTIVATIONS)[variant]
        whole, gated = "int32" if dtype == "float32" else "int64", cell != "simple_rnn"
        self.kept = [(self.x.shape, whole)] if gated else []
        self.kept.append(((batch * time * n * (gated + (not sequences)),), whole))

    def forward(self):
        outs = [(self.y_shape, self.dtype), *self.kept]
        if self.cell == "lstm":
            outs.insert(1, ((self.shape[0], self.shape[2]), self.dtype))
        return self.cell, (self.x, *self.params, *self.states, *self.mask), outs, self.i

    def run(self, isa):
        """What the forward kernel gives, and what it keeps for its gradient."""
        out = run(*self.forward(), isa=isa)
        return out[: -len(self.kept)], out[-len(self.kept) :]

    def backward(self, y, kept):
        ins = (self.x, *self.params, *self.states, y, *kept, *self.grads, *self.mask)
        outs = [(a.shape, self.dtype) for a in (self.x, *self.params, *self.states)]
        return f"{self.cell}_grad", ins, outs, self.i

    def reference(self, grad):
        arrays = (self.x, *self.params, *self.states, *(self.grads if grad else ()))
        arrays = [exact(a) for a in arrays]
        f = getattr(recurrent, self.cell + ("_grad" if grad else ""))
        out = f(*arrays, *self.mask, **self.attrs)
        return out if isinstance(out, tuple) else (out,)

    def check(self, got, want, name):
        for a, b in zip(got, want, strict=True):
            within(name, a, b, size=np.abs(b).max(initial=1))


# What i[2] says: reset_after, or the activation.
VARIANTS = [("simple_rnn", 0), ("simple_rnn", 1), ("simple_rnn", 2), ("lstm", 0), ("gru", 1), ("gru", 0)]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("cell", "variant"), VARIANTS)
def test_values_and_gradients(cell, variant, dtype, isa):
    for k, shape in enumerate(SHAPES):
        for sequences in (True, False):
            if shape[1] == 0 and sequences:
                continue
            call = Call(cell, shape, dtype, mask=k % 2 == 1, sequences=sequences, reverse=k % 3 == 1,
                        variant=variant)  # fmt: skip
            out, kept = call.run(isa)
            call.check(out, call.reference(grad=False), cell)
            call.check(run(*call.backward(out[0], kept), isa=isa), call.reference(grad=True), f"{cell}_grad")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("cell", "variant"), VARIANTS)
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
def test_every_combination(sequences, reverse, mask, cell, variant, isa):
    call = Call(cell, (5, 6, 9), "float64", mask, sequences, reverse, variant)
    out, kept = call.run(isa)
    call.check(out, call.reference(grad=False), cell)
    call.check(run(*call.backward(out[0], kept), isa=isa), call.reference(grad=True), f"{cell}_grad")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("cell", "variant"), VARIANTS)
def test_same_bits_at_any_thread_count(cell, variant, isa):
    for shape in ((37, 4, 20), (64, 3, 40), (70, 2, 420)):  # the last kernel is large beside L2: wider blocks
        call = Call(cell, shape, "float32", True, False, False, variant)
        same_bits_at_any_thread_count(*call.forward(), isa=isa)
        (y, *_), kept = call.run(isa)
        same_bits_at_any_thread_count(*call.backward(y, kept), isa=isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("cell", "variant"), VARIANTS)
def test_a_sample_has_the_same_bits_in_any_batch(cell, variant, isa):
    call = Call(cell, (19, 3, 21), "float32", True, True, False, variant)
    whole = run(*call.forward(), isa=isa)[0]
    name, ins, outs, i = call.forward()
    batch = len(call.x)
    ins = tuple(np.ascontiguousarray(a[7:9]) if len(a) == batch and a is not call.params[0] else a for a in ins)
    outs = [*[((2, *s[1:]), d) for s, d in outs[:-1]], outs[-1]]
    outs[-1] = ((outs[-1][0][0] // batch * 2,), outs[-1][1])
    np.testing.assert_array_equal(run(name, ins, outs, i, isa=isa)[0], whole[7:9])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("cell", "variant"), VARIANTS)
def test_what_stands_in_skipped_steps_does_not_matter(cell, variant, isa):
    """Also NaN, and backwards too."""
    call = Call(cell, (5, 6, 9), "float32", True, True, False, variant)
    (y, *_), kept = call.run(isa)
    grads = run(*call.backward(y, kept), isa=isa)
    call.x[~call.mask[0]] = np.nan
    (y2, *_), kept2 = call.run(isa)
    np.testing.assert_array_equal(y, y2)
    for a, b in zip(grads, run(*call.backward(y2, kept2), isa=isa)):
        np.testing.assert_array_equal(a, b)
