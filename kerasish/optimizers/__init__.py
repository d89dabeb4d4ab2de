"""Optimizers: how gradients move variables."""

from __future__ import annotations

from typing import Any

from kerasish.engine.errors import invalid
from kerasish.engine.serialization import Family, serialize_keras_object
from kerasish.optimizers import schedules
from kerasish.optimizers.adadelta import Adadelta
from kerasish.optimizers.adafactor import Adafactor
from kerasish.optimizers.adagrad import Adagrad
from kerasish.optimizers.adam import Adam, AdamW
from kerasish.optimizers.adamax import Adamax
from kerasish.optimizers.ftrl import Ftrl
from kerasish.optimizers.lamb import Lamb
from kerasish.optimizers.lion import Lion
from kerasish.optimizers.loss_scale_optimizer import LossScaleOptimizer
from kerasish.optimizers.multi_optimizer import MultiOptimizer, OptimizerMap
from kerasish.optimizers.muon import Muon
from kerasish.optimizers.nadam import Nadam
from kerasish.optimizers.optimizer import Optimizer
from kerasish.optimizers.rmsprop import RMSprop
from kerasish.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from kerasish.optimizers.sgd import SGD

_classes = [
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer, MultiOptimizer, Muon,
    Nadam, Optimizer, OptimizerMap, RMSprop, SGD, ScheduleFreeAdamW,
]  # fmt: skip
_family = Family("optimizer", _classes, {cls.__name__.lower(): cls for cls in _classes})


def serialize(optimizer: Any) -> Any:
    """The config of an optimizer."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer that a config or a name (in any case) describes.

    Raises:
        ValueError: the name is unknown; close names are listed.
    """
    if isinstance(config, dict) and str(config.get("class_name")).lower() in _family.table:
        config = {**config, "class_name": config["class_name"].lower()}
    elif isinstance(config, str) and config.lower() in _family.table:
        config = config.lower()
    return _family.deserialize(config, custom_objects)


def get(identifier: Any) -> Any:
    """An optimizer from `None`, a name, a config or an optimizer.

    Raises:
        ValueError: the name is unknown, or the identifier is none of these.

    Example:

    >>> import kerasish as keras
    >>> type(keras.optimizers.get("adam")).__name__
    'Adam'
    """
    found = deserialize(identifier) if isinstance(identifier, (str, dict)) else identifier
    if found is None or isinstance(found, Optimizer):
        return found
    raise invalid("optimizers.get", "an optimizer is given as a name, a config or an object", identifier=identifier)
