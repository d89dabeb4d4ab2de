"""Cross-entropies: shapes, axes, dtypes, extreme logits, labels out of range."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.symbol import Symbol


def probabilities(*shape, axis=-1):
    p = np.random.default_rng(0).random(shape) + 0.1
    return p / p.sum(axis, keepdims=True)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_the_axis_of_the_classes(axis, from_logits):
    shape = (3, 4, 5)
    p = probabilities(*shape, axis=axis)
    labels = np.random.default_rng(1).integers(0, shape[axis], np.delete(shape, axis))
    hot = np.moveaxis(np.eye(shape[axis])[labels], -1, axis)
    output = np.log(p) + 3 if from_logits else p * 2
    want = -(hot * np.log(p)).sum(axis)
    np.testing.assert_allclose(ops.categorical_crossentropy(hot, output, from_logits, axis), want, rtol=1e-6)
    np.testing.assert_allclose(ops.sparse_categorical_crossentropy(labels, output, from_logits, axis), want, rtol=1e-6)


def test_targets_are_converted():
    p = probabilities(2, 3).astype("float32")
    want = ops.sparse_categorical_crossentropy(np.array([1, 2]), p).numpy()
    for target in ([1, 2], [[1], [2]], np.array([1, 2], "uint8"), np.array([1.0, 2.0]), np.array([1, 2], "int64")):
        np.testing.assert_array_equal(ops.sparse_categorical_crossentropy(target, p), want)
    np.testing.assert_allclose(ops.categorical_crossentropy(np.eye(3, dtype="int32")[1:], p), want, rtol=1e-6)
    assert ops.categorical_crossentropy([[0, 1]], [[1, 2]], from_logits=True).dtype == "float32"
    for fn, target in ((ops.categorical_crossentropy, [[0.0, 1.0]]), (ops.sparse_categorical_crossentropy, [1])):
        assert fn(target, np.array([[0.5, 0.5]], "float16")).dtype == "float16"


def test_symbols():
    p, none = Symbol((None, 10), "float32"), Symbol((None,), "int32")
    assert ops.sparse_categorical_crossentropy(none, p).shape == (None,)
    assert ops.categorical_crossentropy(Symbol((8, 10), "float32"), p).shape == (8,)
    assert ops.binary_crossentropy(Symbol((8, None), "float32"), p).shape == (8, 10)


def test_probabilities_are_clipped():
    eps = keras.config.epsilon()
    np.testing.assert_allclose(ops.sparse_categorical_crossentropy([0], [[0.0, 1.0]]), [-np.log(eps)], rtol=1e-5)
    np.testing.assert_allclose(ops.categorical_crossentropy([[1.0, 0.0]], [[0.0, 1.0]]), [-np.log(eps)], rtol=1e-5)
    got = ops.binary_crossentropy([1.0, 0.0], [0.0, 1.0])
    np.testing.assert_allclose(got, [-np.log(eps), -np.log(np.float32(1) - np.float32(1 - eps))], rtol=1e-5)


def test_logits_of_any_size_give_finite_losses_and_gradients():
    x = ops.convert_to_tensor(np.array([[1e4, -1e4, 0.0], [-1e30, 1e30, 0.0]], "float32"))
    for fn, target in (
        (ops.sparse_categorical_crossentropy, [0, 1]),
        (ops.categorical_crossentropy, [[1.0, 0, 0], [0, 1.0, 0]]),
        (ops.binary_crossentropy, [[1.0, 0, 0], [0, 1.0, 0]]),
    ):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = fn(target, x, from_logits=True)
        assert np.isfinite(y).all() and np.isfinite(tape.gradient(y, x)).all()
    np.testing.assert_allclose(
        ops.binary_crossentropy([1.0], [20.0], from_logits=True), [np.log1p(np.exp(-20))], rtol=1e-6
    )
    # A class that cannot be chosen costs nothing where it is not the label.
    assert float(ops.sparse_categorical_crossentropy(0, [0.0, -np.inf], from_logits=True)) == 0


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label", [-1, 3, 2**31])
def test_a_label_out_of_range_is_named(label, from_logits):
    target = np.array([[0, 1], [label, 2]])
    with pytest.raises(ValueError) as e:
        ops.sparse_categorical_crossentropy(target, np.ones((2, 2, 3), "float32"), from_logits=from_logits)
    name = "sparse_categorical_crossentropy" + ("_from_logits" if from_logits else "")
    assert str(e.value) == (
        f"{name}: every value of `target` must lie in [0, 3). "
        f"Received: value={label}, position=(1, 0), target.shape=(2, 2)"
    )


def test_shapes_that_do_not_fit():
    for from_logits in (False, True):
        with pytest.raises(ValueError, match=r"^categorical_crossentropy: target and output must have the same shape"):
            ops.categorical_crossentropy(np.ones((2, 3)), np.ones((2, 4)), from_logits)
        with pytest.raises(ValueError, match=r"^categorical_crossentropy: target and output have at least one axis"):
            ops.categorical_crossentropy(1.0, 1.0, from_logits)
        with pytest.raises(
            ValueError, match=r"^sparse_categorical_crossentropy: target has the shape of output without"
        ):
            ops.sparse_categorical_crossentropy([0, 1, 2], np.ones((2, 4)), from_logits)
        with pytest.raises(ValueError, match=r"^sparse_categorical_crossentropy: output has at least one axis"):
            ops.sparse_categorical_crossentropy(0, 1.0, from_logits)
        with pytest.raises(
            ValueError, match=r"^binary_crossentropy: target and output must have the same shape.*\(2,\)"
        ):
            ops.binary_crossentropy([1.0, 0.0], [0.5], from_logits)
    with pytest.raises(ValueError, match=r"sparse_categorical_crossentropy: `axis` must lie in \[-2, 2\)"):
        ops.sparse_categorical_crossentropy([0], [[1.0]], axis=2)
