"""Forgetting what a session has gathered: names, plans, cached memory."""

from __future__ import annotations

import gc

from .._core import core
from .naming import reset_uids
from .op import forget_plans


def clear_session(free_memory: bool = True) -> None:
    """Starts automatic names again and drops what is cached.

    Args:
        free_memory: also collect garbage and give cached memory back to the system.

    >>> import kerasish as keras
    >>> keras.backend.clear_session()
    >>> keras.layers.Dense(1).name
    'dense'
    """
    reset_uids()
    forget_plans()
    if free_memory:
        gc.collect()
        core.trim()
