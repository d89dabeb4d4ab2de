"""The table of lowerings: op name -> function that emits ONNX nodes for one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..family import Step
from ..writer import Writer

# lowering(w, step) -> the name of the output, or a tuple of one for each output (None where ONNX has no counterpart).
LOWERINGS: dict[str, Callable[[Writer, Step], Any]] = {}

# Why an op can have no lowering; the error says it.
REASONS: dict[str, str] = {}


def lowering(*ops: str) -> Callable:
    """Puts a function into the table under these ops' names."""

    def put(fn: Callable) -> Callable:
        for op in ops:
            if op in LOWERINGS:
                raise RuntimeError(f"op {op!r} has two lowerings")
            LOWERINGS[op] = fn
        return fn

    return put


def no_lowering(reason: str, ops: str) -> None:
    """Notes why these ops (separated by spaces) have no lowering."""
    for op in ops.split():
        REASONS[op] = reason


def reason(op: str) -> str:
    """Why an op has no lowering."""
    if op.endswith(("_grad", "_grad_input", "_grad_kernel")):
        return "it belongs to a gradient, and files hold inference alone"
    return REASONS.get(op, "it has no lowering to ONNX")


def names(w: Writer, step: Step) -> list[str]:
    """The names of the inputs."""
    return [w.name(r) for r in step.inputs]


def activated(w: Writer, step: Step, y: str) -> str:
    """The output with the elementwise function that the op's kernel computes on the way."""
    activation = step.get("activation")
    if activation is None:
        return y
    kind = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}.get(activation)
    if kind is None:
        raise step.refuse("there is no lowering for this activation", activation=activation)
    return w.op(kind, y)
