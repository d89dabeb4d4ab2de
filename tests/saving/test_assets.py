"""Vocabularies in files: how they are stored, and damaged or hostile ones, in archives and in folders."""

import io
import json
import os
import zipfile

import h5py
import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError, Limits

from . import hostile

L = keras.layers
NUMBERS = np.array([[3, 7, 7], [9, 3, 5_000_000_000]])
WORDS = np.array([["b"], ["a"], ["a"]])
INTEGERS, STRINGS = "assets/layers/integer_lookup/vocabulary.txt", "assets/layers/string_lookup/vocabulary.txt"


def model():
    number, word = keras.Input((3,), dtype="int64", name="number"), keras.Input((1,), dtype="string", name="word")
    numbers, words = L.IntegerLookup(output_mode="tf_idf"), L.StringLookup(mask_token="", num_oov_indices=2)
    numbers.adapt(NUMBERS), words.adapt(WORDS)
    return keras.Model([number, word], [numbers(number), words(word)])


def predicted(m):
    return [np.asarray(y) for y in m([NUMBERS, np.array([["a"], ["?"]])])]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A model, the folder that it is saved as, and the members of the archive."""
    folder = tmp_path_factory.mktemp("assets")
    m = model()
    m.save(folder / "m.keras")
    with zipfile.ZipFile(folder / "m.keras") as z:
        return m, {n: z.read(n) for n in z.namelist()}


def test_what_is_stored_where(good, tmp_path):
    m, members = good
    assert members[INTEGERS].decode() == "-1\n7\n3\n5000000000\n9"
    assert members[STRINGS].decode() == "\n[UNK]\n[UNK]\na\nb"
    config = json.loads(members["config.json"])
    lookups = [layer["config"] for layer in config["config"]["layers"] if "Lookup" in layer["class_name"]]
    assert [(c["vocabulary"], c["vocabulary_size"]) for c in lookups] == [(None, 5), (None, 5)]
    assert all("salt" not in c and "oov_method" not in c for c in lookups)  # which Keras before 3.14 does not know
    m.save(tmp_path / "folder", zipped=False)
    for a, b in zip(predicted(keras.saving.load_model(tmp_path / "folder")), predicted(m)):
        np.testing.assert_array_equal(a, b)


def test_tokens_that_are_hard_to_write(tmp_path):
    x = keras.Input((1,), dtype="string")

    def saved(words):
        layer = L.StringLookup()
        layer.set_vocabulary(words)
        keras.Model(x, layer(x)).save(tmp_path / "m.keras")
        return keras.saving.load_model(tmp_path / "m.keras").layers[-1].get_vocabulary(False)

    for words in (["a", ""], ["", "a"], [" a ", "\t", "é", "None"], ["-1"]):
        assert saved(words) == words
    with pytest.warns(
        UserWarning, match="characters that Keras takes for line breaks; the file opens in kerasish only"
    ):
        assert saved(["a\u2028b", "c"]) == ["a\u2028b", "c"]
    for word in ("a\nb", "a\r"):
        with pytest.raises(ValueError, match="save_assets: tokens of a vocabulary that is saved have no line breaks"):
            saved(["x", word])


def replaced(name, content):
    return lambda members: {k: v for k, v in {**members, name: content}.items() if v is not None}


def in_config(**changed):
    def change(members):
        config = json.loads(members["config.json"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "StringLookup":
                layer["config"].update(changed)
        return {**members, "config.json": json.dumps(config).encode()}

    return change


def idf(value):
    def change(members):
        file = io.BytesIO(members["model.weights.h5"])
        with h5py.File(file, "r+") as f:
            group = f["layers/integer_lookup/vars"]
            del group["idf_weights"]
            if value is not None:
                group["idf_weights"] = value
        return {**members, "model.weights.h5": file.getvalue()}

    return change


BAD = {
    "missing": (replaced(INTEGERS, None), "the layer's vocabulary.txt is a file"),
    "empty": (replaced(STRINGS, b""), "the vocabulary has the size that the config says, 5. Received: lines=1"),
    "short": (replaced(STRINGS, b"\n[UNK]\n[UNK]\na"), "the size that the config says, 5. Received: lines=4"),
    "long": (replaced(INTEGERS, b"-1\n7\n3\n5\n9\n11"), "the size that the config says, 5. Received: lines=6"),
    "twice": (replaced(INTEGERS, b"-1\n7\n3\n7\n9"), "a token stands once. Received: twice=[7]"),
    "text": (replaced(INTEGERS, b"-1\n7\n3\nx\n9"), "each line of a vocabulary is an integer. Received: line='x'"),
    "digits": (replaced(INTEGERS, b"-1\n7\n3\n99999999999999999999999\n9"), "each line of a vocabulary is an integer"),
    "large": (replaced(INTEGERS, b"-1\n7\n3\n9999999999999999999\n9"), "vocabulary has integers of 64 bits"),
    "special": (replaced(STRINGS, b"\n[UNK]\na\n[UNK]\nb"), "the 3 special tokens stand in front"),
    "mask": (replaced(STRINGS, b"\n[UNK]\n[UNK]\n\nb"), "the mask_token stands at its place in front"),
    "bytes": (replaced(STRINGS, b"\n[UNK]\n[UNK]\n\xff\nb"), "'utf-8' codec can't decode byte"),
    "folder": (replaced(f"{STRINGS}/x", b"a"), "assets are files in folders"),
    "path": (
        in_config(vocabulary="/etc/passwd"),
        "no file that a config names is opened. Received: vocabulary='/etc/passw",
    ),
    "vocabulary": (in_config(vocabulary=[1]), "StringLookup: vocabulary has strings. Received: value=1"),
    "size": (in_config(vocabulary_size=10**9), "the size that the config says, 1000000000. Received: lines=5"),
    "indices": (in_config(num_oov_indices=10**9), "the 1000000001 special tokens stand in front"),
    "max_tokens": (in_config(max_tokens=4), "the vocabulary has at most max_tokens=4 entries. Received: size=5"),
    "encoding": (in_config(encoding=7), "StringLookup: encoding is a name"),
    "idf missing": (idf(None), "idf_weights are stored in output_mode='tf_idf', and nothing else. Received: stored=[]"),
    "idf shape": (idf(np.ones(6, "f4")), "idf_weights are 5 numbers. Received: shape=(6,), dtype='float32'"),
    "idf rank": (idf(np.float32(1)), "idf_weights are 5 numbers. Received: shape=()"),
    "idf dtype": (idf(np.ones(5, "i4")), "idf_weights are 5 numbers. Received: shape=(5,), dtype='int32'"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(name, good, tmp_path):
    change, message = BAD[name]
    path = tmp_path / "bad.keras"
    path.write_bytes(hostile.pack(change(good[1])))
    with pytest.raises(BadFileError) as e:
        keras.saving.load_model(path)
    assert str(e.value).startswith("bad.keras: ")
    assert message in str(e.value)


def test_a_vocabulary_takes_memory_from_the_allowance_of_assets(good, tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(hostile.pack(good[1]))
    assert keras.saving.load_model(path, limits=Limits(asset_bytes=4000)).layers
    with pytest.raises(BadFileError, match=r"vocabulary of StringLookup .*: variables may take \d+ more bytes"):
        keras.saving.load_model(path, limits=Limits(asset_bytes=1500))


def swapped(path, make):
    target = path.with_name("elsewhere")
    os.rename(path, target)
    make(target, path)


LINKED = {
    "file": (
        STRINGS,
        "m: assets/layers/string_lookup/vocabulary.txt: assets are files in folders. Received: mode='0o12",
    ),
    "folder": ("assets/layers/string_lookup", "m: assets/layers/string_lookup: assets are files in folders"),
    "assets": ("assets", "m: assets: assets are files in folders. Received: mode='0o12"),
}


@pytest.mark.parametrize("name", LINKED)
def test_links_in_a_folder_are_not_followed(name, good, tmp_path):
    part, message = LINKED[name]
    good[0].save(tmp_path / "m", zipped=False)
    swapped(tmp_path / "m" / part, os.symlink)
    with pytest.raises(BadFileError) as e:
        keras.saving.load_model(tmp_path / "m")
    assert message in str(e.value)


def test_other_things_in_a_folder(good, tmp_path):
    good[0].save(tmp_path / "m", zipped=False)
    with pytest.raises(BadFileError, match="m: assets: assets have at most 20 bytes"):
        keras.saving.load_model(tmp_path / "m", limits=Limits(asset_bytes=20))
    with pytest.raises(BadFileError, match="m: assets: assets have at most 3 files"):
        keras.saving.load_model(tmp_path / "m", limits=Limits(members=3))
    swapped(tmp_path / "m" / STRINGS, lambda old, new: os.mkfifo(new))
    with pytest.raises(BadFileError, match=r"string_lookup/vocabulary.txt: assets are files in folders"):
        keras.saving.load_model(tmp_path / "m")


def test_weights_of_another_vocabulary_leave_the_model(good, tmp_path):
    m = model()
    m.save_weights(tmp_path / "m.weights.h5")
    m.load_weights(tmp_path / "m.weights.h5")
    other = L.IntegerLookup(output_mode="tf_idf")
    x = keras.Input((3,), dtype="int64")
    other.adapt(NUMBERS[:1])
    target = keras.Model(x, other(x))
    before = target(NUMBERS).numpy()
    with pytest.raises(BadFileError, match=r"takes its variables: .*idf_weights are 3 numbers. Received: shape=\(5,\)"):
        target.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(target(NUMBERS).numpy(), before)
    fresh = L.IntegerLookup(output_mode="tf_idf", max_tokens=9, pad_to_max_tokens=True)
    with pytest.raises(BadFileError, match=r"the layer has a vocabulary before its weights are read"):
        keras.Model(x, fresh(x)).load_weights(tmp_path / "m.weights.h5")
