"""Where a sliding window lands: output sizes, padding, and the checks of window arguments.

Pooling, convolution and the layers of both read this one rule. A window of effective length
`span = (window - 1) * dilation + 1` slides over a dimension of `size` cells:

    valid    out = (size - span) // stride + 1                no padding
    same     out = ceil(size / stride)                        padding split evenly, the odd cell behind
    causal   out = ceil(size / stride)                        span - 1 cells of padding before, none behind
    ((lo, hi), ...)                                           as given; a negative hi crops

Unknown sizes (None) give unknown outputs.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

from ..engine.errors import invalid
from ..engine.spec import Spec

Sizes = tuple[int | None, ...]
Pads = tuple[tuple[int, int], ...]


class Slide(NamedTuple):
    """A window's geometry, one entry for each spatial dimension; `out` and `pads` are None where they are unknown."""

    out: Sizes
    window: Sizes
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int] | None, ...]


def static(value: Any) -> Any:
    """Lists, also nested ones, as tuples: attributes are hashable."""
    return tuple(static(v) for v in value) if isinstance(value, (list, tuple)) else value


def per_dimension(where: str, name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """An integer, or one integer for each of `rank` spatial dimensions, as a tuple.

    Raises:
        ValueError: it is neither, or one of them is less than `least`.
    """
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank
    try:
        if any(isinstance(v, bool) for v in values):
            raise TypeError
        out = tuple(operator.index(v) for v in values)
    except TypeError:
        out = ()
    if len(out) != rank or rank == 0:
        raise invalid(where, f"`{name}` must be an integer or {rank} integers, one for each dimension", **{name: value})
    if min(out) < least:
        raise invalid(where, f"`{name}` must be at least {least}", **{name: value})
    return out


def check_padding(where: str, padding: Any, causal: bool = False) -> str:
    """The padding's name in lower case.

    Raises:
        ValueError: it is not "valid" or "same" (or "causal", where that is allowed).
    """
    allowed = ("valid", "same", "causal") if causal else ("valid", "same")
    name = padding.lower() if isinstance(padding, str) else padding
    if name not in allowed:
        raise invalid(where, f"`padding` must be one of {', '.join(map(repr, allowed))}", padding=padding)
    return name


def check_one_of_strides_and_dilation(where: str, strides: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    """Layers, unlike ops, refuse a stride together with a dilation.

    Raises:
        ValueError: both are more than 1 somewhere.
    """
    if max(strides) > 1 and max(dilation) > 1:
        rule = "a stride of more than 1 cannot be combined with a dilation of more than 1"
        raise invalid(where, rule, strides=strides, dilation_rate=dilation)


def spatial_rank(where: str, x: Spec, name: str = "inputs", most: int = 3) -> int:
    """How many spatial dimensions lie between batch and channels.

    Raises:
        ValueError: there are none, or more than `most`.
    """
    rank = len(x.shape) - 2
    if not 1 <= rank <= most:
        rule = f"`{name}` must have 1 to {most} spatial dimensions besides batch and channels (rank 3 to {most + 2})"
        raise invalid(where, rule, **{name: x})
    return rank


def pads_of(padding: str, size: int, window: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Cells of padding before and behind one dimension, for a padding's name.

    >>> from kerasish.ops.windows import pads_of
    >>> pads_of("same", size=28, window=3, stride=2), pads_of("causal", size=10, window=3, stride=1, dilation=2)
    ((0, 1), (4, 0))
    """
    span = (window - 1) * dilation + 1
    if padding == "valid":
        return 0, 0
    if padding == "causal":
        return span - 1, 0
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def output_size(
    size: int | None, window: int | None, stride: int, padding: str | tuple[int, int], dilation: int = 1
) -> int | None:
    """Output positions along one dimension (at most 0 where the window does not fit); None where it cannot be known.

    >>> from kerasish.ops.windows import output_size
    >>> output_size(28, 3, 1, "valid"), output_size(28, 3, 2, "same"), output_size(None, 3, 1, "same")
    (26, 14, None)
    """
    if size is None:
        return None
    if padding in ("same", "causal"):
        return -(-size // stride)
    if window is None:
        return None
    low, high = (0, 0) if padding == "valid" else padding
    return (size + low + high - (window - 1) * dilation - 1) // stride + 1


def slide(
    where: str,
    sizes: Sizes,
    window: Any,
    strides: Any,
    padding: str | Pads,
    dilation: Any = 1,
    received: dict[str, Any] | None = None,
) -> Slide:
    """The geometry of a window over spatial dimensions of these sizes.

    Args:
        where: who asks, for errors.
        sizes: of the spatial dimensions; None where unknown.
        window, strides, dilation: an integer, or one for each dimension.
        padding: "valid", "same", "causal", or (low, high) for each dimension.
        received: what an error about a window that does not fit shows.

    Raises:
        ValueError: a bad argument, or an output that would be empty.
    """
    rank = len(sizes)
    if not (isinstance(window, tuple) and len(window) == rank and None in window):
        window = per_dimension(where, "window", window, rank)
    strides = per_dimension(where, "strides", strides, rank)
    dilation = per_dimension(where, "dilation_rate", dilation, rank)
    named = isinstance(padding, str)
    if named:
        padding = check_padding(where, padding, causal=True)
    out, pads = [], []
    for i, (size, k, s, d) in enumerate(zip(sizes, window, strides, dilation)):
        pad = padding if named else padding[i]
        n = output_size(size, k, s, pad, d)
        if n is not None and n <= 0 and (size > 0 or pad == "valid"):
            rule = f"the window does not fit the input along spatial dimension {i}: the output would be empty"
            shown = received if received is not None else {"sizes": sizes, "window": window}
            raise invalid(where, rule, **shown, strides=strides, padding=padding, dilation_rate=dilation)
        out.append(n)
        pads.append((None if size is None or k is None else pads_of(pad, size, k, s, d)) if named else pad)
    return Slide(tuple(out), window, strides, dilation, tuple(pads))


def transpose_slide(
    where: str, sizes: Sizes, window: Sizes, strides: Any, padding: str, output_padding: Any = None, dilation: Any = 1
) -> Slide:
    """The geometry of a transposed convolution: `out` are the sizes it produces, `pads` those of the convolution that
    leads from them back to `sizes` (a negative high pad where the output reaches further than that convolution reads).

    With span the effective window, and where `output_padding` is None:

        valid   out = (size - 1) * stride + max(span, stride)
        same    out = size * stride

    otherwise `(size - 1) * stride + span + output_padding` (valid) and
    `(size - 1) * stride + span % 2 + output_padding` (same).

    Raises:
        ValueError: a bad argument, or an output that would be empty.
    """
    rank = len(sizes)
    strides = per_dimension(where, "strides", strides, rank)
    dilation = per_dimension(where, "dilation_rate", dilation, rank)
    padding = check_padding(where, padding)
    extra = (None,) * rank
    if output_padding is not None:
        extra = per_dimension(where, "output_padding", output_padding, rank, least=0)
    out, pads = [], []
    for i, (size, k, s, d, e) in enumerate(zip(sizes, window, strides, dilation, extra)):
        if size is None or (k is None and not (padding == "same" and e is None)):
            out.append(None)
            pads.append(None)
            continue
        if k is None:
            out.append(size * s)
            pads.append(None)
            continue
        span = (k - 1) * d + 1
        if padding == "valid":
            low = 0
            n = (size - 1) * s + span + (max(s - span, 0) if e is None else e)
        else:
            # Keras splits what lies outside the output as evenly as it can, with the odd cell behind, and never puts
            # the first window wholly outside.
            total = s + span - 2 if e is None else span + span % 2 - 2 + e
            low = span - 1 - min(total // 2 + total % 2, span - 1)
            n = size * s if e is None else (size - 1) * s + span % 2 + e
        n = 0 if size == 0 else n
        if n <= 0 and size > 0:
            rule = f"the output would be empty along spatial dimension {i}"
            raise invalid(where, rule, sizes=sizes, window=window, strides=strides, output_padding=output_padding)
        out.append(n)
        pads.append((low, (size - 1) * s + span - n - low))
    return Slide(tuple(out), tuple(window), strides, dilation, tuple(pads))


def flat(values: tuple[int, ...], fill: int = 1) -> tuple[int, ...]:
    """One value for each of depth, height and width, as kernels take them; `fill` for missing leading dimensions."""
    return (*(fill,) * (3 - len(values)), *values)


def conv_attributes(s: Slide) -> tuple[int, ...]:
    """The integers that the convolution kernels take: strides, dilation, low pads."""
    return (*flat(s.strides), *flat(s.dilation), *flat(tuple(p[0] for p in s.pads), 0))


def pool_attributes(s: Slide) -> tuple[int, ...]:
    """The integers that the pooling kernels take: window, strides, low pads."""
    return (*flat(s.window), *flat(s.strides), *flat(tuple(p[0] for p in s.pads), 0))


def split_shape(shape: Sizes, data_format: str) -> tuple[int | None, Sizes, int | None]:
    """(batch, spatial sizes, channels) of a shape in either layout."""
    if data_format == "channels_last":
        return shape[0], tuple(shape[1:-1]), shape[-1]
    return shape[0], tuple(shape[2:]), shape[1]


def join_shape(batch: int | None, sizes: Sizes, channels: int | None, data_format: str) -> Sizes:
    """The shape in either layout; the inverse of `split_shape`."""
    return (batch, *sizes, channels) if data_format == "channels_last" else (batch, channels, *sizes)
