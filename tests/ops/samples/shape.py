"""Samples for the ops that change shapes: shape, join, repeat, pad, slices, diagonal."""

import numpy as np

from ..sample import Sample, ints, rand


def basic(key):
    return tuple(slice(*k) if isinstance(k, tuple) else k for k in key)


def put(g, shape, key):
    out = np.zeros(shape, g.dtype)
    out[basic(key)] = g
    return out


def updated(x, u, key):
    x = x.copy()
    x[basic(key)] = u
    return x


def dynamic(x, starts, shape):
    at = [min(max(0, s), n - m) for s, n, m in zip(starts, x.shape, shape)]
    return x[tuple(slice(a, a + m) for a, m in zip(at, shape))]


def dynamic_put(x, u, starts):
    x = x.copy()
    at = [min(max(0, s), n - m) for s, n, m in zip(starts, x.shape, u.shape)]
    x[tuple(slice(a, a + m) for a, m in zip(at, u.shape))] = u
    return x


def diagonal_put(g, offset, axis1, axis2, shape=None):
    if shape is None:
        return np.diag(g, offset)
    out = np.zeros(shape, g.dtype)
    view = np.diagonal(out, offset, axis1, axis2)
    view.flags.writeable = True
    view[...] = g
    return out


def border(x, axis, widths, mode):
    pairs = [(0, 0)] * x.ndim
    pairs[axis] = widths
    return np.pad(x, pairs, mode)


def border_grad(g, length, axis, widths, mode):
    eye = border(np.eye(length), 0, widths, mode)  # (padded, length)
    return np.moveaxis(np.tensordot(eye, np.moveaxis(g, axis, 0), (0, 0)), 0, axis)


def concatenate(*xs, axis):
    return np.concatenate(xs, axis)


def split(x, at, axis, even=True):
    return tuple(np.array_split(x, at if isinstance(at, int) else list(at), axis))


FULL = (None, None, None)

SAMPLES = [
    Sample("reshape", (rand(2, 3, 4),), {"newshape": (4, -1)}, lambda x, newshape: x.reshape(newshape)),
    Sample("reshape", (rand(2, 3),), {"newshape": (3, 2, 1)}, lambda x, newshape: x.reshape(newshape), unknown=False),
    Sample("reshape", (rand(2, 6),), {"newshape": (None, 2, 3)}, lambda x, newshape: x.reshape(2, 2, 3)),
    Sample("reshape", (rand(0, 3),), {"newshape": (3, 0)}, lambda x, newshape: x.reshape(newshape)),
    Sample("expand_dims", (rand(2, 3),), {"axis": (0, 3)}, np.expand_dims),
    Sample("squeeze", (rand(2, 1, 3, 1),), {"axis": (1, 3)}, np.squeeze),
    Sample("squeeze", (rand(1, 3, 1),), {"axis": None}, lambda x, axis: x.squeeze(), unknown=False),
    Sample("transpose", (rand(3, 4, 5),), {"axes": (2, 0, 1)}, np.transpose),
    Sample("transpose", (rand(17, 65),), {"axes": (1, 0)}, np.transpose),
    Sample("transpose", (rand(2, 3, 1, 4),), {"axes": (0, 2, 1, 3)}, np.transpose),
    Sample("transpose", (rand(0, 3),), {"axes": (1, 0)}, np.transpose),
    Sample("broadcast_to", (rand(3, 1),), {"shape": (2, 3, 4)}, np.broadcast_to),
    Sample("broadcast_to", (rand(1, 4),), {"shape": (5, 4)}, np.broadcast_to),
    Sample("view", (ints(3, 4, high=99),), {"dtype": "int16"}, lambda x, dtype: x.view(dtype)),
    Sample("view", (ints(3, 4, high=99, dtype="uint8"),), {"dtype": "int32"}, lambda x, dtype: x.view(dtype)),
    Sample("size", (rand(3, 4),), {}, np.size),
    Sample("concatenate", (rand(2, 3), rand(2, 1), rand(2, 4)), {"axis": 1}, concatenate),
    Sample("concatenate", (rand(2, 3), rand(0, 3)), {"axis": 0}, concatenate),
    Sample("concatenate", (rand(5, 2),), {"axis": 0}, concatenate),
    Sample("split", (rand(6, 4),), {"at": 3, "axis": 0}, split),
    Sample("split", (rand(3, 7),), {"at": (2, 2, 6), "axis": 1}, split),
    Sample("split", (rand(3, 7),), {"at": 3, "axis": 1, "even": False}, split),
    Sample("tile", (rand(2, 3),), {"repeats": (2, 3)}, lambda x, repeats: np.tile(x, repeats)),
    Sample("tile", (rand(2, 3),), {"repeats": (1, 0)}, lambda x, repeats: np.tile(x, repeats)),
    Sample("repeat", (rand(2, 3, 2),), {"repeats": 3, "axis": 1}, np.repeat),
    Sample("repeat", (rand(4,),), {"repeats": 0, "axis": 0}, np.repeat),
    Sample("flip", (rand(3, 4),), {"axis": (0, 1)}, np.flip),
    Sample("flip", (rand(3, 33),), {"axis": (1,)}, np.flip),
    Sample("roll", (rand(3, 4),), {"shift": (1, -3, 2), "axis": (0, 1, 1)}, np.roll),
    Sample("roll", (rand(7),), {"shift": (9,), "axis": (0,)}, np.roll),
    Sample("pad", (rand(2, 3),), {"pad_width": ((1, 0), (2, 3)), "value": 0.5},
           lambda x, pad_width, value: np.pad(x, pad_width, constant_values=value)),
    Sample("pad", (ints(2, 3, high=9),), {"pad_width": ((1, 1), (0, 1)), "value": -1},
           lambda x, pad_width, value: np.pad(x, pad_width, constant_values=value)),
    *(Sample("pad_border", (rand(2, 4),), {"axis": 1, "widths": (2, 3), "mode": m}, border)
      for m in ("edge", "reflect", "symmetric", "wrap")),
    *(Sample("pad_border_grad", (rand(2, 9),), {"length": 4, "axis": 1, "widths": (2, 3), "mode": m}, border_grad)
      for m in ("edge", "reflect", "symmetric", "wrap")),
    Sample("basic_slice", (rand(5, 6, 4),), {"key": ((1, None, 2), -2, (None, None, -1))},
           lambda x, key: x[basic(key)]),
    Sample("basic_slice", (rand(5, 3),), {"key": (None, FULL, None, 1)}, lambda x, key: x[basic(key)]),
    Sample("basic_slice", (rand(5,),), {"key": ((3, 2, None),)}, lambda x, key: x[basic(key)]),
    Sample("basic_slice_grad", (rand(2, 3),), {"shape": (4, 6), "key": ((1, 3, None), (None, None, 2))}, put),
    Sample("basic_slice_grad", (rand(6),), {"shape": (4, 6), "key": (2, FULL)}, put),
    Sample("basic_update", (rand(4, 6), rand(2, 3)), {"key": ((1, 3, None), (None, None, -2))}, updated),
    Sample("dynamic_slice", (rand(4, 6), np.array([1, 5])), {"shape": (2, 3)}, dynamic, grad=(0,), unknown=False),
    Sample("dynamic_update", (rand(4, 6), rand(2, 3), np.array([3, -1])), {}, dynamic_put, grad=(0, 1), unknown=False),
    Sample("diagonal", (rand(4, 5),), {"offset": 1, "axis1": 0, "axis2": 1}, np.diagonal),
    Sample("diagonal", (rand(3, 4, 2),), {"offset": -1, "axis1": 2, "axis2": 0}, np.diagonal),
    Sample("diagonal_put", (rand(3),), {"offset": -2, "axis1": 0, "axis2": 1}, diagonal_put),
    Sample("diagonal_put", (rand(4, 2),), {"offset": 0, "axis1": 2, "axis2": 0, "shape": (3, 4, 2)}, diagonal_put),
    Sample("tril", (rand(2, 4, 5),), {"k": 1}, np.tril),
    Sample("triu", (rand(4, 5),), {"k": -1}, np.triu),
]  # fmt: skip
