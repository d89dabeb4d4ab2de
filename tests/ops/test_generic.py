"""Every registered op, through its samples: values, shapes, gradients to second order, layout, threads."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish._core import core
from kerasish.engine.dtype import FLOATS
from kerasish.engine.op import C, all_ops, get_op
from kerasish.engine.spec import Spec
from kerasish.engine.symbol import Symbol
from kerasish.engine.tensor import Tensor, to_tensor

from .sample import Sample, collect

assert keras.ops  # declares the ops
SAMPLES = collect()


def ids(sample: Sample) -> str:
    return repr(sample)


def cast(sample: Sample, dtype: str) -> list[np.ndarray]:
    return [np.asarray(x).astype(dtype) if np.asarray(x).dtype == np.float64 else np.asarray(x) for x in sample.inputs]


def call(sample: Sample, arrays) -> list[np.ndarray]:
    out = get_op(sample.op)(*arrays, **sample.attrs)
    return [t.numpy() for t in (out if isinstance(out, tuple) else (out,))]


def has_float64(sample: Sample) -> bool:
    return any(np.asarray(x).dtype == np.float64 for x in sample.inputs)


def differentiable(sample: Sample) -> tuple[int, ...]:
    if get_op(sample.op).grad is None:
        return ()
    if sample.grad is not None:
        return sample.grad
    rules = get_op(sample.op).grad
    floats = [k for k, x in enumerate(sample.inputs) if np.asarray(x).dtype == np.float64]
    if callable(rules):
        return tuple(floats)
    last = len(rules) - 1
    return tuple(k for k in floats if rules[min(k, last)] is not None)


def test_every_op_has_a_sample():
    missing = sorted(set(all_ops()) - {s.op for s in SAMPLES})
    assert not missing, f"ops without a sample in tests/ops/samples: {missing}"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.reference is None], ids=ids)
def test_a_sample_without_reference_says_why(sample):
    assert sample.note


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.reference is not None], ids=ids)
def test_value(sample, dtype):
    if dtype == "float64" and not has_float64(sample):
        return  # integer samples ran as float32's case
    arrays = cast(sample, dtype)
    got = call(sample, arrays)
    with np.errstate(all="ignore"):
        want = sample.reference(*[a.astype("float64") if a.dtype == np.float32 else a for a in arrays], **sample.attrs)
    want = list(want) if isinstance(want, (tuple, list)) else [want]
    assert len(got) == len(want)
    rtol = sample.rtol if dtype == "float32" else max(sample.rtol * 1e-6, 1e-12)
    for g, w in zip(got, want):
        w = np.asarray(w)
        assert g.shape == w.shape
        if g.dtype.kind in "fc":
            finite = np.abs(w[np.isfinite(w)]) if w.dtype.kind in "fc" else np.abs(w)
            scale = finite.max(initial=0.0)
            np.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * float(scale) if scale else 0)
        else:
            np.testing.assert_array_equal(g, w)


@pytest.mark.parametrize("sample", SAMPLES, ids=ids)
def test_symbolic_shape_is_the_real_shape(sample):
    arrays = cast(sample, "float32")
    real = get_op(sample.op)(*arrays, **sample.attrs)
    real = real if isinstance(real, tuple) else (real,)
    symbols = [Symbol(a.shape, str(a.dtype)) for a in arrays]
    got = get_op(sample.op)(*symbols, **sample.attrs) if symbols else real
    got = got if isinstance(got, tuple) else (got,)
    assert len(got) == len(real)
    for s, r in zip(got, real):
        assert s.dtype == r.dtype
        assert len(s.shape) == len(r.shape)
        assert all(a is None or a == b for a, b in zip(s.shape, r.shape))
    if sample.unknown and any(a.ndim for a in arrays):
        specs = [Spec((None, *a.shape[1:]) if a.ndim else (), str(a.dtype)) for a in arrays]
        out = get_op(sample.op).infer(*specs, **sample.attrs)
        for s, r in zip((out,) if isinstance(out, Spec) else out, real):
            assert s.dtype == r.dtype
            assert len(s.shape) == len(r.shape)
            assert all(a is None or a == b for a, b in zip(s.shape, r.shape)), (s.shape, r.shape)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if get_op(s.op).unread], ids=ids)
def test_what_is_declared_unread_is_not_read(sample):
    arrays = cast(sample, "float32")
    others = [np.full_like(a, np.nan) if k in get_op(sample.op).unread else a for k, a in enumerate(arrays)]
    for x, y in zip(call(sample, arrays), call(sample, others)):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if any(np.ndim(x) for x in s.inputs)], ids=ids)
def test_non_contiguous_input_gives_the_same_bits(sample):
    arrays = cast(sample, "float32")
    strided = []
    for a in arrays:
        if a.ndim:
            wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
            wide[..., ::2] = a
            a = wide[..., ::2]
        strided.append(a)
    for x, y in zip(call(sample, arrays), call(sample, strided)):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if isinstance(get_op(s.op).kernel, C)], ids=ids)
def test_same_bits_at_any_thread_count(sample):
    arrays = cast(sample, "float32")
    try:
        results = []
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            results.append([x.tobytes() for x in call(sample, arrays)])
    finally:
        core.set_num_threads(0)
    assert all(r == results[0] for r in results)


EPS = 1e-5


def directions(arrays: list[np.ndarray], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(a.shape) for a in arrays]


def check_directional(f, gradients, arrays: list[np.ndarray], what: str, rtol: float = 2e-5) -> None:
    """Compares <gradient, d> with the central difference of f along d, for each array on its own."""
    for k, (a, g) in enumerate(zip(arrays, gradients)):
        if a.size == 0:
            continue
        for seed in (1, 2, 3):
            d = np.random.default_rng([seed, k]).standard_normal(a.shape)
            plus = f([b + EPS * d if j == k else b for j, b in enumerate(arrays)])
            minus = f([b - EPS * d if j == k else b for j, b in enumerate(arrays)])
            numeric = (plus - minus) / (2 * EPS)
            analytic = 0.0 if g is None else float(np.sum(g.numpy() * d))
            scale = max(1.0, abs(numeric), abs(plus), float(np.abs(d).sum()) * 1e-2)
            assert abs(numeric - analytic) <= rtol * scale, f"{what} {k}: {analytic} but differences give {numeric}"


@pytest.mark.parametrize("sample", [s for s in SAMPLES if differentiable(s)], ids=ids)
def test_gradient_to_second_order(sample):
    op = get_op(sample.op)
    arrays = cast(sample, "float64")
    which = differentiable(sample)
    xs = [arrays[k] for k in which]

    def run(values):
        full = list(arrays)
        for k, v in zip(which, values):
            full[k] = v
        out = op(*full, **sample.attrs)
        return [t for t in (out if isinstance(out, tuple) else (out,)) if t.dtype in FLOATS]

    outs = run(xs)
    weights = directions([t.numpy() for t in outs], 7)

    def loss(values):
        return sum(float(np.sum(t.numpy() * w)) for t, w in zip(run(values), weights))

    def first(values, upstream):
        """Gradients (as tensors that outer tapes can follow) at values."""
        with keras.GradientTape() as tape:
            tape.watch(values)
            out = run(values)
        return tape.gradient(out, values, output_gradients=upstream)

    ts = [to_tensor(np.array(x)) for x in xs]
    ws = [to_tensor(np.array(w)) for w in weights]
    grads = first(ts, ws)
    check_directional(loss, grads, xs, f"{sample.op}: first-order gradient by input")
    if not sample.second:
        assert sample.note
        return
    probes = directions(xs, 11)

    def second_loss(values):
        n = len(xs)
        gs = first([to_tensor(np.array(v)) for v in values[:n]], [to_tensor(np.array(v)) for v in values[n:]])
        return sum(0.0 if g is None else float(np.sum(g.numpy() * p)) for g, p in zip(gs, probes))

    with keras.GradientTape() as outer:
        outer.watch(ts)
        outer.watch(ws)
        inner = first(ts, ws)
    pairs = [(g, Tensor(p)) for g, p in zip(inner, probes) if g is not None]
    if not pairs:
        return
    got = outer.gradient([g for g, _ in pairs], [*ts, *ws], output_gradients=[p for _, p in pairs])
    check_directional(second_loss, got, [*xs, *weights], f"{sample.op}: second-order gradient by input")
