"""Keras's `backend` namespace: what scripts read from it."""

from ..engine.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from ..engine.dtype import is_float_dtype, is_int_dtype, result_type, standardize_dtype
from ..engine.naming import get_uid
from ..engine.session import clear_session
from ..engine.symbol import is_keras_tensor

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]
