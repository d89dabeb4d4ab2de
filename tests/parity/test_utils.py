"""pad_sequences, to_categorical, normalize, the image helpers and Config against Keras."""

import io
import itertools

import numpy as np
import pytest

from kerasish import utils

pytestmark = pytest.mark.parity


def test_pad_sequences():
    import keras

    inputs = [
        [[1], [2, 3], [4, 5, 6]],
        [[], [1, 2]],
        [np.ones((2, 3)), np.zeros((1, 3))],
        [(1.5, 2.5), [3]],
    ]
    for sequences, maxlen, dtype, padding, truncating, value in itertools.product(
        inputs, (None, 1, 2, 5), ("int32", "float32"), ("pre", "post"), ("pre", "post"), (0.0, -1)
    ):
        args = (sequences, maxlen, dtype, padding, truncating, value)
        ours, theirs = utils.pad_sequences(*args), keras.utils.pad_sequences(*args)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs), args


@pytest.mark.parametrize("x", [[0, 1, 2], [[0], [2]], np.array([[1, 0], [3, 2]]), np.array([1.0, 2.0]), 2], ids=str)
@pytest.mark.parametrize("num_classes", [None, 4, 7])
def test_to_categorical(x, num_classes):
    import keras

    ours, theirs = utils.to_categorical(x, num_classes), keras.utils.to_categorical(x, num_classes)
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("order", [1, 2, 3, np.inf])
@pytest.mark.parametrize("axis", [-1, 1])
def test_normalize(order, axis):
    import keras

    x = np.random.randn(4, 5)
    x[2] = 0
    assert np.allclose(utils.normalize(x, axis, order), keras.utils.normalize(x, axis, order))


@pytest.mark.parametrize("shape", [(4, 6, 1), (4, 6, 3), (4, 6, 4)])
def test_images(shape):
    import keras

    x = np.random.randn(*shape)
    for scale in (True, False):
        given = x if scale else np.round(np.abs(x) * 50)
        ours, theirs = utils.array_to_img(given, scale=scale), keras.utils.array_to_img(given, scale=scale)
        assert ours.mode == theirs.mode
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))
        assert np.array_equal(utils.img_to_array(ours), keras.utils.img_to_array(ours))
    file = io.BytesIO()
    utils.save_img(file, np.random.randint(0, 256, (20, 30, 3)), file_format="png", scale=False)
    for mode, size, keep in itertools.product(("rgb", "rgba", "grayscale"), (None, (8, 8), (40, 10)), (False, True)):
        ours = utils.load_img(file, mode, size, "bilinear", keep)
        theirs = keras.utils.load_img(file, mode, size, "bilinear", keep)
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_config_has_the_members_of_keras():
    import keras

    public = [name for name in vars(keras.utils.Config) if not name.startswith("_")]
    assert all(hasattr(utils.Config, name) for name in public)
