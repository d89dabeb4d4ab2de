"""Layers whose numbers in Keras need TensorFlow: what they gave there is in `lookup_numbers.json`.

KERAS_BACKEND=tensorflow python tests/layers/lookup_cases.py     # writes the file anew, with Keras 3.15
"""

import json
from pathlib import Path

import numpy as np

NUMBERS = Path(__file__).with_name("lookup_numbers.json")
I = np.array([[12, 7, 12], [1, 42, 9]])
S = np.array([["a", "q", "a"], ["c", "", "élan vital"]])
TEXTS = ["The cat, sat;  on\tthe MAT!", "ÉLAN vital no-one's the cat", " a "]
FOUND = [["a", "b", "c"], ["a", "c", "zz"], ["d", "a", "a"]]
FLOATS = np.random.RandomState(3).normal(size=(40, 3)).round(3)
MODES = ("int", "one_hot", "multi_hot", "count")
LONG = np.array([["x" * n + "yz" * (n % 3)] for n in (0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 200)])

# name: (make, what it is adapted to, inputs)
CASES = {}
for mode in MODES:
    for rank, x in enumerate((np.int64(7), I[0], I, I[:, :1])):
        more = {"mask_token": 9, "output_mode": mode}
        CASES[f"integers {mode} {rank}"] = (
            lambda L, more=more: L.IntegerLookup(vocabulary=[12, 42, 7], **more), None, x
        )  # fmt: skip
    CASES[f"strings {mode}"] = (
        lambda L, mode=mode: L.StringLookup(vocabulary=["a", "b", "c"], output_mode=mode, mask_token=""), None, S
    )  # fmt: skip
    CASES[f"text {mode}"] = (
        lambda L, mode=mode: L.TextVectorization(output_mode=mode, ngrams=None if mode == "one_hot" else 2),
        TEXTS if mode != "one_hot" else None, TEXTS,
    )  # fmt: skip
    CASES[f"hashing {mode}"] = (lambda L, mode=mode: L.Hashing(5, output_mode=mode, mask_value=7), None, I)
    CASES[f"bins {mode}"] = (
        lambda L, mode=mode: L.Discretization([0.0, 0.5], output_mode=mode), None, FLOATS[:4].astype("float32")
    )  # fmt: skip
del CASES["text one_hot"]  # Keras has no vectors for words of texts of different lengths
CASES.update({
    "integers idf": (
        lambda L: L.IntegerLookup(vocabulary=[12, 42, 7], output_mode="tf_idf", idf_weights=[0.5, 0.25, 0.125]),
        None, I,
    ),
    "integers several": (lambda L: L.IntegerLookup(vocabulary=[12], num_oov_indices=3, mask_token=1), None, -I),
    "integers farmhash": (
        lambda L: L.IntegerLookup(vocabulary=[12], num_oov_indices=7, oov_method="farmhash"), None, -I
    ),
    "integers salt": (
        lambda L: L.IntegerLookup(vocabulary=[12], num_oov_indices=7, oov_method="farmhash", salt=[3, -4]), None, I
    ),
    "integers inverse": (
        lambda L: L.IntegerLookup(vocabulary=[12, 42, 7], invert=True, mask_token=0, num_oov_indices=2), None,
        np.arange(-1, 8),
    ),
    "integers adapted": (lambda L: L.IntegerLookup(max_tokens=4), np.array([[5, 5, 3], [9, 3, 4]]), np.arange(11)),
    "integers adapted idf": (lambda L: L.IntegerLookup(output_mode="tf_idf"), I, I),
    "strings several": (lambda L: L.StringLookup(vocabulary=["a"], num_oov_indices=9, mask_token=""), None, LONG),
    "strings salt": (lambda L: L.StringLookup(vocabulary=["a"], num_oov_indices=9, salt=[2**40, 7]), None, LONG),
    "strings inverse": (
        lambda L: L.StringLookup(vocabulary=["a", "b"], invert=True, mask_token="", oov_token="?"), None,
        np.arange(-1, 6),
    ),
    "strings given whole": (lambda L: L.StringLookup(vocabulary=["", "[UNK]", "b"], mask_token=""), None, S),
    "strings adapted": (
        lambda L: L.StringLookup(output_mode="tf_idf", max_tokens=8, pad_to_max_tokens=True), FOUND, S
    ),
    "strings adapted to a vector": (
        lambda L: L.StringLookup(output_mode="tf_idf", max_tokens=4), [w for row in FOUND for w in row], S
    ),
    "text idf": (lambda L: L.TextVectorization(8, output_mode="tf_idf", split="character"), TEXTS, TEXTS),
    "text cut": (
        lambda L: L.TextVectorization(output_sequence_length=4, standardize="lower", vocabulary=["the", "cat,", "a"]),
        None, TEXTS,
    ),
    "text groups": (lambda L: L.TextVectorization(ngrams=(2, 3), standardize="strip_punctuation"), TEXTS, TEXTS),
    "text words": (
        lambda L: L.TextVectorization(split=None, output_sequence_length=2, vocabulary=["a", "c"], standardize=None),
        None, S,
    ),
    "hashing strings": (lambda L: L.Hashing(11), None, LONG),
    "hashing salt": (lambda L: L.Hashing(11, salt=133, mask_value="x"), None, LONG),
    "hashing floats": (lambda L: L.Hashing(11, dtype="int32"), None, FLOATS[:5] * 10),
    "hashing pair": (lambda L: L.Hashing(4, salt=[133, -137], output_mode="count"), None, I),
    "crossing": (lambda L: L.HashedCrossing(50), None, [LONG, np.arange(len(LONG))[:, None] - 4]),
    "crossing integers": (lambda L: L.HashedCrossing(50), None, [np.arange(-3, 9), np.arange(12) ** 5]),
    "crossing one_hot": (
        lambda L: L.HashedCrossing(4, output_mode="one_hot"), None, [I[:, :1], I[:, 1:2], np.array([["a"], ["b"]])]
    ),
    "categories": (lambda L: L.CategoryEncoding(5, output_mode="count"), None, np.array([[0, 3, 3], [4, 1, 1]])),
    "categories one": (lambda L: L.CategoryEncoding(5, output_mode="one_hot"), None, np.array([[0], [3]])),
    "bins adapted": (lambda L: L.Discretization(num_bins=4, epsilon=0.05), FLOATS, FLOATS),
})  # fmt: skip


def result_of(name, layers):
    """The vocabulary or boundaries of a case, its output as a list, and the output's dtype."""
    make, data, x = CASES[name]
    layer = make(layers)
    if data is not None:
        layer.adapt(np.array(data) if "list" not in name else data)
    y = layer(x)
    y = np.asarray(y.numpy() if hasattr(y, "numpy") else y)
    y = (
        np.vectorize(lambda t: t.decode() if isinstance(t, bytes) else t, otypes=[object])(y)
        if y.dtype == object
        else y
    )
    state = getattr(layer, "bin_boundaries", None)
    if hasattr(layer, "get_vocabulary"):
        state = [v if isinstance(v, str) else int(v) for v in layer.get_vocabulary()]
    return {"state": state, "output": y.tolist(), "dtype": str(y.dtype)}


if __name__ == "__main__":
    import keras

    assert keras.backend.backend() == "tensorflow"
    out = {}
    for name in CASES:
        try:
            out[name] = result_of(name, keras.layers)
        except Exception as error:
            print(name, type(error).__name__, str(error)[:300])
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items())
    NUMBERS.write_text("{\n" + lines + "\n}\n")
