"""CategoryEncoding, and how it and other layers write categories as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.symbol import Symbol
from ..engine.tensor import Operators, as_input
from ..ops.categories import count_categories
from ..ops.checks import check_labels
from .data_layer import DataLayer
from .options import check_count

VECTORS = ("one_hot", "multi_hot", "count")


def check_mode(where: str, output_mode: Any, allowed: tuple[str, ...], sparse: Any) -> str:
    """An output mode by its name of today.

    Raises:
        ValueError: there is no such mode, or `sparse` is true.
    """
    names = {"binary": "multi_hot", "tf-idf": "tf_idf"}
    mode = names.get(output_mode, output_mode) if isinstance(output_mode, str) else output_mode
    if mode not in allowed:
        raise invalid(where, f"output_mode is one of {allowed}", output_mode=output_mode)
    if sparse:
        raise invalid(where, "sparse tensors are not supported", sparse=sparse)
    return mode


def encode(indices: Any, mode: str, depth: int, dtype: str) -> Any:
    """Indices in the form of an output mode; those outside [0, depth) count for nothing.

    "int": as they are. "one_hot": a vector for each element; a last axis of size 1 makes room for it. "multi_hot" and
    "count": a vector for each sample, over the second axis or the only one.
    """
    if mode == "int":
        return ops.cast(indices, dtype)
    if not indices.shape:
        indices = ops.reshape(indices, (1,))
    if mode == "one_hot":
        if len(indices.shape) > 1 and indices.shape[-1] == 1:
            indices = ops.squeeze(indices, -1)
        return ops.one_hot(indices, depth, dtype=dtype)
    return (ops.multi_hot if mode == "multi_hot" else count_categories)(indices, depth, dtype=dtype)


def encoded_shape(shape: Any, mode: str, depth: int | None) -> tuple:
    """The shape that `encode` gives; a depth of None is not known yet."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    shape = shape or (1,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


def integers(inputs: Any, where: str) -> Any:
    """Inputs as a tensor of integers.

    Raises:
        TypeError: they are strings, say.
    """
    x = inputs if isinstance(inputs, Operators) else as_input(np.asarray(inputs))
    if not x.dtype.startswith(("int", "uint")):
        raise invalid(where, "the inputs are integers", kind=TypeError, dtype=x.dtype)
    return x


@export("keras.layers")
class CategoryEncoding(DataLayer):
    """Writes integer categories as vectors.

    Args:
        num_tokens: number of categories.
        output_mode: "one_hot" for a vector for each element (in place of a last axis of size 1); "multi_hot" for one
            for each sample, with a 1 for each category that is in it; "count" for how often each is.
        sparse: must be False.

    Input: integers in [0, num_tokens) of any shape; a sample is the second axis, or all of a vector. In mode "count"
    the call takes `count_weights` of the same shape, which are summed instead of ones.

    Raises:
        ValueError: for a number or mode that cannot be, categories outside of the range, weights in another mode.
        TypeError: the inputs are no integers.

    >>> import kerasish as keras
    >>> keras.layers.CategoryEncoding(4, output_mode="count")([[0, 1], [0, 0], [3, 1]]).numpy()
    array([[1., 1., 0., 0.],
           [2., 0., 0., 0.],
           [0., 1., 0., 1.]], dtype=float32)
    """

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = False  # the elements of a mask are not those of the output
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.output_mode = check_mode("CategoryEncoding", output_mode, VECTORS, sparse)
        self.num_tokens = check_count("CategoryEncoding", "num_tokens", num_tokens)
        self.sparse = False

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        where = f"CategoryEncoding {self.name!r}"
        if count_weights is not None and self.output_mode != "count":
            raise invalid(where, "count_weights belong to output_mode='count'", output_mode=self.output_mode)
        x = integers(inputs, where)
        check_labels(x, self.num_tokens, f"{where}: categories lie in [0, num_tokens)")
        if count_weights is None:
            return encode(x, self.output_mode, self.num_tokens, self.compute_dtype)
        weights = ops.cast(as_input(count_weights), self.compute_dtype)
        if tuple(weights.shape) != tuple(x.shape):
            raise invalid(where, "count_weights have the shape of the inputs", inputs=x, count_weights=weights)
        if not x.shape:
            x, weights = ops.reshape(x, (1,)), ops.reshape(weights, (1,))
        each = ops.one_hot(x, self.num_tokens, dtype=self.compute_dtype)
        return ops.sum(ops.multiply(each, ops.expand_dims(weights, -1)), axis=min(len(x.shape) - 1, 1))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def compute_output_spec(self, inputs: Any, count_weights: Any = None) -> Any:
        return Symbol(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
