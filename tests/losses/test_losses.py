"""Losses: values by hand, weights, masks, structures, errors."""

import numpy as np
import pytest

from kerasish import losses, ops


def value(x):
    return np.asarray(x)


Y_TRUE = np.array([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]], "float32")
Y_PRED = np.array([[1.0, 1.0], [0.0, 1.0], [0.5, 2.5]], "float32")


@pytest.mark.parametrize(
    "function, expected",
    [
        (losses.mean_squared_error, [0.5, 4.0, 2.0]),
        (losses.mean_absolute_error, [0.5, 2.0, 1.0]),
        (losses.huber, [0.25, 1.5, 0.75]),
        (losses.hinge, [0.5, 1.5, 0.375]),
        (losses.squared_hinge, [0.5, 2.5, 0.28125]),
    ],
)
def test_values_per_sample(function, expected):
    np.testing.assert_allclose(value(function(Y_TRUE, Y_PRED)), expected, rtol=1e-6)


def test_cross_entropies_agree():
    labels = np.array([0, 2, 1])
    logits = np.random.default_rng(0).normal(size=(3, 4)).astype("float32") * 3
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected = -np.log(p[np.arange(3), labels])
    one_hot = np.eye(4)[labels]
    for loss in (
        losses.sparse_categorical_crossentropy(labels, logits, from_logits=True),
        losses.sparse_categorical_crossentropy(labels[:, None], p),
        losses.sparse_categorical_crossentropy(labels.astype("float32"), p),
        losses.categorical_crossentropy(one_hot, logits, from_logits=True),
        losses.categorical_crossentropy(one_hot, p),
        losses.categorical_focal_crossentropy(one_hot, p, alpha=1.0, gamma=0.0),
    ):
        np.testing.assert_allclose(value(loss), expected, rtol=1e-5)
    first = losses.sparse_categorical_crossentropy(labels, logits.T, from_logits=True, axis=0)
    np.testing.assert_allclose(value(first), expected, rtol=1e-5)


def test_crossentropy_of_certain_predictions_is_finite():
    assert np.isfinite(value(losses.binary_crossentropy([[1.0, 0.0]], [[0.0, 1.0]]))).all()
    assert np.isfinite(value(losses.sparse_categorical_crossentropy([0], [[0.0, 1.0]]))).all()
    big = np.array([[1000.0, -1000.0]])
    np.testing.assert_allclose(value(losses.binary_crossentropy([[0.0, 0.0]], big, from_logits=True)), [500.0])


def test_label_smoothing():
    one_hot, p = np.array([[0.0, 1.0, 0.0, 0.0]]), np.array([[0.1, 0.6, 0.2, 0.1]])
    smooth = one_hot * 0.8 + 0.05
    np.testing.assert_allclose(
        value(losses.categorical_crossentropy(one_hot, p, label_smoothing=0.2)), -(smooth * np.log(p)).sum(-1)
    )
    y = 0.9
    np.testing.assert_allclose(
        value(losses.binary_crossentropy([[1.0]], [[0.7]], label_smoothing=0.2)),
        [-(y * np.log(0.7) + (1 - y) * np.log(0.3))],
        rtol=1e-6,
    )


def test_ignored_classes_do_not_count():
    logits = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    labels = np.array([0, 255, 2, 255])
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    kept = losses.SparseCategoricalCrossentropy(from_logits=True)(labels[[0, 2]], logits[[0, 2]])
    np.testing.assert_allclose(float(loss(labels, logits)), float(kept), rtol=1e-6)


def test_sample_weights_of_zero_and_reductions():
    mse = losses.MeanSquaredError
    weights = [0.0, 1.0, 2.0]
    assert float(mse()(Y_TRUE, Y_PRED, weights)) == pytest.approx(8 / 3)
    assert float(mse(reduction="sum")(Y_TRUE, Y_PRED, weights)) == 8.0
    assert float(mse(reduction="mean_with_sample_weight")(Y_TRUE, Y_PRED, weights)) == pytest.approx(8 / 3)
    assert float(mse(reduction="mean_with_sample_weight")(Y_TRUE, Y_PRED, [0.0, 0.0, 0.0])) == 0.0
    np.testing.assert_allclose(value(mse(reduction=None)(Y_TRUE, Y_PRED, weights)), [0.0, 4.0, 4.0])


def test_a_vector_meets_a_column():
    for y_true, y_pred in (([1.0, 2.0], [[1.0], [4.0]]), ([[1.0], [2.0]], [1.0, 4.0])):
        assert float(losses.MeanSquaredError()(np.array(y_true), np.array(y_pred))) == 2.0


def test_empty_batches():
    assert value(losses.MeanSquaredError()(np.zeros((0, 3)), np.zeros((0, 3)))).size == 0
    assert float(losses.Dice(axis=-1)(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)))) == 0.0


def test_masks_take_positions_out_of_the_mean():
    x = ops.convert_to_tensor(Y_PRED)
    x._keras_mask = ops.convert_to_tensor([True, False, True])
    assert float(losses.MeanSquaredError()(Y_TRUE, x)) == pytest.approx(1.25)
    assert float(losses.MeanSquaredError(reduction="sum")(Y_TRUE, x)) == pytest.approx(2.5)
    x._keras_mask = ops.convert_to_tensor([False, False, False])
    assert float(losses.MeanSquaredError()(Y_TRUE, x)) == 0.0


def test_structures_reach_call():
    class Both(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(ops.square(y_true["a"] - y_pred["a"]), axis=-1) + ops.abs(y_true["b"] - y_pred["b"])

    true = {"a": np.zeros((2, 2)), "b": np.zeros(2)}
    pred = {"a": np.ones((2, 2)), "b": np.array([1.0, 3.0])}
    assert float(Both(name="both")(true, pred)) == 3.0


def test_function_wrapper():
    def scaled(y_true, y_pred, scale=1.0):
        return scale * ops.abs(y_true - y_pred)

    loss = losses.LossFunctionWrapper(scaled, name="scaled", scale=3.0)
    assert float(loss(np.array([1.0]), np.array([[2.0]]))) == 3.0
    config = losses.serialize(loss)
    back = losses.deserialize(config, custom_objects={"scaled": scaled})
    assert float(back(np.array([1.0]), np.array([[2.0]]))) == 3.0
    assert repr(loss) == "<LossFunctionWrapper scaled kwargs={'scale': 3.0}>"


def test_get():
    assert losses.get(None) is None
    assert losses.get("mse") is losses.get("MSE") is losses.get("mean_squared_error") is losses.mean_squared_error
    assert type(losses.get("MeanSquaredError")) is losses.MeanSquaredError
    assert type(losses.get(losses.Huber)) is losses.Huber
    config = {"class_name": "CategoricalCrossentropy", "config": {"from_logits": True}}
    assert losses.get(config).from_logits is True
    assert losses.deserialize(losses.serialize(losses.huber)) is losses.huber


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: losses.MeanSquaredError(reduction="avg"), r"Loss: reduction is one of .* Received: reduction='avg'"),
        (
            lambda: losses.get("mean_sqared_error"),
            r"unknown loss: 'mean_sqared_error'. Did you mean 'mean_squared_error'",
        ),
        (lambda: losses.get(3.0), r"a loss is given as a name, a config dict, an object or a function. Received: 3.0"),
        (lambda: losses.CategoricalGeneralizedCrossEntropy(q=1.0), r"q lies strictly between 0 and 1. Received: q=1.0"),
        (
            lambda: losses.MeanSquaredError()(np.ones((4, 3)), np.ones((4, 2))),
            r"mean_squared_error: targets and predictions must have the same shape. "
            r"Received: y_true.shape=\(4, 3\), y_pred.shape=\(4, 2\)",
        ),
        (
            lambda: losses.CategoricalCrossentropy()(np.ones((4,)), np.ones((4, 3))),
            r"categorical_crossentropy: targets and predictions must have the same shape \(integer labels are for the "
            r"sparse loss\). Received: y_true.shape=\(4,\)",
        ),
        (
            lambda: losses.CategoricalCrossentropy(axis=True)(np.ones((4, 3)), np.ones((4, 3))),
            r"categorical_crossentropy: axis is an integer. Received: axis=True",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.array([0, 3]), np.full((2, 3), 0.3)),
            r"sparse_categorical_crossentropy: .*\[0, 3\).*value=3, position=\(1,\)",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.array([0, -1]), np.full((2, 3), 0.3)),
            r"sparse_categorical_crossentropy: .*\[0, 3\).*value=-1, position=\(1,\)",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(np.array([0, 1, 2]), np.full((2, 3), 0.3)),
            r"sparse_categorical_crossentropy: ",
        ),
        (
            lambda: losses.MeanSquaredError()(Y_TRUE, Y_PRED, [1.0, 2.0]),
            r"MeanSquaredError: the sample weights must fit losses of shape \(3,\). Received: sample_weight",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_weights_that_do_not_fit_a_mask():
    x = ops.convert_to_tensor(np.ones((3, 4, 2), "float32"))
    x._keras_mask = ops.convert_to_tensor(np.ones((3, 4), bool))
    with pytest.raises(
        ValueError, match=r"the sample weights must fit a mask of shape \(3, 4\). Received: sample_weight"
    ):
        losses.MeanSquaredError()(np.ones((3, 4, 2)), x, [1.0, 2.0, 3.0])


def test_a_single_class_is_warned_about():
    with pytest.warns(SyntaxWarning, match=r"categorical_crossentropy: the predictions have a single class"):
        losses.categorical_crossentropy(np.ones((2, 1)), np.ones((2, 1)))


def test_base_class_says_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"Loss does not implement call\(y_true, y_pred\)"):
        losses.Loss()(Y_TRUE, Y_PRED)
