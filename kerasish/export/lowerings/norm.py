"""Normalization."""

from __future__ import annotations

from ..family import Step
from ..writer import Writer
from .reduce import reduced
from .table import activated, lowering


@lowering("batch_norm_inference")
def _batch_norm(w: Writer, step: Step) -> str:
    """ONNX has the channels at axis 1; between two convolutions the transpositions meet theirs and are gone."""
    x, mean, var, gamma, beta = step.inputs
    axis = step["axis"] % x.ndim
    vectors = [w.name(r) for r in (gamma, beta, mean, var)]
    if x.ndim == 1:
        raise step.refuse("ONNX normalizes values of two dimensions or more")
    perm = (0, 1) if x.ndim == 2 and axis == 1 else _to_second(x.ndim, axis)
    y = w.op("BatchNormalization", w.transpose(w.name(x), perm), *vectors, epsilon=step["epsilon"])
    return activated(w, step, w.transpose(y, [perm.index(k) for k in range(x.ndim)]))


def _to_second(ndim: int, axis: int) -> tuple[int, ...]:
    """The order of the axes with this one as the second."""
    rest = [k for k in range(ndim) if k != axis]
    return (rest[0], axis, *rest[1:])


@lowering("batch_norm")
def _batch_norm_of_batch(w: Writer, step: Step) -> tuple[str, str, str]:
    """With the statistics of the batch itself, as in training."""
    x, gamma, beta = step.inputs
    axis = step["axis"] % x.ndim
    axes = [k for k in range(x.ndim) if k != axis]
    name = w.name(x)
    mean = reduced(w, "ReduceMean", name, axes, True)
    gap = w.op("Sub", name, mean)
    var = reduced(w, "ReduceMean", w.op("Mul", gap, gap), axes, True)
    shape = [1] * x.ndim
    shape[axis] = -1
    scale, shift = (w.op("Reshape", w.name(r), w.ints(*shape)) for r in (gamma, beta))
    y = w.op("Div", gap, w.op("Sqrt", w.op("Add", var, w.scalar(step["epsilon"], x))))
    y = activated(w, step, w.op("Add", w.op("Mul", y, scale), shift))
    return y, w.squeeze(mean, *axes), w.squeeze(var, *axes)


@lowering("layer_norm")
def _layer_norm(w: Writer, step: Step) -> str:
    x, gamma, beta = (w.name(r) for r in step.inputs)
    return w.op("LayerNormalization", x, gamma, beta, axis=step["start"], epsilon=step["epsilon"])


@lowering("rms_norm")
def _rms_norm(w: Writer, step: Step) -> str:
    ref, gamma = step.inputs
    x = w.name(ref)
    axes = range(step["start"] % ref.ndim, ref.ndim)
    square = reduced(w, "ReduceMean", w.op("Mul", x, x), axes, True)
    root = w.op("Sqrt", w.op("Add", square, w.scalar(step["epsilon"], ref)))
    return w.op("Mul", w.op("Div", x, root), w.name(gamma))
