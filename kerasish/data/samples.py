"""Datasets of single samples: parts of a split, and windows over a time series."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.errors import invalid
from .arrays import is_array_like, leaf_names, to_numpy
from .py_dataset import PyDataset


class SampleDataset:
    """Samples by number, of one array or of a structure of arrays with the same number of rows.

    fit, evaluate and predict take it like the arrays that it holds, with a `batch_size`.

    Args:
        data: an array, or a structure of arrays such as `(x, y)`.
        index: numbers of the rows that belong to it; by default all.

    Example:

    >>> samples = SampleDataset((np.arange(4), np.arange(4) * 10), index=np.array([1, 3]))
    >>> len(samples), [int(n) for n in samples[1]], [y.tolist() for x, y in samples.batch(2)]
    (2, [3, 30], [[10, 30]])
    """

    def __init__(self, data: Any, index: np.ndarray | None = None):
        self._data = data
        self._index = np.arange(len(tree.flatten(data)[0])) if index is None else index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Any:
        row = self._index[number]
        return tree.map_structure(lambda a: a[row], self._data)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def arrays(self) -> Any:
        """All samples, as arrays in the structure of the data."""
        return tree.map_structure(lambda a: a.take(self._index, axis=0), self._data)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> BatchDataset:
        """The samples in batches, in their order.

        Args:
            batch_size: samples per batch.
            drop_remainder: whether to leave a smaller last batch out.

        Raises:
            ValueError: `batch_size` is not a positive integer.
        """
        _check_positive("batch", batch_size=batch_size)
        size = len(self) // batch_size * batch_size if drop_remainder else len(self)
        cuts = [self._index[i : min(i + batch_size, size)] for i in range(0, size, batch_size)]

        def gather(rows: np.ndarray) -> Any:
            return tree.map_structure(lambda a: a.take(rows, axis=0), self._data)

        return BatchDataset(gather, lambda: cuts, len(cuts))


class BatchDataset:
    """Batches in an order of its own, made anew for each pass; fit takes it as it is.

    Args:
        gather: gives the batch for an array of row numbers.
        cut: gives the row numbers of each batch; called once per pass.
        count: batches per pass.
    """

    def __init__(self, gather: Callable[[Any], Any], cut: Callable[[], list], count: int):
        self._gather, self._cut, self._count = gather, cut, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return map(self._gather, self._cut())


def _check_positive(where: str, **values: Any) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise invalid(where, f"{name} must be a positive integer", **{name: value})


# -- splitting -----------------------------------------------------------------------------------------------------


def split_dataset(
    dataset: Any,
    left_size: float | int | None = None,
    right_size: float | int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """Splits a dataset into two, such as one to train and one to test on.

    Args:
        dataset: an array; a list or tuple of arrays with the same number of rows, which gives samples that are
            tuples; a `PyDataset`; or samples by number (`len()` and `[i]`).
        left_size: samples of the left part, or a fraction between 0 and 1; by default what `right_size` leaves.
        right_size: likewise for the right part, which is taken from the end.
        shuffle: whether to shuffle the samples first.
        seed: gives the order; by default drawn from Python's `random`.
        preferred_backend: accepted so that scripts which name one run; there is only one kind of result.

    Returns:
        Two `SampleDataset`s; for a `PyDataset`, two datasets of batches of the size of its own.

    Raises:
        TypeError: the dataset is something else, or a size is no number.
        ValueError: the arrays differ in length, or the sizes leave a part empty or add up to too much.

    Example:

    >>> left, right = split_dataset(np.arange(10), left_size=0.8)
    >>> len(left), [int(n) for n in right]
    (8, [8, 9])
    """
    data, batch_size = _as_arrays(dataset)
    total = len(tree.flatten(data)[0])
    left, right = _split_sizes(left_size, right_size, total)
    order = list(range(total))
    if shuffle:
        random.Random(random.randint(0, int(1e6)) if seed is None else seed).shuffle(order)
    parts = (SampleDataset(data, np.array(order[:left])), SampleDataset(data, np.array(order[total - right :])))
    return parts if batch_size is None else tuple(part.batch(batch_size) for part in parts)


def _as_arrays(dataset: Any) -> tuple[Any, int | None]:
    """The samples of a dataset as arrays, and the size of its batches if it consists of such."""
    if isinstance(dataset, (list, tuple)):
        arrays = tuple(to_numpy(a) for a in dataset if is_array_like(a))
        lengths = {f"dataset[{i}]": len(a) for i, a in enumerate(arrays)}
        if len(arrays) < len(dataset) or not arrays:
            raise invalid("split_dataset", "a list must hold arrays, and at least one", dataset=dataset)
        if len(set(lengths.values())) > 1:
            raise invalid("split_dataset", "all arrays must have the same number of rows", **lengths)
        return arrays, None
    if is_array_like(dataset):
        return to_numpy(dataset), None
    if not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")) or isinstance(dataset, (str, bytes, dict)):
        rule = "the dataset must be an array, a list or tuple of arrays, a PyDataset, or have `len()` and `[i]`"
        raise invalid("split_dataset", rule, kind=TypeError, dataset=dataset)
    items = [tree.map_structure(to_numpy, dataset[i]) for i in range(len(dataset))]
    if not items:
        raise invalid("split_dataset", "the dataset is empty", dataset=dataset)
    shapes = [[leaf.shape for _, leaf in leaf_names("", item)] for item in items]
    batches = isinstance(dataset, PyDataset)
    if not batches and any(shape != shapes[0] for shape in shapes):
        rule = "all samples must have the same shapes"
        raise invalid("split_dataset", rule, first=shapes[0], other=next(s for s in shapes if s != shapes[0]))
    join = np.concatenate if batches else np.stack
    return tree.map_structure(lambda *leaves: join(leaves), *items), shapes[0][0][0] if batches else None


def _split_sizes(left: Any, right: Any, total: int) -> tuple[int, int]:
    if left is None and right is None:
        raise invalid("split_dataset", "left_size or right_size must be given", left_size=left, right_size=right)
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, (int, float, np.integer, np.floating)):
            raise invalid(
                "split_dataset", f"{name} must be an integer, a fraction or None", kind=TypeError, **{name: size}
            )
        if not 0 < size < (total if isinstance(size, (int, np.integer)) else 1):
            rule = f"{name} must be an integer from 1 to {total - 1} or a fraction between 0 and 1"
            raise invalid("split_dataset", rule, **{name: size})
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise invalid("split_dataset", "the fractions must not add up to more than 1", left_size=left, right_size=right)

    def count(size: Any, other: Any) -> int:
        if size is None:
            return total - count(other, None)
        return int(size) if isinstance(size, (int, np.integer)) else round(size * total)

    left, right = count(left, right), count(right, left)
    if min(left, right) < 1 or left + right > total:
        rule = f"each part of {total} samples must have at least one, and no sample can be in both"
        raise invalid("split_dataset", rule, left=left, right=right)
    return left, right


# -- windows -------------------------------------------------------------------------------------------------------


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str = "tf",
) -> BatchDataset:
    """Windows that slide over a time series, in batches.

    Window number k starts at `start_index + k * sequence_stride` and takes every `sampling_rate`-th of the steps from
    there, `sequence_length` of them.

    Args:
        data: array of consecutive steps, `(steps, ...)`.
        targets: `targets[i]` belongs to the window that starts at step i; None for windows alone.
        sequence_length: steps per window.
        sequence_stride: steps from the start of one window to that of the next.
        sampling_rate: steps from one step of a window to its next.
        batch_size: windows per batch; None for single windows, without the axis of the batch.
        shuffle: whether each pass takes the windows in a new order instead of that of time.
        seed: gives those orders; by default drawn from NumPy's global generator.
        start_index: steps before it are not used.
        end_index: this step and those after it are not used.
        format: `"tf"` or `"grain"`, accepted so that scripts which name one run; there is one kind of result.

    Returns:
        A dataset of batches `windows` or `(windows, targets)`, with windows of shape
        `(batch, sequence_length, ...)` in the dtype of the data.

    Raises:
        ValueError: an argument is out of range, or the series is too short for one window.

    Example:

    >>> series = np.arange(10)
    >>> windows = timeseries_dataset_from_array(series[:-3], series[3:], sequence_length=3, batch_size=2)
    >>> x, y = next(iter(windows))
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [1, 2, 3]], [3, 4])
    """
    where = "timeseries_dataset_from_array"
    data = to_numpy(data)
    steps = len(data)
    _check_positive(where, sequence_length=sequence_length)
    if batch_size is not None:
        _check_positive(where, batch_size=batch_size)
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        _check_positive(where, **{name: value})
        if value >= steps:
            raise invalid(where, f"{name} must be less than the {steps} steps of the data", **{name: value})
    if format not in ("tf", "grain"):
        raise invalid(where, 'format must be "tf" or "grain"', format=format)
    start, end = start_index or 0, end_index or steps
    if not 0 <= start < steps:
        raise invalid(where, f"start_index must be from 0 to {steps - 1}", start_index=start_index)
    if end_index and not start < end < steps:
        raise invalid(where, f"end_index must be from {start + 1} to {steps - 1}", end_index=end_index)
    count = end - start - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = to_numpy(targets)
        count = min(count, len(targets) - start)
    starts = start + np.arange(0, count, sequence_stride)
    if not len(starts):
        rule = f"the {end - start} steps are too few for one window"
        raise invalid(where, rule, sequence_length=sequence_length, sampling_rate=sampling_rate)
    offsets = np.arange(sequence_length) * sampling_rate
    rng = np.random.RandomState(np.random.randint(10**6) if seed is None and shuffle else seed)

    def cut() -> list:
        order = rng.permutation(starts) if shuffle else starts
        return list(order) if batch_size is None else np.split(order, range(batch_size, len(order), batch_size))

    def gather(at: np.ndarray) -> Any:
        windows = data[np.add.outer(at, offsets)]
        return windows if targets is None else (windows, targets[at])

    return BatchDataset(gather, cut, len(starts) if batch_size is None else -(-len(starts) // batch_size))
