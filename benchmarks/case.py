"""One measured call, as the tables of shapes give it to benchmarks/roofline.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Case(NamedTuple):
    """One call of one kernel.

    Attributes:
        group, name: the family, and what the shape comes from; the command line selects by both.
        kernel: its name in the registry.
        ins: shapes of the inputs, each with a dtype where it is not the case's; integers are below `limit`.
        outs: likewise of the outputs.
        i, f: the kernel's attributes.
        flops: operations of one call (a multiply-add is two).
        again: bytes that it must read a second time; negative: bytes of its inputs that it need not read.
        work: pairs of a function (operations.py) and how many numbers the formula needs it of.
        numpy, torch: the same computation on the inputs; torch gets the module first, and channels-last tensors.
    """

    group: str
    name: str
    kernel: str
    ins: tuple
    outs: tuple
    i: tuple = ()
    f: tuple = ()
    flops: float = 0
    limit: int = 1
    numpy: Callable | None = None
    torch: Callable | None = None
    again: float = 0
    work: tuple = ()


def plain(count: float) -> tuple:
    """So many additions, multiply-adds, comparisons: what a formula without functions needs."""
    return (("plain", count),)
