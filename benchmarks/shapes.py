"""The shapes that benchmarks/roofline.py measures: layers of real models, and odd sizes. What memory limits rather than
multiply-adds is in streams.py.

Each entry of `cases` is one call of one kernel with what it must compute and move at least, and where there is one the
same computation in NumPy and in PyTorch. Arrays are made when a case is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import streams
from case import Case, plain
from numpy.lib.stride_tricks import sliding_window_view

from kerasish.ops.windows import Slide, conv_attributes, pool_attributes, slide


class Layer(NamedTuple):
    """A two-dimensional layer on square images: batch, size, channels, window, stride, padding, filters."""

    name: str
    n: int
    size: int
    c: int
    window: int
    stride: int
    padding: str
    f: int = 0

    def slide(self) -> Slide:
        return slide(self.name, (self.size,) * 2, self.window, self.stride, self.padding)


PRODUCTS = [  # name, batch, m, n, k, transpose_a, transpose_b
    ("2048^3", 0, 2048, 2048, 2048, 0, 0),
    ("512^3", 0, 512, 512, 512, 0, 0),
    ("64^3", 0, 64, 64, 64, 0, 0),
    ("mlp 128x784x512", 0, 128, 512, 784, 0, 0),
    ("mlp dx", 0, 128, 784, 512, 0, 1),
    ("mlp dw", 0, 784, 512, 128, 1, 0),
    ("small mlp 16x784x64", 0, 16, 64, 784, 0, 0),
    ("head 128x512x10", 0, 128, 10, 512, 0, 0),
    ("head dx", 0, 128, 512, 10, 0, 1),
    ("head dw", 0, 512, 10, 128, 1, 0),
    ("cnn head 128x1600x10", 0, 128, 10, 1600, 0, 0),
    ("cnn head dx", 0, 128, 1600, 10, 0, 1),
    ("cnn head dw", 0, 1600, 10, 128, 1, 0),
    ("lstm inputs 5120x128x512", 0, 5120, 512, 128, 0, 0),
    ("lstm step 64x128x512", 0, 64, 512, 128, 0, 0),
    ("transformer 3200x64x256", 0, 3200, 256, 64, 0, 0),
    ("transformer 3200x64x64", 0, 3200, 64, 64, 0, 0),
    ("transformer dw 64x3200x256", 0, 64, 256, 3200, 1, 0),
    ("transformer dw 256x3200x64", 0, 256, 64, 3200, 1, 0),
    ("transformer dw 64x3200x64", 0, 64, 64, 3200, 1, 0),
    ("lstm dw 128x5120x512", 0, 128, 512, 5120, 1, 0),
    ("scores 128x(100x16x100)", 128, 100, 100, 16, 0, 1),
    ("predict 1x784x512", 0, 1, 512, 784, 0, 0),
    ("predict 4x784x512", 0, 4, 512, 784, 0, 0),
    ("one unit 4096x16x1", 0, 4096, 1, 16, 0, 0),
    ("odd 127x129x131", 0, 127, 131, 129, 0, 0),
]
PRODUCTS_F64 = [
    ("float64 1024^3", 0, 1024, 1024, 1024, 0, 0),
    ("float64 mlp 128x784x512", 0, 128, 512, 784, 0, 0),
    ("float64 mlp dw", 0, 784, 512, 128, 1, 0),
    ("float64 64^3", 0, 64, 64, 64, 0, 0),
]
CONV = [
    Layer("cnn.1", 128, 28, 1, 3, 1, "valid", 32),
    Layer("cnn.2", 128, 13, 32, 3, 1, "valid", 64),
    Layer("resnet20 first", 128, 32, 3, 3, 1, "same", 16),
    Layer("resnet20 16", 128, 32, 16, 3, 1, "same", 16),
    Layer("resnet20 16-32/2", 128, 32, 16, 3, 2, "same", 32),
    Layer("resnet20 1x1/2", 128, 32, 16, 1, 2, "valid", 32),
    Layer("resnet20 32", 128, 16, 32, 3, 1, "same", 32),
    Layer("resnet20 32-64/2", 128, 16, 32, 3, 2, "same", 64),
    Layer("resnet20 64", 128, 8, 64, 3, 1, "same", 64),
    Layer("vgg first", 64, 32, 3, 3, 1, "same", 64),
    Layer("vgg 64", 64, 32, 64, 3, 1, "same", 64),
    Layer("vgg 128", 64, 16, 128, 3, 1, "same", 128),
    Layer("vgg 256", 64, 8, 128, 3, 1, "same", 256),
    Layer("separable first", 128, 32, 3, 3, 2, "same", 32),
    Layer("separable 1x1 32", 128, 16, 32, 1, 1, "valid", 64),
    Layer("separable 1x1 128", 128, 8, 128, 1, 1, "valid", 128),
    Layer("resnet50 stem", 4, 224, 3, 7, 2, "same", 64),
    Layer("resnet50 1x1 64-256", 4, 56, 64, 1, 1, "valid", 256),
    Layer("resnet50 3x3 128", 4, 28, 128, 3, 1, "same", 128),
    Layer("resnet50 3x3 512", 4, 7, 512, 3, 1, "same", 512),
    Layer("mobilenet 1x1 512", 4, 14, 512, 1, 1, "valid", 512),
    Layer("one image", 1, 56, 64, 3, 1, "same", 64),
    Layer("odd 13-21", 8, 29, 13, 5, 1, "same", 21),
]
DEPTHWISE = [
    Layer("separable 32", 128, 16, 32, 3, 1, "same", 1),
    Layer("separable 64/2", 128, 16, 64, 3, 2, "same", 1),
    Layer("separable 128", 128, 8, 128, 3, 1, "same", 1),
    Layer("mobilenet 32", 4, 112, 32, 3, 1, "same", 1),
    Layer("mobilenet 512", 4, 14, 512, 3, 1, "same", 1),
    Layer("odd 19", 8, 29, 19, 5, 1, "same", 1),
]
POOL = [
    Layer("cnn 26x32 2/2", 128, 26, 32, 2, 2, "valid"),
    Layer("cnn 11x64 2/2", 128, 11, 64, 2, 2, "valid"),
    Layer("vgg 32x64 2/2", 64, 32, 64, 2, 2, "valid"),
    Layer("resnet50 112x64 3/2", 4, 112, 64, 3, 2, "same"),
    Layer("odd 29x19 3/2", 8, 29, 19, 3, 2, "same"),
]


# ---- NumPy's side ---------------------------------------------------------------------------------------------------


def _patches(x: np.ndarray, layer: Layer, s: Slide) -> np.ndarray:
    x = np.pad(x, ((0, 0), *s.pads, (0, 0)))
    return sliding_window_view(x, s.window, (1, 2))[:, :: layer.stride, :: layer.stride]  # (n, oh, ow, c, kh, kw)


def _numpy_conv(layer: Layer, s: Slide) -> Callable:
    return lambda x, k: np.tensordot(_patches(x, layer, s), k, ((4, 5, 3), (0, 1, 2)))


def _numpy_grad_kernel(layer: Layer, s: Slide) -> Callable:
    return lambda x, g: np.tensordot(_patches(x, layer, s), g, ((0, 1, 2), (0, 1, 2)))


def _numpy_pool(layer: Layer, s: Slide) -> Callable | None:
    return None if layer.padding == "same" else lambda x: _patches(x, layer, s).max((4, 5))


# ---- PyTorch's side: what a user would call, on NCHW views of the same NHWC memory ----------------------------------


def _nchw(x: Any) -> Any:
    return x.permute(0, 3, 1, 2)


def _torch_conv(layer: Layer, s: Slide, op: str) -> Callable | None:
    (lo, hi), _ = s.pads
    if lo != hi:
        return None  # PyTorch pads both sides alike

    def forward(torch, x, k):
        groups = layer.c if layer in DEPTHWISE else 1
        k = k.permute(2, 3, 0, 1) if groups > 1 else k.permute(3, 2, 0, 1)
        return torch.nn.functional.conv2d(_nchw(x), k, None, layer.stride, lo, 1, groups)

    def backward(torch, a, b):
        groups = layer.c if layer in DEPTHWISE else 1
        wants_input = op.endswith("input")
        g, other = (a, b) if wants_input else (b, a)
        shape = (layer.f, layer.c, *s.window) if groups == 1 else (layer.c, 1, *s.window)
        if wants_input:
            k = other.permute(2, 3, 0, 1) if groups > 1 else other.permute(3, 2, 0, 1)
            x = torch.empty((layer.n, layer.c, layer.size, layer.size)).to(memory_format=torch.channels_last)
        else:
            k, x = torch.empty(shape), _nchw(other)
        mask = [wants_input, not wants_input, False]
        two = [layer.stride] * 2
        return torch.ops.aten.convolution_backward(
            _nchw(g), x, k, None, two, [lo] * 2, [1, 1], False, [0, 0], groups, mask
        )

    return backward if "grad" in op else forward


# ---- the cases ------------------------------------------------------------------------------------------------------


def _products() -> Iterator[Case]:
    for name, batch, m, n, k, ta, tb in PRODUCTS + PRODUCTS_F64:
        lead = (batch,) if batch else ()
        a, b = (*lead, *((k, m) if ta else (m, k))), (*lead, *((n, k) if tb else (k, n)))

        def product(x1, x2, ta=ta, tb=tb):
            return np.matmul(x1.swapaxes(-1, -2) if ta else x1, x2.swapaxes(-1, -2) if tb else x2)

        def torch_product(torch, x1, x2, ta=ta, tb=tb):
            return torch.matmul(x1.mT if ta else x1, x2.mT if tb else x2)

        flops = 2.0 * max(batch, 1) * m * n * k
        out = ((*lead, m, n),)
        if name.startswith("float64"):
            a, b, out = (a, "float64"), (b, "float64"), ((out[0], "float64"),)
        yield Case("matmul", name, "matmul", (a, b), out, (ta, tb, 0), (), flops, 99, product, torch_product)


def _convolutions() -> Iterator[Case]:
    for layer in CONV + DEPTHWISE:
        s = layer.slide()
        deep = layer not in DEPTHWISE
        x, y = (layer.n, layer.size, layer.size, layer.c), (layer.n, *s.out, layer.f if deep else layer.c * layer.f)
        k, kernel = (*s.window, layer.c, layer.f), "conv" if deep else "depthwise_conv"
        flops = 2.0 * np.prod(y) * layer.window**2 * (layer.c if deep else 1)
        group = "conv" if deep else "depthwise"
        for op, ins, out, numpy in (
            (kernel, (x, k), y, _numpy_conv(layer, s) if deep else None),
            (f"{kernel}_grad_input", (y, k), x, None),
            (f"{kernel}_grad_kernel", (x, y), k, _numpy_grad_kernel(layer, s) if deep else None),
        ):
            torch = _torch_conv(layer, s, op)
            yield Case(group, layer.name, op, ins, (out,), conv_attributes(s), (), flops, 1, numpy, torch)


def _pools() -> Iterator[Case]:
    for layer in POOL:
        s = layer.slide()
        x, y = (layer.n, layer.size, layer.size, layer.c), (layer.n, *s.out, layer.c)
        place = (y, "uint8")
        (lo, hi), _ = s.pads
        window = (layer.window, layer.stride, lo)

        def forward(torch, x, window=window):
            return torch.nn.functional.max_pool2d_with_indices(_nchw(x), *window)

        def average(torch, x, window=window):
            return torch.nn.functional.avg_pool2d(_nchw(x), *window, False, False)

        a, cells = pool_attributes(s), layer.window**2
        n, m = np.prod(x), np.prod(y)
        shared = m * cells > n  # cells belong to several windows, whose gradients meet there
        # Each cell but the first: a comparison, the maximum and its place.  Its gradient: a comparison and a choice.
        yield Case("pool", layer.name, "max_pool", (x,), (y, place), a, (), m * cells, 1, _numpy_pool(layer, s),
                   forward if lo == hi else None, 0, plain(3 * m * (cells - 1)))  # fmt: skip
        yield Case("pool", layer.name, "max_pool_grad", (place, y), (x,), a, (), n, cells,
                   work=plain((2 + shared) * m * cells))  # fmt: skip
        yield Case("pool", layer.name, "avg_pool", (x,), (y,), a, (), m * cells, 1, None,
                   average if lo == hi else None, 0, plain(m * cells))  # fmt: skip
        yield Case("pool", layer.name, "avg_pool_grad", (y,), (x,), a, (), n, work=plain(m * (1 + shared * cells)))


def cases() -> Iterator[Case]:
    """All cases, family by family."""
    for family in (_products, _convolutions, _pools, *streams.FAMILIES):
        yield from family()
