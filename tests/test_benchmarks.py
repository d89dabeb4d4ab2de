"""What benchmarks/ computes rather than measures: the limit of a call, and that the cases are calls that run."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kerasish._core import core

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def roofline(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import roofline

    # A machine of 192 GFLOP/s, so 6e9 vector operations of 16 lanes, and 10 GB/s, twice that for reading.
    monkeypatch.setattr(roofline, "fma_peak", lambda threads, isa: {"float32": 192.0})
    monkeypatch.setattr(roofline, "multiply_adds", lambda isa: None)
    monkeypatch.setattr(
        roofline, "bandwidth", lambda threads, isa, size: {"read": 20.0, "triad": 10.0, "copy": 8.0, "fill": 5.0}
    )
    monkeypatch.setattr(roofline, "caches", lambda: [("L1", 48 << 10, 1), ("L2", 2 << 20, 1), ("L3", 32 << 20, 2)])
    yield roofline
    for name in ("roofline", "peak", "shapes", "streams", "case", "operations", "figures"):
        sys.modules.pop(name, None)


def test_the_largest_of_the_three_times_is_the_limit(roofline):
    limits = roofline.Limits(1, "avx512")
    assert limits.operations == 6e9

    def case(flops, work):
        return roofline.Case("group", "name", "kernel", (), (), flops=flops, work=work)

    assert limits.of(case(0, ()), 10_000, 10_000) == (pytest.approx(20_000 / 8e9), "memory L1")
    assert limits.of(case(1e6, ()), 10_000, 10_000) == (pytest.approx(1e6 / 192e9), "FMA")
    # 10 000 exponentials are 12 operations for each vector of 16.
    assert limits.of(case(1e5, (("exp", 10_000),)), 10_000, 0) == (
        pytest.approx(10_000 * 12 / 16 / 6e9), "vector operations",
    )  # fmt: skip
    # On AVX2 the same rate of flops is that of twice as many operations, and exp takes 20.
    assert roofline.Limits(1, "avx2").of(case(0, (("exp", 10_000),)), 10_000, 0)[0] == (
        pytest.approx(10_000 * 20 / 8 / 12e9)
    )


def test_float64_is_multiplied_at_half_the_rate(roofline):
    limits = roofline.Limits(1, "avx512")
    for dtype, rate in (("float32", 192e9), ("float64", 96e9)):
        case = roofline.Case("group", "name", "kernel", (((2, 3), dtype),), (), flops=1e6)
        assert limits.of(case, 100, 100) == (pytest.approx(1e6 / rate), "FMA")


@pytest.mark.parametrize(
    ("read", "written", "gb"), [(99, 1, 20.0), (90, 10, 20.0), (2, 1, 10.0), (1, 1, 8.0), (1, 9, 5.0), (0, 1, 5.0)]
)
def test_bytes_are_counted_at_the_rate_of_what_writes_as_much(roofline, read, written, gb):
    case = roofline.Case("group", "name", "kernel", (), ())
    assert roofline.Limits(1, "avx512").of(case, read, written)[0] == pytest.approx((read + written) / gb / 1e9)


@pytest.mark.parametrize(
    ("threads", "size", "level"),
    [(1, 48 << 10, "memory L1"), (1, 49 << 10, "memory L2"), (2, 96 << 10, "memory L1"), (1, 3 << 20, "memory L3"),
     (2, 4 << 20, "memory L2"), (2, 32 << 20, "memory L3"), (2, 33 << 20, "memory")],
)  # fmt: skip
def test_the_level_that_holds_the_working_set(roofline, threads, size, level):
    assert roofline.Limits(threads, "avx512").level(size) == level


def test_every_isa_counts_the_same_functions(roofline):
    from operations import OPERATIONS, operations

    assert len({frozenset(row) for row in OPERATIONS.values()}) == 1
    assert operations((("plain", 3), ("log", 2)), "avx512") == 45
    assert operations((("log", 2),), "neon") == operations((("log", 2),), "avx2")


def test_cases_are_calls_that_run_and_give_what_numpy_gives(roofline):
    """The light families, but for what is large: an attribute in a wrong place would time another computation."""
    from operations import operations

    tried = 0
    for case in roofline.cases():
        assert type(operations(case.work, "avx512")) is float  # a count of NumPy's type cannot be written as JSON
        shapes = [s[0] if len(s) == 2 and isinstance(s[1], str) else s for s in (*case.ins, *case.outs)]
        if case.group not in ("move", "elementwise", "layer_norm", "softmax", "loss", "random") or max(
            int(np.prod(s)) for s in shapes
        ) > 500_000:  # fmt: skip
            continue
        ins, outs = roofline.arrays(case)
        core.run(core.find(case.kernel, roofline.dtype_of(case)), ins, outs, case.i, case.f)
        if case.numpy:
            expected = np.asarray(case.numpy(*ins)).reshape(outs[0].shape)
            np.testing.assert_allclose(outs[0], expected, rtol=1e-3, atol=1e-5)
        tried += 1
    assert tried > 40


def test_threads_take_their_own_run_of_tasks_and_then_help_the_others(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import balance

    assert balance.makespan([4, 1, 1, 1, 1, 1], 2) == 5  # the second thread takes one of the first's
    assert balance.makespan([3, 3, 2, 2, 2], 2) == 6
    assert balance.makespan([5, 1], 8) == 5  # more threads than tasks
    assert balance.makespan(range(1, 9), 1) == 36
    for name in ("balance", "models"):
        sys.modules.pop(name, None)


def test_figures_become_tables(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import figures

    def row(threads, seconds, **more):
        return {"group": "matmul", "shape": "square", "kernel": "matmul", "isa": "avx2", "threads": threads,
                "binds": "FMA", "flops": 2e9, "bytes": 1e6, "operations": 0.0, "share": 0.5, "seconds": seconds,
                **more}  # fmt: skip

    rows = [
        row(1, {"ours": 0.02, "numpy": 0.03}),
        row(2, {"ours": 0.01}),
        row(1, {"ours": 1e-4}, group="random", shape="many", kernel="dropout", binds="memory L3", share=1.02),
    ]
    runs = [{"machine": ["a machine"], "rows": rows[::2]}, {"machine": ["its two threads"], "rows": rows[1:2]}]
    assert figures.page(runs).splitlines() == [
        "# Figures on AVX2",
        "",
        *figures.LEGEND,
        "",
        "- a machine",
        "- its two threads",
        "",
        "## Products",
        "",
        "| shape | kernel | limit | 1 thread | 2 threads | NumPy |",
        "|---|---|---|---|---|---|",
        "| square | `matmul` | FMA | 100 GFLOP/s, 50% | 200 GFLOP/s, 50% | 1.50 |",
        "",
        "## Random",
        "",
        "| shape | kernel | limit | 1 thread |",
        "|---|---|---|---|",
        "| many | `dropout` | memory L3 | 10 GB/s, 102% |",
    ]
    sys.modules.pop("figures", None)
