"""The state of optimizers in `.h5` files: slots as Keras 1, 2 and 3 ordered and named them, put in today's places."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from . import legacy_weights
from .hdf5 import StoredArray

GROUP = "optimizer_weights"

# The slots of each optimizer: the attribute that holds them here, and what they are called in names of variables by
# tf.keras, before and since 2.11. The order is that in which Keras 1 and 2 wrote them, one kind after the other.
_SLOTS: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    "SGD": [("momentums", ("momentum", "m"))],
    "RMSprop": [
        ("_velocities", ("rms", "velocity")),
        ("_momentums", ("momentum",)),
        ("_average_gradients", ("mg", "average_gradient")),
    ],
    "Adam": [("_momentums", ("m",)), ("_velocities", ("v",)), ("_velocity_hats", ("vhat",))],
    "Adagrad": [("_accumulators", ("accumulator",))],
    "Adadelta": [
        ("_accumulated_grads", ("accum_grad", "accumulated_grad")),
        ("_accumulated_delta_vars", ("accum_var", "accumulated_delta_var")),
    ],
    "Adamax": [("_m", ("m",)), ("_u", ("v", "u"))],
    "Nadam": [("_momentums", ("m",)), ("_velocities", ("v",))],
    "Ftrl": [("_accumulators", ("accumulator",)), ("_linears", ("linear",))],
    "Lion": [("_momentums", ("m",))],
    "Adafactor": [("_r", ("r",)), ("_c", ("c",)), ("_v", ("v",))],
}
_SLOTS["AdamW"] = _SLOTS["Adam"]
_AVERAGE = ("_model_variables_moving_average", ("average",))


class _Unknown(Exception):
    """The state is not laid out as any version did it; the message says what is odd."""


def load(model: Any, reader: Any, root: str, entry: dict) -> str | None:
    """Gives a compiled model's optimizer the state that the file holds.

    Args:
        model: the model, with its weights.
        reader: the file.
        root: path of the group with the layers.
        entry: `{"class_name", "config"}` of the optimizer in the file.

    Returns:
        None; or why the optimizer begins anew, for a warning: it is as it was before.

    Raises:
        BadFileError: an array that the file lists is missing.
    """
    optimizer = model.optimizer
    names = legacy_weights.texts(reader, GROUP, "weight_names") or []
    arrays = [_listed(reader, name) for name in names]
    if not arrays:
        return None  # saved before the first step
    optimizer.build(model.trainable_variables)
    budget = 8 * (4 * sum(int(np.prod(v.shape)) for v in optimizer.variables) + 4096)
    if sum(a.nbytes for a in arrays) > 4 * budget:
        return "its state is larger than that of this optimizer can be"
    version = reader.text(reader.groups[root], "keras_version") or "1"
    try:
        if int(version.split(".")[0]) >= 3:
            pairs = _as_today(optimizer, arrays)
        else:
            pairs = _of_old(model, optimizer, reader, root, names, arrays, entry)
        for variable, value in pairs:
            if tuple(variable.shape) != tuple(value.shape):
                raise _Unknown(f"{variable.path} has shape {tuple(variable.shape)}, not {tuple(value.shape)}")
    except _Unknown as error:
        return str(error)
    for variable, value in pairs:
        variable.assign(value)
    return None


def _listed(reader: Any, name: str) -> StoredArray:
    path = f"{GROUP}/{name}"
    if path not in reader.arrays:
        raise reader.bad(path, "every weight that is listed has an array", arrays=list(reader.arrays)[:5])
    return reader.arrays[path]


def _as_today(optimizer: Any, arrays: list[StoredArray]) -> list:
    """Keras 3 writes all variables in their order."""
    variables = optimizer.variables
    if len(variables) != len(arrays):
        raise _Unknown(f"it has {len(variables)} variables, and the file {len(arrays)} of them")
    stored = {str(i): a for i, a in enumerate(arrays)}
    if hasattr(optimizer, "_from_older_order"):
        stored = optimizer._from_older_order(stored)
    return [(v, stored[str(i)].read()) for i, v in enumerate(variables)]


def _of_old(
    model: Any, optimizer: Any, reader: Any, root: str, names: list, arrays: list[StoredArray], entry: dict
) -> list:
    kind = type(optimizer).__name__
    if kind not in _SLOTS:
        raise _Unknown(f"the state of {kind} is not known")
    wanted = [*_SLOTS[kind], _AVERAGE]
    first = next((i for i, a in enumerate(arrays) if a.shape != ()), len(arrays))
    scalars, names, arrays = arrays[:first], names[first:], arrays[first:]
    pairs = []
    if scalars:
        pairs.append((optimizer._iterations, scalars[0].read().astype("int32")))
    groups = _by_name(names, arrays, wanted)
    if groups is None:
        groups = _in_blocks(model, reader, root, arrays, wanted)
    for attribute, _ in wanted:
        mine = [v for v in getattr(optimizer, attribute, None) or [] if not (kind == "Adafactor" and v.shape == ())]
        if not mine:
            continue
        if attribute not in groups:
            raise _Unknown(f"the file does not hold {attribute.strip('_')}")
        values = _converted(model, reader, root, groups[attribute])
        if kind == "Adafactor" and attribute != "_v":  # vectors have no rows and columns, and Keras 2 kept none
            values = [v for v in values if v.shape != ()]
        if len(values) != len(mine):
            raise _Unknown(f"there are {len(mine)} of {attribute.strip('_')}, and the file has {len(values)}")
        pairs += zip(mine, values)
    if kind == "Nadam":
        pairs.append((optimizer._u_product, _momentum_product(optimizer, scalars, entry)))
    return pairs


def _by_name(names: list[str], arrays: list, wanted: list) -> dict[str, list] | None:
    """Attribute -> arrays, where names say what each is; as tf.keras called them."""
    by_word = {word: attribute for attribute, words in wanted for word in words}
    groups: dict[str, list] = {}
    for name, array in zip(names, arrays):
        parts = re.sub(r"(:\d+)?$", "", name.removeprefix("training/")).split("/")
        # Optimizer/variable/slot until 2.10, Optimizer/slot/variable since.
        last = re.sub(r"_\d+$", "", parts[-1])
        word = last if len(parts) > 2 and last in by_word else parts[1] if len(parts) > 2 else None
        if word not in by_word:
            return None
        groups.setdefault(by_word[word], []).append(array)
    return groups


def _in_blocks(model: Any, reader: Any, root: str, arrays: list, wanted: list) -> dict[str, list]:
    """Attribute -> arrays, where each kind stands behind the other: Keras itself, until 2.3."""
    count = sum(len(names) for _, names in _trained(model, reader, root))
    if count == 0 or len(arrays) % count:
        raise _Unknown(f"{count} variables are trained, and the file has {len(arrays)} arrays for them")
    return {a: arrays[i * count : (i + 1) * count] for i, (a, _) in enumerate(wanted[: len(arrays) // count])}


def _trained(model: Any, reader: Any, root: str) -> list[tuple[Any, list[str]]]:
    """Each layer with variables that are trained, and the names of these in the file."""
    out = []
    for name, layer in legacy_weights.paired(model, reader, root):
        if layer.trainable_weights:
            names = legacy_weights.weight_names(reader, root, name)
            out.append((layer, names[: len(names) - len(layer.non_trainable_weights)]))
    return out


def _converted(model: Any, reader: Any, root: str, arrays: list[StoredArray]) -> list[np.ndarray]:
    """Slots have the layouts of their weights, and take the same way to today's."""
    layers = _trained(model, reader, root)
    values = [a.read() for a in arrays]
    names = [n for _, own in layers for n in own]
    if len(names) != len(values):
        return values
    version, backend = legacy_weights.origin(reader, root)
    if version.startswith("1"):
        order = sorted(range(len(names)), key=names.__getitem__)  # Keras 1 sorted variables by their names
        values = [value for _, value in sorted(zip(order, values), key=lambda pair: pair[0])]
    out, at = [], 0
    for layer, own in layers:
        count = len(own)
        part = values[at : at + count]
        at += count
        if count == 3 and part[2].ndim == 1 and part[2].size == 2 * layer.trainable_weights[-1].shape[-1]:
            raise _Unknown("cuDNN's layers had two biases where there is one, which moved at their own pace")
        out += legacy_weights.convert_arrays(type(layer).__name__, layer, part, version, backend)
    return out


def _momentum_product(optimizer: Any, scalars: list[StoredArray], entry: dict) -> np.ndarray:
    """The product of the momenta so far: from the file where it is there, else as the optimizer of the time made it."""
    if len(scalars) > 1:
        return scalars[1].read().astype("float32")
    config = entry["config"]
    steps = int(scalars[0].read()) if scalars else 0
    decay = config.get("schedule_decay", 0.004)
    if "is_legacy_optimizer" in config and not config["is_legacy_optimizer"]:
        decay = 1.0  # since 2.11, as today
    t = np.arange(1, min(steps, 100_000) + 1)
    return np.float32(np.prod(optimizer.beta_1 * (1.0 - 0.5 * 0.96 ** (t * decay))))
