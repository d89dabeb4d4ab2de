"""docs/accuracy.md states a bound for every kernel of the registry, and what other places say agrees with it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from kerasish._core import core

from . import bounds

HEADER = Path(__file__).parents[2] / "csrc" / "elementwise" / "vmath.h"
KERNELS = {name for name, _ in core.kernels()}
# These have no bound of their own, as the page says: a probe of the machine, and kernels that only move weights.
WITHOUT = {"fma_peak", *(name for name in KERNELS if name.endswith("_pack"))}


def test_every_kernel_has_its_bound():
    named = {name for name, of in bounds.table() if not of}
    parts = {name for name, of in bounds.table() if of}
    assert KERNELS - WITHOUT - named - parts == set()
    assert (named | parts) - KERNELS == set()
    assert (named | parts) & WITHOUT == set()
    assert {name.removesuffix("_pack") for name in WITHOUT - {"fma_peak"}} <= named


def test_bounds_lie_above_what_was_found():
    for (name, of), bound in bounds.table().items():
        for dtype, found in bound.found.items():
            stated = bounds.value(bound.tested[dtype]) if "k" not in bound.tested[dtype] else 100
            assert found <= stated, (name, of, dtype)


def test_the_header_of_the_elementary_functions_states_the_same():
    lines = re.findall(r"^ \*     ([a-z][\w ]*?) {2,}([\d.]+) +([\d.]+)  ", HEADER.read_text(), re.M)
    stated = {name.replace("pow", "power"): (float(a), float(b)) for names, a, b in lines for name in names.split()}
    assert len(stated) == 18
    for name, (f32, f64) in stated.items():
        bound = bounds.table()[name, ""]
        assert bound.unit == "ulp"
        assert (bounds.value(bound.tested["float32"]), bounds.value(bound.tested["float64"])) == (f32, f64), name


def one(error):
    """Asserts that an error of so many units of the row of `gather_grad` (u of the sum of the terms) is met."""
    want = np.array([1.0])
    bounds.within("gather_grad", np.array([1 + error * 2**-24], "float32"), want, size=want)


def test_an_error_above_the_bound_is_told():
    limit = bounds.value(bounds.table()["gather_grad", ""].tested["float32"])
    one(limit - 2)
    with pytest.raises(AssertionError, match=rf"gather_grad  float32: an error of .* where .* states {limit:.4g}"):
        one(limit + 2)
    for got, want in ((np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (-np.inf, np.inf)):
        with pytest.raises(AssertionError):
            bounds.within("gather_grad", np.array([got], "float32"), np.array([want]), size=1)
    with pytest.raises(AssertionError):
        bounds.within("add", np.array([1.0]), np.array([1.0 + 2**-52]))
    with pytest.raises(AssertionError):
        bounds.within("exp", np.array([1e-300]), np.array([0.0]))


def test_formulas():
    assert bounds.value("1.5") == 1.5
    assert bounds.value("3 sqrt(k)", 4) == 6
    assert bounds.value("80 (1 + log64(k))", 64) == 160
    assert bounds.value("k + 2", 7) == 9
