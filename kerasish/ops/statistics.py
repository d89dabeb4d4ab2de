"""Counting and comparing samples: bins, histograms, correlations, distances, the trapezoid rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import INTEGERS
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, one_axis
from .cast import cast, promote
from .elementary import log10
from .factories import floating
from .gather import take, take_along_axis
from .math import maximum, minimum, sqrt, square
from .matmul import matmul
from .pad import pad
from .reduce import mean, sum
from .repeat import flip
from .shape import expand_dims, moveaxis, transpose

__all__ = ["bincount", "cdist", "corrcoef", "correlate", "digitize", "histogram", "psnr", "trapezoid"]

# ---- bins


def _bincount_infer(x: Spec, *weights: Spec, minlength: int) -> Spec:
    if x.ndim not in (1, 2):
        raise invalid("bincount", "x has one or two axes", x=x)
    for w in weights:
        if w.ndim != x.ndim or any(a != b for a, b in zip(w.shape, x.shape) if a is not None and b is not None):
            raise invalid("bincount", "weights have the shape of x", x=x, weights=w)
    return Spec((*x.shape[:-1], None), weights[0].dtype if weights else "int32")


def _bincount(x: np.ndarray, *weights: np.ndarray, minlength: int) -> np.ndarray:
    if x.size and x.min() < 0:
        raise invalid("bincount", "x holds no negative integers", least=int(x.min()))
    length = np.maximum(int(x.max()) + 1 if x.size else 0, minlength)
    rows = np.atleast_2d(x).astype(np.int64)
    out = np.zeros((len(rows), length), weights[0].dtype if weights else np.int32)
    at = (np.arange(len(rows))[:, None], rows)
    np.add.at(out, at, weights[0].reshape(rows.shape) if weights else 1)
    return out.reshape(*x.shape[:-1], length)


def _bincount_grad(ctx: Any, g: Any) -> tuple:
    x = ctx.inputs[0]
    return None, take(g, x) if x.ndim == 1 else take_along_axis(g, x, 1)


bincount_op = define_op(
    "bincount",
    inputs="x *weights",
    infer=_bincount_infer,
    kernel=Host(_bincount),
    grad=_bincount_grad,
    saves="x",
)


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each of 0, 1, 2, ... stands in x; with weights, the sum of its weights.

    Args:
        x: non-negative integers, one row or several.
        weights: of x's shape.
        minlength: least length of the result.
        sparse: must not be true.

    Returns:
        A tensor of length max(x) + 1 (over all rows) or `minlength`, int32 or of the weights' dtype.

    Raises:
        ValueError: for negative numbers, or shapes that do not fit.
        TypeError: where x is not of an integer dtype.

    >>> import kerasish as keras
    >>> keras.ops.bincount([1, 2, 2, 3]).numpy()
    array([0, 1, 2, 1], dtype=int32)
    """
    if sparse:
        raise invalid("bincount", "sparse tensors are not supported", sparse=sparse)
    x = as_input(x)
    if x.dtype not in INTEGERS and x.dtype != "bool":
        raise invalid("bincount", "x holds integers", kind=TypeError, x=x, dtype=x.dtype)
    minlength = as_int("bincount", "minlength", minlength)
    return bincount_op(x, *(() if weights is None else (as_input(weights),)), minlength=minlength)


def _digitize_infer(x: Spec, bins: Spec) -> Spec:
    if bins.ndim != 1:
        raise invalid("digitize", "bins is a vector", bins=bins)
    return Spec(x.shape, "int32")


digitize_op = define_op("digitize", inputs="x bins", infer=_digitize_infer, kernel=Host(np.digitize), grad=None)


def digitize(x: Any, bins: Any) -> Any:
    """The number of the bin that each element falls into: bins[i - 1] <= x < bins[i].

    Args:
        x: a tensor.
        bins: increasing or decreasing boundaries.

    Returns:
        A tensor of x's shape, int32, from 0 (below the first boundary) to len(bins).

    Raises:
        ValueError: where bins is not a vector, or not monotonic.

    >>> import kerasish as keras
    >>> keras.ops.digitize([0.2, 1.0, 3.5], [0.0, 1.0, 2.0]).numpy()
    array([1, 2, 3], dtype=int32)
    """
    return digitize_op(*promote(as_input(x), as_input(bins)))


def _histogram_infer(x: Spec, bins: int, range: tuple[float, float] | None) -> tuple[Spec, Spec]:
    if x.ndim > 1:
        raise invalid("histogram", "x is a vector", x=x)
    return Spec((bins,), x.dtype), Spec((bins + 1,), x.dtype)


def _histogram(x: np.ndarray, bins: int, range: tuple[float, float] | None) -> tuple[np.ndarray, np.ndarray]:
    if bins == 0:
        return np.zeros(0, x.dtype), np.zeros(1, x.dtype)
    counts, edges = np.histogram(x, bins=bins, range=range)
    return counts.astype(x.dtype), edges.astype(x.dtype)


histogram_op = define_op(
    "histogram", inputs="x", outputs="counts edges", infer=_histogram_infer, kernel=Host(_histogram), grad=None
)


def histogram(x: Any, bins: int = 10, range: tuple | None = None) -> tuple[Any, Any]:
    """Counts of the elements in equally wide bins.

    Args:
        x: a vector; integers are taken as floats.
        bins: number of bins.
        range: (low, high); the least and the greatest element by default.

    Returns:
        (counts, edges) of x's floating dtype, bins and bins + 1 long. The last bin includes its upper edge.

    Raises:
        TypeError: where `bins` is not an int.
        ValueError: for a negative number of bins, a bad range, or more than one axis.

    >>> import kerasish as keras
    >>> counts, edges = keras.ops.histogram([1.0, 2.0, 2.5, 5.0], bins=2)
    >>> counts.numpy().tolist(), edges.numpy().tolist()
    ([3.0, 1.0], [1.0, 3.0, 5.0])
    """
    if not isinstance(bins, int) or isinstance(bins, bool):
        raise invalid("histogram", "bins is an int", kind=TypeError, bins=bins)
    if bins < 0:
        raise invalid("histogram", "bins is not negative", bins=bins)
    if range:
        if not isinstance(range, tuple) or len(range) != 2:
            raise invalid("histogram", "range is a tuple (low, high)", range=range)
        if range[1] < range[0]:
            raise invalid("histogram", "the upper end of the range is not below the lower one", range=range)
        range = (float(range[0]), float(range[1]))
    return histogram_op(floating(x), bins=bins, range=range or None)


# ---- correlation


def corrcoef(x: Any) -> Any:
    """Pearson's correlation coefficients of the rows of x.

    Args:
        x: (variables, observations), or a vector of observations of one variable.

    Returns:
        (variables, variables), or a scalar; within [-1, 1].

    >>> import kerasish as keras
    >>> keras.ops.corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).numpy()
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    x = floating(x)
    if len(x.shape) not in (1, 2):
        raise invalid("corrcoef", "x has one or two axes", x=x)
    apart = x - mean(x, -1, True)
    if len(x.shape) == 1:
        variance = sum(square(apart))
        return variance / variance
    products = matmul(apart, transpose(apart))
    size = sqrt(sum(square(apart), -1, True))
    return maximum(minimum(products / size / transpose(size), 1.0), -1.0)


def _correlate_lengths(n: int | None, m: int | None, mode: str) -> tuple[int, int] | None:
    """Where the result starts in the full correlation, and its length; None where a length is unknown."""
    if n is None or m is None:
        return None
    if mode == "full":
        return 0, n + m - 1
    long, short = (n, m) if n >= m else (m, n)
    if mode == "valid":
        return short - 1, long - short + 1
    start = (short - 1) // 2
    return (start if n >= m else n + m - 1 - start - long), long


def _correlate_infer(x1: Spec, x2: Spec, mode: str) -> Spec:
    for name, x in (("x1", x1), ("x2", x2)):
        if x.ndim != 1 or x.shape[0] == 0:
            raise invalid("correlate", f"`{name}` is a vector that is not empty", **{name: x})
    found = _correlate_lengths(x1.shape[0], x2.shape[0], mode)
    return Spec((found[1] if found else None,), x1.dtype)


def _correlate_grad(ctx: Any, g: Any) -> tuple:
    """Of the full correlation, c_k = sum_j x1_{k+j-m+1} x2_j: both gradients are correlations again."""
    x1, x2 = ctx.inputs
    n, m = x1.shape[0], x2.shape[0]
    start, length = _correlate_lengths(n, m, ctx.attrs["mode"])
    full = pad(g, ((start, n + m - 1 - start - length),))
    d1 = _within(full, flip(x2), n) if ctx.needs[0] else None
    d2 = flip(_within(full, x1, m)) if ctx.needs[1] else None
    return d1, d2


def _within(full: Any, x: Any, length: int) -> Any:
    """The `length` sums in which x lies wholly within the full correlation."""
    c = correlate_op(full, x, mode="full")
    start = x.shape[0] - 1
    return c[start : start + length]


correlate_op = define_op(
    "correlate",
    inputs="x1 x2",
    infer=_correlate_infer,
    kernel=Host(lambda x1, x2, mode: np.correlate(x1, x2, mode)),
    grad=_correlate_grad,
    saves="x1 x2",
)


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """Cross-correlation of two vectors: c_k = sum_j x1_{k+j} x2_j.

    Args:
        x1, x2: vectors; integers are taken as floats.
        mode: "valid" (only whole overlaps), "same" (as long as the longer one) or "full".

    Raises:
        ValueError: for an unknown mode, or what is not a vector.

    >>> import kerasish as keras
    >>> keras.ops.correlate([1.0, 2.0, 3.0], [0.0, 1.0], "valid").numpy()
    array([2., 3.], dtype=float32)
    """
    if mode not in ("valid", "same", "full"):
        raise invalid("correlate", "mode is valid, same or full", mode=mode)
    x1, x2 = promote(as_input(x1), as_input(x2))
    return correlate_op(floating(x1), floating(x2), mode=mode)


# ---- distances and areas


def cdist(x: Any, y: Any) -> Any:
    """Euclidean distances between all rows of x and all rows of y.

    Args:
        x: (..., m, d)
        y: (..., n, d), with leading axes that broadcast against x's.

    Returns:
        (..., m, n). The gradient at distance 0 is 0.

    Raises:
        ValueError: for fewer than two axes, or rows of different lengths.

    >>> import kerasish as keras
    >>> keras.ops.cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]]).numpy()
    array([[5., 0.]], dtype=float32)
    """
    x, y = promote(as_input(x), as_input(y))
    x, y = floating(x), floating(y)
    if len(x.shape) < 2 or len(y.shape) < 2:
        raise invalid("cdist", "x and y have at least two axes", x=x, y=y)
    if None not in (x.shape[-1], y.shape[-1]) and x.shape[-1] != y.shape[-1]:
        raise invalid("cdist", "the rows of x and y have the same length", x=x, y=y)
    squares = sum(square(expand_dims(x, -2) - expand_dims(y, -3)), -1)
    zero = cast(squares == 0, squares.dtype)  # sqrt has no slope at 0
    return sqrt(squares + zero) - zero


def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """Peak signal-to-noise ratio in decibel: 20 log10(max_val) - 10 log10(mean((x1 - x2)^2)).

    Args:
        x1, x2: signals of the same shape.
        max_val: the largest value that they can have.

    Raises:
        ValueError: where the shapes differ.

    >>> import kerasish as keras
    >>> round(float(keras.ops.psnr([0.0, 0.0], [1.0, 1.0], 10.0)), 3)
    20.0
    """
    x1, x2 = promote(as_input(x1), as_input(x2))
    if len(x1.shape) != len(x2.shape) or any(
        a != b for a, b in zip(x1.shape, x2.shape) if a is not None and b is not None
    ):
        raise invalid("psnr", "x1 and x2 have the same shape", x1=x1, x2=x2)
    error = mean(square(x1 - x2))
    return 20 * log10(cast(max_val, error.dtype)) - 10 * log10(error)


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of y along an axis by the trapezoid rule.

    Args:
        y: values of the function.
        x: where they were taken: a vector along the axis, or of y's shape; None for points at distance `dx`.
        dx: distance of the points.
        axis: the axis.

    >>> import kerasish as keras
    >>> float(keras.ops.trapezoid([1.0, 2.0, 3.0], dx=2.0))
    8.0
    """
    y = floating(y)
    axis = one_axis("trapezoid", axis, len(y.shape))
    step = dx if x is None else as_input(x)
    if x is not None:
        step = moveaxis(step, axis, -1) if len(step.shape) > 1 else step
        step = step[..., 1:] - step[..., :-1]
    y = moveaxis(y, axis, -1)
    return sum((y[..., 1:] + y[..., :-1]) * step, -1) * 0.5
