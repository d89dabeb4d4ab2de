"""The older form of configs, under Keras's second name for it."""

from ..legacy.saving import deserialize_keras_object, serialize_keras_object
