"""Indexing, gather, scatter, slices, segments and sorting beyond their samples: keys, symbols, gradients, errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish._core import core
from kerasish.engine.symbol import Symbol
from kerasish.ops.gather import embedding_lookup

from .errors import refuses

X = np.arange(24, dtype="float32").reshape(2, 3, 4)
M = np.arange(12, dtype="float32").reshape(3, 4)
V = np.arange(5, dtype="float32")
UNKNOWN = Symbol((None, 3, None), "float32")
T = ops.convert_to_tensor(X)


def gradient(f, x):
    x = ops.convert_to_tensor(x)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x).numpy()


# Keys.


def test_indexing_of_variables_and_scalars():
    v = keras.Variable(X)
    np.testing.assert_array_equal(v[1, :, ::2], X[1, :, ::2])
    np.testing.assert_array_equal(T[np.int64(1), ops.array(2)], X[1, 2])
    assert float(T[1][2][3]) == 23.0
    assert T[...].shape == T[:].shape == (2, 3, 4)
    assert [float(r[0, 0]) for r in T] == [0.0, 12.0]


@pytest.mark.parametrize("key,shape", [
    ((0,), (3, None)),
    ((slice(None), 1), (None, None)),
    ((slice(1, None),), (None, 3, None)),
    ((slice(None), slice(None, None, 2)), (None, 2, None)),
    ((slice(None, None, -1),), (None, 3, None)),
    ((None, Ellipsis, None), (1, None, 3, None, 1)),
    ((slice(None), [0, 2, 2]), (None, 3, None)),
    ((Ellipsis, -1), (None, 3)),
    (([0, 1], slice(None), [0, 0]), (2, 3)),
    ((Symbol((None, 7), "int32"),), (None, 7, 3, None)),
    ((slice(None), Symbol((5,), "int32"), Symbol((5,), "int32")), (None, 5)),
], ids=str)  # fmt: skip
def test_indexing_of_symbols(key, shape):
    assert UNKNOWN[key].shape == shape


def test_random_keys_index_as_numpy_does():
    rng = np.random.default_rng(0)
    bounds = [None, *range(-5, 6)]
    for _ in range(600):
        shape = tuple(rng.integers(1, 5, rng.integers(1, 5)))
        x = np.arange(np.prod(shape), dtype="float64").reshape(shape)
        lead = [(2,), (3,), (1,), (2, 1), ()][rng.integers(5)]
        key, d = [], 0
        while d < len(shape) and rng.random() < 0.85:
            n, kind = shape[d], rng.integers(7)
            if kind == 0:
                key.append(int(rng.integers(-n, n)))
            elif kind == 1:
                key.append(slice(*rng.choice(np.array(bounds, object), 2), [None, 1, 2, -1, -2][rng.integers(5)]))
            elif kind == 2:
                key.append(rng.integers(-n, n, lead))
            elif kind == 3:
                key.append(rng.random(n) > 0.4)
            elif kind == 4 and d + 1 < len(shape):
                key.append(rng.random(shape[d : d + 2]) > 0.4)
                d += 1
            else:
                key.append(None if kind == 5 or any(k is Ellipsis for k in key) else Ellipsis)
                continue
            d += 1
        key = tuple(key)
        try:
            want = x[key]
        except IndexError:
            with pytest.raises((ValueError, IndexError)):
                ops.convert_to_tensor(x)[key]
            continue
        np.testing.assert_array_equal(ops.convert_to_tensor(x)[key], want, err_msg=str(key))
        counts = np.zeros_like(x)
        np.add.at(counts, key, 1.0)
        np.testing.assert_array_equal(gradient(lambda v, key=key: v[key], x), counts, err_msg=str(key))


def test_gradients_of_indexing():
    np.testing.assert_array_equal(gradient(lambda x: x[1:4:2] * 3.0, V), [0, 3, 0, 3, 0])
    np.testing.assert_array_equal(gradient(lambda x: x[[1, 1, 3]], V), [0, 2, 0, 1, 0])
    np.testing.assert_array_equal(gradient(lambda x: x[x > 2], V), [0, 0, 0, 1, 1])
    want = np.zeros_like(M)
    want[[0, 0, 2], [1, 1, 3]] = [2, 2, 1]
    np.testing.assert_array_equal(gradient(lambda x: x[[0, 0, 2], [1, 1, 3]], M), want)
    np.testing.assert_array_equal(gradient(lambda x: x[..., 0] * x[..., 1], M)[:, :2], M[:, 1::-1])


def test_getitem_refusals():
    refuses(lambda: T[2], "getitem: index 2 is out of range for axis 0 with 2 elements.")
    refuses(lambda: T[0, 0, 0, 0], "getitem: x has 3 dimensions, but 4 are indexed.")
    refuses(lambda: T[..., ...], "getitem: an index has at most one ellipsis ('...')", IndexError)
    refuses(lambda: T[::0], "getitem: a slice step must not be 0.")
    refuses(lambda: T[1.5], "getitem: index arrays are integers or bools.", TypeError)
    refuses(lambda: T["a"], "getitem: an index is an integer, a slice, None, ... or an array.", TypeError)
    refuses(lambda: T[True], "getitem: True and False are no indices; use a mask with a dimension.", TypeError)
    refuses(lambda: T[:1.5], "getitem: a slice has integer bounds.", TypeError)
    refuses(lambda: T[np.array(True)], "getitem: a boolean mask needs at least one dimension.", TypeError)
    refuses(lambda: T[np.ones(3, bool)], "getitem: a boolean mask must have the length of axis 0.", IndexError)
    refuses(
        lambda: T[..., np.ones((2, 4), bool)], "getitem: a boolean mask must have the length of axis 1.", IndexError
    )
    refuses(lambda: T[[0, 5]], "gather: every value of `indices` must lie in [0, 2). Received: value=5, position=(1,)")
    refuses(lambda: T[[0, 1], [0, 1, 2]], "getitem: index arrays must have shapes that broadcast.", IndexError)
    refuses(lambda: UNKNOWN[Symbol((None,), "bool")], "getitem: a boolean mask makes a result of unknown shape")
    two = Symbol((None,), "int32"), Symbol((None, 2), "int32")
    refuses(lambda: UNKNOWN[two], "getitem: index arrays of unknown shape must have the same shape.")


# Gather.


def test_take_and_embedding_indices():
    assert ops.take(M, [-1], axis=0).numpy().tolist() == [M[-1].tolist()]
    assert ops.take(M, [], axis=0).shape == (0, 4)
    assert ops.take(M, 2).numpy() == 2
    table = np.random.rand(7, 3).astype("float32")
    np.testing.assert_array_equal(embedding_lookup(table, [[0, 6], [6, 1]]), table[[[0, 6], [6, 1]]])
    for bad in (-1, 7):
        refuses(
            lambda bad=bad: embedding_lookup(table, [0, bad]),
            f"gather: every value of `indices` must lie in [0, 7). Received: value={bad}, position=(1,)",
        )


def test_the_embedding_gradient_has_the_same_bits_at_any_thread_count():
    table = ops.convert_to_tensor(np.random.rand(50, 64).astype("float32"))
    index = np.random.randint(0, 50, (40, 100))
    weight = np.random.randn(40, 100, 64).astype("float32")
    results = set()
    try:
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            results.add(gradient(lambda t: embedding_lookup(t, index) * weight, table).tobytes())
    finally:
        core.set_num_threads(0)
    assert len(results) == 1


def test_take_along_axis_broadcasts():
    np.testing.assert_array_equal(
        ops.take_along_axis(M, np.array([[1, 0]]), axis=1), np.take_along_axis(M, np.array([[1, 0]]), axis=1)
    )
    np.testing.assert_array_equal(
        ops.take_along_axis(M[:1], np.array([[1], [0]]), axis=1),
        np.take_along_axis(M[:1], np.array([[1], [0]]), axis=1),
    )


def test_hot_vectors():
    assert ops.one_hot([[0, 1]], 3, axis=0, dtype="uint8").shape == (3, 1, 2)
    assert ops.one_hot(np.array([1.0, 2.0]), 3).numpy().argmax(-1).tolist() == [1, 2]
    assert ops.one_hot([1], 0).shape == (1, 0)
    assert ops.multi_hot([1, 2], num_tokens=4).numpy().tolist() == [0, 1, 1, 0]
    assert ops.one_hot(Symbol((None,), "int32"), 5).shape == (None, 5)


REFUSED = [
    (lambda: ops.take(M, [3], axis=0), "gather: every value of `indices` must lie in [0, 3)."),
    (lambda: ops.take(M, [0], axis=2), "take: `axis` must lie in [-2, 2) for a tensor of rank 2."),
    (lambda: ops.take_along_axis(M, np.zeros((2, 2), int), 1), "take_along_axis: x and `indices` must match in all"),
    (lambda: ops.take_along_axis(M, np.zeros(2, int), 1), "take_along_axis: x and `indices` must match in all"),
    (
        lambda: ops.take_along_axis(M, np.full((3, 1), 4), 1),
        "take_along_axis: every value of `indices` must lie in [0, 4)",
    ),
    (lambda: ops.one_hot([1], -1), "one_hot: `num_classes` is at least 0."),
    (lambda: ops.one_hot([1], 3, sparse=True), "one_hot: sparse tensors are not supported."),
    (lambda: ops.one_hot([1], 3, axis=2), "one_hot: `axis` must lie in [-2, 2)"),
    (lambda: ops.multi_hot([1]), "multi_hot: `num_classes` must be given."),
    (lambda: ops.multi_hot(1, 3), "multi_hot: a scalar has no axis of names."),
    (lambda: ops.multi_hot([1], 3, sparse=True), "multi_hot: sparse tensors are not supported."),
    (
        lambda: ops.scatter([[0, 0, 0]], [1.0], (2, 2)),
        "scatter: the last dimension of `indices` must be known and at most 2",
    ),
    (lambda: ops.scatter([[0], [1]], [1.0, 2.0, 3.0], (4,)), "scatter: `values` must have shape (2,)."),
    (lambda: ops.scatter([[0], [4]], [1.0, 2.0], (4,)), "scatter: every value of `indices` must lie in [0, 4)."),
    (lambda: ops.scatter_update(V, [[0]], [1.0], "sub"), "scatter_update: `reduction` is one of (None, 'add', 'max',"),
    (lambda: ops.scatter_update(V, [[0]], [1.0, 2.0]), "scatter_update: `updates` must have shape (1,)."),
    (lambda: ops.scatter_update(V, [[5]], [1.0]), "scatter_set: every value of `indices` must lie in [0, 5)."),
    (
        lambda: ops.scatter_update(V, [[-6]], [1.0], "add"),
        "scatter_update: every value of `indices` must lie in [0, 5).",
    ),
    (lambda: ops.slice(M, (0,), (1, 1)), "slice: `start_indices` needs one start for each of 2 dimensions."),
    (lambda: ops.slice(M, (0, 0), (1,)), "slice: `shape` needs one length for each of 2 dimensions."),
    (lambda: ops.slice(M, (2, 0), (2, 1)), "slice: the slice must lie inside x."),
    (lambda: ops.slice(M, (-1, 0), (1, 1)), "slice: `start_indices` are at least 0."),
    (lambda: ops.slice(M, (0, 0), (-2, 1)), "slice: the lengths are at least 0, or -1."),
    (lambda: ops.slice(M, ops.array([0, 0]), (4, 1)), "slice: the slice is longer than x."),
    (lambda: ops.slice(M, ops.array([0]), (1, 1)), "slice: x has 2 dimensions; as many starts and lengths are needed."),
    (lambda: ops.slice(M, Symbol((2,), "int32"), (-1, 1)), "slice: -1 in `shape` needs starts that are known."),
    (lambda: ops.slice_update(M, (0, 0), V), "slice_update: `updates` must have rank 2."),
    (lambda: ops.slice_update(M, (2, 0), M[:2]), "slice_update: `updates` must fit into x."),
    (
        lambda: ops.slice_update(M, ops.array([0, 0]), X[0, :, :1].repeat(9, 1)),
        "slice_update: `updates` is longer than x.",
    ),
    (lambda: ops.slice_update(M, ops.array([0]), M), "slice_update: `updates` and the starts must match x's rank 2"),
    (lambda: ops.segment_sum(M, [0, 1]), "segment_sum: `segment_ids` holds one number for each row."),
    (lambda: ops.segment_max(M, [[0, 1, 2]]), "segment_max: `segment_ids` is a vector and `data` has rows."),
    (lambda: ops.segment_min(M, [0, 1, 2], -1), "segment_min: `num_segments` is at least 0."),
    (lambda: ops.segment_prod(M, Symbol((3,), "int32")), "segment_prod: `num_segments` is needed for symbolic"),
    (lambda: ops.diff(V, -1), "diff: `n` is at least 0."),
    (lambda: ops.diff(1.0), "diff: `axis` must lie in [-0, 0) for a tensor of rank 0."),
    (lambda: ops.sort(V, 1), "sort: `axis` must lie in [-1, 1) for a tensor of rank 1."),
    (lambda: ops.top_k(V, 6), "top_k: `k` is at least 0 and at most the length of the last axis."),
    (lambda: ops.top_k(1.0, 1), "top_k: `k` is at least 0 and at most the length of the last axis."),
    (lambda: ops.argpartition(V, 5), "argpartition: `kth` must lie in [-5, 5)."),
    (lambda: ops.in_top_k([0, 1], M, 1), "in_top_k: `predictions` has the shape of `targets` and one more axis."),
    (lambda: ops.searchsorted(M, V), "searchsorted: `sorted_sequence` is a vector."),
    (lambda: ops.searchsorted(V, V, "middle"), "searchsorted: `side` is 'left' or 'right'."),
    (lambda: ops.unravel_index([12], (3, 4)), "unravel_index: every index must lie in [-12, 12)."),
    (lambda: ops.unique(V, size=-1), "unique: `size` is at least 0."),
]


@pytest.mark.parametrize("call,message", REFUSED, ids=[m for _, m in REFUSED])
def test_refusals(call, message):
    refuses(call, message)


def test_refusals_of_types():
    refuses(lambda: ops.take(M, [0.5], axis=0), "gather: `indices` must be integers.", TypeError)
    refuses(lambda: ops.take_along_axis(M, M, 0), "take_along_axis: `indices` must be integers.", TypeError)
    refuses(lambda: ops.scatter([[0.5]], [1.0], (2,)), "scatter: `indices` must be integers.", TypeError)
    refuses(lambda: ops.segment_sum(M, V[:3]), "segment_sum: `segment_ids` must be integers.", TypeError)
    refuses(lambda: ops.in_top_k(V[:3], M, 1), "in_top_k: `targets` must be integers.", TypeError)
    refuses(lambda: ops.unravel_index(V, (5,)), "unravel_index: `indices` must be integers.", TypeError)
    refuses(lambda: ops.multi_hot([1], 3, tokens=1), "multi_hot: unknown arguments.", TypeError)
    refuses(lambda: ops.slice(M, (0.5, 0), (1, 1)), "slice: `start_indices` is an integer.", TypeError)


# Scatter, slices.


def test_scatter_broadcasts_and_negative_indices_wrap():
    np.testing.assert_array_equal(ops.scatter([[0], [-1]], 2.0, (3,)), [2, 0, 2])
    np.testing.assert_array_equal(ops.scatter_update(M, [[1]], 7)[1], [7, 7, 7, 7])
    assert ops.scatter_update(np.array([1, 2]), [[0]], [5.7]).numpy().tolist() == [5, 2]


def test_gradients_of_scattered_extremes_are_shared_by_equals():
    x, u = ops.array([1.0, 5.0]), ops.array([3.0, 3.0, 5.0])
    with keras.GradientTape() as tape:
        tape.watch([x, u])
        y = ops.scatter_update(x, [[0], [0], [1]], u, "max")
    gx, gu = tape.gradient(y, [x, u])
    assert gx.numpy().tolist() == [0, 0.5] and gu.numpy().tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_array_equal(
        gradient(lambda v: ops.segment_max(v, [0, 0, 1, 1], 2), [1.0, 3, 2, 2]), [0, 1, 0.5, 0.5]
    )


def test_gradients_of_products_with_zeros():
    np.testing.assert_array_equal(
        gradient(lambda v: ops.segment_prod(v, [0, 0, 1, 1, 1], 2), [2.0, 3, 0, 4, 5]), [3, 2, 20, 0, 0]
    )
    np.testing.assert_array_equal(
        gradient(lambda v: ops.scatter_update(ops.ones(2), [[0], [0], [1]], v, "mul"), [0.0, 3, 5]), [3, 0, 1]
    )


def test_of_several_values_set_at_one_place_the_last_gets_the_gradient():
    np.testing.assert_array_equal(
        gradient(lambda v: ops.scatter_update(ops.zeros(2), [[0], [0], [1]], v), [1.0, 2, 3]), [0, 1, 1]
    )


def test_slices_with_tensor_starts():
    starts = ops.array([1, 3])
    np.testing.assert_array_equal(ops.slice(M, starts, (2, 2)), M[1:3, 2:4])  # clamped, as the piece must fit
    np.testing.assert_array_equal(ops.slice(M, [ops.array(1), 2], (2, 2)), M[1:3, 2:4])
    np.testing.assert_array_equal(ops.slice(M, starts, (-1, 1)), M[1:, 3:])
    want = M.copy()
    want[1:3, 2:4] = 0
    np.testing.assert_array_equal(ops.slice_update(M, ops.array([1, 2]), np.zeros((2, 2))), want)
    assert ops.slice(UNKNOWN, Symbol((3,), "int32"), (1, 2, 3)).shape == (1, 2, 3)
    assert ops.slice_update(UNKNOWN, (0, 0, 0), Symbol((None, 1, 1))).shape == (None, 3, None)
    assert ops.slice(UNKNOWN, (0, 1, 0), (-1, 2, -1)).shape == (None, 2, None)


def test_the_whole_slice_is_the_tensor_itself():
    assert T[:] is T


# Segments and order.


def test_segment_numbers_by_default():
    assert ops.segment_sum(M, [0, 2, 2]).shape == (3, 4)
    assert ops.segment_sum(M[:0], np.zeros(0, "int32")).shape == (0, 4)


def test_order_of_nan_and_integers():
    x = np.array([2.0, np.nan, 5.0, 1.0], "float32")
    assert ops.top_k(x, 2)[1].numpy().tolist() == [1, 2]
    assert ops.argsort(x).numpy().tolist() == [3, 0, 2, 1]
    low = np.iinfo("int32").min
    assert ops.top_k(np.array([low, 3, 3, 7], "int32"), 4)[1].numpy().tolist() == [3, 1, 2, 0]
    assert ops.top_k(np.array([True, False]), 1)[1].numpy().tolist() == [0]


def test_top_k_of_long_rows():
    x = np.random.default_rng(0).integers(0, 50, (20, 300)).astype("float32")
    values, index = ops.top_k(x, 9)
    order = np.argsort(-x, axis=-1, kind="stable")[:, :9]
    np.testing.assert_array_equal(index, order)
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, -1))


def test_targets_outside_the_classes_are_not_in_top_k():
    assert ops.in_top_k([-1, 4, 3], M, 4).numpy().tolist() == [False, False, True]


def test_sorting_without_an_axis():
    assert ops.sort([[3, 1], [2, 0]], axis=None).numpy().tolist() == [0, 1, 2, 3]
    assert ops.argpartition([[3, 1], [2, 0]], 0, axis=None).shape == (4,)
    assert ops.nonzero(5.0)[0].numpy().tolist() == [0]
