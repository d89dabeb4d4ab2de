"""Lengths of texts that a file claims are found in its bytes, and texts that it cannot hold are never asked for."""

import re
import resource
import struct

import h5py
import numpy as np
import pytest

import kerasish as keras
from kerasish.saving import BadFileError
from kerasish.saving.hdf5 import WeightsReader
from kerasish.saving.limits import DEFAULT
from kerasish.saving.object_header import text_bytes


def address(path):
    with h5py.File(path) as f:
        return h5py.h5o.get_info(f["a"].id).addr


def total(path, data=None):
    data = path.read_bytes() if data is None else data
    return text_bytes(lambda at, n: data[at : at + n], address(path))


def write(path, attributes, **options):
    with h5py.File(path, "w", **options) as f:
        group = f.create_group("a")
        for key, value in attributes.items():
            group.attrs[key] = value


def test_texts_are_added_up(tmp_path):
    many = {f"a longer name {k}": "ten bytes!" for k in range(40)}  # more than fit in one block
    write(tmp_path / "f.h5", {"name": "dense", "list": ["ab", "cde"], "number": 3, "fixed": np.bytes_(b"xyz"), **many})
    assert total(tmp_path / "f.h5") == len("dense") + 5 + 400


def test_other_headers_are_refused(tmp_path):
    write(tmp_path / "f.h5", {"name": "dense"}, libver="latest")
    with pytest.raises(ValueError, match="the object header has version 1, not 79"):
        total(tmp_path / "f.h5")
    write(tmp_path / "g.h5", {"name": "dense"})
    data = bytearray((tmp_path / "g.h5").read_bytes())
    at = address(tmp_path / "g.h5")
    data[at + 8 : at + 12] = struct.pack("<I", 3)
    assert total(tmp_path / "g.h5", bytes(data)) == 0
    with pytest.raises(ValueError, match="the object header is whole"):
        text_bytes(lambda a, n: data[a : a + min(n, 9)], at)


def damaged(path):
    """A file of weights, in which the name of a layer claims to have 3 GiB."""
    with h5py.File(path, "w") as f:
        group = f.create_group("layers/dense/vars")
        group["0"], group["1"] = np.ones((4, 3), "f4"), np.ones(3, "f4")
        group.attrs["name"] = "a name of length 27 in all."
        at = h5py.h5o.get_info(group.id).addr
    data = bytearray(path.read_bytes())
    places = [m.start() for m in re.finditer(re.escape(struct.pack("<I", 27)), bytes(data)) if m.start() > at]
    data[places[0] : places[0] + 4] = struct.pack("<I", 3 << 30)
    path.write_bytes(bytes(data))


def test_a_text_that_the_file_cannot_hold(tmp_path):
    path = tmp_path / "w.weights.h5"
    damaged(path)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        BadFileError, match=r"dense/vars: the texts of the attributes fit in the file. Received: bytes=3221"
    ):
        model.load_weights(path, by_name=True)
    with (
        WeightsReader(str(path), path.name, None, DEFAULT) as reader,
        pytest.raises(BadFileError, match="fit in the file"),
    ):
        reader.owner_names()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    model.load_weights(path)  # which asks for no names


BAD_HEAPS = {
    "a step of nothing": (
        lambda d, at: d[: at + 8] + bytes(8) + d[at + 16 :],
        "the parts of a heap follow one another",
    ),
    "a step out of it": (
        lambda d, at: d[: at + 8] + b"\xff" * 4 + bytes(4) + d[at + 16 :],
        "the parts of a heap follow",
    ),
    "no heap": (lambda d, at: d.replace(b"GCOL", b"GCOX"), "a text of an attribute lies in a heap"),
    "another number": (lambda d, at: d.replace(*RENUMBERED), "lies in its heap"),
}
# The header of the first text in a heap: its number, no references, its length of 5.
RENUMBERED = (struct.pack("<HHIQ", 1, 0, 0, 5) + b"dense", struct.pack("<HHIQ", 7, 0, 0, 5) + b"dense")


@pytest.mark.parametrize("name", BAD_HEAPS)
def test_heaps_are_walked_before_the_library_does(name, tmp_path):
    """The library does not come back from a heap with a part of size 0."""
    change, words = BAD_HEAPS[name]
    write(tmp_path / "f.h5", {"name": "dense"})
    data = (tmp_path / "f.h5").read_bytes()
    first = data.index(RENUMBERED[0])
    free = first + 16 + 8  # what is free comes after the text, which takes 8 bytes
    assert data[free : free + 2] == b"\0\0" and data[first - 16 :][:4] == b"GCOL"
    with pytest.raises(ValueError, match=words):
        total(tmp_path / "f.h5", change(data, free))
