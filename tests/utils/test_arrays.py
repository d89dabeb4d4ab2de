"""to_categorical, normalize, pad_sequences, Config."""

import copy
import json

import numpy as np
import pytest

from kerasish.engine.tensor import Tensor
from kerasish.utils import Config, normalize, pad_sequences, to_categorical

# -- to_categorical ------------------------------------------------------------------------------------------------


def test_to_categorical_shapes():
    for shape, expected in [((3,), (3, 5)), ((4, 3), (4, 3, 5)), ((3, 1), (3, 5)), ((3, 2, 1), (3, 2, 5))]:
        labels = np.random.randint(0, 5, shape)
        rows = to_categorical(labels, 5)
        assert rows.shape == expected
        assert rows.dtype == "float64"
        assert np.array_equal(rows.argmax(-1), labels.reshape(expected[:-1]))
        assert np.all(rows.sum(-1) == 1)


def test_to_categorical_counts_the_classes():
    assert to_categorical([2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert to_categorical(np.zeros((0,)), 3).shape == (0, 3)


def test_to_categorical_of_a_tensor():
    rows = to_categorical(Tensor(np.array([[1], [0]])), 2)
    assert isinstance(rows, Tensor)
    assert rows.dtype == "float32"
    assert rows.tolist() == [[0, 1], [1, 0]]


def test_to_categorical_errors():
    with pytest.raises(
        ValueError, match=r"to_categorical: the labels must be from 0 to 1. Received: smallest=0, largest=2"
    ):
        to_categorical([0, 2], 2)
    with pytest.raises(
        ValueError, match=r"to_categorical: the labels must be from 0 to 2. Received: smallest=-1, largest="
    ):
        to_categorical([2, -1])
    with pytest.raises(ValueError, match="to_categorical: num_classes must be given for empty labels"):
        to_categorical([])


# -- normalize -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalize(axis, order):
    x = np.random.randn(4, 5)
    assert np.allclose(np.linalg.norm(normalize(x, axis, order), order, axis), 1)


def test_normalize_zeros_and_tensors():
    assert normalize(np.zeros(3)).tolist() == [0, 0, 0]
    y = normalize(Tensor(np.array([3.0, 4.0], "float32")))
    assert isinstance(y, Tensor)
    assert y.dtype == "float32"
    assert np.allclose(y.numpy(), [0.6, 0.8])


# -- pad_sequences -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]),
        ({"maxlen": 0}, [[], [], []]),
        ({"value": -1, "maxlen": 4}, [[-1, -1, -1, 1], [-1, -1, 2, 3], [-1, 4, 5, 6]]),
    ],
)
def test_pad_sequences(options, expected):
    padded = pad_sequences([[1], [2, 3], [4, 5, 6]], **options)
    assert padded.tolist() == expected
    assert padded.dtype == "int32"


def test_pad_sequences_of_arrays_and_strings():
    padded = pad_sequences([np.ones((1, 2)), [], np.zeros((2, 2))], dtype="float32", value=9)
    assert padded.tolist() == [[[9, 9], [1, 1]], [[9, 9], [9, 9]], [[0, 0], [0, 0]]]
    assert pad_sequences([["a"], ["b", "c"]], dtype=object, value="-").tolist() == [["-", "a"], ["b", "c"]]
    assert pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((3,), {}, "pad_sequences: sequences must be a list of sequences. Received: sequences=3"),
        (([1, 2],), {}, "pad_sequences: the entry at position 0 must be a sequence. Received: entry=1"),
        (([[1]],), {"padding": "mid"}, 'pad_sequences: padding must be "pre" or "post". Received: padding=\'mid\''),
        (([[1]],), {"truncating": "x"}, 'pad_sequences: truncating must be "pre" or "post"'),
        (([[1]],), {"value": "a"}, "pad_sequences: a string as value needs a dtype for strings"),
        (
            ([np.ones((1, 2)), np.ones((1, 3))],),
            {},
            r"entries of all sequences must have the shape \(2,\). Received: position=1, shape=\(3,\)",
        ),
    ],
)
def test_pad_sequences_errors(args, options, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(*args, **options)


# -- Config --------------------------------------------------------------------------------------------------------


def test_config_as_attributes_and_items():
    config = Config(rate=0.1)
    config.momentum = 0.9
    config["seed"] = 3
    assert (config.rate, config["momentum"], config.seed) == (0.1, 0.9, 3)
    assert list(config) == ["momentum", "rate", "seed"]
    assert len(config) == 3
    assert "seed" in config
    assert config.get("x", 5) == 5
    assert config.pop("seed") == 3
    config.update(a=1)
    del config["a"]
    assert config.as_dict() == {"rate": 0.1, "momentum": 0.9}
    assert list(config.items()) == list(zip(config.keys(), config.values()))
    assert json.loads(config.to_json()) == config.as_dict()
    assert repr(config) == "<Config {'rate': 0.1, 'momentum': 0.9}>"
    assert copy.deepcopy(config).as_dict() == config.as_dict()


def test_config_frozen():
    config = Config(rate=0.1)
    config.freeze()
    assert config.frozen
    for change in (
        lambda: setattr(config, "rate", 1),
        lambda: config.update(rate=1),
        lambda: config.pop("rate"),
        lambda: config.__setitem__("rate", 1),
        lambda: config.__delitem__("rate"),
    ):
        with pytest.raises(ValueError, match="config: a frozen config cannot be changed"):
            change()
    config.unfreeze()
    config.rate = 1
    assert config.rate == 1


def test_config_errors():
    config = Config(learning_rate=0.1)
    with pytest.raises(
        AttributeError, match=r"config: there is no value named 'learning_rat'. Did you mean 'learning_rate'"
    ):
        _ = config.learning_rat
    with pytest.raises(AttributeError, match="config: `update` belongs to Config itself"):
        config.update = 3
