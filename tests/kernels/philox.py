"""Philox4x32-10 in NumPy, after Salmon et al. (SC 2011), with the word order of csrc/random/philox.h."""

from __future__ import annotations

import numpy as np


def blocks(seed, first: int, count: int, stream: int = 0) -> np.ndarray:
    """Words of `count` blocks from number `first` on; shape (count, 4), uint32."""
    mask = np.uint64(0xFFFFFFFF)
    number = np.uint64(first) + np.arange(count, dtype="uint64")
    c = [number & mask, number >> np.uint64(32)]
    c += [np.full(count, stream % 2**32, "uint64"), np.full(count, stream >> 32, "uint64")]
    k = [int(seed[0]), int(seed[1])]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [
            (b >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]),
            b & mask,
            (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]),
            a & mask,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=1).astype("uint32")


def words(seed, count: int, stream: int = 0) -> np.ndarray:
    """The first `count` 32-bit words: a group is 16 blocks, by word and then by block."""
    groups = -(-count // 64)
    return blocks(seed, 0, 16 * groups, stream).reshape(groups, 16, 4).transpose(0, 2, 1).reshape(-1)[:count]


def words64(seed, count: int, stream: int = 0) -> np.ndarray:
    """The first `count` 64-bit words: words 0 and 1 of a group's blocks, then words 2 and 3."""
    groups = -(-count // 32)
    w = words(seed, 64 * groups, stream).reshape(groups, 2, 2, 16).astype("uint64")
    return (w[:, :, 0] | w[:, :, 1] << np.uint64(32)).reshape(-1)[:count]


def fractions(seed, count: int, dtype: str, offset: float = 0.0) -> np.ndarray:
    """(w + offset) / 2^bits as float64, from 32-bit words for float32 and the top 53 bits of 64 for float64."""
    if dtype == "float32":
        return (words(seed, count) + offset) * 2.0**-32
    return ((words64(seed, count) >> np.uint64(11)).astype("float64") + offset) * 2.0**-53


def uniform(seed, count: int, dtype: str) -> np.ndarray:
    if dtype == "float32":
        return (words(seed, count) >> np.uint32(8)) * 2.0**-24
    return fractions(seed, count, dtype)


def normal(seed, count: int, dtype: str) -> np.ndarray:
    """Box and Muller: words k and 16 + k of each 32 make a pair."""
    pairs = -(-count // 32)
    u = fractions(seed, 32 * pairs, dtype, 1.0).reshape(pairs, 2, 16)[:, 0]
    v = fractions(seed, 32 * pairs, dtype).reshape(pairs, 2, 16)[:, 1]
    quarter = np.rint(4 * v)
    y = (4 * v - quarter) * (np.pi / 2)  # cos and sin of 2 pi v would lose the digits that the product rounds away
    turned = [(np.cos(y), np.sin(y)), (-np.sin(y), np.cos(y)), (-np.cos(y), -np.sin(y)), (np.sin(y), -np.cos(y))]
    cos, sin = (np.choose(quarter.astype(int) % 4, [t[k] for t in turned]) for k in (0, 1))
    radius = np.sqrt(-2 * np.log(u))
    return np.stack([radius * cos, radius * sin], axis=1).reshape(-1)[:count]
