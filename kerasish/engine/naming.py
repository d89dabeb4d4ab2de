"""Names: one counter per prefix, and the stack of name scopes that makes a variable's path."""

from __future__ import annotations

import re
import threading
from collections import Counter

_counters: Counter[str] = Counter()
_state = threading.local()


def get_uid(prefix: str = "") -> int:
    """1, 2, 3, ... for each prefix; `clear_session` starts again.

    >>> import kerasish as keras
    >>> keras.backend.get_uid("example") + 1 == keras.backend.get_uid("example")
    True
    """
    _counters[prefix] += 1
    return _counters[prefix]


def reset_uids() -> None:
    """Starts all counters again."""
    _counters.clear()


def to_snake_case(name: str) -> str:
    """ "Conv2DTranspose" -> "conv2d_transpose", as Keras names layers."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """ "dense", "dense_1", "dense_2", ..."""
    n = get_uid(prefix)
    return prefix if n == 1 else f"{prefix}_{n - 1}"


def _stack() -> list[tuple[str, object]]:
    if not hasattr(_state, "scopes"):
        _state.scopes = []
    return _state.scopes


class name_scope:
    """Puts a name in front of the paths of the variables made inside.

    Args:
        name: the name; without "/".
        caller: the object that opens the scope, so that it does not stand in a path twice.

    >>> import kerasish as keras
    >>> with keras.name_scope("block"):
    ...     v = keras.Variable([1.0], name="scale")
    >>> v.path
    'block/scale'
    """

    def __init__(self, name: str, *, caller: object = None, **kwargs):
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"name_scope: the name is a string without '/'. Received: name={name!r}")
        self.name, self.caller = name, caller
        self._opened = False

    def __enter__(self):
        stack = _stack()
        # What a caller opens inside its own scope is that scope.
        self._opened = self.caller is None or not stack or stack[-1][1] is not self.caller
        if self._opened:
            stack.append((self.name, self.caller))
        return self

    def __exit__(self, *exc):
        if self._opened:
            _stack().pop()


def current_path() -> str:
    """The open name scopes, joined by '/'."""
    return "/".join(name for name, _ in _stack())
