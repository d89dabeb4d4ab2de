"""Recurrent layers over whole sequences as fused ops, and the same step by step from ordinary ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine import tree
from ..engine.dtype import FLOATS, result_type
from ..engine.errors import invalid
from ..engine.op import C, define_op
from ..engine.spec import Spec
from ..engine.tape import GradientTape
from .activation import relu, sigmoid
from .cast import cast
from .compare import where as choose
from .creation import zeros_like
from .elementary import tanh
from .join import split, stack, unstack
from .math import add, multiply, subtract
from .matmul import matmul
from .repeat import flip
from .shape import expand_dims

# ---- one step, from ordinary ops --------------------------------------------------------------------------------


def lstm_step(
    sums: Any, c: Any, activation: Callable = tanh, recurrent_activation: Callable = sigmoid, axis: int = -1
) -> tuple:
    """The new states (h, c) from c and the sums of the gates i, f, g, o, which lie side by side along an axis."""
    i, f, g, o = split(sums, 4, axis=axis)
    c = add(multiply(recurrent_activation(f), c), multiply(recurrent_activation(i), activation(g)))
    return multiply(recurrent_activation(o), activation(c)), c


def gru_step(
    x: Any,
    h: Any,
    u: Any,
    bias: Any,
    reset_after: bool,
    activation: Callable = tanh,
    recurrent_activation: Callable = sigmoid,
    masks: Any = None,
) -> Any:
    """The new state from the projection x of the gates z, r, n side by side.

    Args:
        x: (batch, 3 units).
        h: (batch, units), the state.
        u: (units, 3 units), the recurrent kernel, or its parts for z, r and n.
        bias: (3 units,), added to the products with u, or None.
        reset_after: whether r multiplies the product of the state or the state itself.
        masks: three masks (batch, units), by which the state is multiplied for the product of each gate, or None.
    """
    xz, xr, xn = split(x, 3, axis=-1)
    hz, hr, hn = (h, h, h) if masks is None else [multiply(h, m) for m in masks]
    whole = not isinstance(u, (list, tuple))
    if reset_after and masks is None and whole:
        q = matmul(h, u)
        qz, qr, qn = split(q if bias is None else add(q, bias), 3, axis=-1)
    else:
        uz, ur, un = split(u, 3, axis=-1) if whole else u
        qz, qr = matmul(hz, uz), matmul(hr, ur)
        qn = matmul(hn, un) if reset_after else None
        if bias is not None:
            bz, br, bn = split(bias, 3, axis=-1)
            qz, qr = add(qz, bz), add(qr, br)
            qn, xn = (add(qn, bn), xn) if reset_after else (None, add(xn, bn))
    z, r = recurrent_activation(add(xz, qz)), recurrent_activation(add(xr, qr))
    n = activation(add(xn, multiply(r, qn) if reset_after else matmul(multiply(r, hn), un)))
    return add(multiply(z, h), multiply(subtract(1.0, z), n))


def run_steps(
    step: Callable,
    inputs: Any,
    states: list,
    *,
    where: str,
    mask: Any = None,
    reverse: bool = False,
    zeros_for_mask: bool = False,
    repeat_outputs: bool = False,
    sequences: bool = True,
) -> tuple[Any, Any, list]:
    """Runs a step over the time axis, 1, of the inputs, unrolled.

    Args:
        step: step(inputs_at_t, states) -> (output, new states); states are a list, perhaps nested.
        inputs: a tensor or a structure of them, (batch, time, ...), of known time.
        states: the first states.
        where: who asks, for errors.
        mask: (batch, time) bool; where it is false states stay as they are.
        reverse: from the last time to the first.
        zeros_for_mask: the output of a skipped step is zeros; otherwise the first state, which is the output of the
            step before for all usual cells (in a stack of cells, that of the last one).
        repeat_outputs: instead, the output of the step before, and zeros for the first; this is what Keras's
            unrolled loop gives.
        sequences: whether all outputs are wanted.

    Returns:
        (the last output, all outputs in the order of the steps or None, the last states).

    Raises:
        ValueError: where the number of time steps is unknown or 0, or the mask does not fit.
    """
    time = tree.flatten(inputs)[0].shape[1]
    if not time:
        raise invalid(where, "the number of time steps must be known, and at least 1", time=time)
    first = tree.flatten(inputs)[0]
    if mask is not None and (len(mask.shape) != 2 or any(map(_differ, mask.shape, first.shape[:2]))):
        raise invalid(where, "the mask is (batch, time)", mask=mask, inputs=first)
    flat = [unstack(x, num=time, axis=1) for x in tree.flatten(inputs)]
    masks = None if mask is None else unstack(cast(mask, "bool"), num=time, axis=1)
    outputs: list = []
    output = None
    for t in range(time)[:: -1 if reverse else 1]:
        new_output, new_states = step(tree.pack_sequence_as(inputs, [x[t] for x in flat]), states)
        if masks is None:
            output, states = new_output, new_states
        else:
            if repeat_outputs:
                old = zeros_like(new_output) if output is None else output
            elif zeros_for_mask:
                old = zeros_like(new_output)
            else:
                old = states[-1][0] if tree.is_nested(states[0]) else states[0]
            output = _where_kept(masks[t], new_output, old)
            kept = [_where_kept(masks[t], a, b) for a, b in zip(tree.flatten(new_states), tree.flatten(states))]
            states = tree.pack_sequence_as(states, kept)
        if sequences:
            outputs.append(output)
    return output, stack(outputs, axis=1) if sequences else None, states


def _where_kept(mask: Any, new: Any, old: Any) -> Any:
    axes = tuple(range(1, len(new.shape)))
    return choose(expand_dims(mask, axes) if axes else mask, new, old)


# ---- declarations -----------------------------------------------------------------------------------------------


def _check(
    where: str, x: Spec, u: Spec, gates: int, states: dict[str, Spec], bias: Spec | None, masks: tuple
) -> int | None:
    """The number of units, as far as it is known."""
    if x.ndim != 3:
        raise invalid(where, "the projection of the inputs is (batch, time, gates * units)", x=x)
    rows, columns = u.shape if u.ndim == 2 else (0, 0)
    n = columns // gates if rows is None and columns is not None else rows
    if n == 0 or (n is not None and columns not in (None, gates * n)):
        raise invalid(where, f"the recurrent kernel is (units, {gates} * units)", recurrent_kernel=u)
    wide = None if n is None else gates * n
    if _differ(x.shape[2], wide):
        raise invalid(where, f"the projection of the inputs has {wide} columns", x=x, recurrent_kernel=u)
    if bias is not None and (bias.ndim != 1 or _differ(bias.shape[0], wide)):
        raise invalid(where, f"the recurrent bias is ({wide},)", bias=bias, recurrent_kernel=u)
    for name, s in states.items():
        if s.ndim != 2 or _differ(s.shape[1], n) or _differ(s.shape[0], x.shape[0]):
            raise invalid(where, f"`{name}` is (batch, units) = ({x.shape[0]}, {n})", **{name: s}, x=x)
    for m in masks:
        if m.ndim != 2 or _differ(m.shape[0], x.shape[0]) or _differ(m.shape[1], x.shape[1]) or m.dtype != "bool":
            raise invalid(where, "the mask is (batch, time) of bool", mask=m, dtype=m.dtype, x=x)
    return n


def _differ(a: int | None, b: int | None) -> bool:
    return a is not None and b is not None and a != b


def _outputs(x: Spec, n: int | None, sequences: bool, gates: int) -> tuple[Spec, ...]:
    """y, the gates and the reserve, which are integers, which take no gradient, of the width that the kernel's values
    have. Without gates only y and the reserve."""
    batch, time = x.shape[:2]
    whole = "int32" if x.dtype == "float32" else "int64"
    per_step = int(gates > 0) + (not sequences)
    size = None if None in (batch, time, n) else batch * time * n * per_step
    y = Spec((batch, time, n) if sequences else (batch, n), x.dtype)
    reserve = Spec((size if per_step else 0,), whole)
    return (y, Spec((batch, time, None if n is None else gates * n), whole), reserve) if gates else (y, reserve)


# The activations of a simple recurrent layer that its kernel has, by their numbers in it.
SIMPLE_ACTIVATIONS = {"tanh": tanh, "relu": relu, "linear": lambda x: x}


def _numbers(specs: tuple[Spec, ...], a: dict) -> tuple:
    variant = list(SIMPLE_ACTIVATIONS).index(a["activation"]) if "activation" in a else a.get("reset_after", False)
    return int(a["sequences"]), int(a["reverse"]), int(variant)


def _flops(specs: tuple[Spec, ...], outs: tuple[Spec, ...], attrs: dict) -> int:
    return 2 * (specs[0].size or 0) * (specs[1].shape[0] or 0)


def _grad_flops(specs: tuple[Spec, ...], outs: tuple[Spec, ...], attrs: dict) -> int:
    return 2 * _flops(specs, outs, attrs)


def _simple_rnn_infer(
    x: Spec, u: Spec, h0: Spec, *mask: Spec, sequences: bool, reverse: bool, activation: str
) -> tuple:
    if activation not in SIMPLE_ACTIVATIONS:
        raise invalid("simple_rnn", f"the activation is one of {', '.join(SIMPLE_ACTIVATIONS)}", activation=activation)
    return _outputs(x, _check("simple_rnn", x, u, 1, {"h0": h0}, None, mask), sequences, 0)


def _lstm_infer(x: Spec, u: Spec, h0: Spec, c0: Spec, *mask: Spec, sequences: bool, reverse: bool) -> tuple:
    n = _check("lstm", x, u, 4, {"h0": h0, "c0": c0}, None, mask)
    y, *kept = _outputs(x, n, sequences, 4)
    return y, Spec((x.shape[0], n), x.dtype), *kept


def _gru_infer(
    x: Spec, u: Spec, bias: Spec, h0: Spec, *mask: Spec, sequences: bool, reverse: bool, reset_after: bool
) -> tuple:
    return _outputs(x, _check("gru", x, u, 3, {"h0": h0}, bias, mask), sequences, 3)


def _run(step: Callable, x: Any, states: list, mask: tuple, a: dict) -> tuple:
    last, all_, states = run_steps(
        step, x, states, where="rnn", mask=mask[0] if mask else None, reverse=a["reverse"], sequences=a["sequences"]
    )
    return all_ if a["sequences"] else last, states


def _simple_rnn_composed(x: Any, u: Any, h0: Any, *mask: Any, **a: Any) -> list:
    def step(x, states):
        h = SIMPLE_ACTIVATIONS[a["activation"]](add(x, matmul(states[0], u)))
        return h, [h]

    return [_run(step, x, [h0], mask, a)[0]]


def _lstm_composed(x: Any, u: Any, h0: Any, c0: Any, *mask: Any, **a: Any) -> list:
    def step(x, states):
        h, c = lstm_step(add(x, matmul(states[0], u)), states[1])
        return h, [h, c]

    y, states = _run(step, x, [h0, c0], mask, a)
    return [y, states[1]]


def _gru_composed(x: Any, u: Any, bias: Any, h0: Any, *mask: Any, **a: Any) -> list:
    def step(x, states):
        h = gru_step(x, states[0], u, bias, a["reset_after"])
        return h, [h]

    return [_run(step, x, [h0], mask, a)[0]]


def _define(name: str, inputs: str, outputs: str, kept: str, infer: Callable, composed: Callable) -> Any:
    """An op and its gradient.

    The gradient of the gradient is taken through the steps as ordinary ops: nobody needs it fast. The gradient op reads
    y and what is kept, which follow from the other inputs, so those take the whole derivative. The gates may lie where
    x lies, which nobody reads after them, and x's gradient where the gates lie.
    """
    names, n_out, n_kept = inputs.split(), len(outputs.split()), len(kept.split())
    n, gated = len(names), "gates" in kept
    first_g = n + 1 + n_kept

    def grad(ctx: Any, *gs: Any) -> list:
        given, mask = ctx.inputs[:n], ctx.inputs[n:]
        grads = grad_op(*given, ctx.outputs[0], *ctx.outputs[n_out:], *gs[:n_out], *mask, **ctx.attrs)
        return [*grads, *[None] * len(mask)]

    def grad_grad(ctx: Any, *hs: Any) -> list:
        given, gs, mask = ctx.inputs[:n], ctx.inputs[first_g : first_g + n_out], ctx.inputs[first_g + n_out :]
        with GradientTape() as outer:
            outer.watch([*given, *gs])
            with GradientTape() as inner:
                inner.watch(list(given))
                out = composed(*given, *mask, **ctx.attrs)
            first = inner.gradient(out, list(given), output_gradients=list(gs), unconnected_gradients="zero")
        second = outer.gradient(first, [*given, *gs], output_gradients=list(hs), unconnected_gradients="zero")
        return [*second[:n], *[None] * (1 + n_kept), *second[n:], *[None] * len(mask)]

    op = define_op(
        name,
        inputs=f"{inputs} *mask",
        outputs=f"{outputs} {kept}",
        infer=infer,
        kernel=C(name, i=_numbers),
        grad=grad,
        saves=f"{inputs} mask y {kept}",
        inplace=((0, n_out),) if gated else (),
        flops=_flops,
    )
    g_names = " ".join(f"g{k}" for k in range(n_out))
    grad_op = define_op(
        f"{name}_grad",
        inputs=f"{inputs} y {kept} {g_names} *mask",
        outputs=" ".join(f"d{k}" for k in names),
        infer=lambda *specs, **attrs: specs[:n],
        kernel=C(f"{name}_grad", i=_numbers),
        grad=grad_grad,
        saves=f"{inputs} {g_names} mask",
        inplace=((n + 1, 0),) if gated else (),
        unread="x",
        flops=_grad_flops,
    )
    return op


simple_rnn_op = _define("simple_rnn", "x u h0", "y", "reserve", _simple_rnn_infer, _simple_rnn_composed)
lstm_op = _define("lstm", "x u h0 c0", "y c", "gates reserve", _lstm_infer, _lstm_composed)
gru_op = _define("gru", "x u bias h0", "y", "gates reserve", _gru_infer, _gru_composed)

# ---- functions for the layers -----------------------------------------------------------------------------------


def run_fused(
    op: Any,
    x: Any,
    weights: list,
    states: list,
    mask: Any = None,
    *,
    sequences: bool = True,
    reverse: bool = False,
    zeros_for_mask: bool = False,
    **attrs: Any,
) -> tuple[Any, Any, list]:
    """A whole sequence by one of the fused ops; what `run_steps` gives.

    Args:
        op: `simple_rnn_op`, `lstm_op` or `gru_op`; `attrs` are its own.
        x: (batch, time, gates * units), the projection of the inputs; float16 and bfloat16 are computed in float32.
        weights: the recurrent kernel, and for a GRU its recurrent bias.
        states: the first states, each (batch, units).
        mask, sequences, reverse, zeros_for_mask: as `run_steps` has them.

    Raises:
        ValueError: for shapes that do not fit together.
    """
    dtype = x.dtype if x.dtype in FLOATS else result_type(x.dtype, float)
    work = result_type(dtype, "float32")
    given = [cast(v, work) for v in (x, *weights, *states)]
    masks = [] if mask is None else [cast(mask, "bool")]
    y, *others = op(*given, *masks, sequences=sequences, reverse=reverse, **attrs)
    h = y[:, -1] if sequences else y
    last, states = h, [h, *others[: len(states) - 1]]
    if masks and zeros_for_mask:
        steps = flip(masks[0], 1) if reverse else masks[0]
        last = choose(expand_dims(steps[:, -1], 1), h, zeros_like(h))
        if sequences:
            y = choose(expand_dims(steps, 2), y, zeros_like(y))
    return cast(last, dtype), cast(y, dtype) if sequences else None, [cast(s, dtype) for s in states]
