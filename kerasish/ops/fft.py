"""Fourier transforms on (real, imaginary) pairs, short-time transforms, frames of sequences.

The transforms are linear, so each gradient is the transform's adjoint, an op of the same kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int
from .cast import cast
from .math import divide, multiply
from .pad import pad
from .slices import basic_slice

__all__ = [
    "extract_sequences", "fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft",
]  # fmt: skip

_COMPLEX = {"float16": "complex64", "float32": "complex64", "float64": "complex128"}


def _pair(y: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    return y.real.astype(dtype), y.imag.astype(dtype)


def _complex(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    return real + 1j * imag.astype(_COMPLEX[str(imag.dtype)])


def _fft_infer(real: Spec, imag: Spec, rank: int, inverse: bool, norm: str) -> tuple[Spec, Spec]:
    name = "fft" if rank == 1 else "ifft2" if inverse else "fft2"
    if real.dtype not in FLOATS or imag.dtype != real.dtype:
        raise invalid(name, "both parts must be of the same floating dtype", real=real.dtype, imag=imag.dtype)
    if len(real.shape) != len(imag.shape) or any(None not in p and p[0] != p[1] for p in zip(real.shape, imag.shape)):
        raise invalid(name, "both parts must have the same shape", real=real, imag=imag)
    if real.ndim < rank or 0 in real.shape[-rank:]:
        raise invalid(name, f"x needs {rank} dimensions that are not empty", real=real)
    return real, imag


def _fft_host(real, imag, rank, inverse, norm):
    fn = np.fft.ifftn if inverse else np.fft.fftn
    return _pair(fn(_complex(real, imag), axes=tuple(range(-rank, 0)), norm=norm), real.dtype)


def _fft_grad(ctx, *gs):
    # The adjoint of F is its conjugate: the other direction, scaled the other way round.
    norm = "forward" if ctx.attrs["norm"] == "backward" else "backward"
    return fft_op(*gs, rank=ctx.attrs["rank"], inverse=not ctx.attrs["inverse"], norm=norm)


fft_op = define_op(
    "fft",
    inputs="real imag",
    outputs="y_real y_imag",
    infer=_fft_infer,
    kernel=Host(_fft_host),
    grad=_fft_grad,
)


def _parts(where: str, x: Any) -> tuple[Any, Any]:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise invalid(where, "x is a pair of tensors, the real and the imaginary part", x=x)
    return as_input(x[0]), as_input(x[1])


def fft(x: Any) -> tuple:
    """The discrete Fourier transform along the last axis: y_k = sum_j x_j exp(-2 pi i j k / n).

    Args:
        x: pair of floating tensors, the real and the imaginary part.

    Returns:
        The pair of the result.

    Raises:
        ValueError: where x is no such pair, or the parts differ in shape.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.fft(([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]))
    >>> real.numpy()
    array([1., 1., 1., 1.], dtype=float32)
    """
    return fft_op(*_parts("fft", x), rank=1, inverse=False, norm="backward")


def fft2(x: Any) -> tuple:
    """The discrete Fourier transform along the last two axes; as `fft`.

    >>> import kerasish as keras
    >>> keras.ops.fft2((keras.ops.ones((2, 2)), keras.ops.zeros((2, 2))))[0].numpy()
    array([[4., 0.],
           [0., 0.]], dtype=float32)
    """
    return fft_op(*_parts("fft2", x), rank=2, inverse=False, norm="backward")


def ifft2(x: Any) -> tuple:
    """The inverse of `fft2`.

    >>> import kerasish as keras
    >>> keras.ops.ifft2((keras.ops.ones((2, 2)), keras.ops.zeros((2, 2))))[0].numpy()
    array([[1., 0.],
           [0., 0.]], dtype=float32)
    """
    return fft_op(*_parts("ifft2", x), rank=2, inverse=True, norm="backward")


def _bins(n: int | None) -> int | None:
    return None if n is None else n // 2 + 1


def _rfft_infer(x: Spec, fft_length: int | None) -> tuple[Spec, Spec]:
    if x.dtype not in FLOATS or not x.ndim:
        raise invalid("rfft", "x is a floating tensor of rank 1 or more", x=x, dtype=x.dtype)
    n = x.shape[-1] if fft_length is None else fft_length
    if n == 0:
        raise invalid("rfft", "the transform needs at least one point", x=x, fft_length=fft_length)
    out = Spec((*x.shape[:-1], _bins(n)), x.dtype)
    return out, out


def _rfft_grad(ctx, *gs):
    n = ctx.specs[0].shape[-1]
    return [rfft_grad_op(*gs, length=n, fft_length=n if ctx.attrs["fft_length"] is None else ctx.attrs["fft_length"])]


rfft_op = define_op(
    "rfft",
    inputs="x",
    outputs="y_real y_imag",
    infer=_rfft_infer,
    kernel=Host(lambda x, fft_length: _pair(np.fft.rfft(x, fft_length), x.dtype)),
    grad=_rfft_grad,
)


def _fit_last(x: np.ndarray, n: int) -> np.ndarray:
    """The last axis cut or filled with zeros to length n."""
    if x.shape[-1] >= n:
        return x[..., :n]
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n - x.shape[-1])])


def _rfft_grad_host(g_real, g_imag, length, fft_length):
    # dx_j = Re sum_k g_k exp(2 pi i j k / n), over the bins that rfft gives only.
    full = _fit_last(_complex(g_real, g_imag), fft_length)
    dx = np.fft.ifft(full, norm="forward").real
    return _fit_last(dx, length).astype(g_real.dtype)


rfft_grad_op = define_op(
    "rfft_grad",
    inputs="g_real g_imag",
    infer=lambda g_real, g_imag, length, fft_length: Spec((*g_real.shape[:-1], length), g_real.dtype),
    kernel=Host(_rfft_grad_host),
    grad=lambda ctx, g: rfft_op(g, fft_length=ctx.attrs["fft_length"]),
)


def rfft(x: Any, fft_length: int | None = None) -> tuple:
    """The first n // 2 + 1 values of the Fourier transform of real numbers along the last axis.

    Args:
        x: a floating tensor.
        fft_length: n: x is cut or filled with zeros to it; by default the length of the axis.

    Returns:
        The pair of real and imaginary part.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.rfft([0.0, 1.0, 0.0, -1.0])
    >>> imag.numpy()
    array([ 0., -2.,  0.], dtype=float32)
    """
    x = as_input(x)
    if x.dtype not in FLOATS:
        x = cast(x, standardize_dtype(None))
    return rfft_op(x, fft_length=None if fft_length is None else _positive("rfft", "fft_length", fft_length))


def _positive(where: str, name: str, value: Any) -> int:
    n = as_int(where, name, value)
    if n < 1:
        raise invalid(where, f"`{name}` is positive", **{name: value})
    return n


def _irfft_infer(real: Spec, imag: Spec, fft_length: int | None) -> Spec:
    if real.dtype not in FLOATS or imag.dtype != real.dtype:
        raise invalid("irfft", "both parts must be of the same floating dtype", real=real.dtype, imag=imag.dtype)
    if len(real.shape) != len(imag.shape) or any(None not in p and p[0] != p[1] for p in zip(real.shape, imag.shape)):
        raise invalid("irfft", "both parts must have the same shape", real=real, imag=imag)
    if not real.ndim or (fft_length is None and real.shape[-1] is not None and real.shape[-1] < 2):
        raise invalid("irfft", "the transform needs at least one point", real=real, fft_length=fft_length)
    n = fft_length
    if n is None and real.shape[-1] is not None:
        n = 2 * (real.shape[-1] - 1)
    return Spec((*real.shape[:-1], n), real.dtype)


irfft_op = define_op(
    "irfft",
    inputs="real imag",
    infer=_irfft_infer,
    kernel=Host(lambda real, imag, fft_length: np.fft.irfft(_complex(real, imag), fft_length)),
    grad=lambda ctx, g: irfft_grad_op(g, bins=ctx.specs[0].shape[-1]),
)


def _irfft_grad_host(g, bins):
    n = g.shape[-1]
    weight = np.full(n // 2 + 1, 2.0)
    weight[0] = 1
    if n % 2 == 0:
        weight[-1] = 1
    return _pair(_fit_last(np.fft.rfft(g) * (weight / n), bins), g.dtype)


irfft_grad_op = define_op(
    "irfft_grad",
    inputs="g",
    outputs="dx_real dx_imag",
    infer=lambda g, bins: (Spec((*g.shape[:-1], bins), g.dtype),) * 2,
    kernel=Host(_irfft_grad_host),
    grad=lambda ctx, *gs: [irfft_op(*gs, fft_length=ctx.specs[0].shape[-1])],
)


def irfft(x: Any, fft_length: int | None = None) -> Any:
    """The inverse of `rfft`: n real numbers from n // 2 + 1 complex ones.

    Args:
        x: pair of floating tensors, the real and the imaginary part.
        fft_length: n; by default 2 (bins - 1).

    Raises:
        ValueError: where x is no such pair, or the parts differ in shape.

    >>> import kerasish as keras
    >>> keras.ops.irfft(keras.ops.rfft([0.0, 1.0, 2.0, 3.0])).numpy()
    array([0., 1., 2., 3.], dtype=float32)
    """
    parts = _parts("irfft", x)
    return irfft_op(*parts, fft_length=None if fft_length is None else _positive("irfft", "fft_length", fft_length))


# Frames.


def _frame_infer(x: Spec, length: int, stride: int) -> Spec:
    n = x.shape[-1] if x.ndim else None
    if not x.ndim or (n is not None and n < length):
        raise invalid("extract_sequences", "the last axis must hold at least one sequence", x=x, sequence_length=length)
    return Spec((*x.shape[:-1], None if n is None else (n - length) // stride + 1, length), x.dtype)


frame_op = define_op(
    "extract_sequences",
    inputs="x",
    infer=_frame_infer,
    kernel=Host(lambda x, length, stride: np.lib.stride_tricks.sliding_window_view(x, length, -1)[..., ::stride, :]),
    grad=(lambda ctx, g: overlap_add_op(g, stride=ctx.attrs["stride"], length=ctx.specs[0].shape[-1]),),
)


def _overlap_host(frames, stride, length=None):
    *lead, count, size = frames.shape
    n = size + stride * (count - 1) if length is None else length
    out = np.zeros((*lead, n), frames.dtype)
    for k in range(count):
        out[..., k * stride : k * stride + size] += frames[..., k, :]
    return out


def _overlap_infer(frames: Spec, stride: int, length: int | None = None) -> Spec:
    count, size = frames.shape[-2:]
    if length is None and count is not None:
        length = size + stride * (count - 1)
    return Spec((*frames.shape[:-2], length), frames.dtype)


overlap_add_op = define_op(
    "overlap_add",  # the adjoint of extract_sequences
    inputs="frames",
    infer=_overlap_infer,
    kernel=Host(_overlap_host),
    grad=(lambda ctx, g: frame_op(g, length=ctx.specs[0].shape[-1], stride=ctx.attrs["stride"]),),
)


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Overlapping pieces of the last axis: (..., n) to (..., pieces, sequence_length).

    Raises:
        ValueError: where the axis is shorter than a piece, or a length or stride is not positive.

    >>> import kerasish as keras
    >>> keras.ops.extract_sequences([1, 2, 3, 4, 5, 6], 3, 2).numpy()
    array([[1, 2, 3],
           [3, 4, 5]], dtype=int32)
    """
    length = _positive("extract_sequences", "sequence_length", sequence_length)
    return frame_op(x, length=length, stride=_positive("extract_sequences", "sequence_stride", sequence_stride))


def _window(where: str, window: Any, sequence_length: int, fft_length: int, dtype: str) -> np.ndarray | None:
    """The window, centred in fft_length points; the periodic Hann or Hamming window by name."""
    if fft_length < sequence_length:
        raise invalid(
            where, "`fft_length` is at least `sequence_length`", sequence_length=sequence_length, fft_length=fft_length
        )
    left = (fft_length - sequence_length) // 2
    if window is None:
        return None
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise invalid(where, "`window` is 'hann', 'hamming', a tensor or None", window=window)
        values = {"hann": np.hanning, "hamming": np.hamming}[window](sequence_length + 1)[:-1]
    else:
        values = np.asarray(window)
        if values.shape != (sequence_length,):
            raise invalid(where, f"`window` has shape ({sequence_length},)", window=values)
    return np.pad(values, (left, fft_length - sequence_length - left)).astype(dtype)


def stft(
    x: Any, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True
) -> tuple:
    """Fourier transforms of overlapping pieces: (..., n) to a pair of (..., pieces, fft_length // 2 + 1).

    Args:
        x: a float32 or float64 tensor.
        sequence_length: length of a piece.
        sequence_stride: distance of two pieces.
        fft_length: length of the transform, at least `sequence_length`.
        window: "hann" or "hamming" (periodic), a vector of `sequence_length` weights, or None.
        center: reflect x at its ends, so that piece k is centred on k * sequence_stride.

    Raises:
        TypeError: for another dtype.
        ValueError: for lengths or a window that do not fit.

    >>> import kerasish as keras
    >>> real, imag = keras.ops.stft(keras.ops.ones((16,)), 4, 2, 4)
    >>> real.shape
    (9, 3)
    """
    x = as_input(x)
    if x.dtype not in ("float32", "float64"):
        raise invalid("stft", "x is of dtype float32 or float64", kind=TypeError, dtype=x.dtype)
    length = _positive("stft", "sequence_length", sequence_length)
    stride = _positive("stft", "sequence_stride", sequence_stride)
    n = _positive("stft", "fft_length", fft_length)
    weights = _window("stft", window, length, n, x.dtype)
    if center:
        x = pad(x, [(0, 0)] * (len(x.shape) - 1) + [(n // 2, n // 2)], mode="reflect")
    frames = frame_op(x, length=n, stride=stride)
    if weights is not None:
        frames = multiply(frames, weights)
    return rfft_op(frames, fft_length=n)


def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """The inverse of `stft`: overlapping pieces are added and divided by the sum of their squared windows.

    Args:
        x: pair of tensors (..., pieces, fft_length // 2 + 1).
        sequence_length, sequence_stride, fft_length, window, center: as `stft` was called.
        length: length of the result; by default all that the pieces cover.

    Raises:
        ValueError: for parts, lengths or a window that do not fit.

    >>> import kerasish as keras
    >>> x = keras.ops.sin(keras.ops.arange(16.0))
    >>> y = keras.ops.istft(keras.ops.stft(x, 4, 2, 4), 4, 2, 4)
    >>> bool(keras.ops.all(keras.ops.abs(x - y) < 1e-5))
    True
    """
    real, imag = _parts("istft", x)
    if len(real.shape) < 2 or real.shape[-2] is None:
        raise invalid("istft", "x needs two dimensions or more, with a known number of pieces", x=real)
    size = _positive("istft", "sequence_length", sequence_length)
    stride = _positive("istft", "sequence_stride", sequence_stride)
    n = _positive("istft", "fft_length", fft_length)
    weights = _window("istft", window, size, n, real.dtype)
    frames = irfft_op(real, imag, fft_length=n)
    squares = np.ones(n, real.dtype) if weights is None else weights * weights
    if weights is not None:
        frames = multiply(frames, weights)
    total = overlap_add_op(frames, stride=stride)
    cover = _overlap_host(np.broadcast_to(squares, (real.shape[-2], n)), stride)
    total = divide(total, np.where(cover > 1e-10, cover, 1).astype(real.dtype))
    start = n // 2 if center else 0
    end = start + length if length is not None else total.shape[-1] - start
    full = ((None, None, None),) * (len(total.shape) - 1)
    return basic_slice(total, (*full, (start, end, None)))
