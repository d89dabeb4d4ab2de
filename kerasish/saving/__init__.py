"""Saving and loading: models, weights, and the serialization of objects, under Keras's names."""

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
from .editor import KerasFileEditor
from .errors import BadFileError
from .limits import Limits
from .model_file import load_model, save_model
from .report import WarmStart
from .weights import load_weights, save_weights
