"""kerasish.tree: what a node is, order of dicts, mapping, packing, traversal, and the errors."""

import time
from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from kerasish import tree
from kerasish.engine import tree as engine_tree

Point = namedtuple("Point", ["x", "y"])
OtherPoint = namedtuple("Point", ["x", "y"])


class ListSubclass(list):
    pass


class DictSubclass(dict):
    pass


@pytest.mark.parametrize(
    "node", [[], (), {}, deque(), OrderedDict(), defaultdict(int), Point(1, 2), time.gmtime(0)], ids=repr
)
def test_nodes(node):
    assert tree.is_nested(node)
    assert tree.map_structure(lambda v: v, node) == node
    assert type(tree.map_structure(lambda v: v, node)) is type(node)


@pytest.mark.parametrize("leaf", [None, 1, "ab", {1, 2}, ListSubclass([1]), DictSubclass(a=1), range(3)], ids=repr)
def test_leaves(leaf):
    assert not tree.is_nested(leaf)
    assert tree.flatten(leaf) == [leaf]
    assert tree.flatten_with_path(leaf) == [((), leaf)]


def test_dicts_are_read_in_sorted_order_and_rebuilt_in_their_own():
    d = {"b": 1, "a": 2}
    assert tree.flatten(d) == [2, 1]
    assert tree.flatten(OrderedDict(b=1, a=2)) == [1, 2]
    assert tree.flatten(defaultdict(int, b=1, a=2)) == [2, 1]
    assert list(tree.map_structure(lambda v: v + 1, d).items()) == [("b", 2), ("a", 3)]
    assert list(tree.pack_sequence_as(d, [3, 4]).items()) == [("b", 4), ("a", 3)]
    rebuilt = tree.map_structure(lambda v: v, defaultdict(list, b=1, a=2))
    assert rebuilt.default_factory is list
    assert list(rebuilt) == ["b", "a"]


def test_dict_keys_of_several_types_are_sorted_by_type_first():
    assert tree.flatten({(1,): 1, "a": 2, 3: 5, 1.5: 7}) == [7, 5, 2, 1]
    assert sorted(tree.flatten({1j: 1, 2j: 2})) == [1, 2]  # complex keys have no order at all


def test_flatten_with_path():
    assert tree.flatten_with_path({"b": 1, "a": [2, Point(3, None)]}) == [
        (("a", 0), 2),
        (("a", 1, 0), 3),
        (("a", 1, 1), None),
        (("b",), 1),
    ]


def test_map_structure_pairs_values_by_key():
    add = lambda *v: v  # noqa: E731
    assert tree.map_structure(add, OrderedDict(b=1, a=2), {"a": 3, "b": 4}) == OrderedDict(b=(1, 4), a=(2, 3))
    assert tree.map_structure(add, {"b": 1, "a": 2}, OrderedDict(a=3, b=4)) == {"b": (1, 4), "a": (2, 3)}
    assert tree.map_structure(add, deque([1], maxlen=3), deque([2])).maxlen == 3
    assert tree.map_structure(add, Point(1, [2]), Point(3, [4])) == Point((1, 3), [(2, 4)])


def test_map_structure_none():
    assert tree.map_structure(lambda v: 0, [None, 1]) == [0, 0]
    assert tree.map_structure(lambda v: 0, [None, 1], none_is_leaf=False) == [None, 0]
    assert tree.map_structure(lambda v: 0, None, none_is_leaf=False) is None
    assert tree.map_structure(lambda a, b: a + b, [None, 1], [None, 2], none_is_leaf=False) == [None, 3]
    with pytest.raises(ValueError, match=r"expected None beside None. Received: 1"):
        tree.map_structure(lambda a, b: 0, [None], [1], none_is_leaf=False)
    with pytest.raises(ValueError, match=r"expected a leaf beside 1. Received: None"):
        tree.map_structure(lambda a, b: 0, [1], [None], none_is_leaf=False)


def test_map_structure_up_to():
    assert tree.map_structure_up_to([None, None], len, [[1, 1], [2, 2]]) == [2, 2]
    assert tree.map_structure_up_to([1, 2], lambda a, b: (a, b), [1, 2], [1, [2, 3]]) == [(1, 1), (2, [2, 3])]
    assert tree.map_structure_up_to(0, str, [[1]]) == "[[1]]"
    with pytest.raises(ValueError, match=r"map_structure_up_to: .*expected an instance of list. Received: 2"):
        tree.map_structure_up_to([1, [2, 3]], lambda a, b: 0, [1, [2, 3]], [1, 2])


MISMATCHES = [
    ([[1]], [1], "expected an instance of list. Received: 1"),
    ([1], [[1]], "expected a leaf beside 1. Received: \\[1\\]"),
    ((1, 2), [1, 2], "expected an instance of tuple. Received: \\[1, 2\\]"),
    ([], deque(), "expected an instance of list. Received: deque"),
    (deque(), (), "expected an instance of deque"),
    ((1, 2), Point(1, 2), "expected an instance of tuple. Received: Point"),
    (Point(1, 2), (1, 2), "expected an instance of namedtuple Point"),
    (Point(1, 2), OtherPoint(1, 2), "expected an instance of namedtuple Point"),
    ([1, 2], [1], "list arity mismatch, the number of elements is expected to be 2. Received: 1"),
    ({"a": 1}, {"b": 1}, "dictionary key mismatch. Expected keys: .'a'., .*missing: .'a'., extra: .'b'."),
    ({"a": 1}, [1], "expected an instance of dict"),
    (OrderedDict(a=1), 1, "expected an instance of OrderedDict"),
]


@pytest.mark.parametrize(("a", "b", "message"), MISMATCHES, ids=[str(m[:2]) for m in MISMATCHES])
def test_different_layouts(a, b, message):
    with pytest.raises(ValueError, match=f"^map_structure: the structures don't have .*{message}"):
        tree.map_structure(lambda x, y: None, a, b)
    with pytest.raises(ValueError, match=f"^assert_same_structure: the structures don't have .*{message}"):
        tree.assert_same_structure(a, b)


def test_assert_same_structure():
    tree.assert_same_structure({"a": [None]}, OrderedDict(a=[1]))
    tree.assert_same_structure(defaultdict(int, a=1), {"a": 2})
    with pytest.warns(DeprecationWarning, match="`check_types` is deprecated"):
        tree.assert_same_structure([1], [2], check_types=True)
    with pytest.warns(DeprecationWarning, match="assert_same_paths"):
        tree.assert_same_structure([1], [2], check_types=False)


def test_assert_same_paths():
    tree.assert_same_paths([0, {"a": 1}], (2, OrderedDict(a=3)))
    tree.assert_same_paths(Point(0, 1), OtherPoint(2, 3))
    with pytest.raises(ValueError, match=r"in `a` missing in `b`: \{\('a',\)\}. Paths in `b` missing in `a`: \{\(0,"):
        tree.assert_same_paths({"a": 1}, [1])


@pytest.mark.parametrize("function", ["map_structure", "traverse", "map_shape_structure"])
def test_not_callable(function):
    with pytest.raises(TypeError, match=f"^{function}: `func` must be callable. Received: func='bad'"):
        getattr(tree, function)("bad", [1])


def test_no_structure():
    with pytest.raises(ValueError, match=r"^map_structure: must provide at least one structure"):
        tree.map_structure(len)
    with pytest.raises(ValueError, match=r"^map_structure_up_to: must provide at least one structure"):
        tree.map_structure_up_to([1], len)


def test_pack_sequence_as():
    structure = {"k3": {"c": ("x", "y"), "a": "z"}, "k1": {"e": 1, "d": 2}}
    assert tree.pack_sequence_as(structure, [1, 2, 3, 4, 5]) == {"k3": {"c": (4, 5), "a": 3}, "k1": {"e": 2, "d": 1}}
    assert tree.pack_sequence_as(None, [5]) == 5
    assert tree.pack_sequence_as([0, 0], iter("ab")) == ["a", "b"]
    with pytest.raises(TypeError, match=r"`flat_sequence` must be an iterable. Received: flat_sequence=1"):
        tree.pack_sequence_as([1], 1)
    with pytest.raises(ValueError, match=r"too few leaves, expected: 2. Received: 1"):
        tree.pack_sequence_as([1, 2], [1])
    with pytest.raises(ValueError, match=r"too many leaves, expected: 1. Received: 2"):
        tree.pack_sequence_as(1, [1, 2])


def test_traverse_order():
    structure = [(1, 2), [3], {"a": 4}]
    seen = []
    assert tree.traverse(seen.append, structure) == structure
    assert seen == [structure, (1, 2), 1, 2, [3], 3, {"a": 4}, 4]
    seen.clear()
    tree.traverse(seen.append, structure, top_down=False)
    assert seen == [1, 2, (1, 2), 3, [3], 4, {"a": 4}, structure]


def test_traverse_replaces():
    stop = lambda x: "T" if isinstance(x, tuple) else None  # noqa: E731
    assert tree.traverse(stop, [(1, 2), [3]]) == ["T", [3]]
    assert tree.traverse(lambda x: tree.MAP_TO_NONE if x == 1 else None, [1, {"b": 1}]) == [None, {"b": None}]
    assert tree.lists_to_tuples([1, [2, {"a": [3]}], deque([[1]])]) == (1, (2, {"a": (3,)}), deque([(1,)]))


def test_map_shape_structure():
    assert tree.map_shape_structure(len, [(1, None), {"a": [2, 3]}, ()]) == [2, {"a": 2}, 0]
    assert tree.map_shape_structure(str, {"a": (1, 2), "b": None}) == {"a": "(1, 2)", "b": "None"}


def test_registered_class():
    @engine_tree.register_tree_node_class
    class Box:
        def __init__(self, label, items):
            self.label, self.items = label, items

        def tree_flatten(self):
            return self.items, self.label

        @classmethod
        def tree_unflatten(cls, label, items):
            return cls(label, items)

    box = tree.map_structure(lambda v: v * 2, [Box("b", [1, 2])])[0]
    assert (box.label, box.items) == ("b", [2, 4])
    assert tree.flatten_with_path(box) == [((0,), 2), ((1,), 4)]
    with pytest.raises(TypeError, match="must have `tree_flatten`"):
        engine_tree.register_tree_node_class(int)
