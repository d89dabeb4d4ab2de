"""Convolution and pooling against keras.ops: values for many configurations, symbolic shapes, which calls fail."""

from __future__ import annotations

import numpy as np
import pytest

from kerasish import ops
from kerasish.engine.symbol import Symbol

from .compare import at_once

pytestmark = pytest.mark.parity
rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def data(*shape):
    return rng.standard_normal(shape).astype("float32")


def agree(got, want):
    want = np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-5 * max(1, np.abs(want).max(initial=0)))


def agree_all(calls):
    """Both packages' results of (op's name, *arguments)."""
    import keras

    wanted = at_once([(getattr(keras.ops, name), *args) for name, *args in calls])
    for (name, *args), want in zip(calls, wanted, strict=True):
        agree(getattr(ops, name)(*args), want)


SIZES = {1: (9,), 2: (7, 8), 3: (5, 4, 6)}


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv(keras, rank, strides, dilation, padding, data_format):
    calls = []
    for window in (1, 2, 3):
        if padding == "valid" and (window - 1) * dilation + 1 > min(SIZES[rank]):
            continue
        x = data(2, *SIZES[rank], 4)
        if data_format == "channels_first":
            x = np.moveaxis(x, -1, 1)
        args = (strides, padding, data_format, dilation)
        calls += [("conv", x, data(*(window,) * rank, 4 // groups, 6), *args) for groups in (1, 2)]
        if rank < 3:
            kernel, point = data(*(window,) * rank, 4, 2), data(*(1,) * rank, 8, 3)
            calls += [("depthwise_conv", x, kernel, *args), ("separable_conv", x, kernel, point, *args)]
    agree_all(calls)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("strides", [1, 2, 3, 4])
def test_conv_transpose(keras, strides, window, padding):
    calls = []
    for rank, size in ((1, (5,)), (2, (3, 4)), (3, (2, 3, 2))):
        x, kernel = data(2, *size, 3), data(*(window,) * rank, 2, 3)
        for output_padding in (None, *range(strides)):
            for dilation in (1, 2) if strides == 1 else (1,):
                span = (window - 1) * dilation + 1
                if padding == "same" and output_padding is not None and span % 2 + output_padding == 0 and 1 in size:
                    continue
                calls.append(("conv_transpose", x, kernel, strides, padding, output_padding, "channels_last", dilation))
    agree_all(calls)


def test_conv_transpose_of_mixed_arguments(keras):
    x, kernel = data(2, 3, 4, 5), data(3, 2, 6, 3)
    kwargs = {"strides": (3, 2), "padding": "same", "output_padding": (2, 0), "data_format": "channels_first"}
    agree(ops.conv_transpose(x, kernel, **kwargs), keras.ops.conv_transpose(x, kernel, **kwargs))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", ["max_pool", "average_pool"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pool(keras, rank, name, padding, data_format):
    x = data(2, *SIZES[rank], 3)
    agree_all([(name, x, window, strides, padding, data_format) for window in (1, 2, 3) for strides in (1, 2, 3, 4)])
    agree(
        getattr(ops, name)(x, 2, None, padding, data_format), getattr(ops, name)(x, 2, 2, padding, data_format).numpy()
    )


@pytest.mark.parametrize("name", ["adaptive_max_pool", "adaptive_average_pool"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pool(keras, rank, name):
    sizes = {1: (9,), 2: (6, 8), 3: (5, 4, 6)}[rank]  # Keras on JAX rounds wrongly, to NaN, for 7 windows
    x = data(2, *sizes, 3)
    calls = []
    for size in ((1,) * rank, (2, 3, 4)[:rank], sizes, (3,) * rank):
        calls += [(name, x, size, "channels_last"), (name, np.moveaxis(x, -1, 1), size, "channels_first")]
    agree_all(calls)


def test_unfold_and_fold(keras):
    x = data(2, 3, 6, 7)
    for kwargs in ({"kernel_size": 2}, {"kernel_size": (3, 2), "dilation": 2, "padding": 1, "stride": (1, 2)}):
        got = ops.unfold(x, **kwargs)
        agree(got, keras.ops.unfold(x, **kwargs))
        columns = data(*got.shape)
        agree(ops.fold(columns, (6, 7), **kwargs), keras.ops.fold(columns, (6, 7), **kwargs))


def test_gradients(keras):
    """Of a function that goes through every op, with ties in the pooling windows."""
    import jax

    x = rng.integers(-2, 3, (2, 9, 8, 4)).astype("float32")
    weights = [data(3, 3, 2, 6), data(2, 2, 6, 2), data(3, 3, 5, 12)]

    def network(o, x, conv, depthwise, transposed):
        y = o.max_pool(x, 3, strides=2, padding="same")
        y = o.conv(y, conv, strides=(2, 1), padding="same")
        y = o.depthwise_conv(y, depthwise, dilation_rate=2, padding="same")
        y = o.conv_transpose(y, transposed, strides=2, padding="same")
        return o.average_pool(y, (2, 3), strides=1, padding="same")

    shape = np.shape(network(keras.ops, x, *weights))
    g = data(*shape)
    want = jax.grad(lambda *a: (network(keras.ops, *a) * g).sum(), argnums=(0, 1, 2, 3))(x, *weights)

    from kerasish import GradientTape

    tensors = [ops.convert_to_tensor(a) for a in (x, *weights)]
    with GradientTape() as tape:
        tape.watch(tensors)
        y = network(ops, *tensors)
    for got, w in zip(tape.gradient(y, tensors, output_gradients=g), want):
        agree(got, w)


def test_symbolic_shapes(keras):
    for shape in ((None, None, 8, 4), (None, 9, None, 4), (2, 9, 8, 4)):
        for strides, padding in ((1, "valid"), (2, "same"), (3, "valid")):
            ours, theirs = Symbol(shape), keras.KerasTensor(shape)
            kernel = data(3, 3, 4, 4)
            for name, args in (
                ("conv", (kernel, strides, padding)),
                ("depthwise_conv", (kernel, strides, padding)),
                ("conv_transpose", (kernel, strides, padding)),
                ("max_pool", (3, strides, padding)),
                ("average_pool", (2, strides, padding)),
            ):
                got, want = getattr(ops, name)(ours, *args), getattr(keras.ops, name)(theirs, *args)
                assert tuple(got.shape) == tuple(want.shape), (name, shape, strides, padding)


@pytest.mark.parametrize(
    "call",
    [
        lambda o: o.conv(np.ones((1, 4, 4, 3), "f"), np.ones((3, 3, 2, 4), "f")),
        lambda o: o.conv(np.ones((1, 2, 4, 3), "f"), np.ones((3, 3, 3, 4), "f")),
        lambda o: o.conv(np.ones((1, 4, 4, 3), "f"), np.ones((3, 3, 3, 4), "f"), padding="full"),
        lambda o: o.conv(np.ones((1, 4, 4, 4), "f"), np.ones((3, 3, 2, 3), "f")),
        lambda o: o.depthwise_conv(np.ones((1, 4, 4, 4), "f"), np.ones((3, 3, 2, 3), "f")),
        lambda o: o.separable_conv(np.ones((1, 4, 4, 4), "f"), np.ones((3, 3, 2, 3), "f"), np.ones((1, 1, 6, 3), "f")),
        lambda o: o.conv_transpose(np.ones((1, 4, 4, 4), "f"), np.ones((3, 3, 2, 3), "f")),
        lambda o: o.conv_transpose(np.ones((1, 4, 4, 4), "f"), np.ones((3, 3, 2, 4), "f"), padding="causal"),
        lambda o: o.max_pool(np.ones((1, 4, 4, 4), "f"), 2, padding="causal"),
        lambda o: o.max_pool(np.ones((1, 4, 4, 4), "f"), 2, data_format="nhwc"),
    ],
)
def test_both_refuse(keras, call):
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        call(keras.ops)
    with pytest.raises((ValueError, TypeError)):
        call(ops)
