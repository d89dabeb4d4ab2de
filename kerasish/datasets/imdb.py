"""IMDB: movie reviews and whether they are favorable."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from ..engine.errors import invalid
from .files import ORIGIN, locate, read_npz
from .word_sequences import keep_shorter, limit_words, mark_words

_SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
_INDEX_MD5 = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: str | os.PathLike = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
    **kwargs: Any,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """50,000 movie reviews as lists of word numbers; a smaller number is a more frequent word (Maas et al., 2011).

    Args:
        path: name in the cache folder (it is downloaded when it is not there), or a path of an `.npz` file.
        num_words: only words with smaller numbers are kept.
        skip_top: words with smaller numbers are not kept.
        maxlen: only reviews with fewer words are kept.
        seed: gives the order of the reviews.
        start_char: put in front of each review, unless None.
        oov_char: put in place of words that are not kept; None leaves them out.
        index_from: added to the numbers of words, so that 0 (padding), 1 and 2 are free.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists, and labels, 1 for a favorable review.

    Raises:
        OSError: the file is neither there nor can be downloaded.
        ValueError: it is damaged, or `maxlen` leaves nothing.
    """
    if kwargs:
        raise invalid("imdb", "unknown arguments", kind=TypeError, **kwargs)
    file = locate(path, f"{ORIGIN}imdb.npz", _SHA256)
    x_train, y_train, x_test, y_test = read_npz(file, "x_train", "y_train", "x_test", "y_test")
    rng = np.random.RandomState(seed)
    parts = []
    for x, y in ((x_train, y_train), (x_test, y_test)):
        order = np.arange(len(x))
        rng.shuffle(order)
        parts.append(keep_shorter(mark_words(x[order], start_char, index_from), y[order], maxlen))
    (x_train, y_train), (x_test, y_test) = parts
    if not x_train or not x_test:
        raise invalid("imdb", "no review is shorter than maxlen", maxlen=maxlen)
    x = limit_words([*x_train, *x_test], num_words, skip_top, oov_char)
    return (x[: len(x_train)], y_train), (x[len(x_train) :], y_test)


def get_word_index(path: str | os.PathLike = "imdb_word_index.json") -> dict[str, int]:
    """The number of each word, without `index_from`.

    Raises:
        OSError: the file is neither in the cache folder nor can be downloaded.
    """
    return json.loads(locate(path, f"{ORIGIN}imdb_word_index.json", _INDEX_MD5).read_text())
