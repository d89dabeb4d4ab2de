"""Convolution kernels as a share of the machine's arithmetic peak, for the layers of well-known small networks.

    python benchmarks/conv.py [NAME ...] [--threads N] [--isa NAME] [--repeat N]

Each line has the milliseconds and the share of the peak of the forward pass, the gradient to the input and the gradient
to the kernel. Depthwise convolution and pooling move more than they compute: their lines show GB/s of what they must
read and write at least.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import NamedTuple

import numpy as np
from peak import fma_peak

from kerasish._core import core
from kerasish.ops.windows import conv_attributes, pool_attributes, slide


class Layer(NamedTuple):
    """A two-dimensional layer on square images: batch, size, channels, window, stride, padding, filters."""

    name: str
    n: int
    size: int
    c: int
    window: int
    stride: int
    padding: str
    f: int


CONV = [
    Layer("cnn.1", 128, 28, 1, 3, 1, "valid", 32),
    Layer("cnn.2", 128, 13, 32, 3, 1, "valid", 64),
    Layer("resnet20.0", 128, 32, 3, 3, 1, "same", 16),
    Layer("resnet20.16", 128, 32, 16, 3, 1, "same", 16),
    Layer("resnet20.32/2", 128, 32, 16, 3, 2, "same", 32),
    Layer("resnet20.short", 128, 32, 16, 1, 2, "valid", 32),
    Layer("resnet20.32", 128, 16, 32, 3, 1, "same", 32),
    Layer("resnet20.64", 128, 8, 64, 3, 1, "same", 64),
    Layer("vgg.0", 64, 32, 3, 3, 1, "same", 64),
    Layer("vgg.64", 64, 32, 64, 3, 1, "same", 64),
    Layer("vgg.128", 64, 16, 128, 3, 1, "same", 128),
    Layer("vgg.256", 64, 8, 128, 3, 1, "same", 256),
    Layer("separable.0", 128, 32, 3, 3, 2, "same", 32),
    Layer("separable.64", 128, 16, 32, 1, 1, "valid", 64),
    Layer("separable.128", 128, 8, 128, 1, 1, "valid", 128),
    Layer("one image", 1, 56, 64, 3, 1, "same", 64),
    Layer("one filter", 64, 32, 64, 3, 1, "same", 1),
]
DEPTHWISE = [
    Layer("separable.dw32", 128, 16, 32, 3, 1, "same", 1),
    Layer("separable.dw64/2", 128, 16, 64, 3, 2, "same", 1),
    Layer("separable.dw128", 128, 8, 128, 3, 1, "same", 1),
]
POOL = [Layer("cnn.pool1", 128, 26, 32, 2, 2, "valid", 0), Layer("pool 3/2", 64, 32, 64, 3, 2, "same", 0)]


def best(kernel: str, ins: tuple, shape: tuple, attributes: tuple, repeat: int) -> float:
    """Seconds of the fastest of `repeat` runs."""
    found, out = core.find(kernel, "float32"), core.empty(shape, "float32")
    times = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        core.run(found, ins, (out,), attributes, (), kernel)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("name", nargs="*", help="only layers whose names contain one of these")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--isa", default=core.isa(), choices=core.isas())
    p.add_argument("--repeat", type=int, default=5)
    a = p.parse_args()
    core.set_isa(a.isa)
    core.set_num_threads(a.threads)
    peak = max(fma_peak(a.threads, a.isa)["float32"] for _ in range(3))  # of three: a neighbour may disturb one
    print(f"{a.isa}, {a.threads} thread{'s' if a.threads > 1 else ''}: peak {peak:.0f} GFLOP/s (float32)")
    print(f"{'':18}{'forward':>16}{'to input':>18}{'to kernel':>18}")
    rng = np.random.default_rng(0)

    def data(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype="float32")

    def show(layer: Layer, cells: list[str]) -> None:
        print(f"{layer.name:18}" + "".join(f"{cell:>18}" for cell in cells), flush=True)

    for layer in CONV + DEPTHWISE:
        if a.name and not any(part in layer.name for part in a.name):
            continue
        s = slide(layer.name, (layer.size,) * 2, layer.window, layer.stride, layer.padding)
        deep = layer not in DEPTHWISE
        x = data(layer.n, *(layer.size,) * 2, layer.c)
        kernel = data(*s.window, layer.c, layer.f)
        y = data(layer.n, *s.out, layer.f if deep else layer.c * layer.f)
        name = "conv" if deep else "depthwise_conv"
        cells = []
        for op, ins, shape in (
            (name, (x, kernel), y.shape),
            (f"{name}_grad_input", (y, kernel), x.shape),
            (f"{name}_grad_kernel", (x, y), kernel.shape),
        ):
            seconds = best(op, ins, shape, conv_attributes(s), a.repeat)
            flops = 2 * y.size * layer.window**2 * (layer.c if deep else 1)
            rate = (
                f"{flops / seconds / 1e9 / peak:6.0%}" if deep else f"{(x.nbytes + y.nbytes) / seconds / 1e9:.1f} GB/s"
            )
            cells.append(f"{seconds * 1e3:.2f} ms {rate}")
        show(layer, cells)
    for layer in POOL:
        if a.name and not any(part in layer.name for part in a.name):
            continue
        s = slide(layer.name, (layer.size,) * 2, layer.window, layer.stride, layer.padding)
        x, y = data(layer.n, *(layer.size,) * 2, layer.c), data(layer.n, *s.out, layer.c)
        for kind, grad in (("max_pool", (x, y)), ("avg_pool", (y,))):
            cells = []
            for op, ins, shape in ((kind, (x,), y.shape), (f"{kind}_grad", grad, x.shape)):
                seconds = best(op, ins, shape, pool_attributes(s), a.repeat)
                moved = sum(i.nbytes for i in ins) + 4 * int(np.prod(shape))
                cells.append(f"{seconds * 1e3:.2f} ms {moved / seconds / 1e9:.1f} GB/s")
            show(layer._replace(name=f"{layer.name} {kind[:3]}"), cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
