"""Helpers around models and data, in Keras's `utils` namespace."""

# data
from ..data.pack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from ..data.py_dataset import PyDataset
from ..data.py_dataset import PyDataset as Sequence

# settings
from ..engine.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

# progress
from .progbar import Progbar

__all__ = [
    "Progbar",
    "PyDataset",
    "Sequence",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "is_interactive_logging_enabled",
    "pack_x_y_sample_weight",
    "unpack_x_y_sample_weight",
]
