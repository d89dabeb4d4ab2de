"""Dtype names and their promotion, as Keras has them (the lattice is JAX's), except that 64-bit types stay 64-bit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .config import floatx

ALLOWED = frozenset(
    [
        "float16",
        "float32",
        "float64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "int8",
        "int16",
        "int32",
        "int64",
        "bfloat16",
        "bool",
        "string",
        "float8_e4m3fn",
        "float8_e5m2",
        "complex64",
        "complex128",
    ]
)
FLOATS = frozenset(("bfloat16", "float16", "float32", "float64"))
INTEGERS = frozenset(["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"])
_PYTHON = {bool: "bool", int: "int32", float: "float32", str: "string", complex: "complex64", "int": "int32"}

# Each type's immediate successors; "int" and "float" are the weak types of Python scalars.
# See https://docs.jax.dev/en/latest/type_promotion.html
_LATTICE = {
    "bool": ("int",),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "uint64": ("float",),
    "int": ("uint8", "int8", "complex64"),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex64": ("complex128",),
    "complex128": (),
}


def _upper_bounds(node: str) -> frozenset[str]:
    found, todo = {node}, [node]
    while todo:
        for nxt in _LATTICE[todo.pop()]:
            if nxt not in found:
                found.add(nxt)
                todo.append(nxt)
    return frozenset(found)


_UPPER = {node: _upper_bounds(node) for node in _LATTICE}
_NUMPY_NAMES = {np.dtype(n): n for n in ALLOWED if not n.startswith(("bfloat", "float8", "string"))}


def numpy_name(dtype: np.dtype) -> str:
    """The name of a NumPy dtype ("float32"); the dtype's own text where it is not one that tensors may have."""
    return _NUMPY_NAMES.get(dtype) or dtype.name


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype given as a name, a NumPy dtype or type, a Python type or None (`floatx`).

    Raises:
        ValueError: if it names no dtype that Keras has.

    >>> from kerasish.engine.dtype import standardize_dtype
    >>> standardize_dtype(float), standardize_dtype("int8")
    ('float32', 'int8')
    """
    if dtype is None:
        return floatx()
    if isinstance(dtype, str) and dtype in ALLOWED:
        return dtype
    try:
        name = _PYTHON.get(dtype, dtype)
    except TypeError:
        name = dtype
    if hasattr(name, "name"):
        name = name.name
    elif hasattr(name, "__name__"):
        name = name.__name__
    elif "torch" in str(name) or "jax.numpy" in str(name):
        name = str(name).split(".")[-1]
    if name == "bool_":
        name = "bool"
    if name not in ALLOWED:
        raise ValueError(f"Invalid dtype: {dtype}")
    return name


def is_float_dtype(dtype: Any) -> bool:
    """Whether a dtype is a floating one."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a dtype is an integer one (bool is not)."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


@lru_cache(512)
def _least_upper_bound(nodes: frozenset[str]) -> str:
    unknown = [n for n in nodes if n not in _UPPER]
    if unknown:
        raise ValueError(f"dtype='{unknown[0]}' is not a valid dtype for type promotion.")
    common = frozenset.intersection(*(_UPPER[n] for n in nodes))
    least = (common & nodes) or {c for c in common if common <= _UPPER[c]}
    if len(least) != 1:
        raise ValueError(f"dtypes {tuple(sorted(nodes))} have no common dtype; cast explicitly.")
    return next(iter(least))


@lru_cache(1024)
def _promote(dtypes: tuple, float_name: str) -> str:
    if not dtypes:
        return float_name
    if any(isinstance(d, str) and d.startswith("float8") for d in dtypes):
        raise ValueError(f"float8 dtypes are not converted implicitly; cast explicitly. Received: {dtypes}")
    dtypes = tuple(float_name if d is None else d for d in dtypes)
    weak = [d is int or d is float for d in dtypes]
    names = [standardize_dtype(d) for d in dtypes]
    if len(set(names)) == 1 and not all(weak):
        return names[0]
    if all(weak):
        return float_name if any(d is float for d in dtypes) else f"int{float_name[-2:]}"
    out = _least_upper_bound(
        frozenset(("float" if n.startswith("f") else "int") if w else n for n, w in zip(names, weak))
    )
    if out == "float":
        return float_name
    return f"int{float_name[-2:]}" if out == "int" else out


def result_type(*dtypes: Any) -> str:
    """The dtype of an operation on operands of these dtypes.

    Python's `int` and `float` (the types) are weak: they take the other operand's width.

    >>> from kerasish.engine.dtype import result_type
    >>> result_type("int64", "float32"), result_type("float16", float), result_type("uint8", "int8")
    ('float32', 'float16', 'int16')
    """
    return _promote(dtypes, floatx())
