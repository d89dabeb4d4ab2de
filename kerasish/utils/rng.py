"""One call that makes a program repeatable."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.host_streams import host_streams, set_host_streams
from ..ops.seed_generator import global_seed_state, reset_global_seed_generator, set_global_seed_state


def set_random_seed(seed: Any) -> None:
    """Seeds Python's `random`, NumPy's global generator and the generator that `keras.random` uses without a seed.

    Layers and initializers made afterwards without a seed draw theirs from Python's `random`, so that with the same
    seed a program gives the same bits again, at any number of threads.

    Args:
        seed: integer in [0, 2**32).

    Raises:
        ValueError: where it is not one.

    >>> import kerasish as keras
    >>> keras.utils.set_random_seed(1)
    >>> a = keras.random.normal((2,)).numpy()
    >>> keras.utils.set_random_seed(1)
    >>> bool((a == keras.random.normal((2,)).numpy()).all())
    True
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= int(seed) < 2**32:
        raise invalid("set_random_seed", "the seed must be an integer in [0, 2**32)", seed=seed)
    random.seed(int(seed))
    np.random.seed(int(seed))
    reset_global_seed_generator()


def random_state() -> dict[str, Any]:
    """The state of every stream that `set_random_seed` seeds, for `set_random_state`.

    >>> import kerasish as keras
    >>> state = random_state()
    >>> a = keras.random.normal((2,)).numpy()
    >>> set_random_state(state)
    >>> bool((a == keras.random.normal((2,)).numpy()).all())
    True
    """
    return {**host_streams(), "global": global_seed_state()}


def set_random_state(state: dict[str, Any]) -> None:
    """Puts Python's, NumPy's and the global generator where they were."""
    set_host_streams(state)
    set_global_seed_state(state["global"])
