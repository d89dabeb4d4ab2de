"""Weights in `.h5` files of Keras 1 and 2: a group for each layer, which lists its arrays in order."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .errors import BadFileError, reading
from .hdf5 import StoredArray, WeightsReader, h5py
from .state import label, unchanged_on_error

_CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "ConvLSTM2D")


def weights_root(reader: Any) -> str | None:
    """The path of the group that holds the layers; None where the file is none of these."""
    for path in ("", "model_weights"):
        if path in reader.groups and texts(reader, path, "layer_names") is not None:
            return path
    return None


def is_legacy(reader: Any) -> bool:
    """Whether a file has the layout of Keras 1 and 2."""
    return isinstance(reader, WeightsReader) and weights_root(reader) is not None


def texts(reader: Any, path: str, key: str) -> list[str] | None:
    """An attribute that is a list of names, which long ones are cut into pieces for; None where there is none.

    Raises:
        BadFileError: it is something else.
    """
    group = reader.groups[path]
    if key in group.attrs:
        keys = [key]
    else:
        keys = []
        while f"{key}{len(keys)}" in group.attrs:
            keys.append(f"{key}{len(keys)}")
    if not keys:
        return None
    out: list[str] = []
    reader.check_texts(group)
    for k in keys:
        attribute = group.attrs.get_id(k)
        is_text = attribute.dtype.kind == "S" or h5py().check_string_dtype(attribute.dtype) is not None
        if len(attribute.shape) != 1 or not (is_text or attribute.shape[0] == 0):
            raise reader.bad(f"{path}@{k}", "the attribute is a list of names", shape=attribute.shape)
        with reading(reader.file, reader.name(f"{path}@{k}"), "the names can be read"):
            out += [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in group.attrs[k]]
    return out


def legacy_variables(layer: Any) -> list:
    """A layer's variables in the order of such files: those that are trained first."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def stored(reader: Any, root: str, name: str) -> list[StoredArray]:
    """The arrays that a layer of the file lists, in order.

    Raises:
        BadFileError: a group or an array is missing.
    """
    path = f"{root}/{name}" if root else name
    out = []
    for weight in weight_names(reader, root, name):
        where = f"{path}/{weight}"
        if where not in reader.arrays:
            raise reader.bad(where, "every weight that is listed has an array", arrays=list(reader.arrays)[:5])
        out.append(reader.arrays[where])
    return out


def weight_names(reader: Any, root: str, name: str) -> list[str]:
    """The names of a layer's weights, in order; those that are trained come first."""
    path = f"{root}/{name}" if root else name
    if path not in reader.groups:
        raise reader.bad(path, "every layer that is listed has a group", groups=sorted(reader.groups)[:5])
    return texts(reader, path, "weight_names") or []


def origin(reader: Any, root: str) -> tuple[str, str | None]:
    """Version and backend of the Keras that wrote a file.

    Keras 1 wrote no backend (and before 1.2 no version), but TensorFlow's names of variables end in a number.
    """
    group = reader.groups[root]
    version = reader.text(group, "keras_version") or "1"
    backend = reader.text(group, "backend")
    if backend is None:
        names = (n for layer in texts(reader, root, "layer_names") for n in weight_names(reader, root, layer))
        backend = "tensorflow" if ":" in next(names, ":") else "theano"
    return version, backend


def paired(model: Any, reader: Any, root: str) -> list[tuple[str, Any]]:
    """Names of layers in the file and the model's layers, by their order.

    Raises:
        BadFileError: there are not as many here as there.
    """
    names = [n for n in texts(reader, root, "layer_names") if stored(reader, root, n)]
    mine = [layer for layer in model.layers if legacy_variables(layer)]
    if len(mine) != len(names):
        raise reader.bad(root or "/", f"the model has {len(mine)} layers with weights", layers=names)
    return list(zip(names, mine))


def load(model: Any, reader: Any, by_name: bool, skip_mismatch: bool) -> None:
    """Loads the weights of a model, layer by layer in order or by name; all or none.

    Raises:
        BadFileError: the layers, or the arrays of one, differ in number or shape; the model is unchanged.
    """
    root = weights_root(reader)
    version, backend = origin(reader, root)
    if by_name:
        layers: dict[str, list] = {}
        for layer in model.layers:
            layers.setdefault(layer.name, []).append(layer)
        names = [n for n in texts(reader, root, "layer_names") if stored(reader, root, n)]
        pairs = [(n, layer) for n in names for layer in layers.get(n, [])]
    else:
        pairs = paired(model, reader, root)
    own = [v for v in legacy_variables(model) if any(v is w for w in _direct(model))]
    path = f"{root}/top_level_model_weights" if root else "top_level_model_weights"
    if own and path in reader.groups:
        pairs.append(("top_level_model_weights", model))
    todo, problems = [], []
    for name, layer in pairs:
        variables = own if layer is model else legacy_variables(layer)
        try:
            todo += _match(reader, root, name, layer, variables, version, backend)
        except BadFileError as error:
            if not skip_mismatch:
                raise
            problems.append(error)
    with unchanged_on_error(model):
        for variable, value in todo:
            variable.assign(value)
    if problems:
        warnings.warn(f"{len(problems)} layers keep their values. The first: {problems[0]}", stacklevel=4)


def _direct(model: Any) -> list:
    return [*model._trainable_variables, *model._non_trainable_variables]


def _match(reader: Any, root: str, name: str, layer: Any, variables: list, version: str, backend: str | None) -> list:
    """(variable, value) pairs of one layer."""
    held = stored(reader, root, name)
    path = f"{root}/{name}" if root else name
    budget = 4 * sum(int(np.prod(v.shape)) for v in variables) * 8 + 4096
    if sum(a.nbytes for a in held) > budget:
        raise reader.bad(path, f"{label(layer)} has {len(variables)} weights", shapes=[a.shape for a in held][:9])
    arrays = convert_arrays(type(layer).__name__, layer, [a.read() for a in held], version, backend)
    if len(arrays) != len(variables):
        raise reader.bad(path, f"{label(layer)} has {len(variables)} weights", shapes=[a.shape for a in arrays][:9])
    for v, a in zip(variables, arrays):
        if tuple(a.shape) != tuple(v.shape):
            raise reader.bad(path, f"{label(layer)} expects shape {tuple(v.shape)} for {v.path}", shape=a.shape)
    return list(zip(variables, arrays))


# ---- layouts of older versions ------------------------------------------------------------------------------------


def convert_arrays(kind: str, layer: Any, arrays: list, version: str, backend: str | None) -> list:
    """The arrays of a layer in today's layout.

    Args:
        kind: class name of the layer.
        layer: the layer, for its sizes and wrapped layers.
        arrays: as stored.
        version, backend: of the Keras that wrote them; Keras 1 wrote neither.
    """
    inner = getattr(layer, "layer", None)
    if kind == "TimeDistributed" and inner is not None:
        return convert_arrays(type(inner).__name__, inner, arrays, version, backend)
    if kind == "Bidirectional" and hasattr(layer, "forward_layer"):
        half = len(arrays) // 2
        parts = (layer.forward_layer, arrays[:half]), (layer.backward_layer, arrays[half:])
        return [x for part, own in parts for x in convert_arrays(type(part).__name__, part, own, version, backend)]
    if getattr(layer, "layers", None):
        return _of_model(layer, arrays, version, backend)
    if version.startswith("1"):
        arrays = _from_keras_1(kind, layer, arrays)
    if kind in _CONVOLUTIONS and backend == "theano" and arrays:
        # Theano convolved where the others correlate: its kernels are turned by 180 degrees.
        spatial = tuple(range(arrays[0].ndim - 2))
        arrays = [np.flip(arrays[0], spatial), *arrays[1:]]
    if kind in ("LSTM", "GRU") and len(arrays) == 3:
        arrays = from_cudnn(kind, arrays)
    return arrays


def _of_model(model: Any, arrays: list, version: str, backend: str | None) -> list:
    """The arrays of a model that is a layer of another: those that are trained first, layer by layer, then the rest."""
    layers = [layer for layer in model.layers if legacy_variables(layer)]
    trained = [_counted(layer, len(layer.trainable_weights), version) for layer in layers]
    rest = [len(layer.non_trainable_weights) for layer in layers]

    def fits(counts: list[int]) -> bool:
        return len(arrays) in (sum(counts), sum(counts) + sum(rest))  # an optimizer's slots come without the rest

    if not fits(trained):
        trained = [len(layer.trainable_weights) for layer in layers]
    if not fits(trained):
        return arrays
    first, then, at, after = [], [], 0, sum(trained)
    for layer, n, m in zip(layers, trained, rest):
        own = [*arrays[at : at + n], *arrays[after : after + m]]
        at, after = at + n, after + m
        own = convert_arrays(type(layer).__name__, layer, own, version, backend)
        split = len(layer.trainable_weights)
        first, then = [*first, *own[:split]], [*then, *own[split:]]
    return [*first, *then]


def _counted(layer: Any, count: int, version: str) -> int:
    """How many arrays stand for a layer's; LSTM and GRU of Keras 1 kept those of each gate."""
    gates = {"LSTM": 4, "GRU": 3}.get(type(layer).__name__, 1) if version.startswith("1") else 1
    return count * gates


def _from_keras_1(kind: str, layer: Any, arrays: list) -> list:
    channels_first = getattr(layer, "data_format", None) == "channels_first"
    if kind == "Conv1D" and arrays[0].ndim == 4:
        width, filters = layer.kernel_size[0], layer.filters
        shape = arrays[0].shape
        if shape[:2] != (width, 1) or shape[3] != filters:  # (filters, inputs, width, 1)
            arrays = [np.transpose(arrays[0], (2, 3, 1, 0)), *arrays[1:]]
        return [arrays[0][:, 0], *arrays[1:]]
    if kind == "Conv2D" and channels_first:
        return [np.transpose(arrays[0], (2, 3, 1, 0)), *arrays[1:]]
    if kind == "Conv2DTranspose":
        order = (2, 3, 0, 1) if channels_first else (0, 1, 3, 2)
        return [np.transpose(arrays[0], order), *arrays[1:]]
    if kind == "Conv3D" and channels_first:
        return [np.transpose(arrays[0], (2, 3, 4, 1, 0)), *arrays[1:]]
    if kind == "GRU" and len(arrays) == 9:  # kernel, recurrent kernel, bias of each gate: z, r, h
        return [np.concatenate(arrays[k::3], axis=-1) for k in range(3)]
    if kind == "LSTM" and len(arrays) == 12:  # the gates were i, c, f, o, and are i, f, c, o
        return [np.concatenate([arrays[3 * g + k] for g in (0, 2, 1, 3)], axis=-1) for k in range(3)]
    return arrays


def from_cudnn(kind: str, arrays: list) -> list:
    """Kernel, recurrent kernel and bias of an LSTM or GRU; those that cuDNN's layers wrote are brought into order.

    cuDNN keeps each gate's matrices transposed, and two biases, which an LSTM only ever adds.
    """
    kernel, recurrent, bias = arrays
    gates = 4 if kind == "LSTM" else 3
    units = recurrent.shape[0]
    if bias.shape != (2 * units * gates,):
        return arrays
    kernel = np.hstack([k.T.reshape(k.shape, order="F") for k in np.hsplit(kernel, gates)])
    recurrent = np.hstack([k.T for k in np.hsplit(recurrent, gates)])
    bias = bias.reshape(2, -1).sum(axis=0) if kind == "LSTM" else bias.reshape(2, -1)
    return [kernel, recurrent, bias]
