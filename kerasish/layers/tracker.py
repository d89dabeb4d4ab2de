"""Tracker: notices variables, layers, metrics and random state among an object's attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..engine.tree import register_tree_node_class


class Tracker:
    """Routes the values that are assigned to an object into lists, by type.

    Args:
        routes: dict from a list's name to (predicate, list).
    """

    def __init__(self, routes: dict[str, tuple[Callable[[Any], bool], list]]):
        self.routes = routes
        self.locked: str | None = None
        self._ids: dict[str, set[int]] = {name: set() for name in routes}
        self._holders: Counter[int] = Counter()  # by identity: in how many attributes and places of containers

    def note(self, value: Any) -> bool:
        """Lists a value, of a type that there is a list for, without anything that holds it.

        Raises:
            ValueError: for a new value when the tracker is locked.
        """
        if any(id(value) in ids for ids in self._ids.values()):
            return True  # a variable stays in its list when it is frozen
        for name, (predicate, found) in self.routes.items():
            if predicate(value):
                if self.locked:
                    raise ValueError(self.locked)
                self._ids[name].add(id(value))
                found.append(value)
                return True
        return False

    def track(self, value: Any) -> Any:
        """Notes what an attribute will hold, and what lists, tuples and dicts contain; gives back what to store."""
        if self.note(value):
            self._holders[id(value)] += 1
            return value
        kind = type(value)
        if kind is tuple:
            return tuple(self.track(v) for v in value)
        if kind is list or kind is TrackedList:
            return TrackedList(value, self)
        if kind is dict or kind is TrackedDict:
            return TrackedDict(value, self)
        return value

    def release(self, value: Any) -> None:
        """Forgets a value, and what it contains, that an attribute held, unless something else holds it too."""
        if isinstance(value, (list, tuple, dict)):
            for v in value.values() if isinstance(value, dict) else value:
                self.release(v)
        elif self._holders.get(id(value), 0) > 1:
            self._holders[id(value)] -= 1
        else:
            self.untrack(value)

    def untrack(self, value: Any) -> None:
        """Forgets a value."""
        self._holders.pop(id(value), None)
        for name, (_, found) in self.routes.items():
            if id(value) in self._ids[name]:
                self._ids[name].discard(id(value))
                found[:] = [v for v in found if v is not value]

    def snapshot(self) -> tuple:
        """What is tracked now, for `restore`."""
        found = {name: (set(self._ids[name]), list(values)) for name, (_, values) in self.routes.items()}
        return self.locked, self._holders.copy(), found

    def restore(self, snapshot: tuple) -> None:
        """Tracks what was tracked when the snapshot was taken."""
        self.locked, self._holders, found = snapshot
        for name, (ids, values) in found.items():
            self._ids[name] = ids
            self.routes[name][1][:] = values


@register_tree_node_class
class TrackedList(list):
    """A list whose members are tracked as they come and go."""

    def __init__(self, values: Any = (), tracker: Tracker | None = None):
        self.tracker = tracker
        super().__init__(tracker.track(v) for v in values) if tracker else super().__init__(values)

    def _in(self, value: Any) -> Any:
        return self.tracker.track(value) if self.tracker else value

    def _out(self, value: Any) -> None:
        if self.tracker:
            self.tracker.release(value)

    def append(self, value):
        super().append(self._in(value))

    def insert(self, index, value):
        super().insert(index, self._in(value))

    def extend(self, values):
        super().extend([self._in(v) for v in values])

    def __iadd__(self, values):
        self.extend(values)
        return self

    def __setitem__(self, index, value):
        old = self[index]
        super().__setitem__(index, [self._in(v) for v in value] if isinstance(index, slice) else self._in(value))
        self._out(old)

    def __delitem__(self, index):
        old = self[index]
        super().__delitem__(index)
        self._out(old)

    def remove(self, value):
        del self[self.index(value)]

    def pop(self, index=-1):
        value = super().pop(index)
        self._out(value)
        return value

    def clear(self):
        old = list(self)
        super().clear()
        self._out(old)

    def tree_flatten(self):
        return list(self), None

    @classmethod
    def tree_unflatten(cls, metadata, children):
        return list(children)

    def __reduce__(self):
        return (list, (list(self),))


@register_tree_node_class
class TrackedDict(dict):
    """A dict whose values are tracked as they come and go."""

    def __init__(self, values: Any = (), tracker: Tracker | None = None):
        self.tracker = tracker
        super().__init__({k: tracker.track(v) for k, v in dict(values).items()} if tracker else values)

    def __setitem__(self, key, value):
        old = self.get(key)
        super().__setitem__(key, self.tracker.track(value) if self.tracker else value)
        self._out(old)

    def __delitem__(self, key):
        old = self[key]
        super().__delitem__(key)
        self._out(old)

    def _out(self, value: Any) -> None:
        if self.tracker:
            self.tracker.release(value)

    def update(self, *args, **kwargs):
        for k, v in dict(*args, **kwargs).items():
            self[k] = v

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key, *default):
        held = key in self
        value = super().pop(key, *default)
        if held:
            self._out(value)
        return value

    def popitem(self):
        key, value = super().popitem()
        self._out(value)
        return key, value

    def clear(self):
        for key in list(self):
            del self[key]

    def tree_flatten(self):
        keys = sorted(self)
        return [self[k] for k in keys], keys

    @classmethod
    def tree_unflatten(cls, metadata, children):
        return dict(zip(metadata, children))

    def __reduce__(self):
        return (dict, (dict(self),))
