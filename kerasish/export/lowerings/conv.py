"""Convolution and pooling. ONNX has the channels second and the filters first; kernels stay as Keras stores them, and
a Transpose of an initializer is folded when a runtime loads the file."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.dtype import FLOATS
from ...ops.windows import Slide, pads_of, per_dimension, slide, transpose_slide
from ..family import Ref, Step
from ..writer import Writer
from .table import activated, lowering


def channels_second(w: Writer, x: str, ndim: int) -> str:
    return w.transpose(x, (0, ndim - 1, *range(1, ndim - 1)))


def channels_last(w: Writer, x: str, ndim: int) -> str:
    return w.transpose(x, (0, *range(2, ndim), 1))


def _padding(step: Step, slides: list[Slide]) -> dict[str, Any]:
    """The attributes that say how the window is padded. Padding that depends on a free dimension is the operator's to
    work out."""
    x, s = step.inputs[0], slides[0]
    if step["padding"] == "same":
        for axis, (d, k, stride) in enumerate(zip(x.shape[1:-1], s.window, s.strides), 1):
            if isinstance(d, int) or stride == 1 or k == 1:  # what `same` adds does not depend on the size
                continue
            if max(s.dilation) > 1 or k < stride:
                raise step.refuse(
                    "with padding 'same' and a stride, a dilation or a window smaller than the stride needs a size "
                    f"that is fixed, in dimension {axis}",
                    window=s.window, strides=s.strides, dilation=s.dilation,
                )  # fmt: skip
            return {"auto_pad": "SAME_UPPER"}
    found = [p.pads for p in slides]
    if any(p != found[0] for p in found):
        raise step.refuse("its padding depends on a free dimension; give it a fixed size", pads=found[:2])
    low, high = zip(*found[0])
    return {"pads": [*low, *high]}


@lowering("conv", "conv_bias", "depthwise_conv")
def _conv(w: Writer, step: Step) -> str:
    x, kernel = step.inputs[:2]
    n = x.ndim
    slides = step.each(
        lambda shapes, a: slide("conv", shapes[0][1:-1], shapes[1][:-2], a["strides"], a["padding"], a["dilation"])
    )
    channels = step.fixed(x, n - 1)
    *window, into, filters = (step.fixed(kernel, k) for k in range(n))
    k = w.name(kernel)
    if step.op == "depthwise_conv":  # (*window, channels, multiplier) -> (channels * multiplier, 1, *window)
        k = w.transpose(k, (n - 2, n - 1, *range(n - 2)))
        k, groups = w.reshape(k, (channels * filters, 1, *window)), channels
    else:
        k, groups = w.transpose(k, (n - 1, n - 2, *range(n - 2))), channels // into
    bias = [w.name(r) for r in step.inputs[2:]]
    y = w.op(
        "Conv", channels_second(w, w.name(x), n), k, *bias, kernel_shape=window, strides=slides[0].strides,
        dilations=slides[0].dilation, group=groups, **_padding(step, slides),
    )  # fmt: skip
    return channels_last(w, activated(w, step, y), n)


@lowering("conv_transpose")
def _conv_transpose(w: Writer, step: Step) -> str:
    """The kernel is (*window, filters, channels). Where the output reaches further than the windows, zeros follow."""
    x, kernel = step.inputs
    n = x.ndim
    found = step.each(lambda shapes, a: transpose_slide("conv_transpose", shapes[0][1:-1], shapes[1][:-2], **a))
    s = found[0]
    if any(f.pads != s.pads for f in found):
        raise step.refuse("its padding depends on a free dimension; give it a fixed size")
    low, high = zip(*s.pads)
    k = w.transpose(w.name(kernel), (n - 1, n - 2, *range(n - 2)))
    y = w.op(
        "ConvTranspose", channels_second(w, w.name(x), n), k, kernel_shape=s.window, strides=s.strides,
        dilations=s.dilation, pads=[*low, *(max(h, 0) for h in high)],
    )  # fmt: skip
    if min(high) < 0:
        y = w.op("Pad", y, w.ints(*[0] * n, 0, 0, *(max(-h, 0) for h in high)), w.scalar(0, x))
    return channels_last(w, y, n)


def _pooled(w: Writer, x: Ref, emit: Any) -> str:
    """emit(name with the channels second); integers go by way of float64."""
    name = channels_second(w, w.name(x), x.ndim)
    if x.dtype in FLOATS:
        return channels_last(w, emit(name), x.ndim)
    return channels_last(w, w.cast(emit(w.cast(name, "float64")), x.dtype), x.ndim)


@lowering("max_pool", "average_pool")
def _pool(w: Writer, step: Step) -> Any:
    x = step.inputs[0]

    def geometry(shapes: list, a: dict) -> Slide:
        window = per_dimension(step.op, "pool_size", a["window"], len(shapes[0]) - 2)
        return slide(step.op, shapes[0][1:-1], window, window if a["strides"] is None else a["strides"], a["padding"])

    slides = step.each(geometry)
    attrs = {"kernel_shape": slides[0].window, "strides": slides[0].strides, **_padding(step, slides)}
    if step.op == "max_pool":
        return _pooled(w, x, lambda name: w.op("MaxPool", name, **attrs)), None
    return _pooled(w, x, lambda name: w.op("AveragePool", name, count_include_pad=0, **attrs))


@lowering("adaptive_average_pool", "adaptive_max_pool")
def _adaptive(w: Writer, step: Step) -> str:
    """Along one axis after the other: the windows are products of ranges."""
    x = step.inputs[0]
    average = step.op == "adaptive_average_pool"
    sizes = [step.fixed(x, k) for k in range(1, x.ndim - 1)]
    out = per_dimension(step.op, "output_size", step["output_size"], len(sizes))
    if all(n % m == 0 for n, m in zip(sizes, out)):
        window = [n // m for n, m in zip(sizes, out)]
        kind = "AveragePool" if average else "MaxPool"
        return _pooled(w, x, lambda name: w.op(kind, name, kernel_shape=window, strides=window))
    y = w.name(x)
    for axis, (n, m) in enumerate(zip(sizes, out), 1):
        cells = [w.slice(y, axis, i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        kind = "ReduceMean" if average else "ReduceMax"
        cells = [w.op(kind, c, w.ints(axis), keepdims=1) for c in cells]
        y = cells[0] if m == 1 else w.op("Concat", *cells, axis=axis)
    return y


@lowering("unfold")
def _unfold(w: Writer, step: Step) -> str:
    """Blocks of an image as columns: a convolution of each channel with one filter for each cell of the window."""
    from ...ops.unfold import _slide

    x = step.inputs[0]
    s = step.same(
        lambda shapes, a: _slide("unfold", shapes[0][2:], a["kernel_size"], a["dilation"], a["padding"], a["stride"]),
        "the number of blocks",
    )
    channels = step.fixed(x, 1)
    (top, bottom), (left, right) = s.pads
    y = _taps(w, x, w.name(x), channels, s.window, s.strides, s.dilation, [top, left, bottom, right])
    return w.reshape(y, step.outputs[0].shape)


def _taps(w: Writer, x: Ref, name: str, channels: int, window: Any, strides: Any, dilation: Any, pads: list) -> str:
    """(batch, channels * cells, *out): the values that each cell of the window meets, channel by channel."""
    cells = int(np.prod(window))
    kernel = np.tile(np.eye(cells).reshape(cells, 1, *window), (channels, *[1] * (len(window) + 1)))
    return w.op(
        "Conv", name, w.scalar(kernel, x), group=channels, strides=strides, dilations=dilation, pads=pads,
        kernel_shape=window,
    )  # fmt: skip


@lowering("extract_patches")
def _extract_patches(w: Writer, step: Step) -> str:
    """(batch, *out, cells * channels), cell by cell."""
    x = step.inputs[0]
    n = x.ndim - 2
    sizes = [step.fixed(x, k) for k in range(1, n + 1)]
    channels = step.fixed(x, n + 1)
    size, strides, dilation = step["size"], step["strides"], step["dilation"]
    low, high = zip(*(pads_of(step["padding"], d, k, s, r) for d, k, s, r in zip(sizes, size, strides, dilation)))
    y = _taps(w, x, channels_second(w, w.name(x), n + 2), channels, size, strides, dilation, [*low, *high])
    out, cells = step.outputs[0].shape, int(np.prod(size))
    y = w.reshape(y, (out[0], channels, cells, *out[1:-1]))
    return w.reshape(w.transpose(y, (0, *range(3, n + 3), 2, 1)), out)


@lowering("resample")
def _resample(w: Writer, step: Step) -> str:
    """One axis of images at another length: a product with the matrix of weights, or the nearest pixels."""
    from ...ops.resize import _matrix, _nearest

    x, length = step.inputs[0], step["length"]
    axis = step["axis"] % x.ndim
    n = step.fixed(x, axis)
    if step["method"] == "nearest":
        return w.op("Gather", w.name(x), w.const(_nearest(n, length).astype("int64")), axis=axis)
    matrix = w.scalar(_matrix(n, length, step["method"], step["antialias"]), x)
    perm = [k for k in range(x.ndim) if k != axis] + [axis]
    y = w.op("MatMul", w.transpose(w.name(x), perm), matrix)
    return w.transpose(y, [perm.index(k) for k in range(x.ndim)])
