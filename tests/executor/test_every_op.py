"""Every op, by its samples: op by op and compiled give the same bits, with gradients, at any number of threads."""

import numpy as np
import pytest

import kerasish as keras
from kerasish._core import core
from kerasish.engine.dtype import FLOATS
from kerasish.engine.op import get_op
from kerasish.engine.spec import Spec
from kerasish.executor import NotCapturable
from tests.executor.compare import check_step, program
from tests.ops.test_generic import SAMPLES, cast, differentiable, ids

# Scalars and empty arrays have no inputs that a program could be given values for.
WITH_INPUTS = [s for s in SAMPLES if s.inputs]


def floats(outs):
    return [t for t in (outs if isinstance(outs, tuple) else (outs,)) if t.dtype in FLOATS]


def step_of(sample):
    """The op, elementwise ops behind it (which it may be fused with), and the gradients of their sum."""
    op, which = get_op(sample.op), differentiable(sample)

    def step(*xs):
        with keras.GradientTape() as tape:
            sources = [xs[k] for k in which]
            tape.watch(sources)
            outs = op(*xs, **sample.attrs)
            more = [keras.ops.tanh(t * 0.5 + 1.0) for t in floats(outs)]
        return outs, more, tape.gradient(more, sources) if which else None

    return step


def has_fixed_shapes(sample):
    arrays = cast(sample, "float32")
    out = get_op(sample.op).infer(*[Spec(a.shape, str(a.dtype)) for a in arrays], **sample.attrs)
    return not any(None in s.shape for s in ((out,) if isinstance(out, Spec) else out))


WITH_INPUTS, FREE = [
    [s for s in WITH_INPUTS if has_fixed_shapes(s) is fixed] for fixed in (True, False)
]  # fmt: skip


@pytest.mark.parametrize("sample", FREE, ids=ids)
def test_a_shape_that_depends_on_data_is_refused(sample):
    with pytest.raises(NotCapturable, match=f"the shape of the result of {sample.op} depends on the data"):
        program(step_of(sample), cast(sample, "float32"))


@pytest.mark.parametrize("sample", WITH_INPUTS, ids=ids)
def test_compiled_gives_the_same_bits(sample):
    check_step(step_of(sample), cast(sample, "float32"), steps=1)


@pytest.mark.parametrize("sample", WITH_INPUTS[::7], ids=ids)
def test_compiled_gives_the_same_bits_in_float64(sample):
    check_step(step_of(sample), cast(sample, "float64"), steps=1)


@pytest.mark.parametrize("sample", WITH_INPUTS[::5], ids=ids)
def test_any_number_of_threads_gives_the_same_bits(sample):
    arrays = cast(sample, "float32")
    compiled = check_step(step_of(sample), arrays, steps=1)
    results = []
    try:
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            outs = compiled.executable.run([np.ascontiguousarray(a).reshape(a.shape) for a in arrays])
            results.append([x.tobytes() for x in outs])
    finally:
        core.set_num_threads(0)
    assert all(r == results[0] for r in results)
