"""Elementwise ops against Keras: signatures, result dtypes of every pair of dtypes, values and gradients."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import kerasish
from kerasish.ops import activation, bitwise, compare, elementary, math, rounding

from .compare import at_once

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

MODULES = (activation, bitwise, compare, elementary, math, rounding)
NAMES = sorted(name for module in MODULES for name in module.__all__)
ATTRIBUTES = {"threshold": (0.3, -1.0), "clip": (-1, 1)}
# Their operands are no tensors of one kind.
SPECIAL = {"select", "where", "isclose", "allclose", "nan_to_num", "round"}
DTYPES = ("bool", "int8", "uint8", "int16", "int32", "float16", "float32")
# Keras makes a float32 tensor of a Python float here, in its other functions the float16 operand wins, as it does here.
STRONG_SCALARS = {"arctan2", "logaddexp", "logaddexp2"}
INTEGER_ONLY = {"gcd", "lcm", *bitwise.__all__}


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def parameters(fn):
    return [n for n, p in inspect.signature(fn).parameters.items() if p.default is p.empty]


UNARY = [n for n in NAMES if n not in SPECIAL and parameters(getattr(kerasish.ops, n))[0] == "x" and n not in
         ("left_shift", "right_shift", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift",
          "bitwise_right_shift")]  # fmt: skip
BINARY = [n for n in NAMES if n not in SPECIAL and n not in UNARY]


@pytest.mark.parametrize("name", NAMES)
def test_signature(keras, name):
    ours, theirs = getattr(kerasish.ops, name), getattr(keras.ops, name)
    bare = [p.replace(annotation=p.empty) for p in inspect.signature(ours).parameters.values()]
    assert str(inspect.Signature(bare)) == str(inspect.signature(theirs))


def attempt(fn, *args):
    """What fn returns, or None where it refuses."""
    try:
        return fn(*args)
    except (TypeError, ValueError, NotImplementedError) as error:
        if type(error).__module__ == "jax.errors":
            raise  # no refusal: the op wants values where at_once has it traced
        return None


def seen(y):
    """(dtype, array), or that the call was refused."""
    return ("refused", None) if y is None else (str(y.dtype), np.asarray(y))


def run(fn, *args):
    return seen(attempt(fn, *args))


def run_all(keras, name, calls):
    """run() of each call in Keras."""
    return [seen(y) for y in at_once([(attempt, getattr(keras.ops, name), *args) for args in calls])]


def operand(dtype: str, positive: bool = False) -> np.ndarray:
    if dtype == "bool":
        return np.array([True, True, True, True] if positive else [True, False, True, True])
    if dtype.startswith(("int", "uint")):
        return np.array([3, 1, 2, 5] if positive or dtype[0] == "u" else [3, 1, -2, 5], dtype)
    return np.array([0.75, 1.25, 0.5, 2.5] if positive else [0.75, -1.25, 0.5, 2.5], dtype)


def same_values(ours, theirs, dtype, what):
    rtol, atol = {"float16": (2e-2, 2e-2)}.get(dtype, (2e-5, 2e-6))
    np.testing.assert_allclose(ours.astype("float64"), theirs.astype("float64"), rtol=rtol, atol=atol, err_msg=what)


@pytest.mark.parametrize("name", UNARY)
def test_unary_dtypes_and_values(keras, name):
    dtypes = [
        d for d in DTYPES if not (name in INTEGER_ONLY and d.startswith("float"))
        and (name, d) not in (("log_sigmoid", "uint8"), ("hard_tanh", "uint8"))  # Keras's -1 wraps in uint8
    ]  # fmt: skip
    calls = [(operand(d), *ATTRIBUTES.get(name, ())) for d in dtypes]
    for dtype, args, (theirs, want) in zip(dtypes, calls, run_all(keras, name, calls)):
        if theirs == "refused":
            continue  # what Keras refuses may work here
        ours, got = run(getattr(kerasish.ops, name), *args)
        assert ours == theirs, f"{name}({dtype}) is {ours} here, {theirs} in Keras"
        same_values(got, want, ours, f"{name}({dtype})")


@pytest.mark.parametrize("name", BINARY)
def test_binary_dtypes_and_values(keras, name):
    operands = [(d, operand(d)) for d in DTYPES]
    seconds = [(d, operand(d, positive=True)) for d in DTYPES] + [("int", 2), ("float", 1.5)]
    pairs, calls = [], []
    for left, x1 in operands:
        for right, x2 in seconds:
            if name in INTEGER_ONLY and "float" in left + right:
                continue
            if name in STRONG_SCALARS and (left, right) == ("float16", "float"):
                continue
            pairs.append((left, right))
            calls.append((x1, x2))
    for (left, right), args, (theirs, want) in zip(pairs, calls, run_all(keras, name, calls)):
        if theirs == "refused":
            continue
        ours, got = run(getattr(kerasish.ops, name), *args)
        assert ours == theirs, f"{name}({left}, {right}) is {ours} here, {theirs} in Keras"
        same_values(got, want, ours, f"{name}({left}, {right})")


@pytest.mark.parametrize("name", [n for n in UNARY if n not in INTEGER_ONLY])
def test_symbols_have_the_shape_and_dtype_of_values(keras, name):
    """Keras's own symbols promise other dtypes than its values have, for integers: only floats are compared with it."""
    more = ATTRIBUTES.get(name, ())
    for dtype in ("bool", "int32", "float16", "float32"):
        if name == "negative" and dtype == "bool":
            continue
        ours = getattr(kerasish.ops, name)(kerasish.KerasTensor((None, 4), dtype=dtype), *more)
        value = getattr(kerasish.ops, name)(operand(dtype).reshape(1, 4), *more)
        assert (ours.shape[1:], ours.dtype) == (value.shape[1:], value.dtype), dtype
    theirs = getattr(keras.ops, name)(keras.KerasTensor((None, 4)), *more)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)


GRADIENTS = {
    "relu": [-1.0, 0.0, 2.0],
    "abs": [-1.0, 2.0],
    "sqrt": [0.5, 2.0],
    "sinc": [0.0, 0.3, 1.2],
    "softplus": [-30.0, 0.0, 30.0],
    "log_sigmoid": [-30.0, 0.0, 30.0],
    "silu": [-20.0, 0.0, 20.0],
    "gelu": [-4.0, 0.0, 4.0],
    "leaky_relu": [-1.0, 0.0, 2.0],
    "elu": [-1.0, 0.0, 2.0],
    "selu": [-1.0, 0.0, 2.0],
    "celu": [-1.0, 0.0, 2.0],
    "hard_sigmoid": [-4.0, 0.0, 4.0],
    "sparse_plus": [-2.0, 0.0, 2.0],
    "i0": [-2.0, 0.0, 2.0],
    "tanh": [-20.0, 0.0, 0.5],
    "erfinv": [-0.5, 0.0, 0.9],
}
PAIRS = {
    "maximum": ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
    "minimum": ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]),
    "power": ([0.0, 2.0, 3.0], [2.0, 0.0, 1.5]),
    "divide_no_nan": ([1.0, 2.0], [0.0, 4.0]),
    "logaddexp": ([0.0, 100.0], [0.0, -100.0]),
    "arctan2": ([1.0, -1.0], [2.0, -0.5]),
    "hypot": ([3.0, 1.0], [4.0, 1.0]),
    "fmax": ([1.0, 2.0, 3.0], [2.0, float("nan"), 2.0]),
    "mod": ([5.5, -5.5], [2.0, 3.0]),
}


@pytest.mark.parametrize("name", [*GRADIENTS, *PAIRS])
def test_gradients_at_kinks_and_edges(keras, name):
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("the reference gradients come from Keras on JAX")
    values = PAIRS.get(name) or (GRADIENTS[name],)
    args = [np.array(v, "float32") for v in values]
    want = jax.grad(lambda a: getattr(keras.ops, name)(*a).sum())([jax.numpy.asarray(a) for a in args])
    ts = [kerasish.ops.convert_to_tensor(a) for a in args]
    with kerasish.GradientTape() as tape:
        tape.watch(ts)
        y = getattr(kerasish.ops, name)(*ts)
    for got, w in zip(tape.gradient(y, ts), want):
        np.testing.assert_allclose(got.numpy(), np.asarray(w), rtol=2e-5, atol=1e-6)
