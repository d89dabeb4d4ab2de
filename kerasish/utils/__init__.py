"""Helpers around models and data, in Keras's `utils` namespace."""

from typing import Any

# data
from ..data.pack import pack_x_y_sample_weight, unpack_x_y_sample_weight
from ..data.py_dataset import PyDataset
from ..data.py_dataset import PyDataset as Sequence
from ..data.samples import split_dataset, timeseries_dataset_from_array

# settings
from ..engine.config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

# serialization
from ..engine.serialization import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)

# arrays, sequences, images
from .images import array_to_img, img_to_array, load_img, save_img
from .numerical import normalize, to_categorical

# progress
from .progbar import Progbar
from .rng import set_random_seed
from .sequences import pad_sequences
from .settings import Config


def __getattr__(name: str) -> Any:
    """On first use: `get_file`, which needs HTTP and archives, and `legacy`, which needs `saving`."""
    if name == "get_file":
        from .downloads import get_file

        globals()[name] = get_file
        return get_file
    if name == "legacy":
        import importlib  # `from . import legacy` would ask here again

        return importlib.import_module(".legacy", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Config",
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "img_to_array",
    "is_interactive_logging_enabled",
    "load_img",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
