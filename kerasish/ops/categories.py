"""Counts of the categories in each sample."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input

__all__ = ["count_categories", "count_rows"]


def count_rows(x: np.ndarray, depth: int) -> np.ndarray:
    """How often each number below `depth` stands along the second axis of an array, or the only one; int64.

    One pass over the data: one-hot vectors would take `depth` times their memory.
    """
    rows = np.moveaxis(x, 1, -1) if x.ndim > 1 else x
    shape = rows.shape[:-1]
    n = prod(shape)
    flat = rows.reshape(n, rows.shape[-1]).astype("int64")
    place = (flat + np.arange(n)[:, None] * depth)[(flat >= 0) & (flat < depth)]
    return np.bincount(place, minlength=n * depth).reshape(*shape, depth)


def _infer(x: Spec, depth: int, dtype: str) -> Spec:
    if not x.dtype.startswith(("int", "uint")):
        raise invalid("count_categories", "categories are integers", kind=TypeError, dtype=x.dtype)
    if not x.shape:
        raise invalid("count_categories", "a sample has an axis", shape=x.shape)
    return Spec((*x.shape[:1], *x.shape[2:], depth) if x.ndim > 1 else (depth,), dtype)


count_categories_op = define_op(
    "count_categories",
    inputs="x",
    infer=_infer,
    kernel=Host(lambda x, depth, dtype: count_rows(x, depth).astype(dtype)),
    grad=None,
)


def count_categories(x: Any, depth: int, dtype: str) -> Any:
    """How often each category is in each sample.

    Args:
        x: integers; the second axis (the only one of a vector) is counted over. Those outside [0, depth) do not count.
        depth: number of categories.
        dtype: of the result.

    Returns:
        The shape of x with that axis taken out and `depth` at the end.

    Raises:
        TypeError: x holds no integers.
        ValueError: x is a scalar.

    >>> from kerasish.ops.categories import count_categories
    >>> count_categories([[0, 2, 2], [1, -1, 9]], 3, "int64").numpy()
    array([[1, 0, 2],
           [0, 1, 0]])
    """
    return count_categories_op(as_input(x), depth=depth, dtype=dtype)
