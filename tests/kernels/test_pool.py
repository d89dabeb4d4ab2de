"""Pooling kernels against float64 NumPy, at vector edges, on every ISA, with the same bits at any thread count."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

from . import calls
from .bounds import within
from .calls import exact
from .references import average, average_grad, first_maximum, pool_pick, pool_scatter
from .windows import case

CASES = [
    case((6, 6), (2, 2), (2, 2)),
    case((7, 5), (2, 2), (2, 2)),  # a last row and column that no window covers
    case((7, 8), (3, 3), (2, 2), pads=((1, 1), (0, 1))),
    case((5, 6), (3, 2), (1, 1)),
    case((5, 5), (3, 3), (1, 1), pads=((1, 1), (1, 1))),
    case((9, 4), (2, 1), (4, 3)),  # gaps between windows
    case((9,), (3,), (2,), pads=((1, 1),)),
    case((1,), (1,), (1,)),
    case((4, 5, 6), (2, 2, 2), (2, 2, 2)),
    case((3, 4, 5), (2, 3, 2), (1, 2, 1), pads=((0, 1), (1, 1), (0, 1))),
    case((6, 9), (2, 3), (2, 2), pads=((0, 0), (0, 1))),  # windows of three columns without padding before them
    case((18, 19), (17, 16), (1, 3)),  # more taps than a byte can number
    case((5, 6), (2, 2), (2, 2), pads=((0, 1), (0, 0))),
    case((6, 7), (3, 2), (2, 2), pads=((1, 0), (0, 1))),
    case((40, 33), (2, 2), (2, 2)),
    case((41, 30), (3, 3), (2, 2), pads=((1, 1), (0, 1))),
]
CHANNELS = (1, 3, 5, 7, 8, 9, 15, 16, 17, 33, 67)


def run(name, isa, ins, shape, g, threads=2):
    """The output; of max_pool, the output and the places."""
    dtype = str(ins[-1].dtype)
    outs = [(shape, dtype)]
    if name == "max_pool":
        outs += [(shape, "uint8" if np.prod(g.window) <= 256 else "int32")]
    i = (*g.flat(g.window, g.strides), *g.low)
    got = calls.run(name, ins, outs, i, isa=isa, threads=threads, dtype=dtype)
    return got if name == "max_pool" else got[0]


def data(shape, dtype, seed=0):
    """Few distinct values, so that windows have ties."""
    return np.random.default_rng([seed, *shape]).integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("g", CASES, ids=str)
def test_max_pool_and_its_gradient(g, dtype, isa):
    for c in CHANNELS if g.sizes[0] < 30 else (3, 32):
        x = data((2, *g.sizes, c), dtype)
        best, place = first_maximum(g, x.astype("float64"))
        y, at = run("max_pool", isa, (x,), best.shape, g)
        within("max_pool", y, best)
        np.testing.assert_array_equal(at, place)

        dy = np.random.default_rng(1).standard_normal(best.shape).astype(dtype)
        dx = run("max_pool_grad", isa, (at, dy), x.shape, g)
        want, size = (pool_scatter(g, x.shape, place, v.astype("float64")) for v in (dy, np.abs(dy)))
        within("max_pool_grad", dx, want, size=size)

        v = np.random.default_rng(2).standard_normal(x.shape).astype(dtype)
        within("max_pool_pick", run("max_pool_pick", isa, (at, v), best.shape, g), pool_pick(g, place, v))


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("g", CASES, ids=str)
def test_average_pool_and_its_gradient(g, dtype, isa):
    for c in CHANNELS if g.sizes[0] < 30 else (3, 32):
        x = np.random.default_rng(c).standard_normal((2, *g.sizes, c)).astype(dtype)
        mean, count = average(g, exact(x))
        within("avg_pool", run("avg_pool", isa, (x,), mean.shape, g), mean, size=average(g, np.abs(x))[0])

        dy = np.random.default_rng(1).standard_normal(mean.shape).astype(dtype)
        want, size = (average_grad(g, x.shape, v.astype("float64"), count) for v in (dy, np.abs(dy)))
        within("avg_pool_grad", run("avg_pool_grad", isa, (dy,), x.shape, g), want, size=size)


@pytest.mark.parametrize("isa", core.isas())
def test_max_pool_passes_nan_on_and_sends_its_gradient_to_the_first(isa):
    g = case((2, 2), (2, 2), (2, 2))
    x = np.array([1, np.nan, np.nan, 9], "float32").reshape(1, 2, 2, 1)
    y, at = run("max_pool", isa, (x,), (1, 1, 1, 1), g)
    assert np.isnan(y).all()
    dx = run("max_pool_grad", isa, (at, np.ones((1, 1, 1, 1), "float32")), x.shape, g)
    assert dx.ravel().tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [3, 19, 67])
@pytest.mark.parametrize("window", [(3, 3), (3, 2)])
def test_nans_and_infinities_among_other_cells(window, channels, dtype, isa):
    g = case((7, 8), window, (2, 2), pads=((1, 1), (0, 1)))
    x = data((2, *g.sizes, channels), dtype)
    where = np.random.default_rng(3).random(x.shape)
    for k, value in enumerate((np.nan, np.inf, -np.inf)):
        x[(where > 0.1 * k) & (where < 0.1 * k + 0.05)] = value
    best, place = first_maximum(g, x.astype("float64"))
    y, at = run("max_pool", isa, (x,), best.shape, g)
    np.testing.assert_array_equal(y, best)
    np.testing.assert_array_equal(at, place)


@pytest.mark.parametrize("isa", core.isas())
def test_a_window_of_minus_infinity_has_that_maximum(isa):
    g = case((2, 2), (2, 2), (2, 2))
    x = np.full((1, 2, 2, 1), -np.inf, "float32")
    y, at = run("max_pool", isa, (x,), (1, 1, 1, 1), g)
    assert y.item() == -np.inf
    dx = run("max_pool_grad", isa, (at, np.ones((1, 1, 1, 1), "float32")), x.shape, g)
    assert dx.ravel().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 4, 4, 0)])
def test_empty_arrays(shape):
    g = case((4, 4), (2, 2), (2, 2))
    x = np.zeros(shape, "float32")
    y = np.zeros((shape[0], 2, 2, shape[-1]), "float32")
    at = y.astype("uint8")
    assert [out.shape for out in run("max_pool", None, (x,), y.shape, g)] == [y.shape, y.shape]
    for name, ins, out in (
        ("avg_pool", (x,), y),
        ("max_pool_grad", (at, y), x),
        ("max_pool_pick", (at, x), y),
        ("avg_pool_grad", (y,), x),
    ):
        assert run(name, None, ins, out.shape, g).shape == out.shape


@pytest.mark.parametrize("channels", [3, 24])
@pytest.mark.parametrize("g", [CASES[2], *CASES[-4:]], ids=str)
def test_same_bits_at_any_thread_count(g, channels):
    x = np.random.default_rng(0).standard_normal((9, *g.sizes, channels)).astype("float32")
    y = np.random.default_rng(1).standard_normal((9, *g.out, channels)).astype("float32")
    at = run("max_pool", None, (x,), y.shape, g)[1]
    for name, ins, shape in (
        ("max_pool", (x,), y.shape),
        ("avg_pool", (x,), y.shape),
        ("max_pool_grad", (at, y), x.shape),
        ("max_pool_pick", (at, x), y.shape),
        ("avg_pool_grad", (y,), x.shape),
    ):
        runs = [run(name, None, ins, shape, g, threads) for threads in (1, 2, 3, 8)]
        assert len({b"".join(a.tobytes() for a in (r if isinstance(r, tuple) else (r,))) for r in runs}) == 1, name
