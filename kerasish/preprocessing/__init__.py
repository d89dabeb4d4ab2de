"""Keras's older `preprocessing` namespace: the same functions as in `utils`."""

from ..data.samples import timeseries_dataset_from_array
from . import image, sequence

__all__ = ["image", "sequence", "timeseries_dataset_from_array"]
