"""Softmax and cross-entropy kernels against NumPy in higher precision, on every ISA and thread count."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

from .bounds import within
from .calls import EDGES, FLOATS, before_no_memory, exact, run, same_bits_at_any_thread_count, values

ISAS = core.isas()
SHAPES = [
    *(((3, n), 1, 2) for n in (*EDGES, 1000, 5000)),
    ((9, 4), 0, 1), ((3, 5, 2), 1, 2), ((2, 6, 127), 1, 2), ((2, 6, 128), 1, 2), ((2, 40, 129), 1, 2),
    ((2, 3, 5), 1, 3), ((2, 3, 5), 0, 3), ((0, 3), 1, 2), ((700, 70), 1, 2),
    *(((rows, n), 1, 2) for rows, n in ((127, 2), (128, 3), (129, 10), (259, 16), (261, 31), (131, 32), (131, 33))),
    ((65, 4), 1, 2), ((66, 5), 1, 2),
]  # fmt: skip


def log_softmax(x, axes):
    x = x - x.max(axes, keepdims=True, initial=-np.inf)
    return x - np.log(np.exp(x).sum(axes, keepdims=True))


def near_one(y, weight=1):
    """|y| and what a rounding of a sum near 1 costs its logarithm, of which y is made."""
    return np.abs(y) + np.minimum(weight, np.abs(y).max(initial=0))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_softmax_and_its_logarithm(dtype, isa):
    for shape, start, stop in SHAPES:
        x, axes, i, spec = values(shape, dtype, scale=5), tuple(range(start, stop)), (start, stop), [(shape, dtype)]
        want = log_softmax(exact(x), axes)
        top = exact(x).max(axes, keepdims=True, initial=-np.inf)
        size = np.exp(want) * (1 + np.abs(exact(x) - top) / 8)  # x - max is rounded
        within("softmax", run("softmax", (x,), spec, i, isa=isa)[0], np.exp(want), size=size)
        within("log_softmax", run("log_softmax", (x,), spec, i, isa=isa)[0], want, size=near_one(want))
        reduced = shape[:start] + shape[stop:]
        lse = np.log(np.exp(exact(x)).sum(axes))
        within("logsumexp", run("logsumexp", (x,), [(reduced, dtype)], i, isa=isa)[0], lse, size=near_one(lse))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_of_softmax_and_its_logarithm(dtype, isa):
    for shape, start, stop in SHAPES:
        y = log_softmax(values(shape, "float64", scale=3), axes := tuple(range(start, stop))).astype(dtype)
        p, g = np.exp(y), values(shape, dtype, seed=1)
        i, spec = (start, stop), [(shape, dtype)]
        wp, wy, wg = exact(p), exact(y), exact(g)
        want = wp * (wg - (wg * wp).sum(axes, keepdims=True))
        size = wp * (np.abs(wg) + np.abs(wg * wp).sum(axes, keepdims=True))
        within("softmax_grad", run("softmax_grad", (p, g), spec, i, isa=isa)[0], want, size=size)
        want = wg - np.exp(wy) * wg.sum(axes, keepdims=True)
        size = np.abs(wg) + np.exp(wy) * np.abs(wg).sum(axes, keepdims=True)
        within("log_softmax_grad", run("log_softmax_grad", (y, g), spec, i, isa=isa)[0], want, size=size)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("columns", [False, True])
def test_softmax_at_the_limits(columns, dtype, isa):
    inf, nan = np.inf, np.nan
    big = float(np.finfo(dtype).max)
    x = np.array(
        [
            [big, 0, -big],
            [-big, -big, -big],
            [-inf, 0, 0],
            [-inf, -inf, -inf],
            [inf, 0, 0],
            [nan, 0, 0],
            [0, -inf, nan],
        ],
        dtype,
    )
    x = np.ascontiguousarray(x.T) if columns else x
    i, spec = ((0, 1) if columns else (1, 2)), [(x.shape, dtype)]

    def lines(y):
        return y.T if columns else y

    with np.errstate(over="ignore"):
        p = lines(run("softmax", (x,), spec, i, isa=isa)[0])
        want = np.array([[1, 0, 0], [1 / 3] * 3, [0, 0.5, 0.5]])
        within("softmax", p[:3], want, size=want)
        assert np.isnan(p[3:]).all()
        q = lines(run("log_softmax", (x,), spec, i, isa=isa)[0])
        want = np.array([[-np.log(3)] * 3, [-inf, -np.log(2), -np.log(2)]])
        within("log_softmax", q[1:3], want, size=1)
        assert q[0, 0] == 0 and np.isnan(q[3:]).all()
        s = run("logsumexp", (x,), [((7,), dtype)], i, isa=isa)[0]
        want = np.array([big, -big, np.log(2), -inf, inf])
        within("logsumexp", s[:5], want, size=np.where(np.isfinite(want), np.abs(want), 0))
        assert np.isnan(s[5:]).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("columns", [False, True])
def test_nan_of_any_bits_becomes_the_whole_line_and_no_other(columns, isa):
    """Exponentials of differences to a maximum do without an edge; NaN meets them, beside numbers far apart."""
    odd = np.array([0x7FC00001, 0x7F800101, 0xFFFFFFFF, 0x7FC00000], np.uint32).view(np.float32)
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 5, 10, 16, 17, 33, 100, 300):
        x = rng.choice(np.array([-1e30, -1000, -1, 0, 2, 1000, 1e30], np.float32), (24, n))
        x[1::2, rng.integers(n)] = np.resize(odd, 12)
        lines, i = (np.ascontiguousarray(x.T), (0, 1)) if columns else (x, (1, 2))
        for name in ("softmax", "log_softmax", "logsumexp"):
            shape = (24,) if name == "logsumexp" else lines.shape
            y = run(name, (lines,), [(shape, "float32")], i, isa=isa)[0]
            found = np.isnan(y.T if columns and y.ndim == 2 else y)
            assert found[1::2].all() and not found[::2].any(), (name, n)
        if columns:
            continue
        g, t, label = np.ones(24, np.float32), one_hot(np.zeros(24, int), n, x), np.zeros(24, np.int32)
        for kind, target in (("", t), ("sparse_", label)):
            name = f"{kind}softmax_cross_entropy"
            for f, args, shape in ((name, (x, target), (24,)), (f"{name}_grad", (x, target, g), x.shape)):
                found = np.isnan(run(f, args, [(shape, "float32")], isa=isa)[0])
                assert found[1::2].all() and not found[::2].any(), (f, n)


def one_hot(labels, n, like):
    return np.eye(n, dtype=like.dtype)[labels]


ROWS = (
    [((), n) for n in (1, 7)]
    + [((4,), n) for n in (1, 2, 7, 8, 16, 17, 33, 1000)]
    + [((2, 3), 10), ((0,), 5), ((900,), 50)]
    + [((127,), 2), ((128,), 3), ((129,), 10), ((261,), 31), ((131,), 32), ((131,), 33)]  # short rows go side by side
)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_cross_entropy_from_logits(dtype, isa):
    for rows, n in ROWS:
        x, g = values((*rows, n), dtype, scale=4), values(rows, dtype, seed=1)
        t = np.abs(values((*rows, n), dtype, seed=2))
        wx, wt, wg = exact(x), exact(t), exact(g)[..., None]
        logp = log_softmax(wx, (-1,))
        loss, dx = [(rows, dtype)], [((*rows, n), dtype)]
        want = -(wt * logp).sum(-1)
        got = run("softmax_cross_entropy", (x, t), loss, isa=isa)[0]
        within("softmax_cross_entropy", got, want, size=near_one(want, wt.sum(-1)))
        want = wg * (np.exp(logp) * wt.sum(-1, keepdims=True) - wt)
        far, got = 1 + np.abs(logp) / 8, run("softmax_cross_entropy_grad", (x, t, g), dx, isa=isa)[0]
        size = np.abs(wg) * (np.exp(logp) * far * wt.sum(-1, keepdims=True) + wt)
        within("softmax_cross_entropy_grad", got, want, size=size)
        for kind in ("int32", "int64"):
            label = np.asarray(np.random.default_rng(3).integers(0, n, rows), kind)
            hot = one_hot(label, n, wx)
            got = run("sparse_softmax_cross_entropy", (x, label), loss, isa=isa)[0]
            want = -(hot * logp).sum(-1)
            within("sparse_softmax_cross_entropy", got, want, size=near_one(want))
            got = run("sparse_softmax_cross_entropy_grad", (x, label, g), dx, isa=isa)[0]
            size = np.abs(wg) * (np.exp(logp) * far + hot)
            within("sparse_softmax_cross_entropy_grad", got, wg * (np.exp(logp) - hot), size=size)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_cross_entropy_from_probabilities(dtype, isa):
    eps = 1e-2
    for rows, n in ROWS:
        p, g = np.abs(values((*rows, n), dtype)) + dtype_of(dtype)(1e-3), values(rows, dtype, seed=1)
        t = np.abs(values((*rows, n), dtype, seed=2))
        label = np.asarray(np.random.default_rng(3).integers(0, n, rows), "int32")
        wp, wt, wg = exact(p), exact(t), exact(g)[..., None]
        s = wp.sum(-1, keepdims=True)
        q = wp / s
        inside = (q >= eps) & (q <= 1 - eps)
        logq = np.log(np.clip(q, eps, 1 - eps))
        loss, dp = [(rows, dtype)], [((*rows, n), dtype)]
        for kind, target, weights in (("", t, wt), ("sparse_", label, one_hot(label, n, wp))):
            got = run(f"{kind}cross_entropy", (p, target), loss, f=(eps,), isa=isa)[0]
            want = -(weights * logq).sum(-1)
            # A bound of q is rounded, to eps or 1 - eps: the latter is what is left of a logarithm near 0.
            within(f"{kind}cross_entropy", got, want, size=near_one(want, weights.sum(-1)))
            kept = np.where(inside, weights, 0)
            want = wg * (kept.sum(-1, keepdims=True) / s - kept / wp)
            size = np.abs(wg) * (kept.sum(-1, keepdims=True) / s + kept / wp)
            name = f"{kind}cross_entropy_grad"
            within(name, run(name, (p, target, g), dp, f=(eps,), isa=isa)[0], want, size=size)


def dtype_of(name):
    return np.dtype(name).type


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_row_comes_to_the_same_bits_wherever_it_stands(dtype, isa):
    """The executor cuts arrays into blocks of rows; a group takes many of them at once."""
    for m, n in ((70, 3), (70, 10), (43, 8), (77, 5), (37, 16), (37, 19), (21, 100), (5, 2100)):
        x, g = values((m, n), dtype, scale=4), values((m,), dtype, seed=1)
        t, label = np.abs(values((m, n), dtype, seed=2)), np.random.default_rng(3).integers(0, n, m)
        x[m // 2], x[0] = np.nan, -np.inf  # neighbours that stay apart
        calls = [(name, (x,), (1, 2)) for name in ("softmax", "log_softmax")]
        calls += [(name, (x, t), (1, 2)) for name in ("softmax_grad", "log_softmax_grad")]
        for name, p in (("softmax_cross_entropy", x), ("cross_entropy", np.abs(x))):
            for kind, target in (("", t), ("sparse_", label)):
                calls += [(f"{kind}{name}", (p, target), ()), (f"{kind}{name}_grad", (p, target, g), ())]
        for name, ins, i in calls:
            row = () if "cross" in name and "grad" not in name else (n,)
            whole = run(name, ins, [((m, *row), dtype)], i, f=(1e-7,), isa=isa)[0]
            for r in (1, m // 3, m - 1):
                alone = tuple(np.ascontiguousarray(a[r : r + 1]) for a in ins)
                got = run(name, alone, [((1, *row), dtype)], i, f=(1e-7,), isa=isa)[0]
                assert got.tobytes() == whole[r : r + 1].tobytes(), (name, m, n, r)
                assert np.isfinite(got).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["softmax_grad", "log_softmax_grad"])
def test_gradients_are_written_over_an_operand_and_read_nothing_else(name, dtype, isa):
    for rows in (1, 3, 8, 17, 70, 401):
        for n in (1, 2, 5, 8, 10, 16, 17, 31, 32, 33, 100):
            y, g = values((rows, n), dtype), values((rows, n), dtype, seed=1)
            want = run(name, (y, g), [((rows, n), dtype)], (1, 2), isa=isa)[0]
            for over in (0, 1):
                ins = before_no_memory(y), before_no_memory(g)
                core.run(core.find(name, dtype, isa), ins, (ins[over],), (1, 2), (), name)
                assert ins[over].tobytes() == want.tobytes(), (rows, n, over)
                assert ins[1 - over].tobytes() == (y, g)[1 - over].tobytes()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_binary_cross_entropy(dtype, isa):
    eps = 1e-3
    for shape in [(n,) for n in EDGES] + [(), (0,), (3, 50_000)]:
        x, g = values(shape, dtype, scale=6), values(shape, dtype, seed=1)
        t = np.asarray(np.random.default_rng(2).random(shape), dtype)
        t = np.where(np.random.default_rng(3).random(shape) < 0.5, np.round(t), t).astype(dtype)
        wx, wt, wg, spec = exact(x), exact(t), exact(g), [(shape, dtype)]
        want = np.log1p(np.exp(-np.abs(wx))) + np.where(wx > 0, (1 - wt) * wx, -wt * wx)
        within("sigmoid_cross_entropy", run("sigmoid_cross_entropy", (x, t), spec, isa=isa)[0], want, size=want)
        want = wg * (1 / (1 + np.exp(-wx)) - wt)
        size = np.abs(wg) * (1 / (1 + np.exp(-wx)) + wt)
        got = run("sigmoid_cross_entropy_grad", (x, t, g), spec, isa=isa)[0]
        within("sigmoid_cross_entropy_grad", got, want, size=size)
        p = (1 / (1 + np.exp(-exact(x)))).astype(dtype)
        wp = exact(p)
        q, inside = np.clip(wp, eps, 1 - eps), (wp >= eps) & (wp <= 1 - eps)
        want = -(wt * np.log(q) + (1 - wt) * np.log(1 - q))
        # 1 - eps is rounded, and so is what is left of it: by a part 1 / eps of it.
        size = wt * (1 - np.log(q)) + (1 - wt) * (1 - np.log(1 - q) + np.where(wp > 1 - eps, 1 / eps, 0))
        got = run("binary_cross_entropy", (p, t), spec, f=(eps,), isa=isa)[0]
        within("binary_cross_entropy", got, want, size=size)
        want = np.where(inside, wg * (wp - wt) / np.where(inside, wp * (1 - wp), 1), 0)
        got = run("binary_cross_entropy_grad", (p, t, g), spec, f=(eps,), isa=isa)[0]
        within("binary_cross_entropy_grad", got, want)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ["sparse_softmax_cross_entropy", "sparse_cross_entropy"])
def test_the_first_label_out_of_range_is_reported(name, isa):
    x = np.ones((6, 4), "float32")
    for bad in (-1, 4, 2**31 - 1, -(2**31)):
        label = np.array([0, 3, bad, 1, bad, 2], "int32")
        for kernel, more in ((name, ()), (f"{name}_grad", (np.ones(6, "float32"),))):
            out = [((6,) if not more else (6, 4), "float32")]
            with pytest.raises(core.IndexOutOfRange) as e:
                run(kernel, (x, label, *more), out, f=(1e-7,), isa=isa)
            assert (e.value.input, e.value.position, e.value.value, e.value.limit) == (1, 2, bad, 4)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("m", "n"), [(600, 300), (20000, 10)])
def test_same_bits_at_any_thread_count(m, n, isa):
    x, g = values((m, n), "float32", scale=4), values((m, n), "float32", seed=1)
    spec, rows = [((m, n), "float32")], [((m,), "float32")]
    label = np.random.default_rng(1).integers(0, n, m)
    for i in ((0, 1), (1, 2)):
        for name in ("softmax", "log_softmax"):
            same_bits_at_any_thread_count(name, (x,), spec, i, isa=isa)
            same_bits_at_any_thread_count(f"{name}_grad", (x, g), spec, i, isa=isa)
        same_bits_at_any_thread_count("logsumexp", (x,), [((n if i[0] == 0 else m,), "float32")], i, isa=isa)
    losses = {"softmax_cross_entropy": g, "cross_entropy": g, "sparse_softmax_cross_entropy": label}
    for name, target in losses.items():
        same_bits_at_any_thread_count(name, (x, target), rows, f=(1e-7,), isa=isa)
        same_bits_at_any_thread_count(f"{name}_grad", (x, target, g[:, 0].copy()), spec, f=(1e-7,), isa=isa)
    same_bits_at_any_thread_count("sigmoid_cross_entropy", (x, g), spec, isa=isa)
