"""Models in `.h5` files of Keras 1 and 2, read-only: configs as attributes, then the weights."""

from __future__ import annotations

import os
import warnings
from typing import Any

from ..engine.allowance import allowance
from ..engine.serialization import deserialize_keras_object
from . import json_text, legacy_config, legacy_optimizer, legacy_weights
from .errors import bad_file, reading
from .hdf5 import WeightsReader
from .limits import Limits

# Arguments of optimizers that have other names now, or none.
_OPTIMIZER_ARGUMENTS = {"lr": "learning_rate"}
_OPTIMIZER_GONE = frozenset(("schedule_decay", "is_legacy_optimizer", "jit_compile", "accum_name"))


def load(path: str, name: str, custom_objects: Any, compile: bool, limits: Limits) -> Any:
    """The model of such a file.

    Raises:
        BadFileError: as `load_model` does.
    """
    from .model_file import build_model

    size = os.path.getsize(path)
    if size > limits.weights_bytes:
        raise bad_file(name, None, f"a file has at most {limits.weights_bytes} bytes", bytes=size)
    with WeightsReader(path, name, None, limits) as reader:
        root = reader.groups[""]
        text = reader.text(root, "model_config")
        if text is None:
            rule = "the file has the config of a model, as an attribute"
            raise bad_file(name, "model_config", rule, attributes=sorted(root.attrs)[:5])
        if not legacy_weights.is_legacy(reader):
            rule = "the file has the weights of the layers, listed by name"
            raise bad_file(name, "model_weights", rule, groups=sorted(reader.groups)[:5])
        old = json_text.parse(text, name, "model_config", limits)
        with reading(name, "model_config", "the config is one of Keras 1 or 2"):
            version = legacy_weights.origin(reader, legacy_weights.weights_root(reader))[0]
            config = legacy_config.convert(old if version >= "3" else legacy_config.with_old_functions(old))
        held = sum(a.nbytes for a in reader.arrays.values())
        model = build_model(config, name, "model_config", custom_objects, 2 * held + limits.variable_bytes)
        legacy_weights.load(model, reader, by_name=False, skip_mismatch=False)
        training = reader.text(root, "training_config")
        if compile and training is not None:
            parsed = json_text.parse(training, name, "training_config", limits)
            if _compile(model, parsed, custom_objects) and legacy_optimizer.GROUP in reader.groups:
                root = legacy_weights.weights_root(reader)
                rule = "the optimizer has room for its state"
                with reading(name, legacy_optimizer.GROUP, rule), allowance(2 * held + limits.variable_bytes):
                    why = legacy_optimizer.load(model, reader, root, parsed["optimizer_config"])
                if why is not None:
                    warnings.warn(f"load_model: {name}: the optimizer begins anew: {why}.", stacklevel=4)
    return model


def _compile(model: Any, training: dict, custom_objects: Any) -> bool:
    """Compiles as the file says, or leaves the model uncompiled, with a warning, where something is unknown now."""
    try:
        arguments = {
            "optimizer": _optimizer(training["optimizer_config"]),
            "loss": _placed(training.get("loss"), ("losses",)),
            "loss_weights": training.get("loss_weights"),
            "metrics": _metrics(training.get("metrics")),
            "weighted_metrics": _metrics(training.get("weighted_metrics")),
        }
        model.compile(**deserialize_keras_object(arguments, custom_objects=custom_objects))
        return True
    except Exception as error:
        warnings.warn(f"load_model: the model is not compiled: {type(error).__name__}: {error}", stacklevel=5)
        return False


def _optimizer(entry: dict) -> dict:
    config = {_OPTIMIZER_ARGUMENTS.get(k, k): v for k, v in entry["config"].items() if k not in _OPTIMIZER_GONE}
    decay = config.pop("decay", 0.0)
    if config.get("epsilon", 0) is None:
        config["epsilon"] = 1e-7
    if config.get("weight_decay", 0) is False:
        config["weight_decay"] = None
    rate = config.get("learning_rate")
    if isinstance(rate, dict):
        config["learning_rate"] = {**rate, "module": "keras.optimizers.schedules", "registered_name": None}
    elif decay:
        inner = {"initial_learning_rate": rate, "decay_steps": 1.0, "decay_rate": decay}
        config["learning_rate"] = {
            "module": "keras.optimizers.schedules", "class_name": "InverseTimeDecay", "config": inner,
            "registered_name": None,
        }  # fmt: skip
    return legacy_config.place({"class_name": entry["class_name"], "config": config}, ("optimizers",))


def _placed(value: Any, places: tuple[str, ...]) -> Any:
    """Objects inside with the modules that their classes are in now."""
    if isinstance(value, list):
        return [_placed(v, places) for v in value]
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return legacy_config.place(value, places)
        return {k: _placed(v, places) for k, v in value.items()}
    return value


def _metrics(value: Any) -> Any:
    if isinstance(value, list):
        # Later versions put the metrics of the only output into a list of their own.
        if len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        return [_metrics(v) for v in value if v is not None]
    if isinstance(value, dict):
        if value.get("class_name") == "MeanMetricWrapper":
            name = value["config"].get("name")
            return "accuracy" if name in ("accuracy", "acc") else value["config"].get("fn", name)
        if "class_name" in value and "config" in value:
            return legacy_config.place(value, ("metrics",))
        return {k: _metrics(v) for k, v in value.items()}
    return value
