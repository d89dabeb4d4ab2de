"""Tracker: notices variables, layers, metrics and random state among an object's attributes."""

from __future__ import annotations

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

    def track(self, value: Any) -> Any:
        """Notes a value, and what lists, tuples and dicts contain; gives back what is to be stored."""
        if isinstance(value, (TrackedList, TrackedDict)):
            return value
        for name, (predicate, found) in self.routes.items():
            if predicate(value):
                if id(value) not in self._ids[name]:
                    if self.locked:
                        raise ValueError(self.locked)
                    self._ids[name].add(id(value))
                    found.append(value)
                return value
        kind = type(value)
        if kind is tuple:
            return tuple(self.track(v) for v in value)
        if kind is list:
            return TrackedList(value, self)
        if kind is dict:
            return TrackedDict(value, self)
        return value

    def untrack(self, value: Any) -> None:
        """Forgets a value."""
        for name, (_, found) in self.routes.items():
            if id(value) in self._ids[name]:
                self._ids[name].discard(id(value))
                found[:] = [v for v in found if v is not value]


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
            self.tracker.untrack(value)

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
        if isinstance(index, slice):
            for old in self[index]:
                self._out(old)
            super().__setitem__(index, [self._in(v) for v in value])
        else:
            self._out(self[index])
            super().__setitem__(index, self._in(value))

    def __delitem__(self, index):
        for old in self[index] if isinstance(index, slice) else [self[index]]:
            self._out(old)
        super().__delitem__(index)

    def remove(self, value):
        self._out(value)
        super().remove(value)

    def pop(self, index=-1):
        value = super().pop(index)
        self._out(value)
        return value

    def clear(self):
        for value in self:
            self._out(value)
        super().clear()

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
        if key in self and self.tracker:
            self.tracker.untrack(self[key])
        super().__setitem__(key, self.tracker.track(value) if self.tracker else value)

    def __delitem__(self, key):
        if self.tracker:
            self.tracker.untrack(self[key])
        super().__delitem__(key)

    def update(self, *args, **kwargs):
        for k, v in dict(*args, **kwargs).items():
            self[k] = v

    def setdefault(self, key, default=None):
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key, *default):
        value = super().pop(key, *default)
        if self.tracker:
            self.tracker.untrack(value)
        return value

    def popitem(self):
        key, value = super().popitem()
        if self.tracker:
            self.tracker.untrack(value)
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
