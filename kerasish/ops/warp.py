"""Images seen through moved coordinates: map_coordinates, affine, perspective and elastic transforms."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.tensor import as_input
from .cast import cast
from .compare import logical_and, where
from .filters import gaussian_blur
from .gather import gather_op, take_along_axis_op
from .inverses import solve
from .join import concatenate, stack
from .math import abs, clip, floor_divide, mod
from .random import normal
from .resize import image_axes
from .rounding import floor, round
from .shape import broadcast_to, expand_dims, moveaxis, ravel, reshape, squeeze

__all__ = ["affine_transform", "elastic_transform", "map_coordinates", "perspective_transform"]

_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_ORDERS = {"nearest": 0, "bilinear": 1}


def _mirrored(index: Any, size: int) -> Any:
    """Positions in a signal that turns round at the centres of its first and last element."""
    last = size - 1
    return abs(mod(index + last, 2 * last) - last) if last else index * 0


def _inside(index: Any, size: int, mode: str) -> Any:
    """Positions in [0, size) for positions anywhere; of "constant", only those that are there mean something."""
    if mode == "wrap":
        return mod(index, size)
    if mode == "mirror":
        return _mirrored(index, size)
    if mode == "reflect":
        return floor_divide(_mirrored(2 * index + 1, 2 * size + 1) - 1, 2)
    return clip(index, 0, size - 1)


def _away_from_zero(x: Any) -> Any:
    """The nearest integer, halves away from zero."""
    return where(x < 0, -floor(0.5 - x), floor(x + 0.5))


def _neighbours(at: Any, size: int, order: int, mode: str) -> list[tuple[Any, Any, Any]]:
    """(position, whether it is there, weight) of the elements that a coordinate lies between."""
    if order == 0:
        found = [(_away_from_zero(at), None)]
    else:
        low = floor(at)
        upper = at - low
        found = [(low, 1.0 - upper), (low + 1.0, upper)]
    out = []
    for index, weight in found:
        index = cast(index, "int32")
        there = logical_and(index >= 0, index < size) if mode == "constant" else None
        out.append((_inside(index, size, mode), there, weight))
    return out


def _interpolated(
    read: Any, coordinates: list, sizes: tuple[int, ...], order: int, mode: str, value: float, widen: Any
):
    """The weighted sum over the corners around each coordinate.

    Args:
        read: function of the flat position in an array of these sizes.
        widen: function that brings weights and masks to the rank of what `read` gives.
    """
    total = None
    for corner in product(*(_neighbours(at, n, order, mode) for at, n in zip(coordinates, sizes))):
        flat, there, weight = None, None, None
        for (index, valid, w), n in zip(corner, sizes):
            flat = index if flat is None else flat * n + index
            if valid is not None:
                there = valid if there is None else logical_and(there, valid)
            if w is not None:
                weight = w if weight is None else weight * w
        part = read(flat)
        if there is not None:
            part = where(widen(there), part, value)
        if weight is not None:
            part = part * widen(weight)
        total = part if total is None else total + part
    return total


def _check(where_: str, order: Any, mode: str) -> None:
    if order not in (0, 1):
        raise invalid(where_, "`order` is 0 (nearest) or 1 (linear)", order=order)
    if mode not in _FILL_MODES:
        raise invalid(where_, f"`fill_mode` is one of {_FILL_MODES}", fill_mode=mode)


def map_coordinates(
    inputs: Any, coordinates: Any, order: int, fill_mode: str = "constant", fill_value: float = 0.0
) -> Any:
    """The values of an array at coordinates between its elements.

    Args:
        inputs: an array of rank n, of known shape.
        coordinates: (n, ...): for each axis, the coordinate of every output element.
        order: 0 takes the nearest element, 1 interpolates linearly.
        fill_mode: what lies outside: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: the constant.

    Returns:
        A tensor of shape coordinates.shape[1:], in the dtype of `inputs`.

    Raises:
        ValueError: for coordinates that do not fit, another order or mode.

    >>> import kerasish as keras
    >>> keras.ops.image.map_coordinates([0.0, 10.0, 20.0], [[0.5, 1.25]], order=1).numpy()
    array([ 5. , 12.5], dtype=float32)
    """
    x, at = as_input(inputs), as_input(coordinates)
    n = len(x.shape)
    if len(at.shape) < 2 or at.shape[0] != n:
        raise invalid("map_coordinates", f"`coordinates` has rank 2 or more and {n} rows", inputs=x, coordinates=at)
    _check("map_coordinates", order, fill_mode)
    if None in x.shape or 0 in x.shape:
        raise invalid("map_coordinates", "`inputs` needs a known shape that is not empty", inputs=x)
    if at.dtype not in FLOATS:
        at = cast(at, result_type(at.dtype, float))
    flat = cast(ravel(x), result_type(x.dtype, float) if order else x.dtype)
    y = _interpolated(
        lambda index: gather_op(flat, index, axis=0), [at[k] for k in range(n)], tuple(x.shape), order, fill_mode,
        fill_value, lambda w: w,
    )  # fmt: skip
    return cast(_away_from_zero(y) if order and x.dtype not in FLOATS else y, x.dtype)


def _sampled(images: Any, rows: Any, columns: Any, interpolation: str, mode: str, value: float) -> Any:
    """Images (n, h, w, c) at coordinates (n or 1, h', w')."""
    height, width, channels = images.shape[1:]
    flat = reshape(images, (-1, height * width, channels))
    size = (rows.shape[1], rows.shape[2])
    if images.shape[0] not in (None, rows.shape[0]):
        rows, columns = (broadcast_to(v, (images.shape[0], *size)) for v in (rows, columns))

    def read(index: Any) -> Any:
        index = expand_dims(reshape(index, (-1, prod(size))), -1)
        index = broadcast_to(index, (index.shape[0], prod(size), channels))
        return reshape(take_along_axis_op(flat, index, axis=1), (-1, *size, channels))

    return _interpolated(
        read, [rows, columns], (height, width), _ORDERS[interpolation], mode, value, lambda w: expand_dims(w, -1)
    )


def _prepared(where_: str, images: Any, interpolation: str, mode: str, data_format: Any) -> tuple[Any, Any]:
    """Floating images (n, h, w, c), and a function that undoes what was done to them."""
    x, _, _, c = image_axes(where_, images, data_format)
    if interpolation not in _ORDERS:
        raise invalid(where_, f"`interpolation` is one of {tuple(_ORDERS)}", interpolation=interpolation)
    _check(where_, 0, mode)
    rank = len(x.shape)
    dtype, first = x.dtype, c == rank - 3
    if first:
        x = moveaxis(x, -3, -1)
    if rank == 3:
        x = expand_dims(x, 0)
    if None in x.shape[1:]:
        raise invalid(where_, "height, width and channels must be known", images=x)

    def finish(y: Any) -> Any:
        if y.dtype != dtype:
            y = cast(round(y) if dtype not in FLOATS else y, dtype)
        if rank == 3:
            y = squeeze(y, 0)
        return moveaxis(y, -1, -3) if first else y

    return cast(x, result_type(dtype, float)), finish


def affine_transform(
    images: Any,
    transform: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images through an affine map of their coordinates.

    The output pixel (x, y) shows the input at (a0 x + a1 y + a2, b0 x + b1 y + b2).

    Args:
        images: one image or a batch of images, of known height and width.
        transform: [a0, a1, a2, b0, b1, b2, c0, c1], or a batch of them; c0 and c1 have no effect.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: the constant.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Raises:
        ValueError: for another rank, interpolation or mode, or transforms that do not fit the batch.

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.arange(4.0), (2, 2, 1))
    >>> keras.ops.image.affine_transform(x, [1.0, 0, 1, 0, 1, 0, 0, 0])[..., 0].numpy()
    array([[1., 0.],
           [3., 0.]], dtype=float32)
    """
    where_ = "affine_transform"
    x, finish = _prepared(where_, images, interpolation, fill_mode, data_format)
    t = cast(transform, x.dtype)
    if len(t.shape) == 1:
        t = expand_dims(t, 0)
    if len(t.shape) != 2 or t.shape[1] != 8 or (t.shape[0] not in (None, 1) and x.shape[0] not in (None, t.shape[0])):
        raise invalid(where_, "`transform` has shape (8,) or (batch, 8)", images=images, transform=t)
    _, height, width, _ = x.shape
    ys, xs = np.meshgrid(np.arange(height, dtype=x.dtype), np.arange(width, dtype=x.dtype), indexing="ij")
    a0, a1, a2, b0, b1, b2 = (reshape(t[:, k], (-1, 1, 1)) for k in range(6))
    return finish(_sampled(x, b0 * xs + b1 * ys + b2, a0 * xs + a1 * ys + a2, interpolation, fill_mode, fill_value))


def _homography(start: Any, end: Any) -> Any:
    """The eight numbers of the map that takes each end point to its start point; (n, 8)."""
    sx, sy, ex, ey = start[..., 0], start[..., 1], end[..., 0], end[..., 1]
    zero, one = ex * 0.0, ex * 0.0 + 1.0
    top = stack([ex, ey, one, zero, zero, zero, -sx * ex, -sx * ey], axis=-1)
    bottom = stack([zero, zero, zero, ex, ey, one, -sy * ex, -sy * ey], axis=-1)
    target = concatenate([sx, sy], axis=-1)
    return squeeze(solve(concatenate([top, bottom], axis=1), expand_dims(target, -1)), -1)


def perspective_transform(
    images: Any,
    start_points: Any,
    end_points: Any,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Any:
    """Images through the perspective map that takes four points to four others.

    Args:
        images: one image or a batch of images, of known height and width.
        start_points: four points (x, y) of each image: shape (4, 2) or (batch, 4, 2).
        end_points: where they come to lie; the same shape.
        interpolation: "nearest" or "bilinear".
        fill_value: value of what lies outside.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Raises:
        ValueError: for another rank or interpolation, or points of another shape.

    >>> import kerasish as keras
    >>> x, p = keras.ops.ones((5, 5, 1)), [[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]]
    >>> keras.ops.image.perspective_transform(x, p, p).shape
    (5, 5, 1)
    """
    where_ = "perspective_transform"
    x, finish = _prepared(where_, images, interpolation, "constant", data_format)
    start, end = as_input(start_points), as_input(end_points)
    if tuple(start.shape) != tuple(end.shape) or len(start.shape) not in (2, 3) or tuple(start.shape[-2:]) != (4, 2):
        raise invalid(
            where_, "`start_points` and `end_points` both have shape (4, 2) or (batch, 4, 2)",
            start_points=start, end_points=end,
        )  # fmt: skip
    points = [cast(p if len(p.shape) == 3 else expand_dims(p, 0), x.dtype) for p in (start, end)]
    _, height, width, _ = x.shape
    ys, xs = np.meshgrid(np.arange(height, dtype=x.dtype), np.arange(width, dtype=x.dtype), indexing="ij")
    h = _homography(*points)
    t = [reshape(h[:, k], (-1, 1, 1)) for k in range(8)]
    depth = t[6] * xs + t[7] * ys + 1.0
    columns = (t[0] * xs + t[1] * ys + t[2]) / depth
    rows = (t[3] * xs + t[4] * ys + t[5]) / depth
    return finish(_sampled(x, rows, columns, interpolation, "constant", fill_value))


def elastic_transform(
    images: Any,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images with every pixel moved by smooth random noise.

    The displacement is normal noise of standard deviation sigma, blurred with a Gaussian of that sigma, times alpha
    (Simard et al., 2003, Best practices for convolutional neural networks applied to visual document analysis).

    Args:
        images: one image or a batch of images, of known shape.
        alpha: how strong it is.
        sigma: how smooth it is.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside: "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: the constant.
        seed: an integer or a SeedGenerator.
        data_format: "channels_last" or "channels_first"; the default of `keras.config` where None.

    Raises:
        ValueError: for another rank, interpolation or mode, or an unknown shape.

    >>> import kerasish as keras
    >>> keras.ops.image.elastic_transform(keras.ops.ones((2, 8, 8, 3)), seed=1).shape
    (2, 8, 8, 3)
    """
    where_ = "elastic_transform"
    x, finish = _prepared(where_, images, interpolation, fill_mode, data_format)
    if x.shape[0] is None:
        raise invalid(where_, "the number of images must be known", images=x)
    alpha, sigma = float(alpha), float(sigma)
    if sigma <= 0:
        raise invalid(where_, "`sigma` is positive", sigma=sigma)
    n, height, width, _ = x.shape
    size = int(6 * sigma) | 1
    # One draw for both directions: an integer seed would give the same noise twice.
    noise = normal((n, height, width, 2), stddev=sigma, dtype=x.dtype, seed=seed)
    moved = alpha * gaussian_blur(noise, (size, size), (sigma, sigma), "channels_last")
    ys, xs = np.meshgrid(np.arange(height, dtype=x.dtype), np.arange(width, dtype=x.dtype), indexing="ij")
    return finish(_sampled(x, ys + moved[..., 0], xs + moved[..., 1], interpolation, fill_mode, fill_value))
