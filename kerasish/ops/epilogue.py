"""Epilogues: the elementwise functions that matrix products and convolutions compute while a tile is in registers.

An anchor op declares `epilogue=EPILOGUES`, takes the name as its attribute `activation` and passes `epilogue_code` to
its kernel; the elementwise op declares its own name. The executor's pass brings the two together.
"""

from __future__ import annotations

EPILOGUES = ("relu",)  # in the order of the kernels' gemm_activation, from 1


def epilogue_code(attrs: dict) -> int:
    """The kernels' number of the function that a call computes; 0 for none."""
    name = attrs.get("activation")
    return 0 if name is None else 1 + EPILOGUES.index(name)
