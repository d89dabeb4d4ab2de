"""Branches and loops. On values they are Python's own; on symbols they become part of the graph where that works.

A branch on a symbolic predicate calls both functions and keeps the result that the predicate picks: the functions may
use any symbol around them. A loop of unknown length over symbols becomes one operation of the graph, so its functions
may use their arguments only. Loops of known length are unrolled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.operation import Operation
from ..engine.spec import Spec
from ..engine.symbol import Symbol, any_symbols
from ..engine.tensor import Tensor, as_input
from .axes import as_int
from .cast import cast, convert_to_tensor
from .compare import where
from .creation import zeros_like
from .shape import reshape

__all__ = ["cond", "fori_loop", "switch", "while_loop"]


def _select_infer(index: Spec, *branches: Spec) -> Spec:
    if index.shape not in ((), (1,)):
        raise invalid("switch", "the index (or predicate) is a scalar", index=index)
    first = branches[0]
    shape = list(first.shape)
    for b in branches[1:]:
        if (
            b.ndim != first.ndim
            or b.dtype != first.dtype
            or any(None not in p and p[0] != p[1] for p in zip(shape, b.shape))
        ):
            raise invalid("switch", "all branches return the same shapes and dtypes", branches=branches)
        shape = [n if n == m else None for n, m in zip(shape, b.shape)]
    return Spec(tuple(shape), first.dtype)


def _picked(index: np.ndarray, n: int) -> int:
    return min(max(int(index.reshape(())), 0), n - 1)


def _select_grad(ctx, g):
    index, n = ctx.inputs[0], len(ctx.specs) - 1
    zero = zeros_like(g)
    return [None, *(select_branch_op(index, *(g if j == k else zero for j in range(n))) for k in range(n))]


select_branch_op = define_op(
    "select_branch",
    inputs="index *branches",
    infer=_select_infer,
    kernel=Host(lambda index, *branches: branches[_picked(index, len(branches))].copy()),
    grad=_select_grad,
    saves="index",
)


def _merge(name: str, index: Any, results: list, select: Callable | None = None) -> Any:
    """The structure whose leaves are those of the branch that the index picks (by `select`, where it is given)."""
    try:
        for r in results[1:]:
            tree.assert_same_structure(results[0], r)
    except (ValueError, TypeError):
        raise invalid(name, "all branches return the same structure", returned=results) from None
    leaves = [tree.flatten(r) for r in results]
    merged = []
    for group in zip(*leaves):
        if any(leaf is None for leaf in group):
            if any(leaf is not None for leaf in group):
                raise invalid(name, "all branches return the same structure", returned=results)
            merged.append(None)
            continue
        tensors = [as_input(leaf) for leaf in group]
        first = tensors[0]
        if any(tuple(t.shape) != tuple(first.shape) or t.dtype != first.dtype for t in tensors):
            raise invalid(
                name, "all branches return the same shapes and dtypes",
                returned=[(tuple(t.shape), t.dtype) for t in tensors],
            )  # fmt: skip
        merged.append((select or select_branch_op)(index, *tensors))
    return tree.pack_sequence_as(results[0], merged)


def cond(pred: Any, true_fn: Callable, false_fn: Callable) -> Any:
    """The result of one of two functions.

    Args:
        pred: a boolean scalar. A symbolic one calls both functions and picks between their results; so does one whose
            value is not known because the step is being compiled, and what the functions assign to Variables is picked
            likewise.
        true_fn, false_fn: functions without arguments that return the same structure, shapes and dtypes.

    Raises:
        ValueError: for a predicate that is not a scalar, or, with a symbolic one, results that differ in kind.

    >>> import kerasish as keras
    >>> float(keras.ops.cond(True, lambda: 1.0, lambda: 2.0))
    1.0
    """
    if not callable(true_fn) or not callable(false_fn):
        raise invalid(
            "cond", "`true_fn` and `false_fn` are functions", kind=TypeError, true_fn=true_fn, false_fn=false_fn
        )
    pred = as_input(pred)
    if tuple(pred.shape) not in ((), (1,)):
        raise invalid("cond", "`pred` is a scalar", pred=pred)
    pred = pred.read() if hasattr(pred, "read") else pred
    if isinstance(pred, Symbol):
        return _merge("cond", cast(pred, "bool"), [false_fn(), true_fn()])
    if pred.__class__ is not Tensor:  # a step is being captured: both branches become part of it
        pred = reshape(cast(pred, "bool"), ())
        results = pred.capture.branches(lambda yes, no: where(pred, yes, no), true_fn, false_fn)
        return _merge("cond", pred, results, where)
    return true_fn() if bool(np.asarray(pred).reshape(())) else false_fn()


def switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    """The result of the function that `index` names, called on `operands`.

    Args:
        index: an integer scalar, clamped to the branches there are. A symbolic one calls all and picks.
        branches: functions that return the same structure, shapes and dtypes.
        *operands: their arguments.

    Raises:
        ValueError: without branches, or for an index that is not a scalar.

    >>> import kerasish as keras
    >>> float(keras.ops.switch(1, [lambda x: x + 1, lambda x: x * 10], 2.0))
    20.0
    """
    if not branches or not all(callable(b) for b in branches):
        raise invalid("switch", "`branches` is a sequence of one or more functions", branches=branches)
    index = as_input(index)
    if tuple(index.shape) not in ((), (1,)):
        raise invalid("switch", "`index` is a scalar", index=index)
    if isinstance(index, Symbol):
        return _merge("switch", index, [b(*operands) for b in branches])
    return branches[_picked(np.asarray(index), len(branches))](*operands)


# Loops.


def _as_tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def as_tensors(structure: Any) -> Any:
    """The leaves as tensors; a Variable as the value that it has now."""
    return tree.map_structure(lambda x: None if x is None else convert_to_tensor(x), structure)


def _run_while(condition: Callable, body: Callable, loop_vars: tuple, maximum_iterations: int | None) -> tuple:
    done = 0
    while maximum_iterations is None or done < maximum_iterations:
        go = as_input(condition(*loop_vars))
        if tuple(go.shape) not in ((), (1,)):
            raise invalid("while_loop", "`cond` returns a boolean scalar", returned=go)
        if not bool(np.asarray(go).reshape(())):
            break
        new = _as_tuple(body(*loop_vars))
        if len(new) != len(loop_vars):
            raise invalid(
                "while_loop",
                "`body` returns one value for each loop variable",
                loop_vars=len(loop_vars),
                returned=len(new),
            )
        loop_vars = tuple(as_tensors(v) for v in new)
        done += 1
    return loop_vars


class _WhileLoop(Operation):
    """A loop whose variables are symbols: one node of the graph."""

    def __init__(self, condition: Callable, body: Callable, maximum_iterations: int | None):
        super().__init__(name=None)
        self.condition, self.body, self.maximum_iterations = condition, body, maximum_iterations

    def call(self, loop_vars: tuple) -> tuple:
        return _run_while(self.condition, self.body, loop_vars, self.maximum_iterations)

    def compute_output_spec(self, loop_vars: tuple) -> tuple:
        return tree.map_structure(lambda v: Symbol(tuple(v.shape), v.dtype), loop_vars)


def while_loop(cond: Callable, body: Callable, loop_vars: Any, maximum_iterations: int | None = None) -> Any:
    """Calls `body` on the loop variables as long as `cond` of them is true.

    Args:
        cond: function of the loop variables that returns a boolean scalar.
        body: function of the loop variables that returns their new values.
        loop_vars: a tuple or list of tensors or nested structures of them, or a single tensor. Symbolic ones make the
            loop one operation of the graph; `cond` and `body` may then use no other symbols.
        maximum_iterations: stop after so many rounds.

    Returns:
        The last values: a tuple, or a single tensor where `loop_vars` is one.

    Raises:
        ValueError: where `body` returns another number of values, or `cond` no scalar.

    >>> import kerasish as keras
    >>> float(keras.ops.while_loop(lambda x: x < 100, lambda x: x * 2, keras.ops.array(3.0)))
    192.0
    """
    single = not isinstance(loop_vars, (tuple, list))
    values = tuple(as_tensors(v) for v in _as_tuple(loop_vars))
    if maximum_iterations is not None:
        maximum_iterations = as_int("while_loop", "maximum_iterations", maximum_iterations)
    if any_symbols(values):
        values = _WhileLoop(cond, body, maximum_iterations)(values)
    else:
        values = _run_while(cond, body, values, maximum_iterations)
    return values[0] if single else tuple(values)


def _known_int(where: str, name: str, value: Any) -> int:
    if isinstance(value, Symbol):
        raise invalid(where, f"`{name}` must be known; a symbolic tensor has no value", **{name: value})
    return int(np.asarray(value))


def fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any) -> Any:
    """Calls `value = body_fun(i, value)` for i from `lower` to `upper` - 1.

    Args:
        lower, upper: integers, known.
        body_fun: function of the index and the value.
        init_val: the first value; may be symbolic (the loop is then unrolled into the graph).

    Raises:
        ValueError: for symbolic bounds.

    >>> import kerasish as keras
    >>> int(keras.ops.fori_loop(1, 5, lambda i, x: x + i, 0))
    10
    """
    value = init_val
    for i in range(_known_int("fori_loop", "lower", lower), _known_int("fori_loop", "upper", upper)):
        value = body_fun(as_input(i), value)
    return value
