"""Keras for CPUs without a framework underneath.

`import kerasish as keras` is meant to be the only line that a Keras script changes.  The parts of the namespace that a
program does not touch are not loaded.
"""

from importlib import import_module as _import_module

from . import ops, random, tree
from .engine.naming import name_scope
from .engine.operation import Operation
from .engine.symbol import Symbol as KerasTensor
from .engine.tape import GradientTape
from .engine.variable import Variable
from .version import __version__, version

# Name -> the package it is loaded from on first use; a package's own name stands for itself.
_LAZY = {
    **{
        name: name
        for name in (
            "activations",
            "backend",
            "callbacks",
            "config",
            "constraints",
            "datasets",
            "dtype_policies",
            "initializers",
            "layers",
            "legacy",
            "losses",
            "metrics",
            "models",
            "optimizers",
            "preprocessing",
            "regularizers",
            "saving",
            "utils",
        )
    },
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "engine.graph",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "function": "executor",
    "show_config": "engine.show_config",
}


def __getattr__(name: str):
    where = _LAZY.get(name)
    if where is None:
        raise AttributeError(f"module 'kerasish' has no attribute {name!r}")
    module = _import_module(f".{where}", __name__)
    value = module if where == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY} - {"_LAZY", "_import_module"})
