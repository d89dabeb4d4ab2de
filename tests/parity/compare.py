"""Calls the same op in kerasish and in Keras and compares values, dtypes and symbolic shapes."""

from __future__ import annotations

import numpy as np

import kerasish
from kerasish.engine.symbol import Symbol


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """float32 values in [-1, 1)."""
    return np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype("float32")


def whole(*shape: int, high: int, low: int = 0, seed: int = 0) -> np.ndarray:
    """int32 values in [low, high)."""
    return np.random.default_rng([seed, *shape]).integers(low, high, shape).astype("int32")


def at_once(calls: list[tuple]) -> list:
    """What calls of Keras, (function, *arguments) each, return.

    On JAX they are one program, whose inputs are the arrays among the arguments: XLA compiles for longer than it
    computes, and for longer still when each call is a program of its own.
    """
    import keras

    def run(calls):
        return [fn(*args) for fn, *args in calls]

    if keras.backend.backend() != "jax":
        return run(calls)
    import jax

    leaves, tree = jax.tree_util.tree_flatten([list(call) for call in calls])
    arrays = {k: leaf for k, leaf in enumerate(leaves) if isinstance(leaf, np.ndarray)}

    def program(traced):
        return run(jax.tree_util.tree_unflatten(tree, [traced.get(k, leaf) for k, leaf in enumerate(leaves)]))

    return jax.jit(program)(arrays)


class Case:
    """One call: the op's name under `ops`, its arguments, and whether symbols as arguments are compared, too."""

    def __init__(self, name: str, *args, symbolic: bool = True, rtol: float = 1e-5, **kwargs):
        self.name, self.args, self.kwargs, self.symbolic, self.rtol = name, args, kwargs, symbolic, rtol

    def __repr__(self) -> str:
        def show(a):
            if isinstance(a, np.ndarray):
                return f"{a.dtype}[{','.join(map(str, a.shape))}]"
            return f"[{','.join(map(show, a))}]" if isinstance(a, (list, tuple)) else str(a)

        parts = [show(a) for a in self.args] + [f"{k}={show(v)}" for k, v in self.kwargs.items()]
        return f"{self.name}({';'.join(parts)})".replace(" ", "")

    def call(self, package, args=None):
        fn = package.ops
        for part in self.name.split("."):
            fn = getattr(fn, part)
        return fn(*(self.args if args is None else args), **self.kwargs)


def flat(out) -> list:
    return [y for part in out for y in flat(part)] if isinstance(out, (tuple, list)) else [out]


def check(case: Case) -> None:
    """The same values, shapes and dtypes."""
    import keras

    want, got = flat(case.call(keras)), flat(case.call(kerasish))
    assert len(got) == len(want)
    for g, w in zip(got, want):
        w = np.asarray(w)
        assert tuple(g.shape) == w.shape
        assert g.dtype == str(w.dtype)
        if w.dtype.kind in "fc":
            finite = np.abs(w[np.isfinite(w)])
            scale = float(finite.max(initial=0.0))
            np.testing.assert_allclose(np.asarray(g), w, rtol=case.rtol, atol=case.rtol * max(scale, 1e-6))
        else:
            np.testing.assert_array_equal(np.asarray(g), w)


def check_symbolic(case: Case) -> None:
    """The same shapes and dtypes for symbols with an unknown first dimension; a known dimension may replace None."""
    import keras

    def symbols(make):
        return [
            make((None, *a.shape[1:]), str(a.dtype)) if isinstance(a, np.ndarray) and a.ndim else a for a in case.args
        ]

    want = flat(case.call(keras, symbols(keras.KerasTensor)))
    got = flat(case.call(kerasish, symbols(Symbol)))
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.dtype == w.dtype
        assert len(g.shape) == len(w.shape), (g.shape, w.shape)
        assert all(b is None or a == b for a, b in zip(g.shape, w.shape)), (g.shape, w.shape)
