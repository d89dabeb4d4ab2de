"""Sequences, under their older names."""

from ..utils.sequences import pad_sequences

__all__ = ["pad_sequences"]
