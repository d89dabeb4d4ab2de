"""Max and average pooling over windows, and over windows that adapt to an output size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from ..engine.config import standardize_data_format
from ..engine.dtype import FLOATS
from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .conv import widened
from .layout import from_channels_last, to_channels_last
from .windows import Slide, check_padding, per_dimension, pool_attributes, slide, spatial_rank, static

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "average_pool", "max_pool"]


# ---- windows of one size --------------------------------------------------------------------------------------------


def _slide(where: str, x: Spec, window: Any, strides: Any, padding: Any) -> Slide:
    rank = spatial_rank(where, x)
    window = per_dimension(where, "pool_size", window, rank)
    strides = window if strides is None else strides
    return slide(where, x.shape[1:-1], window, strides, padding, received={"inputs": x, "pool_size": window})


def _infer(where: str, x: Spec, attrs: dict) -> Spec:
    return Spec((x.shape[0], *_slide(where, x, **attrs).out, x.shape[-1]), x.dtype)


def _infer_average(x: Spec, **attrs: Any) -> Spec:
    if x.dtype not in FLOATS:
        raise invalid("average_pool", "`inputs` must be of a floating dtype", kind=TypeError, inputs=x.dtype)
    return _infer("average_pool", x, attrs)


def _attributes(where: str, x: Spec, attrs: dict) -> tuple[int, ...]:
    return pool_attributes(_slide(where, x, **attrs))


def _infer_max(x: Spec, **attrs: Any) -> tuple[Spec, Spec]:
    y = _infer("max_pool", x, attrs)
    taps = prod(_slide("max_pool", x, **attrs).window)
    return y, Spec(y.shape, "uint8" if taps <= 256 else "int32")


def _of_sizes(where: str) -> Callable:
    """Attributes of a kernel whose declaration is told the sizes that the window slides over."""
    return lambda specs, a: _attributes(where, Spec((1, *a["sizes"], 1), ""), _without_sizes(a))


def _without_sizes(attrs: dict) -> dict:
    return {k: v for k, v in attrs.items() if k != "sizes"}


# Besides the maximum, the place where it stands in its window: all that the gradient needs, a byte for each output
# where x itself would be four times as many floats.
max_pool_op = define_op(
    "max_pool",
    inputs="inputs",
    outputs="y place",
    infer=_infer_max,
    kernel=C("max_pool", i=lambda specs, a: _attributes("max_pool", specs[0], a), host=widened("max_pool")),
    grad=(lambda ctx, g, _: max_pool_grad_op(ctx.outputs[1], g, sizes=ctx.specs[0].shape[1:-1], **ctx.attrs),),
    saves="place",
    kind="reduce",
    lead=lambda specs, attrs: 1,
    traits={"chooses": (0, 0, 1)},
)

# The maximum's place does not move under a small change of x, so both ops below are linear in their second input, and
# one is the transpose of the other.
max_pool_grad_op = define_op(
    "max_pool_grad",
    inputs="place g",
    infer=lambda place, g, sizes, **a: Spec((g.shape[0], *sizes, g.shape[-1]), g.dtype),
    kernel=C("max_pool_grad", i=_of_sizes("max_pool"), dtype=1, host=widened("max_pool_grad")),
    grad=(None, lambda ctx, u: max_pool_pick_op(ctx.inputs[0], u, **_without_sizes(ctx.attrs))),
    saves="place",
    outputs="dx",
    lead=lambda specs, attrs: 1,
    traits={"routes": (0, 1)},
)
max_pool_pick_op = define_op(
    "max_pool_pick",
    inputs="place values",
    infer=lambda place, v, **a: Spec(place.shape, v.dtype),
    kernel=C(
        "max_pool_pick",
        i=lambda specs, a: _attributes("max_pool", specs[1], a),
        dtype=1,
        host=widened("max_pool_pick"),
    ),
    grad=(None, lambda ctx, g: max_pool_grad_op(ctx.inputs[0], g, sizes=ctx.specs[1].shape[1:-1], **ctx.attrs)),
    saves="place",
)

average_pool_op = define_op(
    "average_pool",
    inputs="inputs",
    infer=_infer_average,
    kernel=C("avg_pool", i=lambda specs, a: _attributes("average_pool", specs[0], a), host=widened("average_pool")),
    grad=(lambda ctx, g: average_pool_grad_op(g, sizes=ctx.specs[0].shape[1:-1], **ctx.attrs),),
    kind="reduce",
)
average_pool_grad_op = define_op(
    "average_pool_grad",
    inputs="g",
    infer=lambda g, sizes, **a: Spec((g.shape[0], *sizes, g.shape[-1]), g.dtype),
    kernel=C(
        "avg_pool_grad",
        i=_of_sizes("average_pool"),
        host=widened("average_pool_grad"),
    ),
    grad=(lambda ctx, u: average_pool_op(u, **_without_sizes(ctx.attrs)),),
    outputs="dx",
    lead=lambda specs, attrs: 1,
)


def max_pool(
    inputs: Any,
    pool_size: int | tuple[int, ...],
    strides: int | tuple[int, ...] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The largest cell of each window, channel by channel; NaN where the window has one.

    The gradient goes to the first largest cell of a window.

    Args:
        inputs: (batch, *sizes, channels), or (batch, channels, *sizes) with `data_format="channels_first"`; one to
            three spatial dimensions.
        pool_size: cells of the window, one integer or one for each dimension.
        strides: step of the window; None means `pool_size`.
        padding: "valid" (windows inside the input alone) or "same" (`ceil(size / stride)` windows; cells outside the
            input never count).
        data_format: "channels_last" or "channels_first"; None means the configured one.

    Returns:
        (batch, *out, channels), or (batch, channels, *out).

    Raises:
        ValueError: wrong rank, sizes or strides below 1, an unknown padding, or an input too small for the window.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 3.0, 2.0, 0.0]), (1, 4, 1))
    >>> keras.ops.max_pool(x, 2).numpy().ravel()
    array([3., 2.], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    y, _ = max_pool_op(
        to_channels_last(as_input(inputs), data_format),
        window=static(pool_size),
        strides=static(strides),
        padding=check_padding("max_pool", padding),
    )
    return from_channels_last(y, data_format)


def average_pool(
    inputs: Any,
    pool_size: int | tuple[int, ...],
    strides: int | tuple[int, ...] | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The mean of each window's cells, channel by channel. Cells in the padding are neither summed nor counted.

    Args:
        inputs, pool_size, strides, padding, data_format: as for `max_pool`; `inputs` of a floating dtype.

    Returns:
        (batch, *out, channels), or (batch, channels, *out).

    Raises:
        ValueError: as for `max_pool`.
        TypeError: the dtype is not a floating one.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 3.0, 2.0]), (1, 3, 1))
    >>> keras.ops.average_pool(x, 2, padding="same").numpy().ravel()
    array([2., 2.], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    y = average_pool_op(
        to_channels_last(as_input(inputs), data_format),
        window=static(pool_size),
        strides=static(strides),
        padding=check_padding("average_pool", padding),
    )
    return from_channels_last(y, data_format)


# ---- windows that adapt ---------------------------------------------------------------------------------------------
# Window i of n over `size` cells is [floor(i * size / n), ceil((i + 1) * size / n)). Neighbours may overlap by a cell.


def _windows(sizes: tuple[int, ...], out: tuple[int, ...]) -> Iterator[tuple[tuple, tuple]]:
    """(index of an output cell, slices of its window), in order."""
    for cell in np.ndindex(*out):
        window = tuple(slice(i * s // n, -(-(i + 1) * s // n)) for i, s, n in zip(cell, sizes, out))
        yield (slice(None), *cell), (slice(None), *window)


def _check_adaptive(where: str, x: Spec, output_size: Any) -> Spec:
    rank = spatial_rank(where, x)
    out = per_dimension(where, "output_size", output_size, rank)
    if x.dtype not in FLOATS:
        raise invalid(where, "`inputs` must be of a floating dtype", kind=TypeError, inputs=x.dtype)
    if 0 in x.shape[1:-1]:
        raise invalid(where, "`inputs` must have at least one cell in each dimension", inputs=x)
    return Spec((x.shape[0], *out, x.shape[-1]), x.dtype)


def _adaptive_average(x: np.ndarray, output_size: Any) -> np.ndarray:
    spec = _check_adaptive("adaptive_average_pool", Spec(x.shape, str(x.dtype)), output_size)
    y = np.empty(spec.shape, x.dtype)
    axes = tuple(range(1, x.ndim - 1))
    for cell, window in _windows(x.shape[1:-1], spec.shape[1:-1]):
        y[cell] = x[window].mean(axes)
    return y


def _adaptive_average_grad(g: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    dx = np.zeros((g.shape[0], *sizes, g.shape[-1]), g.dtype)
    one = (slice(None), *(None,) * len(sizes))
    for cell, window in _windows(sizes, g.shape[1:-1]):
        part = dx[window]
        part += g[cell][one] / np.prod(part.shape[1:-1])
    return dx


def _place(x: np.ndarray, window: tuple) -> tuple[np.ndarray, tuple[int, ...]]:
    """Position of the first largest cell of a window (NaN is the largest) among its cells, as (batch, 1, channels)."""
    part = x[window]
    return part.reshape(len(x), -1, x.shape[-1]).argmax(1)[:, None], part.shape


def _adaptive_pick(x: np.ndarray, values: np.ndarray, output_size: Any) -> np.ndarray:
    spec = _check_adaptive("adaptive_max_pool", Spec(x.shape, str(x.dtype)), output_size)
    y = np.empty(spec.shape, x.dtype)
    if y.size:
        for cell, window in _windows(x.shape[1:-1], spec.shape[1:-1]):
            place, shape = _place(x, window)
            y[cell] = np.take_along_axis(values[window].reshape(shape[0], -1, shape[-1]), place, 1)[:, 0]
    return y


def _adaptive_max_grad(x: np.ndarray, g: np.ndarray, output_size: Any) -> np.ndarray:
    dx = np.zeros_like(x)
    if dx.size:
        for cell, window in _windows(x.shape[1:-1], g.shape[1:-1]):
            place, shape = _place(x, window)
            part = np.zeros((shape[0], place.size and int(np.prod(shape[1:-1])), shape[-1]), x.dtype)
            np.put_along_axis(part, place, g[cell][:, None], 1)
            dx[window] += part.reshape(shape)
    return dx


adaptive_average_pool_op = define_op(
    "adaptive_average_pool",
    inputs="inputs",
    infer=lambda x, output_size: _check_adaptive("adaptive_average_pool", x, output_size),
    kernel=Host(_adaptive_average),
    grad=(lambda ctx, g: adaptive_average_pool_grad_op(g, sizes=ctx.specs[0].shape[1:-1]),),
    kind="reduce",
)
adaptive_average_pool_grad_op = define_op(
    "adaptive_average_pool_grad",
    inputs="g",
    infer=lambda g, sizes: Spec((g.shape[0], *sizes, g.shape[-1]), g.dtype),
    kernel=Host(_adaptive_average_grad),
    grad=(lambda ctx, u: adaptive_average_pool_op(u, output_size=ctx.specs[0].shape[1:-1]),),
    outputs="dx",
)
adaptive_max_pool_op = define_op(
    "adaptive_max_pool",
    inputs="inputs",
    infer=lambda x, output_size: _check_adaptive("adaptive_max_pool", x, output_size),
    kernel=Host(lambda x, output_size: _adaptive_pick(x, x, output_size)),
    grad=(lambda ctx, g: adaptive_max_pool_grad_op(ctx.inputs[0], g, **ctx.attrs),),
    saves="inputs",
    kind="reduce",
)
adaptive_max_pool_grad_op = define_op(
    "adaptive_max_pool_grad",
    inputs="inputs g",
    infer=lambda x, g, output_size: x,
    kernel=Host(_adaptive_max_grad),
    grad=(None, lambda ctx, u: adaptive_max_pool_pick_op(ctx.inputs[0], u, **ctx.attrs)),
    saves="inputs",
    outputs="dx",
)
adaptive_max_pool_pick_op = define_op(
    "adaptive_max_pool_pick",
    inputs="inputs values",
    infer=lambda x, v, output_size: _check_adaptive("adaptive_max_pool", x, output_size),
    kernel=Host(_adaptive_pick),
    grad=(None, lambda ctx, g: adaptive_max_pool_grad_op(ctx.inputs[0], g, **ctx.attrs)),
    saves="inputs",
)


def adaptive_average_pool(inputs: Any, output_size: int | tuple[int, ...], data_format: str | None = None) -> Any:
    """Average pooling to a given output size: window i of n over `size` cells is
    `[floor(i * size / n), ceil((i + 1) * size / n))`.

    Args:
        inputs: (batch, *sizes, channels), or (batch, channels, *sizes) with `data_format="channels_first"`; one to
            three spatial dimensions, a floating dtype.
        output_size: an integer, or one for each dimension.
        data_format: "channels_last" or "channels_first"; None means the configured one.

    Returns:
        (batch, *output_size, channels), or (batch, channels, *output_size).

    Raises:
        ValueError: wrong rank, an output size below 1, or an input without cells.
        TypeError: the dtype is not a floating one.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 2.0, 3.0]), (1, 3, 1))
    >>> keras.ops.adaptive_average_pool(x, 2).numpy().ravel()
    array([1.5, 2.5], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    x = to_channels_last(as_input(inputs), data_format)
    return from_channels_last(adaptive_average_pool_op(x, output_size=static(output_size)), data_format)


def adaptive_max_pool(inputs: Any, output_size: int | tuple[int, ...], data_format: str | None = None) -> Any:
    """Max pooling to a given output size, over the windows of `adaptive_average_pool`.

    Args:
        inputs, output_size, data_format: as for `adaptive_average_pool`.

    Returns:
        (batch, *output_size, channels), or (batch, channels, *output_size).

    Raises:
        ValueError, TypeError: as for `adaptive_average_pool`.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.reshape(keras.ops.convert_to_tensor([1.0, 2.0, 3.0]), (1, 3, 1))
    >>> keras.ops.adaptive_max_pool(x, 2).numpy().ravel()
    array([2., 3.], dtype=float32)
    """
    data_format = standardize_data_format(data_format)
    x = to_channels_last(as_input(inputs), data_format)
    return from_channels_last(adaptive_max_pool_op(x, output_size=static(output_size)), data_format)
