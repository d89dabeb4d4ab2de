"""Functional graphs of ops: what we write opens in Keras, and what Keras writes opens here, with the same outputs."""

from __future__ import annotations

import inspect
import json
from collections import Counter

import numpy as np
import pytest

import kerasish as keras
from kerasish.engine.op import get_op
from kerasish.models import op_config

from ..ops.sample import collect

# Keras warns of a softmax over one element.
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:You are using a softmax:UserWarning")]


def graph_of(sample):
    """Our model that calls one op on inputs like a sample's, and the inputs; None where there is nothing to compare."""
    arrays = [
        np.asarray(x).astype("float32") if np.asarray(x).dtype == np.float64 else np.asarray(x) for x in sample.inputs
    ]
    if any(a.ndim == 0 or a.dtype.name not in ("float32", "int32", "bool", "uint8") for a in arrays):
        return None
    inputs = [keras.Input(batch_shape=a.shape, dtype=a.dtype.name) for a in arrays]
    outputs = get_op(sample.op)(*inputs, **sample.attrs)
    if "chooses" in get_op(sample.op).traits:  # Keras gives the elements, and not where they stood
        outputs = outputs[get_op(sample.op).traits["chooses"][1]]
    if sample.op == "attention":  # whose second output is for the gradient
        outputs = outputs[0]
    if len(arrays) == 1:
        inputs, arrays = inputs[0], arrays[0]
    return keras.Model(inputs, list(outputs) if isinstance(outputs, tuple) else outputs), arrays


def written_class(model):
    entry = json.loads(model.to_json())["config"]["layers"][-1]
    return entry["module"], entry["class_name"]


# Random or ambiguous results: which of equal elements is taken, the sign of a vector, the order of equal values.
UNSTABLE = {"eigh", "eig", "qr", "svd", "copy"}
FLOAT64 = {"dtype": "float64"}  # which JAX makes float32
EXCHANGED, _count = [], Counter()
for _sample in collect():
    _sizes = [np.size(x) for x in _sample.inputs]
    _wanted = min(_sizes, default=0) > 1 and max(_sizes) < 1000 and _count[_sample.op] < 2
    _wanted = _wanted and _sample.attrs != FLOAT64 and _sample.op not in UNSTABLE
    _wanted = _wanted and _sample.attrs.get("method", "linear") in ("linear", "bilinear")  # others choose by rounding
    _graph = graph_of(_sample) if _wanted else None
    if _graph is not None and written_class(_graph[0])[0] != "kerasish.ops":
        EXCHANGED.append(_sample)
        _count[_sample.op] += 1


def test_most_ops_have_a_name_in_keras():
    names = {s.op for s in EXCHANGED}
    assert len(names) > 110, sorted(names)


@pytest.mark.parametrize("sample", EXCHANGED, ids=repr)
def test_keras_opens_the_graph(sample):
    import keras as reference

    model, arrays = graph_of(sample)
    theirs = reference.models.model_from_json(model.to_json())
    want = [np.asarray(x) for x in flat(model(arrays))]
    got = [np.asarray(x) for x in flat(theirs(arrays))]
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.shape == w.shape
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)
    again = keras.models.model_from_json(theirs.to_json())
    for g, w in zip(flat(again(arrays)), want):
        np.testing.assert_allclose(np.asarray(g), w, rtol=1e-5, atol=1e-6)


def flat(out):
    return list(out) if isinstance(out, (list, tuple)) else [out]


# What a file cannot hold, and what there is no function for here (yet).
WITHOUT = {
    "Map", "Scan", "AssociativeScan", "Switch", "WhileLoop", "ForiLoop", "Cond", "VectorizedMap", "JVP", "Function",
    "SegmentReduction", "CTCDecode",
}  # fmt: skip


def test_every_op_class_of_keras_is_known_with_its_arguments():
    import importlib

    from keras.src.ops.operation import Operation

    missing, wrong = [], []
    for module in ("core", "einops", "image", "linalg", "math", "nn", "numpy"):
        home = importlib.import_module(f"keras.src.ops.{module}")
        for name, cls in vars(home).items():
            if not (inspect.isclass(cls) and issubclass(cls, Operation)) or cls.__module__ != home.__name__:
                continue
            if name in WITHOUT or name == "Operation":
                continue
            if op_config.MODULE_OF.get(name) != home.__name__ or op_config.function_of(name) is None:
                missing.append(f"{module}.{name}")
                continue
            accepted = inspect.signature(op_config.function_of(name)).parameters
            config = [p for p in list(inspect.signature(cls.__init__).parameters)[1:] if p not in ("name", "kwargs")]
            # `rms_scaling` is an error that says so.
            wrong += [f"{name}.{p}" for p in config if p not in (*accepted, "rms_scaling")]
    assert not missing
    assert not wrong
