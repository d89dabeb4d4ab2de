"""Epochs, steps, order and weights against Keras's EpochIterator on the same data."""

import warnings

import numpy as np
import pytest

from kerasish.data import EpochIterator, PyDataset, train_validation_split

pytestmark = pytest.mark.parity


def keras_iterator(*args, **kwargs):
    from keras.src.trainers.epoch_iterator import EpochIterator as KerasEpochIterator

    return KerasEpochIterator(*args, **kwargs)


def leaves(batch):
    return [None if a is None else np.asarray(a).tolist() for a in (batch if isinstance(batch, tuple) else (batch,))]


def trace(iterator, epochs):
    """What each epoch hands out, and whether it warned."""
    seen = []
    for _ in range(epochs):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            steps = [(a, b, [leaves(x) for x in data]) for a, b, data in iterator.enumerate_epoch()]
        seen.append((steps, any("ran out of data" in str(w.message) for w in caught)))
    return seen


X = np.arange(14.0).reshape(7, 2)
Y = np.array([0, 1, 2, 0, 1, 2, 0])
W = np.linspace(0, 1, 7)


@pytest.mark.parametrize("batch_size", [None, 1, 3, 7, 10])
@pytest.mark.parametrize("steps", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("shuffle", [False, True, "batch"])
def test_arrays(batch_size, steps, shuffle):
    options = dict(y=Y, sample_weight=W, batch_size=batch_size, steps_per_epoch=steps, shuffle=shuffle)
    np.random.seed(0)
    ours = trace(EpochIterator(X, **options), 3)
    np.random.seed(0)
    assert ours == trace(keras_iterator(X, **options), 3)


def test_class_weight():
    options = dict(y=Y, class_weight={0: 1.0, 1: 2.5, 2: 0.25}, batch_size=3)
    assert trace(EpochIterator(X, **options), 1) == trace(keras_iterator(X, **options), 1)


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_generator(steps):
    def generate():
        for i in range(6):
            yield (np.full((2,), i),)

    ours, theirs = EpochIterator(generate(), steps_per_epoch=steps), keras_iterator(generate(), steps_per_epoch=steps)
    epochs = 6 // steps
    assert trace(ours, epochs) == trace(theirs, epochs)


@pytest.mark.parametrize("steps", [None, 2, 4, 6])
def test_py_dataset(steps):
    import keras

    def dataset(base):
        class Dataset(base):
            def __len__(self):
                return 4

            def __getitem__(self, index):
                return np.full((2, 1), index), np.full((2,), -index)

        return Dataset()

    ours = EpochIterator(dataset(PyDataset), steps_per_epoch=steps)
    theirs = keras_iterator(dataset(keras.utils.PyDataset), steps_per_epoch=steps)
    assert trace(ours, 3) == trace(theirs, 3)


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("n", [2, 5, 10, 33])
def test_validation_split(fraction, n):
    from keras.src.trainers.data_adapters.array_slicing import train_validation_split as keras_split

    data = (np.arange(n, dtype="float64"), None, None)
    try:
        expected = keras_split(data, fraction)
    except ValueError:
        with pytest.raises(ValueError, match="validation_split leaves no samples"):
            train_validation_split(data, fraction)
        return
    for ours, theirs in zip(train_validation_split(data, fraction), expected):
        assert ours[0].dtype == theirs[0].dtype
        assert np.array_equal(ours[0], theirs[0])
