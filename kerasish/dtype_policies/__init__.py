"""Dtype policies, under Keras's names."""

from ..engine.dtype_policy import DTypePolicy, FloatDTypePolicy, deserialize, get, serialize
