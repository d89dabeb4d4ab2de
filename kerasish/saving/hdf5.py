"""HDF5 files of weights: written in Keras's layout, and read only after everything in them has been checked.

HDF5 can do much more than hold arrays: links to other files, data in other files, datasets made of other datasets,
references, plug-in filters. A file of weights needs none of it, and each is refused before anything is read.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .errors import bad_file, reading
from .limits import Limits, MiB
from .object_header import text_bytes
from .sink import Sink

# Deflate, shuffle and the checksum: what h5py offers and needs no plug-in.
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32"}
_DEPTH = 200


def h5py() -> Any:
    """The h5py package, imported on first use."""
    import h5py as module

    return module


class StoredArray:
    """One array in a file: its shape and dtype, known before it is read.

    Attributes:
        path: its path in the file.
        shape, dtype: of the array.
    """

    __slots__ = ("_dataset", "_file", "_stored", "dtype", "path", "shape")

    def __init__(self, dataset: Any, file: str, path: str, dtype: np.dtype):
        self._dataset, self._file, self.path, self.dtype = dataset, file, path, dtype
        self._stored = dataset.dtype
        self.shape = tuple(dataset.shape)

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> np.ndarray:
        """The array."""
        with reading(self._file, self.path, "the array can be read"):
            out = np.empty(self.shape, self._stored)
            if out.size:
                self._dataset.read_direct(out)
            if self._stored.kind == "V":  # bfloat16: the upper half of a float32's bits
                out = (out.view("u2").astype("u4") << 16).view("f4")
            return out if out.dtype == self.dtype else out.astype(self.dtype)


class WeightsReader:
    """A checked HDF5 file.

    Args:
        source: path, or a binary file object.
        file: its name, for errors.
        member: the archive member that it is, or None.
        limits: caps.

    Attributes:
        arrays: path -> StoredArray, of every array in the file.
        groups: paths of all groups.

    Raises:
        BadFileError: not an HDF5 file, or one with anything else in it than groups, plain arrays and hard links.
    """

    def __init__(self, source: Any, file: str, member: str | None, limits: Limits):
        self.file, self.member, self.limits = file, member, limits
        self.arrays: dict[str, StoredArray] = {}
        self.groups: dict[str, Any] = {}
        self._source, self._texts_checked = source, set()
        with reading(file, member, "the file is HDF5"):
            self._file = h5py().File(source, "r")
        try:
            with reading(file, member, "the HDF5 file is whole"):
                self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> WeightsReader:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def name(self, path: str) -> str:
        """How errors call a path."""
        return f"{self.member}: {path}" if self.member else path

    def bad(self, path: str, expected: str, **received: Any) -> Exception:
        return bad_file(self.file, self.name(path), expected, **received)

    # -- checks -----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        h5 = h5py()
        seen = {self._address(self._file)}
        self.groups[""] = self._file
        self._check_attributes("/", self._file)
        todo = [("", self._file, 0)]
        total = 0
        while todo:
            path, group, depth = todo.pop()
            if depth > _DEPTH:
                raise self.bad(path[:100], f"groups nest at most {_DEPTH} deep", depth=depth)
            for key in group:
                below = f"{path}/{key}" if path else key
                link = group.get(key, getlink=True)
                if type(link) is not h5.HardLink:
                    raise self.bad(below, "a link leads to an object of this file", link=type(link).__name__)
                item = group[key]
                address = self._address(item)
                if address in seen:
                    rule = "an object has one name; the links run in a circle or meet"
                    raise self.bad(below, rule, address=address[1])
                seen.add(address)
                if len(seen) > self.limits.members:
                    raise self.bad(below, f"a file has at most {self.limits.members} objects", objects=len(seen))
                self._check_attributes(below, item)
                if isinstance(item, h5.Group):
                    self.groups[below] = item
                    todo.append((below, item, depth + 1))
                elif isinstance(item, h5.Dataset):
                    self.arrays[below] = array = self._check_dataset(below, item)
                    total += array.nbytes
                    if total > self.limits.weights_bytes:
                        raise self.bad(below, f"all arrays have at most {self.limits.weights_bytes} bytes", bytes=total)
                else:
                    raise self.bad(below, "an object is a group or an array", object=type(item).__name__)

    @staticmethod
    def _address(item: Any) -> tuple:
        info = h5py().h5o.get_info(item.id)
        return info.fileno, info.addr

    def _check_attributes(self, path: str, item: Any) -> None:
        for key in item.attrs:
            attribute = item.attrs.get_id(key)
            if h5py().check_ref_dtype(attribute.dtype) is not None:
                raise self.bad(f"{path}@{key}", "an attribute is no reference to an object", dtype=str(attribute.dtype))
            # Of texts of any length, whose bytes are elsewhere, the file's size is the bound.
            if math.prod(attribute.shape or ()) * attribute.dtype.itemsize > self.limits.config_bytes:
                rule = f"an attribute has at most {self.limits.config_bytes} bytes"
                raise self.bad(f"{path}@{key}", rule, shape=attribute.shape)

    def _check_dataset(self, path: str, dataset: Any) -> StoredArray:
        h5 = h5py()
        if dataset.external:
            raise self.bad(path, "an array lies in this file", external=[e[0] for e in dataset.external][:3])
        if dataset.is_virtual:
            raise self.bad(
                path, "an array is no virtual dataset", sources=[v.file_name for v in dataset.virtual_sources()][:3]
            )
        if dataset.shape is None:
            raise self.bad(path, "an array has a shape", shape=None)
        stored = dataset.dtype
        special = [
            h5.check_ref_dtype(stored), h5.check_vlen_dtype(stored), h5.check_string_dtype(stored),
            h5.check_enum_dtype(stored),
        ]  # fmt: skip
        dtype = self._number_dtype(path, dataset)
        if dtype is None or any(s is not None for s in special):
            raise self.bad(path, "an array holds numbers or bools", dtype=str(stored))
        plist = dataset.id.get_create_plist()
        for k in range(plist.get_nfilters()):
            number = plist.get_filter(k)[0]
            if number not in _FILTERS:
                raise self.bad(path, f"a filter is one of {sorted(_FILTERS.values())}", filter=number)
        declared = math.prod(dataset.shape) * stored.itemsize
        held = dataset.id.get_storage_size()
        chunk = math.prod(dataset.chunks or (1,)) * stored.itemsize
        if declared > self.limits.weights_bytes:
            raise self.bad(path, f"an array has at most {self.limits.weights_bytes} bytes", shape=dataset.shape)
        if chunk > 4 * declared + MiB:
            raise self.bad(path, "a chunk is not larger than the array", chunks=dataset.chunks, shape=dataset.shape)
        if declared > MiB and declared > self.limits.expansion * held:
            raise self.bad(
                path, f"an array expands at most {self.limits.expansion} times", shape=dataset.shape, bytes_stored=held
            )
        return StoredArray(dataset, self.file, self.name(path), dtype)

    def _number_dtype(self, path: str, dataset: Any) -> np.dtype | None:
        stored = dataset.dtype
        if stored.kind in "fiubc" and stored.itemsize <= 16 and stored.subdtype is None:
            return stored.newbyteorder("=")
        if stored.kind == "V" and stored.itemsize == 2 and self.text(dataset, "dtype") == "bfloat16":
            return np.dtype("float32")  # Keras's mark; there is no bfloat16 here
        return None

    def check_texts(self, item: Any) -> None:
        """Raises unless the texts among an object's attributes fit in the file; before any of them is read."""
        address = self._address(item)[1]
        if address in self._texts_checked:
            return
        where = self.name(item.name)
        with reading(self.file, where, "the attributes can be read"):
            size, read = _raw(self._source)
            with read:
                total = text_bytes(lambda at, n: _piece(read, at, n, size), address)
        if total > min(size, self.limits.config_bytes):
            raise bad_file(
                self.file, where, "the texts of the attributes fit in the file", bytes=total, file_bytes=size
            )
        self._texts_checked.add(address)

    def text(self, item: Any, key: str) -> str | None:
        """A string attribute of a group or array; None where there is none of that kind."""
        if key not in item.attrs:
            return None
        attribute = item.attrs.get_id(key)
        if attribute.shape != () or h5py().check_string_dtype(attribute.dtype) is None:
            return None
        self.check_texts(item)
        with reading(self.file, self.name(f"{item.name}@{key}"), "the attribute is a text"):
            value = item.attrs[key]
            return value.decode("utf-8") if isinstance(value, bytes) else str(value)

    # -- groups of variables ----------------------------------------------------------------------------------------

    def has(self, path: str) -> bool:
        """Whether there is a group at a path."""
        return path in self.groups

    def variables(self, path: str) -> dict[str, StoredArray]:
        """The arrays of the object at a path, by their keys."""
        prefix = f"{path}/vars/" if path else "vars/"
        if prefix[:-1] not in self.groups:
            return {}
        return {key: self.arrays[prefix + key] for key in self.groups[prefix[:-1]] if prefix + key in self.arrays}

    def owner_names(self) -> dict[str, str]:
        """Path of an object -> the name that it had when it was saved."""
        out = {}
        for path, group in self.groups.items():
            if path == "vars" or path.endswith("/vars"):
                name = self.text(group, "name")
                if name is not None:
                    out[path[: -len("/vars")] if path != "vars" else ""] = name
        return out


def _raw(source: Any) -> tuple[int, Any]:
    """Size and content of a file."""
    if hasattr(source, "getbuffer"):
        return len(source.getbuffer()), io.BytesIO(source.getbuffer())
    return os.path.getsize(source), open(source, "rb")


def _piece(file: Any, at: int, size: int, whole: int) -> bytes:
    if at < 0 or size < 0 or at + size > whole:
        raise ValueError("the object header lies in the file")
    file.seek(at)
    return file.read(size)


class WeightsWriter:
    """An HDF5 file that is being written.

    Args:
        target: its path.

    Raises:
        OSError: here and later, the disk is full or cannot be written to.
    """

    def __init__(self, target: Any):
        self._sink = Sink(os.fspath(target))
        self._file = h5py().File(self._sink, "w")

    def __enter__(self) -> WeightsWriter:
        return self

    def __exit__(self, kind: Any, *exc: Any) -> None:
        self.close(check=kind is None)

    def close(self, check: bool = True) -> None:
        """Finishes the file; raises the error that a write met with, unless another is under way."""
        self._file.close()
        self._sink.close()
        if check:
            self._sink.check()

    def object(self, path: str, name: str | None) -> Store:
        """The mapping that takes the variables of the object at a path."""
        return Store(self, path, name)

    def group(self, path: str, name: str | None) -> Any:
        """The group of an object's variables; made where it is missing."""
        path = f"{path}/vars" if path else "vars"
        group = self._file.require_group(path)
        if name is not None and "name" not in group.attrs:
            group.attrs["name"] = name
        return group

    def put(self, path: str, name: str | None, key: str, value: np.ndarray) -> None:
        """Writes one array."""
        group = self.group(path, name)
        if key in group:
            del group[key]
        group.create_dataset(key, data=value)
        self._sink.check()


class Store:
    """The mapping that `save_own_variables` fills."""

    def __init__(self, writer: Any, path: str, name: str | None):
        self._writer, self._path, self._name = writer, path, name
        self._keys: dict[str, None] = {}
        if name is not None:  # Keras writes a group for each named object, also for one without variables
            writer.group(path, name)

    def __setitem__(self, key: str, value: Any) -> None:
        value = value.numpy() if hasattr(value, "numpy") else np.asarray(value)
        self._keys[str(key)] = None
        self._writer.put(self._path, self._name, str(key), value)

    def __contains__(self, key: str) -> bool:
        return str(key) in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def keys(self) -> list[str]:
        return list(self._keys)


class LoadedStore(Mapping):
    """The mapping that `load_own_variables` reads: arrays by key, read when they are asked for."""

    def __init__(self, arrays: dict[str, StoredArray]):
        self._arrays = arrays

    def __getitem__(self, key: str) -> np.ndarray:
        return self._arrays[str(key)].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
