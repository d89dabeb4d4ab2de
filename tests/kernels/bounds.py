"""The error bounds that docs/accuracy.md states, and the one way to assert them: `within`.

`python -m tests.kernels.bounds` runs the kernel tests and prints the largest errors they met beside the bounds.
"""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
U = {"float32": 2.0**-24, "float64": 2.0**-53}
# What an error is measured in, as the page calls it: (result, `size` of the call, dtype) to the unit.
UNITS = {
    "exact": None,
    "ulp": lambda y, size, dtype: ulp(y, dtype),
    "u": lambda y, size, dtype: U[dtype] * (1.0 if size is None else size),
    "u \\|y\\|": lambda y, size, dtype: U[dtype] * np.abs(y),
    "u Σ\\|terms\\|": lambda y, size, dtype: U[dtype] * size,
    "u max\\|y\\|": lambda y, size, dtype: U[dtype] * (largest(y) if size is None else size),
    "u rms(y)": lambda y, size, dtype: U[dtype] * root_mean_square(y),
}


class Bound(NamedTuple):
    unit: str
    tested: dict[str, str]  # by dtype: a number, or a formula of k
    found: dict[str, float]  # by dtype: the largest error met when the page was written; of a formula, in % of it
    always: str  # for any data, "" where no theorem says so


@cache
def table() -> dict[tuple[str, str], Bound]:
    """(kernel, what of it) to its bound. What of it is "", or the words behind the kernels' names."""
    bounds: dict[tuple[str, str], Bound] = {}
    for line in PAGE.read_text().splitlines():
        if not line.startswith("| `"):
            continue
        kernels, unit, f32, f64, always, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        assert unit in UNITS, f"docs/accuracy.md has an unknown unit {unit!r}"
        of = re.sub(r"`\w+`", "", kernels).strip(" ,")
        cells = {"float32": f32, "float64": f64} if unit != "exact" else {}
        parts = {dtype: re.fullmatch(r"(.+) \(([\d.]+)(?: %)?\)", cell) for dtype, cell in cells.items()}
        bound = Bound(unit, {d: p[1] for d, p in parts.items()}, {d: float(p[2]) for d, p in parts.items()}, always)
        for name in re.findall(r"`(\w+)`", kernels):
            assert (name, of) not in bounds, f"docs/accuracy.md names {name} {of} twice"
            bounds[name, of] = bound
    return bounds


def value(formula: str, k: int | None = None) -> float:
    """A bound as the page writes it: a number, or a formula of k with sqrt and log64; `2 sqrt(k)` is a product."""
    formula = re.sub(r"(?<=\d) (?=[a-z(])", "*", formula)
    names = {"sqrt": math.sqrt, "log64": lambda n: math.log(max(n, 1), 64)}
    return float(eval(formula, {"__builtins__": {}}, names | ({} if k is None else {"k": k})))


def ulp(y: np.ndarray, dtype: str) -> np.ndarray:
    """The distance of neighbouring numbers at y; of a zero, 0."""
    return np.where(y == 0, 0, np.ldexp(np.ones_like(y), np.frexp(y)[1] - np.finfo(dtype).nmant - 1))


def largest(y: np.ndarray) -> float:
    return np.abs(y[np.isfinite(y)]).max(initial=0)


def root_mean_square(y: np.ndarray) -> float:
    return np.sqrt(np.square(y, dtype="float64").mean())


errors: dict[tuple[str, str, str], list] | None = None  # where they are collected: largest error, bound


def within(name, got, want, *, of="", dtype=None, size=None, k=None) -> None:
    """Asserts that an output of a kernel is as near to the reference as the page states.

    of     what of the kernel, where the page has several rows for it
    dtype  the kernel's, where the array that is compared has another
    size   what the unit is of: the sum of the sizes of the terms of each element, or the largest size of the results
    k      the number of terms, for bounds that depend on it
    """
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, (name, got.shape, want.shape)
    bound, dtype = table()[name, of], dtype or str(got.dtype)
    if bound.unit == "exact" or dtype not in U:
        np.testing.assert_array_equal(got, want, f"{name} {of}")
        if errors is not None:
            errors.setdefault((name, of, dtype), [0.0, 0.0])
        return
    with np.errstate(all="ignore"):
        finite = np.isfinite(want)
        if not finite.all():
            np.testing.assert_array_equal(got[~finite], want[~finite], f"{name} {of}")
            got, want = np.where(finite, got, 0), np.where(finite, want, 0)
        error, unit = np.abs(got - want), UNITS[bound.unit](want, size, dtype)
        unit = unit * want.any()  # of nothing but zeros, the result must be these
        if "root mean square" in of:
            error = root_mean_square(error)
        limit = value(bound.tested[dtype], k)
        if bound.always and k is not None:
            limit = min(limit, value(bound.always, k))
        if errors is None and (error <= limit * unit).all():
            return
        ratio = np.where(error == 0, 0, error / unit)
        worst = np.max(ratio, initial=0)
    if errors is not None:
        one = errors.setdefault((name, of, dtype), [0.0, limit])
        if not one[1] or not worst / limit < one[0] / one[1]:
            one[:] = [worst, limit]
    assert worst <= limit, (
        f"{name} {of} {dtype}: an error of {float(worst):.4g} {bound.unit}, where docs/accuracy.md states {limit:.4g}"
    )


if __name__ == "__main__":
    import sys

    import pytest

    from tests.kernels import bounds

    bounds.errors = {}
    here = Path(__file__)  # test_bounds.py errs on purpose
    code = pytest.main(["-q", "--ignore", str(here.with_name("test_bounds.py")), *(sys.argv[1:] or [str(here.parent)])])
    for (name, of, dtype), (worst, limit) in sorted(bounds.errors.items()):
        print(f"{name:36} {of:28} {dtype:8} found {float(worst):9.3g}   stated {limit:9.3g}")
    for name, of in sorted(set(bounds.table()) - {key[:2] for key in bounds.errors}):
        print(f"{name:36} {of:28} not met")
    sys.exit(code)
