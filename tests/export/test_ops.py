"""Every lowering, through the samples of its op."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish.engine.op import all_ops, get_op
from kerasish.export import to_onnx
from kerasish.export.lowerings import LOWERINGS
from kerasish.export.lowerings.table import REASONS, lowering, reason

from ..ops.sample import Sample, collect
from .runtime import check, run, session

assert keras.ops  # declares the ops

# How many of an op's outputs have a counterpart in ONNX: what the gradient needs besides has none.
OUTPUTS = {"max_pool": 1, "simple_rnn": 1, "gru": 1, "lstm": 2}


def in_float32(sample: Sample) -> list[np.ndarray]:
    return [np.asarray(x, "float32") if np.asarray(x).dtype == np.float64 else np.asarray(x) for x in sample.inputs]


def comparable(sample: Sample) -> bool:
    """Random ones, complex numbers, what NaN does to an extreme, and means of nothing are the runtime's own affair."""
    arrays = in_float32(sample)
    return (
        not sample.attrs.get("rate")
        and all(a.dtype.kind != "c" for a in arrays)
        and not (sample.op in ("max", "min", "argmax", "argmin") and any(np.isnan(a).any() for a in arrays))
        and not (sample.op == "mean" and arrays[0].size == 0)
    )


def small(sample: Sample) -> bool:
    return sum(np.size(x) for x in sample.inputs) <= 20000


SAMPLES: dict[str, list[Sample]] = {}
for _sample in collect():
    if _sample.op in LOWERINGS and comparable(_sample) and small(_sample):
        SAMPLES.setdefault(_sample.op, []).append(_sample)


def test_every_lowering_is_of_an_op_and_has_a_sample():
    assert set(LOWERINGS) <= set(all_ops())
    assert set(LOWERINGS) == set(SAMPLES)


def test_every_reason_is_of_an_op_without_lowering():
    assert set(REASONS) <= set(all_ops())
    assert not set(REASONS) & set(LOWERINGS)
    assert reason("conv_grad_input") == "it belongs to a gradient, and files hold inference alone"
    assert reason("gcd") == "it has no lowering to ONNX"


def test_an_op_has_one_lowering():
    with pytest.raises(RuntimeError, match="op 'add' has two lowerings"):
        lowering("add")(None)


# Each file holds all samples of an op: one session is a large part of what a sample costs.
@pytest.mark.parametrize("op", sorted(SAMPLES))
def test_a_lowering_computes_what_the_op_does(op: str):
    samples, keep = SAMPLES[op], OUTPUTS.get(op)
    arrays = [in_float32(s) for s in samples]
    flat = [a for each in arrays for a in each]

    def all_of_them(*tensors):
        left, results = list(tensors), []
        for sample, each in zip(samples, arrays):
            taken, left = left[: len(each)], left[len(each) :]
            out = get_op(op)(*taken, **sample.attrs)
            results.append(out[:keep] if isinstance(out, tuple) else out)
        return results

    proto = to_onnx(
        all_of_them,
        [a.shape for a in flat],
        [str(a.dtype) for a in flat],
        [f"x{k}" for k in range(len(flat))],
        lambda _, count: [f"y{k}" for k in range(count)],
    )
    got = run(session(proto), flat)
    for sample, result in zip(samples, all_of_them(*map(keras.ops.convert_to_tensor, flat))):
        count = len(result) if isinstance(result, tuple) else 1
        half = any(np.asarray(x).dtype == np.float16 for x in sample.inputs)
        check(got[:count], result, rtol=2e-3 if half else max(sample.rtol, 2e-5))
        got = got[count:]


def test_the_newest_opset_is_one_that_the_runtime_reads():
    from kerasish.export.build import NEWEST_OPSET, OPSET

    for opset in (OPSET, NEWEST_OPSET):
        proto = to_onnx(
            lambda x: keras.ops.mean(keras.ops.softmax(x), axis=1),
            [(None, 3)],
            ["float32"],
            ["x"],
            lambda *_: ["y"],
            opset_version=opset,
        )
        assert proto.opset_import[0].version == opset
        x = np.ones((2, 3), "float32")
        np.testing.assert_allclose(run(session(proto), [x])[0], 1 / 3, rtol=1e-6)
