"""Models, under Keras's names."""

from ..saving import load_model, save_model
from .cloning import clone_model
from .functional import Functional
from .model import Model, model_from_json
from .sequential import Sequential
