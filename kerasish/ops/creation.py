"""New tensors: constants, ranges, identity matrices, windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core import core
from ..engine.config import floatx
from ..engine.dtype import FLOATS, result_type, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec, standardize_shape
from ..engine.symbol import Symbol
from ..engine.tensor import Operators, Tensor, as_input, to_tensor
from .axes import as_int
from .cast import cast, convert_to_tensor
from .elementary import exp, log
from .join import stack
from .math import add, multiply, power, subtract
from .rounding import floor
from .shape import broadcast_to, expand_dims
from .slices import basic_slice

__all__ = [
    "arange", "array", "bartlett", "blackman", "copy", "empty", "empty_like", "eye", "full", "full_like", "geomspace",
    "hamming", "hanning", "identity", "kaiser", "linspace", "logspace", "ones", "ones_like", "tri", "vander", "zeros",
    "zeros_like",
]  # fmt: skip

copy_op = define_op("copy", inputs="x", infer=lambda x: x, kernel=Host(np.copy), grad=(lambda ctx, g: g,))

full_like_op = define_op(
    "full_like",
    inputs="x",
    infer=lambda x, value, dtype: Spec(x.shape, dtype),
    kernel=Host(lambda x, value, dtype: np.full(x.shape, value, dtype)),
    grad=None,
)


def _filled(where: str, shape: Any, value: Any, dtype: Any) -> Tensor:
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    shape = standardize_shape(shape, where, unknown=False)
    dtype = standardize_dtype(dtype)
    if dtype == "bfloat16" or dtype.startswith("float8"):
        return to_tensor(value, dtype, where)  # raises: there are no tensors of this dtype
    out = core.empty(shape, dtype)
    out[...] = value
    return Tensor(out, dtype)


def array(x: Any, dtype: Any = None) -> Any:
    """A tensor from an array, a number, a nested list or a tensor.

    >>> import kerasish as keras
    >>> keras.ops.array([1, 2, 3]).numpy()
    array([1, 2, 3], dtype=int32)
    """
    return convert_to_tensor(x, dtype)


def copy(x: Any) -> Any:
    """A copy of a tensor.

    >>> import kerasish as keras
    >>> keras.ops.copy([1, 2]).numpy()
    array([1, 2], dtype=int32)
    """
    return copy_op(x)


def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor of zeros, `floatx` by default.

    >>> import kerasish as keras
    >>> keras.ops.zeros((2,)).numpy()
    array([0., 0.], dtype=float32)
    """
    return _filled("zeros", shape, 0, dtype)


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor of ones, `floatx` by default.

    >>> import kerasish as keras
    >>> keras.ops.ones((2,), "int32").numpy()
    array([1, 1], dtype=int32)
    """
    return _filled("ones", shape, 1, dtype)


def empty(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor whose values do not matter; they are zeros.

    >>> import kerasish as keras
    >>> keras.ops.empty((2, 3)).shape
    (2, 3)
    """
    return _filled("empty", shape, 0, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """A tensor filled with a value, `floatx` by default.

    Args:
        shape: the shape, known integers.
        fill_value: a number, or a tensor that can be broadcast to the shape.
        dtype: dtype of the result.

    >>> import kerasish as keras
    >>> keras.ops.full((2,), 7.0).numpy()
    array([7., 7.], dtype=float32)
    """
    if isinstance(fill_value, (int, float, complex)):
        return _filled("full", shape, fill_value, dtype)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else standardize_shape(shape, "full", unknown=False)
    return broadcast_to(cast(fill_value, standardize_dtype(dtype)), shape)


def _like(where: str, x: Any, value: Any, dtype: Any) -> Any:
    x = as_input(x)
    dtype = x.dtype if dtype is None else standardize_dtype(dtype)
    if isinstance(x, Symbol):
        return full_like_op(x, value=value, dtype=dtype)
    return _filled(where, x.shape, value, dtype)


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of x's shape, and of its dtype unless another one is given.

    >>> import kerasish as keras
    >>> keras.ops.zeros_like([1.5, 2.5]).numpy()
    array([0., 0.], dtype=float32)
    """
    return _like("zeros_like", x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of x's shape, and of its dtype unless another one is given.

    >>> import kerasish as keras
    >>> keras.ops.ones_like([3, 4]).numpy()
    array([1, 1], dtype=int32)
    """
    return _like("ones_like", x, 1, dtype)


def empty_like(x: Any, dtype: Any = None) -> Any:
    """A tensor like x whose values do not matter; they are zeros.

    >>> import kerasish as keras
    >>> keras.ops.empty_like([3, 4]).shape
    (2,)
    """
    return _like("empty_like", x, 0, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """x's shape filled with a value, in x's dtype unless another one is given.

    >>> import kerasish as keras
    >>> keras.ops.full_like([1.0, 2.0], 5).numpy()
    array([5., 5.], dtype=float32)
    """
    if isinstance(fill_value, (int, float, complex)):
        return _like("full_like", x, fill_value, dtype)
    x = as_input(x)
    if None in x.shape:
        raise invalid("full_like", "a tensor as `fill_value` needs a known shape", x=x)
    return broadcast_to(cast(fill_value, x.dtype if dtype is None else dtype), tuple(x.shape))


def _scalar(where: str, name: str, value: Any) -> Any:
    if isinstance(value, Symbol):
        raise invalid(where, f"`{name}` must be known; symbolic tensors have no value", **{name: value})
    return np.asarray(value).item()


def _kind(value: Any) -> Any:
    return as_input(value).dtype if hasattr(value, "dtype") else type(value)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Evenly spaced numbers from `start` up to, but without, `stop`.

    Args:
        start: the first number; with `stop` left out, the end of a range from 0.
        stop: the end.
        step: the distance, 1 by default.
        dtype: dtype of the result, by default the operands' common one (int32 for Python ints).

    Raises:
        ValueError: for step 0 or symbolic arguments.

    >>> import kerasish as keras
    >>> keras.ops.arange(1, 7, 2).numpy()
    array([1, 3, 5], dtype=int32)
    """
    if dtype is None:
        dtype = result_type(*[_kind(v) for v in (start, stop, step) if v is not None])
    dtype = standardize_dtype(dtype)
    first = _scalar("arange", "start", start)
    last = None if stop is None else _scalar("arange", "stop", stop)
    distance = 1 if step is None else _scalar("arange", "step", step)
    if distance == 0:
        raise invalid("arange", "`step` must not be 0", step=step)
    if last is None:
        first, last = 0, first
    # In float64 and then rounded, so that float32 ranges do not drift.
    return to_tensor(np.arange(first, last, distance), dtype)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on the k-th diagonal of an N x M matrix (N x N by default), zeros elsewhere.

    >>> import kerasish as keras
    >>> keras.ops.eye(2).numpy()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    rows, cols = _sides("eye", N, M)
    return to_tensor(np.eye(rows, cols, as_int("eye", "k", k)), standardize_dtype(dtype))


def _sides(where: str, N: Any, M: Any) -> tuple[int, int]:
    rows = as_int(where, "N", N)
    cols = rows if M is None else as_int(where, "M", M)
    if rows < 0 or cols < 0:
        raise invalid(where, "a dimension is at least 0", N=N, M=M)
    return rows, cols


def identity(n: int, dtype: Any = None) -> Tensor:
    """The n x n identity matrix.

    >>> import kerasish as keras
    >>> keras.ops.identity(2, "int32").numpy()
    array([[1, 0],
           [0, 1]], dtype=int32)
    """
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on and below the k-th diagonal of an N x M matrix, zeros elsewhere.

    >>> import kerasish as keras
    >>> keras.ops.tri(2, dtype="int32").numpy()
    array([[1, 0],
           [1, 1]], dtype=int32)
    """
    rows, cols = _sides("tri", N, M)
    return to_tensor(np.tri(rows, cols, as_int("tri", "k", k)), standardize_dtype(dtype))


def _space(where: str, start: Any, stop: Any, num: Any, dtype: Any) -> tuple[int, str]:
    n = as_int(where, "num", num)
    if n < 0:
        raise invalid(where, "`num` is at least 0", num=num)
    found = result_type(_kind(start), _kind(stop), float) if dtype is None else standardize_dtype(dtype)
    return n, found


def _fixed(*values: Any) -> bool:
    """Whether no tensor that a gradient could flow to is among the values."""
    return not any(isinstance(v, Operators) for v in values)


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from `start` to `stop`.

    Args:
        start, stop: numbers or tensors.
        num: how many.
        endpoint: whether `stop` is the last one.
        retstep: also return the distance.
        dtype: dtype of the result, a floating one by default.
        axis: where the new axis goes, for tensors.

    Raises:
        ValueError: for a negative `num`.

    >>> import kerasish as keras
    >>> keras.ops.linspace(0.0, 1.0, 5).numpy()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    n, dtype = _space("linspace", start, stop, num, dtype)
    if _fixed(start, stop):
        values, step = np.linspace(start, stop, n, endpoint=endpoint, retstep=True, axis=axis)
        out = to_tensor(np.floor(values) if dtype not in FLOATS else values, dtype)
        return (out, to_tensor(step, dtype if dtype in FLOATS else floatx())) if retstep else out
    real = dtype if dtype in FLOATS else floatx()
    ends = [cast(v, real) for v in (start, stop)]
    zero = subtract(ends[0], ends[0])
    ends = [add(ends[0], subtract(ends[1], ends[1])), add(ends[1], zero)]  # broadcast against each other
    rank = len(ends[0].shape)
    place = axis % (rank + 1)
    t = np.linspace(0, 1, n, endpoint=endpoint).astype(real)
    t = t.reshape([-1 if d == place else 1 for d in range(rank + 1)])
    first, last = (expand_dims(e, place) for e in ends)
    out = add(multiply(first, 1 - t), multiply(last, t))
    if dtype not in FLOATS:
        out = cast(floor(out), dtype)
    parts = n - 1 if endpoint else n
    step = multiply(subtract(ends[1], ends[0]), np.asarray(1 / parts if parts > 0 else np.nan, real))
    return (out, step) if retstep else out


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0
) -> Any:
    """`num` numbers from base**start to base**stop, evenly spaced on a logarithmic scale.

    >>> import kerasish as keras
    >>> keras.ops.logspace(0, 2, 3).numpy()
    array([  1.,  10., 100.], dtype=float32)
    """
    n, dtype = _space("logspace", start, stop, num, dtype)
    if _fixed(start, stop, base):
        return to_tensor(np.logspace(start, stop, n, endpoint=endpoint, base=base, axis=axis), dtype)
    real = dtype if dtype in FLOATS else floatx()
    return cast(power(base, linspace(start, stop, n, endpoint, dtype=real, axis=axis)), dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """`num` numbers from `start` to `stop`, each the same multiple of the one before.

    Tensors must be positive; numbers may both be negative.

    >>> import kerasish as keras
    >>> keras.ops.geomspace(1, 8, 4).numpy()
    array([1., 2., 4., 8.], dtype=float32)
    """
    n, dtype = _space("geomspace", start, stop, num, dtype)
    if _fixed(start, stop):
        return to_tensor(np.geomspace(start, stop, n, endpoint=endpoint, axis=axis), dtype)
    real = dtype if dtype in FLOATS else floatx()
    ends = [log(cast(v, real)) for v in (start, stop)]
    return cast(exp(linspace(*ends, n, endpoint, axis=axis)), dtype)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The Vandermonde matrix: the powers of a vector as columns, highest first unless `increasing`.

    Args:
        x: a vector (n,).
        N: number of columns, n by default.
        increasing: whether the powers increase to the right.

    Raises:
        ValueError: where x is not a vector.

    >>> import kerasish as keras
    >>> keras.ops.vander([1, 2, 3], increasing=True).numpy()
    array([[1, 1, 1],
           [1, 2, 4],
           [1, 3, 9]], dtype=int32)
    """
    x = as_input(x)
    if len(x.shape) != 1:
        raise invalid("vander", "x is a vector", x=x)
    n = x.shape[0] if N is None else as_int("vander", "N", N)
    if n is None or n < 0:
        raise invalid("vander", "the number of columns `N` must be known and at least 0", x=x, N=N)
    if n == 0:
        return basic_slice(expand_dims(x, 1), ((None, None, None), (0, 0, None)))
    columns = [ones_like(x)]
    for _ in range(n - 1):
        columns.append(multiply(columns[-1], x))
    return stack(columns if increasing else columns[::-1], axis=1)


def _window(name: str, x: Any, fn, *args: float) -> Tensor:
    return to_tensor(fn(as_int(name, "x", _scalar(name, "x", x)), *args), floatx())


def bartlett(x: Any) -> Tensor:
    """The triangular window of x points.

    >>> import kerasish as keras
    >>> keras.ops.bartlett(5).numpy()
    array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return _window("bartlett", x, np.bartlett)


def blackman(x: Any) -> Tensor:
    """The Blackman window of x points: 0.42 - 0.5 cos(2 pi n / (x - 1)) + 0.08 cos(4 pi n / (x - 1)).

    >>> import kerasish as keras
    >>> keras.ops.blackman(3).shape
    (3,)
    """
    return _window("blackman", x, np.blackman)


def hamming(x: Any) -> Tensor:
    """The Hamming window of x points: 0.54 - 0.46 cos(2 pi n / (x - 1)).

    >>> import kerasish as keras
    >>> keras.ops.hamming(3).numpy()
    array([0.08, 1.  , 0.08], dtype=float32)
    """
    return _window("hamming", x, np.hamming)


def hanning(x: Any) -> Tensor:
    """The Hann window of x points: 0.5 - 0.5 cos(2 pi n / (x - 1)).

    >>> import kerasish as keras
    >>> keras.ops.hanning(3).numpy()
    array([0., 1., 0.], dtype=float32)
    """
    return _window("hanning", x, np.hanning)


def kaiser(x: Any, beta: Any) -> Tensor:
    """The Kaiser window of x points with shape parameter beta.

    >>> import kerasish as keras
    >>> keras.ops.kaiser(3, 0.0).numpy()
    array([1., 1., 1.], dtype=float32)
    """
    return _window("kaiser", x, np.kaiser, _scalar("kaiser", "beta", beta))
