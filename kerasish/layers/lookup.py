"""IntegerLookup and StringLookup."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.symbol import Symbol
from ..ops.checks import check_labels
from .index_lookup import IndexLookup

_INTEGER = re.compile(r"-?[0-9]{1,19}")


@export("keras.layers")
class IntegerLookup(IndexLookup):
    """Replaces integers by their indices in a vocabulary.

    Args:
        max_tokens: the largest size of the vocabulary, with special tokens; None for any.
        num_oov_indices: number of indices for unknown integers, which are spread by their remainder; 0 refuses them.
        mask_token: the integer that stands for nothing: index 0, or left out in other modes than "int".
        oov_token: what an inverse lookup gives for the indices of unknown integers.
        vocabulary: list or vector of integers, or the path of a text file; without it, call `adapt`.
        vocabulary_dtype: "int64".
        idf_weights: weights of the vocabulary, for `output_mode="tf_idf"`.
        invert: whether indices are replaced by integers.
        output_mode: "int" for indices; "one_hot" for a vector for each element; "multi_hot", "count" or "tf_idf" for one
            for each sample.
        sparse: must be False.
        pad_to_max_tokens: whether these vectors have length `max_tokens`.
        oov_method: "floormod".
        salt: must be None.

    Input: integers of any shape; output: int64 (floats for "tf_idf").

    Raises:
        ValueError: for arguments that contradict one another, and unknown integers with `num_oov_indices=0`.
        RuntimeError: the layer is called without a vocabulary.

    >>> import kerasish as keras
    >>> keras.layers.IntegerLookup(vocabulary=[12, 36, 42])([[36, 7, 12]]).numpy()
    array([[2, 0, 1]])
    """

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token=-1,
        vocabulary=None,
        vocabulary_dtype="int64",
        idf_weights=None,
        invert=False,
        output_mode="int",
        sparse=False,
        pad_to_max_tokens=False,
        oov_method="floormod",
        salt=None,
        name=None,
        **kwargs,
    ):
        if vocabulary_dtype != "int64":
            raise invalid("IntegerLookup", "vocabulary_dtype is 'int64'", vocabulary_dtype=vocabulary_dtype)
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary, idf_weights, invert,
            output_mode, sparse, pad_to_max_tokens, oov_method, salt, name, **kwargs,
        )  # fmt: skip

    def _token(self, what: str, value: Any) -> int:
        number = value.__index__() if hasattr(value, "__index__") and not isinstance(value, bool) else None
        if number is None or not -(2**63) <= number < 2**63:
            raise invalid("IntegerLookup", f"{what} has integers of 64 bits", value=value)
        return number

    def _parse(self, line: str) -> int:
        if not _INTEGER.fullmatch(line):
            raise invalid("IntegerLookup", "each line of a vocabulary is an integer", line=line[:50])
        return self._token("vocabulary", int(line))

    def _flat(self, data: Any) -> tuple[tuple, list]:
        array = np.asarray(data)
        if array.dtype.kind not in "iu":
            raise invalid("IntegerLookup.adapt", "the data are integers", dtype=str(array.dtype))
        return array.shape, array.astype("int64").ravel().tolist()

    def call(self, inputs: Any) -> Any:
        self._check_ready()
        x = ops.cast(inputs if hasattr(inputs, "shape") else np.asarray(inputs), "int64")
        tokens = np.array(self._table.tokens, "int64")
        start, last = self._token_start(), len(tokens) - 1
        if self.invert:
            inside = ops.logical_and(ops.greater_equal(x, start), ops.less_equal(x, start + last))
            found = ops.take(tokens, ops.clip(ops.subtract(x, start), 0, last))
            y = ops.where(inside, found, np.int64(-1 if self.oov_token is None else self.oov_token))
            return y if self.mask_token is None else ops.where(ops.equal(x, 0), np.int64(self.mask_token), y)
        order = np.argsort(tokens)
        place = ops.minimum(ops.searchsorted(tokens[order], x), last)
        known = ops.equal(ops.take(tokens[order], place), x)
        if self.num_oov_indices > 1:
            other = ops.add(ops.mod(x, np.int64(self.num_oov_indices)), np.int64(self._oov_start()))
        else:
            other = np.int64(self._oov_start())
        y = ops.where(known, ops.take((order + start).astype("int64"), place), other)
        if self.mask_token is not None:
            masked = ops.equal(x, np.int64(self.mask_token))
            y = ops.where(masked, np.int64(0 if self.output_mode == "int" else -1), y)
            known = ops.logical_or(known, masked)
        if self.num_oov_indices == 0:
            y = self._refuse_unknown(known, y)
        return self._encode(y)

    def _refuse_unknown(self, known: Any, y: Any) -> Any:
        where = f"{type(self).__name__} {self.name!r}: with num_oov_indices=0 all inputs are in the vocabulary"
        check_labels(ops.subtract(ops.cast(known, "int32"), 1), 1, where)
        return y


@export("keras.layers")
class StringLookup(IndexLookup):
    """Replaces strings by their indices in a vocabulary.

    Args:
        max_tokens, vocabulary, idf_weights, invert, output_mode, sparse, pad_to_max_tokens: as of `IntegerLookup`.
        num_oov_indices: 1, or 0 to refuse unknown strings.
        mask_token: the string that stands for nothing.
        oov_token: what an inverse lookup gives for the index of unknown strings.
        encoding: of bytes.
        salt: must be None.

    Input: a NumPy array of str, bytes or objects, a list of strings or a string. Tensors hold no strings, so the layer
    stands before a model and not in one. Output: int64 (floats for "tf_idf"); of an inverse lookup, a NumPy array of str.

    Raises:
        ValueError: for arguments that contradict one another, inputs that are no strings, and unknown strings with
            `num_oov_indices=0`.
        RuntimeError: the layer is called without a vocabulary.

    >>> import kerasish as keras
    >>> layer = keras.layers.StringLookup()
    >>> layer.adapt(["a", "b", "b"])
    >>> layer(["a", "b", "c"]).numpy()
    array([2, 1, 0])
    """

    def __init__(
        self,
        max_tokens=None,
        num_oov_indices=1,
        mask_token=None,
        oov_token="[UNK]",
        vocabulary=None,
        idf_weights=None,
        invert=False,
        output_mode="int",
        pad_to_max_tokens=False,
        sparse=False,
        encoding="utf-8",
        name=None,
        salt=None,
        **kwargs,
    ):
        if not isinstance(encoding, str):
            raise invalid("StringLookup", "encoding is a name", encoding=encoding)
        self.encoding = encoding
        super().__init__(
            max_tokens, num_oov_indices, mask_token, oov_token, "string", vocabulary, idf_weights, invert,
            output_mode, sparse, pad_to_max_tokens, kwargs.pop("oov_method", "floormod"), salt, name, **kwargs,
        )  # fmt: skip

    def _token(self, what: str, value: Any) -> str:
        if isinstance(value, bytes):
            return value.decode(self.encoding)
        if not isinstance(value, str):
            raise invalid("StringLookup", f"{what} has strings", value=value)
        return str(value)

    def _parse(self, line: str) -> str:
        return line

    def _flat(self, data: Any) -> tuple[tuple, list]:
        if isinstance(data, Symbol) or hasattr(data, "uid"):
            rule = "inputs are NumPy arrays or lists of strings: tensors hold none, so the layer stands before a model"
            raise invalid(f"StringLookup {self.name!r}", rule, inputs=data)
        array = np.asarray(data)
        return array.shape, [self._token("the input", t) for t in array.ravel().tolist()]

    def symbolic_call(self, inputs: Any) -> Any:
        if not self.invert:
            self._flat(inputs)
        raise invalid(f"StringLookup {self.name!r}", "an inverse lookup gives strings, which no model holds", inputs=inputs)

    def call(self, inputs: Any) -> Any:
        self._check_ready()
        start = self._token_start()
        if self.invert:
            indices = np.asarray(inputs).astype("int64")
            names = self.get_vocabulary()
            flat = [names[i] if 0 <= i < len(names) else self.oov_token for i in indices.ravel().tolist()]
            out = np.empty(len(flat), object)
            out[:] = flat
            return out.reshape(indices.shape)
        shape, tokens = self._flat(inputs)
        index, unknown = self._table.index, self._oov_start() if self.num_oov_indices else None
        mask = 0 if self.output_mode == "int" else -1
        found = [
            mask if t == self.mask_token and t is not None else index[t] + start if t in index else unknown
            for t in tokens
        ]
        if None in found:
            rule = "with num_oov_indices=0 all inputs are in the vocabulary"
            raise invalid(f"StringLookup {self.name!r}", rule, unknown=tokens[found.index(None)])
        return self._encode(ops.convert_to_tensor(np.array(found, "int64").reshape(shape)))

    def get_config(self) -> dict:
        config = {**super().get_config(), "encoding": self.encoding}
        del config["vocabulary_dtype"]
        return config
