"""Samples of comparisons, logic, kinds of numbers, closeness and choice."""

import numpy as np

from ..sample import Sample, ints, rand

COMPARISONS = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
}
LOGIC = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}
KINDS = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "signbit": np.signbit}
ODD = np.array([0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan])
TOLERANCES = {"rtol": 1e-3, "atol": 1e-6, "equal_nan": True}

SAMPLES = [
    *(Sample(name, (np.round(rand(4, 5)), np.round(rand(5, seed=1))), reference=fn)
      for name, fn in COMPARISONS.items()),
    *(Sample(name, (ints(4, 5, high=3, dtype=dtype), ints(5, high=3, seed=1, dtype=dtype)), reference=fn)
      for name, fn in COMPARISONS.items() for dtype in ("int32", "int64", "uint8", "bool", "int8")),
    Sample("equal", (np.array([1 + 1j, 2], "complex64"), np.array([1 + 1j, 2j], "complex64")), reference=np.equal),
    Sample("less", (rand(0, 3), rand(3)), reference=np.less),
    *(Sample(name, (ints(4, 5, high=2, dtype="bool"), ints(5, high=2, seed=1, dtype="bool")), reference=fn)
      for name, fn in LOGIC.items()),
    Sample("logical_not", (ints(4, 5, high=2, dtype="bool"),), reference=np.logical_not),
    *(Sample(name, (ODD,), reference=fn) for name, fn in KINDS.items()),
    *(Sample(name, (np.array([0, 3, -2]),), reference=fn) for name, fn in KINDS.items()),
    Sample("isnan", (ODD.astype("float16"),), reference=np.isnan),
    Sample("heaviside", (np.array([-1.5, 0.0, 2.0]), rand(3)), grad=(1,), reference=np.heaviside),
    *(Sample(name, (np.array([1.0, np.nan, 2.0, 3.0]), np.array([1.0005, np.nan, 2.1, 3.0])), TOLERANCES, reference=fn)
      for name, fn in (("isclose", np.isclose), ("allclose", np.allclose))),
    Sample("allclose", (np.ones(3), np.ones((2, 3))), TOLERANCES, reference=np.allclose),
    *(Sample("select", (ints(*c, high=2, dtype="bool"), rand(*a), rand(*b, seed=1)), reference=np.where)
      for c, a, b in (((4, 5), (4, 5), (4, 5)), ((4, 1), (5,), ()), ((), (3, 2), (2,)), ((0, 3), (1, 3), (3,)))),
    *(Sample("select", (ints(4, 5, high=2, dtype="bool"), ints(5, high=9, dtype=d), ints(4, 1, high=9, dtype=d)),
             reference=np.where)
      for d in ("int32", "int64", "bool", "uint8", "int16")),
]  # fmt: skip
