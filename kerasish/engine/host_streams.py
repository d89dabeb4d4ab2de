"""The random streams of the host: Python's `random` and NumPy's global generator, which shuffling draws from."""

from __future__ import annotations

import random
from typing import Any

import numpy as np


def host_streams() -> dict[str, Any]:
    """Both states, as arrays and numbers that `set_host_streams` takes.

    Example:

    >>> state = host_streams()
    >>> first = random.random(), np.random.rand()
    >>> set_host_streams(state)
    >>> first == (random.random(), np.random.rand())
    True
    """
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": np.array(internal, "uint64"),
        "python_version": version,
        "python_gauss": gauss,
        "numpy": np.asarray(keys),
        "numpy_name": name,
        "numpy_rest": [int(position), int(has_gauss), float(cached)],
    }


def set_host_streams(state: dict[str, Any]) -> None:
    """Puts both streams where they were."""
    internal = tuple(int(i) for i in state["python"])
    random.setstate((state["python_version"], internal, state["python_gauss"]))
    position, has_gauss, cached = state["numpy_rest"]
    np.random.set_state((state["numpy_name"], np.asarray(state["numpy"]), int(position), int(has_gauss), cached))
