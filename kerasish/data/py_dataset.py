"""PyDataset, the base class of datasets written in Python, and its batches with or without parallel workers."""

from __future__ import annotations

import itertools
import random
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from ..engine.errors import invalid
from .arrays import is_array_like
from .source import BatchSource
from .streams import standard_batch


class PyDataset:
    """Base class of a dataset that hands out ready batches by number.

    A subclass implements `__getitem__(index)`, which returns batch number `index` as a tuple `(x,)`, `(x, y)` or
    `(x, y, sample_weight)`, and `__len__()` or the property `num_batches`, the batches per epoch (None: no end).
    `on_epoch_begin` and `on_epoch_end` may be overridden too.

    Args:
        workers: threads or processes that prepare batches ahead of training; with 0 or 1 thread, batches are
            prepared where they are used.
        use_multiprocessing: whether workers are processes; the dataset must then be safe to copy into them.
        max_queue_size: batches prepared ahead at most.

    Example:

    >>> import numpy as np
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def __getitem__(self, index):
    ...         x = np.arange(4.0) + 4 * index
    ...         return x, x**2
    >>> [float(y[-1]) for x, y in Squares(workers=2)]
    [9.0, 49.0, 121.0]
    """

    # a subclass that forgets super().__init__() still finds the defaults
    _workers = 1
    _use_multiprocessing = False
    _max_queue_size = 10
    _initialized = False

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self._initialized = True
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def _warn_if_not_initialized(self) -> None:
        if not self._initialized:
            self._initialized = True
            warnings.warn(
                f"{type(self).__name__}: a PyDataset should call `super().__init__(**kwargs)` in its constructor, "
                "which takes `workers`, `use_multiprocessing` and `max_queue_size`.",
                stacklevel=3,
            )

    @property
    def workers(self) -> int:
        """Threads or processes that prepare batches."""
        self._warn_if_not_initialized()
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise invalid("py_dataset", "workers must be an integer that is not negative", workers=value)
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """Whether workers are processes instead of threads."""
        self._warn_if_not_initialized()
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = bool(value)

    @property
    def max_queue_size(self) -> int:
        """Batches prepared ahead at most."""
        self._warn_if_not_initialized()
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise invalid("py_dataset", "max_queue_size must be a positive integer", max_queue_size=value)
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`."""
        raise NotImplementedError(f"{type(self).__name__}: a PyDataset must implement `__getitem__(index)`.")

    @property
    def num_batches(self) -> int | None:
        """Batches per epoch, or None when there is no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"{type(self).__name__}: a PyDataset must implement `__len__()` or the property `num_batches`."
        )

    def __iter__(self) -> Iterator[Any]:
        """Batches in their order, prepared here, without workers."""
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called at the beginning of every epoch."""

    def on_epoch_end(self) -> None:
        """Called at the end of every epoch."""


class PyDatasetSource(BatchSource):
    """Batches of a `PyDataset`, prepared ahead by its workers.

    Args:
        dataset: the dataset.
        class_weight: weight of each class, for batches without sample_weight.
        shuffle: whether each pass takes the batches in a new order.
        where: the caller's name, for errors.
    """

    def __init__(self, dataset: PyDataset, class_weight: dict | None = None, shuffle: bool = False, where: str = "fit"):
        self._dataset, self._class_weight, self._shuffle, self._where = dataset, class_weight, shuffle, where
        if self.num_batches is not None and self.num_batches < 1:
            raise invalid(where, "the dataset is empty", x=dataset, num_batches=self.num_batches)

    @property
    def num_batches(self) -> int | None:
        """Asked anew each time: a dataset may change between epochs."""
        return self._dataset.num_batches

    def _standard(self, batch: Any) -> Any:
        if isinstance(batch, dict):
            return standard_batch(self._where, (batch,))[0]
        if isinstance(batch, list):
            batch = tuple(batch)
        elif is_array_like(batch):
            batch = (batch,)
        if not isinstance(batch, tuple):
            rule = "PyDataset.__getitem__ must return a dict or a tuple (x,), (x, y) or (x, y, sample_weight)"
            raise invalid(self._where, rule, batch=batch)
        return standard_batch(self._where, batch, self._class_weight)

    def peek(self) -> Any:
        return self._standard(self._dataset[0])

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        order: Iterable[int] = itertools.count() if count is None else range(count)
        if self._shuffle and count is not None:
            order = random.sample(order, count)
        workers, processes = self._dataset.workers, self._dataset.use_multiprocessing
        if workers > 1 or (workers > 0 and processes):
            with closing(prefetch(self._dataset, order, workers, processes, self._dataset.max_queue_size)) as batches:
                yield from map(self._standard, batches)
        else:
            yield from map(self._standard, map(self._dataset.__getitem__, order))

    def on_epoch_begin(self) -> None:
        self._dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._dataset.on_epoch_end()


def prefetch(dataset: Any, order: Iterable[int], workers: int, processes: bool, queue_size: int) -> Iterator[Any]:
    """Yields `dataset[i]` for `i` in `order`, in that order, while workers prepare up to `queue_size` ahead.

    An exception in a worker is raised here. Closing the generator stops the workers.
    """
    indices = iter(order)
    with _workers(dataset, workers, processes) as submit:
        ahead = deque(submit(i) for i in itertools.islice(indices, queue_size))
        while ahead:
            batch = ahead.popleft().result()
            ahead.extend(submit(i) for i in itertools.islice(indices, 1))
            yield batch


@contextmanager
def _workers(dataset: Any, workers: int, processes: bool) -> Iterator[Any]:
    # here, because few programs need it, and it takes long to import
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    if processes:
        executor: Any = ProcessPoolExecutor(workers, initializer=_set_worker_dataset, initargs=(dataset,))
        submit = lambda index: executor.submit(_fetch, index)  # noqa: E731
    else:
        executor = ThreadPoolExecutor(workers, thread_name_prefix="kerasish-data")
        submit = lambda index: executor.submit(dataset.__getitem__, index)  # noqa: E731
    try:
        yield submit
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


_worker_dataset: Any = None  # in a worker process: the dataset it serves


def _set_worker_dataset(dataset: Any) -> None:
    global _worker_dataset
    _worker_dataset = dataset


def _fetch(index: int) -> Any:
    return _worker_dataset[index]
