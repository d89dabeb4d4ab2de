"""Linear algebra under Keras's name `ops.linalg`: the decompositions, the inverses, norm and jvp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.symbol import any_symbols
from ..engine.tape import GradientTape
from ..engine.tensor import Tensor, as_input, to_tensor
from .axes import some_axes
from .cast import cast
from .compare import not_equal
from .decompositions import cholesky, eig, eigh, lu_factor, qr, singular_values_op, svd
from .inverses import (
    cholesky_inverse,
    det,
    inv,
    logdet,
    lstsq,
    matrix_rank,
    pinv,
    slogdet,
    solve,
    solve_triangular,
)  # fmt: skip
from .math import absolute, power, sqrt, square
from .reduce import max as reduce_max
from .reduce import min as reduce_min
from .reduce import sum as reduce_sum
from .shape import expand_dims, moveaxis

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "logdet", "lstsq", "lu_factor", "matrix_rank",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _vector_norm(x: Any, order: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if order is None or order == 2:
        return sqrt(reduce_sum(square(x), axis=axes, keepdims=keepdims))
    if order == float("inf"):
        return reduce_max(absolute(x), axis=axes, keepdims=keepdims)
    if order == float("-inf"):
        return reduce_min(absolute(x), axis=axes, keepdims=keepdims)
    if order == 0:
        return reduce_sum(cast(not_equal(x, 0), x.dtype), axis=axes, keepdims=keepdims)
    if order == 1:
        return reduce_sum(absolute(x), axis=axes, keepdims=keepdims)
    return power(reduce_sum(power(absolute(x), order), axis=axes, keepdims=keepdims), 1.0 / order)


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    if order in (None, "fro"):
        return _vector_norm(x, None, axes, keepdims)
    extreme = reduce_min if order in (-1, -2, float("-inf")) else reduce_max
    if order in (1, -1, float("inf"), float("-inf")):
        summed, other = axes if order in (1, -1) else axes[::-1]
        sums = reduce_sum(absolute(x), axis=summed, keepdims=True)
        y = extreme(sums, axis=(summed, other), keepdims=keepdims)
        return y
    s = singular_values_op(moveaxis(x, axes, (-2, -1)))
    y = reduce_sum(s, axis=-1) if order == "nuc" else extreme(s, axis=-1)
    return expand_dims(y, tuple(sorted(axes))) if keepdims else y


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """A norm of vectors (one axis) or matrices (two axes).

    Args:
        x: a tensor; integers are taken as floats.
        ord: for vectors: None or 2 (Euclidean), inf, -inf, 0 (the number of nonzeros) or another number p, which gives
            sum(abs(x) ** p) ** (1 / p). For matrices: None or "fro" (Frobenius), "nuc" (sum of the singular values),
            1, -1, inf, -inf (largest or smallest sum of a column or row), 2, -2 (largest or smallest singular value).
        axis: the axis of the vectors, or the two of the matrices; None: all, of which there are one or two unless
            `ord` is None too, which takes x as one long vector.
        keepdims: keep the reduced axes as dimensions of length 1.

    Raises:
        ValueError: for another order or number of axes.

    >>> import kerasish as keras
    >>> keras.ops.norm([3.0, 4.0]).item()
    5.0
    """
    x = as_input(x)
    x = x if x.dtype in FLOATS else cast(x, result_type(x.dtype, float))
    axes = some_axes("norm", axis, len(x.shape))
    if isinstance(ord, str) and ord not in ("fro", "nuc"):
        raise invalid("norm", "`ord` is a number, 'fro', 'nuc' or None", ord=ord)
    if axis is None and ord is None:
        return _vector_norm(x, None, axes, bool(keepdims))
    if len(axes) == 1:
        if isinstance(ord, str):
            raise invalid("norm", f"'{ord}' is a norm of matrices, with two axes", ord=ord, axis=axis)
        return _vector_norm(x, ord, axes, bool(keepdims))
    if len(axes) != 2:
        raise invalid("norm", "`axis` is one axis (vectors) or two (matrices)", axis=axis, x=x)
    if ord not in (None, "fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")):
        raise invalid("norm", "a matrix norm is None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf", ord=ord)
    return _matrix_norm(x, ord, axes, bool(keepdims))


def jvp(fun: Callable, primals: Any, tangents: Any, has_aux: bool = False) -> tuple:
    """The derivative of a function along a direction (forward mode).

    It is the gradient of a gradient: the product of a cotangent u with the Jacobian is linear in u, and its derivative
    by u along the tangents is the product of the Jacobian with the tangents.

    Args:
        fun: a function of tensors, or of nested structures of them, that gives the same.
        primals: its arguments, a tuple or list.
        tangents: their directions, of the same structure and shapes.
        has_aux: `fun` gives a pair, of which the second is passed on without a derivative.

    Returns:
        (fun(*primals), derivative), and the second of the pair where `has_aux`.

    Raises:
        ValueError: where the structures or shapes differ, or for symbols.

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor(3.0)
    >>> y, dy = keras.ops.jvp(lambda x: x * x, (x,), (1.0,))
    >>> y.item(), dy.item()
    (9.0, 6.0)
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise invalid("jvp", "`primals` and `tangents` are tuples or lists", kind=TypeError)
    if any_symbols(primals, tangents):
        raise invalid("jvp", "a derivative follows values, not symbolic tensors")
    points = [_value(x) for x in tree.flatten(primals)]
    directions = [_value(x) for x in tree.flatten(tangents)]
    if [x.shape for x in points] != [x.shape for x in directions]:
        raise invalid(
            "jvp",
            "`tangents` has the structure and shapes of `primals`",
            primals=[x.shape for x in points],
            tangents=[x.shape for x in directions],
        )
    # Derivatives are those at these very tensors, which must not be anybody else's.
    points = [x.renewed() for x in points]
    follow = [k for k, x in enumerate(points) if x.dtype in FLOATS]
    with GradientTape(watch_accessed_variables=False) as outer:
        with GradientTape(watch_accessed_variables=False) as inner:
            inner.watch([points[k] for k in follow])
            result = fun(*tree.pack_sequence_as(tuple(primals), points))
        out, aux = result if has_aux else (result, None)
        outs = [_value(y) for y in tree.flatten(out)]
        cotangents = [to_tensor(np.zeros(y.shape, y.dtype)) for y in outs if y.dtype in FLOATS]
        outer.watch(cotangents)
        products = inner.gradient(
            [y for y in outs if y.dtype in FLOATS], [points[k] for k in follow], output_gradients=cotangents
        )
    pairs = [(p, cast(directions[k], p.dtype)) for k, p in zip(follow, products) if p is not None]
    found = outer.gradient(
        [p for p, _ in pairs], cotangents, output_gradients=[d for _, d in pairs], unconnected_gradients="zero"
    )
    found = iter(found)
    derivatives = [next(found) if y.dtype in FLOATS else to_tensor(np.zeros(y.shape, y.dtype)) for y in outs]
    derivative = tree.pack_sequence_as(out, derivatives)
    return (out, derivative, aux) if has_aux else (out, derivative)


def _value(x: Any) -> Tensor:
    x = as_input(x)
    return x.read() if hasattr(x, "read") else x
