"""What IntegerLookup and StringLookup share: the vocabulary, adapting, output forms, and how files hold the state."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import numpy as np

from .. import ops
from ..engine.allowance import charge
from ..engine.config import floatx
from ..engine.errors import invalid
from ..engine.operation import infer_spec
from ..engine.symbol import Symbol
from .layer import Layer
from .options import check_count

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
VOCABULARY = "vocabulary.txt"


class Table:
    """A vocabulary without its special tokens; never changed, but replaced as a whole."""

    def __init__(self, tokens: list):
        self.tokens = tokens
        self.index = {t: i for i, t in enumerate(tokens)}


class IndexLookup(Layer):
    """Base of the layers that replace tokens by their indices in a vocabulary, or indices by tokens."""

    # What loading changes besides variables; `saving` puts it back when a file turns out not to fit.
    _restored_on_error = ("_table", "_idf")

    def __init__(
        self, max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary, idf_weights, invert,
        output_mode, sparse, pad_to_max_tokens, oov_method, salt, name, **kwargs,
    ):  # fmt: skip
        where = type(self).__name__
        frozen = kwargs.pop("vocabulary_size", None)
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        kwargs.pop("dtype", None)  # files have it; the dtypes are those of the tokens and indices
        super().__init__(name=name, **kwargs)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        if output_mode not in MODES:
            raise invalid(where, f"output_mode is one of {MODES}", output_mode=output_mode)
        if max_tokens is not None and check_count(where, "max_tokens", max_tokens) < 2:
            raise invalid(where, "max_tokens is greater than 1", max_tokens=max_tokens)
        if isinstance(num_oov_indices, bool) or not isinstance(num_oov_indices, int) or num_oov_indices < 0:
            raise invalid(where, "num_oov_indices is an integer of at least 0", num_oov_indices=num_oov_indices)
        if pad_to_max_tokens and max_tokens is None:
            raise invalid(where, "pad_to_max_tokens needs max_tokens", max_tokens=max_tokens)
        if invert and output_mode != "int":
            raise invalid(where, "the output_mode of an inverse lookup is 'int'", output_mode=output_mode)
        if sparse:
            raise invalid(where, "sparse tensors are not supported", sparse=sparse)
        if oov_method not in ("floormod", "farmhash"):
            raise invalid(where, "oov_method is 'floormod' or 'farmhash'", oov_method=oov_method)
        hashed = vocabulary_dtype == "string" or oov_method == "farmhash"
        if salt is not None or (hashed and num_oov_indices > 1):
            rule = "hashing (several indices for unknown strings, oov_method='farmhash', salt) is not supported"
            raise invalid(where, rule, num_oov_indices=num_oov_indices, oov_method=oov_method, salt=salt)
        if idf_weights is not None and output_mode != "tf_idf":
            raise invalid(where, "idf_weights belong to output_mode='tf_idf'", output_mode=output_mode)
        if output_mode == "tf_idf" and vocabulary is not None and idf_weights is None:
            raise invalid(where, "a vocabulary in output_mode='tf_idf' comes with idf_weights", idf_weights=None)
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.output_mode, self.sparse, self.pad_to_max_tokens = output_mode, False, bool(pad_to_max_tokens)
        self.oov_method, self.salt, self.vocabulary_dtype, self.invert = oov_method, None, vocabulary_dtype, bool(invert)
        self.mask_token = None if mask_token is None else self._token("mask_token", mask_token)
        self.oov_token = None if oov_token is None else self._token("oov_token", oov_token)
        self._table, self._idf = Table([]), None
        self._counts, self._documents, self._samples = Counter(), Counter(), 0
        self._has_input_vocabulary, self._frozen_vocab_size = bool(has_vocabulary), frozen
        self.input_vocabulary = self.input_idf_weights = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            if not isinstance(vocabulary, (str, os.PathLike)):  # a file's content is saved as an asset instead
                self.input_vocabulary = tuple(self._token("vocabulary", t) for t in np_list(vocabulary))
        if idf_weights is not None:
            self.input_idf_weights = np.asarray(idf_weights).tolist()

    @classmethod
    def from_config(cls, config: dict) -> IndexLookup:
        """An instance from `get_config()`'s dict.

        Raises:
            ValueError: the vocabulary is no list: a config, which may be a stranger's, names no file to open.
        """
        if not isinstance(config.get("vocabulary"), (list, tuple, type(None))):
            rule = "the vocabulary of a config is a list; no file that a config names is opened"
            raise invalid(f"{cls.__name__}.from_config", rule, vocabulary=config["vocabulary"])
        return super().from_config(config)

    def _token(self, what: str, value: Any) -> Any:
        """A token in its one form."""
        raise NotImplementedError

    def _parse(self, line: str) -> Any:
        """The token of a line of a file."""
        raise NotImplementedError

    def _flat(self, data: Any) -> tuple[tuple, list]:
        """The shape of data, and its tokens in a row."""
        raise NotImplementedError

    # -- the vocabulary ---------------------------------------------------------------------------------------------

    def _oov_start(self) -> int:
        return 1 if self.mask_token is not None and self.output_mode == "int" else 0

    def _token_start(self) -> int:
        return self._oov_start() + self.num_oov_indices

    def vocabulary_size(self) -> int:
        """The number of tokens, with those for masked and unknown values."""
        return len(self._table.tokens) + self._token_start()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """The tokens, in the order of their indices.

        Args:
            include_special_tokens: whether the tokens for masked and unknown values stand before the others.
        """
        tokens = list(self._table.tokens)
        if not include_special_tokens:
            return tokens
        return [self.mask_token] * self._oov_start() + [self.oov_token] * self.num_oov_indices + tokens

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replaces the vocabulary.

        Args:
            vocabulary: list or array of tokens, with the special ones in front or without; or the path of a text file
                with one on each line.
            idf_weights: a weight for each entry of it, in `output_mode="tf_idf"` only.

        Raises:
            ValueError: it is empty or too long, a token stands twice or where a special one must not, or the weights
                do not fit. The layer keeps its vocabulary.
            OSError: there is no such file.
        """
        where = f"{type(self).__name__} {self.name!r}: set_vocabulary"
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise invalid(where, "idf_weights are given in output_mode='tf_idf' and no other", mode=self.output_mode)
        if isinstance(vocabulary, (str, os.PathLike)):
            if idf_weights is not None:
                raise invalid(where, "a file has no idf_weights: give the vocabulary as a list", vocabulary=vocabulary)
            with open(vocabulary, encoding="utf-8") as f:
                vocabulary = [self._parse(line) for line in f.read().splitlines()]
        self._set_tokens([self._token("vocabulary", t) for t in np_list(vocabulary)], idf_weights, where)

    def _set_tokens(self, given: list, idf: Any, where: str) -> None:
        if not given:
            raise invalid(where, "a vocabulary is not empty", vocabulary=given)
        start, oov = self._token_start(), self._oov_start()
        special = (
            len(given) >= start
            and given[:oov] == [self.mask_token] * oov
            and all(t == self.oov_token for t in given[oov:start])
        )
        tokens = given[start:] if special else given
        if len(set(tokens)) != len(tokens):
            raise invalid(where, "a token stands once", twice=[t for t, n in Counter(tokens).items() if n > 1][:10])
        for name, token in (("mask_token", self.mask_token), ("oov_token", self.oov_token if self.invert else None)):
            if token is not None and token in tokens:
                rule = f"the {name} stands at its place in front of the vocabulary, or not at all"
                raise invalid(where, rule, **{name: token}, position=given.index(token))
        size = start + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise invalid(where, f"the vocabulary has at most max_tokens={self.max_tokens} entries", size=size)
        weights = None if idf is None else self._padded(idf, len(given), 0 if special else start, where)
        self._take(tokens, weights, where)

    def _padded(self, idf: Any, length: int, front: int, where: str) -> np.ndarray:
        """Weights with the mean of them for special tokens that have none, and zeros up to `max_tokens`."""
        weights = np.asarray(idf)
        if weights.shape != (length,) or weights.dtype.kind not in "iuf":
            raise invalid(where, f"idf_weights are {length} numbers, one for each entry", idf_weights=idf)
        size = self.max_tokens if self.pad_to_max_tokens else front + length
        charge(f"idf_weights of {self.name}", (size,), floatx())  # the numbers may be a file's
        out = np.zeros(size, floatx())
        out[:front] = weights.mean()
        out[front : front + length] = weights
        return out

    def _take(self, tokens: list, idf: np.ndarray | None, where: str) -> None:
        size = self._token_start() + len(tokens)
        if self._frozen_vocab_size not in (None, size) and not (self.output_mode == "int" or self.pad_to_max_tokens):
            rule = f"the size of the vocabulary stays what it was, {self._frozen_vocab_size}, as the output depends on it"
            raise invalid(where, rule, kind=RuntimeError, size=size)
        self._table, self._frozen_vocab_size = Table(tokens), size
        if idf is not None:
            self._idf = idf

    # -- adapting ---------------------------------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Takes the vocabulary from data: the most frequent tokens first, of equally frequent ones the larger first.

        Args:
            data: array or list of tokens, or an iterable of batches of them. In `output_mode="tf_idf"` each row is a
                document; a vector has a document for each element, and a batch that is a vector is one.
            steps: how many batches of an iterable are read; all by default.

        Raises:
            ValueError: the vocabulary was given to the constructor, or the data hold no tokens.
        """
        self.reset_state()
        if isinstance(data, (list, tuple, np.ndarray)) or hasattr(data, "__array__"):
            data = np.asarray(data) if not isinstance(data, np.ndarray) else data
            self.update_state(data.reshape(-1, 1) if data.ndim == 1 else data)
        else:
            for i, batch in enumerate(data):
                if steps is not None and i >= steps:
                    break
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the tokens of a batch."""
        if self._has_input_vocabulary:
            where = f"{type(self).__name__} {self.name!r}: adapt"
            raise invalid(where, "the vocabulary was given to the constructor", size=self.vocabulary_size())
        shape, tokens = self._flat(data)
        self._counts.update(tokens)
        if self.output_mode == "tf_idf":
            rows = shape[0] if len(shape) > 1 else 1
            length = len(tokens) // max(rows, 1)
            for i in range(rows):
                self._documents.update(set(tokens[i * length : (i + 1) * length]))
            self._samples += rows

    def finalize_state(self) -> None:
        """Makes the vocabulary of the tokens that were counted."""
        if self._has_input_vocabulary or not self._counts:
            return
        special = (self.mask_token, self.oov_token)
        tokens = sorted((t for t in self._counts if t not in special), key=lambda t: (self._counts[t], t), reverse=True)
        if self.max_tokens is not None:
            tokens = tokens[: max(self.max_tokens - self._token_start(), 0)]
        where, idf = f"{type(self).__name__} {self.name!r}: adapt", None
        if self.output_mode == "tf_idf":
            found = np.array([self._documents[t] for t in tokens], "float64")
            weights = np.log(1 + self._samples / (1 + found)).astype(floatx())
            idf = self._padded(weights, len(tokens), self._token_start(), where) if tokens else None
        self._take(tokens, idf, where)
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets what was counted; the vocabulary stays."""
        self._counts, self._documents, self._samples = Counter(), Counter(), 0

    # -- calling ----------------------------------------------------------------------------------------------------

    @property
    def compute_dtype(self) -> str:
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        return self.vocabulary_dtype

    def _check_ready(self) -> None:
        if not self._table.tokens:
            rule = "the layer has a vocabulary before it is called: give it one, or adapt the layer"
            raise invalid(f"{type(self).__name__} {self.name!r}", rule, kind=RuntimeError, output_mode=self.output_mode)

    def _encode(self, indices: Any) -> Any:
        """The output for indices; those of masked tokens are negative where they are to be left out."""
        mode = self.output_mode
        if mode == "int":
            return indices
        depth = self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size
        if depth is None:
            self._check_ready()
        if not indices.shape:
            indices = ops.reshape(indices, (1,))
        if mode == "multi_hot":
            return ops.multi_hot(indices, depth, dtype="int64")
        if mode == "one_hot":
            if len(indices.shape) > 1 and indices.shape[-1] == 1:
                indices = ops.squeeze(indices, -1)
            return ops.one_hot(indices, depth, dtype="int64")
        counts = ops.sum(ops.one_hot(indices, depth, dtype="int64"), axis=1 if len(indices.shape) > 1 else 0)
        if mode == "count":
            return counts
        if self._idf is None:
            self._check_ready()
            raise invalid(f"{type(self).__name__} {self.name!r}", "output_mode='tf_idf' needs idf_weights", weights=None)
        return ops.multiply(ops.cast(counts, floatx()), self._idf)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The shape of the output; in the modes for samples, the second axis (or the only one) is counted over."""
        return tuple(infer_spec(self._encode, Symbol(input_shape, "int64")).shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        return infer_spec(self._encode, Symbol(inputs.shape, "int64"))

    def get_build_config(self) -> dict:
        """Nothing: no weight depends on a shape."""
        return {}

    def build_from_config(self, config: dict) -> None:
        """Marks the layer as built."""
        self.built = True

    # -- files ------------------------------------------------------------------------------------------------------

    def get_config(self) -> dict:
        vocabulary = None if self.input_vocabulary is None else list(self.input_vocabulary)
        return {
            **super().get_config(), "invert": self.invert, "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices, "oov_token": self.oov_token, "mask_token": self.mask_token,
            "output_mode": self.output_mode, "sparse": self.sparse, "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary_dtype": self.vocabulary_dtype, "idf_weights": self.input_idf_weights, "vocabulary": vocabulary,
            "vocabulary_size": self._frozen_vocab_size, "oov_method": self.oov_method, "salt": self.salt,
        }  # fmt: skip

    def save_own_variables(self, store: Any) -> None:
        """Writes the weights of `output_mode="tf_idf"`, which are no variables."""
        if self._idf is not None:
            store["idf_weights"] = self._idf

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote.

        Raises:
            ValueError: the weights are none, or not as many as the vocabulary has entries.
        """
        where = f"{type(self).__name__} {self.name!r}: load_own_variables"
        keys = sorted(store.keys())
        if keys != (["idf_weights"] if self.output_mode == "tf_idf" and self._table.tokens else []):
            raise invalid(where, "idf_weights are stored in output_mode='tf_idf', and nothing else", stored=keys)
        if keys:
            size = self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()
            weights = np.asarray(store["idf_weights"])
            if weights.shape != (size,) or weights.dtype.kind != "f":
                raise invalid(where, f"idf_weights are {size} numbers", stored=weights)
            self._idf = weights.astype(floatx())

    def save_assets(self, dir_path: Any) -> None:
        """Writes the vocabulary, one token on each line, unless the config has it."""
        if self.input_vocabulary is not None:
            return
        lines = [str(t) for t in self.get_vocabulary()]
        broken = [t for t in lines if len(t.splitlines()) > 1 or t.splitlines() not in ([t], [])]
        if broken:
            where = f"{type(self).__name__} {self.name!r}: save_assets"
            raise invalid(where, "tokens of a vocabulary that is saved have no line breaks", tokens=broken[:5])
        with open(os.path.join(dir_path, VOCABULARY), "w", encoding="utf-8") as f:
            f.write("\n".join(lines))

    def load_assets(self, dir_path: Any) -> None:
        """Reads what `save_assets` wrote.

        Raises:
            ValueError: the file is missing, a link, or holds no vocabulary of the layer.
        """
        if self.input_vocabulary is not None:
            return
        where = f"{type(self).__name__} {self.name!r}: load_assets"
        path = None if dir_path is None else os.path.join(dir_path, VOCABULARY)
        if path is None or os.path.islink(path) or not os.path.isfile(path):
            raise invalid(where, f"the layer's {VOCABULARY} is a file", folder=dir_path)
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        while lines and lines[-1] == "":
            lines.pop()
        start = self._token_start()
        if len(lines) <= start and not self._frozen_vocab_size:
            return  # it was saved before it had a vocabulary
        tokens = [self._parse(line) for line in lines[start:]]
        special = [self._parse(line) for line in lines[:start]]
        oov = self._oov_start()
        if len(lines) < start or special[:oov] != [self.mask_token] * oov or set(special[oov:]) - {self.oov_token}:
            raise invalid(where, f"the {start} special tokens stand in front", found=special[:10])
        if not tokens or len(set(tokens)) != len(tokens) or self._over(start + len(tokens)):
            raise invalid(where, "the tokens are there, each once, and no more than max_tokens", tokens=len(tokens))
        self._take(tokens, None, where)

    def _over(self, size: int) -> bool:
        return self.max_tokens is not None and size > self.max_tokens


def np_list(values: Any) -> list:
    """The elements of a list, tuple or vector."""
    if isinstance(values, (list, tuple)):
        return list(values)
    array = np.asarray(values)
    if array.ndim != 1:
        raise invalid("lookup", "a vocabulary is a list or a vector of tokens", vocabulary=values)
    return array.tolist()
