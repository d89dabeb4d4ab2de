"""Guards: threads that read variables never see a step that another thread is in the middle of.

A compiled step overwrites values where they lie, but copies those that somebody else holds. So a reader need not hold
anything up: it takes its references at a moment when no step is running, and keeps what it has got. That costs two
looks at a counter; only who comes while a step runs waits for the end of it.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Any

_numbers = itertools.count()
_all: weakref.WeakSet[Guard] = weakref.WeakSet()


class Guard:
    """What variables share that one step changes.

    Attributes:
        count: odd while a step is changing them.
        number: guards are taken in this order, so that no two threads wait for each other.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.renew()
        _all.add(self)

    def renew(self) -> None:
        """Nobody holds it."""
        self.count = 0
        # Reentrant: a host kernel, or what a signal runs, may read in the middle of its own thread's step.
        self.lock = threading.RLock()
        self.turn = threading.RLock()  # who has it takes the lock next, so that a loop of steps lets others in between

    def __reduce__(self) -> tuple:
        return Guard, ()  # the copies of variables share a guard of their own


class taken:
    """A context in which no step of another thread changes what some guards, in order, are for."""

    __slots__ = ("guards", "held")

    def __init__(self, guards: Iterable[Guard]):
        self.guards = guards
        self.held: list[Guard] = []

    def __enter__(self) -> None:
        try:
            for g in self.guards:
                with g.turn:
                    g.lock.acquire()
                    self.held.append(g)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *error: Any) -> None:
        while self.held:
            self.held.pop().lock.release()


class changing(taken):
    """A context in which this thread alone changes what the guards are for."""

    __slots__ = ()

    def __enter__(self) -> None:
        super().__enter__()
        for g in self.held:
            g.count |= 1

    def __exit__(self, *error: Any) -> None:
        for g in self.held:
            g.count = (g.count | 1) + 1
        super().__exit__()


def read(guards: list[Guard], get: Callable[[], Any]) -> Any:
    """What `get` gives, of which no part is of another step than the rest; it takes references and runs nothing."""
    if len(guards) == 1:  # as good as always, and a small model's call notices the difference
        (g,) = guards
        count = g.count
        found = get()
        if not count & 1 and g.count == count:
            return found
    else:
        counts = [g.count for g in guards]
        found = get()
        if not any(n & 1 for n in counts) and counts == [g.count for g in guards]:
            return found
    with taken(guards):
        return get()


def guards_of(variables: Iterable[Any]) -> list[Guard]:
    """The guards of variables, in order; those that have none get one in common."""
    found: dict[int, Guard] = {}
    new = None
    for v in variables:
        if v._guard is None:
            new = v._guard = new or Guard()
        found[v._guard.number] = v._guard
    return [found[n] for n in sorted(found)]


# A child that is forked in the middle of a step would have half of it for ever.
_waiting: list[taken] = []


def _before_fork() -> None:
    held = taken(sorted(_all, key=lambda g: g.number))
    held.__enter__()
    _waiting.append(held)


def _after_fork_in_child() -> None:
    _waiting.clear()
    for g in _all:
        g.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=lambda: _waiting.pop().__exit__(), after_in_child=_after_fork_in_child
    )
