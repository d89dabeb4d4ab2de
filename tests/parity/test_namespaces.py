"""ops.nn and ops.numpy hold what Keras's namespaces hold, the same functions as ops."""

import pytest

from kerasish import ops

pytestmark = pytest.mark.parity

# Where Keras has more than ops does.
MISSING = {"ctc_decode"}


@pytest.mark.parametrize("name", ["nn", "numpy", "linalg", "image"])
def test_names(name):
    import keras

    ours, theirs = getattr(ops, name), getattr(keras.ops, name)
    for function in dir(theirs):
        if function.startswith("_"):
            continue
        if function in MISSING:
            assert not hasattr(ops, function), f"ops has {function} now: export it in ops.{name}, too"
            continue
        assert hasattr(ours, function), function
        if callable(getattr(ops, function, None)):
            assert getattr(ours, function) is getattr(ops, function)
