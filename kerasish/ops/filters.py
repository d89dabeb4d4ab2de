"""Images filtered by small fixed kernels: Gaussian blur, Sobel edges, structural similarity."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.tensor import as_input
from .axes import as_int
from .cast import cast
from .conv import depthwise_conv
from .join import stack
from .reduce import mean
from .resize import image_axes
from .rounding import round
from .saturate import saturate_cast
from .shape import expand_dims, moveaxis, squeeze

__all__ = ["gaussian_blur", "sobel_edges", "ssim"]


def _gauss(size: int, sigma: float) -> np.ndarray:
    """A Gaussian at `size` points around its centre, with sum 1."""
    x = np.arange(size) - (size - 1) / 2
    w = np.exp(-0.5 * (x / sigma) ** 2)
    return w / w.sum()


def _filtered(x: Any, kernel: np.ndarray, padding: str) -> Any:
    """Every channel of (n, h, w, c) on its own."""
    tiled = np.repeat(kernel[:, :, None, None], x.shape[-1], axis=2).astype(x.dtype)
    return depthwise_conv(x, tiled, strides=1, padding=padding, data_format="channels_last")


def _batched(where: str, images: Any, data_format: str | None) -> tuple[Any, bool, bool]:
    """(n, h, w, c), whether it was one image, whether its channels came first."""
    x, _, _, c = image_axes(where, images, data_format)
    single, first = len(x.shape) == 3, c == len(x.shape) - 3
    x = moveaxis(x, -3, -1) if first else x
    if x.shape[-1] is None:
        raise invalid(where, "the number of channels must be known", images=x)
    return (expand_dims(x, 0) if single else x), single, first


def _pair(where: str, name: str, value: Any) -> tuple:
    pair = tuple(value) if isinstance(value, (tuple, list)) else tuple(np.asarray(value).ravel().tolist())
    if len(pair) != 2:
        raise invalid(where, f"`{name}` is two numbers", **{name: value})
    return pair


def gaussian_blur(
    images: Any, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    """Images blurred by a Gaussian; beyond their edges there are zeros.

    Args:
        images: one image or a batch of images.
        kernel_size: width and height of the kernel.
        sigma: standard deviations in x and y, in pixels.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Raises:
        ValueError: for another rank, or a size or sigma that is not positive.

    >>> import kerasish as keras
    >>> keras.ops.image.gaussian_blur(keras.ops.ones((2, 8, 8, 3)), (5, 5)).shape
    (2, 8, 8, 3)
    """
    sizes = tuple(as_int("gaussian_blur", "kernel_size", k) for k in _pair("gaussian_blur", "kernel_size", kernel_size))
    sigmas = tuple(float(s) for s in _pair("gaussian_blur", "sigma", sigma))
    if min(sizes) < 1 or min(sigmas) <= 0:
        raise invalid("gaussian_blur", "`kernel_size` and `sigma` are positive", kernel_size=sizes, sigma=sigmas)
    x, single, first = _batched("gaussian_blur", images, data_format)
    dtype = x.dtype
    kernel = np.outer(_gauss(sizes[1], sigmas[1]), _gauss(sizes[0], sigmas[0]))
    y = _filtered(cast(x, result_type(dtype, float)), kernel, "same")
    if dtype not in FLOATS:
        y = saturate_cast(round(y), dtype)
    y = squeeze(y, 0) if single else y
    return moveaxis(y, -1, -3) if first else y


def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """The derivatives of images by Sobel's kernels: a last axis with dy and dx.

    Args:
        images: a batch of images.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Raises:
        ValueError: for another rank than 4.

    >>> import kerasish as keras
    >>> keras.ops.image.sobel_edges(keras.ops.ones((2, 8, 8, 3))).shape
    (2, 8, 8, 3, 2)
    """
    x = as_input(images)
    if len(x.shape) != 4:
        raise invalid("sobel_edges", "images have rank 4", images=x)
    x, _, first = _batched("sobel_edges", x, data_format)
    x = cast(x, result_type(x.dtype, float))
    dx = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    edges = [_filtered(x, k, "same") for k in (dx.T, dx)]
    return stack([moveaxis(e, -1, 1) for e in edges] if first else edges, axis=-1)


def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """The structural similarity of two images, 1 where they are the same.

    Wang et al. (2004), Image quality assessment: from error visibility to structural similarity.

    Args:
        image1, image2: one image each, or batches of the same shape.
        max_val: the range of the values.
        filter_size, filter_sigma: the Gaussian window.
        k1, k2: keep the quotients stable.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Returns:
        One number for each image.

    Raises:
        ValueError: for another rank, shapes that differ, or images smaller than the window.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((16, 16, 1))
    >>> float(keras.ops.image.ssim(x, x))
    1.0
    """
    a, single, _ = _batched("ssim", image1, data_format)
    b, _, _ = _batched("ssim", image2, data_format)
    if len(as_input(image1).shape) != len(as_input(image2).shape) or any(
        None not in p and p[0] != p[1] for p in zip(a.shape, b.shape)
    ):
        raise invalid("ssim", "both images have the same shape", image1=a, image2=b)
    size = as_int("ssim", "filter_size", filter_size)
    if any(n is not None and n < size for n in a.shape[1:3]):
        raise invalid("ssim", f"images are at least {size} pixels high and wide (`filter_size`)", image1=a)
    dtype = a.dtype
    a, b = (cast(v, result_type(dtype, float)) for v in (a, b))
    w = _gauss(size, float(filter_sigma))

    def window(v: Any) -> Any:
        return _filtered(v, np.outer(w, w), "valid")

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    ma, mb = window(a), window(b)
    va, vb, ab = window(a * a) - ma * ma, window(b * b) - mb * mb, window(a * b) - ma * mb
    quality = ((2.0 * ma * mb + c1) * (2.0 * ab + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    out = cast(mean(quality, axis=(1, 2, 3)), dtype)
    return squeeze(out, 0) if single else out
