"""Batches from Python generators and from iterables of batches, such as a PyTorch `DataLoader`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from ..engine.errors import invalid
from .arrays import PARTS, is_array_like, leaf_names, read_batch
from .source import BatchSource
from .weights import class_weight_to_sample_weight


def standard_batch(where: str, batch: Any, class_weight: dict | None = None) -> tuple:
    """A batch tuple `(x,)`, `(x, y)` or `(x, y, sample_weight)` as contiguous arrays in their batch dtypes.

    Raises:
        ValueError: a tuple of another length, no arrays, no numbers, or parts with different numbers of samples.
    """
    if not 1 <= len(batch) <= 3:
        rule = "a batch must be a tuple (x,), (x, y) or (x, y, sample_weight)"
        raise invalid(where, rule, parts=len(batch), batch=batch)
    if class_weight is not None:
        if len(batch) == 3:
            raise invalid(where, "class_weight cannot be given beside batches that bring sample_weight")
        if len(batch) == 2:
            batch = (*batch, class_weight_to_sample_weight(where, batch[1], class_weight))
    parts = tuple(read_batch(where, name, part) for name, part in zip(PARTS, batch))
    lengths = {n: a.shape[0] for name, part in zip(PARTS, parts) for n, a in leaf_names(name, part)}
    in_x = {length for n, length in lengths.items() if n.startswith("x")}
    # inputs of several lengths are left alone: a train_step of the user's own may want them
    if len(in_x) == 1 and any(length not in in_x for length in lengths.values()):
        received = ", ".join(f"{n}: {length}" for n, length in lengths.items())
        raise ValueError(f"{where}: the arrays of a batch must have the same number of samples. Received: {received}")
    return parts


class GeneratorSource(BatchSource):
    """Batches from a generator, which must yield tuples and can be passed over only once.

    Args:
        generator: yields `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        where: the caller's name, for errors.

    Raises:
        ValueError: it yields nothing, or its first item is no tuple.
    """

    one_shot = True

    def __init__(self, generator: Iterator[Any], where: str = "fit"):
        self._where = where
        try:
            first = next(generator)
        except StopIteration:
            raise invalid(where, "the generator must yield at least one batch", x=generator) from None
        self._first = self._standard(first)
        self._batches = itertools.chain([self._first], map(self._standard, generator))

    def _standard(self, batch: Any) -> tuple:
        if not isinstance(batch, tuple):
            rule = "the generator must yield tuples: (x,), (x, y) or (x, y, sample_weight)"
            raise invalid(self._where, rule, batch=batch)
        return standard_batch(self._where, batch)

    def __iter__(self) -> Iterator[tuple]:
        return self._batches

    def peek(self) -> tuple:
        return self._first


class IterableSource(BatchSource):
    """Batches from an object that gives a fresh iterator of batches each time, such as a `DataLoader`.

    Args:
        iterable: yields a tuple or list of one to three parts, or `x` alone; its length, if it has one, is in batches.
        class_weight: weight of each class, for batches without sample_weight.
        where: the caller's name, for errors.
    """

    def __init__(self, iterable: Iterable[Any], class_weight: dict | None = None, where: str = "fit"):
        self._iterable, self._class_weight, self._where = iterable, class_weight, where
        self._first: Any = None
        self._opened: Iterator[Any] | None = None
        self.batch_size = getattr(iterable, "batch_size", None)
        try:
            self.num_batches = len(iterable)
        except TypeError:  # it has no length, or says that it does not know it
            self.num_batches = None
        if self.num_batches == 0:
            raise invalid(where, "the dataset is empty", x=iterable)

    def _standard(self, batch: Any) -> Any:
        if isinstance(batch, (tuple, list)):
            return standard_batch(self._where, tuple(batch), self._class_weight)
        if not isinstance(batch, dict) and not is_array_like(batch):
            raise invalid(self._where, "a batch must be an array, a dict or a tuple of these", batch=batch)
        return standard_batch(self._where, (batch,))[0]

    def peek(self) -> Any:
        if self._opened is None:  # the iterator opened here serves the next pass: opening may start workers
            self._opened = iter(self._iterable)
            try:
                self._first = self._standard(next(self._opened))
            except StopIteration:
                raise invalid(self._where, "the dataset is empty", x=self._iterable) from None
        return self._first

    def __iter__(self) -> Iterator[Any]:
        opened, self._opened = self._opened, None
        if opened is not None:
            first, self._first = self._first, None
            yield first
        for batch in self._iterable if opened is None else opened:
            yield self._standard(batch)
