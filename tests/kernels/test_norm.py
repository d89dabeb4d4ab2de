"""Moments and the normalisation kernels against NumPy in higher precision, on every ISA and thread count."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

from .bounds import U, within
from .calls import EDGES, FLOATS, exact, run, same_bits_at_any_thread_count, values

ISAS = core.isas()
EPS = 1e-3

# (shape, reduced axes): each form (kept, reduced, kept, reduced) that the kernel takes
MOMENTS = [
    *(((50, c), (0,)) for c in EDGES),
    *(((3, n), (1,)) for n in EDGES),
    ((5000, 3), (0,)), ((40_000, 1), (0,)), ((200, 600), (0,)), ((100, 1030), (0,)), ((2, 70_001), (1,)),
    ((7,), (0,)), ((4, 5), ()), ((4, 5), (0, 1)), ((1, 9, 1), (1,)), ((), ()),
    ((6, 5, 40), (0, 2)), ((3, 2, 66_000), (0, 2)), ((4, 30, 5), (1,)), ((2, 8, 3, 9), (1, 3)), ((300, 4, 70), (0, 1)),
]  # fmt: skip


def axes_bits(axes):
    return sum(1 << a for a in axes)


def moments(x, axes, isa, **more):
    spec = (tuple(d for k, d in enumerate(x.shape) if k not in axes), str(x.dtype))
    return run("moments", (x,), [spec, spec], (axes_bits(axes),), isa=isa, **more)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_moments(shift, dtype, isa):
    """A mean a thousand times the deviation costs the variance no more accuracy than x's own rounding implies."""
    for shape, axes in MOMENTS:
        x = values(shape, dtype, shift=shift)
        mean, var = moments(x, axes, isa)
        want_mean, want_var = exact(x).mean(axis=axes), exact(x).var(axis=axes)
        within("moments", mean, want_mean, of="mean", size=np.abs(exact(x)).mean(axis=axes))
        # The chunk's mean is rounded to half a unit of its size; that enters squared.
        within("moments", var, want_var, of="variance", size=want_var + U[dtype] * want_mean**2)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_moments_of_lines_do_not_depend_on_the_lines_beside_them(dtype, isa):
    """As many lines go at once as a vector has lanes, and a few at the end; in tasks of some hundreds."""
    for n in (2, 5, 16, 17, 33, 300):
        x = values((1003, n), dtype, scale=2, shift=3)
        x[500] = np.nan
        spec = ((1003,), dtype)
        same_bits_at_any_thread_count("moments", (x,), [spec, spec], (2,), isa=isa)
        mean, var = moments(x, (1,), isa)
        assert np.isnan(mean[500]) and np.isnan(var[500])
        good = np.arange(1003) != 500
        within("moments", mean[good], exact(x[good]).mean(1), of="mean", size=np.abs(exact(x[good])).mean(1))
        want = exact(x[good]).var(1)
        within("moments", var[good], want, of="variance", size=want + U[dtype] * exact(x[good]).mean(1) ** 2)
        for line in (0, 7, 1002):
            for got, whole in zip(moments(x[line : line + 1], (1,), isa), (mean, var)):
                assert got.tobytes() == whole[line : line + 1].tobytes(), (n, line)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_moments_of_nothing_and_of_nan(dtype, isa):
    mean, var = moments(np.empty((0, 3), dtype), (0,), isa)
    assert np.isnan(mean).all() and np.isnan(var).all()
    assert moments(np.empty((3, 0), dtype), (0,), isa)[0].shape == (0,)
    x = values((100, 20), dtype)
    x[40, 7] = np.nan
    for axes, at in (((0,), 7), ((1,), 40)):
        for got in moments(x, axes, isa):
            assert np.flatnonzero(np.isnan(got)).tolist() == [at]


# (shape, reduced axes) of columns, and of lines that are cut
LONG = [((100_000, 3), (0,)), ((40_000, 70), (0,)), ((3, 120_000), (1,)), ((40, 2, 5000), (0, 2))]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_moments_of_what_a_sample_misjudges(dtype, isa):
    """The first element, which is always in the sample, is far from the mean: the sums are taken twice."""
    for shape, axes in LONG:
        x = values(shape, dtype)
        first = tuple(0 if k in axes else slice(None) for k in range(len(shape)))
        x[first] = 3000
        mean, var = moments(x, axes, isa)
        want_mean, want_var = exact(x).mean(axis=axes), exact(x).var(axis=axes)
        assert (want_mean**2 < want_var / 100).all() and ((3000 / 32 - want_mean) ** 2 > 10 * want_var).all()
        within("moments", mean, want_mean, of="mean", size=np.abs(exact(x)).mean(axis=axes))
        within("moments", var, want_var, of="variance", size=want_var)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_moments_of_constants_and_of_infinities(dtype, isa):
    for shape, axes in LONG + [((3, 500), (1,)), ((7, 3), (0,))]:
        x = np.full(shape, 0.1, dtype)
        mean, var = moments(x, axes, isa)
        np.testing.assert_array_equal(mean, x.flat[0])
        assert not var.any()
        last = tuple(-1 if k in axes else 0 for k in range(len(shape)))
        x[last] = np.inf
        for got in moments(x, axes, isa):
            assert np.flatnonzero(np.isnan(got)).tolist() == [0]


@pytest.mark.parametrize("isa", ISAS)
def test_axes_that_do_not_have_the_form_are_refused(isa):
    with pytest.raises(RuntimeError, match="moments: the kernel refused"):
        moments(values((2, 3, 4, 5), "float32"), (0, 2), isa)


# (shape, channel axis)
BATCH = [
    *(((20, c), 1) for c in EDGES),
    ((1, 4), 1), ((8, 1), 1), ((6, 5, 5, 3), 3), ((16, 7, 7, 64), 3), ((70, 20, 20, 2), 3), ((90, 1100), 1),
    ((0, 3), 1), ((4, 3, 6, 5), 1), ((3, 5), 0), ((2, 2, 33_000), 1), ((2, 3, 40), 1), ((900, 16), 1), ((5, 0), 1),
]  # fmt: skip


def along(v, shape, axis):
    return v.reshape([-1 if k == axis else 1 for k in range(len(shape))])


def batch_reference(x, gamma, beta, mean, var, axis):
    r = 1 / np.sqrt(along(var, x.shape, axis) + EPS)
    return (x - along(mean, x.shape, axis)) * r * along(gamma, x.shape, axis) + along(beta, x.shape, axis)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_batch_norm(dtype, isa):
    for shape, axis in BATCH:
        c = shape[axis]
        x = values(shape, dtype, scale=2, shift=3)
        gamma, beta = values((c,), dtype, seed=1), values((c,), dtype, seed=2)
        spec = [(shape, dtype), ((c,), dtype), ((c,), dtype)]
        y, mean, var = run("batch_norm", (x, gamma, beta), spec, (axis,), (EPS,), isa=isa)
        if 0 in shape:
            assert y.shape == shape and np.isnan(mean).all()
            continue
        rest = tuple(k for k in range(len(shape)) if k != axis)
        want_mean, want_var = exact(x).mean(axis=rest), exact(x).var(axis=rest)
        within("batch_norm", mean, want_mean)
        within("batch_norm", var, want_var)
        want = batch_reference(exact(x), exact(gamma), exact(beta), want_mean, want_var, axis)
        within("batch_norm", y, want)
        given = np.abs(values((c,), dtype, seed=3)) + dtype_of(dtype)(0.1)
        y = run("batch_norm_inference", (x, beta, given, gamma, beta), spec[:1], (axis,), (EPS,), isa=isa)[0]
        want = batch_reference(exact(x), exact(gamma), exact(beta), exact(beta), exact(given), axis)
        within("batch_norm_inference", y, want)


def dtype_of(name):
    return np.dtype(name).type


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_batch_norm_grad(dtype, isa):
    for shape, axis in BATCH:
        c = shape[axis]
        x, g = values(shape, dtype, scale=2, shift=3), values(shape, dtype, seed=4)
        gamma, g_mean, g_var = (values((c,), dtype, seed=s) for s in (1, 5, 6))
        mean, var = values((c,), dtype, seed=2, shift=3), np.abs(values((c,), dtype, seed=3)) + dtype_of(dtype)(0.5)
        spec = [(shape, dtype), ((c,), dtype), ((c,), dtype)]
        dx, dgamma, dbeta = run(
            "batch_norm_grad", (x, gamma, mean, var, g, g_mean, g_var), spec, (axis,), (EPS,), isa=isa
        )
        rest = tuple(k for k in range(len(shape)) if k != axis)
        n = x.size // max(1, c)
        d, r = exact(x) - along(exact(mean), shape, axis), 1 / np.sqrt(exact(var) + EPS)
        want_dbeta, want_dgamma = exact(g).sum(axis=rest), (exact(g) * d).sum(axis=rest) * r
        size = np.abs(exact(g)).sum(axis=rest).max(initial=0)
        within("batch_norm_grad", dbeta, want_dbeta, size=size)
        within("batch_norm_grad", dgamma, want_dgamma, size=4 * size)
        if n == 0:
            continue
        wide = [along(v, shape, axis) for v in (exact(gamma) * r, want_dbeta / n, want_dgamma * r / n)]
        want = wide[0] * (exact(g) - wide[1] - d * wide[2])
        want = want + along(exact(g_mean), shape, axis) / n + 2 * along(exact(g_var), shape, axis) * d / n
        within("batch_norm_grad", dx, want)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_batch_norm_grad_cuts_what_relu_has_cut_to_the_same_bits(dtype, isa):
    for shape, axis in BATCH:
        c = shape[axis]
        x, g = values(shape, dtype, scale=2, shift=3), values(shape, dtype, seed=4)
        if x.size > 40:
            x.flat[[7, 30]], g.flat[9] = [np.nan, np.inf], np.nan
        gamma, beta, g_mean, g_var = (values((c,), dtype, seed=s) for s in (1, 2, 5, 6))
        spec = [(shape, dtype), ((c,), dtype), ((c,), dtype)]
        y, mean, var = run("batch_norm", (x, gamma, beta), spec, (axis, 1), (EPS,), isa=isa)
        cut = run("relu_grad", (g, y), [(shape, dtype)], isa=isa)[0]
        want = run("batch_norm_grad", (x, gamma, mean, var, cut, g_mean, g_var), spec, (axis,), (EPS,), isa=isa)
        got = run("batch_norm_grad", (x, gamma, mean, var, g, g_mean, g_var, beta), spec, (axis,), (EPS,), isa=isa)
        for a, b in zip(got, want):
            np.testing.assert_array_equal(a, b)


# (rows, normalised shape)
LINES = [((3,), (n,)) for n in (*EDGES, 64, 128)] + [
    ((150,), (32,)),
    ((), (5,)), ((0,), (5,)), ((500,), (12,)), ((40,), (1000,)), ((2, 3), (4, 5)), ((7,), (40_000,)), ((1, 1), (3,)),
    ((5000,), (3,)), ((37,), (100,)), ((33,), (21,)), ((20,), (77,)), ((18,), (127,)),
    ((9,), (65,)), ((21,), (96,)), ((19,), (129,)), ((600,), (130,)), ((35,), (260,)), ((16,), (384,)), ((10,), (767,)),
]  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_layer_and_rms_norm(name, dtype, isa):
    for rows, line in LINES:
        shape, centred = (*rows, *line), name == "layer_norm"
        axes = tuple(range(len(rows), len(shape)))
        x, g = values(shape, dtype, scale=2, shift=1), values(shape, dtype, seed=1)
        gamma, beta = values(line, dtype, seed=2), values(line, dtype, seed=3)
        wx, wg, wgamma = exact(x), exact(g), exact(gamma)
        d = wx - wx.mean(axes, keepdims=True) * centred
        r = 1 / np.sqrt((d * d).mean(axes, keepdims=True) + EPS)
        xhat, i = d * r, (len(rows),)
        ins = (x, gamma, beta) if centred else (x, gamma)
        want = xhat * wgamma + (exact(beta) if centred else 0)
        grad = f"{name}_grad"
        within(name, run(name, ins, [(shape, dtype)], i, (EPS,), isa=isa)[0], want)
        specs = [(shape, dtype)] + [(line, dtype)] * (2 if centred else 1)
        dx, dgamma, *dbeta = run(grad, (x, gamma, g), specs, i, (EPS,), isa=isa)
        u = wg * wgamma
        want = r * (u - u.mean(axes, keepdims=True) * centred - xhat * (u * xhat).mean(axes, keepdims=True))
        within(grad, dx, want, size=np.abs(r * u).max(initial=0))
        samples = tuple(range(len(rows)))
        within(grad, dgamma, (wg * xhat).sum(samples), size=np.abs(wg * xhat).sum(samples).max(initial=0))
        if centred:
            within(grad, dbeta[0], wg.sum(samples), size=np.abs(wg).sum(samples).max(initial=0))


@pytest.mark.parametrize("isa", ISAS)
def test_same_bits_at_any_thread_count(isa):
    for shape, axis in (((900, 70), 1), ((30, 9, 500), 1), ((60, 30, 30, 3), 3)):
        x, g = values(shape, "float32", shift=2), values(shape, "float32", seed=1)
        c = shape[axis]
        v = np.ones(c, "float32")
        spec = [(shape, "float32"), ((c,), "float32"), ((c,), "float32")]
        same_bits_at_any_thread_count("batch_norm", (x, v, v), spec, (axis,), (EPS,), isa=isa)
        same_bits_at_any_thread_count("batch_norm_grad", (x, v, v, v, g, v, v), spec, (axis,), (EPS,), isa=isa)
        same_bits_at_any_thread_count("batch_norm_grad", (x, v, v, v, g, v, v, -v), spec, (axis,), (EPS,), isa=isa)
    for rows, n in ((900, 70), (5000, 64), (333, 200), (130, 500), (70, 1000)):  # rows in registers, in groups, alone
        x, g, v = (values(shape, "float32", seed=k) for k, shape in enumerate(((rows, n), (rows, n), (n,))))
        spec = [(x.shape, "float32"), (v.shape, "float32"), (v.shape, "float32")]
        same_bits_at_any_thread_count("layer_norm", (x, v, v), spec[:1], (1,), (EPS,), isa=isa)
        same_bits_at_any_thread_count("layer_norm_grad", (x, v, g), spec, (1,), (EPS,), isa=isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("n", [50, 150, 900])
def test_layer_norm_may_write_where_it_reads(n, isa):
    x, g, v = values((21, n), "float32"), values((21, n), "float32", seed=1), values((n,), "float32", seed=2)
    spec = [(x.shape, "float32"), (v.shape, "float32"), (v.shape, "float32")]
    want, grads = run("layer_norm", (x, v, v), spec[:1], (1,), (EPS,), isa=isa), []
    for where in (None, 0, 2):
        ins = [x.copy(), v, g.copy()]
        outs = [np.empty(s, d) for s, d in spec]
        if where is not None:
            outs[0] = ins[where]
        core.run(core.find("layer_norm_grad", "float32", isa), tuple(ins), tuple(outs), (1,), (EPS,))
        grads.append(outs)
    for got in grads[1:]:
        for a, b in zip(grads[0], got, strict=True):
            np.testing.assert_array_equal(a, b)
    core.run(core.find("layer_norm", "float32", isa), (x, v, v), (x,), (1,), (EPS,))
    np.testing.assert_array_equal(x, want[0])
