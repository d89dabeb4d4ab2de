"""Chooses the batch source for what a user passed, and cuts its batches into epochs and steps."""

from __future__ import annotations

import itertools
import numbers
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from ..engine import config, tree
from ..engine.errors import invalid
from ..engine.host_streams import host_streams, set_host_streams
from .arrays import is_array_like
from .pack import unpack_x_y_sample_weight
from .py_dataset import PyDataset, PyDatasetSource
from .samples import SampleDataset
from .source import ArraySource, BatchSource
from .streams import GeneratorSource, IterableSource


def batch_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict | None = None,
    where: str = "fit",
) -> BatchSource:
    """The source that reads `x`: arrays, a `PyDataset`, a generator, or any iterable of batches.

    Args:
        x: array or structure of arrays; `PyDataset`; generator of tuples; iterable of batches; `BatchSource`.
        y: targets, only beside arrays.
        sample_weight: weights, only beside arrays.
        batch_size: samples per batch, for arrays.
        steps: batches per epoch, to choose a batch size where none is given.
        shuffle: True, False or `"batch"`.
        class_weight: weight of each class.
        where: the caller's name, for errors.

    Raises:
        ValueError: an argument that `x` does not allow, bad data, or a kind of `x` that is not known.
    """
    if not (shuffle == "batch" or isinstance(shuffle, bool) or shuffle in (0, 1)):
        raise invalid(where, 'shuffle must be True, False or "batch"', shuffle=shuffle)
    if isinstance(x, BatchSource):
        return x
    if isinstance(x, SampleDataset) and y is None and sample_weight is None:
        x, y, sample_weight = unpack_x_y_sample_weight(x.arrays())
    if x is None or tree.is_nested(x) or is_array_like(x):
        return ArraySource(x, y, sample_weight, batch_size, steps, shuffle, class_weight, where)
    if isinstance(x, PyDataset):
        kind = "PyDataset"
    elif isinstance(x, Iterator):
        kind = "generator"
    elif isinstance(x, Iterable) and not isinstance(x, (str, bytes)):
        kind = "dataset"
    else:
        rule = "x must be an array, a structure of arrays, a PyDataset, a generator or an iterable of batches"
        raise invalid(where, rule, type=type(x).__name__, x=x)
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            rule = f"{name} cannot be given when x is a {kind}, which brings it inside its batches"
            raise invalid(where, rule, **{name: value})
    if shuffle == "batch":
        warnings.warn(f'{where}: shuffle="batch" has no effect when x is a {kind}.', stacklevel=3)
    if kind == "PyDataset":
        return PyDatasetSource(x, class_weight, bool(shuffle) and shuffle != "batch", where)
    if kind == "dataset":
        return IterableSource(x, class_weight, where)
    if class_weight is not None:
        raise invalid(where, "class_weight is not supported when x is a generator", class_weight=class_weight)
    return GeneratorSource(x, where)


class EpochIterator:
    """The steps of each epoch of fit, evaluate or predict.

    Args:
        x, y, sample_weight, batch_size, shuffle, class_weight: see `batch_source`.
        steps_per_epoch: steps per epoch; by default one pass over the data. When given, an epoch goes on where the
            last one stopped, and the data starts anew when it is used up.
        steps_per_execution: batches handed out at a time.
        where: the caller's name, for errors and warnings.

    Attributes:
        source: the `BatchSource`.
        exhausted: True once a generator has run dry: further epochs have no steps, so training should stop.

    Example:

    >>> import numpy as np
    >>> epochs = EpochIterator(np.arange(5.0), batch_size=2)
    >>> [(begin, end, batches[0].tolist()) for begin, end, batches in epochs.enumerate_epoch()]
    [(0, 0, [0.0, 1.0]), (1, 1, [2.0, 3.0]), (2, 2, [4.0])]
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        steps_per_epoch: int | None = None,
        shuffle: bool | str = False,
        class_weight: dict | None = None,
        steps_per_execution: int = 1,
        where: str = "fit",
    ):
        for name, value in (("steps_per_epoch", steps_per_epoch), ("steps_per_execution", steps_per_execution)):
            if value is not None and not (isinstance(value, numbers.Integral) and value > 0):
                raise invalid(where, f"{name} must be a positive integer", **{name: value})
        limit = config.max_steps_per_epoch()
        if limit is not None and (steps_per_epoch is None or limit < steps_per_epoch):
            warnings.warn(f"{where}: limiting steps_per_epoch to {limit}.", stacklevel=2)
            steps_per_epoch = limit
        self._where = where
        self.steps_per_epoch = steps_per_epoch
        self.steps_per_execution = steps_per_execution
        self.source = batch_source(x, y, sample_weight, batch_size, steps_per_epoch, shuffle, class_weight, where=where)
        self.exhausted = False
        self._counted: int | None = None  # batches of a source that does not know, once a pass has ended
        self._batches: Iterator[Any] | None = None  # the pass over the data that is under way
        self._seen = 0  # batches taken from it
        self._streams: dict | None = None  # the random streams when it began
        self._step = 0  # steps that the current epoch has made
        self._resume: dict | None = None  # where the next epoch goes on

    @property
    def num_batches(self) -> int | None:
        """Steps per epoch as far as they are known, else None."""
        return self.steps_per_epoch or self._batches_per_pass()

    def _batches_per_pass(self) -> int | None:
        known = self.source.num_batches
        return self._counted if known is None else known

    def peek(self) -> Any:
        """A first batch to read shapes from; no epoch misses it."""
        return self.source.peek()

    def array_rows(self) -> Any:
        """The `Rows` of a pass that may be read in any way: all batches of arrays that are ready for it, from the first
        to the last; else None."""
        source = self.source
        if self.steps_per_epoch is not None or type(source) is not ArraySource or source.shuffles_within_batches:
            return None
        if self._resume is not None:
            return None
        ready = all(r is None or r.array is not None for r in tree.flatten(source.rows))
        return source.rows if ready else None

    def reset(self) -> None:
        """Lets the next epoch start with a new pass over the data."""
        self._close()

    def position(self) -> dict[str, Any]:
        """Where the data stand now, between two steps: for `resume` in another process with the same data."""
        return {"step": self._step, "seen": self._seen, "streams": self._streams if self._seen else None}

    def resume(self, position: dict[str, Any]) -> None:
        """Lets the next epoch go on at a position that `position` gave.

        The batches before it are drawn again, in the order that the random streams had then, and left out.
        """
        self._resume = position

    @property
    def logs(self) -> dict:
        """What the last step before the position to go on at has logged; empty where an epoch begins anew."""
        return dict((self._resume or {}).get("logs") or {})

    def _replay(self, position: dict[str, Any]) -> None:
        self._close()
        self._step = position["step"]
        if not position["seen"]:
            return
        now = host_streams()
        set_host_streams(position["streams"])
        self._begin_pass()
        for _ in itertools.islice(self._batches, position["seen"]):
            self._seen += 1
        set_host_streams(now)

    def _begin_pass(self) -> None:
        self._streams = host_streams()
        self._batches = iter(self.source)

    def _close(self) -> None:
        batches, self._batches, self._seen = self._batches, None, 0
        if batches is not None and not self.source.one_shot and hasattr(batches, "close"):
            batches.close()  # stops the workers behind it

    def enumerate_epoch(self) -> Iterator[tuple[int, int, list]]:
        """Yields `(first step, last step, batches)` for one epoch; `batches` has `steps_per_execution` items or fewer.

        Warns when the data ends before `steps_per_epoch`, and when data of unknown length ends.
        """
        self.source.on_epoch_begin()
        finished = False
        try:
            yield from self._steps()
            finished = True
        finally:
            # a pass that an exception or an early stop cut short is not continued by the next epoch
            if not finished or self.steps_per_epoch is None:
                self._close()
            self._step = 0
            self.source.on_epoch_end()

    def _steps(self) -> Iterator[tuple[int, int, list]]:
        self._step = 0
        position, self._resume = self._resume, None
        if position is not None:
            self._replay(position)
        elif self.steps_per_epoch is None:
            self._close()
        limit, per_pass = self.num_batches, self._batches_per_pass()
        for step in (
            itertools.count(self._step, self.steps_per_execution)
            if limit is None
            else range(self._step, limit, self.steps_per_execution)
        ):
            if self._batches is None:
                self._begin_pass()
            buffer = list(itertools.islice(self._batches, self.steps_per_execution))
            self._seen += len(buffer)
            self._step = step + len(buffer)
            if buffer:
                yield step, step + self.steps_per_execution - 1, buffer
            if len(buffer) < self.steps_per_execution:
                if per_pass is None:
                    self._counted = None if self.source.one_shot else self._seen
                self.exhausted = self.source.one_shot
                if self.steps_per_epoch is not None or per_pass is None or self._seen < per_pass:
                    self._warn_ran_out()
                self._close()
                return
        if per_pass is not None and self._seen >= per_pass:
            self._close()

    def _warn_ran_out(self) -> None:
        warnings.warn(
            f"{self._where}: your input ran out of data; interrupting training. The dataset or generator must give at "
            "least `steps_per_epoch * epochs` batches.",
            stacklevel=5,
        )
