"""IntegerLookup and StringLookup."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.strings import as_strings
from ..engine.symbol import Symbol
from ..ops.checks import check_labels
from ..ops.hashing import hash_buckets, hash_strings
from .categorical import integers
from .index_lookup import IndexLookup

_INTEGER = re.compile(r"-?[0-9]{1,19}")


@export("keras.layers")
class IntegerLookup(IndexLookup):
    """Replaces integers by their indices in a vocabulary.

    Args:
        max_tokens: the largest size of the vocabulary, with special tokens; None for any.
        num_oov_indices: number of indices for unknown integers; 0 refuses them.
        mask_token: the integer that stands for nothing: index 0, or left out in other modes than "int".
        oov_token: what an inverse lookup gives for the indices of unknown integers.
        vocabulary: list or vector of integers, or the path of a text file; without it, call `adapt`.
        vocabulary_dtype: "int64".
        idf_weights: weights of the vocabulary, for `output_mode="tf_idf"`.
        invert: whether indices are replaced by integers.
        output_mode: "int" for indices; "one_hot" for a vector for each element; "multi_hot", "count" or "tf_idf" for
            one for each sample.
        sparse: must be False.
        pad_to_max_tokens: whether these vectors have length `max_tokens`.
        oov_method: how unknown integers are spread over several indices: "floormod" by their remainder, "farmhash" by
            Google's `Fingerprint64` of their decimal digits, as TensorFlow does.
        salt: an integer or two, with "farmhash": SipHash-2-4 under this key instead.

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
        try:
            array = np.asarray(data)
        except ValueError:  # a ragged list
            array = np.asarray(None)
        if array.dtype.kind not in "iu":
            rule = "the data are an array or a list of integers"
            raise invalid(self._where("adapt"), rule, kind=TypeError, data=data)
        return array.shape, array.astype("int64").ravel().tolist()

    def call(self, inputs: Any) -> Any:
        x = ops.cast(integers(inputs, self._where()), "int64")
        self._check_ready()
        start = self._token_start()
        if self.invert:
            tokens = np.array(self._table.tokens, "int64")
            last = len(tokens) - 1
            inside = ops.logical_and(ops.greater_equal(x, start), ops.less_equal(x, start + last))
            found = ops.take(tokens, ops.clip(ops.subtract(x, start), 0, last))
            y = ops.where(inside, found, np.int64(-1 if self.oov_token is None else self.oov_token))
            return y if self.mask_token is None else ops.where(ops.equal(x, 0), np.int64(self.mask_token), y)
        tokens, order = self._table.sorted()
        place = ops.cast(ops.minimum(ops.searchsorted(tokens, x), len(tokens) - 1), "int64")
        known = ops.equal(ops.take(tokens, place), x)
        other: Any = np.int64(self._oov_start())
        if self.num_oov_indices > 1:
            if self.oov_method == "farmhash":
                bucket = hash_buckets(x, self.num_oov_indices, self.salt)
            else:
                bucket = ops.mod(x, np.int64(self.num_oov_indices))
            other = ops.add(bucket, other)
        y = ops.where(known, ops.take((order + start).astype("int64"), place), other)
        if self.mask_token is not None:
            masked = ops.equal(x, np.int64(self.mask_token))
            y = ops.where(masked, np.int64(0 if self.output_mode == "int" else -1), y)
            known = ops.logical_or(known, masked)
        if self.num_oov_indices == 0:
            where = f"{self._where()}: with num_oov_indices=0 all inputs are in the vocabulary"
            check_labels(ops.subtract(ops.cast(known, "int32"), 1), 1, where)
        return self._encode(y)


@export("keras.layers")
class StringLookup(IndexLookup):
    """Replaces strings by their indices in a vocabulary.

    Args:
        max_tokens, vocabulary, idf_weights, invert, output_mode, sparse, pad_to_max_tokens: as of `IntegerLookup`.
        num_oov_indices: number of indices for unknown strings; 0 refuses them. Several are chosen by Google's FarmHash
            (`Fingerprint64`) of the UTF-8 bytes, as TensorFlow does.
        mask_token: the string that stands for nothing.
        oov_token: what an inverse lookup gives for the index of unknown strings.
        encoding: of bytes.
        salt: an integer or two: SipHash-2-4 under this key instead of FarmHash.

    Input: a NumPy array of str, bytes or objects, a list of strings or a string. Output: int64 (floats for "tf_idf").
    An inverse lookup takes integers and gives a NumPy array of str. Tensors hold no strings: in a model the layer
    stands right behind an `Input(dtype="string")`, or at the end, and steps of the model run op by op.

    Raises:
        ValueError: for arguments that contradict one another, and unknown strings with `num_oov_indices=0`.
        TypeError: the inputs are no strings.
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
            try:
                return value.decode(self.encoding)
            except (UnicodeDecodeError, LookupError) as e:
                raise invalid("StringLookup", f"{what} has bytes that are text in {self.encoding}", value=value) from e
        if not isinstance(value, str):
            raise invalid("StringLookup", f"{what} has strings", value=value)
        return str(value)

    def _parse(self, line: str) -> str:
        return line

    def _flat(self, data: Any) -> tuple[tuple, list]:
        array = as_strings(data, self._where())
        flat = array.ravel().tolist()
        if array.dtype.kind in "UT":
            return array.shape, flat
        return array.shape, [self._token("the input", t) for t in flat]

    def compute_output_spec(self, inputs: Any) -> Any:
        if not self.invert and inputs.dtype != "string":
            rule = "the inputs are strings, Input(dtype='string') in a model"
            raise invalid(self._where(), rule, kind=TypeError, inputs=inputs)
        return Symbol(inputs.shape, "string") if self.invert else super().compute_output_spec(inputs)

    def call(self, inputs: Any) -> Any:
        if self.invert:
            return self._names(np.asarray(integers(inputs, self._where())))
        shape, tokens = self._flat(inputs)
        self._check_ready()
        return self._encode(ops.convert_to_tensor(np.array(self._indices(tokens), "int64").reshape(shape)))

    def _indices(self, tokens: list) -> list:
        """The index of each token; that of the mask token is 0, or negative where masked tokens are left out."""
        table = self._table.index
        start, oov, mask = self._token_start(), self._oov_start(), 0 if self.output_mode == "int" else -1
        out = []
        for t in tokens:
            i = table.get(t)
            if t == self.mask_token and t is not None:
                out.append(mask)
            elif i is not None:
                out.append(i + start)
            elif self.num_oov_indices == 1:
                out.append(oov)
            elif self.num_oov_indices:
                out.append(oov + int(hash_strings([t.encode()], self.num_oov_indices, self.salt)[0]))
            else:
                rule = "with num_oov_indices=0 all inputs are in the vocabulary"
                raise invalid(self._where(), rule, unknown=t)
        return out

    def _names(self, indices: np.ndarray) -> np.ndarray:
        """The token of each index."""
        self._check_ready()
        start, tokens = self._token_start(), self._table.tokens
        out = np.empty(indices.size, object)
        for k, i in enumerate(indices.ravel().tolist()):
            out[k] = tokens[i - start] if start <= i < start + len(tokens) else self.oov_token
            if i == 0 and self.mask_token is not None:
                out[k] = self.mask_token
        return out.reshape(indices.shape)

    def get_config(self) -> dict:
        config = {**super().get_config(), "encoding": self.encoding}
        del config["vocabulary_dtype"]
        return config
