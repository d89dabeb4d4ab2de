"""Images as arrays and back, through Pillow (the extra `images`)."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

import numpy as np

from ..engine import config
from ..engine.errors import invalid

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_COLOR_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_GRAYSCALE_MODES = ("L", "I;16", "I")


def _pillow(where: str) -> Any:
    try:
        from PIL import Image
    except ImportError:
        rule = 'images need Pillow: pip install "kerasish[images]"'
        raise invalid(where, rule, kind=ImportError) from None
    return Image


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """A Pillow image from an array.

    Args:
        x: shape `(height, width, channels)` or, for `channels_first`, `(channels, height, width)`; 1, 3 or 4 channels.
        data_format: layout of `x`; by default `config.image_data_format()`.
        scale: whether to stretch the values to 0..255.
        dtype: dtype to compute in; by default `floatx()`.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: `x` has another rank or number of channels.

    Example:

    >>> array_to_img(np.zeros((4, 6, 3))).size
    (6, 4)
    """
    image = _pillow("array_to_img")
    data_format = config.standardize_data_format(data_format)
    x = np.asarray(x, dtype=dtype or config.floatx())
    if x.ndim != 3:
        raise invalid("array_to_img", "one image must have 3 axes", x=x)
    if data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - x.min()
        largest = x.max()
        x = x / largest * 255 if largest != 0 else x  # in this order, so that nothing ends above 255
    channels = x.shape[2]
    if channels in (3, 4):
        return image.fromarray(x.astype("uint8"))
    if channels != 1:
        raise invalid("array_to_img", "an image must have 1, 3 or 4 channels", channels=channels)
    if x.max() > 255:  # 32-bit grayscale
        return image.fromarray(x[:, :, 0].astype("int32"))
    return image.fromarray(x[:, :, 0].astype("uint8"))


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An array from a Pillow image (or any array of 2 or 3 axes).

    Args:
        img: the image.
        data_format: layout of the result; by default `config.image_data_format()`.
        dtype: dtype of the result; by default `floatx()`.

    Returns:
        Shape `(height, width, channels)` or, for `channels_first`, `(channels, height, width)`.

    Raises:
        ValueError: the image has another rank.

    Example:

    >>> img_to_array(np.zeros((4, 6), "uint8")).shape
    (4, 6, 1)
    """
    first = config.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(img, dtype=dtype or config.floatx())
    if x.ndim == 2:
        return x[None] if first else x[:, :, None]
    if x.ndim != 3:
        raise invalid("img_to_array", "an image must have 2 or 3 axes", img=x)
    return x.transpose(2, 0, 1) if first else x


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Writes an array as an image file.

    Args:
        path: path, or a file object (which needs `file_format`).
        x: see `array_to_img`.
        data_format: layout of `x`.
        file_format: such as `"png"`; by default from the path's suffix.
        scale: whether to stretch the values to 0..255.
        **kwargs: passed to Pillow's `Image.save`.

    Raises:
        ImportError: Pillow is not installed.

    Example:

    >>> file = io.BytesIO()
    >>> save_img(file, np.eye(28)[:, :, None], file_format="png")
    >>> load_img(file).size
    (28, 28)
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = os.path.splitext(path)[1][1:].lower()
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("save_img: JPEG has no transparency, writing RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Reads an image file.

    Args:
        path: path, or a `io.BytesIO`.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"` (8, 16 and 32-bit grayscale stay as they are).
        target_size: `(height, width)` to resize to; by default the image keeps its size.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or `"hamming"`.
        keep_aspect_ratio: whether to cut the middle out at the target's aspect ratio instead of distorting.

    Returns:
        A Pillow image.

    Raises:
        ImportError: Pillow is not installed.
        TypeError: `path` is no path.
        ValueError: an unknown `color_mode` or `interpolation`.

    Example:

    >>> file = io.BytesIO()
    >>> save_img(file, np.eye(28)[:, :, None], file_format="png")
    >>> load_img(file, color_mode="grayscale", target_size=(14, 7)).size
    (7, 14)
    """
    image = _pillow("load_img")
    if color_mode not in _COLOR_MODES:
        raise invalid("load_img", f"color_mode must be one of {', '.join(_COLOR_MODES)}", color_mode=color_mode)
    if interpolation not in _INTERPOLATIONS:
        rule = f"interpolation must be one of {', '.join(_INTERPOLATIONS)}"
        raise invalid("load_img", rule, interpolation=interpolation)
    if isinstance(path, io.BytesIO):
        data = path
    elif isinstance(path, (str, bytes, os.PathLike)):
        with open(path, "rb") as file:
            data = io.BytesIO(file.read())
    else:
        raise invalid("load_img", "path must be a path or an io.BytesIO", kind=TypeError, path=path)
    img = image.open(data)
    keeps = color_mode == "grayscale" and img.mode in _GRAYSCALE_MODES
    if not keeps and img.mode != _COLOR_MODES[color_mode]:
        img = img.convert(_COLOR_MODES[color_mode])
    if target_size is None:
        return img
    size = (target_size[1], target_size[0])
    if img.size == size:
        return img
    box = _middle(img.size, size) if keep_aspect_ratio else None
    return img.resize(size, getattr(image.Resampling, interpolation.upper()), box=box)


def _middle(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest box in the middle of an image that has the target's aspect ratio: left, top, right, bottom."""
    width, height = size
    crop_width = min(width, height * target[0] // target[1])
    crop_height = min(height, width * target[1] // target[0])
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height
