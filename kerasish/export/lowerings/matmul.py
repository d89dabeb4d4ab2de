"""Matrix products and contractions."""

from __future__ import annotations

from ..family import Ref, Step
from ..writer import Writer
from .table import activated, lowering


def _operand(w: Writer, ref: Ref, dtype: str, turned: bool) -> str:
    x = w.name(ref)
    if ref.dtype != dtype:  # products of int8 are wider than they
        x = w.cast(x, dtype)
    if turned:
        n = ref.ndim
        x = w.transpose(x, (*range(n - 2), n - 1, n - 2))
    return x


@lowering("matmul", "matmul_bias")
def _matmul(w: Writer, step: Step) -> str:
    a, b = step.inputs[:2]
    dtype = step.outputs[0].dtype
    wide = "int32" if dtype.startswith(("int", "uint")) and dtype not in ("int64", "uint32", "uint64") else dtype
    y = w.op(
        "MatMul",
        _operand(w, a, wide, step.get("transpose_a", False)),
        _operand(w, b, wide, step.get("transpose_b", False)),
    )
    y = y if wide == dtype else w.cast(y, dtype)
    if len(step.inputs) == 3:
        y = w.op("Add", y, w.name(step.inputs[2]))
    return activated(w, step, y)


@lowering("contract")
def _contract(w: Writer, step: Step) -> str:
    labels = f"{step['left']},{step['right']}->{step['out']}"
    x1, x2 = step.inputs
    dtype = step.outputs[0].dtype
    wide = "int64" if dtype not in ("float16", "float32", "float64", "int32", "int64") else dtype
    y = w.op("Einsum", _operand(w, x1, wide, False), _operand(w, x2, wide, False), equation=labels)
    return y if wide == dtype else w.cast(y, dtype)
