"""Ops in the config of a functional model: Keras's names and arguments for them, both ways.

Keras writes an op as the class behind its function (`keras.src.ops.numpy.Mean` for `ops.mean`), with the function's
static arguments as config. Here functions may be made of several ops, so that what is written are the ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..engine import tree
from ..engine.config import epsilon
from ..engine.errors import invalid
from ..engine.keras_ops import MODULE_OF
from ..engine.naming import to_snake_case
from ..engine.op import Op, all_ops, get_op
from ..engine.symbol import Node, Symbol, any_symbols

# Functions whose name does not follow from the class's.
_FUNCTIONS = {
    "AllClose": "allclose", "BatchNorm": "batch_normalization", "CDist": "cdist", "CTCLoss": "ctc_loss", "FFT": "fft",
    "FFT2": "fft2", "HSVToRGB": "hsv_to_rgb", "IFFT2": "ifft2", "IRFFT": "irfft", "ISTFT": "istft", "IsIn": "isin",
    "LayerNorm": "layer_normalization", "PSNR": "psnr", "RFFT": "rfft", "RGBToGrayscale": "rgb_to_grayscale",
    "RGBToHSV": "rgb_to_hsv", "RMSNorm": "rms_normalization", "SSIM": "ssim", "STFT": "stft", "SVD": "svd",
    "SearchSorted": "searchsorted", "TopK": "top_k",
}  # fmt: skip
# Classes whose call takes arguments that the function has at other places.
_CALL_NAMES = {
    "BatchNorm": ("x", "mean", "variance", "offset", "scale"), "Isclose": ("x1", "x2", "rtol", "atol"),
    "DotProductAttention": ("query", "key", "value", "bias", "mask", "scale"),
}  # fmt: skip


def function_of(class_name: str) -> Callable | None:
    """The function behind a class of Keras's; None where there is none here."""
    name = _FUNCTIONS.get(class_name) or to_snake_case(class_name)
    place = ops.image if MODULE_OF[class_name].endswith(".image") else ops
    return vars(place).get(name)


class OpCalls:
    """An op of a config, which is called with the config's arguments; it stands for a layer while a graph is rebuilt.

    Args:
        entry: the op's config.

    Raises:
        TypeError: the op is unknown.
    """

    def __init__(self, entry: dict):
        name, config = entry["class_name"], entry["config"]
        self.calls: list[Any] = []
        self.name, self.module = name, entry.get("module")
        attrs = {k: _tuples(v) for k, v in config.items() if k != "name"}
        if self.module == "kerasish.ops":
            if name not in all_ops():
                raise invalid("Functional.from_config", "an op of the config is unknown", kind=TypeError, op=name)
            self._call = lambda *args: get_op(name)(*args, **attrs)
            return
        function = function_of(name) if MODULE_OF.get(name) == self.module else None
        # An older way to RMS normalization, with another formula than `rms_normalization`.
        if function is None or (name == "LayerNorm" and attrs.pop("rms_scaling", False)):
            raise invalid(
                "Functional.from_config", "an op of the config is unknown", kind=TypeError, op=f"{self.module}.{name}"
            )

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in _CALL_NAMES:
                kwargs = {**dict(zip(_CALL_NAMES[name], args)), **kwargs}
                args = ()
            elif name == "GetItem" and len(args) == 2:
                args = (args[0], _tuples(args[1]))
            elif name == "Einsum":
                return function(attrs["subscripts"], *args)
            return function(*args, **attrs, **kwargs)

        self._call = call

    @property
    def _inbound_nodes(self) -> list:
        return self.calls

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if not any_symbols(args, kwargs):
            # Values alone would be computed at once, and could be made as large as anyone likes.
            raise invalid("Functional.from_config", "an op of a graph has a symbol among its arguments", op=self.name)
        self.calls.append(_Call([x for x in tree.flatten(self._call(*args, **kwargs)) if isinstance(x, Symbol)]))


class _Call:
    """One call: its output symbols, as a node has them."""

    def __init__(self, outputs: list):
        self.outputs = outputs


def is_op(entry: dict) -> bool:
    """Whether a config is that of an op."""
    module = entry.get("module")
    return module == "kerasish.ops" or (isinstance(module, str) and module.startswith("keras.src.ops."))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, tuple) else value


# ---- writing ------------------------------------------------------------------------------------------------------

# Ops that Keras has under the same name with the same arguments, apart from the names of some.
_RENAMED: dict[str, dict[str, str]] = {
    "moments": {"axis": "axes"}, "split": {"at": "indices_or_sections"},
    "extract_sequences": {"length": "sequence_length", "stride": "sequence_stride"},
    "extract_patches": {"dilation": "dilation_rate"},
}  # fmt: skip
_CLASS_OF = {(_FUNCTIONS.get(c) or to_snake_case(c)): c for c in reversed(MODULE_OF)}


def _labels(rank: int, transposed: bool, outer: str) -> str:
    return ("..." if rank > 2 else "") + (f"k{outer}" if transposed else f"{outer}k")


def _matmul(node: Node, a: dict) -> tuple:
    ta, tb = a.get("transpose_a", False), a.get("transpose_b", False)
    if not (ta or tb):
        return "Matmul", {}, node.args, {}
    left, right = _labels(len(node.args[0].shape), ta, "m"), _labels(len(node.args[1].shape), not tb, "n")
    batch = "..." if "..." in left + right else ""
    return "Einsum", {"subscripts": f"{left},{right}->{batch}mn"}, node.args, {}


def _norm(name: str) -> Callable:
    def rule(node: Node, a: dict) -> tuple:
        axes = list(range(a["start"], len(node.args[0].shape)))
        return name, {"axis": axes, "epsilon": a["epsilon"]}, node.args, {}

    return rule


def _over(name: str) -> Callable:
    """Ops over the dimensions from `start` to `stop`."""

    def rule(node: Node, a: dict) -> tuple | None:
        axes = list(range(a["start"], a["stop"]))
        if len(axes) != 1 and name == "LogSoftmax":
            return None
        rest = {"keepdims": a["keepdims"]} if "keepdims" in a else {}
        return name, {"axis": axes[0] if len(axes) == 1 else axes, **rest}, node.args, {}

    return rule


def _batch_norm(node: Node, a: dict) -> tuple:
    x, mean, variance, gamma, beta = node.args
    config = {"axis": a["axis"], "epsilon": a["epsilon"]}
    return "BatchNorm", config, (x, mean, variance), {"offset": beta, "scale": gamma}


def _unless(name: str, key: str, default: Any) -> Callable:
    """An op with an argument that Keras's lacks, where it has its usual value."""

    def rule(node: Node, a: dict) -> tuple | None:
        rest = {k: v for k, v in a.items() if k != key}
        return (name, rest, node.args, {}) if a.get(key, default) == default else None

    return rule


def _one(value: Any) -> Any:
    """The number that a tuple repeats: Keras cannot read back the tuples that JSON makes lists of, in some ops."""
    if not isinstance(value, tuple):
        return value
    return value[0] if len(set(value)) == 1 else None


def _pool(name: str) -> Callable:
    def rule(node: Node, a: dict) -> tuple | None:
        size, strides = _one(a["window"]), _one(a["window"] if a["strides"] is None else a["strides"])
        config = {"pool_size": size, "strides": strides, "padding": a["padding"], "data_format": "channels_last"}
        return None if size is None or strides is None else (name, config, node.args, {})

    return rule


def _conv(name: str) -> Callable:
    def rule(node: Node, a: dict) -> tuple | None:
        x, kernel = node.args
        if name == "Conv" and x.shape[-1] != kernel.shape[-2]:  # in groups, which Keras's shape inference refuses
            return None
        rest = {k: v for k, v in a.items() if k != "dilation"}
        return name, {**rest, "dilation_rate": a["dilation"], "data_format": "channels_last"}, node.args, {}

    return rule


def _attention(node: Node, a: dict) -> tuple | None:
    query, key, value, *rest = node.args
    if a["rate"] or key.shape != value.shape:  # dropout of the scores is a layer's, and Keras wants equal sizes
        return None
    kwargs = {name: rest.pop(0) for name in ("bias", "mask") if a[name]}
    if a["scale"] is not None:
        kwargs["scale"] = a["scale"]
    return "DotProductAttention", {"is_causal": a["causal"]}, (query, key, value), kwargs


def _crossentropy(name: str, from_logits: bool) -> Callable:
    axis = {} if name == "BinaryCrossentropy" else {"axis": -1}

    def rule(node: Node, a: dict) -> tuple | None:
        if a.get("eps", epsilon()) != epsilon():
            return None
        outputs, targets = node.args
        return name, {"from_logits": from_logits, **axis}, (targets, outputs), {}

    return rule


def _fft(node: Node, a: dict) -> tuple | None:
    name = {(1, False): "FFT", (2, False): "FFT2", (2, True): "IFFT2"}.get((a["rank"], a["inverse"]))
    if name is None or a["norm"] != "backward":
        return None
    return name, {}, (list(node.args),), {}


def _quantile(node: Node, a: dict) -> tuple | None:
    if len(a["axis"]) != len(node.args[0].shape):  # Keras on JAX makes a list of an axis, which then cannot be hashed
        return None
    return "Nanquantile" if a["skip"] else "Quantile", {k: a[k] for k in ("method", "keepdims")}, node.args, {}


def _multi_hot(node: Node, a: dict) -> tuple | None:
    return ("MultiHot", {**a, "axis": -1}, node.args, {}) if a["axis"] == len(node.args[0].shape) else None


def _rearrange(node: Node, a: dict) -> tuple:
    """The pattern that says what the op does; a letter for each part of a dimension."""
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    names, lengths, left = [], {}, []
    for factors in a["factors"]:
        own = [next(letters) for _ in factors]
        lengths.update({n: f for n, f in zip(own, factors) if f is not None and len(factors) > 1})
        left.append(_group(own))
        names += own
    moved = iter([names[k] for k in a["perm"]])
    right = [_group([next(moved) for _ in range(n)]) for n in a["groups"]]
    return "Rearrange", {}, (*node.args, f"{' '.join(left)} -> {' '.join(right)}"), lengths


def _group(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"({' '.join(names)})"


def _resample(node: Node, a: dict) -> tuple | None:
    """One dimension of an image; the other one keeps its length."""
    shape = node.args[0].shape
    if len(shape) not in (3, 4) or a["axis"] not in (len(shape) - 3, len(shape) - 2):
        return None
    size = list(shape[-3:-1])
    size[a["axis"] - len(shape) + 3] = a["length"]
    if None in size:
        return None
    config = {"size": size, "interpolation": a["method"], "antialias": a["antialias"], "data_format": "channels_last"}
    return "Resize", config, node.args, {}


def _pad_border(node: Node, a: dict) -> tuple | None:
    widths = [[0, 0] for _ in node.args[0].shape]
    widths[a["axis"]] = list(a["widths"])
    return ("Pad", {"pad_width": widths, "mode": a["mode"]}, node.args, {}) if a["mode"] != "wrap" else None


def _update(node: Node, a: dict) -> tuple | None:
    x, updates = node.args
    key = a["key"]
    if not all(isinstance(k, tuple) and k[0] is not None and k[2] in (None, 1) for k in key):
        return None
    return "SliceUpdate", {}, (x, [k[0] for k in key], updates), {}


def _argpartition(node: Node, a: dict) -> tuple | None:
    return ("Argpartition", {"kth": a["kth"][0], "axis": a["axis"]}, node.args, {}) if len(a["kth"]) == 1 else None


def _pinv(node: Node, a: dict) -> tuple | None:
    return ("Pinv", {"rcond": a["rcond"]}, node.args, {}) if a["rcond"] is not None or a["factor"] == 10 else None


def _bincount(node: Node, a: dict) -> tuple | None:
    return ("Bincount", {"minlength": a["minlength"]}, node.args, {}) if len(node.args) == 1 else None


def _count_nonzero(node: Node, a: dict) -> tuple | None:
    if a["keepdims"] or len(a["axis"]) != 1:
        return None
    return "CountNonzero", {"axis": a["axis"][0]}, node.args, {}


def _key(key: tuple) -> list:
    return [slice(*k) if isinstance(k, tuple) else k for k in key]


_RULES: dict[str, Callable[[Node, dict], tuple | None]] = {
    "basic_slice": lambda n, a: ("GetItem", {}, (n.args[0], _key(a["key"])), {}),
    "concatenate": lambda n, a: ("Concatenate", a, (list(n.args),), {}),
    "contract": lambda n, a: ("Einsum", {"subscripts": f"{a['left']},{a['right']}->{a['out']}"}, n.args, {}),
    "matmul": _matmul,
    "batch_norm_inference": _batch_norm,
    "layer_norm": _norm("LayerNorm"),
    "rms_norm": _norm("RMSNorm"),
    "softmax": _over("Softmax"),
    "log_softmax": _over("LogSoftmax"),
    "logsumexp": _over("Logsumexp"),
    "gelu": lambda n, a: ("Gelu", {"approximate": False}, n.args, {}),
    "gelu_tanh": lambda n, a: ("Gelu", {"approximate": True}, n.args, {}),
    "select": lambda n, a: ("Where", {}, n.args, {}),
    "gather": lambda n, a: ("Take", {"axis": a["axis"]}, n.args, {}),
    "attention": _attention,
    "categorical_crossentropy": _crossentropy("CategoricalCrossentropy", False),
    "categorical_crossentropy_from_logits": _crossentropy("CategoricalCrossentropy", True),
    "sparse_categorical_crossentropy": _crossentropy("SparseCategoricalCrossentropy", False),
    "sparse_categorical_crossentropy_from_logits": _crossentropy("SparseCategoricalCrossentropy", True),
    "binary_crossentropy": _crossentropy("BinaryCrossentropy", False),
    "binary_crossentropy_from_logits": _crossentropy("BinaryCrossentropy", True),
    "fft": _fft,
    "irfft": lambda n, a: ("IRFFT", {"fft_length": a["fft_length"]}, (list(n.args),), {}),
    "rfft": lambda n, a: ("RFFT", {"fft_length": a["fft_length"]}, n.args, {}),
    "singular_values": lambda n, a: ("SVD", {"compute_uv": False}, n.args, {}),
    "bessel_i": lambda n, a: ("I0", {}, n.args, {}) if a["order"] == 0 else None,
    "quantile": _quantile,
    "rearrange": _rearrange,
    "resample": _resample,
    "pad_border": _pad_border,
    "basic_update": _update,
    "argpartition": _argpartition,
    "pinv": _pinv,
    "bincount": _bincount,
    "multi_hot": _multi_hot,
    "pad": lambda n, a: ("Pad", {"pad_width": a["pad_width"]}, n.args, {"constant_values": a["value"]}),
    "full_like": lambda n, a: ("FullLike", {"dtype": a["dtype"]}, (*n.args, a["value"]), {}),
    "cumsum": _unless("Cumsum", "reverse", False),
    "cumprod": _unless("Cumprod", "reverse", False),
    "count_nonzero": _count_nonzero,
    "max_pool": _pool("MaxPool"),
    "average_pool": _pool("AveragePool"),
    "conv": _conv("Conv"),
    "depthwise_conv": _conv("DepthwiseConv"),
    "reshape": lambda n, a: ("Reshape", {"newshape": [-1 if d is None else d for d in a["newshape"]]}, n.args, {}),
    "isclose": lambda n, a: (
        "Isclose", {"equal_nan": a["equal_nan"]}, n.args, {"rtol": a["rtol"], "atol": a["atol"]}
    ),
}  # fmt: skip
# Same name, another meaning, or arguments that Keras cannot express.
_OWN = frozenset(
    # Keras cannot rebuild these from JSON: it needs the tuples that become lists there, or mixes up two arguments.
    ("adaptive_average_pool", "adaptive_max_pool", "conv_transpose") + ("batch_norm", "histogram", "size", "unique")
)


def op_entry(node: Node) -> tuple[dict, tuple, dict]:
    """The config of one call of an op, and its arguments, as Keras writes them where it has the op.

    Returns:
        (module, class name, config, registered name) as a dict, positional arguments, keyword arguments.
    """
    op: Op = node.operation
    attrs = dict(node.kwargs)
    found = None
    if op.name in _RULES:
        found = _RULES[op.name](node, attrs)
    elif op.name in _CLASS_OF and op.name not in _OWN:
        renamed = _RENAMED.get(op.name, {})
        found = _CLASS_OF[op.name], {renamed.get(k, k): v for k, v in attrs.items()}, node.args, {}
    if found is None:
        entry = {"module": "kerasish.ops", "class_name": op.name, "config": _config(attrs), "registered_name": None}
        return entry, node.args, {}
    name, config, args, kwargs = found
    entry = {"module": MODULE_OF[name], "class_name": name, "config": _config(config), "registered_name": name}
    return entry, args, kwargs


def _config(attrs: dict) -> dict:
    return {k: _lists(v) for k, v in attrs.items()}
