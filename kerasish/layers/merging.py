"""Layers that merge several inputs into one, and their functions."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from .call import get_mask, set_mask
from .layer import Layer


class Merge(Layer):
    """Base of merging layers: checks the inputs, gives them one rank, combines them."""

    least = 1

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        shapes = self.check(input_shape)
        batches = {s[0] for s in shapes if s} - {None}
        if len(batches) > 1:
            raise invalid(type(self).__name__, "the inputs have the same batch size", shapes=shapes)

    def check(self, input_shape: Any) -> list[tuple]:
        """The inputs' shapes as a list of tuples.

        Raises:
            ValueError: where the layer is not called on a list of inputs.
        """
        if not isinstance(input_shape, (list, tuple)) or not all(isinstance(s, (list, tuple)) for s in input_shape):
            raise invalid(type(self).__name__, "the layer is called on a list of inputs", input_shape=input_shape)
        if len(input_shape) < self.least:
            raise invalid(type(self).__name__, f"the layer takes at least {self.least} inputs", input_shape=input_shape)
        return [tuple(s) for s in input_shape]

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise invalid(type(self).__name__, "the layer is called on a list of inputs", inputs=inputs)
        rank = max(len(x.shape) for x in inputs)
        aligned = []
        for x in inputs:
            while len(x.shape) < rank:  # dimensions are added behind the batch
                x = ops.expand_dims(x, 1)
            aligned.append(x)
        if len({x.shape[k] for x in aligned for k in (0,) if aligned[0].shape} - {None}) > 1:
            raise invalid(
                type(self).__name__, "the inputs have the same batch size", shapes=[tuple(x.shape) for x in aligned]
            )
        return self.merge(aligned)

    def merge(self, inputs: list) -> Any:
        """Combines inputs of one rank."""
        raise NotImplementedError

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """A position is kept where every input keeps it; no mask where one input has none."""
        if mask is None or any(m is None for m in mask):
            return None
        out = mask[0]
        for m in mask[1:]:
            out = ops.logical_or(out, m)
        return out


class Fold(Merge):
    """Base of layers that apply an operation from the first input to the last."""

    operation: Any = None

    def merge(self, inputs: list) -> Any:
        out = inputs[0]
        for x in inputs[1:]:
            out = type(self).operation(out, x)
        return out


def _masked_fold(operation: Any, inputs: list) -> Any:
    """Folds, taking masked positions from the other operand; sets the joint mask on the result."""
    out, out_mask = None, None
    for x in inputs:
        mask = get_mask(x)
        if mask is not None:
            mask = ops.logical_and(ops.expand_dims(mask, -1), ops.ones_like(x, dtype="bool"))
        if out is None:
            out, out_mask = x, mask
            continue
        if mask is not None:
            x = ops.where(mask, x, out)
        if out_mask is not None:
            out = ops.where(out_mask, out, x)
        out_mask = ops.logical_or(out_mask, mask) if mask is not None and out_mask is not None else None
        out = operation(out, x)
    if out_mask is not None:
        set_mask(out, ops.any(out_mask, axis=-1))
    return out


@export("keras.layers")
class Add(Fold):
    """The sum of the inputs, with broadcasting.

    >>> import kerasish as keras
    >>> keras.layers.Add()([keras.ops.ones((1, 2)), keras.ops.ones((1, 2))]).numpy()
    array([[2., 2.]], dtype=float32)
    """

    operation = staticmethod(ops.add)


@export("keras.layers")
class Subtract(Merge):
    """The first input minus the second.

    >>> import kerasish as keras
    >>> keras.layers.Subtract()([keras.ops.ones((1, 2)), keras.ops.ones((1, 2))]).numpy()
    array([[0., 0.]], dtype=float32)
    """

    def check(self, input_shape: Any) -> list[tuple]:
        shapes = super().check(input_shape)
        if len(shapes) != 2:
            raise invalid("Subtract", "the layer takes exactly 2 inputs", input_shape=input_shape)
        return shapes

    def merge(self, inputs: list) -> Any:
        if len(inputs) != 2:
            raise invalid("Subtract", "the layer takes exactly 2 inputs", shapes=[tuple(x.shape) for x in inputs])
        return ops.subtract(*inputs)


@export("keras.layers")
class Multiply(Merge):
    """The product of the inputs, with broadcasting; a masked position counts as 1.

    >>> import kerasish as keras
    >>> keras.layers.Multiply()([keras.ops.ones((1, 2)) * 2, keras.ops.ones((1, 2)) * 3]).numpy()
    array([[6., 6.]], dtype=float32)
    """

    def merge(self, inputs: list) -> Any:
        masks = [get_mask(x) for x in inputs]
        if any(m is not None for m in masks):
            filled = []
            for x, m in zip(inputs, masks):
                if m is not None:
                    keep = ops.logical_and(ops.expand_dims(m, -1), ops.ones_like(x, dtype="bool"))
                    x = ops.where(keep, x, ops.cast(1.0, x.dtype))
                filled.append(x)
            inputs = filled
        out = inputs[0]
        for x in inputs[1:]:
            out = ops.multiply(out, x)
        if all(m is not None for m in masks):
            joint = masks[0]
            for m in masks[1:]:
                joint = ops.logical_or(joint, m)
            set_mask(out, joint)
        return out


@export("keras.layers")
class Average(Fold):
    """The mean of the inputs, with broadcasting.

    >>> import kerasish as keras
    >>> keras.layers.Average()([keras.ops.ones((1, 2)), keras.ops.zeros((1, 2))]).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    operation = staticmethod(ops.add)

    def merge(self, inputs: list) -> Any:
        return ops.divide(super().merge(inputs), float(len(inputs)))


@export("keras.layers")
class Maximum(Merge):
    """The largest of the inputs, element by element.

    >>> import kerasish as keras
    >>> keras.layers.Maximum()([keras.ops.ones((1, 2)), keras.ops.zeros((1, 2))]).numpy()
    array([[1., 1.]], dtype=float32)
    """

    def merge(self, inputs: list) -> Any:
        return _masked_fold(ops.maximum, inputs)


@export("keras.layers")
class Minimum(Merge):
    """The smallest of the inputs, element by element.

    >>> import kerasish as keras
    >>> keras.layers.Minimum()([keras.ops.ones((1, 2)), keras.ops.zeros((1, 2))]).numpy()
    array([[0., 0.]], dtype=float32)
    """

    def merge(self, inputs: list) -> Any:
        return _masked_fold(ops.minimum, inputs)


@export("keras.layers")
class Concatenate(Merge):
    """The inputs one after the other along an axis.

    Args:
        axis: the axis; the other dimensions must be equal.

    Raises:
        ValueError: for inputs whose other dimensions differ.

    >>> import kerasish as keras
    >>> keras.layers.Concatenate()([keras.ops.ones((1, 2)), keras.ops.ones((1, 3))]).shape
    (1, 5)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        if isinstance(axis, bool) or not hasattr(axis, "__index__"):
            raise invalid("Concatenate", "axis is an integer", kind=TypeError, axis=axis)
        self.axis = axis.__index__()

    def build(self, input_shape: Any) -> None:
        shapes = self.check(input_shape)
        ranks = {len(s) for s in shapes}
        if len(ranks) == 1 and not -len(shapes[0]) <= self.axis < len(shapes[0]):
            raise invalid("Concatenate", f"axis is in the range of the rank {len(shapes[0])}", axis=self.axis)
        others = [s[: self.axis % len(s)] + s[self.axis % len(s) + 1 :] for s in shapes if s]
        same = len(ranks) == 1 and all(len({d for d in dims if d is not None}) <= 1 for dims in zip(*others))
        if not same:
            raise invalid(
                "Concatenate", "the inputs have the same shape, but for the axis", axis=self.axis, shapes=shapes
            )

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise invalid("Concatenate", "the layer is called on a list of inputs", inputs=inputs)
        return ops.concatenate(list(inputs), axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None or all(m is None for m in mask):
            return None
        masks = []
        for x, m in zip(inputs, mask):
            full = ops.ones_like(x, dtype="bool")
            if m is None:
                m = full
            elif len(m.shape) < len(x.shape):
                m = ops.logical_and(ops.expand_dims(m, -1), full)
            masks.append(m)
        return ops.any(ops.concatenate(masks, axis=self.axis), axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}


@export("keras.layers")
class Dot(Merge):
    """The dot product of two inputs along an axis of each, sample by sample.

    Args:
        axes: axis of both, or (axis of the first, axis of the second); not the batch axis.
        normalize: scale to L2 norm 1 along the axes first, so that the result is the cosine.

    Raises:
        ValueError: for other than two inputs and for axes of different sizes.

    >>> import kerasish as keras
    >>> keras.layers.Dot(axes=1)([keras.ops.ones((1, 3)), keras.ops.ones((1, 3))]).numpy()
    array([[3.]], dtype=float32)
    """

    least = 2

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise invalid("Dot", "axes is an integer or two integers", kind=TypeError, axes=axes)
            if len(axes) != 2 or not all(isinstance(a, int) for a in axes):
                raise invalid("Dot", "axes is an integer or two integers", axes=axes)
        self.axes = axes
        self.normalize = normalize

    def _axes(self, shapes: list[tuple]) -> tuple[int, int]:
        given = (self.axes, self.axes) if isinstance(self.axes, int) else tuple(self.axes)
        for a, s in zip(given, shapes):
            if not -len(s) <= a < len(s) or a % len(s) == 0:
                raise invalid(
                    "Dot", "an axis is one of its input's, and not the batch axis", axes=self.axes, shapes=shapes
                )
        return given[0] % len(shapes[0]), given[1] % len(shapes[1])

    def build(self, input_shape: Any) -> None:
        shapes = self.check(input_shape)
        if len(shapes) != 2:
            raise invalid("Dot", "the layer takes exactly 2 inputs", input_shape=input_shape)
        a, b = self._axes(shapes)
        if None not in (shapes[0][a], shapes[1][b]) and shapes[0][a] != shapes[1][b]:
            raise invalid("Dot", f"axis {a} of the first and axis {b} of the second have the same size", shapes=shapes)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise invalid("Dot", "the layer takes exactly 2 inputs", inputs=inputs)
        x, y = inputs
        a, b = self._axes([tuple(x.shape), tuple(y.shape)])
        if self.normalize:
            x, y = ops.normalize(x, axis=a), ops.normalize(y, axis=b)
        letters = "abcdefghijklmnopqrstuvwxy"
        left = ["a", *letters[1 : len(x.shape)]]
        right = ["a", *letters[len(x.shape) : len(x.shape) + len(y.shape) - 1]]
        left[a] = right[b] = "z"
        kept = ["a", *(c for c in left[1:] if c != "z"), *(c for c in right[1:] if c != "z")]
        out = ops.einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", x, y)
        return ops.expand_dims(out, 1) if len(kept) == 1 else out

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None

    def get_config(self) -> dict:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def add(inputs, **kwargs):
    """The sum of tensors; see `Add`."""
    return Add(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """The first tensor minus the second; see `Subtract`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """The product of tensors; see `Multiply`."""
    return Multiply(**kwargs)(inputs)


def average(inputs, **kwargs):
    """The mean of tensors; see `Average`."""
    return Average(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """The largest, element by element; see `Maximum`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """The smallest, element by element; see `Minimum`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """Tensors one after the other along an axis; see `Concatenate`."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """The dot product of two tensors; see `Dot`."""
    return Dot(axes=axes, **kwargs)(inputs)
