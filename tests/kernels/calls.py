"""Calling a kernel of the registry by name, for the kernel tests."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Sequence

import numpy as np

from kerasish._core import core

FLOATS = ("float32", "float64")
# Lengths at the edges of vectors (1 to 16 lanes), of pairs and blocks of them.
EDGES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 127, 129, 255, 257)


_protect = ctypes.CDLL(None, use_errno=True).mprotect
_protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def empty(shape: tuple[int, ...], dtype: str | np.dtype) -> np.ndarray:
    """An array whose last byte stands before a page that may not be touched: who goes further ends the process.

    AddressSanitizer watches both ends of an array by itself.
    """
    dtype, page = np.dtype(dtype), mmap.PAGESIZE
    size = int(np.prod(shape))
    if size == 0 or os.environ.get("KERASISH_SANITIZE", "0") not in ("", "0"):
        return np.empty(shape, dtype)
    pages = -(-size * dtype.itemsize // page)
    memory = mmap.mmap(-1, (pages + 1) * page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert _protect(place + pages * page, page, 0) == 0, ctypes.get_errno()
    return np.frombuffer(memory, dtype, size, pages * page - size * dtype.itemsize).reshape(shape)


def before_no_memory(x: np.ndarray) -> np.ndarray:
    """A copy in such a place."""
    copy = empty(x.shape, x.dtype)
    copy[...] = x
    return copy


def run(
    name: str,
    ins: Sequence[np.ndarray],
    outs: Sequence[tuple[tuple[int, ...], str]],
    i: Sequence[int] = (),
    f: Sequence[float] = (),
    isa: str | None = None,
    threads: int = 2,
    dtype: str | None = None,
    fill: object = None,
) -> tuple[np.ndarray, ...]:
    """Runs the kernel (name, `dtype` or that of the first input) of an ISA and gives its outputs.

    Outputs start as garbage, or as `fill`; nothing may be touched behind them or behind an input.
    """
    kernel = core.find(name, dtype or str(ins[0].dtype), isa)
    assert kernel is not None, f"no kernel {name} for {dtype or ins[0].dtype}"
    results = tuple(empty(tuple(shape), kind) for shape, kind in outs)
    for r in results:
        if fill is not None:
            r[...] = fill
        else:
            r.view("uint8" if r.ndim else r.dtype)[...] = 0xA5 if r.ndim else 0
    core.set_num_threads(threads)
    try:
        core.run(
            kernel, tuple(before_no_memory(np.asarray(a)) for a in ins), results, tuple(map(int, i)), tuple(f), name
        )
    finally:
        core.set_num_threads(0)
    return results


def same_bits_at_any_thread_count(*args, **kwargs) -> None:
    """Asserts that 1, 2, 3 and 8 threads give the same bits."""
    want = [r.tobytes() for r in run(*args, **kwargs, threads=1)]
    for threads in (2, 3, 8):
        assert [r.tobytes() for r in run(*args, **kwargs, threads=threads)] == want, threads


def values(shape: tuple[int, ...], dtype: str, seed: int = 0, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Normal values, rounded to the dtype."""
    return np.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape) * scale + shift, dtype)


def exact(x: np.ndarray) -> np.ndarray:
    """The same values in the reference's precision."""
    return x.astype(np.longdouble if x.dtype == np.float64 else np.float64)
