"""Constants that differ from capture to capture, as expressions of the free dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .family import Ref, Sizes, same_arrays


def affine(d: Sequence[int], known: Sequence[int]) -> tuple[int, int] | None:
    """(k, c) with d = k known + c in every capture, k not 0; None where there is none."""
    for (y0, x0), (y1, x1) in zip(zip(d, known), list(zip(d, known))[1:]):
        if x0 != x1:
            times, rest = divmod(y1 - y0, x1 - x0)
            plus = d[0] - times * known[0]
            fits = rest == 0 and times != 0 and all(y == times * x + plus for y, x in zip(d, known))
            return (times, plus) if fits else None
    return None


def rounded(d: Sequence[int], known: Sequence[int]) -> tuple[int, int] | None:
    """(k, c) with d = (known + c) // k in every capture, 1 < k < 17 and -k < c < k; None where there is none, or where
    the captures do not tell which."""
    for k in range(2, 17):
        found = [c for c in range(1 - k, k) if all((x + c) // k == y for y, x in zip(d, known))]
        if found:
            return (k, found[0]) if len(found) == 1 else None
    return None


def constant_form(w: Any, arrays: list[np.ndarray], ref: Ref) -> str | None:
    """Emits a constant; w is the Writer. One that follows the free dimensions is a row repeated, a range, a triangle
    or a size itself; any other is None."""
    if same_arrays(arrays):
        return w.const(arrays[0], ref.dtype)
    free = [axis for axis, d in enumerate(ref.shape) if isinstance(d, Sizes)]
    rows = [a[tuple(slice(0, 1) if k in free else slice(None) for k in range(a.ndim))] for a in arrays]
    if free and same_arrays(rows) and all(np.array_equal(a, np.broadcast_to(r, a.shape)) for a, r in zip(arrays, rows)):
        return w.op("Expand", w.const(rows[0], ref.dtype), w.shape(ref.shape))
    for form in (_size, _range, _triangle):
        found = form(w, arrays, ref, free)
        if found is not None:
            return found
    return None


def _size(w: Any, arrays: list[np.ndarray], ref: Ref, free: list[int]) -> str | None:
    """One number that is a size, or follows from sizes; or its inverse, of a float."""
    if free or arrays[0].size != 1:
        return None
    numbers = [a.reshape(()).item() for a in arrays]
    for inverse in (False, True):
        if inverse and (0 in numbers or arrays[0].dtype.kind != "f"):
            return None
        values = [1 / n if inverse else n for n in numbers]
        whole = [round(v) for v in values]
        near = [np.asarray(1 / n if inverse else n, arrays[0].dtype) for n in whole if n or not inverse]
        if len(near) == len(numbers) and all(a == b for a, b in zip(near, numbers)):
            y = w.cast(w.reshape(w.size(Sizes(whole)), ref.shape), ref.dtype)
            return w.op("Reciprocal", y) if inverse else y
    return None


def _range(w: Any, arrays: list[np.ndarray], ref: Ref, free: list[int]) -> str | None:
    """start + step k along the one free dimension, the same along all others."""
    if len(free) != 1 or arrays[0].dtype.kind not in "iuf":
        return None
    axis = free[0]
    lines = [np.moveaxis(a, axis, -1).reshape(-1, a.shape[axis]) for a in arrays]
    if any(len(x) == 0 or x.shape[1] < 2 for x in lines):
        return None
    start, step = lines[0][0, 0].item(), (lines[0][0, 1] - lines[0][0, 0]).item()
    if any(not np.array_equal(x, np.broadcast_to(start + step * np.arange(x.shape[1]), x.shape)) for x in lines):
        return None
    n = w.squeeze(w.size(ref.shape[axis]), 0)
    y = w.op("Range", w.const(np.int64(0)), n, w.const(np.int64(1)))
    y = w.cast(y, ref.dtype)
    if step != 1:
        y = w.op("Mul", y, w.scalar(step, ref))
    if start != 0:
        y = w.op("Add", y, w.scalar(start, ref))
    y = w.reshape(y, tuple(d if k == axis else 1 for k, d in enumerate(ref.shape)))
    return w.op("Expand", y, w.shape(ref.shape))


def _triangle(w: Any, arrays: list[np.ndarray], ref: Ref, free: list[int]) -> str | None:
    """Ones on one side of a diagonal of the last two dimensions, and zeros on the other."""
    ndim = len(ref.shape)
    if free != [ndim - 2, ndim - 1] or arrays[0].dtype.kind not in "biuf":
        return None
    for upper in (0, 1):
        for k in range(-2, 3):
            cut = np.triu if upper else np.tril
            if all(np.array_equal(a, np.broadcast_to(cut(np.ones(a.shape[-2:], a.dtype), k), a.shape)) for a in arrays):
                ones = w.op("Expand", w.const(np.ones((1,) * ndim, "float32")), w.shape(ref.shape))
                return w.cast(w.op("Trilu", ones, w.const(np.int64(k)), upper=upper), ref.dtype)
    return None
