"""What Keras stores of metrics, seed generators and nested parts, and where: files have the same groups and arrays."""

import io
import zipfile

import h5py
import numpy as np
import pytest

import kerasish as keras

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]


def parts(K):
    """Classes with a metric, a seed generator and lists of them as attributes, as a user's own would have them."""
    L = K.layers

    class Counting(L.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seen = K.metrics.Mean(name="seen")
            self.several = [K.metrics.Sum(name="total"), L.Dense(3)]
            self.generator = K.random.SeedGenerator(7)
            self.drop = L.Dropout(0.5, seed=3)

        def build(self, shape):
            self.several[1].build(shape)

        def call(self, x):
            return self.several[1](x)

    class Net(K.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.counting = Counting()
            self.tracker = K.metrics.MeanSquaredError(name="tracker")
            self.norm = L.BatchNormalization()

        def call(self, x, training=False):
            return self.norm(self.counting(x), training=training)

    return {"Counting": Counting, "Net": Net}


def build(K):
    K.backend.clear_session()
    K.utils.set_random_seed(1)
    model = parts(K)["Net"]()
    model.compile(K.optimizers.Adam(0.01), "mse", metrics=["mae", K.metrics.CosineSimilarity()])
    x = np.linspace(0, 1, 12, dtype="float32").reshape(4, 3)
    model.fit(x, x, verbose=0)
    model.counting.seen.update_state([1.0, 2.0, 6.0])
    model.tracker.update_state([[1.0]], [[3.0]])
    return model


def arrays(path):
    with zipfile.ZipFile(path) as z, h5py.File(io.BytesIO(z.read("model.weights.h5"))) as f:
        found = {}
        f.visititems(lambda n, o: found.update({n: np.asarray(o) if hasattr(o, "shape") else o.attrs.get("name", "")}))
        return found


def test_what_is_stored_and_where(tmp_path):
    import keras as reference

    build(reference).save(tmp_path / "theirs.keras")
    model = build(keras)
    model.save(tmp_path / "mine.keras")
    theirs, mine = arrays(tmp_path / "theirs.keras"), arrays(tmp_path / "mine.keras")
    assert mine.keys() == theirs.keys()
    assert {n: v.shape for n, v in mine.items() if hasattr(v, "shape")} == {
        n: v.shape for n, v in theirs.items() if hasattr(v, "shape")
    }
    # Neither metrics (compiled ones, or attributes) nor seed generators are there.
    assert not [
        n for n in mine if any(word in n for word in ("seed", "generator", "seen", "tracker", "total", "metric"))
    ]
    assert {"counting/several/dense/vars/0", "layers/batch_normalization/vars/3", "optimizer/vars/9"} <= mine.keys()
    x = np.ones((2, 3), "float32")
    other = keras.saving.load_model(tmp_path / "theirs.keras", custom_objects=parts(keras))
    np.testing.assert_allclose(other(x).numpy(), arrays_of(other, theirs, x), rtol=1e-5)
    back = reference.saving.load_model(tmp_path / "mine.keras", custom_objects=parts(reference))
    np.testing.assert_allclose(np.asarray(back(x)), arrays_of(model, mine, x), rtol=1e-5)


def arrays_of(model, stored, x):
    """The model's output, computed from the arrays in the file."""
    y = x @ stored["counting/several/dense/vars/0"] + stored["counting/several/dense/vars/1"]
    gamma, beta, mean, variance = (stored[f"layers/batch_normalization/vars/{i}"] for i in range(4))
    return gamma * (y - mean) / np.sqrt(variance + model.norm.epsilon) + beta
