"""The public convolution functions: layouts, dtypes, symbols, and every error they give."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol
from kerasish.ops.conv import conv_bias
from kerasish.ops.windows import check_one_of_strides_and_dilation, output_size, pads_of

rng = np.random.default_rng(0)


def data(*shape, dtype="float32"):
    return rng.standard_normal(shape).astype(dtype)


# ---- what they compute ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", ["conv", "depthwise_conv", "conv_transpose"])
def test_channels_first_is_the_transpose_of_channels_last(name, rank):
    if name == "depthwise_conv" and rank == 3:
        return
    sizes = (5, 6, 4)[:rank]
    x, kernel = data(2, *sizes, 3), data(*(3, 2, 2)[:rank], 3, 3)
    call = getattr(ops, name)
    last = call(x, kernel, strides=2, padding="same").numpy()
    first = call(np.moveaxis(x, -1, 1), kernel, strides=2, padding="same", data_format="channels_first").numpy()
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_separable_is_depthwise_then_pointwise():
    x, depthwise, pointwise = data(2, 7, 6, 3), data(3, 3, 3, 2), data(1, 1, 6, 5)
    got = ops.separable_conv(x, depthwise, pointwise, strides=2, padding="same")
    want = ops.conv(ops.depthwise_conv(x, depthwise, strides=2, padding="same"), pointwise)
    np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv_bias_is_conv_plus_bias(data_format):
    x, kernel, bias = data(2, 5, 5, 5), data(3, 3, 5, 7), data(7)
    want = ops.conv(x, kernel, 2, "same", data_format).numpy()
    want = want + (bias[:, None, None] if data_format == "channels_first" else bias)
    got = conv_bias(x, kernel, bias, 2, "same", data_format).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_groups_follow_from_the_kernel():
    x, kernel = data(2, 5, 5, 6), data(3, 3, 2, 9)
    got = ops.conv(x, kernel).numpy()
    for j in range(3):
        part = ops.conv(x[..., 2 * j : 2 * j + 2], kernel[..., 3 * j : 3 * j + 3]).numpy()
        np.testing.assert_allclose(got[..., 3 * j : 3 * j + 3], part, rtol=1e-5, atol=1e-5)


def test_causal_output_does_not_see_the_future():
    x, kernel = data(1, 8, 2), data(3, 2, 4)
    full = ops.conv(x, kernel, padding="causal", dilation_rate=2).numpy()
    assert full.shape == (1, 8, 4)
    later = x.copy()
    later[:, 5:] += 1
    np.testing.assert_array_equal(
        ops.conv(later, kernel, padding="causal", dilation_rate=2).numpy()[:, :5], full[:, :5]
    )


def test_arguments_may_be_lists_and_any_case():
    x, kernel = data(1, 6, 6, 2), data(2, 2, 2, 3)
    want = ops.conv(x, kernel, strides=(2, 1), padding="same", dilation_rate=(1, 1)).numpy()
    got = ops.conv(x, kernel, strides=[np.int64(2), 1], padding="SAME", dilation_rate=[1, 1]).numpy()
    np.testing.assert_array_equal(got, want)


def test_operands_are_promoted():
    x, kernel = data(1, 5, 5, 2), data(3, 3, 2, 3)
    assert ops.conv(x, kernel.astype("float64")).dtype == "float64"
    ints = np.arange(25).reshape(1, 5, 5, 1)
    assert ops.conv(ints.astype("uint8"), kernel[:, :, :1]).dtype == "float32"
    out = ops.conv(ints.astype("int32"), np.ones((2, 2, 1, 1), "int32"))
    assert out.dtype == "int32"
    assert out.numpy()[0, 0, 0, 0] == 0 + 1 + 5 + 6


@pytest.mark.parametrize("name", ["conv", "depthwise_conv", "conv_transpose"])
def test_float16(name):
    x, kernel = data(1, 5, 5, 2, dtype="float16"), data(3, 3, 2, 2, dtype="float16")
    got = getattr(ops, name)(x, kernel)
    want = getattr(ops, name)(x.astype("float32"), kernel.astype("float32")).numpy()
    assert got.dtype == "float16"
    np.testing.assert_allclose(got.numpy(), want, rtol=2e-3, atol=2e-3)


def test_symbols_with_unknown_sizes():
    x = Symbol((None, None, 32, 3))
    kernel = data(3, 3, 3, 8)
    assert ops.conv(x, kernel).shape == (None, None, 30, 8)
    assert ops.conv(x, kernel, strides=2, padding="same").shape == (None, None, 16, 8)
    assert ops.depthwise_conv(x, kernel, padding="same").shape == (None, None, 32, 24)
    assert ops.conv_transpose(x, data(3, 3, 8, 3), strides=2, padding="same").shape == (None, None, 64, 8)
    assert ops.separable_conv(x, kernel, data(1, 1, 24, 5)).shape == (None, None, 30, 5)
    first = ops.conv(Symbol((None, 3, None, 32)), kernel, data_format="channels_first")
    assert first.shape == (None, 8, None, 30)


def test_a_variable_kernel_gets_its_gradient():
    kernel = keras.Variable(data(3, 3, 2, 4))
    x = data(2, 5, 5, 2)
    with keras.GradientTape() as tape:
        y = ops.conv(x, kernel)
    (dk,) = tape.gradient(y, [kernel])
    for i, j in np.ndindex(3, 3):  # with all ones above, tap (i, j) sums the cells that it met
        want = x[:, i : i + 3, j : j + 3].sum((0, 1, 2))[:, None]
        np.testing.assert_allclose(dk.numpy()[i, j], np.broadcast_to(want, (2, 4)), rtol=1e-4, atol=1e-5)


# ---- conv_transpose ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_transpose_is_the_adjoint(padding, strides):
    """<conv(u), v> = <u, conv_transpose(v)> where the output sizes match."""
    kernel = data(3, 3, 2, 4, dtype="float64")
    v = data(1, 4, 4, 4, dtype="float64")
    y = ops.conv_transpose(v, kernel, strides=strides, padding=padding).numpy()
    u = data(*y.shape, dtype="float64")
    back = ops.conv(u, kernel, strides=strides, padding=padding).numpy()
    if padding == "valid":
        assert back.shape == v.shape
        np.testing.assert_allclose(np.sum(back * v), np.sum(u * y), rtol=1e-10)
    else:
        assert y.shape == (1, 4 * strides, 4 * strides, 2)


# ---- errors --------------------------------------------------------------------------------------------------------

X = np.ones((8, 28, 28, 1), "float32")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: ops.conv(X, np.ones((3, 3, 3, 32), "float32")),
            r"conv: the kernel expects 3 input channels, or a multiple of that \(groups\)\. "
            r"Received: inputs\.shape=\(8, 28, 28, 1\), kernel\.shape=\(3, 3, 3, 32\)",
        ),
        (
            lambda: ops.conv(np.ones((1, 4, 4, 6), "f"), np.ones((3, 3, 2, 4), "f")),
            r"conv: the number of filters must be divisible by the number of groups, which is 3\..*\(3, 3, 2, 4\)",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1), "f")),
            r"conv: the kernel of inputs of rank 4 must have rank 4 too\. Received: inputs\.shape=\(8, 28, 28, 1\)",
        ),
        (
            lambda: ops.conv(np.ones((8, 28), "f"), np.ones((3, 3), "f")),
            r"conv: `inputs` must have 1 to 3 spatial dimensions .* Received: inputs\.shape=\(8, 28\)",
        ),
        (
            lambda: ops.conv(np.ones((1,) * 6, "f"), np.ones((1,) * 6, "f")),
            r"conv: `inputs` must have 1 to 3 spatial dimensions .*\(rank 3 to 5\)",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), strides=0),
            r"conv: `strides` must be at least 1\. Received: strides=0",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), strides=(1, 2, 3)),
            r"conv: `strides` must be an integer or 2 integers, one for each dimension\. Received: strides=\(1, 2, 3\)",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), strides=1.5),
            r"conv: `strides` must be an integer or 2 integers",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), strides=True),
            r"conv: `strides` must be an integer or 2 integers",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), dilation_rate=(1, -1)),
            r"conv: `dilation_rate` must be at least 1\. Received: dilation_rate=\(1, -1\)",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), padding="full"),
            r"conv: `padding` must be one of 'valid', 'same'\. Received: padding='full'",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), padding="causal"),
            r"conv: `padding` must be one of 'valid', 'same'\. Received: padding='causal'",
        ),
        (
            lambda: ops.conv(X[0], np.ones((3, 1, 4), "f"), padding=None),
            r"conv: `padding` must be one of 'valid', 'same', 'causal'\. Received: padding=None",
        ),
        (
            lambda: ops.conv(X[:, :2], np.ones((3, 3, 1, 4), "f")),
            r"conv: the window does not fit the input along spatial dimension 0: the output would be empty\. "
            r"Received: inputs\.shape=\(8, 2, 28, 1\), kernel\.shape=\(3, 3, 1, 4\), strides=\(1, 1\), padding='valid'",
        ),
        (
            lambda: ops.conv(Symbol((None, 28, 4, 1)), np.ones((3, 3, 1, 4), "f"), dilation_rate=2),
            r"conv: the window does not fit the input along spatial dimension 1",
        ),
        (
            lambda: ops.conv(X, np.ones((0, 3, 1, 4), "f")),
            r"conv: the window and the channels of the kernel must not be empty\. .*kernel\.shape=\(0, 3, 1, 4\)",
        ),
        (
            lambda: ops.conv(X, np.ones((3, 3, 1, 4), "f"), data_format="nhwc"),
            r"data_format",
        ),
        (
            lambda: conv_bias(X, np.ones((3, 3, 1, 4), "f"), np.ones(3, "f")),
            r"conv: the bias must have one value for each of the 4 filters\. .*bias\.shape=\(3,\)",
        ),
        (
            lambda: ops.depthwise_conv(X, np.ones((3, 3, 3, 1), "f")),
            r"depthwise_conv: the kernel expects 3 input channels\. Received: inputs\.shape=\(8, 28, 28, 1\), kernel",
        ),
        (
            lambda: ops.depthwise_conv(np.ones((1, 4, 4, 4, 2), "f"), np.ones((3, 3, 3, 2, 1), "f")),
            r"depthwise_conv: `inputs` must have 1 to 2 spatial dimensions .*\(rank 3 to 4\)",
        ),
        (
            lambda: ops.separable_conv(X, np.ones((3, 3, 1, 2), "f"), np.ones((3, 3, 2, 4), "f")),
            r"separable_conv: the window of `pointwise_kernel` must be a single cell\. .*\(3, 3, 2, 4\)",
        ),
        (
            lambda: ops.separable_conv(X, np.ones((3, 3, 1, 2), "f"), np.ones((1, 1, 3, 4), "f")),
            r"conv: the kernel expects 3 input channels",
        ),
        (
            lambda: ops.conv_transpose(X, np.ones((3, 3, 4, 2), "f")),
            r"conv_transpose: the kernel \(\*window, filters, channels\) expects 2 input channels\. .*\(3, 3, 4, 2\)",
        ),
        (
            lambda: ops.conv_transpose(X, np.ones((3, 3, 4, 1), "f"), output_padding=-1),
            r"conv_transpose: `output_padding` must be at least 0\. Received: output_padding=-1",
        ),
        (
            lambda: ops.conv_transpose(X, np.ones((3, 3, 4, 1), "f"), padding="causal"),
            r"conv_transpose: `padding` must be one of 'valid', 'same'",
        ),
        (
            lambda: ops.conv_transpose(X[:, :1], np.ones((2, 3, 4, 1), "f"), padding="same", output_padding=0),
            r"conv_transpose: the output would be empty along spatial dimension 0\..*output_padding=0",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_mixed_dtypes_below_the_public_function():
    from kerasish.engine.op import get_op

    with pytest.raises(TypeError, match=r"conv: inputs and kernel must have the same dtype"):
        get_op("conv")(X, np.ones((3, 3, 1, 4)), strides=1, padding="valid", dilation=1)


def test_layers_refuse_a_stride_with_a_dilation():
    check_one_of_strides_and_dilation("conv2d", (2, 1), (1, 1))
    with pytest.raises(ValueError, match=r"conv2d: a stride of more than 1 cannot be combined with a dilation"):
        check_one_of_strides_and_dilation("conv2d", (2, 1), (1, 2))


@pytest.mark.parametrize("size", range(8))
@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_named_padding_gives_the_named_output(size, window, stride, dilation):
    for padding in ("same", "causal"):
        n = output_size(size, window, stride, padding, dilation)
        assert n == -(-size // stride)
        low, high = pads_of(padding, size, window, stride, dilation)
        explicit = output_size(size, window, stride, (low, high), dilation)
        assert explicit == n or (padding == "same" and (n == 0 or (window - 1) * dilation + 1 < stride))
