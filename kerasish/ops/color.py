"""Colour spaces of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from .cast import cast
from .compare import where
from .join import split, stack
from .math import abs, clip, maximum, minimum, mod
from .matmul import tensordot
from .resize import image_axes
from .shape import expand_dims, squeeze

__all__ = ["hsv_to_rgb", "rgb_to_grayscale", "rgb_to_hsv"]


def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Any:
    """Grey images: 0.2989 red + 0.5870 green + 0.1140 blue, in one channel. Grey ones stay.

    Raises:
        ValueError: for another rank than 3 or 4, or another number of channels than 3 or 1.

    >>> import kerasish as keras
    >>> keras.ops.image.rgb_to_grayscale(keras.ops.ones((2, 4, 4, 3))).shape
    (2, 4, 4, 1)
    """
    x, _, _, c = image_axes("rgb_to_grayscale", images, data_format)
    if x.shape[c] not in (1, 3):
        raise invalid("rgb_to_grayscale", "images have 3 channels (RGB) or 1 (grey)", images=x)
    if x.shape[c] == 1:
        return x
    dtype = result_type(x.dtype, float)
    weights = np.asarray([0.2989, 0.5870, 0.1140], dtype)
    return cast(expand_dims(tensordot(cast(x, dtype), weights, axes=([c], [0])), c), x.dtype)


def _planes(where_: str, images: Any, data_format: str | None) -> tuple[list, int, str]:
    x, _, _, c = image_axes(where_, images, data_format)
    if x.dtype not in FLOATS:
        raise invalid(where_, "images are of a floating dtype", dtype=x.dtype)
    if x.shape[c] != 3:
        raise invalid(where_, "images have 3 channels", images=x)
    return [squeeze(p, c) for p in split(x, 3, c)], c, x.dtype


def rgb_to_hsv(images: Any, data_format: str | None = None) -> Any:
    """Hue, saturation and value, all in [0, 1], from floating RGB in [0, 1].

    Raises:
        ValueError: for another rank than 3 or 4, another dtype, or another number of channels than 3.

    >>> import kerasish as keras
    >>> keras.ops.image.rgb_to_hsv([[[1.0, 0.0, 0.0]]]).numpy()
    array([[[0., 1., 1.]]], dtype=float32)
    """
    planes, c, dtype = _planes("rgb_to_hsv", images, data_format)
    eps = float(np.finfo(dtype).eps)
    r, g, b = (where(abs(p) < eps, 0.0, p) for p in planes)
    value = maximum(maximum(r, g), b)
    spread = value - minimum(minimum(r, g), b)
    saturation = where(value > 0, spread / where(value > 0, value, 1.0), 0.0)
    norm = 1.0 / (6.0 * where(spread > 0, spread, 1.0))
    hue = where(value == g, norm * (b - r) + 2.0 / 6.0, norm * (r - g) + 4.0 / 6.0)
    hue = where(value == r, norm * (g - b), hue)
    hue = where(spread > 0, hue, 0.0) + cast(hue < 0.0, dtype)
    return stack([hue, saturation, value], axis=c)


def hsv_to_rgb(images: Any, data_format: str | None = None) -> Any:
    """The inverse of `rgb_to_hsv`.

    Raises:
        ValueError: for another rank than 3 or 4, another dtype, or another number of channels than 3.

    >>> import kerasish as keras
    >>> keras.ops.image.hsv_to_rgb([[[0.0, 1.0, 1.0]]]).numpy()
    array([[[1., 0., 0.]]], dtype=float32)
    """
    (hue, saturation, value), c, _ = _planes("hsv_to_rgb", images, data_format)
    dh = mod(hue, 1.0) * 6.0
    parts = (
        clip(abs(dh - 3.0) - 1.0, 0.0, 1.0),
        clip(2.0 - abs(dh - 2.0), 0.0, 1.0),
        clip(2.0 - abs(dh - 4.0), 0.0, 1.0),
    )
    grey = 1.0 - saturation
    return stack([value * (grey + saturation * p) for p in parts], axis=c)
