"""Checkpoints: the variables of a run and everything else that says where it stands, in one file."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from . import json_text
from .atomic import atomic_path
from .errors import bad_file, reading
from .hdf5 import WeightsReader, WeightsWriter
from .limits import Limits
from .state import compare_array

_LIMITS = Limits(config_integer=2**62)
_LEFT_OUT = object()


def _encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """A JSON value, with arrays moved into a list; what is no data is left out."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**62 else {"integer": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, np.generic) and value.dtype.kind in "fiub":
        value = np.asarray(value)
    if hasattr(value, "read") or hasattr(value, "numpy"):  # variables and tensors
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, (list, tuple)):
        items = [_encode(v, arrays) for v in value]
        kind = "tuple" if isinstance(value, tuple) else "list"
        return _LEFT_OUT if any(i is _LEFT_OUT for i in items) else {kind: items}
    if isinstance(value, dict):
        pairs = [[_encode(k, arrays), _encode(v, arrays)] for k, v in value.items()]
        return {"dict": [p for p in pairs if p[0] is not _LEFT_OUT and p[1] is not _LEFT_OUT]}
    return _LEFT_OUT


def _decode(value: Any, arrays: list[np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dict":
        return {_decode(k, arrays): _decode(v, arrays) for k, v in content}
    if kind in ("list", "tuple"):
        items = [_decode(v, arrays) for v in content]
        return tuple(items) if kind == "tuple" else items
    if kind == "array":
        return arrays[content]
    return {"float": float, "integer": int}[kind](content)


def write_checkpoint(path: str, variables: list, state: dict[str, Any]) -> None:
    """Writes a checkpoint atomically.

    Args:
        path: the file.
        variables: in an order that the same program makes again.
        state: nested dicts, lists and tuples of numbers, strings, arrays and tensors; anything else is left out.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps({"state": _encode(state, arrays), "paths": [v.path for v in variables]})
    with atomic_path(path, "BackupAndRestore") as temporary, WeightsWriter(temporary) as writer:
        for k, v in enumerate(variables):
            writer.put("variables", None, str(k), v.numpy())
        for k, a in enumerate(arrays):
            writer.put("arrays", None, str(k), a)
        writer.put("state", None, "0", np.frombuffer(text.encode(), "uint8"))


def read_checkpoint(path: str, variables: list) -> dict[str, Any]:
    """The state of a checkpoint, with the values of the variables under "variables"; nothing is assigned.

    Raises:
        BadFileError: a damaged file, or one of another model.
    """
    file = os.path.basename(path)
    with WeightsReader(path, file, None, _LIMITS) as reader:
        text = reader.variables("state").get("0")
        if text is None:
            raise bad_file(file, "state", "the file is a checkpoint", arrays=list(reader.arrays)[:5])
        header = json_text.parse(text.read().tobytes(), file, "state", _LIMITS)
        stored = reader.variables("variables")
        if len(stored) != len(variables):
            raise bad_file(file, "variables", f"the model has {len(variables)} variables", variables=len(stored))
        values = []
        for k, v in enumerate(variables):
            where = f"variables/{k}"
            if str(k) not in stored:
                raise bad_file(file, where, "a checkpoint has an array for every variable", arrays=sorted(stored)[:5])
            error = compare_array(reader, where, v.path, tuple(v.shape), np.dtype(v.dtype), stored[str(k)])
            if error is not None:
                raise error
            values.append(stored[str(k)].read())
        with reading(file, "state", "the state can be read"):
            held = reader.variables("arrays")
            arrays = [held[str(k)].read() for k in range(len(held))]
            state = _decode(header["state"], arrays)
    return {**state, "variables": values}
