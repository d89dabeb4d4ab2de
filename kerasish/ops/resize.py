"""Resampling of images: resize and scale_and_translate, as one weighted sum for each spatial axis.

An output pixel is a sum of input pixels with the weights of a kernel at their distances, pixel centres lying at halves;
weights are normalised to sum to 1 (the rule of jax.image).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..engine.config import image_data_format
from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int, as_ints
from .cast import cast
from .matmul import matmul
from .pad import pad
from .rounding import round
from .saturate import saturate_cast
from .shape import moveaxis
from .slices import basic_slice

__all__ = ["resize", "scale_and_translate"]

FULL = (None, None, None)


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - x)


def _lanczos(radius: int):
    def kernel(x: np.ndarray) -> np.ndarray:
        near = x <= 1e-3
        y = radius * np.sin(np.pi * x) * np.sin(np.pi * x / radius)
        return np.where(x > radius, 0, np.where(near, 1, y / np.where(near, 1, np.pi**2 * x**2)))

    return kernel


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5 (Keys, 1981, Cubic convolution interpolation)."""
    inner = ((1.5 * x - 2.5) * x) * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, outer, inner))


_KERNELS = {
    "bilinear": _triangle,
    "linear": _triangle,
    "bicubic": _cubic,
    "cubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}
INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


def weights(n: int, length: int, scale: float, translation: float, method: str, antialias: bool) -> np.ndarray:
    """The matrix (n, length) whose columns weigh n input pixels for each of `length` output pixels."""
    spread = max(1 / scale, 1) if antialias else 1
    at = (np.arange(length) + 0.5) / scale - translation / scale - 0.5
    w = _KERNELS[method](np.abs(at[None, :] - np.arange(n)[:, None]) / spread)
    total = w.sum(axis=0, keepdims=True)
    seen = np.abs(total) > 1000 * np.finfo("float32").eps
    w = np.where(seen, w / np.where(seen, total, 1), 0)
    # A sample that lies wholly outside the image sees nothing.
    return np.where((at >= -0.5) & (at <= n - 0.5), w, 0)


@lru_cache(64)
def _matrix(n: int, length: int, method: str, antialias: bool) -> np.ndarray:
    if method == "nearest":
        out = np.zeros((n, length))
        out[_nearest(n, length), np.arange(length)] = 1
        return out
    return weights(n, length, length / n, 0.0, method, antialias)


def _nearest(n: int, length: int) -> np.ndarray:
    """The input pixel for each output pixel; in float32, as jax.image counts."""
    return np.floor((np.arange(length, dtype="float32") + np.float32(0.5)) * np.float32(n) / np.float32(length)).astype(
        int
    )


def _along(x: np.ndarray, matrix: np.ndarray, axis: int) -> np.ndarray:
    """The weighted sums along an axis; as products with (n, inner) slices, so that nothing is transposed."""
    rows = x.reshape(-1, x.shape[axis], int(np.prod(x.shape[axis + 1 :])))
    y = np.matmul(matrix.T.astype(x.dtype), rows)
    return y.reshape(*x.shape[:axis], matrix.shape[1], *x.shape[axis + 1 :])


def _resample_infer(x: Spec, axis: int, length: int, method: str, antialias: bool) -> Spec:
    if x.shape[axis] == 0:
        raise invalid("resize", "an axis without pixels cannot be resized", x=x, axis=axis)
    return Spec((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)


def _resample_host(x, axis, length, method, antialias):
    if method == "nearest":
        return np.take(x, _nearest(x.shape[axis], length), axis)
    return _along(x, _matrix(x.shape[axis], length, method, antialias), axis)


@lru_cache(64)
def _taps(
    n: int, length: int, method: str, antialias: bool, adjoint: bool
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The weights as the kernel takes them: how many for each output, where they start; the weights.

    For the adjoint, the rows of the matrix are the outputs.
    """
    matrix = _matrix(n, length, method, antialias)
    rows = matrix if adjoint else matrix.T
    used = rows != 0
    first = np.where(used.any(1), used.argmax(1), 0)
    last = np.where(used.any(1), rows.shape[1] - 1 - used[:, ::-1].argmax(1), 0)
    taps = int((last - first).max()) + 1
    start = np.minimum(first, rows.shape[1] - taps)
    picked = np.take_along_axis(rows, start[:, None] + np.arange(taps), 1)
    return (taps, *start.tolist()), tuple(picked.ravel().tolist())


def _kernel(adjoint: bool, host: Any) -> C:
    def taps(specs, a):
        n = a["source"] if adjoint else specs[0].shape[a["axis"]]
        return _taps(n, a["length"], a["method"], a["antialias"], adjoint)

    return C(
        "resample", i=lambda specs, a: (a["axis"], *taps(specs, a)[0]), f=lambda specs, a: taps(specs, a)[1], host=host
    )


resample_op = define_op(
    "resample",  # one axis of an image at another number of pixels
    inputs="x",
    infer=_resample_infer,
    kernel=_kernel(False, _resample_host),
    grad=(lambda ctx, g: resample_grad_op(g, source=ctx.specs[0].shape[ctx.attrs["axis"]], **ctx.attrs),),
)

resample_grad_op = define_op(
    "resample_grad",
    inputs="g",
    infer=lambda g, source, axis, length, method, antialias: Spec(
        (*g.shape[:axis], source, *g.shape[axis + 1 :]), g.dtype
    ),
    kernel=_kernel(
        True,
        lambda g, source, axis, length, method, antialias: _along(
            g, _matrix(source, length, method, antialias).T, axis
        ),
    ),
    grad=(lambda ctx, g: resample_op(g, **{k: v for k, v in ctx.attrs.items() if k != "source"}),),
)


def image_axes(where: str, images: Any, data_format: str | None) -> tuple[Any, int, int, int]:
    """The tensor, and its height, width and channel axes.

    Raises:
        ValueError: where it is of rank neither 3 nor 4, or for another data format.
    """
    images = as_input(images)
    data_format = image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise invalid(where, "`data_format` is 'channels_last' or 'channels_first'", data_format=data_format)
    n = len(images.shape)
    if n not in (3, 4):
        raise invalid(where, "images have rank 3 (one image) or 4 (a batch of images)", images=images)
    return (images, n - 3, n - 2, n - 1) if data_format == "channels_last" else (images, n - 2, n - 1, n - 3)


def _cropped(x: Any, axes: tuple[int, int], size: tuple[int, int]) -> Any:
    """The largest window in the middle that has the aspect ratio of `size`."""
    height, width = (x.shape[a] for a in axes)
    keep = (
        max(min(height, int(float(width * size[0]) / size[1])), 1),
        max(min(width, int(float(height * size[1]) / size[0])), 1),
    )
    key = [FULL] * len(x.shape)
    for axis, n, k in zip(axes, (height, width), keep):
        start = int(float(n - k) / 2)
        key[axis] = (start, start + k, None)
    return basic_slice(x, tuple(key))


def _padded(x: Any, axes: tuple[int, int], size: tuple[int, int], value: float) -> Any:
    """Bars above and below, or else left and right, that give the aspect ratio of `size`."""
    height, width = (x.shape[a] for a in axes)
    bars = (
        int(float(max(height, int(float(width * size[0]) / size[1])) - height) / 2),
        int(float(max(width, int(float(height * size[1]) / size[0])) - width) / 2),
    )
    widths = [(0, 0)] * len(x.shape)
    k = 0 if bars[0] > 0 else 1
    widths[axes[k]] = (bars[k], bars[k])
    return pad(x, widths, constant_values=value)


def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images at another size.

    Args:
        images: one image or a batch of images.
        size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: widen the kernel where images get smaller.
        crop_to_aspect_ratio: first cut the largest window in the middle with the ratio of `size`.
        pad_to_aspect_ratio: first add bars to reach the ratio of `size`.
        fill_mode: "constant".
        fill_value: value of the bars.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Returns:
        The images in their own dtype; integers are rounded and kept in range.

    Raises:
        ValueError: for a size that is not two positive integers, another rank, or an unknown interpolation.

    >>> import kerasish as keras
    >>> keras.ops.image.resize(keras.ops.ones((2, 4, 4, 3)), (2, 6)).shape
    (2, 2, 6, 3)
    """
    size = as_ints("resize", "size", size)
    if len(size) != 2 or min(size) < 1:
        raise invalid("resize", "`size` is two positive integers, height and width", size=size)
    if interpolation not in INTERPOLATIONS:
        raise invalid("resize", f"`interpolation` is one of {INTERPOLATIONS}", interpolation=interpolation)
    if fill_mode != "constant":
        raise invalid("resize", "`fill_mode` is 'constant'", fill_mode=fill_mode)
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise invalid(
            "resize", "only one of `pad_to_aspect_ratio` and `crop_to_aspect_ratio` can be true",
            pad_to_aspect_ratio=pad_to_aspect_ratio, crop_to_aspect_ratio=crop_to_aspect_ratio,
        )  # fmt: skip
    x, h, w, _ = image_axes("resize", images, data_format)
    dtype = x.dtype
    if (pad_to_aspect_ratio or crop_to_aspect_ratio) and None in (x.shape[h], x.shape[w]):
        raise invalid("resize", "keeping the aspect ratio needs a known height and width", images=x)
    if crop_to_aspect_ratio:
        x = _cropped(x, (h, w), size)
    elif pad_to_aspect_ratio:
        x = _padded(x, (h, w), size, fill_value)
    if interpolation != "nearest":
        x = cast(x, dtype if dtype in FLOATS else result_type(dtype, float))
    for axis, length in zip((h, w), size):
        if x.shape[axis] != length:
            x = resample_op(x, axis=axis, length=length, method=interpolation, antialias=bool(antialias))
    if x.dtype == dtype:
        return x
    return saturate_cast(round(x), dtype)


def _weights_host(scale, translation, n, length, method, antialias):
    return weights(n, length, float(scale), float(translation), method, antialias).astype(scale.dtype)


resample_weights_op = define_op(
    "resample_weights",
    inputs="scale translation",
    infer=lambda scale, translation, n, length, method, antialias: Spec((n, length), scale.dtype),
    kernel=Host(_weights_host),
    grad=None,
)

_METHODS = ("linear", "bilinear", "cubic", "bicubic", "lanczos3", "lanczos5")


def scale_and_translate(
    images: Any,
    output_shape: Any,
    scale: Any,
    translation: Any,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Any:
    """Images scaled and shifted: the output pixel at y shows the input at (y - translation) / scale.

    Args:
        images: a tensor.
        output_shape: shape of the result; it may differ from the images' in `spatial_dims` only.
        scale, translation: one number for each of `spatial_dims`. They have no gradient.
        spatial_dims: the axes that are scaled.
        method: "linear", "bilinear", "cubic", "bicubic", "lanczos3" or "lanczos5".
        antialias: widen the kernel where images get smaller.

    Raises:
        ValueError: for an unknown method, or shapes that do not fit.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((4, 4, 1))
    >>> keras.ops.image.scale_and_translate(x, (8, 8, 1), [2.0, 2.0], [0.0, 0.0], (0, 1), "linear").shape
    (8, 8, 1)
    """
    where = "scale_and_translate"
    if method not in _METHODS:
        raise invalid(where, f"`method` is one of {_METHODS}", method=method)
    x = as_input(images)
    x = cast(x, result_type(x.dtype, float))
    n = len(x.shape)
    shape = as_ints(where, "output_shape", output_shape)
    axes = tuple(a % n for a in as_ints(where, "spatial_dims", spatial_dims))
    scale, translation = (cast(v, x.dtype) for v in (scale, translation))
    if tuple(scale.shape) != (len(axes),) or tuple(translation.shape) != (len(axes),):
        raise invalid(
            where, "`scale` and `translation` need one number for each of `spatial_dims`",
            scale=scale, translation=translation, spatial_dims=axes,
        )  # fmt: skip
    if len(shape) != n or any(
        a != b for d, (a, b) in enumerate(zip(shape, x.shape)) if d not in axes and b is not None
    ):
        raise invalid(
            where, "`output_shape` may differ from the images' in `spatial_dims` only", images=x, output_shape=shape
        )
    for k, axis in enumerate(axes):
        if x.shape[axis] is None:
            raise invalid(where, "the axes that are scaled must be of known length", images=x)
        matrix = resample_weights_op(
            basic_slice(scale, (k,)), basic_slice(translation, (k,)), n=x.shape[axis],
            length=as_int(where, "output_shape", shape[axis]), method=method, antialias=bool(antialias),
        )  # fmt: skip
        x = moveaxis(matmul(moveaxis(x, axis, -1), matrix), -1, axis)
    return x
