"""Configs of Keras 1 and 2 to those of Keras 3: names of classes and arguments, forms, how calls are referred to."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..engine.keras_ops import MODULE_OF
from ..engine.registry import find_symbol

_CLASSES = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    "Deconvolution2D": "Conv2DTranspose", "Convolution2DTranspose": "Conv2DTranspose",
    "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D", "SeparableConvolution2D": "SeparableConv2D",
    "CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "BatchNormalizationV1": "BatchNormalization", "Model": "Functional",
    "BatchNormalizationV2": "BatchNormalization", "SpatialDropout": "SpatialDropout2D", "LSTMV2": "LSTM",
    "GRUV2": "GRU", "GroupedQueryAttention": "GroupQueryAttention",
}  # fmt: skip
_MERGES = {
    "sum": "Add", "add": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum",
    "dot": "Dot",
}  # fmt: skip

# Keras 1 -> 3, for every layer; where a name means different things, the class decides below.
_ARGUMENTS = {
    "nb_filter": "filters", "filter_length": "kernel_size", "subsample": "strides", "subsample_length": "strides",
    "border_mode": "padding", "init": "kernel_initializer", "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation", "W_regularizer": "kernel_regularizer", "b_regularizer":
    "bias_regularizer", "U_regularizer": "recurrent_regularizer", "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint", "U_constraint": "recurrent_constraint", "bias": "use_bias", "p": "rate",
    "sigma": "stddev", "dropout_W": "dropout", "dropout_U": "recurrent_dropout", "pool_length": "pool_size",
    "stride": "strides", "atrous_rate": "dilation_rate", "beta_init": "beta_initializer", "gamma_init":
    "gamma_initializer", "concat_axis": "axis", "dot_axes": "axes",
}  # fmt: skip
_EMBEDDING = {"W_regularizer": "embeddings_regularizer", "W_constraint": "embeddings_constraint", "init":
              "embeddings_initializer"}  # fmt: skip
# What has no effect any more, or follows from the rest of the config.
_GONE = frozenset(
    ("input_dim", "input_length", "input_dtype", "batch_input_shape", "consume_less", "implementation", "time_major")
    + ("virtual_batch_size", "fused", "adjustment", "mode", "weights", "input_shape", "states", "num_constants")
)
_INITIALIZERS = {"zero": "zeros", "one": "ones", "uniform": "random_uniform", "normal": "random_normal"}
_PLACES = ("layers", "initializers", "regularizers", "constraints", "losses", "metrics", "optimizers")


def convert(entry: Any) -> dict:
    """The Keras 3 config of a layer or model.

    Args:
        entry: `{"class_name", "config"}` of Keras 1 or 2, perhaps with "name" and "inbound_nodes".

    Raises:
        KeyError, TypeError, ValueError: the entry is no such config.
    """
    name = _CLASSES.get(entry["class_name"], entry["class_name"])
    config = entry["config"]
    if name == "Sequential":
        layers, more = (config, {}) if isinstance(config, list) else (config["layers"], config)
        converted = {
            "name": more.get("name", "sequential"),
            "trainable": True,
            "layers": _stack(layers, more.get("build_input_shape")),
        }
    elif name == "Functional" or "input_layers" in config:
        converted = _graph(config)
    else:
        name, converted = _layer(name, dict(config), entry["class_name"])
    out = {
        "module": "keras" if name == "Sequential" else "keras.layers",
        "class_name": name,
        "config": converted,
        "registered_name": name if _module(name, "layers") is None else None,
    }
    if name == "Functional":
        out.update(module="keras.src.models.functional", registered_name="Functional")
    elif _module(name, "layers") is None and name != "Sequential":
        # What Keras 3 wrote says where the class is; otherwise it is one of the caller's own.
        out.update(module=entry.get("module"), registered_name=entry.get("registered_name", name))
    return out


def with_old_functions(config: Any) -> Any:
    """A config of Keras 1 or 2 with names of its own for the functions that have changed since."""
    if isinstance(config, list):
        return [with_old_functions(v) for v in config]
    if not isinstance(config, dict):
        return config
    return {
        k: "keras2_hard_sigmoid" if k.endswith("activation") and v == "hard_sigmoid" else with_old_functions(v)
        for k, v in config.items()
    }


def _module(name: str, place: str) -> str | None:
    return f"keras.{place}" if find_symbol(f"keras.{place}", name) is not None else None


def _stack(layers: list, built: Any) -> list[dict]:
    """The layers of a Sequential, with the Input that the first one stands for, or that stood before it.

    `built` is the shape that the model was built with: Keras 2.2 and 2.3 kept no other trace of an InputLayer.
    """
    out = []
    first = layers[0]["config"] if layers and isinstance(layers[0]["config"], dict) else {}
    shape = first.get("batch_input_shape", built)
    if shape is not None and layers[0]["class_name"] != "InputLayer":
        dtype = first.get("input_dtype") or ("int32" if layers[0]["class_name"] == "Embedding" else "float32")
        out.append(_input({"batch_shape": shape, "dtype": dtype, "name": f"{first.get('name', 'layer')}_input"}))
    return out + [convert(x) for x in layers]


def _input(config: dict) -> dict:
    return {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}


def _layer(name: str, config: dict, original: str) -> tuple[str, dict]:
    if name == "InputLayer":
        shape = config.get("batch_input_shape", config.get("batch_shape"))
        dtype = config.get("dtype") or config.get("input_dtype") or "float32"
        return name, {"batch_shape": shape, "dtype": _policy(dtype), "name": config.get("name")}
    if name == "Merge":
        name = _MERGES[config["mode"]]
        keys = {"Concatenate": ("concat_axis",), "Dot": ("dot_axes",)}.get(name, ())
        config = {k: config[k] for k in ("name", "trainable", *keys) if k in config}
    if name == "Highway" or name == "MaxoutDense":
        return name, config
    if "layer" in config and isinstance(config["layer"], dict):  # wrappers
        for key in ("layer", "backward_layer"):
            if isinstance(config.get(key), dict):
                config[key] = convert(config[key])
    if name == "GRU" and original != "CuDNNGRU":
        config.setdefault("reset_after", False)  # which was the default until Keras 2.1 had the choice
    if config.pop("forget_bias_init", None) == "one":
        config["unit_forget_bias"] = True
    _sizes(name, config)
    renamed = {**_ARGUMENTS, **(_EMBEDDING if name == "Embedding" else {"output_dim": "units"})}
    out: dict[str, Any] = {}
    for key, value in config.items():
        if key in _GONE and key not in ("input_dim",):
            continue
        if key == "input_dim" and name != "Embedding":
            continue
        key = renamed.get(key, key)
        out[key] = _value(key, value)
    if name.startswith("SpatialDropout"):  # which has nothing to train, and takes none of these any more
        out.pop("trainable", None)
        out.pop("noise_shape", None)  # which has followed from the input at all times
    if name == "Embedding" and out.pop("dropout", None):
        rule = "Embedding has no dropout any more; the model is read without. A SpatialDropout1D behind it does that"
        warnings.warn(f"load_model: {rule}: {config['name']}, dropout={config['dropout']}", stacklevel=2)
    if name == "BatchNormalization":
        for key in ("renorm", "renorm_clipping", "renorm_momentum"):
            out.pop(key, None)
    if original in ("CuDNNLSTM", "CuDNNGRU"):
        gru = {"reset_after": True} if name == "GRU" else {}
        out = {"recurrent_activation": "sigmoid", **out, **gru}
    return name, out


def _sizes(name: str, config: dict) -> None:
    """Sizes that Keras 1 gave one by one."""
    if "nb_row" in config:
        config["kernel_size"] = [config.pop("nb_row"), config.pop("nb_col")]
    for k in (1, 2, 3):
        if f"kernel_dim{k}" in config:
            config.setdefault("kernel_size", []).append(config.pop(f"kernel_dim{k}"))
    if "dim_ordering" in config:
        order = config.pop("dim_ordering")
        config["data_format"] = {"th": "channels_first", "tf": "channels_last"}.get(order)
    if name in ("UpSampling1D", "RepeatVector") and "length" in config:
        config["size" if name == "UpSampling1D" else "n"] = config.pop("length")
    if name.endswith("Transpose"):
        config.pop("groups", None)
    if name.startswith(("DepthwiseConv", "SeparableConv")):  # the base class's arguments, without effect
        filters = ("filters",) if name.startswith("D") else ()
        for key in (*filters, "groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            config.pop(key, None)


def _value(key: str, value: Any) -> Any:
    if key == "dtype":
        return _policy(value)
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if key.endswith("initializer") and isinstance(value, str):
        return _INITIALIZERS.get(value, value)
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return place(value)
        if key.endswith("regularizer") and "name" in value:  # Keras 1
            sizes = {"l1": value.get("l1", 0.0), "l2": value.get("l2", 0.0)}
            return place({"class_name": "L1L2", "config": sizes})
        if key.endswith("constraint") and "name" in value:
            names = {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"}
            sizes = {"max_value": value["m"]} if "m" in value else {}
            return place({"class_name": names.get(value["name"], value["name"]), "config": sizes})
    return value


def _policy(value: Any) -> Any:
    """A dtype or policy as its name."""
    if isinstance(value, dict):
        return value["config"]["name"]
    return value


def place(entry: dict, places: tuple[str, ...] = _PLACES) -> dict:
    """A `{"class_name", "config"}` with the module that the class is in now."""
    name = entry["class_name"].rpartition(">")[2]
    if name in ("L1", "L2", "L1L2") and "l" in entry["config"]:
        entry = {**entry, "config": {name.lower(): entry["config"]["l"]}}
    module = next((m for p in places if (m := _module(name, p)) is not None), None)
    config = {k: v for k, v in entry["config"].items() if not (k == "dtype" and module == "keras.initializers")}
    registered = entry["class_name"] if module is None else None
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


# ---- graphs -------------------------------------------------------------------------------------------------------


def _graph(config: dict) -> dict:
    """A functional model: its layers, and references to calls as Keras 3 counts them."""
    nested = {
        layer["name"]: layer["class_name"]
        for layer in config["layers"]
        if layer["class_name"] in ("Model", "Functional", "Sequential") or "layers" in layer["config"]
    }
    if any(isinstance(node, dict) for layer in config["layers"] for node in layer["inbound_nodes"]):
        # An .h5 file of Keras 3: the calls are written, and counted, as they are now.
        layers = []
        for x in config["layers"]:
            # Ops have no such argument; some share their names with layers.
            is_op = x["class_name"] in MODULE_OF and "trainable" not in x["config"]
            entry = {**x, "module": MODULE_OF[x["class_name"]]} if is_op else convert(x)
            layers.append({**entry, "name": x["name"], "inbound_nodes": x["inbound_nodes"]})
        return {**config, "layers": layers}
    ends = [*_pairs(config["input_layers"]), *_pairs(config["output_layers"])]
    inner = [r for layer in config["layers"] for node in layer["inbound_nodes"] for r in _references(node)]
    # A model's own graph was its call number 0, if it was made of one.
    first = {name: min((r[1] for r in (*ends, *inner) if r[0] == name), default=0) for name in nested}

    def shifted(r: list, end: bool = False) -> list:
        own_graph = end and nested.get(r[0]) in ("Model", "Functional")
        return [r[0], r[1] - first.get(r[0], 0) + own_graph, *r[2:]]

    layers = []
    for layer in config["layers"]:
        entry = convert(layer)
        entry["name"] = layer["name"]
        nodes = layer["inbound_nodes"]
        entry["inbound_nodes"] = [[shifted(r) for r in _references(node)] for node in nodes]
        layers.append(entry)
    return {
        "name": config.get("name", "model"),
        "trainable": True,
        "layers": layers,
        "input_layers": _single(_pairs(config["input_layers"]), lambda r: shifted(r, True)),
        "output_layers": _single(_pairs(config["output_layers"]), lambda r: shifted(r, True)),
    }


def _references(node: Any) -> list:
    """The references of one call: a list of them, or one alone."""
    return [node] if node and isinstance(node[0], str) else list(node)


def _pairs(refs: Any) -> list:
    if isinstance(refs, dict):
        return list(refs.values())
    return [refs] if refs and isinstance(refs[0], str) else list(refs)


def _single(refs: list, change: Callable) -> Any:
    changed = [change(r) for r in refs]
    return changed[0] if len(changed) == 1 else changed
