"""Convolution: plain, depthwise, separable and transposed, over one to three spatial dimensions.

A convolution is linear in its input and in its kernel. So the gradient of each of the three ops of a family

    y = conv(x, kernel)    dx = conv_grad_input(g, kernel)    dk = conv_grad_kernel(x, g)

is made of the other two, and gradients exist to any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..engine.config import standardize_data_format
from ..engine.errors import invalid
from ..engine.op import C, Op, define_op, get_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .cast import promote, unbroadcast
from .epilogue import EPILOGUES, epilogue_code
from .layout import from_channels_last, to_channels_last
from .windows import Slide, check_padding, conv_attributes, slide, spatial_rank, static, transpose_slide

__all__ = ["conv", "conv_bias", "conv_transpose", "depthwise_conv", "separable_conv"]


def widened(name: str) -> Callable:
    """A host kernel for dtypes without a C kernel: float16 by way of float32, integers by way of float64 (exact as long
    as sums stay below 2**53)."""

    def host(*arrays: np.ndarray, **attrs: Any) -> np.ndarray | list[np.ndarray]:
        narrow = arrays[-1].dtype  # the places of a pooling stand before the values, in a dtype of their own
        wide = "float32" if narrow == np.float16 else "float64"
        out = get_op(name)(*(a.astype(wide) if a.dtype == narrow else a for a in arrays), **attrs)
        return [t.numpy() for t in out] if isinstance(out, tuple) else out.numpy()

    return host


class _Family(NamedTuple):
    """A convolution and its two gradients."""

    forward: Op
    grad_input: Op
    grad_kernel: Op


def _check_operands(where: str, x: Spec, kernel: Spec, most: int) -> None:
    spatial_rank(where, x, most=most)
    if len(kernel.shape) != len(x.shape):
        rule = f"the kernel of inputs of rank {len(x.shape)} must have rank {len(x.shape)} too"
        raise invalid(where, rule, inputs=x, kernel=kernel)
    if x.dtype != kernel.dtype:
        rule = "inputs and kernel must have the same dtype"
        raise invalid(where, rule, kind=TypeError, inputs=x.dtype, kernel=kernel.dtype)
    if 0 in kernel.shape[:-1]:
        raise invalid(where, "the window and the channels of the kernel must not be empty", kernel=kernel)


def _slide(where: str, x: Spec, kernel: Spec, strides: Any, padding: Any, dilation: Any) -> Slide:
    received = {"inputs": x, "kernel": kernel}
    return slide(where, x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation, received=received)


def _work(pixels: Spec, kernel: Spec) -> int:
    """Floating-point operations: at each of these pixels, a multiply-add for every value of the kernel."""
    return 2 * (pixels.size or 0) // max(pixels.shape[-1] or 1, 1) * (kernel.size or 0)


def _define(
    name: str,
    most: int,
    filters: Callable[[Spec, Spec], int | None],
    channels: Callable[[Spec, int], int | None],
    kernel_channels: Callable[[int, int, int], tuple[int | None, int | None]],
    groups: Callable[[Spec, Spec], int],
    epilogue: tuple[str, ...] = (),
) -> _Family:
    """Declares a family.

    Args:
        name: of the convolution; its gradients are name_grad_input and name_grad_kernel.
        most: spatial dimensions.
        filters: (x, kernel) -> channels of the output; checks that inputs and kernel agree.
        channels: (kernel, groups) -> channels of the input.
        kernel_channels: (channels of x, of y, groups) -> the kernel's last two dimensions.
        groups: (x, kernel) -> the number of groups, which the gradients cannot see from their own inputs.
        epilogue: what the kernel of the convolution computes on the way.
    """

    def infer(x: Spec, kernel: Spec, strides, padding, dilation, activation=None) -> Spec:
        _check_operands(name, x, kernel, most)
        f = filters(x, kernel)
        return Spec((x.shape[0], *_slide(name, x, kernel, strides, padding, dilation).out, f), x.dtype)

    def infer_grad_input(g: Spec, kernel: Spec, sizes, groups, strides, padding, dilation) -> Spec:
        return Spec((g.shape[0], *sizes, channels(kernel, groups)), g.dtype)

    def infer_grad_kernel(x: Spec, g: Spec, window, groups, strides, padding, dilation) -> Spec:
        return Spec((*window, *kernel_channels(x.shape[-1], g.shape[-1], groups)), x.dtype)

    def geometry(sizes, window, a: dict) -> tuple[int, ...]:
        return conv_attributes(slide(name, sizes, window, a["strides"], a["padding"], a["dilation"]))

    # Gradients know all shapes, so padding is made explicit for them.
    def both(ctx: Any) -> dict:
        x, kernel, a = *ctx.specs[:2], ctx.attrs
        s = _slide(name, x, kernel, a["strides"], a["padding"], a["dilation"])
        return {"groups": groups(x, kernel), "strides": s.strides, "padding": s.pads, "dilation": s.dilation}

    def explicit(a: dict) -> dict:
        return {k: a[k] for k in ("groups", "strides", "padding", "dilation")}

    def forward_again(x: Any, kernel: Any, a: dict) -> Any:
        return forward(x, kernel, strides=a["strides"], padding=a["padding"], dilation=a["dilation"])

    forward = define_op(
        name,
        inputs="inputs kernel",
        infer=infer,
        kernel=C(
            name,
            i=lambda specs, a: (*geometry(specs[0].shape[1:-1], specs[1].shape[:-2], a), epilogue_code(a)),
            host=widened(name),
        ),
        grad=(
            lambda ctx, g: grad_input(g, ctx.inputs[1], sizes=ctx.specs[0].shape[1:-1], **both(ctx)),
            lambda ctx, g: grad_kernel(ctx.inputs[0], g, window=ctx.specs[1].shape[:-2], **both(ctx)),
        ),
        saves="inputs kernel",
        kind="anchor",
        flops=lambda specs, outs, a: _work(outs[0], specs[1]),
        epilogue=epilogue,
        lead=lambda specs, attrs: 1,
        whole="kernel",
    )
    grad_input = define_op(
        f"{name}_grad_input",
        inputs="g kernel",
        infer=infer_grad_input,
        kernel=C(
            f"{name}_grad_input",
            i=lambda specs, a: geometry(a["sizes"], specs[1].shape[:-2], a),
            host=widened(f"{name}_grad_input"),
        ),
        grad=(
            lambda ctx, u: forward_again(u, ctx.inputs[1], ctx.attrs),
            lambda ctx, u: grad_kernel(u, ctx.inputs[0], window=ctx.specs[1].shape[:-2], **explicit(ctx.attrs)),
        ),
        saves="g kernel",
        outputs="dx",
        kind="anchor",
        flops=lambda specs, outs, a: _work(specs[0], specs[1]),
    )
    grad_kernel = define_op(
        f"{name}_grad_kernel",
        inputs="inputs g",
        infer=infer_grad_kernel,
        kernel=C(
            f"{name}_grad_kernel",
            i=lambda specs, a: geometry(specs[0].shape[1:-1], a["window"], a),
            host=widened(f"{name}_grad_kernel"),
        ),
        grad=(
            lambda ctx, u: grad_input(ctx.inputs[1], u, sizes=ctx.specs[0].shape[1:-1], **explicit(ctx.attrs)),
            lambda ctx, u: forward_again(ctx.inputs[0], u, ctx.attrs),
        ),
        saves="inputs g",
        outputs="dk",
        kind="anchor",
        flops=lambda specs, outs, a: _work(specs[1], outs[0]),
    )
    return _Family(forward, grad_input, grad_kernel)


def _conv_filters(x: Spec, kernel: Spec) -> int | None:
    c, kc, f = x.shape[-1], *kernel.shape[-2:]
    if c is None or kc is None:
        return f
    if c % kc:
        rule = f"the kernel expects {kc} input channels, or a multiple of that (groups)"
        raise invalid("conv", rule, inputs=x, kernel=kernel)
    if f is not None and f % max(c // kc, 1):
        rule = f"the number of filters must be divisible by the number of groups, which is {c // kc}"
        raise invalid("conv", rule, inputs=x, kernel=kernel)
    return f


def _depthwise_filters(x: Spec, kernel: Spec) -> int | None:
    c, (kc, multiplier) = x.shape[-1], kernel.shape[-2:]
    if c is not None and kc is not None and c != kc:
        raise invalid("depthwise_conv", f"the kernel expects {kc} input channels", inputs=x, kernel=kernel)
    return None if kc is None or multiplier is None else kc * multiplier


_conv = _define(
    "conv",
    most=3,
    filters=_conv_filters,
    channels=lambda kernel, groups: None if kernel.shape[-2] is None else kernel.shape[-2] * groups,
    kernel_channels=lambda c, f, groups: (c // groups, f),
    groups=lambda x, kernel: x.shape[-1] // kernel.shape[-2],
    epilogue=EPILOGUES,
)


def _conv_bias_infer(x: Spec, kernel: Spec, bias: Spec, **attrs: Any) -> Spec:
    y = _conv.forward.infer(x, kernel, **attrs)
    f = y.shape[-1]
    if len(bias.shape) != 1 or (None not in (f, bias.shape[0]) and bias.shape[0] != f):
        raise invalid("conv", f"the bias must have one value for each of the {f} filters", kernel=kernel, bias=bias)
    return y


conv_bias_op = define_op(
    "conv_bias",
    inputs="inputs kernel bias",
    infer=_conv_bias_infer,
    kernel=C("conv", i=_conv.forward.kernel.i, host=widened("conv_bias")),
    grad=(*_conv.forward.grad, lambda ctx, g: unbroadcast(g, ctx.specs[2])),
    saves="inputs kernel",
    kind="anchor",
    flops=_conv.forward.flops,
    epilogue=EPILOGUES,
    lead=lambda specs, attrs: 1,
    whole="kernel bias",
)
_depthwise = _define(
    "depthwise_conv",
    most=2,
    filters=_depthwise_filters,
    channels=lambda kernel, groups: kernel.shape[-2],
    kernel_channels=lambda c, f, groups: (c, f // max(c, 1)),
    groups=lambda x, kernel: x.shape[-1],
)


def _transpose_geometry(x: Spec, kernel: Spec, a: dict) -> Slide:
    return transpose_slide("conv_transpose", x.shape[1:-1], kernel.shape[:-2], **a)


def _transpose_infer(x: Spec, kernel: Spec, **attrs: Any) -> Spec:
    _check_operands("conv_transpose", x, kernel, 3)
    filters, channels = kernel.shape[-2:]
    if channels is not None and x.shape[-1] is not None and channels != x.shape[-1]:
        rule = f"the kernel (*window, filters, channels) expects {channels} input channels"
        raise invalid("conv_transpose", rule, inputs=x, kernel=kernel)
    return Spec((x.shape[0], *_transpose_geometry(x, kernel, attrs).out, filters), x.dtype)


def _transpose_explicit(ctx: Any) -> dict:
    s = _transpose_geometry(*ctx.specs, ctx.attrs)
    return {"strides": s.strides, "padding": s.pads, "dilation": s.dilation}


conv_transpose_op = define_op(
    "conv_transpose",
    inputs="inputs kernel",
    infer=_transpose_infer,
    kernel=C(
        "conv_grad_input",
        i=lambda specs, a: conv_attributes(_transpose_geometry(*specs, a)),
        host=widened("conv_transpose"),
    ),
    grad=(
        lambda ctx, g: _conv.forward(g, ctx.inputs[1], **_transpose_explicit(ctx)),
        lambda ctx, g: _conv.grad_kernel(
            g, ctx.inputs[0], window=ctx.specs[1].shape[:-2], groups=1, **_transpose_explicit(ctx)
        ),
    ),
    saves="inputs kernel",
    kind="anchor",
    flops=lambda specs, outs, a: _work(specs[0], specs[1]),
)


def _operands(inputs: Any, *kernels: Any) -> list[Any]:
    """Inputs and kernels in one dtype. Variables pass unread where they already agree."""
    operands = [as_input(x) for x in (inputs, *kernels)]
    if len({x.dtype for x in operands}) > 1:
        operands = list(promote(*operands))
    return operands


def conv(
    inputs: Any,
    kernel: Any,
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
) -> Any:
    """Convolution over one, two or three spatial dimensions (a cross-correlation, as is usual in the field).

    Output cell `o` of each dimension sums `inputs[o * strides - low + t * dilation_rate] * kernel[t]` over the taps t
    of the window and the channels; cells in the padding count as 0.

    Args:
        inputs: (batch, *sizes, channels), or (batch, channels, *sizes) with `data_format="channels_first"`.
        kernel: (*window, channels / groups, filters) in either layout. The number of groups follows from its shape: the
            filters fall into as many groups as the input has times the kernel's channels, each reading its own.
        strides: step of the window, one integer or one for each dimension.
        padding: "valid" (none), "same" (`ceil(size / stride)` outputs, padding split evenly with the odd cell behind)
            or, with one spatial dimension, "causal" (all of it before the input).
        data_format: "channels_last" or "channels_first"; None means the configured one.
        dilation_rate: step between the window's taps, one integer or one for each dimension.

    Returns:
        (batch, *out, filters), or (batch, filters, *out).

    Raises:
        ValueError: ranks, channels or filters that do not agree, strides or dilations below 1, an unknown padding, or
            an input too small for the window.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.ones((1, 5, 5, 3))
    >>> keras.ops.conv(x, keras.ops.ones((3, 3, 3, 8)), strides=2, padding="same").shape
    (1, 3, 3, 8)
    """
    data_format = standardize_data_format(data_format)
    inputs, kernel = _operands(inputs, kernel)
    padding = check_padding("conv", padding, causal=len(inputs.shape) == 3)
    x = to_channels_last(inputs, data_format)
    y = _conv.forward(x, kernel, strides=static(strides), padding=padding, dilation=static(dilation_rate))
    return from_channels_last(y, data_format)


def conv_bias(
    inputs: Any,
    kernel: Any,
    bias: Any,
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
) -> Any:
    """`conv` plus a bias with one value for each filter, in one pass."""
    data_format = standardize_data_format(data_format)
    inputs, kernel, bias = _operands(inputs, kernel, bias)
    padding = check_padding("conv", padding, causal=len(inputs.shape) == 3)
    x = to_channels_last(inputs, data_format)
    y = conv_bias_op(x, kernel, bias, strides=static(strides), padding=padding, dilation=static(dilation_rate))
    return from_channels_last(y, data_format)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
) -> Any:
    """Convolution of each channel with filters of its own, over one or two spatial dimensions.

    Args:
        inputs: (batch, *sizes, channels), or (batch, channels, *sizes) with `data_format="channels_first"`.
        kernel: (*window, channels, multiplier).
        strides, padding, data_format, dilation_rate: as for `conv`.

    Returns:
        (batch, *out, channels * multiplier), the filters of a channel next to each other.

    Raises:
        ValueError: as for `conv`.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.ones((1, 5, 5, 3))
    >>> keras.ops.depthwise_conv(x, keras.ops.ones((3, 3, 3, 2))).shape
    (1, 3, 3, 6)
    """
    data_format = standardize_data_format(data_format)
    inputs, kernel = _operands(inputs, kernel)
    padding = check_padding("depthwise_conv", padding, causal=len(inputs.shape) == 3)
    x = to_channels_last(inputs, data_format)
    y = _depthwise.forward(x, kernel, strides=static(strides), padding=padding, dilation=static(dilation_rate))
    return from_channels_last(y, data_format)


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
) -> Any:
    """A depthwise convolution, then one with a window of a single cell that mixes the channels.

    Args:
        inputs: (batch, *sizes, channels), or (batch, channels, *sizes) with `data_format="channels_first"`.
        depthwise_kernel: (*window, channels, multiplier).
        pointwise_kernel: (1, ..., channels * multiplier, filters).
        strides, padding, data_format, dilation_rate: of the depthwise convolution, as for `conv`.

    Returns:
        (batch, *out, filters), or (batch, filters, *out).

    Raises:
        ValueError: as for `conv`, or a pointwise kernel whose window is not a single cell.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.ones((1, 5, 5, 3))
    >>> keras.ops.separable_conv(x, keras.ops.ones((3, 3, 3, 2)), keras.ops.ones((1, 1, 6, 4))).shape
    (1, 3, 3, 4)
    """
    data_format = standardize_data_format(data_format)
    inputs, depthwise_kernel, pointwise_kernel = _operands(inputs, depthwise_kernel, pointwise_kernel)
    if any(d not in (None, 1) for d in pointwise_kernel.shape[:-2]):
        rule = "the window of `pointwise_kernel` must be a single cell"
        raise invalid("separable_conv", rule, pointwise_kernel=pointwise_kernel)
    padding = check_padding("separable_conv", padding, causal=len(inputs.shape) == 3)
    x = to_channels_last(inputs, data_format)
    x = _depthwise.forward(
        x, depthwise_kernel, strides=static(strides), padding=padding, dilation=static(dilation_rate)
    )
    y = _conv.forward(x, pointwise_kernel, strides=1, padding="valid", dilation=1)
    return from_channels_last(y, data_format)


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: int | tuple[int, ...] = 1,
    padding: str = "valid",
    output_padding: int | tuple[int, ...] | None = None,
    data_format: str | None = None,
    dilation_rate: int | tuple[int, ...] = 1,
) -> Any:
    """The transpose (as a linear map) of a convolution, which enlarges its input by the stride.

    With `span = (window - 1) * dilation_rate + 1` the output has, in each dimension,

        valid   (size - 1) * stride + max(span, stride)
        same    size * stride

    cells, or where `output_padding` is given `(size - 1) * stride + span + output_padding` (valid) and
    `(size - 1) * stride + span % 2 + output_padding` (same).

    Args:
        inputs: (batch, *sizes, channels), or (batch, channels, *sizes) with `data_format="channels_first"`.
        kernel: (*window, filters, channels).
        strides, data_format, dilation_rate: as for `conv`.
        padding: "valid" or "same", of the convolution that this transposes.
        output_padding: cells added to the far end of the output, one integer or one for each dimension.

    Returns:
        (batch, *out, filters), or (batch, filters, *out).

    Raises:
        ValueError: as for `conv`.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.ones((1, 4, 4, 3))
    >>> keras.ops.conv_transpose(x, keras.ops.ones((3, 3, 8, 3)), strides=2, padding="same").shape
    (1, 8, 8, 8)
    """
    data_format = standardize_data_format(data_format)
    inputs, kernel = _operands(inputs, kernel)
    y = conv_transpose_op(
        to_channels_last(inputs, data_format),
        kernel,
        strides=static(strides),
        padding=check_padding("conv_transpose", padding),
        output_padding=static(output_padding),
        dilation=static(dilation_rate),
    )
    return from_channels_last(y, data_format)
