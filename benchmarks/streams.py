"""The shapes of what memory or elementary functions limit: normalization, losses, elementwise, reductions, moves.

Each case states the operations of its formula (operations.py), not those of its kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from case import Case, plain

CHANNELS = [  # batch normalization: name, rows, channels
    ("resnet20 16", 131072, 16),
    ("resnet20 32", 32768, 32),
    ("resnet20 64", 8192, 64),
    ("separable 128", 8192, 128),
    ("odd 19", 6728, 19),
]
ROWS = [("transformer 64", 3200, 64), ("bert 768", 4096, 768), ("odd 100", 4001, 100)]  # layer normalization
CLASSES = [("10", 128, 10), ("10, many", 65536, 10), ("2", 4096, 2), ("1000", 128, 1000), ("scores 100", 12800, 100)]
DTYPES = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
)  # fmt: skip  # in the order of kr_dtype


def _numpy_softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _numpy_batch_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    mean, var = x.mean(0), x.var(0)
    return (x - mean) * (gamma / np.sqrt(var + 1e-3)) + beta


def _numpy_layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    d = x - x.mean(-1, keepdims=True)
    return d / np.sqrt((d * d).mean(-1, keepdims=True) + 1e-3) * gamma + beta


# fmt: off
def _norms() -> Iterator[Case]:
    for name, rows, c in CHANNELS:
        x, v, n = (rows, c), (c,), rows * c
        yield Case("batch_norm", name, "batch_norm", (x, v, v), (x, v, v), (1,), (1e-3,), 7 * n, 1, _numpy_batch_norm,
                   lambda t, x, g, b: t.nn.functional.batch_norm(x, None, None, g, b, True), 4 * n, plain(4 * n))
        yield Case("batch_norm", name, "batch_norm_grad", (x, v, v, v, x, v, v), (x, v, v), (1,), (1e-3,), 9 * n,
                   again=8 * n, work=plain(4 * n))
        yield Case("batch_norm", f"{name} behind relu", "batch_norm_grad", (x, v, v, v, x, v, v, v), (x, v, v), (1,),
                   (1e-3,), 12 * n, again=8 * n, work=plain(6 * n))
        yield Case("batch_norm", name, "batch_norm_inference", (x, v, v, v, v), (x,), (1,), (1e-3,), 3 * n,
                   work=plain(n))
    for name, rows, c in ROWS:
        x, v, n = (rows, c), (c,), rows * c
        # Sum, difference, sum of squares; scaled twice and shifted.
        yield Case("layer_norm", name, "layer_norm", (x, v, v), (x,), (1,), (1e-3,), 8 * n, 1, _numpy_layer_norm,
                   lambda t, x, g, b: t.nn.functional.layer_norm(x, (x.shape[1],), g, b), 0, plain(5 * n))
        # The same statistics; xhat, u and their two sums; the sums for gamma and beta; dx.
        yield Case("layer_norm", name, "layer_norm_grad", (x, v, x), (x, v, v), (1,), (1e-3,), 15 * n,
                   work=plain(11 * n))


def _losses() -> Iterator[Case]:
    for name, rows, c in CLASSES:
        x, r, n = (rows, c), (rows,), rows * c
        label = (r, "int32")
        terms = ("exp", n), ("plain", 3 * n)  # maximum, difference, sum
        yield Case("softmax", name, "softmax", (x,), (x,), (1, 2), (), 20 * n, 1, _numpy_softmax,
                   lambda t, x: x.softmax(-1), 0, (*terms, ("plain", n)))
        yield Case("softmax", name, "softmax_grad", (x, x), (x,), (1, 2), (), 4 * n, work=plain(3 * n))
        yield Case("softmax", name, "log_softmax", (x,), (x,), (1, 2), (), 20 * n, 1, None,
                   lambda t, x: x.log_softmax(-1), 0, (*terms, ("plain", n), ("log", rows)))
        for loss, second, dense in (("sparse_", label, 0), ("", x, 1)):
            log, twice = ("log", n if dense else rows), ("plain", 2 * dense * n)
            for kernel, operands, flops, work in (
                ("softmax_cross_entropy", (x, second), 20, (*terms, twice, ("log", rows))),
                ("softmax_cross_entropy_grad", (x, second, r), 20, (*terms, twice, ("plain", n))),
                ("cross_entropy", (x, second), 2, (("plain", (1 + 4 * dense) * n), log)),
                ("cross_entropy_grad", (x, second, r), 3, (("plain", (1 + 6 * dense) * n), ("division", dense * n))),
            ):
                yield Case("loss", name, loss + kernel, operands, (x if kernel.endswith("grad") else r,), (),
                           () if kernel.startswith("softmax") else (1e-7,), flops * n, c, work=work)


def _elementwise() -> Iterator[Case]:
    numpy = {"exp": np.exp, "tanh": np.tanh, "sqrt": np.sqrt, "log": np.log, "relu": lambda x: np.maximum(x, 0),
             "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
    for name, shape in (("cache", (128, 512)), ("cnn 26x32", (128, 26, 26, 32))):
        n = float(np.prod(shape))
        for op in ("relu", "exp", "log", "tanh", "sigmoid", "gelu", "erf", "sqrt"):
            torch = (lambda t, x, op=op: getattr(t, op)(x)) if op not in ("gelu",) else None
            yield Case("elementwise", name, op, (shape,), (shape,), (), (), n, 1, numpy.get(op), torch, 0,
                       (("plain" if op == "relu" else op, n),))
        for op, second in (("add", shape), ("add", ()), ("add", shape[-1:]), ("multiply", shape), ("relu_grad", shape)):
            label = name if second == shape else f"{name} + {second}"
            fn = {"add": np.add, "multiply": np.multiply}.get(op)
            torch = None if fn is None else lambda t, a, b, op=op: getattr(t, {"multiply": "mul"}.get(op, op))(a, b)
            yield Case("elementwise", label, op, (shape, second), (shape,), (), (), n, 1, fn, torch, 0, plain(n))
        yield Case("elementwise", name, "select", ((shape, "bool"), shape, shape), (shape,), (), (), 0, 2, np.where,
                   lambda t, c, a, b: t.where(c, a, b), 0, plain(n))
        for source, target in (("uint8", "float32"), ("bool", "float32"), ("int32", "float32"), ("float32", "int32"),
                               ("float32", "float16"), ("float16", "float32"), ("float64", "float32")):
            yield Case("elementwise", f"{name} {source} to {target}", "cast", ((shape, source),), ((shape, target),),
                       (DTYPES.index(target),), (), 0, 2, lambda x, t=target: x.astype(t), None, 0, plain(n))


def _reductions() -> Iterator[Case]:
    n = 1 << 22
    for name, shape, axes in (
        ("whole", (n,), (0,)), ("rows", (4096, 1024), (1,)), ("rows of 10", (n // 10, 10), (1,)),
        ("columns", (4096, 1024), (0,)), ("64 columns", (65536, 64), (0,)), ("images", (64, 256, 256), (1,)),
    ):
        kept = tuple(d for k, d in enumerate(shape) if k not in axes)
        bits = (sum(1 << a for a in axes),)
        for op, fn in (("sum", np.sum), ("max", np.max)):
            torch = {"sum": lambda t, x, a=axes: x.sum(a), "max": lambda t, x, a=axes: x.amax(a)}[op]
            yield Case("reduce", name, op, (shape,), (kept,), bits, (), float(np.prod(shape)), 1,
                       lambda x, fn=fn, a=axes: fn(x, axis=a), torch, 0, plain(np.prod(shape)))
        yield Case("reduce", name, "argmax", (shape,), ((kept, "int32"),), (axes[0], axes[0] + 1), (), 0, 1,
                   lambda x, a=axes: np.argmax(x, a[0]), lambda t, x, a=axes: x.argmax(a[0]), 0,
                   plain(np.prod(shape)))
    for name, shape, axis in (
        ("rows", (4096, 1024), 1), ("rows of 10", (n // 10, 10), 1), ("columns", (4096, 1024), 0),
    ):
        yield Case("reduce", name, "cumsum", (shape,), (shape,), (axis, 0), (), 0, 1, lambda x, a=axis: np.cumsum(x, a),
                   lambda t, x, a=axis: x.cumsum(a), 0, plain(n))


def _slice(shape: tuple, begin: tuple, step: tuple, count: tuple) -> tuple:
    """Of strided_slice: the inputs, the output and the attributes."""
    return (shape,), count, (*begin, *step, *count)


def _transpose(shape: tuple, perm: tuple) -> tuple:
    return (shape,), tuple(shape[p] for p in perm), perm


def _moves() -> Iterator[Case]:
    """Copies: what is left out, repeated, joined and put into another order."""
    x = (2048, 1024)
    for name, i, numpy, skips in (  # skips: whether what is left out fills lines of the caches, which are then not read
        ("whole rows", _slice(x, (512, 0), (1, 1), (1024, 1024)), lambda v: v[512:1536], True),
        ("every other row", _slice(x, (0, 0), (2, 1), (1024, 1024)), lambda v: v[::2], True),
        ("half of each row", _slice(x, (0, 100), (1, 1), (2048, 512)), lambda v: v[:, 100:612], True),
        ("every other column", _slice(x, (0, 0), (1, 2), (2048, 512)), lambda v: v[:, ::2], False),
        ("10 of 16 columns", _slice((131072, 16), (0, 3), (1, 1), (131072, 10)), lambda v: v[:, 3:13], False),
    ):
        ins, out, i = i
        unread = np.prod(out) - np.prod(ins[0]) if skips else 0
        yield Case("move", name, "strided_slice", ins, (out,), i, (), 0, 1, lambda v, fn=numpy: fn(v).copy(),
                   None, 4 * unread)
    for name, shape, perm in (
        ("2-D", x, (1, 0)), ("2-D, in L2", (512, 256), (1, 0)), ("2-D, odd", (2047, 1023), (1, 0)),
        ("NHWC to NCHW", (16, 56, 56, 64), (0, 3, 1, 2)), ("NCHW to NHWC", (16, 64, 56, 56), (0, 2, 3, 1)),
        ("RGB to NCHW", (128, 64, 64, 3), (0, 3, 1, 2)), ("NCHW to RGB", (128, 3, 64, 64), (0, 2, 3, 1)),
        ("heads of 16", (32, 100, 4, 16), (0, 2, 1, 3)), ("heads of 64", (16, 512, 8, 64), (0, 2, 1, 3)),
    ):
        ins, out, i = _transpose(shape, perm)
        yield Case("move", name, "transpose", ins, (out,), i, (), 0, 1, lambda v, p=perm: v.transpose(p).copy(),
                   lambda t, v, p=perm: v.permute(p).contiguous())
    for name, shape in (("rows", (1024,)), ("columns", (2048, 1))):
        yield Case("move", name, "broadcast_to", (shape,), (x,), (), (), 0, 1, lambda v: np.broadcast_to(v, x).copy(),
                   lambda t, v: v.expand(x).contiguous())
    for name, a, b, axis in (
        ("rows", x, x, 0), ("channels 64 + 64", (8192, 64), (8192, 64), 1),
        ("channels 10 + 6", (131072, 10), (131072, 6), 1),
    ):
        out = tuple(p + q if d == axis else p for d, (p, q) in enumerate(zip(a, b, strict=True)))
        yield Case("move", name, "concatenate", (a, b), (out,), (axis,), (), 0, 1,
                   lambda p, q, d=axis: np.concatenate((p, q), d), lambda t, p, q, d=axis: t.cat((p, q), d))
    for name, n, size, c in (("images", 64, 56, 16), ("RGB", 128, 64, 3)):
        yield Case("move", name, "pad", ((n, size, size, c),), ((n, size + 2, size + 2, c),), (0, 1, 1, 0, 0), (0.0,),
                   0, 1, lambda v: np.pad(v, ((0, 0), (1, 1), (1, 1), (0, 0))),
                   lambda t, v: t.nn.functional.pad(v, (0, 0, 1, 1, 1, 1)))
    for rows, classes in ((65536, 10), (2048, 1000)):
        yield Case("move", f"{classes} classes", "one_hot", (((rows,), "int32"),), ((rows, classes),), (1,), (), 0,
                   classes, lambda v, c=classes: np.arange(c, dtype="int32") == v[:, None])


def _others() -> Iterator[Case]:
    n = 1_600_000
    w, at = (n,), ((3200,), "int32")
    rate = ((), "float32")
    yield Case("update", "1.6 M weights", "sgd_momentum_update", (w, w, rate, w), (w, w), (0,), (0.0, 0.9), 4.0 * n,
               work=plain(3 * n))
    yield Case("update", "1.6 M weights", "adam_update", (w, w, rate, rate, w, w), (w, w, w), (0,),
               (0.0, 0.9, 0.999, 1e-7), 12.0 * n, work=(("plain", 7 * n), ("sqrt", n), ("division", n)))
    yield Case("embedding", "20000x64", "gather", ((20000, 64), at), ((3200, 64),), (0, 0), (), 0, 20000,
               lambda t, i: t[i], lambda t, x, i: x[i.long()], -4 * 64 * (20000 - 3200))
    yield Case("embedding", "20000x64", "gather_grad", ((3200, 64), at), ((20000, 64),), (0, 0), (), 0, 20000)
    dropped = 128 * 1600
    yield Case("random", "dropout 128x1600", "dropout", ((128, 1600), ((2,), "uint32")), ((128, 1600),), (), (0.5,),
               dropped, 99, None, lambda t, x, s: t.nn.functional.dropout(x, 0.5), 0,
               (("philox", dropped), ("plain", 2 * dropped)))
# fmt: on


FAMILIES = (_norms, _losses, _elementwise, _reductions, _moves, _others)
