"""Reads what users pass as data (arrays, tensors, data frames, sparse matrices) as rows of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine import config, tree
from ..engine.errors import invalid
from ..engine.strings import is_strings

PARTS = ("x", "y", "sample_weight")
CONVERTED_BYTES = 1 << 30  # an array that would be larger in the dtype of batches is converted batch by batch


def is_array_like(value: Any) -> bool:
    """Whether `value` can be read as an array: NumPy, any `__array__`, a data frame, a tensor, a sparse matrix.

    Example:

    >>> is_array_like(np.zeros(3)), is_array_like([1, 2])
    (True, False)
    """
    return isinstance(value, np.ndarray) or hasattr(value, "__array__") or _is_sparse(value) or _is_frame(value)


def _is_sparse(value: Any) -> bool:
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def _is_frame(value: Any) -> bool:
    return hasattr(value, "iloc") and hasattr(value, "to_numpy")


def leaf_names(name: str, structure: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of a readable name, such as `x[0]` or `y['head']`, and a leaf, for every leaf that is not None.

    Example:

    >>> [n for n, _ in leaf_names("x", {"a": 1, "b": [2, None]})]
    ["x['a']", "x['b'][0]"]
    """
    for path, leaf in tree.flatten_with_path(structure):
        if leaf is not None:
            yield name + "".join(f"[{key!r}]" for key in path), leaf


def to_numpy(value: Any) -> Any:
    """`value` as a NumPy array without a copy where possible; a data series becomes a column; sparse becomes CSR."""
    if isinstance(value, np.ndarray):
        return value
    if _is_sparse(value):
        return value.tocsr()
    if _is_frame(value):
        array = value.to_numpy()
        return array[:, None] if array.ndim == 1 else array
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a PyTorch tensor, which may carry gradients
        value = value.detach().cpu()
    return np.asarray(value)


def batch_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype that a batch has: floats become `floatx()`, integers and bool stay.

    Example:

    >>> batch_dtype(np.dtype("float64")), batch_dtype(np.dtype("uint8"))
    (dtype('float32'), dtype('uint8'))
    """
    # bfloat16 and the 8-bit floats of the ml_dtypes package register as kind "V"
    if dtype.kind == "f" or "float" in dtype.name:
        floatx = config.floatx()
        return dtype if floatx == "bfloat16" else np.dtype(floatx)
    return dtype


def check_numbers(where: str, name: str, array: Any) -> None:
    """Raises unless the array's dtype is bool, an integer or a float; NaN is allowed, and inputs may be strings.

    Raises:
        ValueError: names the array, its dtype and the first element that is no number.
    """
    dtype = array.dtype
    if dtype.kind in "biuf" or "float" in dtype.name:
        return
    if name.startswith("x") and is_strings(array):
        return  # for layers such as StringLookup; others refuse them
    if dtype.kind == "O":
        for element in array.flat:
            if isinstance(element, (list, tuple, np.ndarray)):
                rule = f"the rows of {name} have different lengths: pad them to one (see `utils.pad_sequences`)"
                raise invalid(where, rule, dtype=str(dtype), first_row=element)
            if not isinstance(element, (bool, int, float, np.number, np.bool_)):
                rule = f"{name} must hold numbers, but it holds a {type(element).__name__}"
                raise invalid(where, rule, dtype=str(dtype), element=element)
        raise invalid(where, f"{name} must have a numeric dtype: convert it with `astype`", dtype=str(dtype))
    first = array.flat[0].item() if array.size else None
    raise invalid(where, f"{name} must hold numbers", dtype=str(dtype), element=first)


class Rows:
    """An array-like whose rows (entries of axis 0) are read by slice or by index, as batches for a model.

    Attributes:
        shape: tuple, `(samples, ...)`.
        dtype: the dtype of what `take` returns.
    """

    __slots__ = ("_array", "dtype", "shape")

    def __init__(self, where: str, name: str, value: Any):
        array = to_numpy(value)
        if len(array.shape) == 0:
            raise invalid(where, f"{name} must have at least one axis, the samples", shape=array.shape)
        check_numbers(where, name, array)
        self._array = array
        self.shape = tuple(array.shape)
        self.dtype = batch_dtype(array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def convert(self) -> None:
        """Brings the whole array into `dtype` now, unless that takes much memory: passes to come are then faster.

        A batch of 64 rows of 784 numbers takes 45 us to gather from float32, 170 us from float64.
        """
        array = self._array
        dense = isinstance(array, np.ndarray) and array.size * self.dtype.itemsize <= CONVERTED_BYTES
        if dense and array.dtype != self.dtype:
            self._array = array.astype(self.dtype)

    @property
    def array(self) -> np.ndarray | None:
        """The whole array where it is dense, contiguous and has the dtype of batches already; else None."""
        a = self._array
        ready = isinstance(a, np.ndarray) and a.dtype == self.dtype and a.dtype.isnative and a.flags.c_contiguous
        return a if ready else None

    def take(self, index: slice | np.ndarray) -> np.ndarray:
        """The rows at `index`, C-contiguous and in `dtype`; for a slice a view of the data where possible."""
        if not isinstance(self._array, np.ndarray):
            part = self._array[index].toarray()
        elif isinstance(index, slice):
            part = self._array[index]
        else:
            part = self._array.take(index, axis=0)
        return np.ascontiguousarray(part, dtype=self.dtype)


def read_rows(where: str, data: tuple) -> tuple:
    """Each leaf of `(x, y, sample_weight)` as `Rows` (None stays), after checking that all have the same length.

    Raises:
        ValueError: something is no array, holds no numbers, is empty, or the lengths differ (each is named).
    """
    for name, part in zip(PARTS, data):
        for leaf_name, leaf in leaf_names(name, part):
            if not is_array_like(leaf):
                rule = f"{name} must be an array or a structure of arrays (convert lists of numbers with `np.array`)"
                raise invalid(where, rule, **{leaf_name: leaf})
    rows = tuple(_read_part(where, name, part) for name, part in zip(PARTS, data))
    lengths = {n: len(r) for name, part in zip(PARTS, rows) for n, r in leaf_names(name, part)}
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{n}: {length}" for n, length in lengths.items())
        raise ValueError(f"{where}: all arrays must have the same number of samples. Received: {received}")
    if not any(n.startswith("x") for n in lengths):
        raise invalid(where, "x must be given", x=data[0])
    if 0 in lengths.values():
        raise invalid(where, "the dataset is empty", **{n: r for n, r in leaf_names("x", rows[0])})
    return rows


def _read_part(where: str, name: str, part: Any) -> Any:
    names = iter(leaf_names(name, part))
    return tree.map_structure(lambda leaf: Rows(where, next(names)[0], leaf), part, none_is_leaf=False)


def read_batch(where: str, name: str, part: Any) -> Any:
    """Each leaf of one part of a ready batch as a contiguous array in its batch dtype (None stays)."""
    names = iter(leaf_names(name, part))

    def read(leaf: Any) -> np.ndarray:
        leaf_name = next(names)[0]
        if not is_array_like(leaf):
            raise invalid(where, "a batch must hold arrays with at least one axis", **{leaf_name: leaf})
        rows = Rows(where, leaf_name, leaf)
        return rows.take(slice(None))

    return tree.map_structure(read, part, none_is_leaf=False)
