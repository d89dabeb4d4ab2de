"""einsum: sums of products in index notation, lowered to transposes, sums and pairwise contractions.

Nothing here is an op of its own, so gradients, symbols and unknown dimensions are those of the ops it is lowered to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import prod
from string import ascii_letters
from typing import Any

from ..engine.errors import invalid
from ..engine.tensor import as_input
from .cast import cast, promote
from .diagonal import diagonal
from .math import multiply
from .matmul import contract
from .reduce import sum as reduce_sum
from .shape import expand_dims, squeeze, transpose

__all__ = ["einsum"]

_UNKNOWN_SIZE = 64  # what an unknown dimension counts for when the order of the products is chosen


@lru_cache(512)
def _parse(subscripts: str, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], str, str]:
    """Labels of every operand, of the result, and of what is behind '...'; one letter for each dimension."""

    def error(rule: str) -> Exception:
        return invalid("einsum", rule, subscripts=subscripts, ranks=ranks)

    text = subscripts.replace(" ", "")
    left, arrow, out = text.partition("->")
    terms = left.split(",")
    if "->" in out:
        raise error("`subscripts` has at most one '->'")
    if len(terms) != len(ranks):
        raise error(f"`subscripts` has {len(terms)} terms for {len(ranks)} operands")
    for term in (*terms, out):
        letters = term.replace("...", "", 1)
        if not all(c.isascii() and c.isalpha() for c in letters):
            raise error(f"a term consists of letters and at most one '...', unlike {term!r}")
    hidden = [rank - len(t.replace("...", "")) if "..." in t else 0 for t, rank in zip(terms, ranks)]
    for term, rank, n in zip(terms, ranks, hidden):
        if n < 0 or ("..." not in term and len(term) != rank):
            raise error(f"the term {term!r} does not fit an operand of rank {rank}")
    free = [c for c in ascii_letters if c not in text]
    if len(free) < max(hidden):
        raise error("there are more dimensions than letters")
    every = "".join(free[: max(hidden)])  # right-aligned, as broadcasting is
    terms = [t.replace("...", every[len(every) - n :]) for t, n in zip(terms, hidden)]
    if not arrow:
        letters = [c for c in "".join(terms) if c not in every]
        return tuple(terms), every + "".join(sorted(c for c in set(letters) if letters.count(c) == 1)), every
    if every and "..." not in out:
        raise error("the result needs '...' where the operands have one")
    out = out.replace("...", every)
    for c in out:
        if out.count(c) > 1:
            raise error(f"the result has the label {c!r} twice")
        if not any(c in t for t in terms):
            raise error(f"the result's label {c!r} is in no operand")
    return tuple(terms), out, every


def _sizes(subscripts: str, terms: Sequence[str], every: str, operands: Sequence[Any]) -> dict[str, int | None]:
    """Size of every label; a dimension of 1 broadcasts."""
    size: dict[str, int | None] = {}
    for term, x in zip(terms, operands):
        for c, d in zip(term, x.shape):
            known = size.get(c, 1)
            if known == 1 or (known is None and d not in (1, None)):
                size[c] = d
            elif d not in (1, None, known):
                shapes = [tuple(o.shape) for o in operands]
                what = "dimensions behind '...'" if c in every else f"dimensions labelled {c!r}"
                raise invalid(
                    "einsum", f"{what} must be equal, not {known} and {d}", subscripts=subscripts, shapes=shapes
                )
    return size


def _diagonals(x: Any, labels: str) -> tuple[Any, str]:
    """Takes the diagonal over axes that share a label."""
    for c in dict.fromkeys(labels):
        while labels.count(c) > 1:
            a = labels.index(c)
            b = labels.index(c, a + 1)
            d1, d2 = x.shape[a], x.shape[b]
            if None not in (d1, d2) and d1 != d2:
                raise invalid("einsum", f"the two dimensions labelled {c!r} of one operand must be equal", x=x)
            x, labels = diagonal(x, 0, a, b), labels[:a] + labels[a + 1 : b] + labels[b + 1 :] + c
    return x, labels


def _summed(x: Any, labels: str, keep: str) -> tuple[Any, str]:
    """Sums over the labels that are not to be kept."""
    axes = tuple(k for k, c in enumerate(labels) if c not in keep)
    return (reduce_sum(x, axis=axes), "".join(c for c in labels if c in keep)) if axes else (x, labels)


def _aligned(x: Any, labels: str, wanted: str) -> Any:
    """Axes in the order of `wanted`, with dimensions of 1 where x lacks a label."""
    order = tuple(labels.index(c) for c in wanted if c in labels)
    x = x if order == tuple(range(len(order))) else transpose(x, order)
    missing = tuple(k for k, c in enumerate(wanted) if c not in labels)
    return expand_dims(x, missing) if missing else x


def _product(x: Any, left: str, y: Any, right: str, keep: str, out: str | None) -> tuple[Any, str]:
    """Multiplies two operands and sums over the labels that neither `keep` nor another operand has."""
    x, left = _summed(x, left, keep + right)
    y, right = _summed(y, right, keep + left)
    both = "".join(c for c in left if c in right)
    summed = "".join(c for c in both if c not in keep)
    batch = "".join(c for c in both if c in keep)
    rows, columns = "".join(c for c in left if c not in both), "".join(c for c in right if c not in both)
    natural = out if out is not None else batch + rows + columns
    if summed and (rows or columns or not batch):
        return contract(x, left, y, right, natural), natural
    # Products of single elements, or one short sum for each: not the work of a matrix product.
    z = multiply(_aligned(x, left, natural + summed), _aligned(y, right, natural + summed))
    return _summed(z, natural + summed, natural)


def _cheapest_pair(terms: Sequence[str], out: str, size: dict[str, int | None]) -> tuple[int, int]:
    """The two operands whose product adds the fewest elements to what is there."""

    def count(labels: Any) -> int:
        return prod(_UNKNOWN_SIZE if size[c] is None else size[c] for c in labels)

    def added(pair: tuple[int, int]) -> int:
        i, j = pair
        keep = set(out).union(*(t for k, t in enumerate(terms) if k not in pair))
        both = set(terms[i]) | set(terms[j])
        return count(both & keep) - count(terms[i]) - count(terms[j])

    return min(combinations(range(len(terms)), 2), key=added)


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Sums of products in index notation (Einstein's convention).

    Args:
        subscripts: a term of labels (letters) for each operand, separated by commas, and after `->` the labels of the
            result. A label that the result lacks is summed over; a label twice in one term takes the diagonal; `...`
            stands for dimensions that broadcast. Without `->` the result has the labels that occur once, in
            alphabetical order, after the dimensions of `...`.
        operands: tensors.
        kwargs: `optimize` is accepted and not needed: products are ordered by their size.

    Raises:
        ValueError: for subscripts that are malformed or do not fit the operands.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 3, 4))
    >>> keras.ops.einsum("bij,bkj->bik", x, x).shape
    (2, 3, 3)
    >>> keras.ops.einsum("ii", [[1.0, 2.0], [3.0, 4.0]]).item()
    5.0
    """
    unknown = sorted(set(kwargs) - {"optimize"})
    if unknown:
        raise invalid("einsum", f"there is no argument `{unknown[0]}`", kind=TypeError, **kwargs)
    if not isinstance(subscripts, str):
        raise invalid("einsum", "`subscripts` is a string", kind=TypeError, subscripts=subscripts)
    if not operands:
        raise invalid("einsum", "there is at least one operand", subscripts=subscripts)
    xs = list(promote(*map(as_input, operands)))
    terms, out, every = _parse(subscripts, tuple(len(x.shape) for x in xs))
    size = _sizes(subscripts, terms, every, xs)
    dtype = "int32" if xs[0].dtype == "int8" else xs[0].dtype  # int8 products are widened as in matmul
    if dtype in ("bool", "int32"):
        xs = [cast(x, "int32") for x in xs]

    labels = []
    for k, term in enumerate(terms):
        x, term = _diagonals(xs[k], term)
        # What broadcasts is dropped: the other operands have the label.
        ones = tuple(a for a, c in enumerate(term) if x.shape[a] == 1 and size[c] != 1)
        if ones:
            x, term = squeeze(x, ones), "".join(c for a, c in enumerate(term) if a not in ones)
        xs[k] = x
        labels.append(term)
    while len(xs) > 1:
        i, j = _cheapest_pair(labels, out, size) if len(xs) > 2 else (0, 1)
        y, x = xs.pop(j), xs.pop(i)
        right, left = labels.pop(j), labels.pop(i)
        keep = out + "".join(labels)
        x, term = _product(x, left, y, right, keep, None if labels else out)
        xs.append(x)
        labels.append(term)
    x, term = _summed(xs[0], labels[0], out)
    return cast(_aligned(x, term, out), dtype)
