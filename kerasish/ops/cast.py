"""Conversion: into tensors, between dtypes, to a common dtype, and back to the shape of a broadcast operand."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import core
from ..engine.dtype import FLOATS, result_type, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import C, define_op, get_op
from ..engine.spec import Spec
from ..engine.tape import custom_gradient
from ..engine.tensor import Operators, Tensor, as_input, number, to_tensor

__all__ = [
    "cast", "convert_to_numpy", "convert_to_tensor", "custom_gradient", "dtype", "is_tensor", "promote",
    "stop_gradient", "unbroadcast",
]  # fmt: skip

_NUMBERS = (int, float)
_AS_THEY_ARE = (int, float, Tensor)


def _cast_infer(x: Spec, dtype: str) -> Spec:
    if dtype in ("bfloat16", "string") or dtype.startswith("float8"):
        raise invalid(
            "cast", f"tensors of dtype {dtype} are not supported on a CPU without hardware for it", dtype=dtype
        )
    return Spec(x.shape, dtype)


cast_op = define_op(
    "cast",
    inputs="x",
    infer=_cast_infer,
    kernel=C(
        "cast",
        i=lambda specs, a: (core.DTYPE_CODES.get(a["dtype"], -1),),
        host=lambda x, dtype: x.real.astype(dtype) if x.dtype.kind == "c" and dtype[0] != "c" else x.astype(dtype),
    ),
    grad=(lambda ctx, g: cast(g, ctx.specs[0].dtype) if ctx.specs[0].dtype in FLOATS else None,),
    kind="elementwise",
    simplify=lambda specs, outs, attrs, constants: 0,
)

stop_gradient_op = define_op(
    "stop_gradient", inputs="x", infer=lambda x: x, kernel=None, grad=None, kind="view", inplace=((0, 0),)
)


def cast(x: Any, dtype: Any) -> Any:
    """Converts to another dtype; what has it already is given back. `ops.cast` is in `graph_cast.py`."""
    dtype = standardize_dtype(dtype)
    x = as_input(x)
    return x if x.dtype == dtype and not hasattr(x, "assign") else cast_op(x, dtype=dtype)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """A Tensor from an array, number, nested list, Variable or tensor; symbols stay symbols.

    Args:
        x: the value.
        dtype: dtype of the result; by default arrays keep theirs and Python floats become `floatx`.
        sparse, ragged: must not be true.

    >>> import kerasish as keras
    >>> keras.ops.convert_to_tensor([1, 2, 3]).dtype
    'int32'
    """
    if sparse or ragged:
        raise invalid("convert_to_tensor", "sparse and ragged tensors are not supported", sparse=sparse, ragged=ragged)
    if hasattr(x, "read"):
        x = x.read()
    if isinstance(x, Operators):
        return x if dtype is None else cast(x, dtype)
    return to_tensor(x, None if dtype is None else standardize_dtype(dtype))


def convert_to_numpy(x: Any) -> np.ndarray:
    """The value as a NumPy array.

    >>> import kerasish as keras
    >>> keras.ops.convert_to_numpy(keras.ops.ones((2,)))
    array([1., 1.], dtype=float32)
    """
    if isinstance(x, np.ndarray):
        return x
    return np.asarray(convert_to_tensor(x))


def is_tensor(x: Any) -> bool:
    """Whether x is an eager tensor (a Variable or a NumPy array is not).

    >>> import kerasish as keras
    >>> keras.ops.is_tensor(keras.ops.ones((2,))), keras.ops.is_tensor(1.0)
    (True, False)
    """
    return isinstance(x, Tensor)


def dtype(x: Any) -> str:
    """The name of a value's dtype.

    >>> import kerasish as keras
    >>> keras.ops.dtype([1.0])
    'float32'
    """
    return as_input(x).dtype


def stop_gradient(variable: Any) -> Any:
    """The same value, which gradients take for a constant.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor(2.0)
    >>> with keras.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * keras.ops.stop_gradient(x)
    >>> float(tape.gradient(y, x))
    2.0
    """
    return stop_gradient_op(variable)


def promote(*xs: Any) -> tuple:
    """Operands in their common dtype. Python numbers are weak: they take the others' dtype.

    Raises:
        ValueError: where there is no common dtype.
    """
    first = xs[0]
    if first.__class__ is Tensor and all(x.__class__ is Tensor and x.dtype == first.dtype for x in xs):
        return xs
    # Variables are read here, so that what is compared is the dtype that they are read in.
    inputs = [x if x.__class__ in _AS_THEY_ARE else x.read() if hasattr(x, "read") else as_input(x) for x in xs]
    target = result_type(*[x.__class__ if x.__class__ in _NUMBERS else x.dtype for x in inputs])
    return tuple(
        [number(x, target) if x.__class__ in _NUMBERS else x if x.dtype == target else cast(x, target) for x in inputs]
    )


def unbroadcast(g: Any, spec: Spec) -> Any:
    """Sums a gradient over the dimensions along which an operand of this Spec was broadcast."""
    if tuple(g.shape) == spec.shape:
        return g
    extra = g.ndim - spec.ndim
    axes = tuple(range(extra)) + tuple(
        k + extra for k, d in enumerate(spec.shape) if d == 1 and g.shape[k + extra] != 1
    )
    if axes:
        g = get_op("sum")(g, axis=axes, keepdims=False)
    return g if tuple(g.shape) == spec.shape else get_op("reshape")(g, newshape=spec.shape)


def floating(where: str, x: Any) -> tuple[Any, str]:
    """x in a dtype that the kernels take, and the dtype of the result."""
    x = as_input(x)
    dtype = x.dtype if x.dtype in FLOATS else result_type(x.dtype, float)
    return cast(x, result_type(dtype, "float32")), dtype
