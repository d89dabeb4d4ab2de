"""Attention kernels against NumPy in float64, around the edges of blocks and panels, on every ISA and thread count."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish._core import core

from ..ops.samples.attention import attention, attention_bias_grad
from .bounds import within
from .calls import FLOATS, run, same_bits_at_any_thread_count

ISAS = core.isas()
# batch, queries, keys, heads, key heads, width, value width
SHAPES = [
    (1, 1, 1, 1, 1, 1, 1),
    *((1, t, 33, 1, 1, 5, 3) for t in (3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33)),
    *((1, 20, s, 1, 1, 4, 4) for s in (1, 2, 3, 5, 13, 14, 15, 127, 128, 129)),
    (2, 129, 257, 2, 1, 8, 8),
    (1, 200, 130, 6, 2, 17, 33),
    (3, 5, 6, 2, 2, 64, 1),
    (1, 4, 5, 1, 1, 130, 70),
    (40, 3, 4, 2, 1, 2, 2),
    # Rows whose distances crowd few sets of L1, which are copied: all of them, one alone, and too wide ones.
    (1, 150, 140, 16, 16, 32, 32),
    (1, 33, 129, 16, 16, 32, 5),
    (1, 16, 130, 8, 4, 7, 128),
    (1, 50, 65, 4, 4, 256, 136),
]


def inputs(shape, dtype, bias=None, mask=None):
    b, t, s, n, groups, h, d = shape
    rng = np.random.default_rng(shape)

    def values(*shape):
        return rng.uniform(-1, 1, shape).astype(dtype)

    extras = [values(*bias)] if bias else []
    if mask:
        extras.append(rng.uniform(size=mask) > 0.3)
    factor = np.array(min(3, 192 / h), dtype)  # logits stay below about 10, which the bounds are for
    return (values(b, t, n, h) * factor, values(b, s, groups, h), values(b, s, groups, d)), extras, values


def check(name, got, want):
    for g, w in zip(got, want):
        within(name, g, w)


def both_passes(shape, dtype, isa, bias=None, mask=None, causal=False):
    """Runs the kernels of an ISA and compares all outputs."""
    b, t, s, n, _, _, d = shape
    qkv, extras, values = inputs(shape, dtype, bias, mask)
    i, f = (int(causal), int(bias is not None), int(mask is not None), 0), (0.4, 0.0)
    attrs = {"scale": 0.4, "causal": causal, "bias": bias is not None, "mask": mask is not None, "rate": 0.0}
    wide = [x.astype("float64") if x.dtype == dtype else x for x in (*qkv, *extras)]
    outs = [((b, t, n, d), dtype), ((b, n, t), dtype)]
    y, lse = run("attention", (*qkv, *extras), outs, i, f, isa=isa)
    want = attention(*wide, **attrs)
    check("attention", (y, lse), want)
    same_bits_at_any_thread_count("attention", (*qkv, *extras), outs, i, f, isa=isa)

    g, glse = values(b, t, n, d), values(b, n, t)
    ins = (*qkv, y, lse, g, glse, *extras)
    outs = [(x.shape, dtype) for x in qkv] + [((b, n, t, s), dtype)]
    got = run("attention_grad", ins, outs, i, f, isa=isa)
    wide[3:3] = [*want, g.astype("float64"), glse.astype("float64")]
    check("attention_grad", got, attention_bias_grad(*wide, **attrs))
    for a, c in zip(got, run("attention_grad", ins, outs[:3], i, f, isa=isa)):
        np.testing.assert_array_equal(a, c)
    same_bits_at_any_thread_count("attention_grad", ins, outs, i, f, isa=isa)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_shapes(dtype, isa):
    for shape in SHAPES:
        both_passes(shape, dtype, isa)
        both_passes(shape, dtype, isa, causal=True)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("causal", [False, True])
def test_bias_and_mask_in_every_broadcast_form(causal, dtype, isa):
    shape = b, t, s, n, *_ = (2, 37, 131, 2, 1, 4, 3)
    for bits in range(16):
        broadcast = tuple(d if bits >> k & 1 else 1 for k, d in enumerate((b, n, t, s)))
        both_passes(shape, dtype, isa, bias=broadcast, causal=causal)
        both_passes(shape, dtype, isa, mask=broadcast, causal=causal)
    both_passes(shape, dtype, isa, bias=(1, 1, t, s), mask=(b, 1, 1, s), causal=causal)


@pytest.mark.parametrize("isa", ISAS)
def test_weights_far_below_the_largest(isa):
    """Logits from 0 to -150: what no number of float32 can be is 0, and nothing turns its sign or grows."""
    keys = 151
    q, k = np.ones((1, 1, 1, 1), "float32"), -np.arange(keys, dtype="float32").reshape(1, keys, 1, 1)
    v = np.zeros((1, keys, 1, keys), "float32")
    v[0, np.arange(keys), 0, np.arange(keys)] = 1  # y has the weights
    y, _ = run(
        "attention", (q, k, v), [((1, 1, 1, keys), "float32"), ((1, 1, 1), "float32")], (0,) * 4, (1.0, 0.0), isa=isa
    )
    want = np.exp(-np.arange(keys, dtype="float64"))
    np.testing.assert_allclose(y[0, 0, 0], want / want.sum(), rtol=1e-5, atol=1.2e-38)
    assert (y >= 0).all()


@pytest.mark.parametrize("isa", ISAS)
def test_nan_of_any_payload_stays(isa):
    for bits in (0x7FC00000, 0xFFC00000, 0x7FC00001, 0x7FC001FF, 0xFFFFFFFF):
        q, k, v = (np.ones((1, 2, 1, 4), "float32") for _ in range(3))
        q[0, 1] = np.array([bits], "uint32").view("float32")
        outs = [((1, 2, 1, 4), "float32"), ((1, 1, 2), "float32")]
        y, lse = run("attention", (q, k, v), outs, (0,) * 4, (1.0, 0.0), isa=isa)
        assert np.isfinite(y[0, 0]).all() and np.isnan(y[0, 1]).all() and np.isnan(lse[0, 0, 1])
