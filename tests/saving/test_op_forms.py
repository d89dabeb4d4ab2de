"""Functional graphs of functions of `ops` open in Keras; the few that Keras has no form for are listed here."""

import json
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish.models.op_config import op_entry

O, I = keras.ops, keras.Input


def numbers(*shape):
    return np.random.default_rng(len(shape)).uniform(0.1, 1, shape).astype("float32")


def ids():
    return np.array([[0, 2, 1], [3, 3, 0]], "int32")


# Functions that become other ops than their name says, or whose arguments take some translation.
FORMS = {
    "take": lambda: ([numbers(2, 6, 4)], lambda x: O.take(x, np.array([0, 3, -1]), axis=1)),
    "index array": lambda: ([numbers(2, 6, 4)], lambda x: x[:, np.array([1, 1, 5])]),
    "mish": lambda: ([numbers(2, 3)], keras.activations.mish),
    "normalize": lambda: ([numbers(2, 3)], O.normalize),
    "dot product attention": lambda: (
        [numbers(2, 5, 2, 4), numbers(2, 6, 2, 4)],
        lambda q, k: O.dot_product_attention(q, k, k, scale=0.3),
    ),
    "causal attention": lambda: ([numbers(2, 5, 2, 4)], lambda q: O.dot_product_attention(q, q, q, is_causal=True)),
    "biased attention": lambda: (
        [numbers(2, 5, 2, 4), numbers(2, 2, 5, 5)],
        lambda q, b: O.dot_product_attention(q, q, q, bias=b, mask=b > 0.4),
    ),
    "categorical crossentropy": lambda: ([numbers(2, 4), numbers(2, 4)], O.categorical_crossentropy),
    "the same of logits": lambda: (
        [numbers(2, 4), numbers(2, 4)],
        lambda y, x: O.categorical_crossentropy(y, x, from_logits=True),
    ),
    "sparse crossentropy": lambda: ([ids()[:, 0], numbers(2, 4)], O.sparse_categorical_crossentropy),
    "binary crossentropy": lambda: ([numbers(2, 4), numbers(2, 4)], O.binary_crossentropy),
    "the same of binary logits": lambda: (
        [numbers(2, 4), numbers(2, 4)],
        lambda y, x: O.binary_crossentropy(y, x, from_logits=True),
    ),
    "multi hot": lambda: ([ids()], lambda x: O.multi_hot(x, 5)),
    "bincount": lambda: ([ids()], lambda x: O.bincount(x, minlength=5)),
    "fft": lambda: ([numbers(2, 4), numbers(2, 4)], lambda a, b: list(O.fft((a, b)))),
    "ifft2": lambda: ([numbers(2, 4, 4), numbers(2, 4, 4)], lambda a, b: list(O.ifft2((a, b)))),
    "rfft": lambda: ([numbers(2, 8)], lambda x: list(O.rfft(x))),
    "irfft": lambda: ([numbers(2, 5), numbers(2, 5)], lambda a, b: O.irfft((a, b))),
    "singular values": lambda: ([numbers(2, 4, 3)], lambda x: O.svd(x, compute_uv=False)),
    "nuclear norm": lambda: ([numbers(2, 4, 3)], lambda x: O.norm(x, ord="nuc", axis=(1, 2))),
    "pinv": lambda: ([numbers(2, 4, 3)], O.pinv),
    "i0": lambda: ([numbers(2, 4)], O.i0),
    "argpartition": lambda: ([numbers(2, 4)], lambda x: O.take_along_axis(x, O.argpartition(x, 0)[:, :1], axis=1)),
    "rearrange": lambda: ([numbers(2, 4, 6)], lambda x: O.rearrange(x, "b (h p) w -> b p (w h)", p=2)),
    "depth to space": lambda: ([numbers(2, 3, 3, 8)], lambda x: O.depth_to_space(x, 2)),
    "resize": lambda: ([numbers(2, 6, 4, 3)], lambda x: O.image.resize(x, (3, 7))),
    "pad": lambda: ([numbers(2, 6, 4)], lambda x: O.pad(x, ((0, 0), (1, 2), (0, 0)), mode="reflect")),
    "slice update": lambda: ([numbers(2, 6, 4)], lambda x: O.slice_update(x, (0, 1, 2), x[:, :2, :2] * 2)),
}


def build(name):
    arrays, function = FORMS[name]()
    inputs = [I(batch_shape=a.shape, dtype=a.dtype.name) for a in arrays]
    return keras.Model(inputs, function(*inputs)), arrays


def own_ops(model):
    layers = json.loads(model.to_json())["config"]["layers"]
    return sorted({x["class_name"] for x in layers if x["module"] == "kerasish.ops"})


@pytest.mark.parametrize("name", FORMS)
def test_keras_has_a_form(name):
    model, arrays = build(name)
    assert own_ops(model) == []
    again = keras.models.model_from_json(model.to_json())
    for a, b in zip(np.atleast_1d(model(arrays)), np.atleast_1d(again(arrays))):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


# Keras has no op for it, or one whose config it cannot read back (tuples, which JSON makes lists of).
WITHOUT = {
    "conv_transpose": lambda: O.conv_transpose(I((4, 4, 3)), np.ones((3, 3, 2, 3), "float32"), 2),
    "conv": lambda: O.conv(I((4, 4, 4)), np.ones((3, 3, 2, 4), "float32")),  # in groups
    "max_pool": lambda: O.max_pool(I((4, 4, 4)), (2, 3)),
    "adaptive_average_pool": lambda: O.adaptive_average_pool(I((5, 5, 2)), 3),
    "adaptive_max_pool": lambda: O.adaptive_max_pool(I((5, 5, 2)), 3),
    "quantile": lambda: O.median(I((4, 3)), axis=1),
    "count_nonzero": lambda: O.count_nonzero(I((4, 3)), axis=(1, 2)),
    "log_softmax": lambda: O.log_softmax(I((4, 3)), axis=(1, 2)),
    "unique": lambda: O.unique(I(batch_shape=(4,), dtype="int32")),
    "size": lambda: O.size(I((4, 3))),
    "histogram": lambda: O.histogram(I(batch_shape=(4,)), 5)[0],
}


@pytest.mark.parametrize("name", WITHOUT)
def test_the_list_of_those_without_a_form(name):
    entry = op_entry(WITHOUT[name]().node)[0]
    assert (entry["module"], entry["class_name"]) == ("kerasish.ops", name)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
def test_keras_opens_them():
    """All of them in one model, so that Keras compiles once."""
    import keras as reference

    inputs, outputs, arrays = [], [], []
    for name in FORMS:
        model, own = build(name)
        renamed = [I(batch_shape=a.shape, dtype=a.dtype.name) for a in own]
        out = FORMS[name]()[1](*renamed)
        inputs += renamed
        outputs += out if isinstance(out, list) else [out]
        arrays += own
    model = keras.Model(inputs, outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = reference.models.model_from_json(model.to_json())
    for want, got in zip(model(arrays), theirs(arrays), strict=True):
        np.testing.assert_allclose(np.asarray(got), np.asarray(want), rtol=1e-4, atol=1e-5)
