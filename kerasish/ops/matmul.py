"""Products of matrices and vectors: matmul, and contractions over any axes."""

from __future__ import annotations

import math
from string import ascii_letters
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec, broadcast_shapes
from ..engine.tensor import as_input, register_operators
from .axes import as_int, as_ints, one_axis, some_axes
from .cast import promote, unbroadcast
from .diagonal import diagonal
from .epilogue import PRODUCT_EPILOGUES, epilogue_code
from .join import concatenate, split
from .math import multiply, negative, subtract
from .reduce import sum as reduce_sum
from .shape import expand_dims, moveaxis, ravel, reshape, squeeze, transpose

__all__ = [
    "contract", "cross", "dot", "inner", "kron", "matmul", "matmul_bias", "outer", "tensordot", "trace", "vdot",
]  # fmt: skip


def _product_dtype(dtype: str) -> str:
    """Keras widens int8 products, so that sums of them have room."""
    return "int32" if dtype == "int8" else dtype


def _wide(x: np.ndarray) -> np.ndarray:
    """float16 sums in float32, int8 in int32."""
    return x.astype({"float16": "float32", "int8": "int32"}.get(x.dtype.name, x.dtype), copy=False)


# ---- matmul -----------------------------------------------------------------------------------------------------


def _matmul_infer(
    x1: Spec,
    x2: Spec,
    *bias: Spec,
    transpose_a: bool = False,
    transpose_b: bool = False,
    activation: str | None = None,
) -> Spec:
    if x1.ndim < 2 or x2.ndim < 2:
        raise invalid("matmul", "both operands are matrices or batches of them", x1=x1, x2=x2)
    m, k1 = x1.shape[:-3:-1] if transpose_a else x1.shape[-2:]
    k2, n = x2.shape[:-3:-1] if transpose_b else x2.shape[-2:]
    if None not in (k1, k2) and k1 != k2:
        raise invalid("matmul", f"the inner dimensions must be equal, not {k1} and {k2}", x1=x1, x2=x2)
    batch = broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    if batch is None:
        raise invalid("matmul", "the leading dimensions must broadcast against each other", x1=x1, x2=x2)
    for b in bias:
        if b.ndim != 1 or (None not in (n, b.shape[0]) and b.shape[0] != n):
            raise invalid("matmul", f"the bias is a vector with one value for each of the {n} columns", bias=b)
    return Spec((*batch, m, n), _product_dtype(x1.dtype))


def _matmul_host(
    x1: np.ndarray, x2: np.ndarray, *bias: np.ndarray, transpose_a: bool = False, transpose_b: bool = False
) -> np.ndarray:
    y = np.matmul(
        _wide(np.swapaxes(x1, -1, -2) if transpose_a else x1), _wide(np.swapaxes(x2, -1, -2) if transpose_b else x2)
    )
    return y + _wide(bias[0]) if bias else y


def _flags(ctx) -> tuple[bool, bool]:
    return ctx.attrs.get("transpose_a", False), ctx.attrs.get("transpose_b", False)


def _rows(x: Any) -> Any:
    """A batch of matrices as one matrix, row under row."""
    return x if x.ndim == 2 else reshape(x, (-1 if 0 not in x.shape else int(np.prod(x.shape[:-1])), x.shape[-1]))


def _matmul_grad_x1(ctx, g: Any) -> Any:
    ta, tb = _flags(ctx)
    x2 = ctx.inputs[1]
    if ta:
        dx = matmul_op(x2, g, transpose_a=tb, transpose_b=True)
    else:
        dx = matmul_op(g, x2, transpose_a=False, transpose_b=not tb)
    return unbroadcast(dx, ctx.specs[0])


def _matmul_grad_x2(ctx, g: Any) -> Any:
    ta, tb = _flags(ctx)
    x1 = ctx.inputs[0]
    if not ta and ctx.specs[1].ndim == 2:  # one long sum over all rows of the batch
        x1, g = _rows(x1), _rows(g)
    if tb:
        dx = matmul_op(g, x1, transpose_a=True, transpose_b=ta)
    else:
        dx = matmul_op(x1, g, transpose_a=not ta, transpose_b=False)
    return unbroadcast(dx, ctx.specs[1])


def _matmul_numbers(specs: tuple[Spec, ...], attrs: dict) -> tuple[int, int, int]:
    return int(attrs.get("transpose_a", False)), int(attrs.get("transpose_b", False)), epilogue_code(attrs)


def _matmul_work(specs: tuple[Spec, ...], outs: tuple[Spec, ...], attrs: dict) -> int:
    return 2 * (outs[0].size or 0) * (specs[0].shape[-2 if attrs.get("transpose_a") else -1] or 0)


matmul_op = define_op(
    "matmul",
    inputs="x1 x2",
    infer=_matmul_infer,
    kernel=C("matmul", i=_matmul_numbers, host=_matmul_host),
    grad=(_matmul_grad_x1, _matmul_grad_x2),
    saves="x1 x2",
    kind="anchor",
    flops=_matmul_work,
    epilogue=PRODUCT_EPILOGUES,
)

matmul_bias_op = define_op(
    "matmul_bias",
    inputs="x1 x2 bias",
    infer=_matmul_infer,
    kernel=C("matmul", i=_matmul_numbers, host=_matmul_host),
    grad=(_matmul_grad_x1, _matmul_grad_x2, lambda ctx, g: unbroadcast(g, ctx.specs[2])),
    saves="x1 x2",
    kind="anchor",
    flops=_matmul_work,
    epilogue=PRODUCT_EPILOGUES,
)


def matmul(x1: Any, x2: Any) -> Any:
    """The matrix product.

    Args:
        x1: `(..., m, k)`, or a vector `(k,)`, which counts as one row.
        x2: `(..., k, n)`, or a vector `(k,)`, which counts as one column. The leading dimensions of both broadcast.

    Returns:
        `(..., m, n)`, without m where x1 is a vector and without n where x2 is one.

    Raises:
        ValueError: for operands of rank 0 or whose inner or leading dimensions do not fit.

    >>> import kerasish as keras
    >>> keras.ops.matmul([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]).numpy()
    array([3., 7.], dtype=float32)
    """
    x1, x2 = promote(x1, x2)
    n1, n2 = len(x1.shape), len(x2.shape)
    if n1 > 1 and n2 > 1:
        return matmul_op(x1, x2)
    if n1 == 0 or n2 == 0:
        raise invalid("matmul", "the operands have one dimension or more", x1=x1, x2=x2)
    k1, k2 = x1.shape[-1], x2.shape[-2 if n2 > 1 else 0]
    if None not in (k1, k2) and k1 != k2:
        raise invalid("matmul", f"the inner dimensions must be equal, not {k1} and {k2}", x1=x1, x2=x2)
    y = matmul_op(expand_dims(x1, 0) if n1 == 1 else x1, expand_dims(x2, 1) if n2 == 1 else x2)
    return squeeze(y, ((-2,) if n1 == 1 else ()) + ((-1,) if n2 == 1 else ()))


def matmul_bias(x: Any, kernel: Any, bias: Any) -> Any:
    """`x @ kernel + bias` in one pass, for a bias with one value for each column of the kernel."""
    return matmul_bias_op(*promote(x, kernel, bias))


# ---- contraction ------------------------------------------------------------------------------------------------


def _groups(left: str, right: str, out: str) -> tuple[str, str, str, str]:
    """The labels of the four kinds of dimensions: batch, rows, columns, summed."""
    return (
        "".join(c for c in out if c in left and c in right),
        "".join(c for c in out if c not in right),
        "".join(c for c in out if c not in left),
        "".join(c for c in left if c not in out),
    )


def _contract_infer(x1: Spec, x2: Spec, left: str, right: str, out: str) -> Spec:
    if x1.ndim != len(left) or x2.ndim != len(right):
        raise invalid("contract", "each operand has one label for each dimension", x1=x1, x2=x2, labels=(left, right))
    batch, rows, columns, _ = _groups(left, right, out)
    once = all(len(set(labels)) == len(labels) for labels in (left, right, out))
    if not once or out != batch + rows + columns or set(left) ^ set(right) != set(rows + columns):
        raise invalid(
            "contract",
            "the output's labels are those of both operands, then the first's own, then the second's own",
            left=left,
            right=right,
            out=out,
        )
    size: dict[str, int | None] = {}
    for label, d in (*zip(left, x1.shape), *zip(right, x2.shape)):
        if size.get(label) is None:
            size[label] = d
        elif d not in (None, size[label]):
            raise invalid(
                "contract", f"the operands differ in dimension {label!r}: {size[label]} and {d}", x1=x1, x2=x2
            )
    return Spec(tuple(size[label] for label in out), _product_dtype(x1.dtype))


def _strides(shape: tuple[int, ...], labels: str) -> dict[str, int]:
    out, step = {}, 1
    for label, d in zip(reversed(labels), reversed(shape)):
        out[label] = step
        step *= d
    return out


def _contract_numbers(specs: tuple[Spec, ...], attrs: dict) -> tuple[int, ...]:
    left, right = attrs["left"], attrs["right"]
    groups = _groups(left, right, attrs["out"])
    size = {**dict(zip(left, specs[0].shape)), **dict(zip(right, specs[1].shape))}
    a, b = _strides(specs[0].shape, left), _strides(specs[1].shape, right)
    return (
        *map(len, groups),
        *(n for labels in groups for label in labels for n in (size[label], a.get(label, 0), b.get(label, 0))),
    )


def _in_order(x: Any, labels: str, wanted: str) -> Any:
    return x if labels == wanted else transpose(x, tuple(labels.index(c) for c in wanted))


def contract(x1: Any, left: str, x2: Any, right: str, out: str) -> Any:
    """Product of two tensors whose dimensions are labelled, summed over the labels that `out` lacks.

    Args:
        x1, x2: tensors of one dtype.
        left, right: a label for each dimension of x1, x2; a label in one operand alone must be in `out`.
        out: labels of the result.
    """
    batch, rows, columns, _ = _groups(left, right, out)
    if out.index(rows[0]) > out.index(columns[0]) if rows and columns else columns:
        x1, left, x2, right, rows, columns = x2, right, x1, left, columns, rows
    natural = batch + rows + columns
    return _in_order(contract_op(x1, x2, left=left, right=right, out=natural), natural, out)


def _contract_work(specs: tuple[Spec, ...], outs: tuple[Spec, ...], attrs: dict) -> int:
    summed = _groups(attrs["left"], attrs["right"], attrs["out"])[3]
    size = dict(zip(attrs["left"], specs[0].shape))
    return 2 * (outs[0].size or 0) * math.prod(size[label] or 0 for label in summed)


contract_op = define_op(
    "contract",
    inputs="x1 x2",
    infer=_contract_infer,
    kernel=C(
        "contract",
        i=_contract_numbers,
        host=lambda x1, x2, left, right, out: np.einsum(f"{left},{right}->{out}", _wide(x1), _wide(x2)),
    ),
    grad=(
        lambda ctx, g: contract(g, ctx.attrs["out"], ctx.inputs[1], ctx.attrs["right"], ctx.attrs["left"]),
        lambda ctx, g: contract(g, ctx.attrs["out"], ctx.inputs[0], ctx.attrs["left"], ctx.attrs["right"]),
    ),
    saves="x1 x2",
    kind="anchor",
    flops=_contract_work,
)


def _over_axes(where: str, x1: Any, axes1: tuple[int, ...], x2: Any, axes2: tuple[int, ...]) -> Any:
    """Sums over pairs of axes (positions); the result has the other axes of x1, then those of x2."""
    for a, b in zip(axes1, axes2):
        d1, d2 = x1.shape[a], x2.shape[b]
        if None not in (d1, d2) and d1 != d2:
            raise invalid(where, f"axis {a} of x1 and axis {b} of x2 must have equal lengths", x1=x1, x2=x2)
    left = ascii_letters[: len(x1.shape)]
    right = list(ascii_letters[len(left) : len(left) + len(x2.shape)])
    for a, b in zip(axes1, axes2):
        right[b] = left[a]
    right = "".join(right)
    out = "".join(c for c in left if c not in right) + "".join(c for c in right if c not in left)
    return contract(x1, left, x2, right, out)


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Sum of products over chosen axes of two tensors.

    Args:
        x1, x2: tensors.
        axes: an integer n: the last n axes of x1 with the first n of x2; or a pair of lists, axes of x1 and of x2.

    Returns:
        The remaining axes of x1, then those of x2.

    Raises:
        ValueError: where the axes do not exist, differ in number or differ in length.

    >>> import kerasish as keras
    >>> keras.ops.tensordot(keras.ops.ones((2, 3, 4)), keras.ops.ones((4, 3)), axes=[[1, 2], [1, 0]]).numpy()
    array([12., 12.], dtype=float32)
    """
    x1, x2 = promote(x1, x2)
    n1, n2 = len(x1.shape), len(x2.shape)
    if isinstance(axes, (tuple, list)) and len(axes) == 2:
        axes1 = some_axes("tensordot", as_ints("tensordot", "axes", axes[0]), n1, "axes[0]")
        axes2 = some_axes("tensordot", as_ints("tensordot", "axes", axes[1]), n2, "axes[1]")
        if len(axes1) != len(axes2):
            raise invalid("tensordot", "`axes` lists as many axes of x1 as of x2", axes=axes)
    else:
        n = as_int("tensordot", "axes", axes)
        if not 0 <= n <= min(n1, n2):
            raise invalid(
                "tensordot", "`axes` is at least 0 and at most the rank of either operand", axes=axes, x1=x1, x2=x2
            )
        axes1, axes2 = tuple(range(n1 - n, n1)), tuple(range(n))
    return _over_axes("tensordot", x1, axes1, x2, axes2)


def dot(x1: Any, x2: Any) -> Any:
    """NumPy's dot product: the last axis of x1 with the second to last of x2 (its only one, for a vector).

    An operand of rank 0 multiplies the other one.

    Raises:
        ValueError: where the two axes differ in length.

    >>> import kerasish as keras
    >>> keras.ops.dot([1.0, 2.0], [3.0, 4.0]).item()
    11.0
    """
    x1, x2 = promote(x1, x2)
    n1, n2 = len(x1.shape), len(x2.shape)
    if n1 == 0 or n2 == 0:
        return multiply(x1, x2)
    return _over_axes("dot", x1, (n1 - 1,), x2, (max(n2 - 2, 0),))


def inner(x1: Any, x2: Any) -> Any:
    """Sum of products over the last axis of both operands; an operand of rank 0 multiplies the other one.

    Raises:
        ValueError: where the last axes differ in length.

    >>> import kerasish as keras
    >>> keras.ops.inner([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]).numpy()
    array([3., 7.], dtype=float32)
    """
    x1, x2 = promote(x1, x2)
    n1, n2 = len(x1.shape), len(x2.shape)
    if n1 == 0 or n2 == 0:
        return multiply(x1, x2)
    return _over_axes("inner", x1, (n1 - 1,), x2, (n2 - 1,))


def vdot(x1: Any, x2: Any) -> Any:
    """Sum of the products of all elements, taken in row-major order.

    Raises:
        ValueError: where the operands differ in their number of elements.

    >>> import kerasish as keras
    >>> keras.ops.vdot([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]).item()
    10.0
    """
    x1, x2 = promote(x1, x2)
    return _over_axes("vdot", ravel(x1), (0,), ravel(x2), (0,))


def outer(x1: Any, x2: Any) -> Any:
    """Products of all elements of x1 (rows of the result) with all elements of x2 (columns).

    >>> import kerasish as keras
    >>> keras.ops.outer([1.0, 2.0], [3.0, 4.0]).numpy()
    array([[3., 4.],
           [6., 8.]], dtype=float32)
    """
    x1, x2 = promote(x1, x2)
    return multiply(expand_dims(ravel(x1), 1), expand_dims(ravel(x2), 0))


# ---- compositions -----------------------------------------------------------------------------------------------


def kron(x1: Any, x2: Any) -> Any:
    """The Kronecker product: every element of x1 times the whole of x2, as blocks.

    The operand of lower rank counts as having leading dimensions of 1.

    Raises:
        ValueError: where more than one dimension of the result is unknown.

    >>> import kerasish as keras
    >>> keras.ops.kron([1, 10], [1, 2, 3]).numpy()
    array([ 1,  2,  3, 10, 20, 30], dtype=int32)
    """
    x1, x2 = promote(x1, x2)
    n = max(len(x1.shape), len(x2.shape))
    x1, x2 = (expand_dims(x, tuple(range(n - len(x.shape)))) if len(x.shape) < n else x for x in (x1, x2))
    if n == 0:
        return multiply(x1, x2)
    shape = tuple(-1 if None in (a, b) else a * b for a, b in zip(x1.shape, x2.shape))
    if shape.count(-1) > 1:
        raise invalid("kron", "at most one dimension of the result may be unknown", x1=x1, x2=x2)
    y = multiply(expand_dims(x1, tuple(range(1, 2 * n, 2))), expand_dims(x2, tuple(range(0, 2 * n, 2))))
    return reshape(y, shape)


def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The cross product of vectors of 2 or 3 components (a missing third one is 0).

    Args:
        x1, x2: tensors whose other dimensions broadcast.
        axisa, axisb: the axis of the components in x1, x2.
        axisc: their axis in the result.
        axis: if given, all three of these.

    Returns:
        Vectors of 3 components; for two operands of 2 components the third one alone, without an axis for it.

    Raises:
        ValueError: for another number of components.

    >>> import kerasish as keras
    >>> keras.ops.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).numpy()
    array([0., 0., 1.], dtype=float32)
    """
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x1, x2 = promote(x1, x2)
    parts = []
    for name, where, x, axis in (("x1", "axisa", x1, axisa), ("x2", "axisb", x2, axisb)):
        k = one_axis("cross", axis, len(x.shape), where)
        if x.shape[k] not in (2, 3):
            raise invalid("cross", f"{name} has 2 or 3 components along its axis {axis}", **{name: x})
        parts.append(split(moveaxis(x, k, -1), x.shape[k], axis=-1))
    a, b = parts

    def term(i: int, j: int) -> Any:
        """a[i] b[j] - a[j] b[i], without the products of missing components."""
        plus = multiply(a[i], b[j]) if i < len(a) and j < len(b) else None
        minus = multiply(a[j], b[i]) if j < len(a) and i < len(b) else None
        return negative(minus) if plus is None else plus if minus is None else subtract(plus, minus)

    if len(a) == len(b) == 2:
        return squeeze(term(0, 1), -1)
    return moveaxis(concatenate([term(1, 2), term(2, 0), term(0, 1)], axis=-1), -1, axisc)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal over two axes.

    Args:
        x: a tensor of rank 2 or more.
        offset: how far above (positive) or below the main diagonal.
        axis1, axis2: the rows and the columns.

    Raises:
        ValueError: for a lower rank, or where both axes are the same.

    >>> import kerasish as keras
    >>> keras.ops.trace([[1, 2], [3, 4]]).item()
    5
    """
    x = as_input(x)
    if len(x.shape) < 2:
        raise invalid("trace", "x needs at least two dimensions", x=x)
    return reduce_sum(diagonal(x, offset, axis1, axis2), axis=-1)


register_operators(matmul=matmul)
