"""Models, under Keras's names."""

from .functional import Functional
from .model import Model, model_from_json
from .sequential import Sequential
