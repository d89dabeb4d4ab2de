"""KerasFileEditor shows, compares, edits and writes files."""

import re

import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError, KerasFileEditor

from .hostile import model


@pytest.fixture
def editor(tmp_path):
    model().save_weights(tmp_path / "w.weights.h5")
    return KerasFileEditor(str(tmp_path / "w.weights.h5"))


def test_tree_and_summary(editor, capsys):
    assert sorted(editor.weights_dict["layers"]) == ["dense", "dense_1"]
    assert editor.weights_dict["layers"]["dense"]["0"].shape == (4, 3)
    assert editor.object_metadata["layers/dense"] == {"name": "body"}
    capsys.readouterr()
    editor.summary()
    assert "    dense ('body')\n      0: shape=(4, 3), dtype=float32\n" in capsys.readouterr().out


def test_a_whole_model(tmp_path, capsys):
    model().save(tmp_path / "m.keras")
    editor = KerasFileEditor(tmp_path / "m.keras")
    assert editor.config["class_name"] == "Functional" and editor.metadata["keras_version"] == "3.15.0"
    assert "Saved with Keras 3.15.0" in capsys.readouterr().out
    (tmp_path / "m.keras").write_bytes(b"no zip")
    with pytest.raises(BadFileError, match=r"m.keras: the file is a zip archive"):
        KerasFileEditor(tmp_path / "m.keras")


def test_compare(editor, capsys):
    assert editor.compare(model()) == {"status": "success", "error_count": 0, "match_count": 4}
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    assert editor.compare(other) == {"status": "error", "error_count": 4, "match_count": 0}
    out = capsys.readouterr().out
    assert "Weight shape mismatch for layers/dense/0: (4, 5) in reference model, (4, 3) in saved file" in out
    assert "Weight layers/dense_1/0 present in saved file, missing from reference model" in out
    assert KerasFileEditor.compare(editor, keras.Sequential([keras.Input((4,))]))["error_count"] == 4


def test_edit_and_save(editor, tmp_path):
    editor.rename_object("dense_1", "other")
    editor.add_object("layers/more", {"0": np.ones(3)})
    editor.delete_weight("layers/dense", "1")
    editor.add_weights("dense", {"1": np.zeros(3, "float32")})
    editor.save(tmp_path / "e.weights.h5")
    again = KerasFileEditor(tmp_path / "e.weights.h5")
    assert sorted(again.weights_dict["layers"]) == ["dense", "more", "other"]
    assert again.object_metadata["layers/dense"] == {"name": "body"}
    editor.delete_object("layers/more")
    editor.rename_object("layers/other", "dense_1")
    editor.resave_weights(tmp_path / "f.weights.h5")
    net = model()
    net.load_weights(tmp_path / "f.weights.h5")
    assert not net.get_layer("body").bias.numpy().any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda e, p: KerasFileEditor(p / "a.txt"), "KerasFileEditor: the file name ends in .keras or .weights.h5"),
        (lambda e, p: e.save(p / "a.h5"), "KerasFileEditor.save: the file name ends in .weights.h5"),
        (lambda e, p: e.rename_object("dense", "a/b"), "new_name is a name and no path. Received: new_name='a/b'"),
        (lambda e, p: e.delete_object("nope"), "the name is in the file. Received: name='nope'"),
        (lambda e, p: e.delete_object("0"), "a name that is there several times needs its path. Received: name='0'"),
        (lambda e, p: e.delete_object("layers/nope"), "the path is in the file. Received: path='layers/nope'"),
        (lambda e, p: e.add_object("no/where", {}), "the path is in the file. Received: path='no/where'"),
        (lambda e, p: e.add_object("x", [1]), "weights is a dict from keys"),
        (lambda e, p: e.add_weights("dense", [1]), "weights is a dict from keys"),
        (lambda e, p: e.delete_weight("dense", "7"), "the object 'dense' has this weight; it has ['0', '1']"),
    ],
)
def test_errors(editor, tmp_path, call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call(editor, tmp_path)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
def test_keras_reads_what_the_editor_writes(editor, tmp_path):
    import keras as reference

    editor.save(tmp_path / "e.weights.h5")
    x = reference.Input((4,))
    theirs = reference.Model(x, reference.layers.Dense(2)(reference.layers.Dense(3)(x)))
    theirs.load_weights(tmp_path / "e.weights.h5")
    assert all(np.array_equal(np.asarray(a), b) for a, b in zip(theirs.get_weights(), model().get_weights()))
