"""Op declarations and `apply`, the only door through which values, tapes and symbols meet them.

A declaration holds everything that is known about an op: how shapes and dtypes follow (`infer`, which also holds all
validation), which kernel computes it, what its gradient is, what the gradient needs kept, which output may overwrite
which input. Eager execution, the tape, the symbolic graph and a compiled program read the same declaration.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._core import core
from .errors import invalid
from .spec import Spec
from .symbol import Node, Symbol
from .tensor import Tensor, to_tensor

KINDS = ("elementwise", "reduce", "view", "anchor", "opaque", "check")
_registry: dict[str, Op] = {}


class _State(threading.local):
    """What each Python thread has open: its tapes."""

    def __init__(self):
        self.tapes: list = []
        self.capture: Any = None  # what turns calls into a graph instead of running them, when set
        self.calls: list | None = None  # collects (op, input Specs, output Specs, attrs) of symbolic calls, when set


state = _State()


class C:
    """A C kernel, by its name in the registry.

    Args:
        name: the registry's name.
        i, f: functions (input Specs, attributes) -> the flat integer and float attributes that the kernel documents.
        dtype: which input's dtype selects the kernel, by position; or a dtype name.
        host: NumPy function for dtypes that the registry lacks; called as host(*arrays, **attributes).
    """

    __slots__ = ("dtype", "f", "host", "i", "name")

    def __init__(
        self,
        name: str,
        i: Callable[[tuple[Spec, ...], dict], tuple] | None = None,
        f: Callable[[tuple[Spec, ...], dict], tuple] | None = None,
        dtype: int | str = 0,
        host: Callable | None = None,
    ):
        self.name, self.i, self.f, self.dtype, self.host = name, i, f, dtype, host


class Host:
    """A NumPy function: called as fn(*arrays, **attributes), gives an array or a tuple of arrays."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable):
        self.fn = fn


class Op:
    """One op declaration; calling it is `apply`. Made by `define_op`, which documents the fields."""

    __slots__ = (
        "compose", "epilogue", "flops", "grad", "infer", "inplace", "input_names", "kernel", "kind", "lead", "name",
        "output_names", "recompute", "saved_inputs", "saved_outputs", "scratch", "simplify", "traits", "unread",
        "variadic", "whole",
    )  # fmt: skip

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        return apply(self, inputs, attrs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def argument(self, i: int) -> str:
        """Name of the i-th input."""
        last = len(self.input_names) - 1
        return f"{self.input_names[last]}[{i - last}]" if self.variadic and i >= last else self.input_names[i]


def _size(specs: Sequence[Spec]) -> int:
    return sum(s.size or 0 for s in specs)


_DEFAULT_FLOPS = {
    "elementwise": lambda specs, outs, attrs: _size(outs),
    "reduce": lambda specs, outs, attrs: _size(specs),
    "view": lambda specs, outs, attrs: 0,
    "anchor": lambda specs, outs, attrs: _size(outs),
    "opaque": lambda specs, outs, attrs: _size(outs),
    "check": lambda specs, outs, attrs: 0,
}


def define_op(
    name: str,
    *,
    inputs: str,
    infer: Callable,
    kernel: C | Host | None,
    grad: Sequence[Callable | None] | Callable | None,
    saves: str = "",
    outputs: str = "y",
    inplace: tuple[tuple[int, int], ...] = (),
    kind: str = "opaque",
    scratch: Callable | None = None,
    flops: Callable | None = None,
    lead: Callable | None = None,
    whole: str = "",
    unread: str = "",
    epilogue: str | tuple[str, ...] = (),
    simplify: Callable | None = None,
    compose: Callable | None = None,
    recompute: Callable | None = None,
    traits: dict[str, Any] | None = None,
) -> Op:
    """Declares an op and puts it into the registry.

    Args:
        name: Keras's name for it.
        inputs: argument names, separated by spaces; a last name "*xs" takes any number.
        infer: infer(*input_specs, **attributes) -> Spec or tuple of Specs. All validation is here.
        kernel: `C`, `Host`, or None for a view (the output is the input's buffer under the inferred shape).
        grad: one rule per input, `rule(ctx, *output_gradients) -> gradient`, None where an argument has none; or one
            function that gives a sequence; or None where the op has no gradient at all. See `Context`.
        saves: names of the inputs and outputs that the gradient reads.
        outputs: names of the outputs.
        inplace: (input, output) pairs that may share memory, where their elements are as many and as wide.
        kind: elementwise, reduce, view, anchor (matmul, convolution: what others fuse into), opaque, or check (its
            call may refuse the data, and so is made even where nobody needs the result).
        scratch: bytes of working memory from Specs, for a host kernel; a C kernel states its own in the registry.
        flops: flops(input_specs, output_specs, attributes) -> floating-point operations of one call (a multiply-add is
            two); by default one per element of the output, of the input for a reduction, none for a view.
        lead: lead(input_specs, attributes) -> how many leading dimensions of the first input the op treats element by
            element (for a softmax over the last axis all but that one, for a convolution the batch), so that a block
            of rows can be computed by itself, to the same bits. An elementwise op needs none.
        whole: names of the inputs that a block of rows reads all of (a convolution's kernel); the others have the
            leading dimensions, as all outputs do.
        unread: names of the inputs of which the kernel takes the shape alone. They need not be kept for the call.
        epilogue: the elementwise functions of its first output that the kernel computes on the way, by name (they are
            passed as the attribute `activation`); of an elementwise op, its name there.
        simplify: simplify(input_specs, output_specs, attributes, constants) -> the position of an input that the
            output equals, or None. constants holds the values of inputs that are known, else None. It may assume that
            the input has the output's Spec.
        compose: of an op that only moves elements: compose(attributes, attributes) -> the attributes of one call that
            does what two in a row do.
        recompute: recompute(inputs, outputs, attributes) -> (op name, its inputs, its attributes) of a call that gives
            the first output once more, bit for bit, from these inputs and the other outputs, and is cheap.
        traits: facts that passes of the executor use:
            "gate": (a, b): the output is input a, or 0 where input b (of the same shape) fails a test by itself.
            "chooses": (a, y, place): output y holds elements of input a, named by output place.
            "in chunks": (first op, rest op, divided, when(spec, attributes)): a reduction that is the rest op, over the
                first dimension, of what the first op gives, to the same bits (and divided by the number of elements).
            "folds": of such a first op: folds(spec, attributes) -> (rows of a chunk, number of leading dimensions that
                these are rows of); it gives one row of its output for each chunk.
            "statistics": statistics(inputs, attributes) -> (op name, its inputs, its attributes) of a call that gives
                the outputs behind the first, bit for bit; from these `recompute` makes the first row by row.
            "gated": (g, behind(inputs, attributes, a, b)): input g may come from a gate, and behind gives (op name, its
                inputs, its attributes) of a call for the gate's inputs a and b that does the same without it, bit for
                bit, or None.
            "decides": (op name, other op name, when(spec of input 0, attributes)): the output follows from input 0 and
                decisions that the other inputs determine; the first op, of the same inputs and attributes, gives it
                and the decisions, and the other one, of input 0 and these, gives it again, bit for bit.
            "routes": (place, g): each element of g goes to the element of the result that `place` names.
    """
    if name in _registry:
        raise RuntimeError(f"op {name!r} is declared twice")
    if kind not in KINDS:
        raise RuntimeError(f"op {name!r}: kind is one of {KINDS}")
    op = Op()
    op.name = name
    names = inputs.split()
    op.variadic = bool(names) and names[-1].startswith("*")
    op.input_names = tuple(n.lstrip("*") for n in names)
    op.output_names = tuple(outputs.split())
    op.infer, op.kernel, op.grad, op.inplace, op.kind, op.scratch = infer, kernel, grad, inplace, kind, scratch
    op.flops = flops or _DEFAULT_FLOPS[kind]
    op.lead, op.epilogue, op.simplify, op.compose = lead, epilogue, simplify, compose
    op.recompute, op.traits = recompute, traits or {}
    op.whole = tuple(op.input_names.index(n) for n in whole.split())
    op.unread = tuple(op.input_names.index(n) for n in unread.split())
    saved = saves.split()
    unknown = set(saved) - set(op.input_names) - set(op.output_names)
    if unknown:
        raise RuntimeError(f"op {name!r}: saves names {unknown}, which are neither inputs nor outputs")
    op.saved_inputs = tuple(k for k, n in enumerate(op.input_names) if n in saved)
    op.saved_outputs = tuple(k for k, n in enumerate(op.output_names) if n in saved)
    if isinstance(grad, (tuple, list)) and len(grad) != len(op.input_names):
        raise RuntimeError(f"op {name!r}: {len(grad)} gradient rules for {len(op.input_names)} inputs")
    _registry[name] = op
    return op


def get_op(name: str) -> Op:
    """The declared op of this name."""
    return _registry[name]


def all_ops() -> dict[str, Op]:
    """Every declared op by name."""
    return dict(_registry)


def missing_gradient(op: str, argument: str, reason: str) -> Callable:
    """A gradient rule that says why there is none, for arguments whose gradient exists but is not provided."""

    def rule(ctx, *grads):
        raise invalid(op, f"there is no gradient with respect to `{argument}`: {reason}", kind=LookupError)

    return rule


class _Plan:
    """What a call needs, worked out once for each op, Specs and attributes."""

    __slots__ = ("allocate", "f", "host", "i", "kernel", "out_specs", "single")


_plans: dict[tuple, _Plan] = {}
_MAX_PLANS = 8192
core.on_isa_change(_plans.clear)


def forget_plans() -> None:
    """Drops all plans; they are made again when needed."""
    _plans.clear()


def _make_plan(op: Op, specs: tuple[Spec, ...], attrs: dict) -> _Plan:
    plan = _Plan()
    out = op.infer(*specs, **attrs)
    plan.single = isinstance(out, Spec)
    plan.out_specs = (out,) if plan.single else tuple(out)
    plan.kernel = plan.host = None
    plan.i = plan.f = ()
    kernel = op.kernel
    if isinstance(kernel, C):
        dtype = kernel.dtype if isinstance(kernel.dtype, str) else specs[kernel.dtype].dtype
        ranks = [s.ndim for s in (*specs, *plan.out_specs)]
        if max(ranks, default=0) <= core.MAX_NDIM:
            plan.kernel = core.find(kernel.name, dtype)
        if plan.kernel is None:
            plan.host = kernel.host
            if plan.host is None:
                if max(ranks, default=0) > core.MAX_NDIM:
                    raise invalid(op.name, f"at most {core.MAX_NDIM} dimensions are supported", ndim=max(ranks))
                raise invalid(op.name, f"there is no kernel for dtype {dtype}", kind=TypeError, dtype=dtype)
        else:
            plan.i = kernel.i(specs, attrs) if kernel.i else ()
            plan.f = kernel.f(specs, attrs) if kernel.f else ()
    elif isinstance(kernel, Host):
        plan.host = kernel.fn
    plan.allocate = tuple((s.shape, s.dtype) for s in plan.out_specs)
    return plan


def _planned(op: Op, key: list, operands: Sequence[Any], attrs: dict) -> _Plan:
    """The plan of a call on operands (Tensors or Specs); key begins with the op and their shapes and dtypes."""
    for name, value in attrs.items():
        key += (name, value, value.__class__)  # 1, 1.0 and True are equal, and not the same attribute
    try:
        key = tuple(key)
        plan = _plans.get(key)
    except TypeError:
        raise invalid(op.name, "attributes are hashable static values", kind=TypeError, **attrs) from None
    if plan is None:
        plan = _make_plan(op, tuple([Spec(t.shape, t.dtype) for t in operands]), attrs)
        if len(_plans) >= _MAX_PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


def plan_for(op: Op, operands: Sequence[Any], attrs: dict) -> _Plan:
    """What a call of an op on operands of these shapes and dtypes (Tensors or Specs) needs."""
    key: list = [op]
    for t in operands:
        key += (t.shape, t.dtype)
    return _planned(op, key, operands, attrs)


def run_host(op: Op, plan: _Plan, arrays: list[np.ndarray], attrs: dict) -> list[np.ndarray]:
    """Calls a host kernel; checks that it gives what was inferred."""
    with np.errstate(all="ignore"):  # also of the rounding to a narrower dtype
        out = plan.host(*arrays, **attrs)
        outs = [out] if plan.single else list(out)
        outs = [np.ascontiguousarray(v, dtype=s.dtype).reshape(np.shape(v)) for v, s in zip(outs, plan.out_specs)]
    for value, spec in zip(outs, plan.out_specs):
        if len(spec.shape) != value.ndim or any(a not in (None, b) for a, b in zip(spec.shape, value.shape)):
            raise RuntimeError(f"{op.name}: inferred shape {spec.shape} but the kernel gave {value.shape}")
    return outs


def index_error(op: Op, attrs: dict, error: Any, array: np.ndarray) -> Exception:
    """The error for an index in the data that is out of range; `array` is the input that holds it. A check says by its
    attribute `where` for whom it checks."""
    position = tuple(int(p) for p in np.unravel_index(error.position, array.shape)) or error.position
    name = op.argument(error.input)
    rule = f"every value of `{name}` must lie in [0, {error.limit})"
    return invalid(attrs.get("where", op.name), rule, value=error.value, position=position, **{name: array})


def execute(op: Op, arrays: list[np.ndarray], attrs: dict, plan: _Plan) -> list[np.ndarray]:
    """Runs a plan on arrays and gives the output arrays."""
    if plan.kernel is not None:
        outs = tuple([core.empty(shape, dtype) for shape, dtype in plan.allocate])
        try:
            core.run(plan.kernel, tuple(arrays), outs, plan.i, plan.f, op.name)
        except core.IndexOutOfRange as e:
            raise index_error(op, attrs, e, arrays[e.input]) from None
        return outs
    if op.kernel is None:
        return [arrays[0].reshape(plan.allocate[0][0])]
    return run_host(op, plan, arrays, attrs)


def apply(op: Op, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
    """Calls an op on tensors, variables, symbols, arrays or numbers.

    Values run at once and are recorded on the tapes that watch an input; with a Symbol among the inputs, the result is
    a Symbol (or a tuple of them) that remembers the call.
    """
    if state.capture is not None:
        return state.capture.apply(op, inputs, attrs)
    tensors = []
    key: list = [op]
    for x in inputs:
        if x.__class__ is not Tensor:
            if isinstance(x, Symbol):
                return _apply_symbolic(op, inputs, attrs)
            read = getattr(x, "read", None)
            x = read() if read is not None else to_tensor(x, where=op.name)
            if isinstance(x, Symbol):
                return _apply_symbolic(op, inputs, attrs)
        tensors.append(x)
        key.append(x.shape)
        key.append(x.dtype)
    plan = _planned(op, key, tensors, attrs)
    arrays = [t.data for t in tensors]
    outs = [Tensor(a, s.dtype) for a, s in zip(execute(op, arrays, attrs, plan), plan.out_specs)]
    if state.tapes and op.grad is not None:
        for tape in state.tapes:
            tape.record(op, tensors, outs, attrs)
    return outs[0] if plan.single else tuple(outs)


def _apply_symbolic(op: Op, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
    inputs = tuple(x if isinstance(x, Symbol) or hasattr(x, "read") else to_tensor(x, where=op.name) for x in inputs)
    if any(x.dtype == "string" for x in inputs):
        rule = "ops work on numbers; strings go into layers that turn them into some, such as StringLookup"
        raise invalid(op.name, rule, kind=TypeError, dtypes=[x.dtype for x in inputs])
    out = op.infer(*[Spec(tuple(x.shape), x.dtype) for x in inputs], **attrs)
    if isinstance(out, Spec):
        result = Symbol(out.shape, out.dtype)
    else:
        result = tuple(Symbol(s.shape, s.dtype) for s in out)
    Node(op, inputs, attrs, result)
    if state.calls is not None:
        state.calls.append((op, tuple(Spec(tuple(x.shape), x.dtype) for x in inputs), out, attrs))
    return result
