"""Pickled data is read like pickle reads it, and everything that is more than data is refused."""

import contextlib
import io
import os
import pickle

import numpy as np
import pytest

from kerasish.datasets.pickled_data import read_npy, read_pickled

VALUES = [
    None,
    True,
    False,
    0,
    255,
    256,
    65535,
    65536,
    -1,
    2**31,
    -(2**40),
    2**200,
    1.5,
    "text ü",
    "x" * 300,
    b"bytes",
    b"y" * 300,
    [],
    (),
    {},
    [1, [2, (3,)], "a"],
    (1, 2),
    (1, 2, 3, 4),
    {"a": [1], b"b": {"c": (2, 3)}, 5: None},
    list(range(3000)),
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", VALUES, ids=lambda v: repr(v)[:30])
def test_plain_values(value, protocol):
    got = read_pickled(pickle.dumps(value, protocol))
    assert got == value
    assert type(got) is type(value)


def test_shared_values_stay_shared():
    inner = [1]
    got = read_pickled(pickle.dumps([inner, inner]))
    assert got == [[1], [1]]
    assert got[0] is got[1]


ARRAYS = [
    np.arange(6, dtype="uint8").reshape(2, 3),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(3, dtype=">i4"),
    np.zeros((0, 3), "float32"),
    np.array([True, False]),
]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: str(a.dtype))
def test_arrays(array, protocol):
    got = read_pickled(pickle.dumps({"x": array}, protocol))["x"]
    assert got.dtype == array.dtype
    assert np.array_equal(got, array)


def ragged():
    x = np.empty(3, object)
    x[:] = [[1, 300, 70000], [], [2]]
    return x


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_of_lists(protocol):
    got = read_pickled(pickle.dumps(ragged(), protocol))
    assert got.dtype == object
    assert got.tolist() == [[1, 300, 70000], [], [2]]


@pytest.mark.parametrize("array", [*ARRAYS, ragged()], ids=lambda a: str(a.dtype))
def test_npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    got = read_npy(file.getvalue())
    assert got.dtype == array.dtype
    assert got.tolist() == array.tolist()


def test_strings_of_python_2():
    short = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x01K\x02eU\x04dataq\x04T\x05\x00\x00\x00helloq\x05u."
    assert read_pickled(short) == {b"labels": [1, 2], b"data": b"hello"}
    assert read_pickled(b"(dp0\nS'a'\np1\nI7\ns.") == {b"a": 7}


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/kerasish-evil",)


class Stateful:
    def __init__(self):
        self.x = 1


REFUSED = {
    "call": Evil(),
    "call in a list": [Evil()],
    "object": Stateful(),
    "set": {1, 2},
    "complex": complex(1, 2),
    "scalar": np.float64(1),
    "function": len,
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(value, protocol):
    with pytest.raises(ValueError, match=r"^pickled_data: (the file asks for|the stream holds an opcode)"):
        read_pickled(pickle.dumps(value, protocol))
    assert not os.path.exists("/tmp/kerasish-evil")


def test_an_array_of_objects_that_are_more_than_data_is_refused():
    array = np.empty(1, object)
    array[0] = Evil()
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"refused. Received: name='(posix|os).system'"):
        read_npy(file.getvalue())


def test_an_array_that_lies_about_its_size():
    data = pickle.dumps(np.zeros(4, "uint8"), 2)
    lie = data.replace(b"K\x04\x85", b"M\xff\xff\x85")
    assert lie != data
    with pytest.raises(ValueError, match=r"pickled_data: an array has another number of bytes than its shape says"):
        read_pickled(lie)


@pytest.mark.parametrize("value", [VALUES[-2], ragged(), {"x": ARRAYS[0]}], ids=["dict", "lists", "array"])
def test_a_broken_stream_gives_a_named_error(value):
    data = pickle.dumps(value, 2)
    for end in range(len(data)):
        with pytest.raises(ValueError, match=r"^pickled_data: "):
            read_pickled(data[:end])


def test_random_bytes_never_crash():
    rng = np.random.RandomState(0)
    data = bytearray(pickle.dumps({"x": ragged(), "y": ARRAYS[0]}, 2))
    for _ in range(3000):
        changed = bytearray(data)
        for at in rng.randint(0, len(data), 3):
            changed[at] = rng.randint(256)
        with contextlib.suppress(ValueError):
            read_pickled(bytes(changed))


def test_a_value_that_contains_itself_many_times_over():
    loop = [1]
    loop.append(loop)
    got = read_pickled(pickle.dumps(loop))
    assert got[1] is got
    bomb = [0]
    for _ in range(100):
        bomb = [bomb, bomb]
    assert read_pickled(pickle.dumps(bomb))[0][0][0][0] is not None
