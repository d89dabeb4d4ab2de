"""IntegerLookup and StringLookup: numbers of Keras 3.15 on TensorFlow, models, files, what is refused."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers

X = np.array([[12, 7, 12], [1, 42, 9]])
WANT = {
    "int": [[2, 4, 2], [1, 3, 0]],
    "multi_hot": [[0, 1, 0, 1], [1, 0, 1, 0]],
    "count": [[0, 2, 0, 1], [1, 0, 1, 0]],
    "tf_idf": [[0.0, 1.0, 0.0, 0.125], [0.2916666567325592, 0.0, 0.25, 0.0]],
}


@pytest.mark.parametrize("mode", WANT)
def test_integers(mode, tmp_path):
    idf = {"idf_weights": [0.5, 0.25, 0.125]} if mode == "tf_idf" else {}
    layer = layers.IntegerLookup(vocabulary=[12, 42, 7], output_mode=mode, mask_token=9, **idf)
    np.testing.assert_allclose(layer(X).numpy(), WANT[mode], rtol=1e-6)
    x = keras.Input((3,), dtype="int64")
    model = keras.Model(x, layer(x))
    np.testing.assert_allclose(model.predict(X, verbose=0), WANT[mode], rtol=1e-6)
    model.save(tmp_path / "m.keras")
    np.testing.assert_allclose(keras.saving.load_model(tmp_path / "m.keras")(X).numpy(), WANT[mode], rtol=1e-6)


def test_adapted_integers_go_through_a_file(tmp_path):
    layer = layers.IntegerLookup(output_mode="tf_idf")
    layer.adapt(X)
    model = keras.Sequential([keras.Input((3,), dtype="int64"), layer])
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "m.keras")(X).numpy(), model(X).numpy())


def test_strings():
    layer = layers.StringLookup(output_mode="tf_idf", max_tokens=8, pad_to_max_tokens=True)
    layer.adapt([["a", "b", "c"], ["a", "c", "zz"], ["d", "a", "a"]])
    assert layer.get_vocabulary() == ["[UNK]", "a", "c", "zz", "d", "b"]
    want = [[0.8003271, 1.1192316, 0, 0, 0, 0, 0, 0]]
    np.testing.assert_allclose(layer(np.array([["a", "q", "a"]])).numpy(), want, rtol=1e-6)
    back = layers.StringLookup(vocabulary=["a", "b"], invert=True, mask_token="")
    assert back([[0, 1, 2, 3, 9]]).tolist() == [["", "[UNK]", "a", "b", "[UNK]"]]
    with pytest.raises(ValueError, match="tensors hold none"):
        layer(keras.Input((3,)))


def test_refusals():
    with pytest.raises(ValueError, match="no file that a config names is opened"):
        layers.StringLookup.from_config({"vocabulary": "/etc/passwd"})
    with pytest.raises(ValueError, match="all inputs are in the vocabulary"):
        layers.IntegerLookup(vocabulary=[1], num_oov_indices=0)(np.array([1, 2]))
    with pytest.raises(ValueError, match="hashing .* is not supported"):
        layers.StringLookup(num_oov_indices=2)
    with pytest.raises(RuntimeError, match="the layer has a vocabulary before it is called"):
        layers.IntegerLookup()(X)
