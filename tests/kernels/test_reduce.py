"""Reduction and scan kernels against NumPy in higher precision, at tile edges, on every ISA and thread count."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from kerasish._core import core

from .bounds import within
from .calls import EDGES, FLOATS, exact, run, same_bits_at_any_thread_count, values

ISAS = core.isas()
# What the driver distinguishes: rows, columns (narrow, of one tile, of several), kept groups between, long segments.
SHAPES = [
    (), (1,), (0,), (3, 0), (0, 3), (5, 1, 0, 2), (1000,), (4096, 3), (300, 700), (2, 3, 4, 5), (70, 3, 50, 7),
    (2, 200, 1500), (513, 129), (3, 1, 7),
]  # fmt: skip
LONG = [((200_001,), (0,)), ((100_000, 3), (0,)), ((10, 70_000), (1,)), ((10, 70_000), (0,)), ((3, 4, 66_000), (0, 2))]


def every_axes(shape):
    return [a for r in range(len(shape) + 1) for a in combinations(range(len(shape)), r)]


CASES = [(s, a) for s in SHAPES for a in every_axes(s)] + LONG


def kept(shape, axes):
    return tuple(d for k, d in enumerate(shape) if k not in axes)


def reduce(name, x, axes, isa, dtype=None, **more):
    return run(
        name, (x,), [(kept(x.shape, axes), dtype or str(x.dtype))], [sum(1 << a for a in axes)], isa=isa, **more
    )[0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["sum", "mean", "sum_square"])
def test_sums_keep_their_error_bound(name, dtype, isa):
    for shape, axes in CASES:
        x = values(shape, dtype, shift=0.5)
        wide = np.square(exact(x)) if name == "sum_square" else exact(x)
        count = int(np.prod([shape[a] for a in axes]))
        want, size = wide.sum(axis=axes), np.abs(wide).sum(axis=axes)
        if name == "mean":
            if count == 0:
                assert np.isnan(reduce(name, x, axes, isa)).all()
                continue
            want, size = want / count, size / count
        within(name, reduce(name, x, axes, isa), want, size=size, k=count)


@pytest.mark.parametrize("isa", ISAS)
def test_a_long_sum_of_equal_terms_is_accurate(isa):
    """Of which every rounding goes the same way for as long as the sum keeps its exponent."""
    for shape in ((3_000_000, 1), (1_000_000, 3)):
        x = np.full(shape, 0.1, "float32")
        want = np.full(shape[1:], float(x[0, 0]) * shape[0])
        within("sum", reduce("sum", x, (0,), isa), want, size=want, k=shape[0])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_products(dtype, isa):
    for shape, axes in CASES:
        x = values(shape, dtype, scale=1 / np.sqrt(max(1, np.prod(shape))), shift=1)
        want = exact(x).prod(axis=axes)
        count = max(1, int(np.prod([shape[a] for a in axes])))
        within("prod", reduce("prod", x, axes, isa), want, k=count)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64", "bool"])
def test_extremes(dtype, isa):
    for shape, axes in CASES:
        if 0 in shape:
            continue
        x = values(shape, "float64", scale=100)
        x = np.asarray(x > 0) if dtype == "bool" else x.astype(dtype)
        within("max", reduce("max", x, axes, isa), x.max(axis=axes))
        within("min", reduce("min", x, axes, isa), x.min(axis=axes))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_extremes_of_nothing_and_with_nan(dtype, isa):
    empty = np.empty((0, 3), dtype)
    assert (reduce("max", empty, (0,), isa) == -np.inf).all() and (reduce("min", empty, (0,), isa) == np.inf).all()
    for n in EDGES:
        for at in {0, n // 2, n - 1}:
            rows = values((3, n), dtype)
            rows[1, at] = np.nan
            columns = np.ascontiguousarray(rows.T)
            for name in ("max", "min"):
                for got in (reduce(name, rows, (1,), isa), reduce(name, columns, (0,), isa)):
                    assert np.isnan(got[1]) and not np.isnan(got[0]) and not np.isnan(got[2])
            all_below = np.full((2, n), -np.inf, dtype)
            assert (reduce("max", all_below, (1,), isa) == -np.inf).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_wrap(dtype, isa):
    for shape, axes in CASES:
        x = np.asarray(np.random.default_rng(1).integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape), dtype)
        np.testing.assert_array_equal(reduce("sum", x, axes, isa), x.sum(axis=axes, dtype=dtype))
        np.testing.assert_array_equal(reduce("prod", x, axes, isa), x.prod(axis=axes, dtype=dtype))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64", "bool"])
def test_logic_and_counting(dtype, isa):
    for shape, axes in CASES:
        for share in (0.02, 0.5, 0.98):
            x = np.asarray(np.random.default_rng(2).random(shape) < share).astype(dtype)
            within("any", reduce("any", x, axes, isa, "bool"), x.any(axis=axes))
            within("all", reduce("all", x, axes, isa, "bool"), x.all(axis=axes))
            within("count_nonzero", reduce("count_nonzero", x, axes, isa, "int32"), (x != 0).sum(axis=axes))
    if dtype in FLOATS:
        assert reduce("any", np.array([np.nan], dtype), (0,), isa, "bool")
        assert not reduce("any", np.array([-0.0], dtype), (0,), isa, "bool")


def arg(name, x, start, stop, isa, **more):
    shape = x.shape[:start] + x.shape[stop:]
    return run(name, (x,), [(shape, "int32")], (start, stop), isa=isa, **more)[0]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64", "bool"])
def test_positions_of_the_first_extreme(dtype, isa):
    for shape in [
        (7,),
        (200_001,),
        (3, 70_000),
        (5, 64),
        (5, 65),
        (40, 3, 33),
        (2, 3, 600),
        (9, 1),
        (150, 10),
        (300, 16),
        (90, 1100),
    ]:
        x = np.random.default_rng(3).integers(-3, 4, shape)  # with many ties
        x = x > 2 if dtype == "bool" else x.astype(dtype)
        for name, fn in (("argmax", np.argmax), ("argmin", np.argmin)):
            assert int(arg(name, x, 0, x.ndim, isa)) == fn(x)
            for axis in range(x.ndim):
                within(name, arg(name, x, axis, axis + 1, isa), fn(x, axis=axis))
            if dtype in FLOATS:
                y = x.copy()
                y[np.random.default_rng(4).random(shape) < 0.2] = np.nan
                for axis in range(x.ndim):
                    np.testing.assert_array_equal(arg(name, y, axis, axis + 1, isa), fn(y, axis=axis))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_extreme_wins_across_blocks(name, dtype, isa):
    """Of a long row, whose extreme is sought block by block: NaN before all, then the first of equal ones."""
    sign = 1 if name == "argmax" else -1
    places = [0, 1, 4095, 4096, 4100, 8191, 8192, 9000]
    for k, first in enumerate(places):
        for second in places[k + 1 :]:
            x = np.zeros((1, 9001), dtype)
            x[0, [first, second]] = sign
            assert arg(name, x, 1, 2, isa) == first
            x[0, second] = 2 * sign
            assert arg(name, x, 1, 2, isa) == second
            x[0, second] = np.nan
            assert arg(name, x, 1, 2, isa) == second
            x[0, first] = np.nan
            assert arg(name, x, 1, 2, isa) == first
            x[0, second] = sign * np.inf
            assert arg(name, x, 1, 2, isa) == first
    assert arg(name, np.full((1, 9001), -sign * np.inf, dtype), 1, 2, isa) == 0


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_extreme_wins_in_rows_of_every_length(name, dtype, isa):
    """Of few vectors, many side by side, and of blocks of vectors of which the last overlaps the one before."""
    rng = np.random.default_rng(6)
    for n in (*range(1, 150), *range(253, 259), *range(509, 516), 600):
        x = rng.integers(-2, 3, (19, n)).astype(dtype)
        x[1], x[2], x[3] = -np.inf, np.inf, 0.0
        x[3, ::2] = -0.0
        np.testing.assert_array_equal(arg(name, x, 1, 2, isa), getattr(np, name)(x, axis=1), err_msg=str(n))
        x[rng.random(x.shape) < 0.5 / n] = np.nan
        x[4, rng.integers(n)] = np.inf  # beside what may be a NaN, and with an infinity of the other sign
        x[4, rng.integers(n)] = -np.inf
        np.testing.assert_array_equal(arg(name, x, 1, 2, isa), getattr(np, name)(x, axis=1), err_msg=str(n))
        few = x[4:5].copy()  # too few to go side by side
        np.testing.assert_array_equal(arg(name, few, 1, 2, isa), getattr(np, name)(few, axis=1), err_msg=str(n))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_short_rows_end_where_memory_ends(dtype, isa):
    """Rows that are compared side by side are read four columns at a time: none past the last row."""
    for n in (1, 2, 3, 4, 5, 9):
        for rows in (1, 2, 3, 4, 7, 8, 9, 10, 15, 16, 17, 18, 33):
            x = np.random.default_rng(n).integers(-3, 4, (rows, n)).astype(dtype)
            np.testing.assert_array_equal(arg("argmax", x, 1, 2, isa), x.argmax(1), err_msg=f"{rows} {n}")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [*FLOATS, "int32"])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_extreme_wins_across_segments(name, dtype, isa):
    """Of long columns, which threads share: ties and NaNs wherever they stand."""
    rng = np.random.default_rng(5)
    x = rng.integers(-9, 10, (40_000, 5)).astype(dtype)
    if dtype in FLOATS:
        x[rng.integers(0, 40_000, 3), [1, 1, 3]] = np.nan
        x[:, 2] = np.inf
        x[7, 2] = -np.inf
        x[:, 4] = np.nan
    core.set_num_threads(3)
    try:
        np.testing.assert_array_equal(arg(name, x, 0, 1, isa), getattr(np, name)(x, axis=0))
    finally:
        core.set_num_threads(0)


def flip(x, axis, reverse):
    return np.flip(x, axis) if reverse else x


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "int64"])
def test_scans(dtype, reverse, isa):
    for shape in [(1,), (0, 3), (3, 0), (50,), (4, 50), (50, 4), (3, 20, 1030), (2000, 40), (73, 130), (8, 64)]:
        for axis in range(len(shape)):
            x = values(shape, "float64", scale=0.1, shift=1)
            x = x.astype(dtype) if dtype in FLOATS else (10 * x).astype(dtype)
            spec, i = [(shape, dtype)], (axis, int(reverse))
            wide = exact(x) if dtype in FLOATS else x
            n = max(1, shape[axis])
            for name, fn in (("cumsum", np.cumsum), ("cumprod", np.cumprod)):
                want = flip(fn(flip(wide, axis, reverse), axis=axis, dtype=wide.dtype), axis, reverse)
                got = run(name, (x,), spec, i, isa=isa)[0]
                within(name, got, want, size=np.abs(want), k=n)
                # Rows side by side, in order: to the bit what one row alone comes to, and in place too.
                if axis == 1 and len(shape) == 2 and x.size:
                    alone = run(name, (x[-1:],), [((1, shape[1]), dtype)], i, isa=isa)[0]
                    assert alone.tobytes() == got[-1].tobytes()
                    place = x.copy()
                    core.run(core.find(name, dtype, isa), (place,), (place,), i, ())
                    assert place.tobytes() == got.tobytes()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
def test_linear_scan(dtype, reverse, isa):
    for shape, axis in [((1,), 0), ((30,), 0), ((3, 30), 1), ((30, 3), 0), ((2, 9, 1100), 1)]:
        a, b = values(shape, dtype, scale=0.7), values(shape, dtype, seed=1)
        wide = [np.moveaxis(exact(v), axis, 0) for v in (a, b)]
        s, size = wide[1].copy(), np.abs(wide[1])
        for a2, s2 in ((wide[0], s), (np.abs(wide[0]), size)):
            for k in range(1, shape[axis]):
                if reverse:
                    s2[-1 - k] += a2[-k] * s2[-k]
                else:
                    s2[k] += a2[k] * s2[k - 1]
        got = run("linear_scan", (a, b), [(shape, dtype)], (axis, reverse), isa=isa)[0]
        want, size = (np.moveaxis(v, 0, axis) for v in (s, size))
        within("linear_scan", got, want, size=size, k=shape[axis])


@pytest.mark.parametrize("isa", ISAS)
def test_same_bits_at_any_thread_count(isa):
    for shape, axes in CASES[-12:]:
        x = values(shape, "float32")
        for name in ("sum", "mean", "sum_square", "prod", "max"):
            same_bits_at_any_thread_count(
                name, (x,), [(kept(shape, axes), "float32")], [sum(1 << a for a in axes)], isa=isa
            )
    x = values((3, 90_000), "float32")
    same_bits_at_any_thread_count("argmax", (x,), [((), "int32")], (0, 2), isa=isa)
    x = np.round(values((300, 700), "float32"), 1)  # columns in segments, ties among them
    same_bits_at_any_thread_count("argmax", (x,), [((700,), "int32")], (0, 1), isa=isa)
    same_bits_at_any_thread_count("cumsum", (x,), [(x.shape, "float32")], (1, 0), isa=isa)
    for axis, shape in ((0, x.shape), (1, (2, 150, 700))):  # columns, divided among the threads
        for reverse in (0, 1):
            spec = [(shape, "float32")]
            same_bits_at_any_thread_count("cumsum", (x.reshape(shape),), spec, (axis, reverse), isa=isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_of_short_rows(name, isa):
    """NaN and infinities stay in their row, and the sign of a zero does not depend on where its row stands."""
    rng = np.random.default_rng(0)
    for dtype in FLOATS:
        for m, n in ((37, 2), (37, 10), (33, 16), (35, 17), (20, 50)):
            x = rng.standard_normal((m, n)).astype(dtype)
            x[::5] = rng.choice(np.array([0.0, -0.0]), (len(x[::5]), n))
            x[3, n - 1], x[4, 0], x[7, n // 2], x[8, 1] = np.nan, np.nan, np.inf, -np.inf
            got = run(name, (x,), [((m,), dtype)], (2,), isa=isa)[0]
            np.testing.assert_array_equal(got, getattr(np, name)(x, 1))
            for r in range(0, m, 5):
                alone = run(name, (np.stack([x[r]] * 2),), [((2,), dtype)], (2,), isa=isa)[0]
                assert (alone.tobytes(), alone[0]) == (got[[r, r]].tobytes(), alone[1])
