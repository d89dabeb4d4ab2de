"""save_model and load_model: a whole model as one `.keras` file, or as a folder of its three parts."""

from __future__ import annotations

import datetime
import io
import json
import os
import re
import shutil
import tempfile
import warnings
from typing import Any

from ..engine.allowance import allowance
from ..engine.errors import invalid
from ..engine.serialization import ObjectSharingScope, deserialize_keras_object, serialize_keras_object
from . import json_text, legacy_model
from .archive import ASSETS, CONFIG, METADATA, WEIGHTS, Archive, add_folder, check_assets
from .atomic import atomic_path, write_bytes
from .errors import bad_file, reading
from .hdf5 import WeightsReader, WeightsWriter
from .limits import DEFAULT, Limits
from .state import load_assets, load_state, save_assets, save_state
from .weights import _may_write

# The version of Keras whose file format this is; readers look at it.
KERAS_VERSION = "3.15.0"


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Writes a model: architecture, variables, and how it was compiled with the optimizer's state.

    The file is written beside its place and renamed, so that an older one stays whole until the new one is.

    Args:
        model: the model.
        filepath: path ending in `.keras`, a binary file object, or a folder with `zipped=False`.
        overwrite: whether an older file is replaced; otherwise the user is asked.
        zipped: False writes a folder with the parts of the file.

    Raises:
        ValueError: another extension (`.h5` files are only read), or a part of the model has no config.
        OSError: the file cannot be written; an older one is unchanged.

    Example:

    >>> import kerasish as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> keras.saving.save_model(model, "model.keras")
    >>> keras.saving.load_model("model.keras").output_shape
    (None, 3)
    """
    if kwargs:
        raise invalid("save_model", "unknown arguments", **kwargs)
    if isinstance(filepath, io.IOBase):
        _write_archive(model, filepath, tempfile.gettempdir())
        return
    path = os.fspath(filepath)
    if zipped is not False and path.endswith((".h5", ".hdf5")):
        raise invalid(
            "save_model", "HDF5 files of models are read and not written; use the extension .keras", filepath=path
        )
    if (zipped is not False) != path.endswith(".keras"):
        what = "a file name ends in .keras" if zipped is not False else "with zipped=False the path is a folder's"
        raise invalid("save_model", what, filepath=path)
    if not _may_write(path, overwrite):
        return
    if zipped is False:
        _write_folder(model, path)
        return
    with atomic_path(path, "save_model") as temporary, open(temporary, "wb") as f:
        _write_archive(model, f, os.path.dirname(temporary))


# Arguments that Keras has got since 3.0, with their defaults: older versions open a file that does not mention them.
_NEWER = {
    "ragged": False, "optional": False, "quantization_config": None, "input_axes": None, "output_axes": None,
    "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99, "gradient_accumulation_steps": None,
    "loss_scale_factor": None, "flash_attention": None, "use_gate": False, "sliding_window": None, "seed": None,
    "ignore_class": None, "from_sorted_ids": False, "adam_weight_decay": 0.004, "rms_rate": 0.2,
}  # fmt: skip
_NEWER_OF = {
    "ZeroPadding1D": {"data_format": "channels_last"}, "SparseCategoricalCrossentropy": {"axis": -1},
    "Dice": {"axis": None}, "Tversky": {"axis": None},
    "IntegerLookup": {"oov_method": "floormod", "salt": None},
    "StringLookup": {"oov_method": "floormod", "salt": None},
}  # fmt: skip
# Second names, which every version knows, of what older ones know under these alone.
_OLDER_NAMES = {"Orthogonal": "OrthogonalInitializer", "Identity": "IdentityInitializer"}
_UNSET = object()
_OWN_OP = re.compile(r'"module": "kerasish\.ops", "class_name": "(\w+)"|"(keras2_\w+)"')


def _for_older_versions(config: Any) -> Any:
    """A config without arguments at their defaults that older versions lack, and with dtype policies as their names."""
    if isinstance(config, list):
        return [_for_older_versions(v) for v in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy" and config.get("module") == "keras":
        return config["config"]["name"]
    inside = config.get("class_name") is None and "config" not in config
    out = {
        key: _for_older_versions(value)
        for key, value in config.items()
        if not (inside and key in _NEWER and value == _NEWER.get(key, _UNSET) and type(value) is type(_NEWER[key]))
    }
    name = config.get("class_name")
    for key, default in _NEWER_OF.get(name, {}).items():
        if out["config"].get(key, _UNSET) == default:
            del out["config"][key]
    if config.get("module") == "keras.initializers":
        out["class_name"] = _OLDER_NAMES.get(name, name)
    return out


def _texts(model: Any) -> tuple[bytes, bytes]:
    """config.json and metadata.json."""
    with ObjectSharingScope():
        config = json.dumps(_for_older_versions(json.loads(json.dumps(serialize_keras_object(model)))))
    own = sorted({op or function for op, function in _OWN_OP.findall(config)})
    if own:
        warnings.warn(
            f"save_model: the graph of {model.name!r} calls ops that Keras has no form for: {', '.join(own)}. The file "
            "opens in kerasish only.",
            stacklevel=4,
        )
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    return config.encode(), json.dumps({"keras_version": KERAS_VERSION, "date_saved": now}).encode()


def _write_archive(model: Any, target: Any, folder: str) -> None:
    import zipfile

    config, metadata = _texts(model)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".keras-") as parts, zipfile.ZipFile(target, "w") as archive:
        archive.writestr(METADATA, metadata)
        archive.writestr(CONFIG, config)
        weights = os.path.join(parts, WEIGHTS)
        with WeightsWriter(weights) as writer:
            save_state(model, writer)
        archive.write(weights, WEIGHTS)
        save_assets(model, os.path.join(parts, ASSETS))
        add_folder(archive, os.path.join(parts, ASSETS), ASSETS)


def _write_folder(model: Any, path: str) -> None:
    config, metadata = _texts(model)
    os.makedirs(path, exist_ok=True)
    write_bytes(os.path.join(path, METADATA), metadata, "save_model")
    write_bytes(os.path.join(path, CONFIG), config, "save_model")
    with atomic_path(os.path.join(path, WEIGHTS), "save_model") as temporary, WeightsWriter(temporary) as writer:
        save_state(model, writer)
    assets = os.path.join(path, ASSETS)
    shutil.rmtree(assets, ignore_errors=True)
    save_assets(model, assets)


def load_model(
    filepath: Any,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    limits: Limits | None = None,
) -> Any:
    """Reads a model that kerasish or Keras wrote.

    The file is data: classes and functions are found by name in a fixed table of built-ins and among those that the
    caller registered or passes here; nothing in the file can make this call import, open or run anything.

    Args:
        filepath: a `.keras` file, a folder with its parts, an `.h5` file of Keras 1 or 2, or a binary file object.
        custom_objects: dict from name to class or function, for what is not built in and not registered.
        compile: whether the model is compiled as it was, with its optimizer's state.
        safe_mode: accepted for compatibility; code in a file is never run, whatever its value.
        limits: caps on sizes, to raise for a large file that is trusted.

    Returns:
        The model.

    Raises:
        BadFileError: a damaged or hostile file, an unknown class or function, or weights that do not fit; it names
            the file, the member, what was expected and what was found.
        ValueError: an unknown extension.
        OSError: there is no such file.
    """
    limits = limits or DEFAULT
    if isinstance(filepath, io.IOBase):
        return _from_archive(filepath, getattr(filepath, "name", "file object"), custom_objects, compile, limits)
    path = os.fspath(filepath)
    name = os.path.basename(path.rstrip(os.sep))
    if not os.path.exists(path):
        raise FileNotFoundError(f"load_model: there is no file {path!r}")
    if os.path.isdir(path):
        return _from_folder(path, name, custom_objects, compile, limits)
    if path.endswith(".keras"):
        return _from_archive(path, name, custom_objects, compile, limits)
    if path.endswith((".h5", ".hdf5")):
        return legacy_model.load(path, name, custom_objects, compile, limits)
    raise invalid("load_model", "the file name ends in .keras, .h5 or .hdf5, or is a folder", filepath=path)


def _from_archive(source: Any, name: str, custom_objects: Any, compile: bool, limits: Limits) -> Any:
    with Archive(source, name, limits) as archive:
        config = json_text.parse(archive.read(CONFIG), name, CONFIG, limits)
        json_text.parse(archive.read(METADATA), name, METADATA, limits)
        weights = io.BytesIO(archive.read(WEIGHTS))
        with tempfile.TemporaryDirectory(prefix="keras-") as assets:
            archive.extract_assets(assets)
            with WeightsReader(weights, name, WEIGHTS, limits) as reader:
                return _assemble(config, reader, assets, name, custom_objects, compile, limits)


def _from_folder(path: str, name: str, custom_objects: Any, compile: bool, limits: Limits) -> Any:
    for part in (CONFIG, WEIGHTS):
        inner = os.path.join(path, part)
        if os.path.islink(inner) or not os.path.isfile(inner):
            raise bad_file(name, part, "the folder of a model has this file", files=sorted(os.listdir(path))[:10])
    with open(os.path.join(path, CONFIG), "rb") as f:
        config = json_text.parse(f.read(limits.config_bytes + 1), name, CONFIG, limits)
    check_assets(os.path.join(path, ASSETS), name, limits)
    with WeightsReader(os.path.join(path, WEIGHTS), name, WEIGHTS, limits) as reader:
        return _assemble(config, reader, os.path.join(path, ASSETS), name, custom_objects, compile, limits)


def _assemble(
    config: Any, reader: Any, assets: str, name: str, custom_objects: Any, compile: bool, limits: Limits
) -> Any:
    """The model of a config with the variables of a reader; memory for variables is capped by what the file holds."""
    if not isinstance(config, dict):
        raise bad_file(name, CONFIG, "the config is an object", type=type(config).__name__)
    if not compile:
        config = {**config, "compile_config": None}
    held = sum(array.nbytes for array in reader.arrays.values())
    model = build_model(config, name, CONFIG, custom_objects, 2 * held + limits.variable_bytes)
    load_assets_checked(model, assets, name, limits)
    load_state(model, reader)
    return model


def build_model(config: Any, name: str, member: str, custom_objects: Any, nbytes: int) -> Any:
    """The model that a config describes, with fresh variables.

    Raises:
        BadFileError: no model comes of it, or its variables would take more than `nbytes`.
    """
    with reading(name, member, "the config describes a model"), ObjectSharingScope(), allowance(nbytes):
        model = deserialize_keras_object(config, custom_objects=custom_objects)
    if not hasattr(model, "load_weights") or isinstance(model, type):
        raise bad_file(name, member, "the config describes a model", type=type(model).__name__)
    return model


def load_assets_checked(model: Any, assets: str, name: str, limits: Limits) -> None:
    """Lets the objects of a model read their assets; what they make of them takes no more memory than assets may."""
    with reading(name, ASSETS, "the assets fit the model"), allowance(limits.asset_bytes):
        load_assets(model, assets)
