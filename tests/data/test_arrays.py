"""Array sources: batches, order, dtypes, weights, validation split, and the errors that name what is wrong."""

import numpy as np
import pytest

from kerasish.data import ArraySource, arrays, batch_source, pack_x_y_sample_weight, train_validation_split
from kerasish.data import unpack_x_y_sample_weight as unpack
from kerasish.engine import config
from kerasish.engine.tensor import Tensor


class Frame:
    """What a data frame or series offers, as far as it is read."""

    def __init__(self, array):
        self.iloc = array
        self.shape = array.shape

    def to_numpy(self):
        return self.iloc


class TorchLike:
    """A tensor that refuses `__array__` until it is detached and on the host."""

    def __init__(self, array, ready=False):
        self.array, self.ready = array, ready

    def detach(self):
        return self

    def cpu(self):
        return TorchLike(self.array, ready=True)

    def __array__(self, dtype=None, copy=None):
        assert self.ready
        return self.array


class Sparse:
    """What a SciPy sparse matrix offers, as far as it is read."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def tocsr(self):
        return self

    def __getitem__(self, index):
        return Sparse(self.array[index])

    def toarray(self):
        return self.array


def batches(*args, **kwargs):
    return list(batch_source(*args, **kwargs))


def test_batches_in_order_with_a_partial_last_one():
    x, y = np.arange(10.0).reshape(5, 2), np.arange(5)
    source = batch_source(x, y, batch_size=2)
    assert (source.num_batches, source.batch_size, source.num_samples) == (3, 2, 5)
    assert source.has_partial_batch
    assert source.partial_batch_size == 1
    got = list(source)
    assert [b[1].tolist() for b in got] == [[0, 1], [2, 3], [4]]
    assert got[2][0].tolist() == [[8.0, 9.0]]
    assert [b[1].tolist() for b in source] == [[0, 1], [2, 3], [4]]  # a second pass


def test_default_batch_size_and_steps():
    x = np.zeros((70, 1))
    assert batch_source(x).batch_size == 32
    assert batch_source(x).num_batches == 3
    assert batch_source(x, steps=5).batch_size == 14
    assert batch_source(np.zeros((64, 1))).partial_batch_size is None


def test_floats_become_floatx_and_integers_stay():
    parts = (np.zeros(2, "float64"), np.zeros(2, "float16"), np.zeros(2, "uint8"), np.zeros(2, "bool"))
    (got,) = batches(parts)[0]
    assert [a.dtype.name for a in got] == ["float32", "float32", "uint8", "bool"]
    before = config.floatx()
    config.set_floatx("float64")
    try:
        assert batches(np.zeros(2, "float32"))[0].dtype == "float64"
    finally:
        config.set_floatx(before)


def test_an_array_too_large_to_convert_at_once_is_converted_batch_by_batch(monkeypatch):
    x = np.arange(6.0)
    for limit in (0, 1 << 30):
        monkeypatch.setattr(arrays, "CONVERTED_BYTES", limit)
        np.random.seed(0)
        source = ArraySource(x, batch_size=4, shuffle=True)
        assert source._rows._array.dtype == ("float64" if limit == 0 else "float32")
        got = list(source)
        assert [b.dtype for b in got] == ["float32", "float32"]
        assert np.array_equal(np.concatenate(got), np.random.RandomState(0).permutation(6))
    assert x.dtype == "float64"


def test_batches_are_contiguous():
    x = np.asfortranarray(np.arange(12.0, dtype="float32").reshape(4, 3))
    for shuffle in (False, True, "batch"):
        assert all(b.flags.c_contiguous for b in batches(x, batch_size=3, shuffle=shuffle))


def test_structures_are_kept():
    x = {"b": np.arange(3), "a": [np.arange(3) * 10, None]}
    y = (np.arange(3), np.arange(3))
    got_x, got_y = batches(x, y, batch_size=2)[1]
    assert list(got_x) == ["b", "a"]
    assert got_x["a"][0].tolist() == [20]
    assert got_x["a"][1] is None
    assert isinstance(got_y, tuple)


def test_what_counts_as_an_array():
    column = np.arange(3, dtype="int64")
    assert batches(Frame(column))[0].tolist() == [[0], [1], [2]]
    assert batches(Frame(np.eye(2)))[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert batches(TorchLike(column))[0].tolist() == [0, 1, 2]
    assert batches(Tensor(column))[0].tolist() == [0, 1, 2]
    got = batches(Sparse(np.eye(3)), batch_size=2)
    assert [b.tolist() for b in got] == [[[1, 0, 0], [0, 1, 0]], [[0, 0, 1]]]
    assert got[0].dtype == "float32"


def test_shuffle_draws_a_new_order_each_pass_and_keeps_rows_together():
    x, y = np.arange(100), np.arange(100) * 2
    source = ArraySource(x, y, batch_size=10, shuffle=True)
    np.random.seed(0)
    first, second = ([b[0] for b in source] for _ in range(2))
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))
    assert sorted(np.concatenate(first)) == list(range(100))
    assert all(np.array_equal(bx * 2, by) for bx, by in source)
    np.random.seed(0)
    assert np.array_equal(np.concatenate([b[0] for b in source]), np.random.RandomState(0).permutation(100))


def test_shuffle_inside_batches_only():
    source = ArraySource(np.arange(40), batch_size=20, shuffle="batch")
    np.random.seed(1)
    got = list(source)
    assert sorted(got[0]) == list(range(20))
    assert got[0].tolist() != list(range(20))


def test_peek_leaves_the_random_state_alone():
    source = ArraySource(np.arange(8), batch_size=3, shuffle=True)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    assert source.peek().tolist() == [0, 1, 2]
    assert np.array_equal(before, np.random.get_state()[1])


def test_nan_is_data():
    assert np.isnan(batches(np.array([np.nan, 1.0]))[0][0])


def test_pack_and_unpack():
    assert unpack("x") == ("x", None, None)
    assert unpack(["x"]) == ("x", None, None)
    assert unpack(("x", "y", "w")) == ("x", "y", "w")
    assert pack_x_y_sample_weight("x") == "x"
    assert pack_x_y_sample_weight(["x"]) == (["x"],)
    assert pack_x_y_sample_weight("x", "y", "w") == ("x", "y", "w")
    with pytest.raises(ValueError, match=r"unpack_x_y_sample_weight: data must have the form .*Received: parts=4"):
        unpack((1, 2, 3, 4))


# -- weights -------------------------------------------------------------------------------------------------------


def test_sample_weight_is_spread_over_outputs():
    x, w = np.zeros(2), np.array([1.0, 2.0])
    _, _, got = batches(x, {"a": x, "b": x}, w)[0]
    assert got["a"].tolist() == got["b"].tolist() == [1.0, 2.0]
    _, _, got = batches(x, [x, x], [w, None])[0]
    assert got[1] is None


@pytest.mark.parametrize(
    "y", [np.array([0, 1, 2, 1]), np.array([[0], [1], [2], [1]]), np.eye(3)[[0, 1, 2, 1]]], ids=["1d", "column", "hot"]
)
def test_class_weight(y):
    _, _, got = batches(np.zeros(4), y, class_weight={0: 1.0, 1: 2.0, 2: 4})[0]
    assert got.tolist() == [1.0, 2.0, 4.0, 2.0]
    assert got.dtype == "float32"


def test_class_weight_without_an_entry_warns_and_counts_one():
    with pytest.warns(UserWarning, match=r"fit: class_weight has no entry for the classes \[1, 3\]; they count"):
        _, _, got = batches(np.zeros(3), np.array([0, 1, 3]), class_weight={0: 5.0})[0]
    assert got.tolist() == [5.0, 1.0, 1.0]


# -- validation split ----------------------------------------------------------------------------------------------


def test_validation_split_takes_the_last_samples():
    x, y = np.arange(10), {"a": np.arange(10) * 2}
    (tx, ty, tw), (vx, vy, vw) = train_validation_split((x, y, None), 0.25)
    assert tx.tolist() == list(range(7))
    assert vx.tolist() == [7, 8, 9]
    assert vy["a"].tolist() == [14, 16, 18]
    assert tw is None
    assert vw is None
    assert len(ty["a"]) == 7


@pytest.mark.parametrize("fraction", [-0.1, 0, 1, 1.5])
def test_validation_split_out_of_range(fraction):
    with pytest.raises(ValueError, match=r"fit: validation_split must be between 0 and 1. Received: validation_split="):
        train_validation_split((np.arange(4), None, None), fraction)


def test_validation_split_that_leaves_nothing():
    with pytest.raises(ValueError, match="fit: validation_split leaves no samples to train on out of 1"):
        train_validation_split((np.arange(1), None, None), 0.5)
    with pytest.raises(ValueError, match="fit: validation_split leaves no samples to validate on out of 2"):
        train_validation_split((np.arange(2), None, None), 1e-20)


def test_validation_split_with_a_generator():
    with pytest.raises(ValueError, match="fit: validation_split needs arrays; give validation_data beside a generator"):
        train_validation_split(((x for x in [1]), None, None), 0.5)


# -- errors --------------------------------------------------------------------------------------------------------

A3, A4 = np.zeros(3), np.zeros(4)
ERRORS = [
    ((A4, A3), {}, r"^fit: all arrays must have the same number of samples. Received: x: 4, y: 3$"),
    (
        ({"a": A4, "b": A3}, A4, A4),
        {},
        r"same number of samples. Received: x\['a'\]: 4, x\['b'\]: 3, y: 4, sample_weight: 4$",
    ),
    ((np.zeros((0, 3)),), {}, r"^fit: the dataset is empty. Received: x.shape=\(0, 3\)$"),
    ((None,), {}, "^fit: x must be given. Received: x=None"),
    ((A3, np.array(["cat", "dog", "cow"])), {}, "^fit: y must hold numbers. Received: dtype='<U3', element="),
    (
        (A3, np.array([1, "a", None], dtype=object)),
        {},
        "^fit: y must hold numbers, but it holds a str. Received: dtype='object', element='a'",
    ),
    ((np.array([1, 2.5], dtype=object),), {}, "fit: x must have a numeric dtype: convert it with `astype`"),
    (
        (np.array([[1], [1, 2]], dtype=object),),
        {},
        r"fit: the rows of x have different lengths: pad them to one .*first_row=\[1\]",
    ),
    ((np.zeros(2, "complex64"),), {}, "fit: x must hold numbers. Received: dtype='complex64'"),
    ((np.array(["2020-01-01"], "datetime64[D]"),), {}, "fit: x must hold numbers. Received: dtype='datetime64"),
    (([[1, 2], [3, 4]],), {}, r"fit: x must be an array .*\(convert lists of numbers with `np.array`\).*x\[0\]\[0\]=1"),
    ((A3, [1, 2, 3]), {}, r"fit: y must be an array or a structure of arrays .*Received: y\[0\]=1"),
    ((np.float32(3.0),), {}, r"fit: x must have at least one axis, the samples. Received: shape=\(\)"),
    ((5,), {}, "fit: x must be an array, .* Received: type='int', x=5"),
    (("abc",), {}, "fit: x must be an array, .* Received: type='str', x='abc'"),
    ((A3,), {"batch_size": 0}, "fit: batch_size must be a positive integer. Received: batch_size=0"),
    ((A3,), {"batch_size": -2}, "fit: batch_size must be a positive integer. Received: batch_size=-2"),
    ((A3,), {"batch_size": 2.5}, "fit: batch_size must be a positive integer. Received: batch_size=2.5"),
    ((A3,), {"shuffle": "all"}, "fit: shuffle must be True, False or \"batch\". Received: shuffle='all'"),
    (
        (A3, A3, A3),
        {"class_weight": {0: 1}},
        "fit: class_weight and sample_weight cannot be given together",
    ),
    ((A3,), {"class_weight": {0: 1}}, "fit: class_weight needs targets y"),
    ((A3, [A3]), {"class_weight": {0: 1}}, r"class_weight is only supported for a single output. Received: y=\[\(3,\)"),
    (
        (A3, np.zeros((3, 2, 2))),
        {"class_weight": {0: 1}},
        r"fit: class_weight needs a class per sample, .* Received: y.shape=\(3, 2, 2\)",
    ),
    ((A3, A3), {"class_weight": [1, 2]}, "fit: class_weight must be a dict from class index to weight"),
    ((A3, A3), {"class_weight": {"a": 1}}, "fit: the keys of class_weight must be class indices.* key='a'"),
    ((A3, A3), {"class_weight": {0: -1}}, r"fit: the values of class_weight must be finite .*class_weight\[0\]=-1"),
    (
        (A3, [A3, A3], [A3]),
        {},
        r"fit: sample_weight must have the structure of y.* y=\[\(3,\), \(3,\)\], sample_weight=\[\(3,\)\]",
    ),
    (
        (A3, [A3, A3], np.zeros((3, 2))),
        {},
        r"fit: one sample_weight for several outputs must have one number per sample. Received: .*shape=\(3, 2\)",
    ),
]


def test_inputs_may_be_strings():
    for words in (np.array(["cat", "dog"]), np.array(["cat", b"dog"], object)):
        x, y = ArraySource(words, A3[:2], batch_size=1).gather(slice(1, None))
        assert x.tolist() == words[1:].tolist()
        assert y.tolist() == A3[1:2].tolist()


@pytest.mark.parametrize(("args", "kwargs", "message"), ERRORS, ids=[e[2][:60] for e in ERRORS])
def test_errors(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        batch_source(*args, **kwargs)


def test_errors_name_the_caller():
    with pytest.raises(ValueError, match=r"^predict: the dataset is empty"):
        batch_source(np.zeros((0, 3)), where="predict")
