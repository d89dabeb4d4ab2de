"""Weights spread over several HDF5 files of a bounded size, with an index that says where each object's are."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import numpy as np

from ..engine.errors import invalid
from . import atomic, json_text
from .errors import bad_file
from .hdf5 import Store, StoredArray, WeightsReader, WeightsWriter
from .limits import Limits


def _names(path: Any) -> tuple[str, str, str]:
    """Folder, base name and file name of an index."""
    folder, name = os.path.split(os.path.abspath(os.fspath(path)))
    base = name.removesuffix(".json").removesuffix(".h5").removesuffix("weights").removesuffix(".")
    return folder, base, name


class ShardedWriter:
    """Takes the place of a `WeightsWriter`; `close` puts all files where they belong, the index last.

    Args:
        path: path of the index, which ends in `.weights.json`.
        max_shard_size: GiB of arrays in one file.

    Raises:
        ValueError: an array is larger than a file may be.
    """

    def __init__(self, path: Any, max_shard_size: float):
        self._folder, self._base, self._name = _names(path)
        self._cap = float(max_shard_size) * 1024**3
        if not self._cap > 0:
            raise invalid("save_weights", "max_shard_size is a positive number of GiB", max_shard_size=max_shard_size)
        self._map: dict[str, list[str]] = {}
        self._held = self._total = 0
        self._temporary: list[tuple[str, str]] = []  # where a shard is written, what it will be called
        self._shard: WeightsWriter | None = None
        self._next()

    def __enter__(self) -> ShardedWriter:
        return self

    def __exit__(self, kind: Any, *exc: Any) -> None:
        try:
            self._shard.close(check=kind is None)
            if kind is None:
                for path, _ in self._temporary:
                    atomic.sync_file(path)
                for path, name in self._temporary:
                    os.replace(path, os.path.join(self._folder, name))
                index = {
                    "metadata": {"total_size": self._total},
                    "weight_map": {k: v[0] if len(v) == 1 else v for k, v in self._map.items()},
                }
                text = json.dumps(index, indent=4).encode()
                atomic.write_bytes(os.path.join(self._folder, self._name), text, "save_weights")
        finally:
            for path, _ in self._temporary:
                if os.path.exists(path):
                    os.unlink(path)

    def _next(self) -> None:
        if self._shard is not None:
            self._shard.close()
        name = f"{self._base}_{len(self._temporary):05}.weights.h5"
        path = os.path.join(self._folder, f".{name}.{os.getpid()}.tmp")
        self._temporary.append((path, name))
        self._shard, self._held = WeightsWriter(path), 0

    def object(self, path: str, name: str | None) -> Store:
        return Store(self, path, name)

    def group(self, path: str, name: str | None) -> Any:
        return self._shard.group(path, name)

    def put(self, path: str, name: str | None, key: str, value: np.ndarray) -> None:
        if value.nbytes > self._cap:
            raise invalid(
                "save_weights",
                f"the array {path}/vars/{key} is larger than a shard may be; raise max_shard_size",
                bytes=value.nbytes,
                max_shard_size=self._cap / 1024**3,
            )
        if self._held + value.nbytes > self._cap:
            self._next()
        self._held += value.nbytes
        self._total += value.nbytes
        self._shard.put(path, name, key, value)
        files = self._map.setdefault(f"/{path}/vars" if path else "/vars", [])
        shard = self._temporary[-1][1]
        if shard not in files:
            files.append(shard)


class ShardedReader:
    """Takes the place of a `WeightsReader`: all files of an index as one.

    Args:
        path: path of the index.
        file: its name, for errors.
        limits: caps, which hold for all files together.

    Raises:
        BadFileError: as for `WeightsReader`, and for an index that names anything but shards beside it.
    """

    member = None

    def __init__(self, path: Any, file: str, limits: Limits):
        folder, base, _ = _names(path)
        self.file, self._readers = file, []
        with open(path, "rb") as f:
            index = json_text.parse(f.read(limits.config_bytes + 1), file, "index", limits)
        weight_map = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(weight_map, dict):
            raise bad_file(file, "index", "the index has an object 'weight_map'", type=type(weight_map).__name__)
        names: list[str] = []
        for key, value in weight_map.items():
            for name in value if isinstance(value, list) else [value]:
                if not isinstance(name, str) or not re.fullmatch(re.escape(base) + r"_\d{5}\.weights\.h5", name):
                    rule = f"a shard is called {base}_00000.weights.h5 and so on and lies beside the index"
                    raise bad_file(file, key, rule, name=name)
                names += [] if name in names else [name]
        self.arrays: dict[str, StoredArray] = {}
        self.groups: dict[str, Any] = {}
        total = 0
        try:
            for name in sorted(names):
                shard = os.path.join(folder, name)
                if os.path.islink(shard) or not os.path.isfile(shard):
                    raise bad_file(file, name, "the shard is a file beside the index", path=shard)
                reader = WeightsReader(shard, file, name, limits)
                self._readers.append(reader)
                twice = sorted(set(reader.arrays) & set(self.arrays))
                if twice:
                    raise bad_file(file, name, "an array is in one shard", array=twice[0])
                self.arrays.update(reader.arrays)
                self.groups.update(reader.groups)
                total += sum(a.nbytes for a in reader.arrays.values())
                if total > limits.weights_bytes:
                    raise bad_file(file, name, f"all arrays have at most {limits.weights_bytes} bytes", bytes=total)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ShardedReader:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def bad(self, path: str, expected: str, **received: Any) -> Exception:
        return bad_file(self.file, path, expected, **received)

    def has(self, path: str) -> bool:
        """Whether there is a group at a path."""
        return path in self.groups

    def variables(self, path: str) -> dict[str, StoredArray]:
        """The arrays of the object at a path, by their keys."""
        return {k: v for reader in self._readers for k, v in reader.variables(path).items()}

    def owner_names(self) -> dict[str, str]:
        """Path of an object -> the name that it had when it was saved."""
        return {k: v for reader in self._readers for k, v in reader.owner_names().items()}
