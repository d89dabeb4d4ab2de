"""kerasish.tree against keras.tree on the same structures: results, and which calls fail."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from kerasish import tree

pytestmark = pytest.mark.parity
Point = namedtuple("Point", ["x", "y"])

STRUCTURES = [
    None,
    1,
    "ab",
    [],
    [[], {}, ()],
    [1, (2, [3, None]), {"b": 4, "a": (5,)}],
    {2: 1, "a": 2, (1,): 3},
    OrderedDict(b=1, a=[2]),
    defaultdict(int, b=1, a=2),
    deque([1, [2]], maxlen=5),
    Point(1, {"z": 2, "y": 3}),
    [(1, None), (2, 3), {"a": [4]}],
    (1, 2),
    [1, 2],
    {"a": 1},
    {"b": 1},
]


def outcome(function, *args, **kwargs):
    try:
        return "value", repr(function(*args, **kwargs))
    except (TypeError, ValueError) as e:
        return "error", type(e).__name__


def visits(traverse, structure, top_down):
    seen = []
    traverse(lambda x: seen.append(repr(x)), structure, top_down)
    return seen


@pytest.mark.parametrize("s", STRUCTURES, ids=repr)
def test_one_structure(s):
    from keras import tree as keras_tree

    for name in ("is_nested", "flatten", "flatten_with_path", "lists_to_tuples"):
        assert outcome(getattr(tree, name), s) == outcome(getattr(keras_tree, name), s), name
    for top_down in (True, False):
        assert visits(tree.traverse, s, top_down) == visits(keras_tree.traverse, s, top_down)
    for name in ("map_structure", "map_shape_structure"):
        assert outcome(getattr(tree, name), repr, s) == outcome(getattr(keras_tree, name), repr, s), name
    flat = list(range(len(tree.flatten(s))))
    for sequence in (flat, flat[1:], [*flat, 0]):
        assert outcome(tree.pack_sequence_as, s, sequence) == outcome(keras_tree.pack_sequence_as, s, sequence)


@pytest.mark.parametrize("a", STRUCTURES, ids=repr)
def test_pairs(a):
    from keras import tree as keras_tree

    pair = lambda x, y: (x, y)  # noqa: E731
    for b in STRUCTURES:
        for name in ("assert_same_structure", "assert_same_paths"):
            assert outcome(getattr(tree, name), a, b) == outcome(getattr(keras_tree, name), a, b), (name, b)
        for none_is_leaf in (True, False):
            ours = outcome(tree.map_structure, pair, a, b, none_is_leaf=none_is_leaf)
            assert ours == outcome(keras_tree.map_structure, pair, a, b, none_is_leaf=none_is_leaf), b
        if None not in tree.flatten(a):  # Keras's documentation has None as a leaf here, its code fails on it
            ours = outcome(tree.map_structure_up_to, a, lambda x: x, b)
            assert ours == outcome(keras_tree.map_structure_up_to, a, lambda x: x, b), b
