"""Data as batches: what fit, evaluate and predict accept, and the datasets that users write."""

from .epoch_iterator import EpochIterator, batch_source
from .pack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from .py_dataset import PyDataset
from .samples import BatchDataset, SampleDataset, split_dataset, timeseries_dataset_from_array
from .source import ArraySource, BatchSource, train_validation_split
from .streams import GeneratorSource, IterableSource

__all__ = [
    "ArraySource",
    "BatchDataset",
    "BatchSource",
    "EpochIterator",
    "GeneratorSource",
    "IterableSource",
    "PyDataset",
    "SampleDataset",
    "batch_source",
    "pack_x_y_sample_weight",
    "split_dataset",
    "timeseries_dataset_from_array",
    "train_validation_split",
    "unpack_x_y_sample_weight",
]
