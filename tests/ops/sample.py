"""What the generic op tests need to know of an op: inputs to call it with and a NumPy reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules

import numpy as np


@dataclass(eq=False)
class Sample:
    """One call of one op.

    Attributes:
        op: the registered name.
        inputs: arrays; float64 ones are run as float32 and as float64, others as they are.
        attrs: attributes.
        reference: reference(*inputs, **attrs) -> array or tuple; None only where no NumPy formula exists (say why in
            `note`).
        grad: positions of the inputs whose gradient is checked; None means all floating ones if the op has a gradient.
        rtol: relative tolerance in float32; float64 uses rtol * 1e-6, at least 1e-12.
        unknown: also infer with the first dimension of every input unknown.
        second: also check the gradient of the gradient.
    """

    op: str
    inputs: tuple
    attrs: dict = field(default_factory=dict)
    reference: Callable | None = None
    grad: tuple[int, ...] | None = None
    rtol: float = 1e-5
    note: str = ""
    unknown: bool = True
    second: bool = True

    def __repr__(self) -> str:
        shapes = ",".join("x".join(map(str, np.shape(x))) or "scalar" for x in self.inputs)
        attrs = ",".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{self.op}({shapes};{attrs})".replace(" ", "")


def rand(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Uniform float64 values that do not depend on the order of the samples."""
    rng = np.random.default_rng([seed, *shape])
    return rng.uniform(low, high, shape)


def ints(*shape: int, high: int, low: int = 0, seed: int = 0, dtype: str = "int32") -> np.ndarray:
    """Uniform integers in [low, high)."""
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype(dtype)


def collect() -> list[Sample]:
    """The samples of every module in tests/ops/samples."""
    from . import samples

    out = []
    for info in sorted(iter_modules(samples.__path__), key=lambda i: i.name):
        out += import_module(f"{samples.__name__}.{info.name}").SAMPLES
    return out
