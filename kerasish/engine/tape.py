"""GradientTape: records the calls that touch watched tensors and runs their gradient rules backwards.

The rules are written with ops, so the tapes that are still recording follow them too: gradients of gradients need no
more than a tape around a tape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import tree
from .dtype import FLOATS
from .errors import invalid
from .op import Op, get_op, state
from .spec import Spec
from .symbol import Symbol
from .tensor import Tensor, to_tensor


class Context:
    """What a gradient rule may read of the call whose gradient it gives.

    Attributes:
        inputs, outputs: the Tensors that the op's `saves` names, by position; others are None.
        specs, out_specs: the Specs of all inputs and outputs.
        attrs: the call's attributes.
        needs: for each input, whether its gradient is wanted.
    """

    __slots__ = ("attrs", "in_uids", "inputs", "needs", "op", "out_specs", "out_uids", "outputs", "specs")

    def gradients(self, grads: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        """Runs the op's rules."""
        rules = self.op.grad
        if callable(rules):
            return rules(self, *grads)
        return [rule(self, *grads) if need and rule else None for rule, need in zip(rules, self.needs)]


class _CustomOp:
    """Stands in for an op in the record of a `custom_gradient` function."""

    def __init__(self, name: str, grad: Callable):
        self.name, self.grad = name, grad

    def argument(self, i: int) -> str:
        return f"args[{i}]"


def _constant(shape: tuple, dtype: str, value: float) -> Tensor:
    return Tensor(np.full(shape, value, dtype), dtype)


class GradientTape:
    """Records operations for automatic differentiation.

    Trainable Variables are watched on their own; tensors are watched on request. Tapes nest, to any order.

    Args:
        persistent: keep the record, so that `gradient` can be called more than once.
        watch_accessed_variables: watch every trainable Variable that is read.

    Example:

    >>> import kerasish as keras
    >>> x = keras.ops.convert_to_tensor(3.0)
    >>> with keras.GradientTape() as outer:
    ...     outer.watch(x)
    ...     with keras.GradientTape() as inner:
    ...         inner.watch(x)
    ...         y = x * x * x
    ...     dy = inner.gradient(y, x)
    >>> float(dy), float(outer.gradient(dy, x))
    (27.0, 18.0)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True):
        self._persistent = persistent
        self._auto = watch_accessed_variables
        self._reset()
        self._recording = False
        self._used = False

    def _reset(self) -> None:
        self._records: list[Context] = []
        self._watched: set[int] = set()
        self._keep: list[Tensor] = []
        self._variables: dict[int, Any] = {}  # id of a Variable -> the Variable
        self._reads: dict[int, list[int]] = {}  # id of a Variable -> uids of the values that were read

    def __enter__(self) -> GradientTape:
        if self._recording:
            raise invalid("GradientTape", "the tape is recording already")
        self._push()
        return self

    def __exit__(self, *exc) -> None:
        if self._recording:
            self._pop()

    def _push(self) -> None:
        state.tapes.append(self)
        self._recording = True

    def _pop(self) -> None:
        state.tapes.remove(self)
        self._recording = False

    def watch(self, tensor: Any) -> None:
        """Follows tensors (or Variables) given singly or in a nested structure.

        Raises:
            ValueError: for symbols and for what is not floating.
        """
        for t in tree.flatten(tensor):
            if isinstance(t, Symbol):
                raise invalid("GradientTape.watch", "a tape follows values, not symbolic tensors", tensor=t)
            if hasattr(t, "read"):
                self._watch_variable(t, t.read())
            elif not isinstance(t, Tensor):
                raise invalid("GradientTape.watch", "only tensors and variables can be watched", tensor=t)
            elif t.dtype not in FLOATS:
                raise invalid("GradientTape.watch", "only floating tensors have gradients", dtype=t.dtype)
            else:
                self._watched.add(t.uid)
                self._keep.append(t)

    def on_read(self, variable: Any, value: Tensor) -> None:
        """Called by a Variable that is read while this tape records."""
        if (self._auto and variable.trainable) or id(variable) in self._variables:
            self._watch_variable(variable, value)

    def _watch_variable(self, variable: Any, value: Tensor) -> None:
        key = id(variable)
        reads = self._reads.get(key)
        if reads is None:
            self._variables[key] = variable
            reads = self._reads[key] = []
        if not reads or reads[-1] != value.uid:
            reads.append(value.uid)
            self._watched.add(value.uid)
            self._keep.append(value)

    def watched_variables(self) -> tuple:
        """The Variables that were read while the tape recorded, in the order of their first use."""
        return tuple(self._variables.values())

    @contextmanager
    def stop_recording(self) -> Iterator[None]:
        """Pauses the tape."""
        if not self._recording:
            raise invalid("GradientTape.stop_recording", "the tape is not recording")
        self._pop()
        try:
            yield
        finally:
            self._push()

    def reset(self) -> None:
        """Forgets everything recorded so far."""
        self._reset()
        self._used = False

    def record(self, op: Op | _CustomOp, inputs: Sequence[Tensor], outputs: Sequence[Tensor], attrs: dict) -> None:
        """Called by `apply` for each op while the tape records."""
        watched = self._watched
        needs = tuple([t.uid in watched for t in inputs])
        if True not in needs:
            return
        out_uids = []
        for t in outputs:
            out_uids.append(t.uid)
            if t.dtype in FLOATS:
                watched.add(t.uid)
        ctx = Context()
        ctx.op, ctx.attrs, ctx.needs = op, attrs, needs
        ctx.in_uids = [t.uid for t in inputs]
        ctx.out_uids = out_uids
        ctx.specs = tuple([Spec(t.shape, t.dtype) for t in inputs])
        ctx.out_specs = tuple([Spec(t.shape, t.dtype) for t in outputs])
        ctx.inputs = ctx.outputs = ()
        if isinstance(op, Op):
            if op.saved_inputs:
                saved = op.saved_inputs
                last = len(op.input_names) - 1
                every = op.variadic and last in saved
                ctx.inputs = [t if k in saved or (every and k > last) else None for k, t in enumerate(inputs)]
            if op.saved_outputs:
                ctx.outputs = [t if k in op.saved_outputs else None for k, t in enumerate(outputs)]
        self._records.append(ctx)

    def gradient(
        self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: str = "none"
    ) -> Any:
        """Gradient of the sum of `target` with respect to `sources`.

        Args:
            target: a tensor or nested structure of tensors.
            sources: tensors or Variables, nested; the result has the same structure.
            output_gradients: weights for each element of the targets, of the same shapes; ones by default.
            unconnected_gradients: "none" gives None, "zero" zeros, for sources that the target does not depend on.

        Raises:
            ValueError: for symbols, wrong arguments, wrong shapes.
            RuntimeError: when a tape that is not persistent is used twice.
            LookupError: where an op on the way has no gradient rule for an argument; names both.
        """
        where = "GradientTape.gradient"
        if unconnected_gradients not in ("none", "zero"):
            raise invalid(
                where, "unconnected_gradients is 'none' or 'zero'", unconnected_gradients=unconnected_gradients
            )
        if self._used:
            raise invalid(where, "a tape that is not persistent gives gradients once", kind=RuntimeError)
        resume = False
        if self._recording and not self._persistent:
            self._pop()
            resume = True  # the tape's own `with` block is still open
        try:
            targets = [self._value(t, where) for t in tree.flatten(target)]
            flat = tree.flatten(sources)
            for s in flat:
                if not isinstance(s, Tensor) and not hasattr(s, "read"):
                    raise invalid(where, "sources are tensors or variables that the tape watched", source=s)
            if output_gradients is None:
                seeds = [None] * len(targets)
            else:
                seeds = tree.flatten(output_gradients)
                if len(seeds) != len(targets):
                    raise invalid(
                        where, "there is one output gradient for each target", targets=len(targets), given=len(seeds)
                    )
            grads = self._backward(targets, seeds, flat)
        finally:
            self._used = not self._persistent
            if not self._persistent:
                self._records = []
            if resume:
                self._push()
        if unconnected_gradients == "zero":
            grads = [_constant(s.shape, s.dtype, 0) if g is None else g for s, g in zip(flat, grads)]
        return tree.pack_sequence_as(sources, grads)

    def _value(self, t: Any, where: str) -> Tensor:
        if isinstance(t, Symbol):
            raise invalid(where, "a tape follows values, not symbolic tensors", target=t)
        t = t.read() if hasattr(t, "read") else t
        return t if isinstance(t, Tensor) else to_tensor(t, where=where)

    def _backward(self, targets: list[Tensor], seeds: list, sources: list) -> list[Tensor | None]:
        """Walks the record backwards; sums, in a fixed order, what arrives at each tensor."""
        add = get_op("add")
        capture = state.capture
        grads: dict[int, Tensor] = {}

        def arrive(uid: int, g: Tensor) -> None:
            old = grads.get(uid)
            grads[uid] = g if old is None else add(old, g)

        for t, seed in zip(targets, seeds):
            if t.uid not in self._watched:
                continue
            if seed is None:
                seed = _constant(t.shape, t.dtype, 1)
            else:
                seed = self._value(seed, "GradientTape.gradient")
                if seed.shape != t.shape:
                    raise invalid(
                        "GradientTape.gradient", "an output gradient has its target's shape", target=t, given=seed
                    )
            arrive(t.uid, seed)
        source_uids = {uid for s in sources for uid in (self._reads.get(id(s), ()) if hasattr(s, "read") else (s.uid,))}
        # Only what leads back to a source is computed.
        reaching = set(source_uids)
        useful = []
        for ctx in self._records:
            if any(n and u in reaching for u, n in zip(ctx.in_uids, ctx.needs)):
                reaching.update(ctx.out_uids)
                useful.append(ctx)
        for ctx in reversed(useful):
            outs = [grads.get(u) for u in ctx.out_uids]
            if all(g is None for g in outs):
                continue
            outs = [
                _constant(s.shape, s.dtype, 0) if g is None and s.dtype in FLOATS else g
                for g, s in zip(outs, ctx.out_specs)
            ]
            for u in ctx.out_uids:
                if u not in source_uids:
                    grads.pop(u, None)
            saved_needs = ctx.needs
            ctx.needs = tuple([n and u in reaching for u, n in zip(ctx.in_uids, saved_needs)])
            if capture is not None:
                capture.enter_backward(ctx.out_uids[0])
            try:
                results = ctx.gradients(outs)
            finally:
                needs, ctx.needs = ctx.needs, saved_needs
                if capture is not None:
                    capture.leave_backward()
            for uid, need, g, spec in zip(ctx.in_uids, needs, results, ctx.specs):
                if need and g is not None:
                    if tuple(g.shape) != spec.shape:
                        raise RuntimeError(f"{ctx.op.name}: a gradient rule gave shape {g.shape} for {spec.shape}")
                    arrive(uid, g)
        return [self._sum_of(s, grads, add) for s in sources]

    def _sum_of(self, source: Any, grads: dict[int, Tensor], add: Op) -> Tensor | None:
        uids = self._reads.get(id(source), ()) if hasattr(source, "read") else (source.uid,)
        total = None
        for uid in uids:
            g = grads.get(uid)
            if g is not None:
                total = g if total is None else add(total, g)
        return total

    def jacobian(
        self,
        target: Tensor,
        sources: Any,
        unconnected_gradients: str = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """Derivative of every element of `target` by every element of `sources`.

        Each result has shape target.shape + source.shape. The last two arguments are accepted for compatibility.
        """
        target = self._value(target, "GradientTape.jacobian")
        flat = tree.flatten(sources)
        rows = self._rows(target, flat, unconnected_gradients, range(target.size), batched=False)
        concatenate, reshape = get_op("concatenate"), get_op("reshape")
        out = []
        for k, s in enumerate(flat):
            parts = [r[k] for r in rows]
            if any(p is None for p in parts):
                out.append(None)
                continue
            shape = target.shape + tuple(s.shape)
            if not parts:
                out.append(_constant(shape, s.dtype, 0))
                continue
            parts = [reshape(p, newshape=(1, *p.shape)) for p in parts]
            out.append(reshape(concatenate(*parts, axis=0), newshape=shape))
        return tree.pack_sequence_as(sources, out)

    def batch_jacobian(
        self,
        target: Tensor,
        source: Tensor,
        unconnected_gradients: str = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Tensor | None:
        """Derivative of target[i] by source[i] for each sample i; shape (n,) + target.shape[1:] + source.shape[1:]."""
        where = "GradientTape.batch_jacobian"
        target = self._value(target, where)
        if not target.shape or not source.shape or target.shape[0] != source.shape[0]:
            raise invalid(where, "target and source have the same first dimension", target=target, source=source)
        n = target.shape[0]
        per_sample = target.size // n if n else 0
        rows = self._rows(target, [source], unconnected_gradients, range(per_sample), batched=True)
        if any(r[0] is None for r in rows):
            return None
        shape = target.shape + tuple(source.shape[1:])
        if not rows:
            return _constant(shape, source.dtype, 0)
        parts = [get_op("reshape")(r[0], newshape=(n, 1, *source.shape[1:])) for r in rows]
        return get_op("reshape")(get_op("concatenate")(*parts, axis=1), newshape=shape)

    def _rows(self, target: Tensor, flat: list, unconnected: str, positions: range, batched: bool) -> list[list]:
        """Gradients for one-hot output gradients; the record is kept until the last one."""
        persistent, self._persistent = self._persistent, True
        paused = self._recording and not persistent
        if paused:
            self._pop()
        try:
            rows = []
            for position in positions:
                seed = np.zeros(target.shape, target.dtype)
                (seed.reshape(target.shape[0], -1)[:, position] if batched else seed.reshape(-1))[
                    ... if batched else position
                ] = 1
                rows.append(self.gradient(target, flat, [Tensor(seed, target.dtype)], unconnected))
            return rows
        finally:
            self._persistent = persistent
            self._used = not persistent
            if not persistent:
                self._records = []
            if paused:
                self._push()


class custom_gradient:
    """Decorator: a function that gives its result and its own gradient.

    The function returns `(result, grad)`; `grad(*upstream)` takes one gradient per output and gives one per argument
    (alone or as a tuple).

    >>> import kerasish as keras
    >>> @keras.ops.custom_gradient
    ... def clip_backward(x):
    ...     def grad(upstream):
    ...         return keras.ops.clip(upstream, -1.0, 1.0)
    ...     return x * 10.0, grad
    >>> x = keras.ops.convert_to_tensor(2.0)
    >>> with keras.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = clip_backward(x)
    >>> float(y), float(tape.gradient(y, x))
    (20.0, 1.0)
    """

    def __init__(self, fun: Callable):
        self.fun = fun
        self.__name__ = getattr(fun, "__name__", "custom_gradient")
        self.__doc__ = fun.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        pair = self.fun(*args, **kwargs)
        if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[1]):
            raise invalid(self.__name__, "a custom_gradient function returns (result, grad function)", returned=pair)
        result, grad_fn = pair
        if not state.tapes:
            return result
        flat_args = [t.read() if hasattr(t, "read") else t for t in tree.flatten(args)]
        positions = [k for k, t in enumerate(flat_args) if isinstance(t, Tensor)]
        inputs = [flat_args[k] for k in positions]
        # Fresh identities: the ops inside the function stay on the tape (grad may use what they made), but the result
        # is reached only through the custom rule.
        outputs = [t.renewed() if isinstance(t, Tensor) else t for t in tree.flatten(result)]

        def rule(ctx: Context, *grads: Tensor | None) -> list[Tensor | None]:
            given = grad_fn(*grads)
            given = list(given) if isinstance(given, (tuple, list)) else [given]
            if len(given) != len(flat_args) and len(given) != len(positions):
                raise invalid(
                    self.__name__,
                    "grad gives one gradient for each argument",
                    arguments=len(flat_args),
                    given=len(given),
                )
            if len(given) == len(flat_args):
                given = [given[k] for k in positions]
            return [None if g is None else self._tensor(g) for g in given]

        op = _CustomOp(self.__name__, rule)
        tensors = [t for t in outputs if isinstance(t, Tensor)]
        for tape in state.tapes:
            tape.record(op, inputs, tensors, {})
        return tree.pack_sequence_as(result, outputs)

    @staticmethod
    def _tensor(g: Any) -> Tensor:
        return g if isinstance(g, Tensor) else to_tensor(g)
