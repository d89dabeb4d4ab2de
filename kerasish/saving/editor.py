"""KerasFileEditor: the weights in a file as a tree that can be looked at, compared, edited and written again."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.errors import invalid
from . import json_text
from .archive import CONFIG, METADATA, Archive
from .atomic import atomic_path
from .hdf5 import WeightsWriter
from .limits import DEFAULT, Limits
from .state import own_variables
from .walk import walk
from .weights import open_weights


class KerasFileEditor:
    """Inspects, edits and writes files of weights.

    Args:
        filepath: a `.keras` or `.weights.h5` file.
        limits: `Limits` for the file.

    Attributes:
        weights_dict: the tree: dicts by name, with an object's arrays by key ("0", "1", ...).
        object_metadata: path of an object -> `{"name": its name}`.
        config, metadata: of a `.keras` file, else None.

    Raises:
        BadFileError: the file is damaged or hostile.
        ValueError: another extension; later: a path or name that is not in the file.

    Example:

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="out")])
    >>> model.save_weights("model.weights.h5")
    >>> editor = KerasFileEditor("model.weights.h5")
    Keras model file 'model.weights.h5'
    >>> editor.summary()
    Weights structure
      layers
        dense ('out')
          0: shape=(2, 3), dtype=float32
          1: shape=(3,), dtype=float32
    """

    def __init__(self, filepath: Any, limits: Limits = DEFAULT):
        path = os.fspath(filepath)
        if not path.endswith((".keras", ".weights.h5")):
            raise invalid("KerasFileEditor", "the file name ends in .keras or .weights.h5", filepath=path)
        self.filepath = path
        self.model = None
        self.config: Any = None
        self.metadata: Any = None
        name = os.path.basename(path)
        if path.endswith(".keras"):
            with Archive(path, name, limits) as archive:
                self.config = json_text.parse(archive.read(CONFIG), name, CONFIG, limits)
                self.metadata = json_text.parse(archive.read(METADATA), name, METADATA, limits)
        self.weights_dict: dict[str, Any] = {}
        self.object_metadata: dict[str, dict] = {}
        with open_weights(path, limits) as reader:
            for where in reader.arrays:
                *parents, key = [p for p in where.split("/") if p != "vars"]
                node = self.weights_dict
                for p in parents:
                    node = node.setdefault(p, {})
                node[key] = reader.arrays[where].read()
            self.object_metadata = {p: {"name": n} for p, n in reader.owner_names().items()}
        print(f"Keras model file {path!r}")
        if isinstance(self.metadata, dict):
            version, date = self.metadata.get("keras_version"), self.metadata.get("date_saved")
            print(f"Saved with Keras {version} - date: {date}")

    # -- looking ----------------------------------------------------------------------------------------------------

    def summary(self) -> None:
        """Prints the tree: names, shapes and dtypes."""
        print("Weights structure")
        self._print(self.weights_dict, "", 1)

    def _print(self, node: dict, path: str, depth: int) -> None:
        for key, value in node.items():
            where = f"{path}/{key}" if path else key
            if isinstance(value, dict):
                name = self.object_metadata.get(where, {}).get("name")
                print("  " * depth + key + (f" ({name!r})" if name else ""))
                self._print(value, where, depth + 1)
            else:
                print("  " * depth + f"{key}: shape={np.shape(value)}, dtype={np.asarray(value).dtype}")

    def compare(self, reference_model: Any) -> dict[str, Any]:
        """Compares the tree with a model, and prints every difference.

        Returns:
            `{"status": "success" or "error", "error_count": ..., "match_count": ...}`.
        """
        print("Running comparison")
        model: dict[str, tuple] = {}
        for entry in walk(reference_model):
            for key, v in own_variables(entry.obj).items():
                model[f"{entry.path}/{key}" if entry.path else key] = tuple(v.shape)
        file = {path: tuple(np.shape(value)) for path, value in _leaves(self.weights_dict)}
        errors = 0
        for path in sorted({*model, *file}):
            if path not in file:
                print(f"...Weight {path} present in reference model, missing from saved file")
            elif path not in model:
                print(f"...Weight {path} present in saved file, missing from reference model")
            elif model[path] != file[path]:
                print(
                    f"...Weight shape mismatch for {path}: {model[path]} in reference model, {file[path]} in saved file"
                )
            else:
                continue
            errors += 1
        matches = sum(model[p] == file[p] for p in model.keys() & file.keys())
        if errors:
            print(f"Found {errors} error(s): saved file is not compatible with the reference model")
        else:
            print(f"Comparison successful: saved file is compatible with the reference model; {matches} weights match")
        return {"status": "error" if errors else "success", "error_count": errors, "match_count": matches}

    # -- editing ----------------------------------------------------------------------------------------------------

    def _edit(self, name: str, change: Callable[[dict, str], Any]) -> None:
        """Calls `change(parent, key)` for the object at a path, or of a name that is there once."""
        *parents, key = name.split("/")
        if parents:
            node = self._at(parents, name)
            if key not in node:
                raise invalid("KerasFileEditor", "the path is in the file", path=name, there=list(node))
            change(node, key)
            return
        holders = [node for node in _nodes(self.weights_dict) if key in node]
        if len(holders) != 1:
            rule = "the name is in the file" if not holders else "a name that is there several times needs its path"
            raise invalid("KerasFileEditor", rule, name=name)
        change(holders[0], key)

    def _at(self, parents: list[str], path: str) -> dict:
        node: Any = self.weights_dict
        for p in parents:
            if not isinstance(node, dict) or p not in node:
                raise invalid("KerasFileEditor", "the path is in the file", path=path)
            node = node[p]
        return node

    def rename_object(self, object_name: str, new_name: str) -> None:
        """Renames an object, such as a layer, given by its name or path; `new_name` is no path."""
        if "/" in new_name:
            raise invalid("KerasFileEditor.rename_object", "new_name is a name and no path", new_name=new_name)
        self._edit(object_name, lambda node, key: node.__setitem__(new_name, node.pop(key)))

    def delete_object(self, object_name: str) -> None:
        """Takes an object away, given by its name or path."""
        self._edit(object_name, lambda node, key: node.pop(key))

    def add_object(self, object_path: str, weights: dict[str, Any]) -> None:
        """Adds an object at a path, with arrays by key."""
        *parents, key = object_path.split("/")
        self._at(parents, object_path)[key] = _arrays("add_object", weights)

    def delete_weight(self, object_name: str, weight_name: str) -> None:
        """Takes one array of an object away."""

        def delete(node: dict, key: str) -> None:
            if weight_name not in node[key]:
                rule = f"the object {object_name!r} has this weight; it has {list(node[key])}"
                raise invalid("KerasFileEditor.delete_weight", rule, weight_name=weight_name)
            del node[key][weight_name]

        self._edit(object_name, delete)

    def add_weights(self, object_name: str, weights: dict[str, Any]) -> None:
        """Adds arrays to an object, or replaces those of the same keys."""
        arrays = _arrays("add_weights", weights)
        self._edit(object_name, lambda node, key: node[key].update(arrays))

    # -- writing ----------------------------------------------------------------------------------------------------

    def save(self, filepath: Any) -> None:
        """Writes the tree to a `.weights.h5` file."""
        path = os.fspath(filepath)
        if not path.endswith(".weights.h5"):
            raise invalid("KerasFileEditor.save", "the file name ends in .weights.h5", filepath=path)
        with atomic_path(path, "KerasFileEditor.save") as temporary, WeightsWriter(temporary) as writer:
            for where, value in _leaves(self.weights_dict):
                parent, _, key = where.rpartition("/")
                name = self.object_metadata.get(parent, {}).get("name")
                writer.put(parent, name, key, np.asarray(value))

    def resave_weights(self, filepath: Any) -> None:
        """The same as `save`."""
        self.save(filepath)


def _arrays(where: str, weights: Any) -> dict[str, Any]:
    if not isinstance(weights, dict):
        raise invalid(
            f"KerasFileEditor.{where}", "weights is a dict from keys ('0', '1', ...) to arrays", weights=weights
        )
    return dict(weights)


def _nodes(node: dict) -> list[dict]:
    return [node, *(n for v in node.values() if isinstance(v, dict) for n in _nodes(v))]


def _leaves(node: dict, path: str = "") -> list[tuple[str, Any]]:
    out = []
    for key, value in node.items():
        where = f"{path}/{key}" if path else key
        out += _leaves(value, where) if isinstance(value, dict) else [(where, value)]
    return out
