"""Keras for CPUs without a framework underneath.

`import kerasish as keras` is meant to be the only line that a Keras script changes.
"""

from . import activations, ops, random, tree
from .engine.naming import name_scope
from .engine.show_config import show_config
from .engine.symbol import Symbol as KerasTensor
from .engine.tape import GradientTape
from .engine.variable import Variable
from .version import __version__, version

