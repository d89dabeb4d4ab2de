"""Rectangles of images: patches, padding, cropping."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.config import image_data_format
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int
from .layout import from_channels_last, to_channels_last
from .pad import pad
from .resize import FULL, image_axes
from .shape import expand_dims, squeeze
from .slices import basic_slice
from .windows import output_size, pads_of, per_dimension

__all__ = ["crop_images", "extract_patches", "extract_patches_3d", "pad_images"]


def _patches_infer(x: Spec, size: tuple, strides: tuple, dilation: tuple, padding: str) -> Spec:
    sizes = x.shape[1:-1]
    out = tuple(output_size(n, k, s, padding, d) for n, k, s, d in zip(sizes, size, strides, dilation))
    if any(n is not None and n < 1 for n in out):
        raise invalid("extract_patches", "the patches must fit into the images", images=x, size=size)
    channels = x.shape[-1]
    return Spec((x.shape[0], *out, None if channels is None else channels * int(np.prod(size))), x.dtype)


def _padded(shape: tuple, size: tuple, strides: tuple, dilation: tuple, padding: str) -> list[tuple[int, int]]:
    pads = [pads_of(padding, n, k, s, d) for n, k, s, d in zip(shape[1:-1], size, strides, dilation)]
    return [(0, 0), *pads, (0, 0)]


def _places(out: tuple, size: tuple, strides: tuple, dilation: tuple):
    """For each position in a patch, the slices of the padded image that it sees, in row-major order."""
    for at in np.ndindex(*size):
        spans = (slice(a * d, a * d + (n - 1) * s + 1, s) for a, d, n, s in zip(at, dilation, out, strides))
        yield (slice(None), *spans)


def _patches_host(x, size, strides, dilation, padding):
    out = _patches_infer(Spec(x.shape, ""), size, strides, dilation, padding).shape
    wide = np.pad(x, _padded(x.shape, size, strides, dilation, padding))
    c = x.shape[-1]
    y = np.empty(out, x.dtype)
    for k, place in enumerate(_places(out[1:-1], size, strides, dilation)):
        y[..., k * c : (k + 1) * c] = wide[place]
    return y


def _patches_grad_host(g, shape, size, strides, dilation, padding):
    pads = _padded(shape, size, strides, dilation, padding)
    wide = np.zeros([n + a + b for n, (a, b) in zip(shape, pads)], g.dtype)
    c = shape[-1]
    for k, place in enumerate(_places(g.shape[1:-1], size, strides, dilation)):
        wide[place] += g[..., k * c : (k + 1) * c]
    return wide[tuple(slice(a, a + n) for n, (a, _) in zip(shape, pads))]


extract_patches_op = define_op(
    "extract_patches",
    inputs="images",
    infer=_patches_infer,
    kernel=Host(_patches_host),
    grad=(lambda ctx, g: extract_patches_grad_op(g, shape=ctx.specs[0].shape, **ctx.attrs),),
)

extract_patches_grad_op = define_op(
    "extract_patches_grad",
    inputs="g",
    infer=lambda g, shape, size, strides, dilation, padding: Spec(shape, g.dtype),
    kernel=Host(_patches_grad_host),
    grad=(lambda ctx, g: extract_patches_op(g, **{k: v for k, v in ctx.attrs.items() if k != "shape"}),),
)


def _extract(
    where: str, images: Any, size: Any, strides: Any, dilation: Any, padding: str, data_format: Any, rank: int
):
    x = as_input(images)
    data_format = image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise invalid(where, "`data_format` is 'channels_last' or 'channels_first'", data_format=data_format)
    if len(x.shape) not in (rank + 1, rank + 2):
        raise invalid(where, f"the rank is {rank + 1} (one) or {rank + 2} (a batch)", images=x)
    if padding not in ("valid", "same"):
        raise invalid(where, "`padding` is 'valid' or 'same'", padding=padding)
    single = len(x.shape) == rank + 1
    if single:
        x = expand_dims(x, 0)
    y = extract_patches_op(
        to_channels_last(x, data_format),
        size=per_dimension(where, "size", size, rank),
        strides=per_dimension(where, "strides", strides if strides else size, rank),
        dilation=per_dimension(where, "dilation_rate", dilation, rank),
        padding=padding,
    )
    y = from_channels_last(y, data_format)
    return squeeze(y, 0) if single else y


def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Patches of images (or of volumes, for a size of three numbers), each flattened into channels.

    Args:
        images: one image (h, w, c) or a batch (n, h, w, c); volumes have a depth before the height.
        size: height and width of a patch, or one number for both; three numbers for volumes.
        strides: distance of two patches, by default `size`.
        dilation_rate: distance of two pixels of a patch.
        padding: "valid", or "same" with zeros around the images.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Returns:
        A tensor (n, rows, columns, height * width * c).

    Raises:
        TypeError: where `size` is neither an integer nor a tuple.
        ValueError: for another rank, or patches that do not fit.

    >>> import kerasish as keras
    >>> keras.ops.image.extract_patches(keras.ops.ones((2, 20, 20, 3)), (5, 5)).shape
    (2, 4, 4, 75)
    """
    if isinstance(size, bool) or not isinstance(size, (int, tuple, list)):
        raise invalid("extract_patches", "`size` is an integer or a tuple", kind=TypeError, size=size)
    if not isinstance(size, int) and len(size) not in (2, 3):
        raise invalid("extract_patches", "`size` has two or three numbers", size=size)
    rank = 3 if not isinstance(size, int) and len(size) == 3 else 2
    return _extract("extract_patches", images, size, strides, dilation_rate, padding, data_format, rank)


def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Patches of volumes (d, h, w, c) or batches of them; as `extract_patches`.

    >>> import kerasish as keras
    >>> keras.ops.image.extract_patches_3d(keras.ops.ones((2, 10, 10, 10, 3)), 5).shape
    (2, 2, 2, 2, 375)
    """
    return _extract("extract_patches_3d", volumes, size, strides, dilation_rate, padding, data_format, 3)


def _sides(where: str, size: int | None, before: Any, after: Any, target: Any, names: tuple, sign: int) -> tuple:
    """Both margins of an axis from two of (before, after, target); sign is 1 for padding, -1 for cropping."""
    given = dict(zip(names, (before, after, target)))
    if list(given.values()).count(None) != 1:
        raise invalid(where, f"exactly two of {', '.join(names)} must be given", **given)
    values = [None if v is None else as_int(where, n, v) for n, v in given.items()]
    before, after, target = values
    if target is not None:
        if size is None:
            return values
        rest = sign * (target - size)
        before = rest - after if before is None else before
        after = rest - before if after is None else after
    for name, v in zip(names, (before, after, target)):
        if v is not None and v < 0:
            raise invalid(where, f"`{name}` must be at least 0", size=size, **{name: v})
    if sign < 0 and size is not None and before + after > size:
        raise invalid(where, f"`{names[2]}` must be at least 0", size=size, **{names[0]: before, names[1]: after})
    return before, after, target


def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images with a border of zeros; two of (top, bottom, height) and of (left, right, width) are given.

    Raises:
        ValueError: for another rank, another number of arguments given, or a target smaller than the images.

    >>> import kerasish as keras
    >>> keras.ops.image.pad_images(keras.ops.ones((15, 25, 3)), 2, 3, target_height=20, target_width=30).shape
    (20, 30, 3)
    """
    x, h, w, _ = image_axes("pad_images", images, data_format)
    widths = [(0, 0)] * len(x.shape)
    for axis, args, names in (
        (h, (top_padding, bottom_padding, target_height), ("top_padding", "bottom_padding", "target_height")),
        (w, (left_padding, right_padding, target_width), ("left_padding", "right_padding", "target_width")),
    ):
        before, after, _ = _sides("pad_images", x.shape[axis], *args, names, 1)
        if before is None or after is None:
            raise invalid("pad_images", f"`{names[2]}` needs images of known size", images=x)
        widths[axis] = (before, after)
    return pad(x, widths)


def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images without their margins; two of (top, bottom, height) and of (left, right, width) are given.

    Raises:
        ValueError: for another rank, another number of arguments given, or a target larger than the images.

    >>> import kerasish as keras
    >>> keras.ops.image.crop_images(keras.ops.ones((9, 9, 3)), 1, 2, target_height=5, target_width=4).shape
    (5, 4, 3)
    """
    x, h, w, _ = image_axes("crop_images", images, data_format)
    key = [FULL] * len(x.shape)
    for axis, args, names in (
        (h, (top_cropping, bottom_cropping, target_height), ("top_cropping", "bottom_cropping", "target_height")),
        (w, (left_cropping, right_cropping, target_width), ("left_cropping", "right_cropping", "target_width")),
    ):
        before, after, target = _sides("crop_images", x.shape[axis], *args, names, -1)
        if before is None:  # of unknown size: the margin behind and the target say where it starts
            key[axis] = (-(after + target), -after or None, None)
        elif after is None:
            key[axis] = (before, before + target, None)
        else:
            key[axis] = (before, -after or None, None)
    return basic_slice(x, tuple(key))
