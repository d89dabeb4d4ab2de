"""The shapes that benchmarks/roofline.py measures: layers of real models, and odd sizes.

Each entry of `cases` is one call of one kernel with what it must compute and move at least, and where there is one the
same computation in NumPy and in PyTorch. Arrays are made when a case is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kerasish.ops.windows import Slide, conv_attributes, pool_attributes, slide


class Case(NamedTuple):
    """One call of one kernel.

    Attributes:
        group, name: the family, and what the shape comes from; the command line selects by both.
        kernel: its name in the registry.
        ins: shapes of the inputs, each with a dtype where it is not the case's; integers are below `limit`.
        outs: likewise of the outputs.
        i, f: the kernel's attributes.
        flops: operations of one call (a multiply-add is two).
        again: bytes that it must read a second time.
        numpy, torch: the same computation on the inputs; torch gets the module first, and channels-last tensors.
    """

    group: str
    name: str
    kernel: str
    ins: tuple
    outs: tuple
    i: tuple = ()
    f: tuple = ()
    flops: float = 0
    limit: int = 1
    numpy: Callable | None = None
    torch: Callable | None = None
    again: float = 0


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
    ("scores 128x(100x16x100)", 128, 100, 100, 16, 0, 1),
    ("predict 1x784x512", 0, 1, 512, 784, 0, 0),
    ("odd 127x129x131", 0, 127, 131, 129, 0, 0),
]
PRODUCTS_F64 = [  # shares of their limit count float32's rate, which is twice theirs
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
CHANNELS = [  # batch normalization: name, rows, channels
    ("resnet20 16", 131072, 16),
    ("resnet20 32", 32768, 32),
    ("resnet20 64", 8192, 64),
    ("separable 128", 8192, 128),
    ("odd 19", 6728, 19),
]
ROWS = [("transformer 64", 3200, 64), ("bert 768", 4096, 768), ("odd 100", 4001, 100)]  # layer normalization
CLASSES = [("10", 128, 10), ("10, many", 65536, 10), ("2", 4096, 2), ("1000", 128, 1000), ("scores 100", 12800, 100)]


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


def _numpy_softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _numpy_batch_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    mean, var = x.mean(0), x.var(0)
    return (x - mean) * (gamma / np.sqrt(var + 1e-3)) + beta


def _numpy_layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-3) * gamma + beta


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
        yield Case("pool", layer.name, "max_pool", (x,), (y, place), a, (), np.prod(y) * cells, 1,
                   _numpy_pool(layer, s), forward if lo == hi else None)  # fmt: skip
        yield Case("pool", layer.name, "max_pool_grad", (place, y), (x,), a, (), np.prod(x), layer.window**2)
        yield Case("pool", layer.name, "avg_pool", (x,), (y,), a, (), np.prod(y) * cells, 1, None,
                   average if lo == hi else None)  # fmt: skip
        yield Case("pool", layer.name, "avg_pool_grad", (y,), (x,), a, (), np.prod(x))


def _norms() -> Iterator[Case]:
    for name, rows, c in CHANNELS:
        x, v, n = (rows, c), (c,), rows * c
        yield Case("batch_norm", name, "batch_norm", (x, v, v), (x, v, v), (1,), (1e-3,), 7 * n, 1, _numpy_batch_norm,
                   lambda t, x, g, b: t.nn.functional.batch_norm(x, None, None, g, b, True), 4 * n)  # fmt: skip
        yield Case("batch_norm", name, "batch_norm_grad", (x, v, v, v, x, v, v), (x, v, v), (1,), (1e-3,), 9 * n,
                   again=8 * n)  # fmt: skip
        yield Case("batch_norm", f"{name} behind relu", "batch_norm_grad", (x, v, v, v, x, v, v, v), (x, v, v), (1,),
                   (1e-3,), 12 * n, again=8 * n)  # fmt: skip
        yield Case("batch_norm", name, "batch_norm_inference", (x, v, v, v, v), (x,), (1,), (1e-3,), 3 * n)
    for name, rows, c in ROWS:
        x, v, n = (rows, c), (c,), rows * c
        yield Case("layer_norm", name, "layer_norm", (x, v, v), (x,), (1,), (1e-3,), 8 * n, 1, _numpy_layer_norm,
                   lambda t, x, g, b: t.nn.functional.layer_norm(x, (x.shape[1],), g, b))  # fmt: skip
        yield Case("layer_norm", name, "layer_norm_grad", (x, v, x), (x, v, v), (1,), (1e-3,), 15 * n)


def _losses() -> Iterator[Case]:
    for name, rows, c in CLASSES:
        x, r, n = (rows, c), (rows,), rows * c
        label = (r, "int32")
        yield Case("softmax", name, "softmax", (x,), (x,), (1, 2), (), 20 * n, 1, _numpy_softmax,
                   lambda t, x: x.softmax(-1))  # fmt: skip
        yield Case("softmax", name, "softmax_grad", (x, x), (x,), (1, 2), (), 4 * n)
        yield Case("softmax", name, "log_softmax", (x,), (x,), (1, 2), (), 20 * n, 1, None,
                   lambda t, x: x.log_softmax(-1))  # fmt: skip
        for loss, second in (("sparse_", label), ("", x)):
            yield Case("loss", name, f"{loss}softmax_cross_entropy", (x, second), (r,), (), (), 20 * n, c)
            yield Case("loss", name, f"{loss}softmax_cross_entropy_grad", (x, second, r), (x,), (), (), 20 * n, c)
            yield Case("loss", name, f"{loss}cross_entropy", (x, second), (r,), (), (1e-7,), 2 * n, c)
            yield Case("loss", name, f"{loss}cross_entropy_grad", (x, second, r), (x,), (), (1e-7,), 3 * n, c)


def _elementwise() -> Iterator[Case]:
    numpy = {"exp": np.exp, "tanh": np.tanh, "sqrt": np.sqrt, "log": np.log, "relu": lambda x: np.maximum(x, 0),
             "sigmoid": lambda x: 1 / (1 + np.exp(-x))}  # fmt: skip
    for name, shape in (("cache", (128, 512)), ("cnn 26x32", (128, 26, 26, 32))):
        n = float(np.prod(shape))
        for op in ("relu", "exp", "log", "tanh", "sigmoid", "gelu", "erf", "sqrt"):
            torch = (lambda t, x, op=op: getattr(t, op)(x)) if op not in ("gelu",) else None
            yield Case("elementwise", name, op, (shape,), (shape,), (), (), n, 1, numpy.get(op), torch)
        for op, second in (("add", shape), ("add", ()), ("add", shape[-1:]), ("multiply", shape), ("relu_grad", shape)):
            label = name if second == shape else f"{name} + {second}"
            fn = {"add": np.add, "multiply": np.multiply}.get(op)
            torch = None if fn is None else lambda t, a, b, op=op: getattr(t, {"multiply": "mul"}.get(op, op))(a, b)
            yield Case("elementwise", label, op, (shape, second), (shape,), (), (), n, 1, fn, torch)


def _reductions() -> Iterator[Case]:
    n = 1 << 22
    for name, shape, axes in (
        ("whole", (n,), (0,)), ("rows", (4096, 1024), (1,)), ("rows of 10", (n // 10, 10), (1,)),
        ("columns", (4096, 1024), (0,)), ("64 columns", (65536, 64), (0,)), ("images", (64, 256, 256), (1,)),
    ):  # fmt: skip
        kept = tuple(d for k, d in enumerate(shape) if k not in axes)
        bits = (sum(1 << a for a in axes),)
        for op, fn in (("sum", np.sum), ("max", np.max)):
            torch = {"sum": lambda t, x, a=axes: x.sum(a), "max": lambda t, x, a=axes: x.amax(a)}[op]
            yield Case("reduce", name, op, (shape,), (kept,), bits, (), float(np.prod(shape)), 1,
                       lambda x, fn=fn, a=axes: fn(x, axis=a), torch)  # fmt: skip


def _others() -> Iterator[Case]:
    n = 1_600_000
    w, at = (n,), ((3200,), "int32")
    rate = ((), "float32")
    yield Case("update", "1.6 M weights", "sgd_momentum_update", (w, w, rate, w), (w, w), (0,), (0.0, 0.9), 4.0 * n)
    yield Case("update", "1.6 M weights", "adam_update", (w, w, rate, rate, w, w), (w, w, w), (0,),
               (0.0, 0.9, 0.999, 1e-7), 12.0 * n)  # fmt: skip
    yield Case("embedding", "20000x64", "gather", ((20000, 64), at), ((3200, 64),), (0, 0), (), 0, 20000,
               lambda t, i: t[i], lambda t, x, i: x[i.long()])  # fmt: skip
    yield Case("embedding", "20000x64", "gather_grad", ((3200, 64), at), ((20000, 64),), (0, 0), (), 0, 20000)
    yield Case("random", "dropout 128x1600", "dropout", ((128, 1600), ((2,), "uint32")), ((128, 1600),), (), (0.5,),
               128 * 1600.0, 99, None, lambda t, x, s: t.nn.functional.dropout(x, 0.5))  # fmt: skip


def cases() -> Iterator[Case]:
    """All cases, family by family."""
    for family in (_products, _convolutions, _pools, _norms, _losses, _elementwise, _reductions, _others):
        yield from family()
