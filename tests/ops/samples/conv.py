"""Samples for kerasish/ops/conv.py; the references are those of the kernels."""

import numpy as np

from kerasish.ops.windows import slide, transpose_slide

from ...kernels import references
from ...kernels.windows import Case
from ..sample import Sample, rand


def geometry(sizes, window, strides, padding, dilation):
    s = slide("sample", tuple(sizes), tuple(window), strides, padding, dilation)
    return Case(tuple(sizes), tuple(window), s.strides, s.dilation, s.pads)


def attributes(strides=1, padding="valid", dilation=1):
    return {"strides": strides, "padding": padding, "dilation": dilation}


def conv(x, k, strides, padding, dilation):
    return references.conv(geometry(x.shape[1:-1], k.shape[:-2], strides, padding, dilation), x, k)


def conv_grad_input(g, k, sizes, groups, strides, padding, dilation):
    case = geometry(sizes, k.shape[:-2], strides, padding, dilation)
    return references.conv_grad_input(case, (len(g), *sizes, k.shape[-2] * groups), g, k)


def conv_grad_kernel(x, g, window, groups, strides, padding, dilation):
    case = geometry(x.shape[1:-1], window, strides, padding, dilation)
    return references.conv_grad_kernel(case, x, g, (*window, x.shape[-1] // groups, g.shape[-1]))


def depthwise(x, k, strides, padding, dilation):
    return references.depthwise(geometry(x.shape[1:-1], k.shape[:-2], strides, padding, dilation), x, k)


def depthwise_grad_input(g, k, sizes, groups, strides, padding, dilation):
    case = geometry(sizes, k.shape[:-2], strides, padding, dilation)
    return references.depthwise_grad_input(case, (len(g), *sizes, k.shape[-2]), g, k)


def depthwise_grad_kernel(x, g, window, groups, strides, padding, dilation):
    case = geometry(x.shape[1:-1], window, strides, padding, dilation)
    c = x.shape[-1]
    return references.depthwise_grad_kernel(case, x, g, (*window, c, g.shape[-1] // c))


def conv_transpose(x, k, strides, padding, output_padding, dilation):
    """Each input cell adds its kernel, `strides` apart, to a plane that is then cut to the output."""
    rank = x.ndim - 2
    s = transpose_slide("sample", x.shape[1:-1], k.shape[:-2], strides, padding, output_padding, dilation)
    reach = [(n - 1) * t + (w - 1) * d + 1 for n, t, w, d in zip(x.shape[1:-1], s.strides, s.window, s.dilation)]
    low = [p[0] for p in s.pads]
    y = np.zeros((len(x), *(max(r, n + lo) for r, n, lo in zip(reach, s.out, low)), k.shape[-2]))
    for cell in np.ndindex(*x.shape[1:-1]):
        for tap in np.ndindex(*k.shape[:-2]):
            at = tuple(c * t + w * d for c, t, w, d in zip(cell, s.strides, tap, s.dilation))
            y[(slice(None), *at)] += x[(slice(None), *cell)] @ k[tap].T
    return y[(slice(None), *(slice(low[i], low[i] + s.out[i]) for i in range(rank)))]


def family(name, x, k, groups, references, **kwargs):
    """Samples of the three ops of a family for one geometry."""
    attrs = attributes(**kwargs)
    case = geometry(x.shape[1:-1], k.shape[:-2], **{**attrs})
    filters = k.shape[-1] if name == "conv" else k.shape[-1] * k.shape[-2]
    g = rand(len(x), *case.out, filters, seed=2)
    explicit = {"groups": groups, "strides": case.strides, "padding": case.pads, "dilation": case.dilation}
    forward, grad_input, grad_kernel = references
    return [
        Sample(name, (x, k), attrs, forward),
        Sample(f"{name}_grad_input", (g, k), {"sizes": x.shape[1:-1], **explicit}, grad_input),
        Sample(f"{name}_grad_kernel", (x, g), {"window": k.shape[:-2], **explicit}, grad_kernel),
    ]


CONV = (conv, conv_grad_input, conv_grad_kernel)
DEPTHWISE = (depthwise, depthwise_grad_input, depthwise_grad_kernel)

SAMPLES = [
    *family("conv", rand(2, 5, 6, 3), rand(3, 3, 3, 4, seed=1), 1, CONV),
    *family("conv", rand(2, 6, 7, 4), rand(3, 2, 2, 6, seed=1), 2, CONV, strides=(2, 1), padding="same"),
    *family("conv", rand(1, 7, 6, 2), rand(2, 2, 2, 3, seed=1), 1, CONV, dilation=(2, 3), padding="same"),
    *family("conv", rand(2, 6, 6, 2), rand(2, 3, 2, 2, seed=1), 1, CONV, strides=(3, 2), dilation=2, padding="same"),
    *family("conv", rand(2, 9, 3), rand(3, 3, 4, seed=1), 1, CONV, padding="causal", dilation=2),
    *family("conv", rand(1, 4, 3, 4, 2), rand(2, 2, 2, 2, 3, seed=1), 1, CONV, strides=2, padding="same"),
    *family("conv", rand(1, 5, 5, 2), rand(1, 1, 2, 3, seed=1), 1, CONV, strides=2),
    *family("conv", rand(1, 1, 1, 1), rand(1, 1, 1, 1, seed=1), 1, CONV),
    *family("conv", rand(0, 4, 4, 2), rand(3, 3, 2, 3, seed=1), 1, CONV),
    *family("conv", rand(2, 4, 4, 17), rand(3, 3, 17, 33, seed=1), 1, CONV, padding="same"),
    *(
        Sample(
            "conv_bias",
            (rand(2, 6, 5, c), rand(3, 3, kc, f, seed=1), rand(f, seed=2)),
            attributes(strides=strides, padding=padding),
            lambda x, k, b, **a: conv(x, k, **a) + b,
        )
        for c, kc, f, strides, padding in [(3, 3, 4, 1, "valid"), (4, 2, 6, 2, "same"), (20, 20, 1, 1, "same")]
    ),
    *family("depthwise_conv", rand(2, 5, 6, 3), rand(3, 3, 3, 1, seed=1), 3, DEPTHWISE),
    *family("depthwise_conv", rand(2, 6, 5, 2), rand(2, 3, 2, 3, seed=1), 2, DEPTHWISE, strides=2, padding="same"),
    *family("depthwise_conv", rand(2, 9, 4), rand(3, 4, 2, seed=1), 4, DEPTHWISE, padding="causal", dilation=2),
    *family("depthwise_conv", rand(0, 5, 6, 3), rand(3, 3, 3, 1, seed=1), 3, DEPTHWISE),
    *family("depthwise_conv", rand(1, 5, 12, 17), rand(3, 3, 17, 1, seed=1), 17, DEPTHWISE, padding="same"),
    *(
        Sample(
            "conv_transpose",
            (rand(2, *sizes, 3), rand(*window, 2, 3, seed=1)),
            {"strides": strides, "padding": padding, "output_padding": output_padding, "dilation": dilation},
            conv_transpose,
        )
        for sizes, window, strides, padding, output_padding, dilation in [
            ((3, 4), (3, 3), 2, "same", None, 1),
            ((3, 4), (2, 3), (3, 2), "valid", None, 1),
            ((3, 2), (1, 2), 3, "valid", None, 1),  # gaps
            ((3, 4), (3, 3), 2, "same", 1, 1),
            ((3, 2), (3, 2), 1, "valid", 0, (2, 3)),
            ((5,), (4,), 2, "same", 0, 1),
            ((2, 2, 2), (3, 3, 2), 2, "same", None, 1),
        ]
    ),
]
