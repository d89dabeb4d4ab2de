"""Functions over the slices or elements of tensors: scan, map, associative_scan, vectorize.

Lengths must be known; the calls are then made one after another, on values and on symbols alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.errors import invalid
from ..engine.operation import infer_spec
from ..engine.symbol import Symbol
from ..engine.tensor import as_input
from .axes import as_int, one_axis
from .control import as_tensors
from .creation import zeros
from .gather import take
from .indexing import get_item
from .join import concatenate, stack
from .shape import broadcast_to, reshape
from .slices import basic_slice

__all__ = ["associative_scan", "map", "scan", "vectorize", "vectorized_map"]


def _length(where: str, xs: Any, length: Any = None) -> int:
    """How many slices the leaves of xs have along their first axis."""
    lengths = set() if length is None else {as_int(where, "length", length)}
    for x in tree.flatten(xs):
        if x is None:
            continue
        if not x.shape or x.shape[0] is None:
            raise invalid(where, "every tensor needs a first dimension of known length", x=x)
        lengths.add(x.shape[0])
    if len(lengths) != 1:
        raise invalid(where, "all tensors, and `length`, must agree on one length", lengths=sorted(lengths))
    return lengths.pop()


def _at(xs: Any, i: int) -> Any:
    return tree.map_structure(lambda x: None if x is None else get_item(x, i), xs)


def _stacked(results: list) -> Any:
    """Structures of equal kind, stacked leaf by leaf along a new first axis."""
    leaves = [tree.flatten(r) for r in results]
    return tree.pack_sequence_as(results[0], [None if c[0] is None else stack(list(c)) for c in zip(*leaves)])


def _empty_results(f: Callable, *args: Any) -> Any:
    """What stacking no results gives: the shapes of one, with a first dimension of 0."""
    spec = infer_spec(f, *tree.map_structure(lambda a: Symbol(tuple(a.shape), a.dtype), args))
    return tree.map_structure(lambda s: None if s is None else zeros((0, *s.shape), s.dtype), spec)


def _without_first(xs: Any) -> Any:
    return tree.map_structure(lambda x: Symbol(tuple(x.shape[1:]), x.dtype), xs)


def scan(
    f: Callable, init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: int | bool = 1
) -> tuple:
    """Calls `carry, y = f(carry, x)` for each slice x of xs along the first axis.

    Args:
        f: function of the carry and a slice.
        init: the first carry, a tensor or nested structure.
        xs: tensors to go through, nested; None passes None `length` times.
        length: number of slices, where xs does not say it.
        reverse: go from the last slice to the first; the ys keep the places of their xs.
        unroll: accepted for compatibility.

    Returns:
        The last carry, and the ys stacked along a new first axis (None where f returns None).

    Raises:
        ValueError: where lengths differ or are unknown, or for a wrong `unroll`.

    >>> import kerasish as keras
    >>> total, sums = keras.ops.scan(lambda c, x: (c + x, c + x), keras.ops.array(0), keras.ops.array([1, 2, 3]))
    >>> int(total), sums.numpy()
    (6, array([1, 3, 6], dtype=int32))
    """
    if not callable(f):
        raise invalid("scan", "`f` is a function", kind=TypeError, f=f)
    if not isinstance(unroll, bool) and (not isinstance(unroll, int) or unroll < 1):
        raise invalid("scan", "`unroll` is a positive integer or a bool", unroll=unroll)
    if xs is None and length is None:
        raise invalid("scan", "`xs` or `length` must say how many steps there are", xs=xs, length=length)
    carry, xs = as_tensors(init), as_tensors(xs)
    n = _length("scan", xs, length)
    if n == 0:
        return carry, _empty_results(lambda c, x: f(c, x)[1], carry, None if xs is None else _without_first(xs))
    ys = [None] * n
    for i in range(n)[::-1] if reverse else range(n):
        out = f(carry, None if xs is None else _at(xs, i))
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise invalid("scan", "`f` returns (carry, y)", returned=out)
        carry, ys[i] = as_tensors(out[0]), out[1]
    return carry, _stacked(ys)


def map(f: Callable, xs: Any) -> Any:
    """Calls f on each slice of xs along the first axis and stacks the results.

    Args:
        f: function of one slice (of xs's structure).
        xs: a tensor or nested structure of tensors.

    Raises:
        ValueError: where the first dimension is unknown.

    >>> import kerasish as keras
    >>> keras.ops.map(lambda x: x * 2, keras.ops.array([1, 2, 3])).numpy()
    array([2, 4, 6], dtype=int32)
    """
    return _map("map", f, xs)


def vectorized_map(function: Callable, elements: Any) -> Any:
    """As `map`: calls a function on each slice of `elements` along the first axis and stacks the results.

    >>> import kerasish as keras
    >>> keras.ops.vectorized_map(lambda x: x * 2, keras.ops.array([1, 2, 3])).numpy()
    array([2, 4, 6], dtype=int32)
    """
    return _map("vectorized_map", function, elements)


def _map(where: str, f: Callable, xs: Any) -> Any:
    if not callable(f):
        raise invalid(where, "a function is needed", kind=TypeError, f=f)
    xs = as_tensors(xs)
    n = _length(where, xs)
    if n == 0:
        return _empty_results(f, _without_first(xs))
    return _stacked([f(_at(xs, i)) for i in range(n)])


def associative_scan(f: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All prefixes of an associative operation, in O(log n) calls.

    Args:
        f: associative function of two structures like `elems`; it must work on many slices along `axis` at once.
        elems: a tensor or nested structure of tensors with the same length along `axis`.
        reverse: combine from the end.
        axis: the axis.

    Raises:
        ValueError: where lengths differ or are unknown.

    >>> import kerasish as keras
    >>> keras.ops.associative_scan(lambda a, b: a + b, keras.ops.array([1, 2, 3, 4])).numpy()
    array([ 1,  3,  6, 10], dtype=int32)
    """
    if not callable(f):
        raise invalid("associative_scan", "`f` is a function", kind=TypeError, f=f)
    flat = [as_input(x) for x in tree.flatten(elems)]
    if not flat:
        return elems
    axis = one_axis("associative_scan", axis, len(flat[0].shape))
    lengths = {x.shape[axis] if len(x.shape) > axis else None for x in flat}
    if len(lengths) != 1 or None in lengths:
        raise invalid("associative_scan", "all tensors need the same known length along `axis`", lengths=list(lengths))

    def cut(x: Any, start: int | None, stop: int | None, step: int | None = None) -> Any:
        key = tuple((start, stop, step) if d == axis else (None, None, None) for d in range(len(x.shape)))
        return basic_slice(x, key)

    def combine(a: list, b: list) -> list:
        return tree.flatten(f(tree.pack_sequence_as(elems, a), tree.pack_sequence_as(elems, b)))

    def prefixes(xs: list) -> list:
        n = xs[0].shape[axis]
        if n < 2:
            return xs
        pairs = combine([cut(x, 0, n - 1, 2) for x in xs], [cut(x, 1, None, 2) for x in xs])
        odd = prefixes(pairs)
        rest = [cut(x, 2, None, 2) for x in xs]
        if rest[0].shape[axis]:
            before = [cut(x, 0, rest[0].shape[axis]) for x in odd]
            even = [concatenate([cut(x, 0, 1), e], axis) for x, e in zip(xs, combine(before, rest))]
        else:
            even = [cut(x, 0, 1) for x in xs]
        half = even[0].shape[axis]
        order = [k // 2 + (half if k % 2 else 0) for k in range(n)]
        return [take(concatenate([e, o], axis), order, axis) for e, o in zip(even, odd)]

    if reverse:
        flat = [cut(x, None, None, -1) for x in flat]
    out = prefixes(flat)
    if reverse:
        out = [cut(x, None, None, -1) for x in out]
    return tree.pack_sequence_as(elems, out)


def _parse_signature(signature: str) -> tuple[list[list[str]], list[list[str]]]:
    core = r"\(\s*(\w+(\s*,\s*\w+)*)?\s*\)"
    group = rf"{core}(\s*,\s*{core})*"
    if not isinstance(signature, str) or not re.fullmatch(rf"\s*{group}\s*->\s*{group}\s*", signature):
        raise invalid("vectorize", "`signature` looks like '(m,n),(n)->(m)'", signature=signature)
    sides = signature.split("->")
    ins, outs = ([re.findall(r"\w+", part) for part in re.findall(r"\(([^)]*)\)", side)] for side in sides)
    return ins, outs


def vectorize(pyfunc: Callable, *, excluded: Any = None, signature: str | None = None) -> Callable:
    """A function that applies `pyfunc` to every element of its broadcast arguments.

    Args:
        pyfunc: function of scalars, or, with a signature, of tensors with the core dimensions it names.
        excluded: positions of arguments that are passed on as they are.
        signature: for example "(m,n),(n)->(m)".

    Returns:
        The vectorized function.

    Raises:
        ValueError: for a pyfunc that cannot be called, or a malformed signature; calls raise it for arguments whose
            number or shapes do not fit.

    >>> import kerasish as keras
    >>> keras.ops.vectorize(lambda a, b: a + b)([1, 2, 3], 10).numpy()
    array([11, 12, 13], dtype=int32)
    """
    if not callable(pyfunc):
        raise invalid("vectorize", "`pyfunc` is a function", pyfunc=pyfunc)
    skip = frozenset(excluded or ())
    parsed = None if signature is None else _parse_signature(signature)

    def call(*args: Any) -> Any:
        where = [k for k in range(len(args)) if k not in skip]
        tensors = [as_input(args[k]) for k in where]
        if parsed is not None and len(parsed[0]) != len(tensors):
            raise invalid("vectorize", f"the signature is for {len(parsed[0])} arguments", given=len(tensors))
        ranks = [len(c) for c in parsed[0]] if parsed else [0] * len(tensors)
        sizes: dict[str, int] = {}
        for t, rank, names in zip(tensors, ranks, parsed[0] if parsed else [[]] * len(tensors)):
            if len(t.shape) < rank or None in t.shape:
                raise invalid("vectorize", f"an argument needs {rank} core dimensions and a known shape", argument=t)
            for name, n in zip(names, t.shape[len(t.shape) - rank :]):
                if sizes.setdefault(name, n) != n:
                    raise invalid("vectorize", f"core dimension {name!r} has two lengths", lengths=(sizes[name], n))
        loops = [tuple(t.shape[: len(t.shape) - r]) for t, r in zip(tensors, ranks)]
        try:
            loop = np.broadcast_shapes(*loops)
        except ValueError:
            raise invalid("vectorize", "the arguments' shapes must broadcast", shapes=loops) from None
        count = int(np.prod(loop, dtype=int))
        if not count:
            raise invalid("vectorize", "there must be at least one element", shapes=loops)
        flat = []
        for t, r in zip(tensors, ranks):
            core = tuple(t.shape[len(t.shape) - r :])
            flat.append(reshape(broadcast_to(t, (*loop, *core)), (count, *core)))
        results = []
        for i in range(count):
            full = list(args)
            for k, t in zip(where, flat):
                full[k] = get_item(t, i)
            results.append(tree.map_structure(as_input, pyfunc(*full)))
        return tree.map_structure(lambda y: reshape(y, (*loop, *y.shape[1:])), _stacked(results))

    call.__name__ = getattr(pyfunc, "__name__", "vectorized")
    call.__doc__ = pyfunc.__doc__
    return call
