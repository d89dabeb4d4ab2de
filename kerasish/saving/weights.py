"""save_weights and load_weights: the values of a model's variables, without its architecture."""

from __future__ import annotations

import os
from typing import Any

from ..engine.errors import invalid
from . import legacy_weights, report, safetensors
from .archive import WEIGHTS, Archive
from .atomic import atomic_path
from .errors import bad_file
from .hdf5 import WeightsReader, WeightsWriter
from .limits import DEFAULT, Limits
from .shards import ShardedReader, ShardedWriter
from .state import load_state, save_state


def _require_built(model: Any, where: str) -> None:
    if not model.built:
        raise invalid(where, f"{type(model).__name__} {model.name!r} is not built: call build() or the model on data")


def _may_write(path: Any, overwrite: bool) -> bool:
    """Whether a file may be written; asks at the terminal where one is there and `overwrite` is False."""
    if overwrite or not os.path.exists(path):
        return True
    answer = input(f"{os.fspath(path)} exists already. Overwrite it? [y/n] ")
    return answer.strip().lower() in ("y", "yes")


def save_weights(
    model: Any, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None, **kwargs: Any
) -> None:
    """Writes the variables of a model: those of its layers, and of its optimizer if it is compiled.

    Args:
        model: a model that is built.
        filepath: path of the file: `.weights.h5` (Keras's format), `.weights.json` with `max_shard_size`, or
            `.safetensors` (the optimizer is left out).
        overwrite: whether an older file is replaced; otherwise the user is asked.
        max_shard_size: GiB of arrays in one file; the index is the file at `filepath`.
        **kwargs: `objects_to_skip`, a list of layers that are left out.

    Raises:
        ValueError: another extension, or a model that is not built.
        OSError: the file cannot be written; an older one is unchanged.

    Example:

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> keras.saving.save_weights(model, "model.weights.h5")
    >>> keras.saving.load_weights(model, "model.weights.h5")
    """
    path = os.fspath(filepath)
    skip = kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise invalid("save_weights", "unknown arguments", kind=TypeError, **kwargs)
    if max_shard_size is not None and not path.endswith(("weights.json", "weights.h5")):
        raise invalid(
            "save_weights", "the file name ends in .weights.json where max_shard_size is given", filepath=path
        )
    if max_shard_size is None and not path.endswith((".weights.h5", ".safetensors")):
        raise invalid("save_weights", "the file name ends in .weights.h5 or .safetensors", filepath=path)
    _require_built(model, "save_weights")
    if not _may_write(path, overwrite):
        return
    if max_shard_size is not None:
        index = path if path.endswith(".json") else f"{path.removesuffix('.h5')}.json"
        with ShardedWriter(index, max_shard_size) as writer:
            save_state(model, writer, skip)
    elif path.endswith(".safetensors"):
        safetensors.save(model, path, skip)
    else:
        with atomic_path(path, "save_weights") as temporary, WeightsWriter(temporary) as writer:
            save_state(model, writer, skip)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> Any:
    """Reads the variables of a model; all of them, or none where something does not fit.

    Args:
        model: a model that is built.
        filepath: a `.weights.h5`, `.weights.json`, `.keras` or `.safetensors` file, or an `.h5` file of Keras 1 or 2.
        skip_mismatch: leave layers as they are whose variables are missing or have other shapes, with a warning.
        **kwargs: `by_name`: match layers by their names instead of their places, take what fits into a model of another
            architecture, and return a `WarmStart` that says what was taken. `objects_to_skip`: layers that are left
            as they are. `limits`: `Limits` for the file.

    Raises:
        BadFileError: a damaged or hostile file, or one of another model; the model is unchanged.
        ValueError: another extension, or a model that is not built.
    """
    path = os.fspath(filepath)
    limits: Limits = kwargs.pop("limits", None) or DEFAULT
    by_name = kwargs.pop("by_name", False)
    skip = kwargs.pop("objects_to_skip", None)
    if kwargs:
        raise invalid("load_weights", "unknown arguments", **kwargs)
    _require_built(model, "load_weights")
    if path.endswith((".h5", ".hdf5")) and not path.endswith(".weights.h5"):
        if skip is not None:
            raise invalid("load_weights", "objects_to_skip needs a .weights.h5 file", filepath=path)
        with open_weights(path, limits) as reader:
            if legacy_weights.is_legacy(reader):
                return legacy_weights.load(model, reader, bool(by_name), skip_mismatch)
            return _load(model, reader, by_name, skip, skip_mismatch)
    with open_weights(path, limits) as reader:
        return _load(model, reader, by_name, skip, skip_mismatch)


def _load(model: Any, reader: Any, by_name: Any, skip: Any, skip_mismatch: bool) -> Any:
    if by_name:
        return report.warm_start(model, reader, skip, skip_mismatch)
    load_state(model, reader, skip, skip_mismatch)
    return None


def open_weights(path: str, limits: Limits) -> Any:
    """The checked reader for a file of weights, by its extension.

    Raises:
        ValueError: an unknown extension, or a file that cannot be trusted.
        OSError: there is no such file.
    """
    name = os.path.basename(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"load_weights: there is no file {path!r}")
    if path.endswith(".weights.json"):
        return ShardedReader(path, name, limits)
    if path.endswith(".safetensors"):
        return safetensors.Reader(path, name, limits)
    if path.endswith(".keras"):
        return from_archive(path, name, limits)
    if path.endswith((".h5", ".hdf5")):
        size = os.path.getsize(path)
        if size > limits.weights_bytes:
            raise bad_file(name, None, f"a file of weights has at most {limits.weights_bytes} bytes", bytes=size)
        return WeightsReader(path, name, None, limits)
    extensions = ".weights.h5, .weights.json, .keras, .safetensors, .h5"
    raise invalid("load_weights", f"the file name ends in one of {extensions}", filepath=path)


def from_archive(source: Any, name: str, limits: Limits) -> WeightsReader:
    """The checked weights inside a `.keras` file."""
    import io

    with Archive(source, name, limits) as archive:
        return WeightsReader(io.BytesIO(archive.read(WEIGHTS)), name, WEIGHTS, limits)
