"""What every supply of batches looks like to the training loop, and the supply that reads arrays."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.errors import invalid
from .arrays import Rows, is_array_like, leaf_names, read_rows
from .pack import pack_x_y_sample_weight
from .weights import class_weight_to_sample_weight, spread_sample_weight

DEFAULT_BATCH_SIZE = 32


class BatchSource:
    """A supply of batches; a batch is `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)` of NumPy arrays or None.

    Attributes:
        num_batches: batches per pass over the data, or None when that is not known.
        num_samples: samples per pass over the data, or None.
        batch_size: samples per batch (the last may hold fewer), or None.
        one_shot: whether the data can be passed over only once.
    """

    num_batches: int | None = None
    num_samples: int | None = None
    batch_size: int | None = None
    one_shot = False

    def __iter__(self) -> Iterator[Any]:
        """A pass over the data (for a one-shot source: over what is left)."""
        raise NotImplementedError

    def peek(self) -> Any:
        """A first batch, to read shapes from, without taking it away from the next pass."""
        raise NotImplementedError

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch, also after one that was cut short."""

    @property
    def partial_batch_size(self) -> int | None:
        """Samples in a smaller last batch, or None if there is none or it is not known."""
        if self.num_samples is None or self.batch_size is None:
            return None
        return self.num_samples % self.batch_size or None

    @property
    def has_partial_batch(self) -> bool:
        """Whether the last batch is known to be smaller than the others."""
        return self.partial_batch_size is not None


class ArraySource(BatchSource):
    """Batches gathered from arrays that all have the same number of rows.

    Args:
        x: inputs: an array or a structure of arrays, each `(samples, ...)`.
        y: targets, likewise, or None.
        sample_weight: weights in the structure of `y`, or one array for all outputs, or None.
        batch_size: samples per batch; by default what gives `steps` batches, or 32.
        steps: batches per pass, where `batch_size` is not given.
        shuffle: True to draw a new order for each pass, `"batch"` to shuffle only inside each batch, or False.
        class_weight: weight of each class, instead of `sample_weight`.
        where: the caller's name, for errors.

    Random orders come from NumPy's global generator, which `utils.set_random_seed` seeds.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        steps: int | None = None,
        shuffle: bool | str = False,
        class_weight: dict | None = None,
        where: str = "fit",
    ):
        if batch_size is not None and not (isinstance(batch_size, numbers.Integral) and batch_size > 0):
            raise invalid(where, "batch_size must be a positive integer", batch_size=batch_size)
        if sample_weight is not None:
            if class_weight is not None:
                raise invalid(where, "class_weight and sample_weight cannot be given together")
            sample_weight = spread_sample_weight(where, y, sample_weight)
        rows = read_rows(where, (x, y, sample_weight))
        if class_weight is not None:
            if y is None:
                raise invalid(where, "class_weight needs targets y", y=y)
            weights = class_weight_to_sample_weight(where, y, class_weight)
            rows = (*rows[:2], Rows(where, "sample_weight", weights))
        self._rows = pack_x_y_sample_weight(*rows)
        self._shuffle = shuffle
        if shuffle:  # for training, which passes over the data many times
            for leaf in tree.flatten(rows):
                if leaf is not None:
                    leaf.convert()
        self.num_samples = len(next(r for _, r in leaf_names("x", rows[0])))
        if batch_size is None:
            batch_size = math.ceil(self.num_samples / steps) if steps else DEFAULT_BATCH_SIZE
        self.batch_size = int(batch_size)
        self.num_batches = math.ceil(self.num_samples / self.batch_size)

    @property
    def rows(self) -> Any:
        """The data: `Rows` in the structure of a batch."""
        return self._rows

    @property
    def shuffles_within_batches(self) -> bool:
        """Whether only the rows of each batch change places."""
        return self._shuffle == "batch"

    def order(self) -> np.ndarray | None:
        """The rows of a new pass in their order, where one is drawn; None for the order of the data."""
        return np.random.permutation(self.num_samples) if self._shuffle and not self.shuffles_within_batches else None

    def gather(self, index: slice | np.ndarray) -> Any:
        """The batch of these rows."""
        return tree.map_structure(lambda rows: rows.take(index), self._rows, none_is_leaf=False)

    def __iter__(self) -> Iterator[Any]:
        n, size = self.num_samples, self.batch_size
        order = self.order()
        for start in range(0, n, size):
            stop = min(start + size, n)
            if order is not None:
                yield self.gather(order[start:stop])
            elif self.shuffles_within_batches:
                yield self.gather(np.random.permutation(stop - start) + start)
            else:
                yield self.gather(slice(start, stop))

    def peek(self) -> Any:
        return self.gather(slice(0, self.batch_size))


def train_validation_split(data: tuple, validation_split: float, where: str = "fit") -> tuple[tuple, tuple]:
    """Splits `(x, y, sample_weight)` into two such tuples: the first samples to train on, the last to validate on.

    Args:
        data: arrays or structures of arrays of one length; parts may be None.
        validation_split: fraction of the samples that goes to validation, between 0 and 1.
        where: the caller's name, for errors.

    Raises:
        ValueError: the fraction is not between 0 and 1, leaves one side empty, or the data is not made of arrays.

    Example:

    >>> (x, _, _), (x_val, _, _) = train_validation_split((np.arange(5), None, None), 0.4)
    >>> x, x_val
    (array([0, 1, 2]), array([3, 4]))
    """
    if not 0 < validation_split < 1:
        raise invalid(where, "validation_split must be between 0 and 1", validation_split=validation_split)
    if data[0] is not None and not tree.is_nested(data[0]) and not is_array_like(data[0]):
        rule = "validation_split needs arrays; give validation_data beside a generator or a dataset"
        raise invalid(where, rule, x=data[0])
    rows = read_rows(where, data)
    n = len(next(r for _, r in leaf_names("x", rows[0])))
    at = math.floor(n * (1.0 - validation_split))
    if at in (0, n):
        rule = f"validation_split leaves no samples to {'train' if at == 0 else 'validate'} on out of {n}"
        raise invalid(where, rule, validation_split=validation_split)

    def part(index: slice) -> tuple:
        return tree.map_structure(lambda r: r.take(index), rows, none_is_leaf=False)

    return part(slice(0, at)), part(slice(at, n))
