"""Dimensions split, reordered and merged in one pass: rearrange (einops), depth_to_space, space_to_depth."""

from __future__ import annotations

import re
from math import prod
from typing import Any

from ..engine.config import image_data_format
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .axes import as_int

__all__ = ["depth_to_space", "rearrange", "space_to_depth"]


def _factors(shape: tuple, factors: tuple[tuple[int | None, ...], ...]) -> list[int | None]:
    """The lengths of all factors; one None for each dimension stands for what the others leave."""
    out = []
    for n, parts in zip(shape, factors):
        known = prod(p for p in parts if p is not None)
        if n is not None and (known != n if None not in parts else known == 0 or n % known):
            raise invalid("rearrange", f"a dimension of length {n} cannot be split into {parts}", shape=shape)
        out += [(None if n is None else n // known) if p is None else p for p in parts]
    return out


def _infer(x: Spec, factors: tuple, perm: tuple[int, ...], groups: tuple[int, ...]) -> Spec:
    lengths = _factors(x.shape, factors)
    moved = [lengths[p] for p in perm]
    shape, at = [], 0
    for size in groups:
        part = moved[at : at + size]
        shape.append(None if None in part else prod(part))
        at += size
    return Spec(tuple(shape), x.dtype)


def _attributes(specs, a) -> tuple[int, ...]:
    lengths = _factors(specs[0].shape, a["factors"])
    return (len(lengths), *lengths, *a["perm"])


def _host(x, factors, perm, groups):
    shape = _infer(Spec(x.shape, ""), factors, perm, groups).shape
    return x.reshape(_factors(x.shape, factors)).transpose(perm).reshape(shape)


def _grad(ctx, g):
    factors, perm, groups = (ctx.attrs[k] for k in ("factors", "perm", "groups"))
    lengths = _factors(ctx.specs[0].shape, factors)
    back, at = [], 0
    for size in groups:
        back.append(tuple(lengths[p] for p in perm[at : at + size]))
        at += size
    inverse = tuple(perm.index(d) for d in range(len(perm)))
    return rearrange_op(g, factors=tuple(back), perm=inverse, groups=tuple(len(f) for f in factors))


rearrange_op = define_op(
    "rearrange", inputs="x", infer=_infer, kernel=C("rearrange", i=_attributes, host=_host), grad=(_grad,)
)


def _parse(pattern: str, side: str) -> list[list[str]]:
    """The groups of axis names of one side of a pattern."""
    if not re.fullmatch(r"\s*((\w+|\(\s*\w+(\s+\w+)*\s*\))\s*)*", side):
        raise invalid("rearrange", "a side of the pattern is names and groups of names in parentheses", pattern=pattern)
    return [re.findall(r"\w+", token) for token in re.findall(r"\w+|\([^)]*\)", side)]


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """Splits, reorders and merges dimensions by an einops pattern.

    Args:
        tensor: a tensor.
        pattern: names for its dimensions, "->", names for those of the result; a group in parentheses is split
            (left) or merged (right).
        **axes_lengths: lengths of the parts of split dimensions; one part for each may be left out.

    Raises:
        ValueError: for a malformed pattern, names that differ between the sides, or lengths that do not fit.

    >>> import kerasish as keras
    >>> x = keras.ops.zeros((2, 30, 40, 3))
    >>> keras.ops.rearrange(x, "b (h p) (w q) c -> b (h w) (p q c)", p=10, q=10).shape
    (2, 12, 300)
    """
    sides = pattern.split("->")
    if len(sides) != 2:
        raise invalid("rearrange", "a pattern has two sides, with '->' between them", pattern=pattern)
    left, right = (_parse(pattern, s) for s in sides)
    names = [n for group in left for n in group]
    wanted = [n for group in right for n in group]
    if len(set(names)) != len(names) or sorted(names) != sorted(wanted):
        raise invalid("rearrange", "each name stands once on each side of the pattern", pattern=pattern)
    unknown = set(axes_lengths) - set(names)
    if unknown:
        raise invalid("rearrange", f"the pattern does not name {sorted(unknown)}", pattern=pattern)
    x = as_input(tensor)
    if len(x.shape) != len(left):
        raise invalid("rearrange", f"the pattern is for {len(left)} dimensions", tensor=x, pattern=pattern)
    lengths = {n: as_int("rearrange", n, v) for n, v in axes_lengths.items()}
    factors = []
    for group in left:
        parts = tuple(lengths.get(n) for n in group)
        if parts.count(None) > 1:
            raise invalid(
                "rearrange", f"the lengths of {group} need all but one to be given", pattern=pattern, **axes_lengths
            )
        factors.append(parts)
    perm = tuple(names.index(n) for n in wanted)
    return rearrange_op(x, factors=tuple(factors), perm=perm, groups=tuple(len(g) for g in right))


def _block(where: str, x: Any, block_size: Any, data_format: str | None) -> tuple[Any, int, bool]:
    x = as_input(x)
    size = as_int(where, "block_size", block_size)
    if size < 1:
        raise invalid(where, "`block_size` is positive", block_size=block_size)
    data_format = image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise invalid(where, "`data_format` is 'channels_last' or 'channels_first'", data_format=data_format)
    if len(x.shape) != 4:
        raise invalid(where, "x has four dimensions", x=x)
    return x, size, data_format == "channels_last"


def depth_to_space(x: Any, block_size: int, data_format: str | None = "channels_last") -> Any:
    """Moves channels into blocks of pixels: (n, h, w, c) to (n, h b, w b, c / b^2), b = block_size.

    Raises:
        ValueError: where b^2 does not divide the channels, or x is not of rank 4.

    >>> import kerasish as keras
    >>> keras.ops.depth_to_space(keras.ops.zeros((1, 2, 3, 8)), 2).shape
    (1, 4, 6, 2)
    """
    x, b, last = _block("depth_to_space", x, block_size, data_format)
    channels = x.shape[3 if last else 1]
    if channels is not None and channels % (b * b):
        raise invalid("depth_to_space", f"the channels must be a multiple of {b * b}", x=x, block_size=b)
    one = (None,)
    if last:
        return rearrange_op(x, factors=(one, one, one, (b, b, None)), perm=(0, 1, 3, 2, 4, 5), groups=(1, 2, 2, 1))
    return rearrange_op(x, factors=(one, (None, b, b), one, one), perm=(0, 1, 4, 2, 5, 3), groups=(1, 1, 2, 2))


def space_to_depth(x: Any, block_size: int, data_format: str | None = "channels_last") -> Any:
    """Moves blocks of pixels into channels: (n, h, w, c) to (n, h / b, w / b, c b^2), b = block_size.

    Raises:
        ValueError: where b does not divide height and width, or x is not of rank 4.

    >>> import kerasish as keras
    >>> keras.ops.space_to_depth(keras.ops.zeros((1, 4, 6, 2)), 2).shape
    (1, 2, 3, 8)
    """
    x, b, last = _block("space_to_depth", x, block_size, data_format)
    sides = x.shape[1:3] if last else x.shape[2:4]
    if any(n is not None and n % b for n in sides):
        raise invalid("space_to_depth", f"height and width must be multiples of {b}", x=x, block_size=b)
    one, cut = (None,), (None, b)
    if last:
        return rearrange_op(x, factors=(one, cut, cut, one), perm=(0, 1, 3, 2, 4, 5), groups=(1, 1, 1, 3))
    return rearrange_op(x, factors=(one, one, cut, cut), perm=(0, 1, 3, 5, 2, 4), groups=(1, 3, 1, 1))
