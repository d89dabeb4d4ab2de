"""Flattens, maps and rebuilds nested Python structures: what `kerasish.tree` exports.

A node is a `list`, `tuple`, `dict`, `OrderedDict`, `defaultdict`, `deque` (of exactly that type), a namedtuple, a
`struct_time`-like sequence, or a class given to `register_tree_node_class`; everything else, `None` included, is a
leaf. A `dict` and a `defaultdict` are read in sorted key order, so that two dicts with the same keys always pair up
their values; an `OrderedDict` keeps its own order. This file reads only the standard library: everything stands on it.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_SEQUENCES = frozenset((list, tuple, deque))
_SORTED_DICTS = frozenset((dict, defaultdict))
_DICTS = frozenset((dict, defaultdict, OrderedDict))
_STRUCT_FIELDS = ("n_fields", "n_sequence_fields", "n_unnamed_fields")
_registered: set[type] = set()


class MAP_TO_NONE:
    """Returned by the function given to `traverse`: replaces the sub-structure with `None`."""


def register_tree_node_class(cls: type) -> type:
    """Makes instances of `cls` nodes; the class brings `tree_flatten()` and the classmethod `tree_unflatten()`.

    Args:
        cls: a class whose `tree_flatten(self)` returns `(children, metadata)` and whose
            `tree_unflatten(metadata, children)` builds an instance.

    Returns:
        The class, so that this works as a decorator.
    """
    if not (callable(getattr(cls, "tree_flatten", None)) and callable(getattr(cls, "tree_unflatten", None))):
        raise TypeError(
            "register_tree_node_class: the class must have `tree_flatten` and `tree_unflatten`. "
            f"Received: cls={cls.__name__}"
        )
    _registered.add(cls)
    return cls


# -- what a node is, what it contains, how it is rebuilt -----------------------------------------------------------


def _is_namedtuple(cls: type) -> bool:
    fields = getattr(cls, "_fields", None)
    return type(fields) is tuple and all(type(f) is str for f in fields) and callable(getattr(cls, "_make", None))


def _is_struct(cls: type) -> bool:
    return cls.__base__ is tuple and all(isinstance(getattr(cls, name, None), int) for name in _STRUCT_FIELDS)


def _sorted_keys(d: dict) -> list:
    try:
        return sorted(d)
    except TypeError:  # keys of several types: by type first, else as they stand
        try:
            return sorted(d, key=lambda k: (f"{type(k).__module__}.{type(k).__qualname__}", k))
        except TypeError:
            return list(d)


def _children(x: Any) -> Sequence | None:
    """The children of a node in their order, or None when `x` is a leaf."""
    cls = type(x)
    if cls in _SEQUENCES:
        return x
    if cls in _SORTED_DICTS:
        return [x[k] for k in _sorted_keys(x)]
    if cls is OrderedDict:
        return list(x.values())
    if isinstance(x, tuple) and (_is_namedtuple(cls) or _is_struct(cls)):
        return x
    if cls in _registered:
        return list(x.tree_flatten()[0])
    return None


def _keys(x: Any, children: Sequence) -> Iterable:
    """The path entries of a node's children: keys of a mapping, positions of everything else."""
    cls = type(x)
    if cls in _SORTED_DICTS:
        return _sorted_keys(x)
    if cls is OrderedDict:
        return list(x)
    return range(len(children))


def _rebuild(x: Any, children: list) -> Any:
    """A node like `x` (same type, keys and key order) that holds `children`."""
    cls = type(x)
    if cls is list:
        return children
    if cls is tuple:
        return tuple(children)
    if cls in _SORTED_DICTS:
        new = dict.fromkeys(x)
        new.update(zip(_sorted_keys(x), children))
        return new if cls is dict else defaultdict(x.default_factory, new)
    if cls is OrderedDict:
        return OrderedDict(zip(x, children))
    if cls is deque:
        return deque(children, x.maxlen)
    if cls in _registered:
        return cls.tree_unflatten(x.tree_flatten()[1], children)
    return cls._make(children) if _is_namedtuple(cls) else cls(children)


def _match(where: str, node: Any, count: int, other: Any) -> Sequence:
    """The children of `other` in the order of `node`'s, after checking that both are the same kind of node."""
    cls = type(node)
    if cls in _DICTS:
        if type(other) not in _DICTS:
            raise ValueError(
                f"{where}: the structures don't have the same nested structure: expected an instance of "
                f"{_type_name(cls)} (any of dict, OrderedDict, defaultdict). Received: {other!r}"
            )
        if node.keys() != other.keys():
            missing, extra = [k for k in node if k not in other], [k for k in other if k not in node]
            raise ValueError(
                f"{where}: the structures don't have the same nested structure: dictionary key mismatch. "
                f"Expected keys: {list(node)}, received keys: {list(other)}, missing: {missing}, extra: {extra}"
            )
        return [other[k] for k in _keys(node, ())]
    if type(other) is not cls:
        raise ValueError(
            f"{where}: the structures don't have the same nested structure: expected an instance of "
            f"{_type_name(cls)}. Received: {other!r}"
        )
    children = _children(other)
    if len(children) != count:
        raise ValueError(
            f"{where}: the structures don't have the same nested structure: {_type_name(cls)} arity mismatch, "
            f"the number of elements is expected to be {count}. Received: {len(children)} in {other!r}"
        )
    return children


def _type_name(cls: type) -> str:
    return f"namedtuple {cls.__name__}" if issubclass(cls, tuple) and _is_namedtuple(cls) else cls.__name__


def _no_structures(where: str) -> ValueError:
    return ValueError(f"{where}: must provide at least one structure.")


def _check_callable(where: str, func: Any) -> None:
    if not callable(func):
        raise TypeError(f"{where}: `func` must be callable. Received: func={func!r}")


# -- the public functions ------------------------------------------------------------------------------------------


def is_nested(structure: Any) -> bool:
    """True when `structure` is a sequence, mapping or namedtuple (also an empty one); False for a leaf.

    Example:

    >>> is_nested({"a": 1}), is_nested(()), is_nested(1), is_nested(None), is_nested("abc")
    (True, True, False, False, False)
    """
    return _children(structure) is not None


def flatten(structure: Any) -> list:
    """The leaves of `structure`, depth first, as a list; a leaf gives a list of one.

    Example:

    >>> flatten({"b": [1, (2, 3)], "a": None})
    [None, 1, 2, 3]
    """
    leaves: list = []
    _flatten_into(structure, leaves)
    return leaves


def _flatten_into(x: Any, leaves: list) -> None:
    children = _children(x)
    if children is None:
        leaves.append(x)
    else:
        for child in children:
            _flatten_into(child, leaves)


def flatten_with_path(structure: Any) -> list[tuple[tuple, Any]]:
    """Pairs `(path, leaf)`, depth first; a path is the tuple of keys and positions that leads to the leaf.

    Example:

    >>> flatten_with_path([{"a": 42}, 7])
    [((0, 'a'), 42), ((1,), 7)]
    """
    pairs: list = []
    _flatten_path_into(structure, (), pairs)
    return pairs


def _flatten_path_into(x: Any, path: tuple, pairs: list) -> None:
    children = _children(x)
    if children is None:
        pairs.append((path, x))
    else:
        for key, child in zip(_keys(x, children), children):
            _flatten_path_into(child, (*path, key), pairs)


def map_structure(func: Callable, *structures: Any, none_is_leaf: bool = True) -> Any:
    """Calls `func` on the leaves that stand at the same place in all `structures`.

    Args:
        func: takes as many arguments as there are structures.
        *structures: structures of one layout; the result has the types and keys of the first.
        none_is_leaf: whether `func` is called on `None`; if not, `None` stays and must be `None` in all structures.

    Raises:
        TypeError: `func` is not callable.
        ValueError: there is no structure, or the layouts differ (see `assert_same_structure`).

    Example:

    >>> map_structure(lambda a, b: a + b, {"x": 1, "y": (2,)}, {"x": 10, "y": (20,)})
    {'x': 11, 'y': (22,)}
    """
    if not structures:
        raise _no_structures("map_structure")
    _check_callable("map_structure", func)
    if len(structures) == 1:
        return _map_one(func, structures[0], none_is_leaf)
    return _map_many("map_structure", func, structures, none_is_leaf)


def _map_one(func: Callable, x: Any, none_is_leaf: bool) -> Any:
    children = _children(x)
    if children is None:
        return None if x is None and not none_is_leaf else func(x)
    return _rebuild(x, [_map_one(func, c, none_is_leaf) for c in children])


def _map_many(where: str, func: Callable, structures: Sequence, none_is_leaf: bool) -> Any:
    first, *others = structures
    children = _children(first)
    if children is None:
        keep = first is None and not none_is_leaf
        for other in others:
            if _children(other) is not None or (not none_is_leaf and (other is None) != keep):
                raise ValueError(
                    f"{where}: the structures don't have the same nested structure: expected "
                    f"{'None' if keep else 'a leaf'} beside {first!r}. Received: {other!r}"
                )
        return None if keep else func(*structures)
    columns = [children, *(_match(where, first, len(children), other) for other in others)]
    return _rebuild(first, [_map_many(where, func, row, none_is_leaf) for row in zip(*columns)])


def map_structure_up_to(shallow_structure: Any, func: Callable, *structures: Any) -> Any:
    """Like `map_structure`, but goes no deeper than `shallow_structure`: `func` gets what lies below it whole.

    Args:
        shallow_structure: gives the layout; its leaves are not passed to `func`.
        func: takes as many arguments as there are structures.
        *structures: may be nested deeper than `shallow_structure`, not less.

    Raises:
        TypeError: `func` is not callable.
        ValueError: there is no structure, or one does not reach down to `shallow_structure`.

    Example:

    >>> map_structure_up_to([None, [None, None]], str, [[1, 1], [2, 2]])
    ['[1, 1]', ['2', '2']]
    """
    if not structures:
        raise _no_structures("map_structure_up_to")
    _check_callable("map_structure_up_to", func)
    return _map_up_to(shallow_structure, func, structures)


def _map_up_to(shallow: Any, func: Callable, structures: Sequence) -> Any:
    children = _children(shallow)
    if children is None:
        return func(*structures)
    columns = [_match("map_structure_up_to", shallow, len(children), s) for s in structures]
    return _rebuild(shallow, [_map_up_to(child, func, row) for child, *row in zip(children, *columns)])


def map_shape_structure(func: Callable, structure: Any) -> Any:
    """Like `map_structure` for shapes: a list or tuple of only integers and `None` is a leaf.

    Example:

    >>> map_shape_structure(len, {"a": (None, 3), "b": [(2,), ()]})
    {'a': 2, 'b': [1, 0]}
    """
    _check_callable("map_shape_structure", func)
    return _map_shapes(func, structure)


def _map_shapes(func: Callable, x: Any) -> Any:
    children = _children(x)
    if children is None or (isinstance(x, (list, tuple)) and all(e is None or isinstance(e, int) for e in x)):
        return func(x)
    return _rebuild(x, [_map_shapes(func, c) for c in children])


def pack_sequence_as(structure: Any, flat_sequence: Iterable) -> Any:
    """The inverse of `flatten`: the items of `flat_sequence` in the layout of `structure`.

    Raises:
        TypeError: `flat_sequence` is not iterable.
        ValueError: it has more or fewer items than `structure` has leaves.

    Example:

    >>> pack_sequence_as({"b": 0, "a": (0, 0)}, [1, 2, 3])
    {'b': 3, 'a': (1, 2)}
    """
    try:
        flat = list(flat_sequence)
    except TypeError:
        raise TypeError(
            f"pack_sequence_as: `flat_sequence` must be an iterable. Received: flat_sequence={flat_sequence!r}"
        ) from None
    count = len(flatten(structure))
    if len(flat) != count:
        raise ValueError(
            f"pack_sequence_as: too {'few' if len(flat) < count else 'many'} leaves, expected: {count}. "
            f"Received: {len(flat)} items"
        )
    return _pack(structure, iter(flat))


def _pack(x: Any, leaves: Iterable) -> Any:
    children = _children(x)
    return next(leaves) if children is None else _rebuild(x, [_pack(c, leaves) for c in children])


def traverse(func: Callable, structure: Any, top_down: bool = True) -> Any:
    """Calls `func` on every node and leaf, depth first.

    Args:
        func: returns `None` to go on (top down: into the children; bottom up: keep what is there), anything else
            to put that in its place, `MAP_TO_NONE` to put `None` there.
        structure: what to walk through.
        top_down: whether a parent is visited before its children.

    Raises:
        TypeError: `func` is not callable.

    Example:

    >>> seen = []
    >>> traverse(seen.append, [(1, 2), {"a": 3}])
    [(1, 2), {'a': 3}]
    >>> seen
    [[(1, 2), {'a': 3}], (1, 2), 1, 2, {'a': 3}, 3]
    """
    _check_callable("traverse", func)
    return _traverse(func, structure, top_down)


def _traverse(func: Callable, x: Any, top_down: bool) -> Any:
    if not top_down:
        x = _traverse_children(func, x, top_down)
    result = func(x)
    if result is None:
        return _traverse_children(func, x, top_down) if top_down else x
    return None if result is MAP_TO_NONE else result


def _traverse_children(func: Callable, x: Any, top_down: bool) -> Any:
    children = _children(x)
    return x if children is None else _rebuild(x, [_traverse(func, c, top_down) for c in children])


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with tuples in place of lists.

    Example:

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raises unless `a` and `b` are nested in the same way.

    `dict`, `OrderedDict` and `defaultdict` count as the same; `list`, `tuple`, `deque` and each namedtuple class don't.

    Args:
        a: any structure.
        b: any structure.
        check_types: deprecated, without effect.

    Raises:
        ValueError: the structures differ; the message says where.

    Example:

    >>> assert_same_structure([(0, 1)], [(2, 3)])
    """
    if check_types is not None:
        hint = "" if check_types else " For a looser check use `assert_same_paths`."
        warnings.warn(
            f"assert_same_structure: `check_types` is deprecated and has no effect.{hint}",
            DeprecationWarning,
            stacklevel=2,
        )
    _map_many("assert_same_structure", lambda *leaves: None, (a, b), True)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raises unless `a` and `b` have leaves at the same paths, whatever the types of their containers.

    Raises:
        ValueError: a path of one is missing in the other; the message lists those paths.

    Example:

    >>> assert_same_paths([0, {"a": 1}], (2, {"a": 3}))
    """
    a_paths = {path for path, _ in flatten_with_path(a)}
    b_paths = {path for path, _ in flatten_with_path(b)}
    if a_paths != b_paths:
        only_a, only_b = a_paths - b_paths, b_paths - a_paths
        message = "assert_same_paths: `a` and `b` don't have the same paths."
        message += f" Paths in `a` missing in `b`: {only_a}." if only_a else ""
        message += f" Paths in `b` missing in `a`: {only_b}." if only_b else ""
        raise ValueError(message)
