"""Reuters: newswires and their topics."""

from __future__ import annotations

import json
import os

import numpy as np

from .files import ORIGIN, check_test_split, locate, read_npz
from .word_sequences import keep_shorter, limit_words, mark_words

_SHA256 = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
_INDEX_MD5 = "4d44cc38712099c9e383dc6e5f11a921"

_LABELS = """
    cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass
    crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi
    iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead
"""


def load_data(
    path: str | os.PathLike = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """11,228 newswires on 46 topics as lists of word numbers; a smaller number is a more frequent word.

    Args:
        path: name in the cache folder (it is downloaded when it is not there), or a path of an `.npz` file.
        num_words: only words with smaller numbers are kept.
        skip_top: words with smaller numbers are not kept.
        maxlen: only newswires with fewer words are kept.
        test_split: fraction of the newswires to test on.
        seed: gives the order of the newswires.
        start_char: put in front of each newswire, unless None.
        oov_char: put in place of words that are not kept; None leaves them out.
        index_from: added to the numbers of words, so that 0 (padding), 1 and 2 are free.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of lists, and topics (see `get_label_names`).

    Raises:
        OSError: the file is neither there nor can be downloaded.
        ValueError: it is damaged, or `test_split` is out of range.
    """
    check_test_split("reuters", test_split)
    x, y = read_npz(locate(path, f"{ORIGIN}reuters.npz", _SHA256), "x", "y")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    sequences, y = keep_shorter(mark_words(x[order], start_char, index_from), y[order], maxlen)
    x = limit_words(sequences, num_words, skip_top, oov_char)
    at = int(len(x) * (1 - test_split))
    return (x[:at], y[:at]), (x[at:], y[at:])


def get_word_index(path: str | os.PathLike = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word, without `index_from`.

    Raises:
        OSError: the file is neither in the cache folder nor can be downloaded.
    """
    return json.loads(locate(path, f"{ORIGIN}reuters_word_index.json", _INDEX_MD5).read_text())


def get_label_names() -> tuple[str, ...]:
    """The names of the topics in the order of their numbers.

    Example:

    >>> get_label_names()[3:5]
    ('earn', 'acq')
    """
    return tuple(_LABELS.split())
