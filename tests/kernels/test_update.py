"""Update kernels on every ISA: against float64, at vector edges, in place, with the same bits at any thread count."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

from ..ops.samples import updates as reference
from .bounds import within
from .calls import exact

LR, ITERATIONS = 0.013, 3
# kernel: (i, f, slots, reference)
CASES = {
    "sgd": ("sgd_update", (), (0.01,), "", lambda *x: reference.sgd(*x, 0.01)),
    "momentum": ("sgd_momentum_update", (0,), (0.0, 0.9), "-", lambda *x: reference.sgd_momentum(*x, 0.0, 0.9, False)),
    "nesterov": ("sgd_momentum_update", (1,), (0.01, 0.9), "-", lambda *x: reference.sgd_momentum(*x, 0.01, 0.9, True)),
    **{
        f"rmsprop{centered}{momentum}": (
            "rmsprop_update",
            (centered, momentum),
            (0.01, 0.9, 0.8, 1e-7),
            "+" + "-" * (centered + momentum),
            lambda *x, c=centered, m=momentum: reference.rmsprop(
                *x, centered=c, has_momentum=m, weight_decay=0.01, rho=0.9, momentum=0.8, epsilon=1e-7
            ),
        )
        for centered in (0, 1)
        for momentum in (0, 1)
    },
    **{
        f"adam{amsgrad}": (
            "adam_update",
            (amsgrad,),
            (0.01, 0.9, 0.999, 1e-7),
            "-+" + "+" * amsgrad,
            lambda w, g, lr, *s, a=amsgrad: reference.adam(
                w, g, lr, ITERATIONS, *s, amsgrad=a, weight_decay=0.01, beta_1=0.9, beta_2=0.999, epsilon=1e-7
            ),
        )
        for amsgrad in (0, 1)
    },
    "adagrad": ("adagrad_update", (), (0.01, 1e-7), "+", lambda *x: reference.adagrad(*x, 0.01, 1e-7)),
}
SIZES = (0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 1000, 16384, 16385, 70001)


def operands(n, slots, dtype):
    """(variable, gradient, slots) and the scalars between gradient and slots."""
    w, g, _, values = reference.arrays((n,), slots)
    return [a.astype(dtype) for a in (w, g, *values)]


def run(case, isa, arrays, outs, threads=2):
    name, i, f, _, _ = CASES[case]
    scalars = [np.array(LR)] + [np.array(ITERATIONS)] * (name == "adam_update")
    core.set_num_threads(threads)
    try:
        kernel = core.find(name, str(arrays[0].dtype), isa)
        core.run(kernel, (*arrays[:2], *scalars, *arrays[2:]), tuple(outs), i, f, name)
    finally:
        core.set_num_threads(0)
    return outs


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_against_float64(case, dtype, isa):
    for n in SIZES:
        arrays = operands(n, CASES[case][3], dtype)
        outs = [core.empty((n,), dtype) for _ in arrays[1:]]
        run(case, isa, arrays, outs)
        wide = [exact(a) for a in arrays]
        want = CASES[case][4](*wide[:2], LR, *wide[2:])
        want = want if isinstance(want, tuple) else (want,)
        for got, w in zip(outs, want, strict=True):
            within(CASES[case][0], got, w)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("case", CASES)
def test_in_place_and_any_thread_count_give_the_same_bits(case, isa):
    for n in (37, 70001):
        arrays = operands(n, CASES[case][3], "float32")
        want = run(case, isa, arrays, [np.empty_like(a) for a in arrays[1:]], threads=1)
        for threads in (1, 2, 3, 8):
            own = [a.copy() for a in arrays]
            run(case, isa, own, [own[0], *own[2:]], threads)
            for got, w in zip([own[0], *own[2:]], want):
                assert got.tobytes() == w.tobytes()
            assert own[1].tobytes() == arrays[1].tobytes()


@pytest.mark.parametrize("isa", core.isas())
def test_an_element_does_not_depend_on_its_position(isa):
    arrays = operands(100, "-+", "float32")
    whole = run("adam0", isa, arrays, [np.empty_like(a) for a in arrays[1:]])
    for start, stop in ((1, 100), (17, 18), (5, 37)):
        part = [np.ascontiguousarray(a[start:stop]) for a in arrays]
        outs = run("adam0", isa, part, [np.empty_like(a) for a in part[1:]])
        for got, w in zip(outs, whole):
            assert got.tobytes() == w[start:stop].tobytes()
