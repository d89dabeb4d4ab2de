"""Cross-entropies, for models that compute a loss in their call."""

from __future__ import annotations

from ..family import Ref, Step
from ..writer import Writer
from .reduce import reduced
from .table import lowering


def _clipped(w: Writer, p: str, ref: Ref, eps: float) -> str:
    return w.op("Min", w.op("Max", p, w.scalar(eps, ref)), w.scalar(1 - eps, ref))


def _own(w: Writer, x: str, labels: Ref, axis: int) -> str:
    """What stands at each label along the last axis."""
    at = w.unsqueeze(w.cast(w.name(labels), "int64"), axis)
    return w.squeeze(w.op("GatherElements", x, at, axis=axis), axis)


def _weighted(w: Writer, logs: str, target: str, axis: int) -> str:
    return w.op("Neg", reduced(w, "ReduceSum", w.op("Mul", target, logs), (axis,), False))


@lowering("categorical_crossentropy_from_logits", "sparse_categorical_crossentropy_from_logits")
def _from_logits(w: Writer, step: Step) -> str:
    x, target = step.inputs
    axis = x.ndim - 1
    logs = w.op("LogSoftmax", w.name(x), axis=axis)
    if step.op.startswith("sparse"):
        return w.op("Neg", _own(w, logs, target, axis))
    return _weighted(w, logs, w.name(target), axis)


@lowering("categorical_crossentropy", "sparse_categorical_crossentropy")
def _from_probabilities(w: Writer, step: Step) -> str:
    """The probabilities are divided by their sum, and cut to [eps, 1 - eps]."""
    x, target = step.inputs
    axis, name = x.ndim - 1, w.name(x)
    p = w.op("Div", name, reduced(w, "ReduceSum", name, (axis,), True))
    logs = w.op("Log", _clipped(w, p, x, step["eps"]))
    if step.op.startswith("sparse"):
        return w.op("Neg", _own(w, logs, target, axis))
    return _weighted(w, logs, w.name(target), axis)


@lowering("binary_crossentropy_from_logits")
def _bits_from_logits(w: Writer, step: Step) -> str:
    x, t = (w.name(r) for r in step.inputs)
    return w.op("Sub", w.op("Softplus", x), w.op("Mul", t, x))


@lowering("binary_crossentropy")
def _bits(w: Writer, step: Step) -> str:
    ref = step.inputs[0]
    p, t, one = _clipped(w, w.name(ref), ref, step["eps"]), w.name(step.inputs[1]), w.scalar(1, ref)
    yes = w.op("Mul", t, w.op("Log", p))
    no = w.op("Mul", w.op("Sub", one, t), w.op("Log", w.op("Sub", one, p)))
    return w.op("Neg", w.op("Add", yes, no))
