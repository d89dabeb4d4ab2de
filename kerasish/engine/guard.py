"""Guards: threads that read variables never see a step that another thread is in the middle of.

A compiled step overwrites values where they lie, but copies those that somebody else holds. So a reader need not hold
anything up: it takes its references at a moment when no step is running, and keeps what it has got. That costs two
looks at a counter; only who comes while a step runs waits for the end of it.

A step that runs op by op replaces values and overwrites none, and its Python may take any time. It leaves beside the
guard what the variables held before it, and who reads meanwhile takes that. Steps of either kind take turns.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

TRIES = 4  # to read between two steps, before waiting for one

_numbers = itertools.count()
_all: weakref.WeakSet[Guard] = weakref.WeakSet()


class Guard:
    """What variables share that one step changes.

    Attributes:
        count: odd while a step is changing them.
        number: guards are taken in this order, so that no two threads wait for each other.
        before: what they held before a step that runs op by op, while it runs.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.count = self.changers = 0
        self.before: _Before | None = None
        # Reentrant: a host kernel, what a signal runs, or a step within a step may come in the middle of its own
        # thread's step.
        self.lock = threading.RLock()
        self.turn = threading.RLock()  # who has it takes the lock next, so that a loop of steps lets others in between
        _all.add(self)

    def __reduce__(self) -> tuple:
        return Guard, ()  # the copies of variables share a guard of their own

    @property
    def is_mine(self) -> bool:
        """Whether this thread has it."""
        return self.lock._is_owned()

    def take(self) -> None:
        """Waits until no other thread has it."""
        if self.is_mine:
            self.lock.acquire()  # whose turn it is waits for this thread's step
        else:
            with self.turn:
                self.lock.acquire()


class _Before:
    """What variables held, by their ids, and whether the step that replaces it has ended: that is one moment for all
    of its guards."""

    __slots__ = ("ended", "values")

    def __init__(self, variables: Iterable[Any]):
        self.ended, self.values = False, {id(v): v._held for v in variables}


class _View(threading.local):
    """What this thread sees instead of what variables hold now, by their ids; None: nothing."""

    seen: dict[int, Any] | None = None


view = _View()


class taken:
    """A context in which no step of another thread changes what some guards, in order, are for."""

    __slots__ = ("guards", "held")

    def __init__(self, guards: Iterable[Guard]):
        self.guards = guards
        self.held: list[Guard] = []

    def __enter__(self) -> None:
        try:
            for g in self.guards:
                g.take()
                self.held.append(g)
        except BaseException:
            taken.__exit__(self)
            raise

    def __exit__(self, *error: Any) -> None:
        while self.held:
            self.held.pop().lock.release()


class changing(taken):
    """A context in which this thread alone changes what the guards are for, in place."""

    __slots__ = ()

    def __enter__(self) -> None:
        super().__enter__()
        view.seen = None
        for g in self.held:
            g.changers += 1
            g.count |= 1

    def __exit__(self, *error: Any) -> None:
        for g in self.held:
            g.changers -= 1
            if not g.changers:  # else this was a part of a step that goes on
                g.count = (g.count | 1) + 1
                g.before = None
        super().__exit__()


class stepping(changing):
    """A context in which this thread alone changes variables, by replacing what they hold. Who reads them sees what
    they held before and need not wait, which the step's Python may do itself for a thread that reads."""

    __slots__ = ("before", "variables")

    def __init__(self, variables: Iterable[Any]):
        self.variables = list(variables)
        super().__init__(guards_of(self.variables))

    def __enter__(self) -> None:
        taken.__enter__(self)
        view.seen = None
        self.before = _Before(self.variables)
        for g in self.held:
            if not g.changers:
                g.before = self.before
            g.changers += 1
            g.count |= 1

    def __exit__(self, *error: Any) -> None:
        self.before.ended = True
        super().__exit__()


class as_of_now:
    """A context in which this thread sees variables as they are together when it begins, but for what it changes."""

    __slots__ = ("outer", "variables")

    def __init__(self, variables: Sequence[Any]):
        self.variables = variables

    def __enter__(self) -> None:
        self.outer = view.seen
        if self.outer is None and (guards := present(self.variables)):
            view.seen = dict(zip(map(id, self.variables), read(guards, self.variables)))

    def __exit__(self, *error: Any) -> None:
        view.seen = self.outer


def _held(v: Any) -> Any:
    """What a variable holds for this thread, if nobody begins or ends a step meanwhile; None where another thread is
    changing it in place."""
    g = v._guard
    if g is None or not g.count & 1 or g.is_mine:
        return v._held
    before = g.before
    if before is None:
        return None
    return v._held if before.ended else before.values.get(id(v))


def read_one(v: Any) -> Any:
    """What a variable with a guard holds, where a step may be changing it."""
    g = v._guard
    return v._held if g.is_mine else read((g,), (v,))[0]


def _moment(guards: Sequence[Guard]) -> list:
    """Something that stays the same as long as no step begins or ends."""
    return [(g.count, b, b is not None and b.ended) for g in guards for b in (g.before,)]


def read(guards: Sequence[Guard], variables: Sequence[Any]) -> list[Any]:
    """What variables, whose guards these are, hold: of no part of a step without the rest."""
    seen = view.seen
    if seen is not None:
        found = [seen.get(id(v)) for v in variables]
        if not any(x is None for x in found):
            return found
    counts = [g.count for g in guards]  # a small model's call notices what this costs
    found = [v._held for v in variables]
    if not any([n & 1 for n in counts]) and counts == [g.count for g in guards]:
        return found
    for _ in range(TRIES):
        moment = _moment(guards)
        found = [_held(v) for v in variables]
        if any(x is None for x in found):
            break
        if moment == _moment(guards):
            return found
    with taken(guards):
        return [v._held for v in variables]


def present(variables: Iterable[Any]) -> list[Guard]:
    """The guards that variables have, in order."""
    found = {g.number: g for v in variables if (g := v._guard) is not None}
    return [found[n] for n in sorted(found)]


def guards_of(variables: Iterable[Any]) -> list[Guard]:
    """The guards of variables, in order; those that have none get one in common."""
    variables, new = list(variables), None
    for v in variables:
        if v._guard is None:
            new = v._guard = new or Guard()
    return present(variables)


# A child that is forked in the middle of another thread's step would have half of it for ever; that of its own thread
# goes on in the child too.
_forking: list[taken] = []


def _before_fork() -> None:
    held = taken(sorted(_all, key=lambda g: g.number))
    held.__enter__()
    _forking.append(held)


def _after_fork_in_child() -> None:
    for g in _all:
        g.turn = threading.RLock()  # a thread that is not here may have it
    _forking.pop().__exit__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=lambda: _forking.pop().__exit__(), after_in_child=_after_fork_in_child
    )
