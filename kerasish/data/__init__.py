"""Data as batches: what fit, evaluate and predict accept, and the datasets that users write."""

from .epoch_iterator import EpochIterator, batch_source
from .pack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from .py_dataset import PyDataset
from .source import ArraySource, BatchSource, train_validation_split
from .streams import GeneratorSource, IterableSource

__all__ = [
    "ArraySource",
    "BatchSource",
    "EpochIterator",
    "GeneratorSource",
    "IterableSource",
    "PyDataset",
    "batch_source",
    "pack_x_y_sample_weight",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]
