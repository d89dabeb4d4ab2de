"""Shape, join, repeat, pad, diagonal, creation and rearranging ops beyond their samples: arguments, symbols, errors."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol

from .errors import refuses

X = np.arange(24, dtype="float32").reshape(2, 3, 4)
V = np.arange(5, dtype="float32")
UNKNOWN = Symbol((None, 3, None), "float32")


def gradient(f, *xs):
    ts = [ops.convert_to_tensor(x) for x in xs]
    with keras.GradientTape() as tape:
        tape.watch(ts)
        y = f(*ts)
    out = tape.gradient(y, ts)
    return out[0].numpy() if len(xs) == 1 else [g.numpy() for g in out]


REFUSED = [
    (lambda: ops.reshape(X, (5, -1)), "reshape: 24 elements cannot be shared out. Received: x.shape=(2, 3, 4)"),
    (lambda: ops.reshape(X, (5, 5)), "reshape: the new shape must hold all 24 elements."),
    (lambda: ops.reshape(X, (-1, -1)), "reshape: at most one dimension of `newshape` can be -1."),
    (lambda: ops.reshape(X, (-2, 2)), "reshape: the dimensions of `newshape` are at least 0, or -1."),
    (lambda: ops.transpose(X, (0, 1)), "transpose: `axes` holds every axis of x once."),
    (lambda: ops.transpose(X, (0, 1, 1)), "transpose: `axes` names an axis twice."),
    (lambda: ops.transpose(X, (0, 1, 3)), "transpose: `axes` must lie in [-3, 3) for a tensor of rank 3."),
    (lambda: ops.squeeze(X, 1), "squeeze: only dimensions of length 1 can be removed."),
    (lambda: ops.expand_dims(X, 5), "expand_dims: `axis` must lie in [-4, 4) for a tensor of rank 4."),
    (lambda: ops.swapaxes(X, 0, 3), "swapaxes: `axis2` must lie in [-3, 3)"),
    (lambda: ops.moveaxis(X, (0, 1), 0), "moveaxis: `source` and `destination` have the same length."),
    (lambda: ops.broadcast_to(X, (2, 3)), "broadcast_to: x cannot be broadcast to the new shape."),
    (lambda: ops.broadcast_to(X, (2, 3, 5)), "broadcast_to: x cannot be broadcast to the new shape."),
    (lambda: ops.broadcast_to(V, (-1, 5)), "broadcast_to: a dimension is at least 0."),
    (lambda: ops.view(V.astype("int16"), "int32"), "view: the last dimension must hold whole elements"),
    (lambda: ops.concatenate([X, V]), "concatenate: all inputs have the same rank and dtype."),
    (lambda: ops.concatenate([X, X[:, :1]], axis=2), "concatenate: all dimensions but axis 2 must match."),
    (lambda: ops.concatenate([1.0, 2.0]), "concatenate: scalars cannot be concatenated; use stack."),
    (lambda: ops.concatenate([]), "concatenate: at least one tensor is needed."),
    (lambda: ops.stack([X, X[:1]]), "stack: all tensors have the same shape."),
    (lambda: ops.split(V, 2), "split: the axis must divide evenly into 2 sections."),
    (lambda: ops.split(V, 0), "split: the number of sections is positive."),
    (lambda: ops.split(V, [3, 1]), "split: the indices to split at must not decrease."),
    (lambda: ops.unstack(X, num=3), "unstack: `num` must be the length of the axis."),
    (lambda: ops.unstack(UNKNOWN), "unstack: `num` is needed where the length of the axis is unknown."),
    (lambda: ops.meshgrid(V, indexing="yx"), "meshgrid: `indexing` is 'xy' or 'ij'."),
    (lambda: ops.meshgrid(Symbol((None,))), "meshgrid: the lengths of the vectors must be known."),
    (lambda: ops.tile(V, -1), "tile: `repeats` is at least 0."),
    (lambda: ops.repeat(V, -1), "repeat: `repeats` is at least 0."),
    (lambda: ops.repeat(V, [1, 2]), "repeat: `repeats` needs one number for each of 5 elements."),
    (lambda: ops.fliplr(V), "fliplr: x needs at least two dimensions."),
    (lambda: ops.flipud(1.0), "flipud: x needs at least one dimension."),
    (lambda: ops.roll(X, (1, 2), (0, 1, 2)), "roll: `shift` and `axis` have the same length."),
    (lambda: ops.roll(UNKNOWN, 1), "roll: without `axis`, at most one dimension may be unknown."),
    (lambda: ops.rot90(V), "rot90: x needs at least two dimensions."),
    (lambda: ops.rot90(X, axes=(0,)), "rot90: `axes` is two different axes."),
    (lambda: ops.rot90(X, axes=(0, 0)), "rot90: `axes` names an axis twice."),
    (lambda: ops.pad(V, 1, mode="mirror"), "pad: `mode` is one of ('constant', 'empty',"),
    (lambda: ops.pad(V, 1, "edge", 3), "pad: `constant_values` is for mode 'constant'."),
    (lambda: ops.pad(X, ((1, 1), (1, 1))), "pad: `pad_width` needs a pair for each of 3 dimensions."),
    (lambda: ops.pad(V, -1), "pad: `pad_width` is at least 0."),
    (lambda: ops.pad(V, ((1, 2, 3),)), "pad: `pad_width` is an integer, a pair, or a pair for each dimension."),
    (lambda: ops.pad(V, 1, constant_values=[1, 2]), "pad: `constant_values` is one number."),
    (lambda: ops.pad(V[:0], 1, "edge"), "pad: mode 'edge' cannot extend an axis without elements."),
    (lambda: ops.pad(V[:0], 1, "mean"), "pad: mode 'mean' cannot extend an axis without elements."),
    (lambda: ops.pad(Symbol((None,)), 1, "median"), "pad: mode 'median' needs an axis of known length."),
    (lambda: ops.diag(X), "diag: x is a vector or a matrix."),
    (lambda: ops.diagonal(V), "diagonal: x needs at least two dimensions."),
    (lambda: ops.diagonal(X, axis1=0, axis2=-3), "diagonal: `axis1` and `axis2` must differ."),
    (lambda: ops.tril(V), "tril: x needs at least two dimensions."),
    (lambda: ops.triu(V), "triu: x needs at least two dimensions."),
    (lambda: ops.zeros((2, None)), "zeros: every dimension must be known."),
    (lambda: ops.ones((2, -1)), "ones: a dimension is at least 0."),
    (lambda: ops.full_like(UNKNOWN, ops.ones(3)), "full_like: a tensor as `fill_value` needs a known shape."),
    (lambda: ops.arange(0, 5, 0), "arange: `step` must not be 0."),
    (lambda: ops.arange(Symbol((), "int32")), "arange: `start` must be known; symbolic tensors have no value."),
    (lambda: ops.eye(-1), "eye: a dimension is at least 0."),
    (lambda: ops.linspace(0, 1, -1), "linspace: `num` is at least 0."),
    (lambda: ops.vander(X), "vander: x is a vector."),
    (lambda: ops.vander(Symbol((None,))), "vander: the number of columns `N` must be known and at least 0."),
    (lambda: ops.rearrange(X, "a b c"), "rearrange: a pattern has two sides, with '->' between them."),
    (lambda: ops.rearrange(X, "a b -> b a"), "rearrange: the pattern is for 2 dimensions."),
    (lambda: ops.rearrange(X, "a b c -> a b"), "rearrange: each name stands once on each side of the pattern."),
    (lambda: ops.rearrange(X, "a (b c -> a b c"), "rearrange: a side of the pattern is names and groups of names"),
    (lambda: ops.rearrange(X, "a b (c d) -> a b c d"), "rearrange: the lengths of ['c', 'd'] need all but one"),
    (lambda: ops.rearrange(X, "a b (c d) -> a b c d", c=3), "rearrange: a dimension of length 4 cannot be split into"),
    (lambda: ops.rearrange(X, "a b c -> c b a", d=3), "rearrange: the pattern does not name ['d']."),
    (lambda: ops.depth_to_space(X, 2), "depth_to_space: x has four dimensions."),
    (lambda: ops.depth_to_space(np.ones((1, 2, 2, 6)), 2), "depth_to_space: the channels must be a multiple of 4."),
    (lambda: ops.space_to_depth(np.ones((1, 3, 2, 6)), 2), "space_to_depth: height and width must be multiples of 2."),
    (lambda: ops.space_to_depth(np.ones((1, 2, 2, 6)), 0), "space_to_depth: `block_size` is positive."),
    (lambda: ops.space_to_depth(np.ones((1, 2, 2, 6)), 1, "last"), "space_to_depth: `data_format` is 'channels_last'"),
]


@pytest.mark.parametrize("call,message", REFUSED, ids=[m for _, m in REFUSED])
def test_refusals(call, message):
    refuses(call, message)


def test_refusals_of_types():
    refuses(lambda: ops.reshape(X, (2.0, 12)), "reshape: `newshape` is an integer.", TypeError)
    refuses(lambda: ops.transpose(X, "abc"), "transpose: `axes` is an integer.", TypeError)
    refuses(lambda: ops.expand_dims(X, True), "expand_dims: `axis` is an integer.", TypeError)
    refuses(lambda: ops.stack(1.0), "stack: `xs` is a sequence of tensors.", TypeError)
    refuses(lambda: ops.eye(2.5), "eye: `N` is an integer.", TypeError)


def test_symbols_give_the_same_error_as_values():
    for x in (X, Symbol(X.shape)):
        refuses(lambda x=x: ops.reshape(x, (5, 5)), "reshape: the new shape must hold all 24 elements.")
        refuses(lambda x=x: ops.split(x, 3, 0), "split: the axis must divide evenly into 3 sections.")


@pytest.mark.parametrize("call,shape", [
    (lambda x: ops.reshape(x, (-1, 6)), (None, 6)),
    (lambda x: ops.reshape(x, (ops.shape(x)[0], 3, 2, -1)), (None, 3, 2, None)),
    (lambda x: ops.ravel(x), (None,)),
    (lambda x: ops.expand_dims(x, -1), (None, 3, None, 1)),
    (lambda x: ops.squeeze(x, 0), (3, None)),
    (lambda x: ops.transpose(x), (None, 3, None)),
    (lambda x: ops.concatenate([x, x], 1), (None, 6, None)),
    (lambda x: ops.concatenate([x, x], 0), (None, 3, None)),
    (lambda x: ops.stack([x, x], 1), (None, 2, 3, None)),
    (lambda x: ops.tile(x, (2, 2, 0)), (None, 6, 0)),
    (lambda x: ops.repeat(x, 2, 1), (None, 6, None)),
    (lambda x: ops.pad(x, ((1, 1), (2, 0), (0, 0))), (None, 5, None)),
    (lambda x: ops.flip(x), (None, 3, None)),
    (lambda x: ops.rot90(x), (3, None, None)),
    (lambda x: ops.broadcast_to(x, (2, None, 3, None)), (2, None, 3, None)),
    (lambda x: ops.zeros_like(x), (None, 3, None)),
    (lambda x: ops.rearrange(x, "a b c -> (a c) b"), (None, 3)),
    (lambda x: ops.diagonal(x, 0, 0, 1), (None, None)),
    (lambda x: ops.tril(x), (None, 3, None)),
], ids=range(19))  # fmt: skip
def test_unknown_dimensions(call, shape):
    assert call(UNKNOWN).shape == shape


def test_the_unknown_length_of_a_symbol_stands_for_the_same_dimension():
    assert ops.reshape(X, (None, 12)).shape == (2, 12)
    assert ops.reshape(X, (None, 2, -1)).shape == (2, 2, 6)
    assert ops.reshape(X, (None, None, 2, 2)).shape == (2, 3, 2, 2)


def test_reshape_of_a_size_zero_array():
    assert ops.reshape(np.ones((0, 3)), (3, 0)).shape == (3, 0)
    assert ops.ravel(np.ones((0, 3))).shape == (0,)
    refuses(lambda: ops.reshape(np.ones((0, 3)), (0, -1)), "reshape: 0 elements cannot be shared out.")


def test_joining_promotes():
    assert ops.concatenate([np.array([1]), np.array([1.5], "float32")]).dtype == "float32"
    assert ops.stack([np.array([True]), np.array([2], "uint8")]).dtype == "uint8"
    assert ops.append([1, 2], [3.5]).dtype == "float32"


def test_gradients_of_composites():
    np.testing.assert_array_equal(gradient(lambda x: ops.pad(x, (1, 2), "reflect"), V), [1, 2, 2, 2, 1])
    np.testing.assert_array_equal(gradient(lambda x: ops.pad(x, (2, 1), "maximum"), V), [1, 1, 1, 1, 4])
    np.testing.assert_array_equal(gradient(lambda x: ops.repeat(x, [0, 1, 2, 3, 0]), V), [0, 1, 2, 3, 0])
    np.testing.assert_array_equal(gradient(lambda x: ops.rot90(ops.reshape(x, (5, 1)), 3), V), np.ones(5))
    np.testing.assert_array_equal(gradient(lambda x: ops.stack(ops.unstack(x)[1:3]), V), [0, 1, 1, 0, 0])
    np.testing.assert_allclose(gradient(lambda x: ops.pad(x, (2, 0), "linear_ramp"), V), [1.5, 1, 1, 1, 1])
    np.testing.assert_allclose(gradient(lambda x: ops.vander(x, 3), V), 1 + 2 * V)
    np.testing.assert_allclose(gradient(lambda x: ops.roll(x, 2) * V, V), np.roll(V, -2))


def test_linspace_between_tensors_has_gradients():
    low, high = gradient(lambda a, b: ops.linspace(a, b, 5), np.zeros(2, "float32"), np.ones(2, "float32"))
    np.testing.assert_allclose(low, [2.5, 2.5])
    np.testing.assert_allclose(high, [2.5, 2.5])
    values, step = ops.linspace(ops.zeros(2), ops.array([1.0, 2.0]), 5, endpoint=False, retstep=True)
    np.testing.assert_allclose(values, np.linspace([0, 0], [1, 2], 5, endpoint=False), rtol=1e-6)
    np.testing.assert_allclose(step, [0.2, 0.4], rtol=1e-6)
    assert ops.linspace(ops.array(0), ops.array(5), 3, dtype="int32").numpy().tolist() == [0, 2, 5]


def test_spaces_between_tensors():
    a, b = ops.array([0.0, 1.0]), ops.array([2.0, 3.0])
    np.testing.assert_allclose(ops.logspace(a, b, 4), np.logspace([0, 1], [2, 3], 4), rtol=1e-5)
    np.testing.assert_allclose(ops.geomspace(a + 1, b, 4, axis=-1), np.geomspace([1, 2], [2, 3], 4, axis=-1), rtol=1e-5)


def test_created_tensors_do_not_share_memory():
    a, b = ops.zeros((3,)), ops.zeros((3,))
    assert not np.shares_memory(a.numpy(), b.numpy())
    x = ops.array(V)
    assert not np.shares_memory(ops.copy(x).numpy(), x.numpy())


def test_dtypes_of_created_tensors():
    assert ops.zeros(3).dtype == ops.full((2,), 1).dtype == "float32"
    assert ops.arange(3).dtype == "int32" and ops.arange(3.0).dtype == "float32"
    assert ops.arange(np.int64(3)).dtype == "int64"
    assert ops.full((2,), np.arange(2)).dtype == "float32" and ops.full_like([1, 2], 1.7).numpy().tolist() == [1, 1]
    assert ops.eye(2, dtype="bool").dtype == "bool"
    refuses(lambda: ops.zeros((2,), "bfloat16"), "zeros: tensors of dtype bfloat16 are not supported")


def test_more_dimensions_than_kernels_take():
    x = np.arange(2**9, dtype="float32").reshape((2,) * 9)
    assert ops.reshape(x, (-1,)).shape == (512,)
    np.testing.assert_array_equal(ops.transpose(x[0]), x[0].T)
    np.testing.assert_array_equal(ops.transpose(x), x.T)


def test_float16_and_complex_move_like_the_others():
    for dtype in ("float16", "complex64", "bool", "uint16"):
        x = X.astype(dtype)
        np.testing.assert_array_equal(ops.transpose(x, (2, 0, 1)), x.transpose(2, 0, 1))
        np.testing.assert_array_equal(ops.concatenate([x, x], 1), np.concatenate([x, x], 1))
        np.testing.assert_array_equal(ops.flip(x, 1), np.flip(x, 1))
        np.testing.assert_array_equal(ops.pad(x, 1), np.pad(x, 1))
        np.testing.assert_array_equal(ops.tile(x, 2), np.tile(x, 2))
        np.testing.assert_array_equal(ops.array(x)[:, ::-1, 1], x[:, ::-1, 1])
