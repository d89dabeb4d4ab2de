"""Runs a step op by op and as a program, from the same state, and compares everything bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kerasish.engine import tree
from kerasish.engine.spec import Spec
from kerasish.engine.tensor import Tensor, to_tensor
from kerasish.executor import Compiled, Executable, capture, compile_graph


def f32(*shape, seed=0):
    """Normal random numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def specs(args):
    return tree.map_structure(lambda a: Spec(np.shape(a), to_tensor(a).dtype), args)


def program(fn: Callable, args: Sequence, **how) -> Compiled:
    """The program of fn for arrays like args."""
    graph, structure = capture(fn, specs(tuple(args)))
    return Compiled(compile_graph(graph, **how), structure, None)


def executable(fn: Callable, *args, log: Sequence[int] = ()) -> Executable:
    """The Executable of fn for arrays like args."""
    return program(fn, args, log=log).executable


def leaves(result) -> list[np.ndarray]:
    return [x.numpy() if isinstance(x, Tensor) else np.asarray(x) for x in tree.flatten(result) if x is not None]


def assert_same_bits(got, want, what=""):
    got, want = leaves(got), leaves(want)
    assert len(got) == len(want), what
    for k, (a, b) in enumerate(zip(got, want)):
        assert a.dtype == b.dtype and a.shape == b.shape, (what, k)
        np.testing.assert_array_equal(a, b, err_msg=f"{what} {k}")


def check_step(fn: Callable, args: Sequence, variables: Sequence = (), steps: int = 2) -> Compiled:
    """Runs fn for some steps both ways, from the variables' values now; results and variables are the same bits.

    Returns:
        The program. The variables are left as the steps leave them.
    """
    arrays = [np.ascontiguousarray(to_tensor(a).data).reshape(np.shape(a)) for a in tree.flatten(tuple(args))]
    start = [v.numpy() for v in variables]
    wanted = []
    for _ in range(steps):
        wanted.append((leaves(fn(*tree.map_structure(to_tensor, tuple(args)))), [v.numpy() for v in variables]))
    for v, value in zip(variables, start):
        v.assign(value)
    compiled = program(fn, args)
    for v, value in zip(variables, start):
        np.testing.assert_array_equal(v.numpy(), value, err_msg="capturing changed a variable")
    for k, (result, values) in enumerate(wanted):
        assert_same_bits(compiled.run(arrays), result, f"step {k}, result")
        assert_same_bits([v.numpy() for v in variables], values, f"step {k}, variable")
    return compiled


def programs(function) -> list[Compiled]:
    """The programs that a CompiledFunction keeps."""
    return [c for found in function._programs.values() if isinstance(found, list) for c in found]


def compiles(function, n: int = 1) -> bool:
    """Asserts that a CompiledFunction has not been given up and has so many programs."""
    assert function.refusal is None and len(programs(function)) == n
    return True
