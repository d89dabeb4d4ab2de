"""Weights as safetensors: a JSON header, then the arrays one after the other (github.com/huggingface/safetensors).

Arrays carry the names that they have in a `.weights.h5` file, and the names of layers are in the metadata, so that a
file of either format does what the other does. The format is small enough to be read here, without a package.
"""

from __future__ import annotations

import json
import math
import os
import struct
from typing import Any

import numpy as np

from . import json_text
from .atomic import atomic_path
from .errors import bad_file, reading
from .limits import Limits
from .state import save_state

_DTYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "u2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_NAMES = {np.dtype(v): k for k, v in _DTYPES.items() if k != "BF16"}


class _Writer:
    """Takes the place of a `WeightsWriter` and keeps the arrays."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.names: dict[str, str] = {}

    def object(self, path: str, name: str | None) -> Any:
        from .hdf5 import Store

        return Store(self, path, name)

    def group(self, path: str, name: str | None) -> None:
        if name is not None:
            self.names[path] = name

    def put(self, path: str, name: str | None, key: str, value: np.ndarray) -> None:
        self.arrays[f"{path}/vars/{key}" if path else f"vars/{key}"] = value


def save(model: Any, path: str, skip: Any = ()) -> None:
    """Writes the variables of a model's layers (not of its optimizer)."""
    writer = _Writer()
    optimizer = getattr(model, "optimizer", None)
    save_state(model, writer, [*(skip or ()), *([] if optimizer is None else [optimizer])])
    header: dict[str, Any] = {"__metadata__": {"format": "keras", "names": json.dumps(writer.names)}}
    offset = 0
    # Larger elements first, as the format's own writer does, so that every array is aligned.
    order = sorted(writer.arrays, key=lambda k: (-writer.arrays[k].dtype.itemsize, k))
    for name in order:
        value = writer.arrays[name]
        end = offset + value.nbytes
        header[name] = {"dtype": _NAMES[value.dtype], "shape": list(value.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path, "save_weights") as temporary, open(temporary, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            f.write(np.ascontiguousarray(writer.arrays[name]).tobytes())


class _Array:
    """One array of a file; see `hdf5.StoredArray`."""

    __slots__ = ("_begin", "_bfloat16", "_file", "_source", "_stored", "dtype", "path", "shape")

    def __init__(self, source: str, file: str, path: str, name: str, shape: tuple, begin: int):
        self._source, self._file, self.path, self.shape, self._begin = source, file, path, shape, begin
        self._bfloat16 = name == "BF16"
        self._stored = np.dtype(_DTYPES[name]).newbyteorder("<")
        self.dtype = np.dtype("float32") if self._bfloat16 else self._stored.newbyteorder("=")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> np.ndarray:
        with reading(self._file, self.path, "the array can be read"):
            count = math.prod(self.shape)
            out = np.fromfile(self._source, self._stored, count, offset=self._begin).reshape(self.shape)
            return (out.astype("u4") << 16).view("f4") if self._bfloat16 else out.astype(self.dtype)


class Reader:
    """Takes the place of a `WeightsReader` for a safetensors file.

    Raises:
        BadFileError: a header that is no JSON object of arrays, or arrays that do not fill the file one after another.
    """

    member = None

    def __init__(self, path: str, file: str, limits: Limits):
        self.file = file
        self.arrays: dict[str, _Array] = {}
        self.groups: dict[str, None] = {}
        size = os.path.getsize(path)
        if size > limits.weights_bytes:
            raise bad_file(file, None, f"a file of weights has at most {limits.weights_bytes} bytes", bytes=size)
        with open(path, "rb") as f:
            first = f.read(8)
            length = struct.unpack("<Q", first)[0] if len(first) == 8 else size
            if length > min(size - 8, limits.config_bytes):
                raise bad_file(file, "header", "the header lies in the file and is not too long", header_bytes=length)
            header = json_text.parse(f.read(length), file, "header", limits)
        if not isinstance(header, dict):
            raise bad_file(file, "header", "the header is an object", type=type(header).__name__)
        metadata = header.pop("__metadata__", {})
        end = 0
        with reading(file, "header", "an entry has dtype, shape and data_offsets"):
            entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
            for name, entry in entries:
                end = self._add(path, name, entry, end, length + 8)
        if end != size - 8 - length:
            raise bad_file(file, "header", "the arrays fill the file", arrays=end, bytes=size - 8 - length)
        self._names = self._owner_names(metadata, limits)

    def _add(self, path: str, name: str, entry: dict, end: int, start: int) -> int:
        begin, stop = entry["data_offsets"]
        shape, dtype = tuple(entry["shape"]), entry["dtype"]
        if dtype not in _DTYPES:
            raise self.bad(name, f"a dtype is one of {sorted(_DTYPES)}", dtype=dtype)
        if any(isinstance(d, bool) or not isinstance(d, int) or d < 0 for d in shape):
            raise self.bad(name, "a shape is a list of sizes", shape=shape)
        needed = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
        if begin != end or stop - begin != needed:
            raise self.bad(
                name, f"the array begins at {end} and has {needed} bytes", data_offsets=[begin, stop], shape=shape
            )
        self.arrays[name] = _Array(path, self.file, name, dtype, shape, start + begin)
        parts = name.split("/")
        for k in range(1, len(parts)):
            self.groups["/".join(parts[:k])] = None
        return stop

    def _owner_names(self, metadata: Any, limits: Limits) -> dict[str, str]:
        text = metadata.get("names") if isinstance(metadata, dict) else None
        names = json_text.parse(text, self.file, "names", limits) if isinstance(text, str) else {}
        return {k: v for k, v in names.items() if isinstance(v, str)} if isinstance(names, dict) else {}

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def bad(self, path: str, expected: str, **received: Any) -> Exception:
        return bad_file(self.file, path, expected, **received)

    def has(self, path: str) -> bool:
        """Whether there is a group at a path."""
        return path in self.groups

    def variables(self, path: str) -> dict[str, Any]:
        """The arrays of the object at a path, by their keys."""
        prefix = f"{path}/vars/" if path else "vars/"
        return {k[len(prefix) :]: v for k, v in self.arrays.items() if k.startswith(prefix)}

    def owner_names(self) -> dict[str, str]:
        """Path of an object -> the name that it had when it was saved."""
        return self._names
