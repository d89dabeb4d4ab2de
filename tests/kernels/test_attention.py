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
]


def inputs(shape, dtype, bias=None, mask=None):
    b, t, s, n, groups, h, d = shape
    rng = np.random.default_rng(shape)

    def values(*shape):
        return rng.uniform(-1, 1, shape).astype(dtype)

    extras = [values(*bias)] if bias else []
    if mask:
        extras.append(rng.uniform(size=mask) > 0.3)
    return (values(b, t, n, h) * 3, values(b, s, groups, h), values(b, s, groups, d)), extras, values


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
