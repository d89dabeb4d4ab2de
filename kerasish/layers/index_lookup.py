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
from ..engine.symbol import Symbol
from . import vocabulary as vocabularies
from .adapting import batches
from .categorical import VECTORS, check_mode, encode, encoded_shape
from .hashing import check_salt
from .layer import Layer
from .options import check_count
from .vocabulary import Counts, Table


class IndexLookup(Layer):
    """Base of the layers that replace tokens by their indices in a vocabulary, or indices by tokens."""

    # What loading changes besides variables; `saving` puts it back when a file turns out not to fit.
    _restored_on_error = ("_table", "_idf", "_frozen_vocab_size")

    def __init__(
        self, max_tokens, num_oov_indices, mask_token, oov_token, vocabulary_dtype, vocabulary, idf_weights, invert,
        output_mode, sparse, pad_to_max_tokens, oov_method, salt, name, **kwargs,
    ):  # fmt: skip
        where = type(self).__name__
        frozen = kwargs.pop("vocabulary_size", None)
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        kwargs.pop("dtype", None)  # configs have it; the dtypes are those of the tokens and indices
        super().__init__(name=name, **kwargs)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        output_mode = check_mode(where, output_mode, ("int", *VECTORS, "tf_idf"), sparse)
        if max_tokens is not None and check_count(where, "max_tokens", max_tokens) < 2:
            raise invalid(where, "max_tokens is greater than 1", max_tokens=max_tokens)
        for what, size in (("num_oov_indices", num_oov_indices), ("vocabulary_size", 0 if frozen is None else frozen)):
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                raise invalid(where, f"{what} is an integer of at least 0", **{what: size})
        if pad_to_max_tokens and max_tokens is None:
            raise invalid(where, "pad_to_max_tokens needs max_tokens", max_tokens=max_tokens)
        if invert and output_mode != "int":
            raise invalid(where, "the output_mode of an inverse lookup is 'int'", output_mode=output_mode)
        if oov_method not in ("floormod", "farmhash"):
            raise invalid(where, "oov_method is 'floormod' or 'farmhash'", oov_method=oov_method)
        if salt is not None and vocabulary_dtype != "string" and oov_method != "farmhash":
            raise invalid(where, "salt belongs to oov_method='farmhash'", oov_method=oov_method, salt=salt)
        if idf_weights is not None and output_mode != "tf_idf":
            raise invalid(where, "idf_weights belong to output_mode='tf_idf'", output_mode=output_mode)
        if output_mode == "tf_idf" and vocabulary is not None and idf_weights is None:
            raise invalid(where, "a vocabulary in output_mode='tf_idf' comes with idf_weights", idf_weights=None)
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.output_mode, self.sparse, self.pad_to_max_tokens = output_mode, False, bool(pad_to_max_tokens)
        self.oov_method, self.salt = oov_method, check_salt(where, salt)
        self.vocabulary_dtype, self.invert = vocabulary_dtype, bool(invert)
        self.mask_token = None if mask_token is None else self._token("mask_token", mask_token)
        self.oov_token = None if oov_token is None else self._token("oov_token", oov_token)
        self._table, self._idf, self._counts = Table([]), None, Counts()
        self._has_input_vocabulary, self._frozen_vocab_size = bool(has_vocabulary), frozen
        self.input_vocabulary = self.input_idf_weights = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            if not isinstance(vocabulary, (str, os.PathLike)):  # a file's content is saved as an asset instead
                self.input_vocabulary = tuple(self._token("vocabulary", t) for t in _listed(vocabulary, where))
        if idf_weights is not None:
            self.input_idf_weights = np.asarray(idf_weights).tolist()

    @classmethod
    def from_config(cls, config: dict) -> IndexLookup:
        """An instance from `get_config()`'s dict.

        Raises:
            ValueError: the vocabulary is no list: a config, which may be a stranger's, names no file to open.
        """
        refuse_path(cls.__name__, config)
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

    def _where(self, what: str = "") -> str:
        """How errors call the layer."""
        return f"{type(self).__name__} {self.name!r}{what and ': '}{what}"

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
                with one on each line, without special ones.
            idf_weights: a weight for each entry of it, in `output_mode="tf_idf"` only.

        Raises:
            ValueError: it is empty or too long, a token stands twice or where a special one must not, or the weights
                do not fit. The layer keeps its vocabulary.
            RuntimeError: it has another size than the one before, and the size is that of the output.
            OSError: there is no such file.
        """
        where = self._where("set_vocabulary")
        from_file = isinstance(vocabulary, (str, os.PathLike))
        if from_file and self.output_mode == "tf_idf":
            raise invalid(where, "a file has no idf_weights: give the vocabulary as a list", vocabulary=vocabulary)
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            rule = "idf_weights are given in output_mode='tf_idf' and no other"
            raise invalid(where, rule, output_mode=self.output_mode)
        if from_file:
            lines = vocabularies.read(os.fspath(vocabulary), where)
            given = [self._parse(line) for line in (lines if lines[-1] else lines[:-1])]
        else:
            given = [self._token("vocabulary", t) for t in _listed(vocabulary, where)]
        if not given:
            raise invalid(where, "a vocabulary is not empty", vocabulary=given)
        start = self._token_start()
        oov = self._oov_start()
        front = [self.mask_token] * oov + [self.oov_token] * min(self.num_oov_indices, len(given))
        special = not from_file and len(given) >= start and given[:start] == front
        tokens = given[start:] if special else given
        self._check(tokens, where)
        weights = None if idf_weights is None else self._padded(idf_weights, len(given), 0 if special else start, where)
        self._take(tokens, weights, where)

    def _check(self, tokens: list, where: str) -> None:
        if len(set(tokens)) != len(tokens):
            raise invalid(where, "a token stands once", twice=[t for t, n in Counter(tokens).items() if n > 1][:10])
        for name, token in (("mask_token", self.mask_token), ("oov_token", self.oov_token if self.invert else None)):
            if token is not None and token in tokens:
                rule = f"the {name} stands at its place in front of the vocabulary, or not at all"
                raise invalid(where, rule, **{name: token}, position=tokens.index(token))
        size = self._token_start() + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise invalid(where, f"the vocabulary has at most max_tokens={self.max_tokens} entries", size=size)

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
            rule = f"the vocabulary keeps its size, {self._frozen_vocab_size}, which is that of the output"
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
            ValueError: the vocabulary was given to the constructor.
            TypeError: the data hold no tokens.
        """
        self.reset_state()
        if isinstance(data, (list, tuple)) or hasattr(data, "__array__"):
            shape, tokens = self._flat(data)
            self._count([[t] for t in tokens] if len(shape) == 1 else self._rows(shape, tokens))
        else:
            for batch in batches(data, self._where("adapt"), steps):
                self.update_state(batch)
        self.finalize_state()

    @staticmethod
    def _rows(shape: tuple, tokens: list) -> list[list]:
        n = shape[0] if len(shape) > 1 else 1
        length = len(tokens) // max(n, 1)
        return [tokens[i * length : (i + 1) * length] for i in range(n)]

    def _count(self, rows: list[list]) -> None:
        if self._has_input_vocabulary:
            rule = "the vocabulary was given to the constructor"
            raise invalid(self._where("adapt"), rule, size=self.vocabulary_size())
        self._counts.add(rows, self.output_mode == "tf_idf")

    def update_state(self, data: Any) -> None:
        """Counts the tokens of a batch."""
        self._count(self._rows(*self._flat(data)))

    def finalize_state(self) -> None:
        """Makes the vocabulary of the tokens that were counted."""
        if self._has_input_vocabulary or not self._counts.tokens:
            return
        start = self._token_start()
        most = None if self.max_tokens is None else max(self.max_tokens - start, 0)
        tokens = self._counts.most_frequent((self.mask_token, self.oov_token), most)
        where, idf = self._where("adapt"), None
        if self.output_mode == "tf_idf" and tokens:
            idf = self._padded(self._counts.idf(tokens).astype(floatx()), len(tokens), start, where)
        self._take(tokens, idf, where)
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets what was counted; the vocabulary stays."""
        self._counts = Counts()

    # -- calling ----------------------------------------------------------------------------------------------------

    @property
    def compute_dtype(self) -> str:
        return self.vocabulary_dtype

    @property
    def variable_dtype(self) -> str:
        return self.vocabulary_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype of the inputs: that of the tokens, or int64 for indices."""
        return "int64" if self.invert else self.vocabulary_dtype

    def _check_ready(self) -> None:
        if not self._table.tokens:
            rule = "the layer has a vocabulary before it is called: give it one, or adapt the layer"
            raise invalid(self._where(), rule, kind=RuntimeError, output_mode=self.output_mode)

    def _depth(self) -> int | None:
        """The length of a vector; None before there is a vocabulary."""
        return self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size

    def _encode(self, indices: Any) -> Any:
        """The output for indices; those of masked tokens are negative where they are to be left out."""
        if self.output_mode != "tf_idf":
            return encode(indices, self.output_mode, self._depth(), "int64")
        if self._idf is None:
            raise invalid(self._where(), "output_mode='tf_idf' needs idf_weights", idf_weights=None)
        return ops.multiply(encode(indices, "count", self._depth(), self._idf.dtype.name), self._idf)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The shape of the output. In the modes for samples, the second axis (or the only one) is counted over."""
        return encoded_shape(input_shape, self.output_mode, self._depth())

    def compute_output_spec(self, inputs: Any) -> Any:
        return Symbol(self.compute_output_shape(inputs.shape), floatx() if self.output_mode == "tf_idf" else "int64")

    def get_build_config(self) -> dict:
        """Nothing: no weight depends on a shape."""
        return {}

    def build_from_config(self, config: dict) -> None:
        """Marks the layer as built."""
        self.built = True

    # -- files ------------------------------------------------------------------------------------------------------

    def get_config(self) -> dict:
        given = None if self.input_vocabulary is None else list(self.input_vocabulary)
        return {
            **super().get_config(), "invert": self.invert, "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices, "oov_token": self.oov_token, "mask_token": self.mask_token,
            "output_mode": self.output_mode, "sparse": self.sparse, "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary_dtype": self.vocabulary_dtype, "idf_weights": self.input_idf_weights, "vocabulary": given,
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
        where = self._where("load_own_variables")
        keys = sorted(store.keys())
        if keys and self.output_mode == "tf_idf" and not self._table.tokens:
            raise invalid(where, "the layer has a vocabulary before its weights are read", stored=keys)
        if keys != (["idf_weights"] if self.output_mode == "tf_idf" and self._table.tokens else []):
            raise invalid(where, "idf_weights are stored in output_mode='tf_idf', and nothing else", stored=keys)
        if keys:
            size = self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()
            weights = store["idf_weights"]
            if tuple(weights.shape) != (size,) or np.dtype(weights.dtype).kind != "f":
                raise invalid(where, f"idf_weights are {size} numbers", shape=weights.shape, dtype=str(weights.dtype))
            self._idf = np.asarray(weights).astype(floatx())

    def save_assets(self, dir_path: Any) -> None:
        """Writes the vocabulary, one token on each line, unless the config has it."""
        if self.input_vocabulary is None:
            vocabularies.write(os.fspath(dir_path), self.get_vocabulary(), self._where("save_assets"))

    def load_assets(self, dir_path: Any) -> None:
        """Reads what `save_assets` wrote.

        Args:
            dir_path: the folder of the layer; None where there is none.

        Raises:
            ValueError: the file is missing, a link, or holds no vocabulary of the layer, which keeps the one it has.
        """
        if self.input_vocabulary is not None:
            return
        where = self._where("load_assets")
        path = None if dir_path is None else os.path.join(dir_path, vocabularies.FILE)
        if path is None or os.path.islink(path) or not os.path.isfile(path):
            raise invalid(where, f"the layer's {vocabularies.FILE} is a file", folder=dir_path)
        lines = vocabularies.read(path, where)
        size = self._frozen_vocab_size
        while lines and lines[-1] == "" and (size is None or len(lines) > size):
            lines.pop()
        start = self._token_start()
        if len(lines) <= start and not size:
            return  # it was saved before it had a vocabulary
        if size not in (None, len(lines)):
            raise invalid(where, f"the vocabulary has the size that the config says, {size}", lines=len(lines))
        oov = self._oov_start()
        if lines[:oov] != [str(self.mask_token)] * oov or any(t != str(self.oov_token) for t in lines[oov:start]):
            raise invalid(where, f"the {start} special tokens stand in front", found=lines[:start][:10])
        tokens = [self._parse(line) for line in lines[start:]]
        self._check(tokens, where)
        self._take(tokens, None, where)


def refuse_path(where: str, config: dict) -> None:
    """Refuses a config whose vocabulary is anything but a list.

    Raises:
        ValueError: a config, which may be a stranger's, names no file to open.
    """
    if not isinstance(config.get("vocabulary"), (list, tuple, type(None))):
        rule = "the vocabulary of a config is a list; no file that a config names is opened"
        raise invalid(f"{where}.from_config", rule, vocabulary=config["vocabulary"])


def _listed(values: Any, where: str) -> list:
    """The elements of a list, tuple or vector."""
    if isinstance(values, (list, tuple)):
        return list(values)
    array = np.asarray(values)
    if array.ndim != 1:
        raise invalid(where, "a vocabulary is a list or a vector of tokens", vocabulary=values)
    return array.tolist()
