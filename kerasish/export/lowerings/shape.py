"""Ops that move, repeat, cut and join elements."""

from __future__ import annotations

import numpy as np

from ..family import Dim, Sizes, Step
from ..writer import Writer
from .table import lowering, names


@lowering("reshape", "expand_dims", "squeeze")
def _reshape(w: Writer, step: Step) -> str:
    """Expanding and squeezing are told by axes, so that no size is needed; what a reshape gives is known."""
    x = w.name(step.inputs[0])
    if step.op == "expand_dims":
        rank = step.outputs[0].ndim
        return w.unsqueeze(x, *sorted(a % rank for a in step["axis"]))
    if step.op == "squeeze":
        ref, axis = step.inputs[0], step.get("axis")
        axes = [k for k, d in enumerate(ref.shape) if d == 1] if axis is None else sorted(a % ref.ndim for a in axis)
        return w.squeeze(x, *axes)
    return w.reshape(x, step.outputs[0].shape)


@lowering("transpose")
def _transpose(w: Writer, step: Step) -> str:
    x = w.name(step.inputs[0])
    return w.transpose(x, step["axes"])


@lowering("rearrange")
def _rearrange(w: Writer, step: Step) -> str:
    from ...ops.rearrange import _factors

    found = step.each(lambda shapes, a: tuple(_factors(shapes[0], a["factors"])))
    lengths = [d[0] if len(set(d)) == 1 else Sizes(d) for d in zip(*found)]
    x = w.reshape(w.name(step.inputs[0]), lengths)
    return w.reshape(w.transpose(x, step["perm"]), step.outputs[0].shape)


@lowering("broadcast_to")
def _broadcast_to(w: Writer, step: Step) -> str:
    return w.op("Expand", w.name(step.inputs[0]), w.shape(step.outputs[0].shape))


@lowering("full_like")
def _full_like(w: Writer, step: Step) -> str:
    y = step.outputs[0]
    return w.op("Expand", w.scalar(step["value"], y), w.shape(y.shape))


@lowering("size")
def _size(w: Writer, step: Step) -> str:
    return w.cast(w.op("Size", w.name(step.inputs[0])), "int32")


@lowering("concatenate")
def _concatenate(w: Writer, step: Step) -> str:
    return w.op("Concat", *names(w, step), axis=step["axis"])


@lowering("split")
def _split(w: Writer, step: Step) -> tuple[str | None, ...]:
    axis = step["axis"]
    x = w.name(step.inputs[0])
    lengths = [y.shape[axis] for y in step.outputs]
    if len(lengths) == 1:
        return (x,)
    found = w.op("Split", x, w.shape(lengths), outputs=len(lengths), axis=axis)
    return tuple(found)


@lowering("basic_slice")
def _basic_slice(w: Writer, step: Step) -> str:
    ref, key = step.inputs[0], step.each(lambda shapes, a: a["key"])
    x = w.name(ref)
    dims = [k for k in key[0] if k is not None]
    starts: list[Dim] = []
    ends: list[Dim] = []
    axes, steps, dropped = [], [], []
    for axis in range(len(dims)):
        each = [[k for k in one if k is not None][axis] for one in key]
        k = each[0]
        if isinstance(k, int):
            dropped.append(axis)
            first = _place(step, axis, each, ref.shape[axis])
            starts.append(first)
            ends.append(2**62 if first == -1 else first + 1)
            stride = 1
        elif k == (None, None, None):
            continue
        else:
            stride = step.same(lambda shapes, a, axis=axis: [k for k in a["key"] if k is not None][axis][2], "a step")
            stride = 1 if stride is None else stride
            low, high = ([e[end] for e in each] for end in (0, 1))
            starts.append(_bound(step, axis, low, ref.shape[axis], 0 if stride > 0 else 2**62))
            ends.append(_bound(step, axis, high, ref.shape[axis], 2**62 if stride > 0 else -(2**62)))
        axes.append(axis)
        steps.append(stride)
    if axes:
        x = w.op("Slice", x, w.shape(starts), w.shape(ends), w.ints(*axes), w.ints(*steps))
    x = w.squeeze(x, *dropped)
    at, new = 0, []
    for k in key[0]:
        if k is None:
            new.append(at)
        if not isinstance(k, int):
            at += 1
    return w.unsqueeze(x, *new)


def _place(step: Step, axis: int, each: list, d: Dim) -> int:
    if len(set(each)) > 1:
        sizes = d if isinstance(d, Sizes) else (d,) * len(each)
        each = [k - n for k, n in zip(each, sizes)]
    if len(set(each)) > 1:
        raise step.refuse(f"the place it takes along axis {axis} depends on a free dimension", places=each[:2])
    return each[0]


def _bound(step: Step, axis: int, each: list, d: Dim, default: int) -> Dim:
    """An end of a slice; one that follows a free dimension counts from its end where it can."""
    if each[0] is None:
        return default
    if len(set(each)) == 1:
        return each[0]
    sizes = d if isinstance(d, Sizes) else (d,) * len(each)
    back = {k - n for k, n in zip(each, sizes)}
    return back.pop() if len(back) == 1 and max(back) < 0 else Sizes(each)


@lowering("basic_update")
def _basic_update(w: Writer, step: Step) -> str:
    """What stands before and behind the place along one axis is kept, and so on inside for the other axes."""
    x, updates = step.inputs
    ranges = step.same(
        lambda shapes, a: tuple(_range(k, n) for k, n in zip([k for k in a["key"] if k is not None], shapes[0])),
        "the place that it writes to",
    )
    u = w.name(updates)
    if any(k is None or isinstance(k, int) for k in step.each(lambda shapes, a: a["key"])[0]):
        u = w.reshape(u, [n if r is None else len(range(*r)) for r, n in zip(ranges, x.shape)])

    def put(old: str, axis: int) -> str:
        if axis == len(ranges):
            return u
        if ranges[axis] is None:
            return put(old, axis + 1)
        start, stop, stride = ranges[axis]
        if stride != 1:  # the old and the new ones in a row, picked from
            n = step.fixed(x, axis)
            at = np.arange(n)
            places = at[start : stop if stop >= 0 else None : stride]
            new = put(w.op("Gather", old, w.const(places.astype("int64")), axis=axis), axis + 1)
            at[places] = n + np.arange(len(places))
            return w.op("Gather", w.op("Concat", old, new, axis=axis), w.const(at.astype("int64")), axis=axis)
        parts = [w.slice(old, axis, 0, start)] if start else []
        parts.append(put(w.slice(old, axis, start, stop), axis + 1))
        return w.op("Concat", *parts, w.slice(old, axis, stop, None), axis=axis)

    return put(w.name(x), 0)


def _range(k: object, n: int) -> tuple[int, int, int] | None:
    """(start, stop, step) of a part of a key; None for all of the dimension."""
    if isinstance(k, int):
        return k % n, k % n + 1, 1
    r = range(*slice(*k).indices(n))
    if r == range(n):
        return None
    return (0, 0, 1) if not len(r) else (r.start, r.stop, r.step)


@lowering("dynamic_slice")
def _dynamic_slice(w: Writer, step: Step) -> str:
    """At starts known when it runs, moved so that the piece fits."""
    x, starts = step.inputs
    at, shape = w.cast(w.name(starts), "int64"), w.shape(step.outputs[0].shape)
    most = w.op("Sub", w.shape(x.shape), shape)
    at = w.op("Max", w.op("Min", at, most), w.ints(0))
    return w.op("Slice", w.name(x), at, w.op("Add", at, shape), w.ints(*range(x.ndim)))


@lowering("tile")
def _tile(w: Writer, step: Step) -> str:
    found = zip(*step.each(lambda shapes, a: a["repeats"]))
    return w.op("Tile", w.name(step.inputs[0]), w.shape([d[0] if len(set(d)) == 1 else Sizes(d) for d in found]))


@lowering("repeat")
def _repeat(w: Writer, step: Step) -> str:
    x, axis = step.inputs[0], step["axis"]
    each = [1] * (x.ndim + 1)
    each[axis + 1] = step["repeats"]
    y = w.op("Tile", w.unsqueeze(w.name(x), axis + 1), w.ints(*each))
    return w.reshape(y, step.outputs[0].shape)


@lowering("flip")
def _flip(w: Writer, step: Step) -> str:
    axes = step["axis"]
    n = len(axes)
    if not n:
        return w.name(step.inputs[0])
    return w.op(
        "Slice", w.name(step.inputs[0]), w.ints(*[-1] * n), w.ints(*[-(2**62)] * n), w.ints(*axes), w.ints(*[-1] * n)
    )


@lowering("roll")
def _roll(w: Writer, step: Step) -> str:
    y = w.name(step.inputs[0])
    for shift, axis in zip(step["shift"], step["axis"]):
        d = step.inputs[0].shape[axis]
        if isinstance(d, int):
            shift = shift % d if d else 0
        elif shift < 0 or shift >= min(d):
            raise step.refuse("a free dimension can be rolled by a small number of places alone", shift=shift)
        if shift:
            y = w.op("Concat", w.slice(y, axis, -shift, None), w.slice(y, axis, 0, -shift), axis=axis)
    return y


@lowering("shift")
def _shift(w: Writer, step: Step) -> str:
    x, axis, by = step.inputs[0], step["axis"], step["by"]
    name = w.name(x)
    edge = w.slice(name, axis, 0, 1)
    fill = w.op("Expand", w.scalar(step["fill"], x), w.op("Shape", edge))
    if by > 0:
        return w.op("Concat", fill, w.slice(name, axis, 0, -1), axis=axis)
    return w.op("Concat", w.slice(name, axis, 1, None), fill, axis=axis)


@lowering("pad")
def _pad(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    widths = step["pad_width"]
    before, behind = zip(*widths) if widths else ((), ())
    if x.dtype == "bool":  # runtimes pad numbers
        y = w.op("Pad", w.cast(w.name(x), "int32"), w.ints(*before, *behind), w.const(int(step["value"]), "int32"))
        return w.cast(y, "bool")
    return w.op("Pad", w.name(x), w.ints(*before, *behind), w.scalar(step["value"], x))


@lowering("pad_border")
def _pad_border(w: Writer, step: Step) -> str:
    from ...ops.pad import _sources

    axis = step["axis"]
    at = _sources(step.fixed(step.inputs[0], axis), step["widths"], step["mode"])
    return w.op("Gather", w.name(step.inputs[0]), w.const(at.astype("int64")), axis=axis)


@lowering("tril", "triu")
def _triangle(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    k = w.const(np.int64(step["k"]))
    upper = int(step.op == "triu")
    if x.dtype in ("float32", "float64", "int64"):
        return w.op("Trilu", w.name(x), k, upper=upper)
    return w.cast(w.op("Trilu", w.cast(w.name(x), "int64"), k, upper=upper), x.dtype)


@lowering("diagonal")
def _diagonal(w: Writer, step: Step) -> str:
    x = step.inputs[0]
    a, b, offset = step["axis1"] % x.ndim, step["axis2"] % x.ndim, step["offset"]
    m, n = step.fixed(x, a), step.fixed(x, b)
    rest = [k for k in range(x.ndim) if k not in (a, b)]
    y = w.reshape(w.transpose(w.name(x), (*rest, a, b)), (*(x.shape[k] for k in rest), m * n))
    row = max(0, -offset) + np.arange(max(0, min(m + min(0, offset), n - max(0, offset))))
    return w.op("Gather", y, w.const((row * n + row + offset).astype("int64")), axis=len(rest))


@lowering("select_branch")
def _select_branch(w: Writer, step: Step) -> str:
    """All branches are computed; the index, cut to those that there are, picks one."""
    index, *branches = step.inputs
    at, y = w.cast(w.name(index), "int64"), w.name(branches[-1])
    for k in reversed(range(len(branches) - 1)):
        y = w.op("Where", w.op("LessOrEqual", at, w.const(np.int64(k))), w.name(branches[k]), y)
    return y
