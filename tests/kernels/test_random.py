"""Random kernels: Philox's published vectors, NumPy references, equal bits on every ISA, distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kerasish._core import core

from . import calls, philox
from .bounds import within
from .error_function import erf

SEED = np.array([123456789, 7], "uint32")
SIZES = (0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 1000, 8191, 8193, 70001)
FLOATS = ("float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def draw(name, isa, shape, dtype, i=(0,), f=(), seed=SEED, threads=2):
    return calls.run(name, (seed,), [(shape, dtype)], i, f, isa, threads, "uint32")[0]


def signed(value):
    return (value + 2**63) % 2**64 - 2**63


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(
    ("counter", "key", "result"),
    [  # Random123's known answers for philox4x32, 10 rounds
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_known_answers(counter, key, result, isa):
    c, k, want = ([int(word, 16) for word in text.split()] for text in (counter, key, result))
    block, stream = c[0] | c[1] << 32, c[2] | c[3] << 32
    got = draw("random_bits", isa, (64,), "uint32", (signed(stream), signed(block)), seed=np.array(k, "uint32"))
    assert got[::16].tolist() == want
    assert philox.blocks(k, block, 1, stream)[0].tolist() == want


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("stream", [0, 5, 2**40])
def test_bits(stream, isa):
    for n in SIZES:
        within("random_bits", draw("random_bits", isa, (n,), "uint32", (stream, 0)), philox.words(SEED, n, stream))


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform(dtype, isa):
    for n in SIZES:
        u = philox.uniform(SEED, n, dtype).astype(dtype)
        within("random_uniform", draw("random_uniform", isa, (n,), dtype, (0,), (0.0, 1.0)), u)
        want = (np.array(-3, dtype) + np.array(5, dtype) * u).astype(dtype)
        within("random_uniform", draw("random_uniform", isa, (n,), dtype, (0,), (-3.0, 2.0)), want)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_stays_below_its_upper_end(dtype, isa):
    """Where the ends are neighbours, half of the sums round up."""
    low = np.array(1, dtype)
    high = np.nextafter(low, np.array(2, dtype))
    out = draw("random_uniform", isa, (1000,), dtype, (0,), (float(low), float(high)))
    assert (out == low).all()
    out = draw("random_uniform", isa, (100,), dtype, (0,), (float(low), float(low)))
    assert (out == low).all()


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", FLOATS)
def test_normal(dtype, isa):
    for n in SIZES:
        z = philox.normal(SEED, n, dtype)
        got = draw("random_normal", isa, (n,), dtype, (0,), (0.0, 1.0))
        within("random_normal", got, z)
        got = draw("random_normal", isa, (n,), dtype, (0,), (5.0, 0.5))
        within("random_normal", got, 5 + 0.5 * z, size=0.5 + 1)  # the sum is rounded, too


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", FLOATS)
def test_truncated_normal_is_the_inverse_of_the_distribution_function(dtype, isa):
    for n in (1, 33, 5000):
        z = draw("random_truncated_normal", isa, (n,), dtype, (0,), (0.0, 1.0))
        assert (np.abs(z) <= 2).all()
        root = np.sqrt(np.longdouble(2))
        p = (erf(z / root) / erf(root) + 1) / 2
        within("random_truncated_normal", p, philox.fractions(SEED, n, dtype, 0.5), dtype=dtype)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(dtype, isa):
    info = np.iinfo(dtype)
    for low, high in ((0, 1), (0, 3), (1, 100), (int(info.min), int(info.max)), (int(info.min), int(info.max) + 1)):
        for n in (0, 1, 31, 33, 2000):
            got = draw("random_integers", isa, (n,), dtype, (0, signed(low), signed(high - low)))
            want = [low + (int(u) * (high - low) >> 64) for u in philox.words64(SEED, n)]
            within("random_integers", got, np.array(want, dtype))


def drop(isa, x, rate, noise=(), threads=2, out=None):
    core.set_num_threads(threads)
    try:
        out = core.empty(x.shape, str(x.dtype)) if out is None else out
        core.run(core.find("dropout", str(x.dtype), isa), (x, SEED), (out,), noise, (rate,), "dropout")
        return out
    finally:
        core.set_num_threads(0)


def drop_and_drop_again(isa, x, g, rate, in_place, threads=2):
    """dropout of x and what it keeps, then dropout of g by that."""
    core.set_num_threads(threads)
    try:
        noted = core.empty(x.shape, "bool")
        y, dx = (a.copy() if in_place else np.empty_like(a) for a in (x, g))
        ins = (y if in_place else x, SEED), (dx if in_place else g, noted)
        core.run(core.find("dropout", str(x.dtype), isa), ins[0], (y, noted), (), (rate,), "dropout")
        core.run(core.find("dropout_again", str(x.dtype), isa), ins[1], (dx,), (), (rate,), "dropout_again")
        return y, noted, dx
    finally:
        core.set_num_threads(0)


def kept(shape, rate):
    n = math.prod(shape)
    return (philox.words(SEED, n) < round((1 - rate) * 2**32)).reshape(shape)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout(dtype, isa):
    for n in SIZES:
        x = np.random.default_rng(n).standard_normal(n).astype(dtype)
        for rate in (0.0, 0.3, 0.9, 1.0):
            got = drop(isa, x, rate)
            want = np.where(kept((n,), rate), x * np.array(1 / (1 - rate or 1), dtype), 0)
            within("dropout", got, want)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize(
    ("shape", "noise"),
    [
        ((6, 5), (6, 1)),
        ((6, 5), (1, 5)),
        ((6, 5), (1, 1)),
        ((4, 7, 33), (4, 1, 33)),
        ((4, 7, 33), (1, 7, 1)),
        ((64, 30, 40), (64, 1, 40)),
        ((3, 0, 2), (3, 1, 2)),
    ],
)
def test_dropout_with_shared_noise(shape, noise, isa):
    x = np.random.default_rng(3).standard_normal(shape).astype("float32")
    want = np.where(np.broadcast_to(kept(noise, 0.4), shape), x * np.float32(1 / 0.6), 0)
    np.testing.assert_array_equal(drop(isa, x, 0.4, noise), want)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_again(dtype, isa):
    """What is kept is noted, and from the note comes what dropout gives for the same seed."""
    for n in SIZES:
        x, g = (np.random.default_rng(n + k).standard_normal(n).astype(dtype) for k in range(2))
        g[::3] = np.inf
        for rate in (0.3, 0.9, 1.0):
            for in_place in (False, True):
                y, noted, dx = drop_and_drop_again(isa, x, g, rate, in_place)
                np.testing.assert_array_equal(y, drop(isa, x, rate))
                np.testing.assert_array_equal(noted, kept((n,), rate))
                if rate < 1:
                    within("dropout_again", dx, drop(isa, g, rate).astype("float64"), dtype=dtype)


@pytest.mark.parametrize("isa", core.isas())
@pytest.mark.parametrize("shape", [(5,), (1000,), (3, 700)])
def test_dropout_may_write_where_it_reads(shape, isa):
    x = np.random.default_rng(1).standard_normal(shape).astype("float32")
    want, y = drop(isa, x, 0.4), x.copy()
    np.testing.assert_array_equal(drop(isa, y, 0.4, out=y), want)


@pytest.mark.parametrize("name", ["dropout", "dropout_again"])
def test_dropout_refuses_what_does_not_fit(name):
    x, few = np.zeros((4, 6), "float32"), np.zeros(7, "bool")
    ins = {"dropout": (x, SEED), "dropout_again": (x, few)}[name]
    outs, noise = {"dropout": ((x, np.zeros(x.shape, "bool")), (4, 1)), "dropout_again": ((x,), ())}[name]
    with pytest.raises(RuntimeError, match=f"{name}: the kernel refused"):
        core.run(core.find(name, "float32"), ins, outs, noise, (0.5,), name)


def test_dropout_drops_what_is_not_finite():
    x = np.full(100, np.inf, "float32")
    got = drop(None, x, 0.5)
    np.testing.assert_array_equal(got, np.where(kept((100,), 0.5), np.inf, 0))


def test_every_isa_and_thread_count_gives_the_same_bits():
    n = 100003
    x = np.random.default_rng(0).standard_normal(n).astype("float32")
    cases = [(name, dtype, (0,), (-0.3, 1.7)) for dtype in FLOATS for name in
             ("random_uniform", "random_normal", "random_truncated_normal")]  # fmt: skip
    cases.append(("random_integers", "int32", (0, -5, 17), ()))
    for name, dtype, i, f in cases:
        got = {draw(name, isa, (n,), dtype, i, f, threads=t).tobytes() for isa in core.isas() for t in (1, 2, 3, 8)}
        assert len(got) == 1, name
    assert len({drop(isa, x, 0.5, threads=t).tobytes() for isa in core.isas() for t in (1, 2, 3, 8)}) == 1
    again = [drop_and_drop_again(isa, x, x, 0.5, False, t) for isa in core.isas() for t in (1, 2, 3, 8)]
    assert len({b"".join(a.tobytes() for a in arrays) for arrays in again}) == 1


def test_a_part_is_the_beginning_of_the_whole():
    whole = draw("random_normal", None, (1000,), "float32", (0,), (0.0, 1.0))
    assert draw("random_normal", None, (7, 11), "float32", (0,), (0.0, 1.0)).ravel().tolist() == whole[:77].tolist()


def test_next_seed():
    for second in (0, 1, 2**32 - 1):
        got = draw("next_seed", None, (2,), "uint32", (), seed=np.array([9, second], "uint32"))
        within("next_seed", got, np.array([9, (second + 1) % 2**32], "uint32"))


def kolmogorov(sample, cdf):
    """sqrt(n) times the largest distance from the distribution function; above 1.95 with probability 0.001."""
    p = cdf(np.sort(sample.astype("float64")))
    n = len(p)
    steps = np.arange(n + 1) / n
    return math.sqrt(n) * max(np.max(steps[1:] - p), np.max(p - steps[:-1]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("seed", [(0, 0), (1, 0), (1, 1), (2**32 - 1, 5)])
def test_distributions(seed, dtype):
    seed, n = np.array(seed, "uint32"), 40000
    phi = np.vectorize(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2)
    u = draw("random_uniform", None, (n,), dtype, (0,), (0.0, 1.0), seed)
    assert kolmogorov(u, lambda x: x) < 1.95
    z = draw("random_normal", None, (n,), dtype, (0,), (0.0, 1.0), seed)
    assert kolmogorov(z, phi) < 1.95
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.02
    t = draw("random_truncated_normal", None, (n,), dtype, (0,), (0.0, 1.0), seed)
    assert kolmogorov(t, lambda x: (phi(x) - phi(-2)) / (phi(2) - phi(-2))) < 1.95
    counts = np.bincount(draw("random_integers", None, (n,), "int32", (0, 0, 10), (), seed), minlength=10)
    assert ((counts - n / 10) ** 2 / (n / 10)).sum() < 27.9  # chi-squared with 9 degrees of freedom, 0.001
