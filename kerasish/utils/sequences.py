"""Sequences of different lengths as one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.errors import invalid


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Cuts and fills sequences to one length.

    Args:
        sequences: list of sequences; the entries may be arrays themselves, of one shape.
        maxlen: the length; by default that of the longest.
        dtype: dtype of the result; `object` for strings of different lengths.
        padding: `"pre"` or `"post"`: fill in front or behind.
        truncating: `"pre"` or `"post"`: cut in front or behind.
        value: what to fill with.

    Returns:
        Array of shape `(len(sequences), maxlen, ...)`.

    Raises:
        ValueError: something is no sequence, entries differ in shape, or an option is unknown.

    Example:

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    for name, option in (("padding", padding), ("truncating", truncating)):
        if option not in ("pre", "post"):
            raise invalid("pad_sequences", f'{name} must be "pre" or "post"', **{name: option})
    if not hasattr(sequences, "__len__"):
        raise invalid("pad_sequences", "sequences must be a list of sequences", sequences=sequences)
    for position, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise invalid("pad_sequences", f"the entry at position {position} must be a sequence", entry=sequence)
    is_text = np.issubdtype(dtype, np.str_) or np.issubdtype(dtype, np.bytes_) or np.dtype(dtype) == object
    if isinstance(value, str) and not is_text:
        rule = "a string as value needs a dtype for strings, such as object"
        raise invalid("pad_sequences", rule, value=value, dtype=str(dtype))
    if maxlen is None:
        maxlen = max((len(s) for s in sequences), default=0)
    shape = next((np.asarray(s).shape[1:] for s in sequences if len(s)), ())
    padded = np.full((len(sequences), maxlen, *shape), value, dtype=dtype)
    for position, sequence in enumerate(sequences):
        if not len(sequence) or not maxlen:
            continue
        kept = np.asarray(sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen], dtype=dtype)
        if kept.shape[1:] != shape:
            rule = f"the entries of all sequences must have the shape {shape}"
            raise invalid("pad_sequences", rule, position=position, shape=kept.shape[1:])
        if padding == "post":
            padded[position, : len(kept)] = kept
        else:
            padded[position, -len(kept) :] = kept
    return padded
