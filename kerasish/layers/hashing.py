"""Hashing and HashedCrossing: values, or combinations of values, to buckets."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine import tree
from ..engine.config import floatx
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.strings import as_strings, is_strings
from ..engine.symbol import Symbol
from ..engine.tensor import Operators, as_input
from ..ops.hashing import cross_strings, farmhash64, hash_buckets, hash_cross, hash_strings
from .categorical import VECTORS, check_mode, encode, encoded_shape
from .layer import Layer
from .options import check_count


def check_salt(where: str, salt: Any) -> list | None:
    """A salt as two integers.

    Raises:
        ValueError: it is none.
    """
    if salt is None:
        return None
    pair = [salt, salt] if isinstance(salt, int) else salt
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or any(type(x) is not int for x in pair):
        raise invalid(where, "salt is an integer, or a list or tuple of two", salt=salt)
    return list(pair)


def values_of(inputs: Any, where: str) -> Any:
    """Inputs as an array of strings or a tensor of numbers.

    Raises:
        TypeError: they are neither.
    """
    if isinstance(inputs, Operators):
        return inputs
    flat = tree.flatten(inputs)
    if is_strings(inputs) or (flat and isinstance(flat[0], (str, bytes))):
        return as_strings(inputs, where)
    return as_input(inputs if isinstance(inputs, np.ndarray) else np.asarray(inputs))


def as_bytes(strings: np.ndarray) -> list[bytes]:
    """The strings of an array in a row, as UTF-8."""
    return [t if isinstance(t, bytes) else t.encode() for t in strings.ravel().tolist()]


@export("keras.layers")
class Hashing(Layer):
    """Spreads strings or integers over buckets by a hash function.

    Args:
        num_bins: number of buckets, with the one for masked values.
        mask_value: the value that stands for nothing: bucket 0, which then holds nothing else.
        salt: an integer or two: SipHash-2-4 under this key, instead of FarmHash's `Fingerprint64`. Integers are hashed
            as their decimal digits. Both are what TensorFlow computes, so the buckets are those of Keras.
        output_mode: "int" for the bucket; "one_hot", "multi_hot" and "count" as of `CategoryEncoding`.
        sparse: must be False.

    Input: a tensor of numbers (floats lose their fraction), or strings as a NumPy array or list. Output: the layer's
    dtype, which is int64 for "int" by default and `floatx` otherwise.

    Raises:
        ValueError: for arguments that cannot be.
        TypeError: the inputs are neither numbers nor strings.

    >>> import kerasish as keras
    >>> keras.layers.Hashing(3)([["A"], ["B"], ["C"], ["D"], ["E"]]).numpy().ravel()
    array([1, 0, 1, 1, 2])
    """

    def __init__(self, num_bins, mask_value=None, salt=None, output_mode="int", sparse=False, **kwargs):
        mode = check_mode("Hashing", output_mode, ("int", *VECTORS), sparse)
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if mode == "int" else floatx()
        super().__init__(**kwargs)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.num_bins = check_count("Hashing", "num_bins", num_bins)
        if mode == "int" and self.compute_dtype not in ("int32", "int64"):
            raise invalid("Hashing", "in output_mode='int' the dtype is int32 or int64", dtype=self.compute_dtype)
        self.mask_value, self.salt = mask_value, check_salt("Hashing", salt)
        self.output_mode, self.sparse = mode, False

    def call(self, inputs: Any) -> Any:
        x = values_of(inputs, f"Hashing {self.name!r}")
        masks = self.mask_value is not None and self.num_bins > 1
        bins = self.num_bins - masks
        if is_strings(x):
            flat = as_bytes(x)
            found = hash_strings(flat, bins, self.salt)
            if masks:
                mask = str(self.mask_value).encode() if not isinstance(self.mask_value, bytes) else self.mask_value
                found = np.where([t == mask for t in flat], 0, found + 1) if flat else found
            buckets = ops.convert_to_tensor(found.astype("int64").reshape(x.shape))
        else:
            number = x if x.dtype.startswith(("int", "uint")) else ops.cast(x, "int64")
            buckets = hash_buckets(number, bins, self.salt)
            if masks:
                buckets = ops.where(ops.equal(x, self.mask_value), np.int64(0), ops.add(buckets, np.int64(1)))
        return encode(buckets, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return encoded_shape(input_shape, self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        return Symbol(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> dict:
        return {
            **super().get_config(), "num_bins": self.num_bins, "salt": self.salt, "mask_value": self.mask_value,
            "output_mode": self.output_mode, "sparse": self.sparse,
        }  # fmt: skip


@export("keras.layers")
class HashedCrossing(Layer):
    """Spreads combinations of several features over buckets by a hash function.

    Args:
        num_bins: number of buckets.
        output_mode: "int" for the bucket, "one_hot" for a vector.
        sparse: must be False.

    Input: a list of two or more tensors of integers or arrays of strings, all of shape (), (batch,) or (batch, 1).
    Output: int64 of that shape, or vectors of the layer's dtype. The hash is that of TensorFlow's `cross_hashed`
    (FarmHash's fingerprints of the strings, mixed in order), so the buckets are those of Keras.

    Raises:
        ValueError: for arguments that cannot be, inputs that are no list of at least two, and shapes that differ.
        TypeError: an input holds neither integers nor strings.

    >>> import kerasish as keras
    >>> layer = keras.layers.HashedCrossing(5)
    >>> layer((["A", "B", "A", "B", "A"], [101, 101, 101, 102, 102])).numpy()
    array([1, 4, 1, 1, 3])
    """

    def __init__(self, num_bins, output_mode="int", sparse=False, name=None, dtype=None, **kwargs):
        mode = check_mode("HashedCrossing", output_mode, ("int", "one_hot"), sparse)
        kwargs.pop("trainable", None)
        if kwargs:
            raise invalid("HashedCrossing", "unknown arguments", **kwargs)
        super().__init__(name=name, dtype="int64" if mode == "int" and dtype is None else dtype)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.num_bins = check_count("HashedCrossing", "num_bins", num_bins)
        self.output_mode, self.sparse = mode, False

    def _check(self, inputs: Any, shapes: list) -> None:
        where = f"HashedCrossing {self.name!r}"
        if len(shapes) < 2:
            raise invalid(where, "the inputs are a list of two features or more", inputs=inputs)
        first = shapes[0]
        if len(first) > 2 or (len(first) == 2 and first[1] != 1) or any(s != first for s in shapes):
            rule = "the inputs have the same shape, (), (batch,) or (batch, 1)"
            raise invalid(where, rule, shapes=shapes)

    def call(self, inputs: Any) -> Any:
        where = f"HashedCrossing {self.name!r}"
        if not isinstance(inputs, (list, tuple)):
            raise invalid(where, "the inputs are a list of two features or more", inputs=inputs)
        columns = [values_of(x, where) for x in inputs]
        self._check(inputs, [tuple(x.shape) for x in columns])
        for x in columns:
            if not is_strings(x) and not str(x.dtype).startswith(("int", "uint")):
                raise invalid(where, "an input holds integers or strings", kind=TypeError, dtype=str(x.dtype))
        if any(map(is_strings, columns)):
            flat = [
                [farmhash64(t) for t in as_bytes(x)] if is_strings(x) else np.asarray(x).ravel().tolist()
                for x in columns
            ]
            buckets = ops.convert_to_tensor(cross_strings(flat, self.num_bins).reshape(columns[0].shape))
        else:
            buckets = hash_cross(columns, self.num_bins)
        return encode(buckets, self.output_mode, self.num_bins, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        shapes = [tuple(s) for s in input_shape]
        self._check(input_shape, shapes)
        return encoded_shape(shapes[0], self.output_mode, self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        shapes = [tuple(x.shape) for x in inputs] if isinstance(inputs, (list, tuple)) else []
        self._check(inputs, shapes)
        return Symbol(encoded_shape(shapes[0], self.output_mode, self.num_bins), self.compute_dtype)

    def get_config(self) -> dict:
        return {
            "num_bins": self.num_bins, "output_mode": self.output_mode, "sparse": self.sparse, "name": self.name,
            "dtype": self.dtype,
        }  # fmt: skip
