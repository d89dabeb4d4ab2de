"""Hashing of strings and integers into buckets, to the numbers of TensorFlow's ops, which trained models rely on.

FarmHash is Google's `Fingerprint64` (farmhashna, version 1.1); SipHash is SipHash-2-4 of Aumasson and Bernstein (2012).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import Host, define_op
from ..engine.spec import Spec, broadcast_shapes
from ..engine.tensor import as_input

__all__ = ["cross_strings", "farmhash64", "hash_buckets", "hash_cross", "hash_strings", "siphash64"]

_MASK = 2**64 - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_PAIR = 0x9DDFEA08EB382D69


def _rotate(x: int, n: int) -> int:
    return ((x >> n) | (x << (64 - n))) & _MASK


def _mix(x: int) -> int:
    return x ^ (x >> 47)


def _pair(u: int, v: int, factor: int = _PAIR) -> int:
    a = _mix(((u ^ v) * factor) & _MASK)
    return (_mix(((v ^ a) * factor) & _MASK) * factor) & _MASK


def _weak(w: int, x: int, y: int, z: int, a: int, b: int) -> tuple[int, int]:
    a = (a + w) & _MASK
    b = _rotate((b + a + z) & _MASK, 21)
    c = a
    a = (a + x + y) & _MASK
    return (a + z) & _MASK, (b + _rotate(a, 44) + c) & _MASK


def _words(text: bytes, at: int, n: int) -> list[int]:
    return [int.from_bytes(text[at + 8 * k : at + 8 * k + 8], "little") for k in range(n)]


def _up_to_16(s: bytes, n: int) -> int:
    factor = (_K2 + n * 2) & _MASK
    if n >= 8:
        a = (_words(s, 0, 1)[0] + _K2) & _MASK
        b = _words(s, n - 8, 1)[0]
        c = (_rotate(b, 37) * factor + a) & _MASK
        d = ((_rotate(a, 25) + b) * factor) & _MASK
        return _pair(c, d, factor)
    if n >= 4:
        a, b = (int.from_bytes(s[k : k + 4], "little") for k in (0, n - 4))
        return _pair((n + (a << 3)) & _MASK, b, factor)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[n - 1] << 2)
        return (_mix(((y * _K2) ^ (z * _K0)) & _MASK) * _K2) & _MASK
    return _K2


def _up_to_64(s: bytes, n: int) -> int:
    factor = (_K2 + n * 2) & _MASK
    a, b = _words(s, 0, 2)
    d, c = _words(s, n - 16, 2)
    a, c, d = (a * (_K1 if n <= 32 else _K2)) & _MASK, (c * factor) & _MASK, (d * _K2) & _MASK
    y = (_rotate((a + b) & _MASK, 43) + _rotate(c, 30) + d) & _MASK
    z = (a + _rotate((b + _K2) & _MASK, 18) + c) & _MASK
    if n <= 32:
        return _pair(y, z, factor)
    z = _pair(y, z, factor)
    e, f = _words(s, 16, 2)
    g, h = _words(s, n - 32, 2)
    e, g, h = (e * factor) & _MASK, ((y + g) * factor) & _MASK, ((z + h) * factor) & _MASK
    first = (_rotate((e + f) & _MASK, 43) + _rotate(g, 30) + h) & _MASK
    return _pair(first, (e + _rotate((f + a) & _MASK, 18) + g) & _MASK, factor)


def farmhash64(s: bytes) -> int:
    """`Fingerprint64` of bytes.

    >>> from kerasish.ops.hashing import farmhash64
    >>> farmhash64(b"hello")
    13009744463427800296
    """
    n = len(s)
    if n <= 16:
        return _up_to_16(s, n)
    if n <= 64:
        return _up_to_64(s, n)
    x, y = 81, (81 * _K1 + 113) & _MASK
    z = (_mix((y * _K2 + 113) & _MASK) * _K2) & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _words(s, 0, 1)[0]) & _MASK
    last = (n - 1) // 64 * 64
    for at in (*range(0, last, 64), n - 64):
        b = _words(s, at, 8)
        tail = at == n - 64 and at + 64 > last
        k, nine = _K1, 1
        if tail:
            k, nine = (_K1 + ((z & 0xFF) << 1)) & _MASK, 9
            w = ((w[0] + ((n - 1) & 63)) & _MASK, w[1])
            v = ((v[0] + w[0]) & _MASK, v[1])
            w = ((w[0] + v[0]) & _MASK, w[1])
        x = (_rotate((x + y + v[0] + b[1]) & _MASK, 37) * k) & _MASK
        y = (_rotate((y + v[1] + b[6]) & _MASK, 42) * k) & _MASK
        x ^= (w[1] * nine) & _MASK
        y = (y + v[0] * nine + b[5]) & _MASK
        z = (_rotate((z + w[0]) & _MASK, 33) * k) & _MASK
        v = _weak(*b[:4], (v[1] * k) & _MASK, (x + w[0]) & _MASK)
        w = _weak(*b[4:], (z + w[1]) & _MASK, (y + b[2]) & _MASK)
        z, x = x, z
    first = (_pair(v[0], w[0], k) + _mix(y) * _K0 + z) & _MASK
    return _pair(first, (_pair(v[1], w[1], k) + x) & _MASK, k)


def siphash64(s: bytes, key: Sequence[int]) -> int:
    """SipHash-2-4 of bytes under a key of two integers.

    >>> from kerasish.ops.hashing import siphash64
    >>> siphash64(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)) == 0xA129CA6149BE45E5
    True
    """
    k0, k1 = (k & _MASK for k in key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(n: int) -> None:
        a, b, c, d = v
        for _ in range(n):
            a, c = (a + b) & _MASK, (c + d) & _MASK
            b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
            a = _rotate(a, 32)
            a, c = (a + d) & _MASK, (c + b) & _MASK
            d, b = _rotate(d, 43) ^ a, _rotate(b, 47) ^ c
            c = _rotate(c, 32)
        v[:] = a, b, c, d

    whole = len(s) // 8 * 8
    rest = int.from_bytes(s[whole:], "little") | ((len(s) & 0xFF) << 56)
    for word in (*_words(s, 0, whole // 8), rest):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


# -- buckets -----------------------------------------------------------------------------------------------------------


@lru_cache(1 << 16)
def _bucket(text: bytes, buckets: int, salt: tuple | None) -> int:
    return (farmhash64(text) if salt is None else siphash64(text, salt)) % buckets


def hash_strings(texts: Sequence[bytes], buckets: int, salt: Sequence[int] | None = None) -> np.ndarray:
    """The bucket of each text, int64: by FarmHash, or with a salt by SipHash."""
    salt = None if salt is None else tuple(salt)
    return np.fromiter((_bucket(t, buckets, salt) for t in texts), "int64", len(texts))


def _cat(a: int, b: int) -> int:
    """The fingerprint of two fingerprints in a row."""
    k = 0xC6A4A7935BD1E995
    a = ((a ^ k ^ (_mix((b * k) & _MASK) * k)) * k) & _MASK
    return _mix((_mix(a) * k) & _MASK)


def cross_strings(columns: Sequence[Sequence[int]], buckets: int) -> np.ndarray:
    """The bucket of each row of several columns of 64-bit fingerprints (or integers), int64."""
    out = np.empty(len(columns[0]), "int64")
    for row, values in enumerate(zip(*columns)):
        mixed = 0xDECAFCAFFE
        for value in values:
            mixed = _cat(mixed, value & _MASK)
        out[row] = mixed % buckets
    return out


def _on_unique(fn: Callable[[list[int]], np.ndarray], x: np.ndarray) -> np.ndarray:
    unique, place = np.unique(x, return_inverse=True)
    return fn(unique.tolist())[place].reshape(x.shape)


def _integers(where: str, x: Spec) -> None:
    if not x.dtype.startswith(("int", "uint")):
        raise invalid(where, "what is hashed are integers", kind=TypeError, dtype=x.dtype)


def _infer_buckets(x: Spec, buckets: int, salt: tuple | None) -> Spec:
    _integers("hash_buckets", x)
    return Spec(x.shape, "int64")


hash_buckets_op = define_op(
    "hash_buckets",
    inputs="x",
    infer=_infer_buckets,
    kernel=Host(lambda x, buckets, salt: _on_unique(lambda v: hash_strings([b"%d" % n for n in v], buckets, salt), x)),
    grad=None,
)


def hash_buckets(x: Any, buckets: int, salt: Sequence[int] | None = None) -> Any:
    """The bucket of each integer, which is hashed as the string of its decimal digits.

    Args:
        x: integers of any shape.
        buckets: how many there are.
        salt: two integers: SipHash under this key instead of FarmHash.

    Returns:
        int64 of the same shape.

    Raises:
        TypeError: x holds no integers.

    >>> from kerasish.ops.hashing import hash_buckets
    >>> hash_buckets([5, -12], 10).numpy()
    array([1, 9])
    """
    return hash_buckets_op(as_input(x), buckets=buckets, salt=None if salt is None else tuple(salt))


def _infer_cross(*specs: Spec, buckets: int) -> Spec:
    for x in specs:
        _integers("hash_cross", x)
    shape = broadcast_shapes(*[x.shape for x in specs])
    if shape is None or any(len(x.shape) != len(shape) for x in specs):
        raise invalid("hash_cross", "the columns have the same shape", shapes=[x.shape for x in specs])
    return Spec(shape, "int64")


def _cross(*columns: np.ndarray, buckets: int) -> np.ndarray:
    columns = np.broadcast_arrays(*columns)
    return cross_strings([c.ravel().tolist() for c in columns], buckets).reshape(columns[0].shape)


hash_cross_op = define_op(
    "hash_cross", inputs="*columns", infer=_infer_cross, kernel=Host(_cross), grad=None
)  # fmt: skip


def hash_cross(columns: Sequence[Any], buckets: int) -> Any:
    """The bucket of each combination of integers at one place of several tensors.

    Args:
        columns: integers, all of the same shape.
        buckets: how many there are.

    Returns:
        int64 of this shape.

    Raises:
        TypeError: a column holds no integers.
        ValueError: the shapes differ.

    >>> from kerasish.ops.hashing import hash_cross
    >>> hash_cross([[3, 4], [1, -7]], 97).numpy()
    array([55, 66])
    """
    return hash_cross_op(*map(as_input, columns), buckets=buckets)
