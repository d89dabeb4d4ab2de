"""Damaged and hostile files: each function takes a good file and makes a bad one of it."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

import kerasish as keras

CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def model():
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="given")
    y = keras.layers.Dense(3, name="body")(x)
    return keras.Model(x, keras.layers.Dense(2, name="head")(y), name="net")


def good(folder: Any) -> tuple[bytes, dict[str, bytes]]:
    """A good file as bytes, and its members."""
    model().save(folder / "good.keras")
    data = (folder / "good.keras").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        return data, {n: z.read(n) for n in z.namelist()}


def pack(members: Any, **options: Any) -> bytes:
    """An archive of (name or ZipInfo, content) pairs."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as z, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # duplicate names
        for name, content in members.items() if isinstance(members, dict) else members:
            z.writestr(name, content)
    return out.getvalue()


# -- archives: (good bytes, members) -> (bytes, words of the error) ----------------------------------------------------


def _link(members):
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = 0o120777 << 16
    return pack([*members.items(), (info, "/etc/passwd")])


def _encrypted(data, members):
    at = data.rindex(b"PK\x01\x02")  # the last central entry, that of the weights
    return data[: at + 8] + struct.pack("<H", 1) + data[at + 10 :]


def _flip(data, member):
    """One byte in the middle of a stored member."""
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        info = z.getinfo(member)
    at = info.header_offset + 30 + len(member) + info.file_size // 2
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _huge(data):
    """The central directory says that the weights have 64 TiB (in a ZIP64 field)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            for n in old.namelist():
                z.writestr(n, old.read(n))
        info = z.getinfo(WEIGHTS)
        info.file_size = 1 << 46
    return out.getvalue()


def _bomb(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for n, content in members.items():
            z.writestr(n, b"\0" * (200 << 20) if n == WEIGHTS else content)
    return out.getvalue()


def _overlap(data):
    """The entry of metadata.json points at config.json's data."""
    at = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", at + 1)
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


ARCHIVES: dict[str, tuple[Callable[[bytes, dict], bytes], str]] = {
    "empty": (lambda d, m: b"", "the file is a zip archive"),
    "not a zip": (lambda d, m: b"hello" * 100, "the file is a zip archive"),
    "hdf5 instead": (lambda d, m: m[WEIGHTS], "the file is a zip archive"),
    "checksum of the config": (lambda d, m: _flip(d, CONFIG), "config.json: the member can be read"),
    "checksum of the weights": (lambda d, m: _flip(d, WEIGHTS), "model.weights.h5: the member can be read"),
    "duplicate member": (lambda d, m: pack([*m.items(), (CONFIG, m[CONFIG])]), "config.json: a member is there once"),
    "traversal": (lambda d, m: pack({**m, "assets/../../evil": b"x"}), "a member is config.json, metadata.json"),
    "traversal at the top": (lambda d, m: pack({**m, "../evil": b"x"}), "../evil: a member is config.json"),
    "absolute path": (lambda d, m: pack({**m, "/etc/passwd": b"x"}), "/etc/passwd: a member is config.json"),
    "backslashes": (lambda d, m: pack({**m, "assets\\..\\evil": b"x"}), "a member is config.json"),
    "drive letter": (lambda d, m: pack({**m, "assets/C:evil": b"x"}), "a member is config.json"),
    "pickle": (lambda d, m: pack({**m, "data.pkl": b"x"}), "data.pkl: a member is config.json"),
    "symlink": (lambda d, m: _link(m), "assets/link: a member is a regular file"),
    "encrypted": (_encrypted, "model.weights.h5: a member is not encrypted"),
    "unknown compression": (lambda d, m: pack(m, compression=zipfile.ZIP_LZMA), "a member is stored or deflated"),
    "huge member": (lambda d, m: _huge(d), "model.weights.h5: the member has at most"),
    "bomb": (lambda d, m: _bomb(m), "model.weights.h5: a member expands at most 100 times"),
    "overlap": (lambda d, m: _overlap(d), "members follow one another"),
    "something in front": (lambda d, m: b"#!/bin/sh\n" + d, "members follow one another"),
    "no config": (lambda d, m: pack({k: v for k, v in m.items() if k != CONFIG}), "config.json: the archive has"),
    "no metadata": (lambda d, m: pack({k: v for k, v in m.items() if k != "metadata.json"}), "metadata.json: the arch"),
    "no weights": (lambda d, m: pack({k: v for k, v in m.items() if k != WEIGHTS}), "model.weights.h5: the archive"),
}


# -- configs: config -> config or text ---------------------------------------------------------------------------------


def _layer(config: dict, k: int = 1) -> dict:
    return config["config"]["layers"][k]


def _edit(change: Callable[[dict], Any]) -> Callable[[dict], Any]:
    def edit(config: dict) -> Any:
        out = change(config)
        return config if out is None else out

    return edit


def _set(path: list, value: Any) -> Callable[[dict], Any]:
    def change(config: dict) -> None:
        node: Any = config
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value

    return _edit(change)


def _lambda(config: dict) -> None:
    code = {"class_name": "__lambda__", "config": {"value": "4wEAAAA=", "defaults": None, "closure": None}}
    _layer(config).update(class_name="Lambda", config={"name": "body", "function": code})


def _gadget(module: str | None, name: str) -> Callable[[dict], Any]:
    return _edit(lambda c: _layer(c).update(module=module, class_name=name, registered_name=name))


def _activation(value: Any) -> Callable[[dict], Any]:
    return _set(["config", "layers", 1, "config", "activation"], value)


def _function(module: str, name: str) -> dict:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def _named(module: str, name: str) -> dict:
    return {"module": module, "class_name": name, "config": {}, "registered_name": name}


LAYER = ["config", "layers", 1]
DENSE = [*LAYER, "config"]
HISTORY = [*LAYER, "inbound_nodes", 0, "args", 0, "config", "keras_history"]

CONFIGS: dict[str, tuple[Callable[[dict], Any], str]] = {
    "not json": (lambda c: "{", "config.json: the text is JSON"),
    "not utf-8": (lambda c: b"\xff\xfe{}", "config.json: the text is UTF-8"),
    "a list": (lambda c: [], "the config is an object"),
    "depth of 10,000": (lambda c: "[" * 10_000 + "]" * 10_000, "JSON is nested at most 200 deep"),
    "NaN": (_set([*DENSE, "units"], float("nan")), "a number is not NaN"),
    "a name twice": (lambda c: '{"class_name": "A", "class_name": "B"}', "a name stands once in an object"),
    "a long integer": (lambda c: '{"a": ' + "9" * 5000 + "}", "an integer fits in 64 bits"),
    "negative size": (_set([*DENSE, "units"], -3), "units"),
    "overflowing size": (_set([*DENSE, "units"], 2**62), "an integer is at most"),
    "too large for memory": (_set([*DENSE, "units"], 900_000_000), "variables may take"),
    "size of a string": (_set([*DENSE, "units"], "3"), "units"),
    "negative input": (_set(["config", "layers", 0, "config", "batch_shape"], [None, -4]), "a dimension is at least 0"),
    "overflowing input": (_set(["config", "layers", 0, "config", "batch_shape"], [None, 2**31]), "an integer is at"),
    "unknown class": (_gadget("keras.layers", "Denze"), "unknown class 'Denze'"),
    "unknown package": (_gadget("evil.package", "Dense2"), "pass custom_objects="),
    "lambda": (_edit(_lambda), "Supply the function yourself: custom_objects="),
    "os.system": (_gadget("os", "system"), "unknown class 'system'"),
    "builtins.eval": (_gadget("builtins", "eval"), "unknown class 'eval'"),
    "subprocess": (_gadget("subprocess", "Popen"), "unknown class 'Popen'"),
    "a module of ours": (_gadget("kerasish.utils.downloads", "get_file"), "unknown class 'get_file'"),
    "a module of keras": (_gadget("keras.src.utils.file_utils", "get_file"), "unknown class 'get_file'"),
    "keras.utils.get_file": (_gadget("keras.utils", "get_file"), "unknown class 'get_file'"),
    "an op's module": (_gadget("keras.src.ops.numpy", "load"), "an op of the config is unknown"),
    "an own op": (_gadget("kerasish.ops", "eval"), "an op of the config is unknown"),
    "function eval": (_activation(_function("builtins", "eval")), "unknown"),
    "function os.system": (_activation(_function("os", "system")), "unknown"),
    "function pickle.loads": (_activation(_function("pickle", "loads")), "unknown"),
    "dunder": (_activation(_function("keras.activations", "__builtins__")), "unknown"),
    "attribute path": (_activation("relu.__globals__"), "unknown activation"),
    "a path": (_activation("/etc/passwd"), "unknown activation"),
    "a url": (_activation("https://example.org/x"), "unknown activation"),
    "a path as dtype": (_set([*DENSE, "dtype"], "/etc/passwd"), "/etc/passwd"),
    "a url as initializer": (_set([*DENSE, "kernel_initializer"], "https://example.org/x"), "unknown initializer"),
    "a path as regularizer": (_set([*DENSE, "kernel_regularizer"], "../../etc/passwd"), "unknown regularizer"),
    "a url as loss": (_set(["compile_config"], {"optimizer": "sgd", "loss": "https://example.org/x"}), "unknown loss"),
    "a path as metric": (
        _set(["compile_config"], {"optimizer": "sgd", "loss": "mse", "metrics": ["/etc/passwd"]}),
        "unknown metric",
    ),
    "os.system as optimizer": (
        _set(["compile_config"], {"optimizer": _named("os", "system"), "loss": "mse"}),
        "unknown class 'system'",
    ),
    "a backend's module as optimizer": (
        _set(["compile_config"], {"optimizer": _named("keras.src.backend.torch.os", "system"), "loss": "mse"}),
        "unknown class 'system'",
    ),
    "numpy object array": (
        _activation({"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "object"}}),
        "an array's dtype must be numeric or bool",
    ),
    "not a model": (lambda c: _layer(c), "the config describes a model"),
    "a function": (lambda c: _function("keras.activations", "relu"), "the config describes a model"),
    "not a layer": (_gadget("keras.initializers", "Zeros"), "config.json: the config describes a model"),
    "cyclic graph": (_set(HISTORY, ["head", 0, 0]), "the graph has loops or disconnected nodes"),
    "dangling graph": (_set(HISTORY, ["nobody", 0, 0]), "the graph refers to a layer that is not in it"),
    "wrong output": (_set(HISTORY, ["given", 0, 7]), "the graph refers to an output that does not exist"),
    "wrong call": (_set(HISTORY, ["given", 9, 0]), "the graph has loops or disconnected nodes"),
    "history of text": (_set(HISTORY, ["given", "x", 0]), "the config describes a model"),
    "no layers": (_set(["config", "layers"], []), "the graph refers to a layer that is not in it"),
    "layers of numbers": (_set(["config", "layers"], [1, 2]), "the config describes a model"),
    "no class": (_edit(lambda c: {"config": {}}), "the config describes a model"),
    "op of constants": (
        _edit(
            lambda c: c["config"]["layers"].append(
                {
                    "module": "keras.src.ops.numpy", "class_name": "Full", "name": "full", "registered_name": "Full",
                    "config": {"shape": [10**9, 10**9]}, "inbound_nodes": [{"args": [0.0], "kwargs": {}}],
                }
            )
        ),
        "an op of a graph has a symbol among its arguments",
    ),
}  # fmt: skip


# -- HDF5: changes the open file of weights ----------------------------------------------------------------------------


def _replace(f: h5py.File, make: Callable[[h5py.Group], Any]) -> None:
    group = f["layers/dense/vars"]
    del group["0"]
    make(group)


def _external_storage(group):
    group.create_dataset("0", shape=(4, 3), dtype="f4", external=[("/etc/passwd", 0, 48)])


def _virtual(group):
    layout = h5py.VirtualLayout(shape=(4, 3), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(4, 3))
    group.create_virtual_dataset("0", layout)


def _strange_filter(group):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4, 3))
    plist.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((4, 3))
    h5py.h5d.create(group.id, b"0", h5py.h5t.NATIVE_FLOAT, space, dcpl=plist)


HDF5: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "external link": (
        lambda f: _replace(f, lambda g: g.__setitem__("0", h5py.ExternalLink("/etc/passwd", "/x"))),
        "layers/dense/vars/0: a link leads to an object of this file. Received: link='ExternalLink'",
    ),
    "soft link": (
        lambda f: _replace(f, lambda g: g.__setitem__("0", h5py.SoftLink("/layers/dense_1/vars/0"))),
        "link='SoftLink'",
    ),
    "cycle of soft links": (
        lambda f: _replace(
            f, lambda g: (g.__setitem__("0", h5py.SoftLink("/a")), f.__setitem__("a", h5py.SoftLink("/a")))
        ),
        "link='SoftLink'",
    ),
    "cycle of hard links": (lambda f: f["layers"].__setitem__("again", f["layers"]), "an object has one name"),
    "two names": (lambda f: f["layers"].__setitem__("twin", f["layers/dense"]), "an object has one name"),
    "external storage": (lambda f: _replace(f, _external_storage), "vars/0: an array lies in this file"),
    "virtual dataset": (lambda f: _replace(f, _virtual), "vars/0: an array is no virtual dataset"),
    "references": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", (4, 3), dtype=h5py.ref_dtype)),
        "vars/0: an array holds numbers or bools",
    ),
    "reference as attribute": (
        lambda f: f["layers"].attrs.__setitem__("name", f["layers"].ref),
        "layers@name: an attribute is no reference to an object",
    ),
    "strings": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", (4, 3), dtype=h5py.string_dtype())),
        "vars/0: an array holds numbers or bools",
    ),
    "compound": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", (4, 3), dtype=[("a", "f4"), ("b", "f4")])),
        "vars/0: an array holds numbers or bools",
    ),
    "enum": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", (4, 3), dtype=h5py.enum_dtype({"a": 1}))),
        "vars/0: an array holds numbers or bools",
    ),
    "named type": (lambda f: f["layers"].__setitem__("t", np.dtype("f4")), "an object is a group or an array"),
    "filter": (lambda f: _replace(f, _strange_filter), "a filter is one of"),
    "null array": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", data=h5py.Empty("f4"))),
        "vars/0: an array has a shape",
    ),
    "wrong shape": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", data=np.zeros((3, 4), "f4"))),
        r"layers/dense/vars/0: Dense 'body' expects shape \(4, 3\). Received: shape=\(3, 4\)",
    ),
    "wrong dtype": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", data=np.zeros((4, 3), "i4"))),
        "Dense 'body' expects dtype float32. Received: dtype='int32'",
    ),
    "missing array": (
        lambda f: f["layers/dense/vars"].__delitem__("1"),
        r"layers/dense/vars/1: Dense 'body' needs an array of shape \(3,\); it is missing",
    ),
    "missing layer": (
        lambda f: f["layers"].__delitem__("dense"),
        r"layers/dense/vars/0: Dense 'body' needs an array of shape \(4, 3\); it is missing",
    ),
    "extra array": (
        lambda f: f["layers/dense/vars"].create_dataset("2", data=np.zeros(3)),
        "layers/dense/vars/2: Dense 'body' has 2 variables",
    ),
    "extra layer": (
        lambda f: f.create_dataset("layers/dense_7/vars/0", data=np.zeros(3)),
        "layers/dense_7/vars/0: the model has a place for every array of the file",
    ),
    "shape without data": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", (2**20, 2**14), "f4", chunks=(1024, 1024))),
        "an array has at most|expands at most",
    ),
    "terabytes": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", (2**40, 2), "f4", chunks=(1024, 2))),
        "vars/0: an array has at most",
    ),
    "compressed zeros": (
        lambda f: _replace(f, lambda g: g.create_dataset("0", data=np.zeros((4096, 4096), "f4"), compression="gzip")),
        "vars/0: an array expands at most 100 times",
    ),
    "large chunk": (
        lambda f: _replace(
            f, lambda g: g.create_dataset("0", (4, 3), "f4", chunks=(2**14, 2**14), maxshape=(None, None))
        ),
        "vars/0: a chunk is not larger than the array",
    ),
}


def change_weights(content: bytes, change: Callable[[h5py.File], Any]) -> bytes:
    """An HDF5 file after a change."""
    out = io.BytesIO(content)
    with h5py.File(out, "r+") as f:
        change(f)
    return out.getvalue()


def change_config(content: bytes, change: Callable[[dict], Any]) -> bytes:
    """A config after a change."""
    out = change(json.loads(content))
    return out if isinstance(out, bytes) else (out if isinstance(out, str) else json.dumps(out)).encode()


def every_bad_file(folder: Any) -> dict[str, tuple[bytes, str]]:
    """Name -> (content of a .keras file, words of its error)."""
    data, members = good(folder)
    out = {f"archive: {k}": (make(data, members), words) for k, (make, words) in ARCHIVES.items()}
    for k, (change, words) in CONFIGS.items():
        out[f"config: {k}"] = pack({**members, CONFIG: change_config(members[CONFIG], change)}), words
    for k, (change, words) in HDF5.items():
        out[f"hdf5: {k}"] = pack({**members, WEIGHTS: change_weights(members[WEIGHTS], change)}), words
    return out
