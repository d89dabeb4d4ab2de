"""Sliding blocks of images as columns (im2col), and back (col2im); channels first, as Keras has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .windows import Slide, per_dimension, slide, static

__all__ = ["fold", "unfold"]


def _slide(where: str, sizes: tuple, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Slide:
    window = per_dimension(where, "kernel_size", kernel_size, 2)
    pads = tuple((p, p) for p in per_dimension(where, "padding", padding, 2, least=0))
    received = {"sizes": sizes, "kernel_size": window}
    return slide(
        where,
        sizes,
        window,
        per_dimension(where, "stride", stride, 2),
        pads,
        per_dimension(where, "dilation", dilation, 2),
        received=received,
    )


def _unfold_infer(x: Spec, **attrs: Any) -> Spec:
    if len(x.shape) != 4:
        raise invalid("unfold", "`x` must have rank 4: (batch, channels, height, width)", x=x)
    s = _slide("unfold", x.shape[2:], **attrs)
    c, (h, w) = x.shape[1], s.out
    return Spec(
        (
            x.shape[0],
            None if c is None else c * s.window[0] * s.window[1],
            None if h is None or w is None else h * w,
        ),
        x.dtype,
    )


def _fold_infer(x: Spec, output_size: Any, **attrs: Any) -> Spec:
    if len(x.shape) != 3:
        raise invalid("fold", "`x` must have rank 3: (batch, channels * kernel cells, blocks)", x=x)
    sizes = per_dimension("fold", "output_size", output_size, 2)
    s = _slide("fold", sizes, **attrs)
    depth, blocks = x.shape[1:]
    cells = s.window[0] * s.window[1]
    if depth is not None and depth % cells:
        rule = f"the second dimension of `x` must be a multiple of the {cells} cells of the kernel"
        raise invalid("fold", rule, x=x, kernel_size=s.window)
    if blocks is not None and blocks != s.out[0] * s.out[1]:
        rule = f"`x` must have one column for each of the {s.out[0] * s.out[1]} blocks of the output"
        raise invalid("fold", rule, x=x, output_size=sizes, kernel_size=s.window, stride=s.strides)
    return Spec((x.shape[0], None if depth is None else depth // cells, *sizes), x.dtype)


def _taps(s: Slide) -> Iterator[tuple[int, tuple[slice, slice]]]:
    """(number, the padded cells that it meets) of each cell of the kernel."""
    for number, tap in enumerate(np.ndindex(*s.window)):
        starts = [t * d for t, d in zip(tap, s.dilation)]
        yield (
            number,
            tuple(np.s_[first : first + (n - 1) * step + 1 : step] for first, n, step in zip(starts, s.out, s.strides)),
        )


def _unfold_host(x: np.ndarray, **attrs: Any) -> np.ndarray:
    s = _slide("unfold", x.shape[2:], **attrs)
    padded = np.pad(x, ((0, 0), (0, 0), *s.pads))
    y = np.empty((*x.shape[:2], s.window[0] * s.window[1], *s.out), x.dtype)
    for number, (rows, columns) in _taps(s):
        y[:, :, number] = padded[:, :, rows, columns]
    return y.reshape(x.shape[0], x.shape[1] * y.shape[2], s.out[0] * s.out[1])


def _fold_host(x: np.ndarray, output_size: Any, **attrs: Any) -> np.ndarray:
    sizes = per_dimension("fold", "output_size", output_size, 2)
    s = _slide("fold", sizes, **attrs)
    cells = s.window[0] * s.window[1]
    parts = x.reshape(x.shape[0], x.shape[1] // cells, cells, *s.out)
    padded = np.zeros((*parts.shape[:2], *(n + low + high for n, (low, high) in zip(sizes, s.pads))), x.dtype)
    for number, (rows, columns) in _taps(s):
        padded[:, :, rows, columns] += parts[:, :, number]
    (top, _), (left, _) = s.pads
    return padded[:, :, top : top + sizes[0], left : left + sizes[1]]


# Each is the transpose of the other.
unfold_op = define_op(
    "unfold",
    inputs="x",
    infer=_unfold_infer,
    kernel=Host(_unfold_host),
    grad=(lambda ctx, g: fold_op(g, output_size=ctx.specs[0].shape[2:], **ctx.attrs),),
)
fold_op = define_op(
    "fold",
    inputs="x",
    infer=_fold_infer,
    kernel=Host(_fold_host),
    grad=(lambda ctx, g: unfold_op(g, **{k: v for k, v in ctx.attrs.items() if k != "output_size"}),),
)


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The blocks that a window sees as it slides over images, one column for each of its places (im2col).

    Args:
        x: (batch, channels, height, width).
        kernel_size, dilation, padding, stride: an integer, or one for height and one for width; padding is zeros
            on both sides.

    Returns:
        (batch, channels * kernel cells, blocks).

    Raises:
        ValueError: wrong rank, sizes below 1, or images too small for the window.

    Example:

    >>> import kerasish as keras
    >>> keras.ops.unfold(keras.ops.ones((1, 2, 4, 4)), kernel_size=2, stride=2).shape
    (1, 8, 4)
    """
    return unfold_op(
        as_input(x),
        kernel_size=static(kernel_size),
        dilation=static(dilation),
        padding=static(padding),
        stride=static(stride),
    )


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Images from the blocks that `unfold` makes; where blocks overlap, they are summed (col2im).

    Args:
        x: (batch, channels * kernel cells, blocks).
        output_size: (height, width) of the images, or one integer for both.
        kernel_size, dilation, padding, stride: as for `unfold`.

    Returns:
        (batch, channels, height, width).

    Raises:
        ValueError: wrong rank, or a shape that `unfold` would not make from images of that size.

    Example:

    >>> import kerasish as keras
    >>> blocks = keras.ops.unfold(keras.ops.ones((1, 2, 4, 4)), kernel_size=2, stride=2)
    >>> keras.ops.fold(blocks, output_size=(4, 4), kernel_size=2, stride=2).shape
    (1, 2, 4, 4)
    """
    return fold_op(
        as_input(x),
        output_size=static(output_size),
        kernel_size=static(kernel_size),
        dilation=static(dilation),
        padding=static(padding),
        stride=static(stride),
    )
