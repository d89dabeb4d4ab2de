"""A vocabulary: its tokens and their places, how it is counted from data, and its file."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.allowance import charge
from ..engine.errors import invalid

FILE = "vocabulary.txt"
_BYTES = 200  # that a token takes in memory beside its text, in a list, a dict and as an object


class Table:
    """Tokens in order, without special ones; never changed, but replaced as a whole."""

    def __init__(self, tokens: list):
        self.tokens = tokens
        self.index = {t: i for i, t in enumerate(tokens)}
        self._sorted: Any = None

    def sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The integers of the table in ascending order, and the place of each."""
        if self._sorted is None:
            tokens = np.array(self.tokens, "int64")
            order = np.argsort(tokens)
            self._sorted = tokens[order], order
        return self._sorted


class Counts:
    """How often tokens were seen, and in how many documents."""

    def __init__(self) -> None:
        self.tokens: Counter = Counter()
        self.documents: Counter = Counter()
        self.rows = 0

    def add(self, rows: Iterable[list], documents: bool) -> None:
        """Counts documents."""
        for row in rows:
            self.tokens.update(row)
            self.rows += 1
            if documents:
                self.documents.update(set(row))

    def most_frequent(self, without: tuple, most: int | None) -> list:
        """The tokens by falling frequency; of equally frequent ones the larger is first."""
        tokens = [t for t in self.tokens if t not in without]
        return sorted(tokens, key=lambda t: (self.tokens[t], t), reverse=True)[:most]

    def idf(self, tokens: list) -> np.ndarray:
        """log(1 + documents / (1 + documents with the token)) for each."""
        found = np.array([self.documents[t] for t in tokens], "float64")
        return np.log(1 + self.rows / (1 + found))


def write(folder: str, tokens: list, where: str) -> None:
    """Writes the file of a vocabulary, one token on each line.

    Raises:
        ValueError: a token holds the end of a line, which the file would break it at.
    """
    lines = [str(t) for t in tokens]
    broken = [t for t in lines if "\n" in t or "\r" in t]
    if broken:
        rule = "tokens of a vocabulary that is saved have no line breaks; give the vocabulary to the constructor"
        raise invalid(where, rule, tokens=broken[:5])
    if any(len(t.splitlines()) > 1 or t.splitlines() not in ([t], []) for t in lines):
        warnings.warn(
            f"{where}: tokens hold characters that Keras takes for line breaks; the file opens in kerasish only.",
            stacklevel=2,
        )
    with open(os.path.join(folder, FILE), "w", encoding="utf-8", newline="\n") as f:
        f.write("\n".join(lines))


def read(path: str, where: str) -> list[str]:
    """The lines of a file; behind a last line end stands one more, which is empty.

    Raises:
        ValueError: they are no UTF-8, or take more memory than the file that is being loaded may.
    """
    lines: list[str] = []
    text = "\n"
    with open(path, encoding="utf-8") as f:
        for text in f:
            charge(f"vocabulary of {where}", (len(text) + _BYTES,), "uint8")
            lines.append(text.removesuffix("\n"))
    return [*lines, ""] if text.endswith("\n") else lines
