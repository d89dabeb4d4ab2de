"""Tensor: an eager value, a C-contiguous NumPy array under an identity that tapes can follow."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from math import copysign
from typing import Any

import numpy as np

from .dtype import numpy_name, standardize_dtype
from .errors import invalid

_next_uid = count(1).__next__
_operators: dict[str, Callable] = {}


def register_operators(**functions: Callable) -> None:
    """Gives the Python operators their meaning; `ops` calls this, so that the engine need not import it.

    Names are those of the special methods without underscores: add, sub, mul, truediv, floordiv, mod, pow, matmul,
    neg, abs, invert, and, or, xor, lt, le, gt, ge, eq, ne, getitem, round.
    """
    _operators.update(functions)


def _binary(name: str) -> tuple[Callable, Callable]:
    def forward(self, other):
        return _operators[name](self, other)

    def reflected(self, other):
        return _operators[name](other, self)

    return forward, reflected


class Operators:
    """Python's operators for Tensor, Variable and Symbol."""

    __slots__ = ()
    __array_priority__ = 100  # NumPy defers to the reflected operators below

    __add__, __radd__ = _binary("add")
    __sub__, __rsub__ = _binary("sub")
    __mul__, __rmul__ = _binary("mul")
    __truediv__, __rtruediv__ = _binary("truediv")
    __floordiv__, __rfloordiv__ = _binary("floordiv")
    __mod__, __rmod__ = _binary("mod")
    __pow__, __rpow__ = _binary("pow")
    __matmul__, __rmatmul__ = _binary("matmul")
    __and__, __rand__ = _binary("and")
    __or__, __ror__ = _binary("or")
    __xor__, __rxor__ = _binary("xor")
    __lt__ = _binary("lt")[0]
    __le__ = _binary("le")[0]
    __gt__ = _binary("gt")[0]
    __ge__ = _binary("ge")[0]

    def __eq__(self, other):
        return _operators["eq"](self, other)

    def __ne__(self, other):
        return _operators["ne"](self, other)

    def __hash__(self):
        return id(self)

    def __neg__(self):
        return _operators["neg"](self)

    def __pos__(self):
        return self

    def __abs__(self):
        return _operators["abs"](self)

    def __invert__(self):
        return _operators["invert"](self)

    def __getitem__(self, key):
        return _operators["getitem"](self, key)

    def __round__(self, ndigits=0):
        return _operators["round"](self, ndigits or 0)

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Tensor(Operators):
    """An eager value. Made by ops and by `convert_to_tensor`, not by hand.

    It takes part in NumPy (`np.asarray(t)` shares the memory, read-only by convention), in DLPack both ways, and in
    Python's operators and indexing. `shape` is a tuple of ints and `dtype` a name such as "float32".

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (x * 2)[0].numpy()
    array([2., 4.], dtype=float32)
    """

    # _keras_mask is set only by layers that produce or carry a mask.
    __slots__ = ("__weakref__", "_keras_mask", "data", "dtype", "shape", "uid")

    def __init__(self, data: np.ndarray, dtype: str | None = None):
        self.data = data
        self.shape = data.shape
        self.dtype = dtype or numpy_name(data.dtype)
        self.uid = _next_uid()

    @property
    def size(self) -> int:
        return self.data.size

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array, sharing memory; copy it before changing it."""
        return self.data

    def renew(self) -> None:
        """Gives the tensor a new identity; for who overwrites its memory."""
        self.uid = _next_uid()

    def renewed(self) -> Tensor:
        """The same value under a new identity."""
        return Tensor(self.data, self.dtype)

    def tolist(self) -> Any:
        return self.data.tolist()

    def item(self) -> Any:
        """The only element, as a Python number."""
        return self.data.item()

    def __array__(self, dtype=None, copy=None):
        if dtype is not None and np.dtype(dtype) != self.data.dtype:
            return self.data.astype(dtype)
        return self.data.copy() if copy else self.data

    def __dlpack__(self, **kwargs):
        data = self.data
        if not data.flags.writeable and kwargs.get("max_version") is None:
            data = data.copy()  # a consumer of the first version cannot be told that it must not write
        return data.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self.data.__dlpack_device__()

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise invalid("bool", "only a tensor with one element has a truth value", tensor=self)
        return bool(self.data.item())

    def __int__(self) -> int:
        return int(self.data.item())

    def __float__(self) -> float:
        return float(self.data.item())

    def __index__(self) -> int:
        if self.data.ndim or self.data.dtype.kind not in "iu":
            raise invalid("index", "only an integer scalar can be an index", kind=TypeError, tensor=self)
        return int(self.data)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without dimensions")
        return self.shape[0]

    def __iter__(self):
        if not self.shape:
            raise TypeError("iteration over a tensor without dimensions")
        return (self[i] for i in range(self.shape[0]))

    def __format__(self, spec: str) -> str:
        return format(self.data.item(), spec) if spec and self.data.size == 1 else str(self)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return Tensor(self.data.copy(), self.dtype)

    def __reduce__(self):
        return (Tensor, (np.array(self.data), self.dtype))

    def __repr__(self) -> str:
        body = np.array2string(self.data, separator=", ", threshold=60, prefix="<Tensor ")
        return f"<Tensor {body} shape={self.shape} dtype={self.dtype}>"

    __str__ = __repr__


def _checked(array: np.ndarray, where: str) -> np.ndarray:
    if array.dtype.kind not in "fiubc":
        received = {"dtype": str(array.dtype)}
        if array.size:
            first = array.flat[0]
            received["first"] = first.item() if isinstance(first, np.generic) else first
        raise invalid(where, "values must be numbers or bools", kind=TypeError, **received)
    if array.dtype.byteorder not in "=|":
        array = array.astype(array.dtype.newbyteorder("="))
    if (array.dtype.itemsize > 8 and array.dtype.kind != "c") or array.dtype.itemsize > 16:
        array = array.astype("complex128" if array.dtype.kind == "c" else "float64")
    return np.ascontiguousarray(array).reshape(array.shape)


def to_tensor(value: Any, dtype: str | None = None, where: str = "convert_to_tensor") -> Tensor:
    """A Tensor from an array, a number, a nested list of them, or anything with `__array__` or `__dlpack__`.

    Without a dtype, arrays keep theirs; Python floats become `floatx`, Python ints int32 (int64 where they do not fit).
    An array is not copied where it is C-contiguous and has the dtype already.

    Raises:
        TypeError: for values that are not numbers or bools.
        ValueError: for ragged lists and for bfloat16, which NumPy does not have.
    """
    if isinstance(value, Tensor):
        if dtype is None or dtype == value.dtype:
            return value
        if value.__class__ is not Tensor:  # being captured: it has no value yet
            return value.cast(standardize_dtype(dtype))
        array = value.data
    elif isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__"):
        array = np.asarray(value)
    elif hasattr(value, "__dlpack__"):
        array = np.from_dlpack(value)
    else:
        try:
            array = np.asarray(value)
        except ValueError as e:
            raise invalid(where, f"the value does not make an array ({e})", value=value) from None
        if dtype is None:
            dtype = _python_dtype(value, array)
    array = _checked(array, where)
    if dtype is not None:
        dtype = standardize_dtype(dtype)
        if dtype in ("bfloat16", "string") or dtype.startswith("float8"):
            raise invalid(
                where, f"tensors of dtype {dtype} are not supported on a CPU without hardware for it", dtype=dtype
            )
        if numpy_name(array.dtype) != dtype:
            with np.errstate(all="ignore"):
                array = array.astype(dtype)
    return Tensor(array)


def _python_dtype(value: Any, array: np.ndarray) -> str | None:
    """The dtype for Python numbers (arrays and tensors inside a list keep their own)."""
    while isinstance(value, (list, tuple)):
        if not value:
            return standardize_dtype(None) if array.size == 0 else None
        value = value[0]
    if isinstance(value, (np.ndarray, np.generic, Tensor)) or hasattr(value, "__array__"):
        return None
    if array.dtype.kind == "f":
        return standardize_dtype(None)
    if array.dtype.kind == "c":
        return "complex64"
    if array.dtype.kind in "iu" and array.size and not (array.min() >= -(2**31) and array.max() < 2**31):
        return None
    return "int32" if array.dtype.kind in "iu" else None


@lru_cache(4096)
def _number(value: float, dtype: str, sign: float) -> Tensor:
    tensor = to_tensor(value, dtype)
    tensor.data.flags.writeable = False
    return tensor


def number(value: float, dtype: str) -> Tensor:
    """A Python number as a scalar tensor, made once for all its uses (0.0 and -0.0 are two)."""
    return _number(value, dtype, copysign(1.0, value) if value == 0 else 0.0)


def as_input(value: Any, dtype: str | None = None) -> Any:
    """What an op can take: Tensors, Variables and Symbols stay, everything else becomes a Tensor."""
    return value if isinstance(value, Operators) else to_tensor(value, dtype)


def is_tensor(value: Any) -> bool:
    """Whether a value is an eager Tensor."""
    return isinstance(value, Tensor)
