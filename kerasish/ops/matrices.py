"""What the ops of linear algebra share: their host kernels, their checks and the transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, floatx
from ..engine.errors import invalid
from ..engine.op import Host
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .cast import cast
from .shape import swapaxes


def lapack(where: str, fn: Callable) -> Host:
    """A host kernel that computes float16 in float32 and words LAPACK's failures as other errors are worded."""

    def run(*arrays: np.ndarray, **attrs: Any) -> Any:
        arrays = [a.astype("float32") if a.dtype == np.float16 else a for a in arrays]
        try:
            return fn(*arrays, **attrs)
        except np.linalg.LinAlgError as e:
            raise invalid(where, f"the decomposition failed ({e})", x=arrays[0]) from None

    return Host(run)


def floating_matrix(x: Any) -> Any:
    """A floating tensor; integers become floatx."""
    x = as_input(x)
    return x if x.dtype in FLOATS else cast(x, floatx())


def check_matrix(where: str, x: Spec, square: bool = False, name: str = "x") -> None:
    """Raises ValueError unless x is a matrix, or a batch of them."""
    if x.ndim < 2:
        raise invalid(where, f"`{name}` is a matrix or a batch of them, of rank 2 or more", **{name: x})
    m, n = x.shape[-2:]
    if square and None not in (m, n) and m != n:
        raise invalid(where, f"`{name}` must be square", **{name: x})


def square_like(where: str) -> Callable:
    """infer for ops whose result is a square matrix like the operand."""

    def infer(x: Spec, **attrs: Any) -> Spec:
        check_matrix(where, x, square=True)
        return x

    return infer


def t(x: Any) -> Any:
    """Transposes each matrix."""
    return swapaxes(x, -1, -2)
