"""Rectangular pieces of tensors: NumPy's basic indexing as one op, slices at given starts, and writing pieces back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import C, Host, define_op
from ..engine.spec import Spec
from ..engine.tensor import Operators, as_input
from .axes import as_int, one_axis
from .cast import cast
from .compare import not_equal
from .join import stack
from .math import subtract

__all__ = ["basic_slice", "diff", "slice", "slice_update"]

# A basic key, as an attribute: for each dimension of the input an int, or a tuple (start, stop, step) that may hold
# None as a Python slice does; and None, anywhere between, for a new dimension.
Key = tuple


def key_dims(key: Key) -> int:
    """How many dimensions of the input a key uses up."""
    return sum(k is not None for k in key)


def _basic_infer(x: Spec, key: Key) -> Spec:
    shape, dims = [], iter(range(x.ndim))
    if key_dims(key) != x.ndim:
        raise invalid("getitem", f"x has {x.ndim} dimensions, but {key_dims(key)} are indexed", x=x)
    for k in key:
        if k is None:
            shape.append(1)
            continue
        d = next(dims)
        n = x.shape[d]
        if isinstance(k, int):
            if n is not None and not -n <= k < n:
                raise invalid("getitem", f"index {k} is out of range for axis {d} with {n} elements", x=x)
        elif k[2] == 0:
            raise invalid("getitem", "a slice step must not be 0", step=0)
        elif n is None:
            shape.append(None if k[:2] != (None, None) or abs(k[2] or 1) != 1 else n)
        else:
            shape.append(len(range(*_py(k).indices(n))))
    return Spec(tuple(shape), x.dtype)


def _py(k: tuple):
    return _slice_type(*k)


_slice_type = type(np.s_[:])  # the name `slice` is the op's below


def _ranges(shape: tuple[int, ...], key: Key) -> tuple[int, ...]:
    """begin, step and count of each dimension, as the strided_slice kernels take them."""
    begin, step, count = [], [], []
    for k, n in zip((k for k in key if k is not None), shape):
        if isinstance(k, int):
            b, s, c = k % n, 1, 1
        else:
            r = range(*_py(k).indices(n))
            b, s, c = (r.start, r.step, len(r)) if len(r) else (0, 1, 0)
        begin.append(b)
        step.append(s)
        count.append(c)
    return (*begin, *step, *count)


def _numpy_key(key: Key) -> tuple:
    return tuple(k if k is None or isinstance(k, int) else _py(k) for k in key)


basic_slice_op = define_op(
    "basic_slice",
    inputs="x",
    infer=_basic_infer,
    kernel=C(
        "strided_slice", i=lambda specs, a: _ranges(specs[0].shape, a["key"]), host=lambda x, key: x[_numpy_key(key)]
    ),
    grad=(lambda ctx, g: basic_slice_grad_op(g, shape=ctx.specs[0].shape, key=ctx.attrs["key"]),),
)


def _put_host(g, shape, key):
    out = np.zeros(shape, g.dtype)
    out[_numpy_key(key)] = g
    return out


basic_slice_grad_op = define_op(
    "basic_slice_grad",
    inputs="g",
    infer=lambda g, shape, key: Spec(shape, g.dtype),
    kernel=C("strided_slice_grad", i=lambda specs, a: _ranges(a["shape"], a["key"]), host=_put_host),
    grad=(lambda ctx, g: basic_slice_op(g, key=ctx.attrs["key"]),),
)


def _update_infer(x: Spec, updates: Spec, key: Key) -> Spec:
    want = _basic_infer(x, key)
    if updates.dtype != x.dtype or updates.ndim != want.ndim:
        raise invalid("slice_update", f"`updates` must have x's dtype and rank {want.ndim}", x=x, updates=updates)
    if any(None not in p and p[0] != p[1] for p in zip(want.shape, updates.shape)):
        raise invalid("slice_update", f"`updates` must have shape {want.shape}", x=x, updates=updates)
    return x


def _update_host(x, u, key):
    out = x.copy()
    out[_numpy_key(key)] = u
    return out


basic_update_op = define_op(
    "basic_update",
    inputs="x updates",
    infer=_update_infer,
    kernel=C("strided_update", i=lambda specs, a: _ranges(specs[0].shape, a["key"]), host=_update_host),
    grad=(
        lambda ctx, g: basic_update_op(g, np.zeros(ctx.specs[1].shape, g.dtype), key=ctx.attrs["key"]),
        lambda ctx, g: basic_slice_op(g, key=ctx.attrs["key"]),
    ),
    inplace=((0, 0),),
)


def basic_slice(x: Any, key: Key) -> Any:
    """x under a basic key in attribute form (see the module's `Key`); the identity is not computed."""
    x = as_input(x)
    if len(key) == len(x.shape) and all(k == (None, None, None) for k in key):
        return x
    return basic_slice_op(x, key=key)


# Starts that are tensors: known only when the op runs, and then clamped so that the piece fits.


def _starts(x_shape, starts, shape) -> tuple:
    return tuple(
        _slice_type(b, b + n) for b, n in ((min(max(0, int(s)), d - n), n) for s, d, n in zip(starts, x_shape, shape))
    )


def _dynamic_infer(x: Spec, starts: Spec, shape: tuple[int, ...]) -> Spec:
    if starts.shape != (x.ndim,) or len(shape) != x.ndim:
        raise invalid("slice", f"x has {x.ndim} dimensions; as many starts and lengths are needed", x=x, shape=shape)
    if any(d is not None and n > d for d, n in zip(x.shape, shape)):
        raise invalid("slice", "the slice is longer than x", x=x, shape=shape)
    return Spec(shape, x.dtype)


dynamic_slice_op = define_op(
    "dynamic_slice",
    inputs="x starts",
    infer=_dynamic_infer,
    kernel=Host(lambda x, starts, shape: x[_starts(x.shape, starts, shape)]),
    grad=(lambda ctx, g: dynamic_update_op(np.zeros(ctx.specs[0].shape, g.dtype), g, ctx.inputs[1]), None),
    saves="starts",
)


def _dynamic_update_infer(x: Spec, updates: Spec, starts: Spec) -> Spec:
    if starts.shape != (x.ndim,) or updates.ndim != x.ndim or updates.dtype != x.dtype:
        raise invalid(
            "slice_update", f"`updates` and the starts must match x's rank {x.ndim} and dtype", x=x, updates=updates
        )
    if any(None not in p and p[1] > p[0] for p in zip(x.shape, updates.shape)):
        raise invalid("slice_update", "`updates` is longer than x", x=x, updates=updates)
    return x


def _dynamic_update_host(x, updates, starts):
    out = x.copy()
    out[_starts(x.shape, starts, updates.shape)] = updates
    return out


dynamic_update_op = define_op(
    "dynamic_update",
    inputs="x updates starts",
    infer=_dynamic_update_infer,
    kernel=Host(_dynamic_update_host),
    grad=(
        lambda ctx, g: dynamic_update_op(g, np.zeros(ctx.specs[1].shape, g.dtype), ctx.inputs[2]),
        lambda ctx, g: dynamic_slice_op(g, ctx.inputs[2], shape=ctx.specs[1].shape),
        None,
    ),
    saves="starts",
)


def _static_starts(where: str, starts: Any, ndim: int) -> tuple[int, ...] | None:
    """Starts as ints, or None where one of them is a tensor."""
    if isinstance(starts, Operators):
        return None
    starts = np.asarray(starts, dtype=object).ravel() if isinstance(starts, np.ndarray) else tuple(starts)
    if any(isinstance(s, Operators) for s in starts):
        return None
    out = tuple(as_int(where, "start_indices", s) for s in starts)
    if len(out) != ndim:
        raise invalid(where, f"`start_indices` needs one start for each of {ndim} dimensions", start_indices=out)
    if any(s < 0 for s in out):
        raise invalid(where, "`start_indices` are at least 0", start_indices=out)
    return out


def _tensor_starts(starts: Any) -> Any:
    if isinstance(starts, Operators):
        return starts
    return stack([cast(s, "int64") for s in starts])


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The piece of a tensor that begins at `start_indices`.

    Args:
        inputs: a tensor of rank n.
        start_indices: n integers, or a tensor of them; tensor starts are clamped so that the piece fits.
        shape: n lengths; -1 takes all that is left.

    Raises:
        ValueError: where the piece leaves the tensor.

    >>> import kerasish as keras
    >>> keras.ops.slice([[1, 2, 3], [4, 5, 6]], (0, 1), (2, 2)).numpy()
    array([[2, 3],
           [5, 6]], dtype=int32)
    """
    x = as_input(inputs)
    n = len(x.shape)
    lengths = tuple(as_int("slice", "shape", s) for s in shape)
    starts = _static_starts("slice", start_indices, n)
    if len(lengths) != n:
        raise invalid("slice", f"`shape` needs one length for each of {n} dimensions", shape=lengths)
    if any(s < -1 for s in lengths):
        raise invalid("slice", "the lengths are at least 0, or -1", shape=lengths)
    if starts is None:
        if -1 in lengths:
            if not hasattr(start_indices, "numpy") and isinstance(start_indices, Operators):
                raise invalid("slice", "-1 in `shape` needs starts that are known", shape=lengths)
            starts = tuple(int(s) for s in start_indices)
        else:
            return dynamic_slice_op(x, _tensor_starts(start_indices), shape=lengths)
    for d, b, m in zip(x.shape, starts, lengths):
        if d is not None and (b > d or (m != -1 and b + m > d)):
            raise invalid("slice", "the slice must lie inside x", x=x, start_indices=starts, shape=lengths)
    return _cut(x, starts, lengths)


def _cut(x: Any, starts: tuple, lengths: tuple) -> Any:
    key = tuple(
        (None, None, None) if b == 0 and m in (-1, d) else (b, None if m == -1 else b + m, None)
        for d, b, m in zip(x.shape, starts, lengths)
    )
    return basic_slice(x, key)


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """The tensor with the piece that begins at `start_indices` replaced.

    Args:
        inputs: a tensor of rank n.
        start_indices: n integers, or a tensor of them; tensor starts are clamped so that the piece fits.
        updates: the new piece, a tensor of rank n; it is cast to the dtype of `inputs`.

    Raises:
        ValueError: where the piece leaves the tensor.

    >>> import kerasish as keras
    >>> keras.ops.slice_update(keras.ops.zeros((3,)), (1,), [5.0, 6.0]).numpy()
    array([0., 5., 6.], dtype=float32)
    """
    x = as_input(inputs)
    u = cast(updates, x.dtype)
    starts = _static_starts("slice_update", start_indices, len(x.shape))
    if starts is None:
        return dynamic_update_op(x, u, _tensor_starts(start_indices))
    if len(u.shape) != len(x.shape):
        raise invalid("slice_update", f"`updates` must have rank {len(x.shape)}", inputs=x, updates=u)
    for d, b, m in zip(x.shape, starts, u.shape):
        if d is not None and m is not None and b + m > d:
            raise invalid("slice_update", "`updates` must fit into x", inputs=x, start_indices=starts, updates=u)
    if None in u.shape:
        return dynamic_update_op(x, u, np.asarray(starts))
    return basic_update_op(x, u, key=tuple((b, b + m, None) for b, m in zip(starts, u.shape)))


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along an axis, n times over; of bools, whether they differ.

    Args:
        a: a tensor of rank 1 or more.
        n: how often; each time makes the axis shorter by one.
        axis: the axis.

    Raises:
        ValueError: for a negative n or a scalar.

    >>> import kerasish as keras
    >>> keras.ops.diff([1, 2, 4, 7, 0]).numpy()
    array([ 1,  2,  3, -7], dtype=int32)
    """
    x = as_input(a)
    times = as_int("diff", "n", n)
    if times < 0:
        raise invalid("diff", "`n` is at least 0", n=n)
    axis = one_axis("diff", axis, len(x.shape))
    whole = (None, None, None)
    ahead = tuple((1, None, None) if d == axis else whole for d in range(len(x.shape)))
    behind = tuple((None, -1, None) if d == axis else whole for d in range(len(x.shape)))
    for _ in range(times):
        x = (not_equal if x.dtype == "bool" else subtract)(basic_slice_op(x, key=ahead), basic_slice_op(x, key=behind))
    return x
