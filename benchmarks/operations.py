"""How many vector operations a formula needs at least: the third roof of a roofline, beside multiply-adds and memory.

A processor starts so many vector operations a cycle, whatever they are, and a transcendental function is a dozen or
more. The table counts what the core's own functions come to on registers (additions, multiplications, comparisons,
lookups, shifts; no loads, stores or constants), as compiled; a division and a square root by an estimate and Newton's
steps, which is less than the dividers take. What a kernel does beside its formula (moving rows about, masking the end
of one, summing across lanes) is its own overhead and has no place here: a share of a limit that counts it would flatter
the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable

# Operations on one vector of float32.  "plain": one of +, *, max, a multiply-add, a comparison.  "philox": one word.
OPERATIONS = {
    "avx512": {
        "plain": 1, "division": 5, "sqrt": 5, "exp": 12, "log": 21, "tanh": 18, "sigmoid": 18, "erf": 18, "gelu": 37,
        "philox": 30,  # 120 for four vectors: ten rounds of two products, two shuffles and two three-way xors
    },
    "avx2": {
        "plain": 1, "division": 6, "sqrt": 6, "exp": 20, "log": 33, "tanh": 25, "sigmoid": 23, "erf": 58, "gelu": 65,
        "philox": 40,  # 320 for eight vectors: an xor takes two operands only
    },
}  # fmt: skip


def operations(work: Iterable[tuple[str, float]], isa: str) -> float:
    """Vector operations, times lanes, of `work`: pairs of a function and how many numbers it is computed of.

    What an ISA has no row for is counted as on AVX2, whose functions the others share.
    """
    row = OPERATIONS.get(isa, OPERATIONS["avx2"])
    return float(sum(row[name] * count for name, count in work))
