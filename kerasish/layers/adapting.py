"""Reading the data that `adapt` of a preprocessing layer is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.errors import invalid
from .call import is_tensor_like


def first_of(batch: Any) -> Any:
    """The inputs of a batch, which may come with targets and weights behind them."""
    return batch[0] if isinstance(batch, tuple) and batch else batch


def batches(data: Any, where: str, steps: int | None = None) -> Iterator[Any]:
    """The inputs of everything that `adapt` takes: an array or tensor is one batch.

    Args:
        data: an array, a tensor, a `PyDataset`, or an iterable of batches.
        where: whom an error names.
        steps: how many batches of an iterable are read; all by default.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(data, np.ndarray) or is_tensor_like(data):
        yield np.asarray(data)
        return
    if hasattr(data, "num_batches") and hasattr(data, "__getitem__"):  # a PyDataset: it need not end when iterated
        each: Any = (data[i] for i in range(data.num_batches))
    elif hasattr(data, "__iter__") and not isinstance(data, (str, bytes, dict)):
        each = data
    else:
        rule = "data is an array, a tensor, a PyDataset or an iterable of batches"
        raise invalid(where, rule, kind=TypeError, data=type(data).__name__)
    for i, batch in enumerate(each):
        if steps is not None and i >= steps:
            return
        yield first_of(batch)
