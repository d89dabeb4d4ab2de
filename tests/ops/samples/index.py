"""Samples for the ops that index and sort: gather, scatter, segment, sort."""

import numpy as np

from ..sample import Sample, ints, rand

STRICT, WRAP, DROP = 0, 1, 2


def gather(x, indices, axis, mode=STRICT):
    n = x.shape[axis]
    at = np.where(indices < 0, indices + n, indices) if mode == WRAP else indices
    keep = (at >= 0) & (at < n)
    y = np.take(x, np.where(keep, at, 0), axis)
    return y * keep.reshape((1,) * axis + keep.shape + (1,) * (x.ndim - axis - 1))


def gather_grad(g, indices, length, axis, mode=STRICT):
    hot = np.asarray(indices).ravel()
    hot = np.where(hot < 0, hot + length, hot) if mode == WRAP else hot
    hot = (hot[:, None] == np.arange(length)).astype(g.dtype)
    rows = np.moveaxis(g.reshape(*g.shape[:axis], -1, *g.shape[axis + np.ndim(indices) :]), axis, 0)
    return np.moveaxis(np.tensordot(hot.T, rows, 1), 0, axis)


def along(x, indices, axis):
    return np.take_along_axis(x, indices.astype("int64"), axis)


def along_grad(g, indices, length, axis):
    shape = list(g.shape)
    shape[axis] = length
    out = np.zeros(shape, g.dtype)
    for at in np.ndindex(*g.shape):
        to = list(at)
        to[axis] = indices[at]
        out[tuple(to)] += g[at]
    return out


def scatter(indices, values, shape):
    out = np.zeros(shape, values.dtype)
    np.add.at(out, tuple(np.moveaxis(indices, -1, 0)), values)
    return out


def scatter_update(x, indices, updates, reduction=None):
    x, key = x.copy(), tuple(np.moveaxis(indices, -1, 0))
    if reduction is None:
        x[key] = updates
    else:
        {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}[reduction].at(x, key, updates)
    return x


def segment(ufunc, start):
    def reference(data, segment_ids, num_segments):
        out = np.full((num_segments, *data.shape[1:]), start, data.dtype)
        keep = (segment_ids >= 0) & (segment_ids < num_segments)
        ufunc.at(out, segment_ids[keep], data[keep])
        return out

    return reference


def others(data, segment_ids, num_segments):
    out = np.zeros_like(data)
    for j in range(len(data)):
        if 0 <= segment_ids[j] < num_segments:
            mates = [i for i in range(len(data)) if i != j and segment_ids[i] == segment_ids[j]]
            out[j] = np.prod(data[mates], axis=0)
    return out


def scatter_others(x, indices, updates):
    out = np.zeros_like(updates)
    for j in range(len(updates)):
        mates = [i for i in range(len(updates)) if i != j and (indices[i] == indices[j]).all()]
        out[j] = np.prod(updates[mates], axis=0)
    return out


def kept(x, indices, updates):
    last = {tuple(i): k for k, i in enumerate(indices.tolist())}
    mask = [last[tuple(i)] == k for k, i in enumerate(indices.tolist())]
    return np.broadcast_to(np.reshape(mask, (-1, *[1] * (updates.ndim - 1))), updates.shape)


def scatter_shares(x, indices, updates, reduction):
    y = scatter_update(x, indices, updates, reduction)
    count = (x == y).astype(float)
    for i, u in zip(indices, updates):
        count[tuple(i)] += u == y[tuple(i)]
    count = np.maximum(count, 1)
    return (x == y) / count, np.stack([(u == y[tuple(i)]) / count[tuple(i)] for i, u in zip(indices, updates)])


def segment_shares(data, ids, y):
    out = np.zeros_like(data)
    for j, s in enumerate(ids):
        if 0 <= s < len(y):
            ties = sum((data[i] == y[s]) for i in range(len(ids)) if ids[i] == s)
            out[j] = (data[j] == y[s]) / np.maximum(ties, 1)
    return out


def one_hot(x, num_classes, axis, dtype):
    return np.moveaxis(x[..., None] == np.arange(num_classes), -1, axis).astype(dtype)


def multi_hot(x, num_classes, axis, dtype):
    return one_hot(x, num_classes, axis, "int32").max(1 if x.ndim > 1 else 0).astype(dtype)


def top_k(x, k):
    index = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, index, -1), index


def in_top_k(targets, predictions, k):
    own = np.take_along_axis(predictions, targets[:, None].astype("int64"), 1)
    return (predictions > own).sum(1) < k


TUPLES = np.array([[1, 0], [3, 2], [1, 0], [-1, 1]])
IDS = np.array([0, 2, 2, -1, 0, 7, 2], "int32")
TWO = np.array([0, 1, 1, -1, 0, 7, 1])
PLACES = np.array([[2], [0], [2], [4]])

SAMPLES = [
    Sample("gather", (rand(5, 3), ints(2, 4, high=5)), {"axis": 0}, gather),
    Sample("gather", (rand(5, 3), np.array([-1, 0, 2])), {"axis": 1, "mode": WRAP}, gather),
    Sample("gather", (rand(5, 3), np.array([-1, 0, 9])), {"axis": 0, "mode": DROP}, gather),
    Sample("gather", (rand(4, 65), np.array(2)), {"axis": 0}, gather),
    Sample("gather", (rand(4, 0), np.zeros((0,), "int32")), {"axis": 0}, gather),
    Sample("gather_grad", (rand(2, 4, 3), ints(2, 4, high=5)), {"length": 5, "axis": 0}, gather_grad),
    Sample("gather_grad", (rand(2, 3), np.array([-1, 0, -1])), {"length": 4, "axis": 1, "mode": WRAP}, gather_grad),
    Sample("gather_grad", (rand(3, 2), np.array([-1, 0, 0])), {"length": 4, "axis": 0, "mode": DROP}, gather_grad),
    Sample("gather_grad", (rand(900, 40), ints(900, high=30)), {"length": 30, "axis": 0}, gather_grad),
    Sample("take_along_axis", (rand(3, 4), ints(3, 2, low=-4, high=4)), {"axis": 1}, along),
    Sample("take_along_axis", (rand(3, 4, 2), ints(5, 4, 2, high=3)), {"axis": 0}, along),
    Sample("take_along_axis_grad", (rand(3, 6), ints(3, 6, high=4)), {"length": 4, "axis": 1}, along_grad),
    Sample("take_along_axis_grad", (rand(6, 3), ints(6, 3, high=4)), {"length": 4, "axis": 0}, along_grad),
    Sample("gather_nd", (rand(4, 3, 2), TUPLES), {}, lambda x, i: x[tuple(np.moveaxis(i, -1, 0))]),
    Sample("gather_nd", (rand(4, 3), ints(2, 5, 1, high=4)), {}, lambda x, i: x[i[..., 0]]),
    Sample("scatter", (TUPLES, rand(4, 2)), {"shape": (4, 3, 2)}, scatter),
    Sample("scatter", (PLACES, ints(4, high=9)), {"shape": (5,)}, scatter),
    Sample("scatter_set", (rand(4, 3, 2), TUPLES, rand(4, 2)), {}, scatter_update),
    Sample("scatter_set", (rand(5) > 0, PLACES, rand(4) > 0), {}, scatter_update),
    *(Sample("scatter_update", (rand(4, 3, 2), TUPLES, rand(4, 2, low=0.5)), {"reduction": r}, scatter_update)
      for r in ("add", "max", "min")),
    Sample("scatter_update", (rand(4, 3, 2), TUPLES, rand(4, 2, low=0.5)), {"reduction": "mul"}, scatter_update),
    Sample("scatter_kept", (rand(5, 2), PLACES, rand(4, 2)), {}, kept, unknown=False),
    Sample("scatter_shares", (rand(5), PLACES, np.array([0.5, 0.1, 0.5, -3])), {"reduction": "max"}, scatter_shares),
    Sample("scatter_others", (rand(5, 2), PLACES, rand(4, 2, low=0.5)), {}, scatter_others),
    Sample("scatter_others", (rand(5), PLACES, np.array([0.0, 2, 3, 0])), {}, scatter_others, grad=()),
    Sample("segment_sum", (rand(7, 3), IDS), {"num_segments": 4}, segment(np.add, 0)),
    Sample("segment_sum", (ints(7, high=9), IDS), {"num_segments": 4}, segment(np.add, 0)),
    Sample("segment_sum", (rand(0, 3), IDS[:0]), {"num_segments": 2}, segment(np.add, 0)),
    Sample("segment_max", (rand(7, 3), TWO), {"num_segments": 2}, segment(np.maximum, -np.inf)),
    Sample("segment_min", (rand(7, 3), TWO), {"num_segments": 2}, segment(np.minimum, np.inf)),
    Sample("segment_max", (ints(7, high=9), IDS), {"num_segments": 4}, segment(np.maximum, np.iinfo("int32").min)),
    Sample("segment_prod", (rand(7, 3, low=0.5), IDS), {"num_segments": 4}, segment(np.multiply, 1)),
    Sample("segment_shares", (np.array([1.0, 2, 2, 5]), np.array([0, 1, 1, 9]), np.array([1.0, 2])), {},
           segment_shares),
    Sample("segment_others", (rand(7, 3, low=0.5), IDS), {"num_segments": 4}, others),
    Sample("one_hot", (ints(3, 4, low=-1, high=6),), {"num_classes": 5, "axis": 1, "dtype": "float32"}, one_hot),
    Sample("one_hot", (ints(0, high=6),), {"num_classes": 5, "axis": 1, "dtype": "bool"}, one_hot),
    Sample("multi_hot", (ints(3, 4, high=6),), {"num_classes": 5, "axis": 2, "dtype": "float32"}, multi_hot),
    Sample("sort", (rand(3, 7),), {"axis": 1}, np.sort),
    Sample("sort", (rand(5, 2),), {"axis": 0}, np.sort),
    Sample("argsort", (rand(3, 7),), {"axis": 1}, lambda x, axis: np.argsort(x, axis, kind="stable")),
    Sample("argpartition", (rand(9),), {"kth": (8,), "axis": 0}, lambda x, kth, axis: np.argpartition(x, kth, axis)),
    Sample("top_k", (rand(3, 7),), {"k": 3}, top_k),
    Sample("top_k", (rand(2, 40),), {"k": 3}, top_k),
    Sample("top_k", (np.repeat([[3.0, 1.0, 3.0, 2.0]], 9, 0).reshape(1, -1),), {"k": 4}, top_k, grad=()),
    Sample("top_k", (ints(2, 5, high=9, dtype="uint8"),), {"k": 5}, lambda x, k: top_k(x.astype(int), k)),
    Sample("in_top_k", (ints(6, high=5), rand(6, 5)), {"k": 2}, in_top_k),
    Sample("searchsorted", (np.sort(rand(9)), rand(3, 4)), {"side": "left"}, np.searchsorted, unknown=False),
    Sample("searchsorted", (np.sort(ints(9, high=5)), ints(7, high=5)), {"side": "right"}, np.searchsorted),
    Sample("nonzero", (ints(3, 4, high=2),), {}, np.nonzero),
    Sample("unravel_index", (ints(5, low=-12, high=12),), {"shape": (3, 4)},
           lambda i, shape: np.unravel_index(i % 12, shape)),
    Sample("isin", (ints(3, 4, high=9), ints(5, high=9, seed=1)), {"invert": True}, np.isin),
    Sample("unique", (ints(9, high=4),),
           {"index": True, "inverse": True, "counts": True, "axis": None, "size": None, "fill": None},
           lambda x, **k: np.unique(x, True, True, True)),
    Sample("unique", (ints(6, 2, high=2),),
           {"index": False, "inverse": False, "counts": False, "axis": 0, "size": None, "fill": None},
           lambda x, **k: np.unique(x, axis=0)),
]  # fmt: skip
