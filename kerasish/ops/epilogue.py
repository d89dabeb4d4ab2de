"""Epilogues: the elementwise functions that matrix products and convolutions compute on the way.

An anchor op declares `epilogue`, takes the name as its attribute `activation` and passes `epilogue_code` to its kernel;
the elementwise op declares its own name. The executor's pass brings the two together. relu is computed while a tile is
in registers; the others, which matrix products alone know, on rows that are still in cache, by the loops of their own
kernels.
"""

from __future__ import annotations

EPILOGUES = ("relu",)
# In the order of the kernels' activation_code, from 1.
PRODUCT_EPILOGUES = (
    *EPILOGUES, "tanh", "sigmoid", "gelu", "gelu_tanh", "silu", "relu6", "selu", "softplus", "softsign", "hard_sigmoid",
    "log_sigmoid", "mish",
)  # fmt: skip


def epilogue_code(attrs: dict) -> int:
    """The kernels' number of the function that a call computes; 0 for none."""
    name = attrs.get("activation")
    return 0 if name is None else 1 + PRODUCT_EPILOGUES.index(name)
