"""Lookup, hashing, text and category layers: Keras's numbers, models and files with them, what is refused."""

import json

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.ops.hashing import farmhash64, hash_strings, siphash64

from .lookup_cases import CASES, NUMBERS, TEXTS, I, S, result_of

WANT = json.loads(NUMBERS.read_text())
WORDS = np.array([["a"], ["b"], ["zz"], ["a"]])


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_those_of_keras_on_tensorflow(name):
    got, want = result_of(name, layers), WANT[name]
    assert got["dtype"] == want["dtype"]
    assert np.shape(got["output"]) == np.shape(want["output"])
    for key in ("output", "state"):
        if want[key] is None or np.asarray(want[key]).dtype.kind in "UO":
            assert got[key] == want[key]
        else:
            np.testing.assert_allclose(got[key], want[key], rtol=1e-6)


def test_hashes():
    """Those of FarmHash's and SipHash's own documents are in the docstrings; these were computed by TensorFlow."""
    texts = ["", "a", "abcd", "hello wo", "café", "1234567890123456"]
    plain = [
        1936946117179621455,
        3694432073954588131,
        1897425971756105985,
        3616420679985843595,
        2156005646011579779,
        3404047305357624356,
    ]
    salted = [
        316627932347062996,
        2466253977694453450,
        3196519216900852167,
        2130758417722720042,
        2200240678201728454,
        2538099170450763939,
    ]
    texts = [t.encode() for t in texts]
    assert hash_strings(texts, 2**62).tolist() == [farmhash64(t) % 2**62 for t in texts] == plain
    assert (
        hash_strings(texts, 2**62, (133, 137)).tolist() == [siphash64(t, (133, 137)) % 2**62 for t in texts] == salted
    )


@pytest.mark.filterwarnings("ignore:predict_step of .* runs op by op")  # an inverse lookup gives no tensors
@pytest.mark.parametrize("name", [n for n in CASES if not n.endswith(" 0")])
def test_models_and_files(name, tmp_path):
    """Symbolic and real results agree, also through a file, whose vocabulary is an asset or in the config."""
    make, data, x = CASES[name]
    layer = make(layers)
    if data is not None:
        layer.adapt(np.array(data))
    many = x if name.startswith("crossing") else [x]
    x = [np.asarray(v) for v in many]
    inputs = [
        keras.Input(
            v.shape[1:], dtype="string" if v.dtype.kind == "U" else "float32" if v.dtype.kind == "f" else "int64"
        )
        for v in x
    ]
    model = keras.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]))
    want = layer(x if len(x) > 1 else x[0])
    want = want if isinstance(want, np.ndarray) else want.numpy()
    assert model.output.dtype == ("string" if want.dtype == object else want.dtype.name)
    assert len(model.output_shape) == want.ndim
    assert all(d is None or d == n for d, n in zip(model.output_shape, want.shape))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for m in (model, again):
        np.testing.assert_array_equal(m.predict(x, verbose=0), want)
        np.testing.assert_array_equal(m.predict(x, verbose=0), want)  # compiled, where it can be
    if hasattr(layer, "get_vocabulary"):
        assert again.layers[-1].get_vocabulary() == layer.get_vocabulary()


def trained_on_words():
    look = layers.StringLookup()
    look.adapt(WORDS)
    word, number = keras.Input((1,), dtype="string", name="word"), keras.Input((1,), dtype="int64", name="number")
    pair = layers.HashedCrossing(7, output_mode="one_hot")([word, number])
    y = layers.Flatten()(layers.Embedding(5, 3)(look(word)))
    y = layers.Concatenate()([y, pair, layers.IntegerLookup(vocabulary=[3, 4], output_mode="multi_hot")(number)])
    model = keras.Model([word, number], layers.Dense(1)(y))
    model.compile("adam", "mse")
    x = {"word": WORDS, "number": np.array([[3], [4], [5], [6]])}
    model.fit(x, np.ones((4, 1)), epochs=2, batch_size=3, verbose=0)
    return model, x


@pytest.mark.filterwarnings("error")
def test_models_that_are_fed_strings_train_and_go_through_files(tmp_path):
    model, x = trained_on_words()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for m in (model, again):
        m.fit(x, np.ones((4, 1)), shuffle=False, batch_size=2, verbose=0)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, batch_size=3, verbose=0))
    assert again.evaluate(x, np.ones((4, 1)), verbose=0) == model.evaluate(x, np.ones((4, 1)), verbose=0)


class Tagger(keras.Model):
    def __init__(self):
        super().__init__()
        self.look = layers.StringLookup(vocabulary=["a"])
        self.embed = layers.Embedding(3, 2)

    def call(self, x):
        return self.embed(self.look(x))


def test_models_of_other_kinds_are_fed_strings():
    assert Tagger().predict(WORDS, verbose=0).shape == (4, 1, 2)
    text = layers.TextVectorization(output_mode="count")
    text.adapt(TEXTS)
    model = keras.Sequential([text, layers.Dense(2)])
    model.compile("sgd", "mse")
    model.fit(np.array(TEXTS), np.ones((3, 2)), verbose=0)
    assert model(np.array(TEXTS)).shape == model.predict(np.array(TEXTS, object), verbose=0).shape == (3, 2)
    assert text("the cat").shape == (len(text.get_vocabulary()),)


def test_a_compiled_model_follows_the_vocabulary():
    layer = layers.IntegerLookup(vocabulary=[5, 6])
    x = keras.Input((1,), dtype="int64")
    model = keras.Model(x, layer(x))
    for order in ([5, 6], [6, 5], [5, 6]):
        layer.set_vocabulary(order)
        for _ in range(3):
            assert model.predict(np.array([[5], [6], [7]]), verbose=0).ravel().tolist() == [
                *(1 + order.index(v) for v in (5, 6)), 0
            ]  # fmt: skip


def test_vocabularies_from_where_they_may_come(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("a\nb\n")
    layer = layers.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "a", "b"]
    assert layer.get_config()["vocabulary"] is None
    x = keras.Input((1,), dtype="string")
    keras.Model(x, layer(x)).save(tmp_path / "model.keras")
    path.unlink()
    again = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert again.get_vocabulary(include_special_tokens=False) == ["a", "b"]
    for vocabulary in (("a", "b"), np.array(["a", "b"]), np.array([b"a", b"b"]), path):
        if vocabulary is path:
            path.write_text("a\nb")
        assert layers.StringLookup(vocabulary=vocabulary)(S).numpy().tolist() == layer(S).numpy().tolist()
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("12\n-3")
    assert layers.IntegerLookup(vocabulary=numbers).get_vocabulary() == [-1, 12, -3]


def test_adapting_in_batches():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return S[i : i + 1], np.zeros(1)

    want = layers.StringLookup()
    want.adapt(S)
    for data, steps in ((Batches(), None), ((S[i : i + 1] for i in (0, 1, 1)), 2), ([*S[0], *S[1]], None)):
        layer = layers.StringLookup()
        layer.adapt(data, steps=steps)
        assert layer.get_vocabulary() == want.get_vocabulary()
    text = layers.TextVectorization()
    text.adapt(iter([np.array(TEXTS[:2]), np.array(TEXTS[2:]), np.array(["no"])]), steps=2)
    whole = layers.TextVectorization()
    whole.adapt(TEXTS)
    assert text.get_vocabulary() == whole.get_vocabulary()
    bins = layers.Discretization(num_bins=2, epsilon=0.5)
    bins.adapt(iter([np.arange(4.0), np.arange(4.0, 8.0)]))
    assert len(bins.bin_boundaries) == 1
    layer.adapt([])
    assert layer.get_vocabulary() == want.get_vocabulary()


def test_masks_and_functions():
    weighted = layers.CategoryEncoding(3, output_mode="count")([[0, 1], [1, 1]], count_weights=[[0.5, 0.25], [1, 2]])
    assert weighted.numpy().tolist() == [[0.5, 0.25, 0.0], [0.0, 3.0, 0.0]]
    assert layers.CategoryEncoding(3, output_mode="count")(2, count_weights=0.5).numpy().tolist() == [0.0, 0.0, 0.5]

    def upper(x):
        return np.char.upper(x)

    def halves(x):
        return [[t[:1], t[1:]] for t in x]

    huge = layers.TextVectorization.from_config({"ngrams": 10**9, "vocabulary": ["a b"]})
    assert huge(["a b"]).numpy().tolist() == [[1, 1, 2]]
    layer = layers.TextVectorization(standardize=upper, split=halves, vocabulary=["A", "BC"])
    assert layer(["abc", "xbc"]).numpy().tolist() == [[2, 3], [1, 3]]
    config = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(config, custom_objects={"upper": upper, "halves": halves})
    assert again(["abc"]).numpy().tolist() == [[2, 3]]


def test_failed_loading_leaves_the_state(tmp_path):
    def model(idf, units):
        x = keras.Input((2,), dtype="int64")
        layer = layers.IntegerLookup(vocabulary=[1, 2], output_mode="tf_idf", idf_weights=idf)
        return keras.Model(x, layers.Dense(units)(layer(x)))

    a, b = model([1.0, 2.0], 3), model([5.0, 6.0], 4)
    b.save_weights(tmp_path / "b.weights.h5")
    before = a(I[:, :2]).numpy()
    with pytest.raises(keras.saving.BadFileError, match="expects shape"):
        a.load_weights(tmp_path / "b.weights.h5")
    from kerasish.saving.state import unchanged_on_error

    with pytest.raises(KeyError), unchanged_on_error(a):
        a.layers[1]._idf = np.zeros(3, "float32")
        raise KeyError
    np.testing.assert_array_equal(a(I[:, :2]).numpy(), before)


L = layers
BAD = {
    "mode": (lambda: L.StringLookup(output_mode="many"), "StringLookup: output_mode is one of ('int', 'one_hot',"),
    "sparse": (lambda: L.StringLookup(output_mode="count", sparse=True), "sparse tensors are not supported"),
    "max_tokens": (lambda: L.IntegerLookup(max_tokens=1), "IntegerLookup: max_tokens is greater than 1. Received"),
    "num_oov": (lambda: L.IntegerLookup(num_oov_indices=-1), "num_oov_indices is an integer of at least 0"),
    "size": (lambda: L.IntegerLookup(vocabulary_size="3"), "vocabulary_size is an integer of at least 0"),
    "pad": (lambda: L.IntegerLookup(pad_to_max_tokens=True), "pad_to_max_tokens needs max_tokens"),
    "invert": (lambda: L.IntegerLookup(invert=True, output_mode="count"), "output_mode of an inverse lookup is 'int'"),
    "method": (lambda: L.IntegerLookup(oov_method="md5"), "oov_method is 'floormod' or 'farmhash'"),
    "salt": (lambda: L.IntegerLookup(salt=3), "salt belongs to oov_method='farmhash'"),
    "salts": (lambda: L.StringLookup(salt=[1, 2, 3]), "salt is an integer, or a list or tuple of two"),
    "idf": (lambda: L.StringLookup(idf_weights=[1.0]), "idf_weights belong to output_mode='tf_idf'"),
    "no idf": (lambda: L.StringLookup(vocabulary=["a"], output_mode="tf_idf"), "comes with idf_weights"),
    "idf length": (
        lambda: L.StringLookup(vocabulary=["a"], output_mode="tf_idf", idf_weights=[1.0, 2.0]),
        "idf_weights are 1 numbers, one for each entry",
    ),
    "idf later": (lambda: L.StringLookup().set_vocabulary(["a"], [1.0]), "given in output_mode='tf_idf' and no other"),
    "idf of a file": (
        lambda: L.StringLookup(vocabulary="x.txt", idf_weights=[1], output_mode="tf_idf"),
        "a file has no idf_weights",
    ),
    "dtype": (lambda: L.IntegerLookup(vocabulary_dtype="int32"), "vocabulary_dtype is 'int64'"),
    "encoding": (lambda: L.StringLookup(encoding=None), "StringLookup: encoding is a name"),
    "empty": (lambda: L.StringLookup(vocabulary=[]), "set_vocabulary: a vocabulary is not empty"),
    "nested": (lambda: L.StringLookup(vocabulary=np.array([["a"]])), "a vocabulary is a list or a vector of tokens"),
    "twice": (lambda: L.StringLookup(vocabulary=["a", "b", "a"]), "a token stands once. Received: twice=['a']"),
    "mask": (
        lambda: L.StringLookup(vocabulary=["a", ""], mask_token=""),
        "the mask_token stands at its place in front",
    ),
    "oov": (lambda: L.StringLookup(vocabulary=["a", "[UNK]"], invert=True), "the oov_token stands at its place"),
    "long": (lambda: L.StringLookup(3, vocabulary=["a", "b", "c"]), "at most max_tokens=3 entries. Received: size=4"),
    "token": (lambda: L.StringLookup(vocabulary=["a", 1]), "StringLookup: vocabulary has strings. Received: value=1"),
    "number": (lambda: L.IntegerLookup(vocabulary=[1, 2.5]), "vocabulary has integers of 64 bits. Received: value=2.5"),
    "line": (lambda: parse(L.IntegerLookup()), "each line of a vocabulary is an integer. Received: line='two'"),
    "bytes": (
        lambda: L.StringLookup(vocabulary=["a"])(np.array([b"\xff"])),
        "the input has bytes that are text in utf-8",
    ),
    "path": (
        lambda: L.StringLookup.from_config({"vocabulary": "/etc/passwd"}),
        "no file that a config names is opened",
    ),
    "text path": (
        lambda: L.TextVectorization.from_config({"vocabulary": "x"}),
        "no file that a config names is opened",
    ),
    "unknown": (lambda: L.IntegerLookup(vocabulary=[1], num_oov_indices=0)(I), "all inputs are in the vocabulary"),
    "unknown text": (
        lambda: L.StringLookup(vocabulary=["a"], num_oov_indices=0)(S),
        "all inputs are in the vocabulary. Received: unk",
    ),
    "again": (lambda: L.IntegerLookup(vocabulary=[1]).adapt(I), "adapt: the vocabulary was given to the constructor"),
    "not hashed": (lambda: L.Hashing(0), "Hashing: num_bins is a positive integer"),
    "hash dtype": (lambda: L.Hashing(3, dtype="float32"), "in output_mode='int' the dtype is int32 or int64"),
    "crossing mode": (lambda: L.HashedCrossing(3, output_mode="count"), "output_mode is one of ('int', 'one_hot')"),
    "crossing more": (lambda: L.HashedCrossing(3, salt=3), "HashedCrossing: unknown arguments. Received: salt=3"),
    "crossing one": (lambda: L.HashedCrossing(3)([I[:, :1]]), "the inputs are a list of two features or more"),
    "crossing array": (lambda: L.HashedCrossing(3)(I), "the inputs are a list of two features or more"),
    "crossing shapes": (
        lambda: L.HashedCrossing(3)([I[:, :1], I[0]]),
        "the inputs have the same shape, (), (batch,) or",
    ),
    "cross": (lambda: ops.hashing.hash_cross([I, I[0]], 3), "hash_cross: the columns have the same shape"),
    "categories": (lambda: L.CategoryEncoding(), "CategoryEncoding: num_tokens is a positive integer"),
    "outside": (lambda: L.CategoryEncoding(3)([[3]]), "categories lie in [0, num_tokens)"),
    "weights": (
        lambda: L.CategoryEncoding(3)([[1]], count_weights=[[1.0]]),
        "count_weights belong to output_mode='count'",
    ),
    "weights shape": (
        lambda: L.CategoryEncoding(3, output_mode="count")([[1]], count_weights=[1.0]),
        "have the shape of the inputs",
    ),
    "scalar counts": (lambda: ops.categories.count_categories(3, 4, "int64"), "a sample has an axis"),
    "bins": (lambda: L.Discretization(), "one of bin_boundaries and num_bins is given"),
    "bins order": (lambda: L.Discretization([2.0, 1.0]), "bin_boundaries are numbers in ascending order"),
    "bins text": (lambda: L.Discretization(["a"]), "bin_boundaries are numbers in ascending order"),
    "epsilon": (lambda: L.Discretization(num_bins=3, epsilon=0.0), "epsilon is greater than 0"),
    "bins early": (
        lambda: L.Discretization(num_bins=3)([1.0]),
        "bin_boundaries are given, or adapt() is called, before",
    ),
    "bins given": (lambda: L.Discretization([1.0]).adapt([[1.0]]), "adapt: the bin_boundaries were given"),
    "bins empty": (lambda: L.Discretization(num_bins=3).adapt([]), "adapt: the data have at least one value"),
    "ragged": (lambda: L.TextVectorization(ragged=True), "ragged tensors are not supported"),
    "standardize": (lambda: L.TextVectorization(standardize="upper"), "standardize is a function or one of"),
    "split": (lambda: L.TextVectorization(split="lines"), "split is a function or one of"),
    "ngrams": (lambda: L.TextVectorization(ngrams=(2, 0)), "ngrams is a positive integer"),
    "length": (
        lambda: L.TextVectorization(output_mode="count", output_sequence_length=3),
        "belongs to output_mode='int'",
    ),
    "texts": (
        lambda: L.TextVectorization(vocabulary=["a"])(S),
        "texts that are split have shape (batch,) or (batch, 1)",
    ),
    "y": (lambda: trained_on_words()[0].evaluate({}, WORDS, verbose=0), "y must hold numbers"),
}


def parse(layer):
    return layer._parse("two")


@pytest.mark.parametrize("case", BAD)
def test_errors(case):
    act, message = BAD[case]
    with pytest.raises(ValueError) as e:
        act()
    assert message in str(e.value)


def dense(x):
    model = keras.Sequential([keras.Input((1,)), layers.Dense(2)])
    return model.predict(x, verbose=0)


def string_input(shape=(1,)):
    return keras.Input(shape, dtype="string", name="text")


WRONG_KINDS = {
    "numbers": (lambda: L.StringLookup(vocabulary=["a"])(I), "the input is a NumPy array or a list of strings"),
    "symbol": (lambda: L.StringLookup()(keras.Input((3,))), "the inputs are strings, Input(dtype='string') in a model"),
    "text symbol": (lambda: L.TextVectorization()(keras.Input((3,))), "the inputs are strings, Input(dtype='string')"),
    "strings": (lambda: L.IntegerLookup(vocabulary=[1])(S), "values must be numbers"),
    "floats": (lambda: L.IntegerLookup(vocabulary=[1])([1.0]), "the inputs are integers. Received: dtype='float64'"),
    "adapt": (lambda: L.IntegerLookup().adapt([1.5]), "the data are an array or a list of integers"),
    "adapt rows": (lambda: L.IntegerLookup().adapt([[1], [1, 2]]), "the data are an array or a list of integers"),
    "adapt text": (lambda: L.StringLookup().adapt([["a"], ["b", "c"]]), "the input is a NumPy array or a list of str"),
    "adapt nothing": (lambda: L.StringLookup().adapt(3), "data is an array, a tensor, a PyDataset or an iterable"),
    "adapt bins": (lambda: L.Discretization(num_bins=2).adapt(S), "adapt: the data are numbers"),
    "crossing": (lambda: L.HashedCrossing(3)([I[:, :1], I[:, :1] / 2]), "an input holds integers or strings"),
    "hashed": (lambda: ops.hashing.hash_buckets(np.ones(2), 3), "hash_buckets: what is hashed are integers"),
    "counted": (lambda: ops.categories.count_categories(np.ones(2), 3, "int64"), "categories are integers"),
    "op": (lambda: ops.reshape(string_input(), (-1,)), "reshape: ops work on numbers; strings go into layers"),
    "a model": (lambda: dense(WORDS), "values must be numbers or bools. Received: dtype='<U2', first='a'"),
    "a model of strings": (
        lambda: keras.Model(x := string_input(), L.StringLookup(vocabulary=["a"])(x)).predict(I[:, :1], verbose=0),
        "input 'text': the input is a NumPy array or a list of strings: tensors hold none",
    ),
}


@pytest.mark.parametrize("case", WRONG_KINDS)
def test_wrong_kinds_of_input(case):
    act, message = WRONG_KINDS[case]
    with pytest.raises(TypeError) as e:
        act()
    assert message in str(e.value)


def test_states_that_are_not_ready():
    with pytest.raises(RuntimeError, match="the layer has a vocabulary before it is called"):
        layers.IntegerLookup()(I)
    with pytest.raises(RuntimeError, match="the layer has a vocabulary before it is called"):
        layers.TextVectorization()(TEXTS)
    layer = layers.IntegerLookup(output_mode="multi_hot")
    assert layer(keras.Input((3,), dtype="int64")).shape == (None, None)
    layer.adapt(I)
    assert layer(keras.Input((3,), dtype="int64")).shape == (None, 6)
    with pytest.raises(RuntimeError, match="the vocabulary keeps its size, 6, which is that of the output"):
        layer.adapt(I[:1])
    assert layer.vocabulary_size() == 6
    with pytest.raises(ValueError, match="output_mode='tf_idf' needs idf_weights"):
        layer = layers.IntegerLookup(output_mode="tf_idf")
        layer._take([3], None, "")
        layer(I)
    x = keras.Input((2, 2), dtype="string")
    with pytest.raises(ValueError, match=r"input 'text' has shape \(None, 1\)"):
        keras.Model(y := string_input(), layers.StringLookup(vocabulary=["a"])(y))(np.array([[["a"]]]))
    assert layers.StringLookup(vocabulary=["a"])(x).shape == (None, 2, 2)
