"""The objects with state inside a model, and the paths that Keras gives them in a file.

A path is made of attribute names; members of lists, tuples and dicts are named after their class ("dense", "dense_1").
Attributes are visited in the order of their names, private ones last, and an object that is met again is left out, so
that the path of each follows from the code of the model alone. That is Keras's rule since 3.0; files depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..engine.naming import to_snake_case

_skipped: dict[Any, frozenset[str]] = {}


def is_saveable(obj: Any) -> bool:
    """Whether an object has state of its own or inside it: a layer, a model, an optimizer, a metric."""
    return not isinstance(obj, type) and hasattr(type(obj), "_saving_reference")


def _skipset(obj: Any) -> frozenset[str]:
    """Attributes that every object of the kind has: they hold the machinery, not parts."""
    reference = type(obj)._saving_reference
    if reference not in _skipped:
        _skipped[reference] = frozenset(dir(reference()))
    return _skipped[reference]


def children(obj: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of a name and an attribute of a saveable, in the order of a file."""
    cls = type(obj)
    first = getattr(cls, "_saved_first", ())
    for name in first:
        yield name, getattr(obj, name)
    skipped = _skipset(obj) | set(getattr(cls, "_not_saved", ()))
    for name in sorted(dir(obj), key=lambda n: f"~{n}" if n.startswith("_") else n):
        if name.startswith("__") or name in skipped or name in first:
            continue
        try:
            value = getattr(obj, name)
        except Exception:  # a property that does not work yet
            continue
        yield name, value


class Entry:
    """A saveable and where it stands in a file: the path that is written, and others by which it can be reached."""

    __slots__ = ("obj", "others", "path")

    def __init__(self, obj: Any, path: str):
        self.obj, self.path, self.others = obj, path, []


def walk(root: Any, skip: Any = ()) -> list[Entry]:
    """All saveables reachable from one, each once, in the order of a file.

    Args:
        root: a model or a layer.
        skip: objects to leave out.
    """
    entries: dict[int, Entry] = {}
    skipped = {id(o) for o in skip or ()}

    def visit(obj: Any, path: str) -> None:
        if id(obj) in skipped:
            return
        if id(obj) in entries:
            entries[id(obj)].others.append(path)
            return
        entries[id(obj)] = Entry(obj, path)
        for name, value in children(obj):
            below = f"{path}/{name}" if path else name
            if is_saveable(value):
                visit(value, below)
            elif isinstance(value, (list, dict, tuple)):
                visit_container(value, below, {})

    def visit_container(container: Any, path: str, seen: dict[int, Any]) -> None:
        if id(container) in seen:
            return
        seen[id(container)] = container  # kept, so that the id stays its own
        used: dict[str, int] = {}
        for value in list(container.values()) if isinstance(container, dict) else container:
            if is_saveable(value):
                visit(value, f"{path}/{_unique(to_snake_case(type(value).__name__), used)}")
            elif isinstance(value, (list, dict, tuple)):
                visit_container(value, f"{path}/{_unique('container', used)}", seen)

    visit(root, "")
    return list(entries.values())


def _unique(name: str, used: dict[str, int]) -> str:
    if name in used:
        used[name] += 1
        return f"{name}_{used[name]}"
    used[name] = 0
    return name
