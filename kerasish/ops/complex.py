"""Complex numbers: their parts and angles, and the ways between them and pairs of real numbers.

Complex tensors run on NumPy and have no gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import Host, Op, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .compare import equal
from .factories import COMPLEX, REAL, broadcast_spec, floating, floating_pair

__all__ = [
    "angle", "conj", "conjugate", "imag", "isreal", "polar", "real", "view_as_complex", "view_as_real",
]  # fmt: skip

_COMPLEX = {real: dtype for dtype, real in REAL.items()}


def _part(name: str, fn: Callable) -> Op:
    """One real number for each number."""
    return define_op(
        name,
        inputs="x",
        infer=lambda x: Spec(x.shape, REAL.get(x.dtype, x.dtype)),
        kernel=Host(fn),
        grad=None,
        kind="elementwise",
    )


real_op = _part("real", np.real)
imag_op = _part("imag", np.imag)
# Of real numbers: 0, pi for negative ones, NaN for NaN.
angle_op = _part("angle", np.angle)
conjugate_op = define_op(
    "conjugate", inputs="x", infer=lambda x: x, kernel=Host(np.conjugate), grad=None, kind="elementwise"
)


def _complex_of(name: str, dtype: str) -> str:
    if dtype not in _COMPLEX:
        raise invalid(name, "the parts are float32 or float64", kind=TypeError, dtype=dtype)
    return _COMPLEX[dtype]


def _polar_infer(abs_: Spec, angle: Spec) -> Spec:
    return broadcast_spec("polar", {"abs_": abs_, "angle": angle}, _complex_of("polar", abs_.dtype))


polar_op = define_op(
    "polar",
    inputs="abs_ angle",
    infer=_polar_infer,
    kernel=Host(lambda r, t: (r * np.cos(t)) + 1j * (r * np.sin(t))),
    grad=None,
    kind="elementwise",
)


def _view_as_complex_infer(x: Spec) -> Spec:
    if x.ndim == 0 or x.shape[-1] not in (2, None):
        raise invalid("view_as_complex", "the last dimension holds real and imaginary part, so it is 2", x=x)
    return Spec(x.shape[:-1], _complex_of("view_as_complex", x.dtype))


view_as_complex_op = define_op(
    "view_as_complex",
    inputs="x",
    infer=_view_as_complex_infer,
    kernel=Host(lambda x: x[..., 0] + 1j * x[..., 1]),
    grad=None,
)
view_as_real_op = define_op(
    "view_as_real",
    inputs="x",
    infer=lambda x: Spec((*x.shape, 2), REAL.get(x.dtype, x.dtype)),
    kernel=Host(lambda x: np.stack([x.real, x.imag], axis=-1)),
    grad=None,
)


def real(x: Any) -> Any:
    """The real part; real numbers are their own.

    >>> import kerasish as keras
    >>> keras.ops.real([1 + 2j, 3.0]).tolist()
    [1.0, 3.0]
    """
    x = as_input(x)
    return real_op(x) if x.dtype in COMPLEX else x


def imag(x: Any) -> Any:
    """The imaginary part; 0 for real numbers.

    >>> import kerasish as keras
    >>> keras.ops.imag([1 + 2j, 3.0]).tolist()
    [2.0, 0.0]
    """
    return imag_op(x)


def angle(x: Any) -> Any:
    """The angle of a complex number in radians; 0 or pi for real ones.

    >>> import kerasish as keras
    >>> keras.ops.angle([1.0, -1.0]).numpy()
    array([0.       , 3.1415927], dtype=float32)
    """
    return angle_op(floating(x))


def conjugate(x: Any) -> Any:
    """The complex conjugate; real numbers are their own.

    >>> import kerasish as keras
    >>> keras.ops.conjugate([1 + 2j]).tolist()
    [(1-2j)]
    """
    x = as_input(x)
    return conjugate_op(x) if x.dtype in COMPLEX else x


def conj(x: Any) -> Any:
    """Alias of `conjugate`.

    >>> import kerasish as keras
    >>> keras.ops.conj([1 - 1j]).tolist()
    [(1+1j)]
    """
    return conjugate(x)


def isreal(x: Any) -> Any:
    """Whether the imaginary part is 0.

    >>> import kerasish as keras
    >>> keras.ops.isreal([1 + 2j, 3 + 0j]).tolist()
    [False, True]
    """
    return equal(imag_op(x), 0)


def polar(abs_: Any, angle: Any) -> Any:
    """The complex number of a modulus and an angle in radians.

    >>> import kerasish as keras
    >>> keras.ops.polar(2.0, 0.0).item()
    (2+0j)
    """
    return polar_op(*floating_pair(abs_, angle))


def view_as_complex(x: Any) -> Any:
    """Complex numbers from pairs of real ones in the last dimension: (..., 2) to (...).

    Raises:
        ValueError: where the last dimension is not 2.

    >>> import kerasish as keras
    >>> keras.ops.view_as_complex([[1.0, 2.0]]).tolist()
    [(1+2j)]
    """
    return view_as_complex_op(floating(x))


def view_as_real(x: Any) -> Any:
    """Pairs of real and imaginary parts: (...) to (..., 2).

    >>> import kerasish as keras
    >>> keras.ops.view_as_real([1 + 2j]).tolist()
    [[1.0, 2.0]]
    """
    return view_as_real_op(x)
