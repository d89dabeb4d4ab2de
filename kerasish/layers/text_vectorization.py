"""TextVectorization: texts to the indices of their words, or to vectors of words."""

from __future__ import annotations

import re
import string
from typing import Any

import numpy as np

from .. import ops
from ..engine.config import floatx
from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from ..engine.strings import as_strings
from ..engine.symbol import Symbol
from .adapting import batches
from .categorical import VECTORS, check_mode
from .index_lookup import refuse_path
from .layer import Layer
from .lookup import StringLookup
from .options import check_count

# As TensorFlow: what is no ASCII is no space, no punctuation and has no case.
_SPACES = re.compile(r"[ \t\n\v\f\r]+")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_STRIP = str.maketrans("", "", string.punctuation)
_STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation", None)
_SPLIT = ("whitespace", "character", None)


def _chosen(name: str, value: Any, allowed: tuple) -> Any:
    if value not in allowed and not callable(value):
        raise invalid("TextVectorization", f"{name} is a function or one of {allowed}", **{name: value})
    return value


@export("keras.layers")
class TextVectorization(Layer):
    """Splits texts into words and replaces these by their indices in a vocabulary.

    Args:
        max_tokens: the largest size of the vocabulary, with special tokens; None for any.
        standardize: "lower_and_strip_punctuation", "lower" or "strip_punctuation" (ASCII, as in Keras), None, or a
            function of a NumPy array of str that gives one.
        split: "whitespace", "character", None for words that are separate already, or a function of an array of str
            that gives a list of words for each.
        ngrams: an integer n for words and groups of up to n of them, joined by spaces, in place of words; or a tuple of
            the sizes of groups.
        output_mode: "int" for indices; "multi_hot", "count" or "tf_idf" for a vector for each text; "one_hot" for one
            for each word.
        output_sequence_length: of the indices: longer texts are cut, shorter ones filled with 0. None takes the longest
            text of a batch.
        pad_to_max_tokens: whether vectors have length `max_tokens`.
        vocabulary: list or vector of words, or the path of a text file; without it, call `adapt`.
        idf_weights: weights of the vocabulary, for `output_mode="tf_idf"`.
        sparse, ragged: must be False.
        encoding: of bytes.

    Input: texts as a NumPy array, a list or a string: shape (batch,) or (batch, 1), and any with `split=None`. In a
    model the layer stands behind an `Input(dtype="string")`. Output: int64 (floats for "tf_idf").

    Raises:
        ValueError: for arguments that contradict one another or are not supported, and texts in another shape.
        TypeError: the inputs are no strings.
        RuntimeError: the layer is called without a vocabulary.

    >>> import kerasish as keras
    >>> layer = keras.layers.TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["A cat.", "The cat sat!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'cat', 'the', 'sat', 'a']
    >>> layer(["the dog sat", "cat"]).numpy()
    array([[3, 1, 4, 0],
           [2, 0, 0, 0]])
    """

    def __init__(
        self,
        max_tokens=None,
        standardize="lower_and_strip_punctuation",
        split="whitespace",
        ngrams=None,
        output_mode="int",
        output_sequence_length=None,
        pad_to_max_tokens=False,
        vocabulary=None,
        idf_weights=None,
        sparse=False,
        ragged=False,
        encoding="utf-8",
        name=None,
        **kwargs,
    ):
        where = "TextVectorization"
        mode = check_mode(where, output_mode, ("int", *VECTORS, "tf_idf"), sparse)
        if ragged:
            raise invalid(where, "ragged tensors are not supported", ragged=ragged)
        several = isinstance(ngrams, tuple)
        if ngrams is not None:
            for size in ngrams if several else (ngrams,):
                check_count(where, "ngrams", size)
        if output_sequence_length is not None:
            check_count(where, "output_sequence_length", output_sequence_length)
            if mode != "int":
                rule = "output_sequence_length belongs to output_mode='int'"
                raise invalid(where, rule, output_mode=output_mode)
        has_vocabulary = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        size = kwargs.pop("vocabulary_size", None)
        super().__init__(name=name, **kwargs)
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self._standardize = _chosen("standardize", standardize, _STANDARDIZE)
        self._split = _chosen("split", split, _SPLIT)
        self._ngrams_arg = ngrams
        # A range, for the number may be a file's.
        self._ngrams = ngrams if several or ngrams is None else range(1, ngrams + 1)
        self._output_mode, self._output_sequence_length = mode, output_sequence_length
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens, vocabulary=vocabulary, idf_weights=idf_weights, pad_to_max_tokens=pad_to_max_tokens,
            mask_token="", output_mode=mode, encoding=encoding, has_input_vocabulary=has_vocabulary,
            vocabulary_size=size,
        )  # fmt: skip

    @property
    def compute_dtype(self) -> str:
        return "string"

    @property
    def variable_dtype(self) -> str:
        return "string"

    @property
    def input_dtype(self) -> str:
        return "string"

    def build(self, input_shape: Any = None) -> None:
        """Nothing: the layer has no weights."""

    # -- the vocabulary ---------------------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Takes the vocabulary from texts: the most frequent words first, of equally frequent ones the larger first.

        Args:
            data: array or list of texts, or an iterable of batches of them. Each text is a document of "tf_idf".
            batch_size: accepted for compatibility.
            steps: how many batches of an iterable are read; all by default.

        Raises:
            ValueError: the vocabulary was given to the constructor.
            TypeError: the data hold no strings.
        """
        self.reset_state()
        if isinstance(data, (str, bytes, list, tuple)) or hasattr(data, "__array__"):
            self.update_state(data)
        else:
            for batch in batches(data, f"TextVectorization {self.name!r}: adapt", steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Counts the words of a batch of texts."""
        self._lookup_layer._count(self._words(data)[0])

    def finalize_state(self) -> None:
        """Makes the vocabulary of the words that were counted."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forgets what was counted; the vocabulary stays."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list:
        """The words, in the order of their indices.

        Args:
            include_special_tokens: whether "" (of index 0, in mode "int") and "[UNK]" stand before the others.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of words, with special ones."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replaces the vocabulary; see `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # -- calling ----------------------------------------------------------------------------------------------------

    def _words(self, inputs: Any) -> tuple[list[list], tuple]:
        """The words of each text, and the leading shape of the output."""
        where = f"TextVectorization {self.name!r}"
        texts = as_strings(inputs, where)
        flat = [self._lookup_layer._token("the input", t) for t in texts.ravel().tolist()]
        if callable(self._standardize):
            flat = as_strings(self._standardize(np.array(flat, "U").reshape(texts.shape)), where).ravel().tolist()
        elif self._standardize is not None:
            flat = [t.translate(_LOWER) for t in flat] if "lower" in self._standardize else flat
            flat = [t.translate(_STRIP) for t in flat] if "strip" in self._standardize else flat
        shape = tuple(texts.shape)
        if self._split is None:
            shape = shape if len(shape) > 1 else (*shape, 1)
            length = shape[-1]
            rows = [flat[i : i + length] for i in range(0, len(flat), max(length, 1))]
            shape = shape[:-1]
        else:
            if len(shape) > 1:
                if shape[-1] != 1 or len(shape) > 2:
                    raise invalid(where, "texts that are split have shape (batch,) or (batch, 1)", inputs=texts)
                shape = shape[:-1]
            if callable(self._split):
                rows = [[str(w) for w in row] for row in self._split(np.array(flat, "U"))]
            elif self._split == "character":
                rows = [list(t) for t in flat]
            else:
                rows = [[w for w in _SPACES.split(t) if w] for t in flat]
        if self._ngrams is not None:
            sizes = self._ngrams
            if isinstance(sizes, range):
                sizes = sizes[: max(map(len, rows), default=0)]
            rows = [[" ".join(r[i : i + n]) for n in sizes for i in range(len(r) - n + 1)] for r in rows]
        return rows, shape

    def call(self, inputs: Any) -> Any:
        lookup = self._lookup_layer
        rows, shape = self._words(inputs)
        lookup._check_ready()
        length = self._output_sequence_length
        if length is None:
            length = max(map(len, rows), default=0)
        fill = 0 if self._output_mode == "int" else -1
        table = np.full((len(rows), length), fill, "int64")
        for row, words in zip(table, rows):
            words = words[:length]
            row[: len(words)] = lookup._indices(words)
        return lookup._encode(ops.convert_to_tensor(table.reshape((*shape, length))))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """The shape of the output; the number of words is unknown, apart from `output_sequence_length`."""
        shape = tuple(input_shape)
        if self._split is None:
            shape = shape if len(shape) > 1 else (*shape, 1)
        else:
            shape = (*(shape[:-1] if len(shape) > 1 else shape), None)
        if self._output_mode == "int":
            return (*shape[:-1], self._output_sequence_length or shape[-1])
        return self._lookup_layer.compute_output_shape(shape)

    def compute_output_spec(self, inputs: Any) -> Any:
        if inputs.dtype != "string":
            rule = "the inputs are strings, Input(dtype='string') in a model"
            raise invalid(f"TextVectorization {self.name!r}", rule, kind=TypeError, inputs=inputs)
        dtype = floatx() if self._output_mode == "tf_idf" else "int64"
        return Symbol(self.compute_output_shape(inputs.shape), dtype)

    # -- files ------------------------------------------------------------------------------------------------------

    def get_config(self) -> dict:
        lookup = self._lookup_layer.get_config()
        functions = {
            name: serialize_keras_object(value) if callable(value) else value
            for name, value in (("standardize", self._standardize), ("split", self._split))
        }
        return {
            **super().get_config(), "max_tokens": lookup["max_tokens"], **functions, "ngrams": self._ngrams_arg,
            "output_mode": self._output_mode, "output_sequence_length": self._output_sequence_length,
            "pad_to_max_tokens": lookup["pad_to_max_tokens"], "sparse": False, "ragged": False,
            "vocabulary": lookup["vocabulary"], "idf_weights": lookup["idf_weights"],
            "encoding": lookup["encoding"], "vocabulary_size": lookup["vocabulary_size"],
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict) -> TextVectorization:
        """An instance from `get_config()`'s dict.

        Raises:
            ValueError: the vocabulary is no list: a config, which may be a stranger's, names no file to open.
        """
        refuse_path(cls.__name__, config)
        config = dict(config)
        for name in ("standardize", "split"):
            if isinstance(config.get(name), dict):
                config[name] = deserialize_keras_object(config[name])
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return cls(**config)

    def save_own_variables(self, store: Any) -> None:
        """Writes the weights of `output_mode="tf_idf"`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: Any) -> None:
        """Writes the vocabulary, one word on each line, unless the config has it."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: Any) -> None:
        """Reads what `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)
