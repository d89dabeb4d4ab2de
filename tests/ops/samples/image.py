"""Samples for the ops behind ops.image."""

import numpy as np

from ..sample import Sample, rand


def taps(n, length, method):
    """Weights by the definition, one output pixel at a time, for kernels without antialiasing."""
    kernels = {
        "bilinear": lambda d: max(0.0, 1 - d),
        "bicubic": lambda d: (
            1.5 * d**3 - 2.5 * d**2 + 1 if d < 1 else -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2 if d < 2 else 0
        ),
        "lanczos3": lambda d: np.sinc(d) * np.sinc(d / 3) if d < 3 else 0.0,
    }
    out = np.zeros((n, length))
    for j in range(length):
        at = (j + 0.5) * n / length - 0.5
        if method == "nearest":
            out[int(np.floor((j + 0.5) * n / length)), j] = 1
            continue
        w = np.array([kernels[method](abs(at - i)) for i in range(n)])
        out[:, j] = w / w.sum()
    return out


def resample(x, axis, length, method, antialias):
    return np.moveaxis(np.tensordot(x, taps(x.shape[axis], length, method), (axis, 0)), -1, axis)


def resample_grad(g, source, axis, length, method, antialias):
    return np.moveaxis(np.tensordot(g, taps(source, length, method), (axis, 1)), -1, axis)


def weights(scale, translation, n, length, method, antialias):
    out = np.zeros((n, length))
    spread = max(1 / scale, 1) if antialias else 1
    for j in range(length):
        at = (j + 0.5 - translation) / scale - 0.5
        w = np.maximum(0, 1 - np.abs(at - np.arange(n)) / spread)
        if -0.5 <= at <= n - 0.5 and w.sum() > 0:
            out[:, j] = w / w.sum()
    return out


def patches(x, size, strides, dilation, padding):
    if padding == "same":
        pads = []
        for n, k, s, d in zip(x.shape[1:-1], size, strides, dilation):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            pads.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation)]
    out = [(n - e) // s + 1 for n, e, s in zip(x.shape[1:-1], spans, strides)]
    y = np.zeros((x.shape[0], *out, int(np.prod(size)) * x.shape[-1]))
    for at in np.ndindex(*out):
        window = tuple(slice(a * s, a * s + e, d) for a, s, e, d in zip(at, strides, spans, dilation))
        y[(slice(None), *at)] = x[(slice(None), *window)].reshape(x.shape[0], -1)
    return y


def patches_grad(g, shape, **attrs):
    eye = np.eye(int(np.prod(shape[1:])))
    columns = patches(eye.reshape(-1, *shape[1:]), **attrs).reshape(len(eye), -1)
    return (g.reshape(g.shape[0], -1) @ columns.T).reshape(shape)


SAMPLES = [
    *(Sample("resample", (rand(2, 5, 3),), {"axis": 1, "length": n, "method": m, "antialias": False}, resample)
      for n in (3, 5, 8) for m in ("nearest", "bilinear", "bicubic", "lanczos3")),
    *(Sample("resample_grad", (rand(2, 8, 3),), {"source": 5, "axis": 1, "length": 8, "method": m, "antialias": False},
             resample_grad) for m in ("nearest", "bilinear", "bicubic")),
    Sample("resample_weights", (np.array(2.5), np.array(-0.7)),
           {"n": 5, "length": 9, "method": "linear", "antialias": True}, weights),
    Sample("resample_weights", (np.array(0.4), np.array(1.2)),
           {"n": 9, "length": 6, "method": "linear", "antialias": True}, weights),
    Sample("extract_patches", (rand(2, 6, 7, 2),),
           {"size": (3, 2), "strides": (2, 1), "dilation": (1, 2), "padding": "valid"}, patches),
    Sample("extract_patches", (rand(1, 5, 4, 1),),
           {"size": (2, 3), "strides": (2, 2), "dilation": (1, 1), "padding": "same"}, patches),
    Sample("extract_patches", (rand(1, 3, 4, 4, 2),),
           {"size": (2, 2, 2), "strides": (1, 2, 2), "dilation": (1, 1, 1), "padding": "valid"}, patches),
    Sample("extract_patches_grad", (rand(1, 2, 3, 12),),
           {"shape": (1, 6, 4, 2), "size": (3, 2), "strides": (2, 1), "dilation": (1, 1), "padding": "valid"},
           patches_grad),
    Sample("extract_patches_grad", (rand(1, 3, 2, 6),),
           {"shape": (1, 5, 4, 1), "size": (2, 3), "strides": (2, 2), "dilation": (1, 1), "padding": "same"},
           patches_grad),
]  # fmt: skip
