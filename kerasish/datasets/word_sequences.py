"""What IMDB and Reuters share: texts as lists of word numbers, and which words to keep."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def mark_words(sequences: Iterable, start_char: int | None, index_from: int | None) -> list[np.ndarray]:
    """Each sequence with its words numbered from `index_from` on, and `start_char` in front unless it is None."""
    front = [] if start_char is None else [start_char]
    return [np.concatenate([front, np.asarray(s, "int64") + (index_from or 0)]).astype("int64") for s in sequences]


def keep_shorter(sequences: list, labels: np.ndarray, maxlen: int | None) -> tuple[list, np.ndarray]:
    """The sequences with fewer than `maxlen` words (all if it is None), with their labels."""
    if not maxlen:
        return sequences, labels
    kept = [i for i, s in enumerate(sequences) if len(s) < maxlen]
    return [sequences[i] for i in kept], labels[kept]


def limit_words(sequences: list, num_words: int | None, skip_top: int, oov_char: int | None) -> np.ndarray:
    """Lists in which words outside of `[skip_top, num_words)` are replaced with `oov_char`, or left out if it is None.

    Without `num_words` it is the largest number there is.
    """
    if not num_words:
        num_words = max((int(s.max()) for s in sequences if len(s)), default=0)
    result = np.empty(len(sequences), object)
    for i, s in enumerate(sequences):
        inside = (s >= skip_top) & (s < num_words)
        result[i] = (s[inside] if oov_char is None else np.where(inside, s, oov_char)).tolist()
    return result
