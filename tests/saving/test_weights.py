"""Weights go to files and come back: every format, shards, what does not fit, by name, into other models."""

import json
import os

import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError
from kerasish.saving import hdf5 as hdf5_module

from .nets import net, same, trained, values

L = keras.layers


@pytest.mark.parametrize("name", ["w.weights.h5", "w.safetensors", "w.keras"])
def test_weights_go_and_come_back(tmp_path, name):
    model = trained()
    path = tmp_path / name
    model.save(path) if name.endswith(".keras") else model.save_weights(path)
    other = net(seed=5)
    other.load_weights(path)
    same(model.get_weights(), other.get_weights())


def test_safetensors_is_what_its_own_package_reads(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    model = net()
    model.save_weights(tmp_path / "w.safetensors")
    arrays = package.load_file(tmp_path / "w.safetensors")
    assert np.array_equal(arrays["layers/dense/vars/0"], model.layers[0].kernel.numpy())
    package.save_file({k: v + 1 for k, v in arrays.items()}, tmp_path / "more.safetensors")
    before = model.get_weights()
    model.load_weights(tmp_path / "more.safetensors")
    same([w + 1 for w in before], model.get_weights())


def test_shards(tmp_path):
    model = trained()
    cap = 64 / 1024**3
    with pytest.raises(ValueError, match=r"larger than a shard may be; raise max_shard_size"):
        model.save_weights(tmp_path / "small.weights.json", max_shard_size=cap)
    assert not os.listdir(tmp_path)
    cap = 130 / 1024**3
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=cap)
    files = sorted(os.listdir(tmp_path))
    assert files[-1] == "m_00005.weights.h5" or len(files) > 4, files
    index = json.loads((tmp_path / "m.weights.json").read_text())
    assert index["weight_map"]["/layers/dense/vars"] == "m_00000.weights.h5"
    assert index["metadata"]["total_size"] == sum(v.nbytes for v in values(model))
    other = trained(0)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "m.weights.json")
    same(values(model), values(other))


def test_skip_mismatch_keeps_what_does_not_fit(tmp_path):
    model = net(3)
    model.save_weights(tmp_path / "w.weights.h5")
    other = net(2, seed=4)
    before = other.get_weights()
    with pytest.raises(BadFileError, match=r"w.weights.h5: layers/dense_1/vars/0: Dense 'head' expects shape \(5, 2\)"):
        other.load_weights(tmp_path / "w.weights.h5")
    same(before, other.get_weights())
    with pytest.warns(UserWarning, match=r"1 objects were not loaded and keep their values. The first: .*'head'"):
        other.load_weights(tmp_path / "w.weights.h5", skip_mismatch=True)
    same(model.get_weights()[:6], other.get_weights()[:6])
    same(before[6:], other.get_weights()[6:])


def test_by_name_reports(tmp_path):
    model = net(3)
    model.save_weights(tmp_path / "w.weights.h5")
    other = keras.Sequential(
        [keras.Input((4,)), L.Dense(5, name="body"), L.Dense(2, name="head"), L.Dense(1, name="new")]
    )
    report = other.load_weights(tmp_path / "w.weights.h5", by_name=True, skip_mismatch=True)
    assert report.taken == ["body"]
    assert report.skipped["new"] == "no layer of the file has this name"
    assert "expects shape (5, 2)" in report.skipped["head"]
    assert report.left_over == ["norm"]
    assert "skipped  new: no layer" in str(report)
    same(model.get_weights()[:2], other.get_weights()[:2])
    with pytest.raises(BadFileError, match=r"expects shape"):
        other.load_weights(tmp_path / "w.weights.h5", by_name=True)
    with pytest.warns(UserWarning, match=r"no layer of the model has a name that is in the file"):
        keras.Sequential([keras.Input((4,)), L.Dense(5)]).load_weights(tmp_path / "w.weights.h5", by_name=True)


def test_an_embedding_goes_into_another_model(tmp_path):
    words = keras.Sequential([keras.Input((3,), dtype="int32"), L.Embedding(9, 4, name="words"), L.Dense(2)])
    words.save(tmp_path / "words.keras")
    x = keras.Input((None,), dtype="int32")
    other = keras.Model(x, L.Dense(1)(L.GlobalAveragePooling1D()(L.Embedding(9, 4, name="words")(x))))
    assert other.load_weights(tmp_path / "words.keras", by_name=True).taken == ["words"]
    same([words.layers[0].embeddings.numpy()], [other.get_layer("words").embeddings.numpy()])


def test_objects_to_skip(tmp_path):
    model = net()
    keras.saving.save_weights(model, tmp_path / "w.weights.h5", objects_to_skip=[model.layers[0]])
    other = net(seed=3)
    before = other.get_weights()
    keras.saving.load_weights(other, tmp_path / "w.weights.h5", objects_to_skip=[other.layers[0]])
    same(before[:2], other.get_weights()[:2])
    same(model.get_weights()[2:], other.get_weights()[2:])


def test_float16_weights_go_into_a_float32_model(tmp_path):
    model = net()
    with hdf5_module.WeightsWriter(tmp_path / "w.weights.h5") as writer:
        from kerasish.saving.walk import walk

        for entry in walk(model):
            store = writer.object(entry.path, entry.obj.name)
            for i, v in enumerate([*entry.obj._trainable_variables, *entry.obj._non_trainable_variables]):
                store[str(i)] = v.numpy().astype("float16")
            assert len(store) == len(list(store)) and all(k in store for k in store)
    other = net(seed=4)
    other.load_weights(tmp_path / "w.weights.h5")
    same([w.astype("float16") for w in model.get_weights()], [w.astype("float16") for w in other.get_weights()])
