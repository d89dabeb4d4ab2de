"""EarlyStopping, ReduceLROnPlateau and LearningRateScheduler on recorded logs."""

import math

import numpy as np
import pytest

from kerasish.callbacks import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
from kerasish.engine.tensor import Tensor

from .fakes import FakeMetric, FakeModel, FakeOptimizer, run


def losses(*values, name="val_loss"):
    return [{name: v} for v in values]


# -- EarlyStopping -------------------------------------------------------------------------------------------------


def test_early_stopping_waits_for_patience():
    stop, model = EarlyStopping(patience=2), FakeModel()
    assert run(stop, model, losses(5, 4, 4.5, 4.2, 1)) == 4
    assert (stop.stopped_epoch, stop.best, stop.best_epoch) == (3, 4, 1)


def test_early_stopping_can_be_used_again():
    stop, model = EarlyStopping(patience=1), FakeModel()
    assert run(stop, model, losses(1, 2, 3)) == 2
    assert run(stop, model, losses(5, 4, 3)) == 3


def test_early_stopping_never_stops_after_the_first_epoch():
    assert run(EarlyStopping(baseline=0.1), FakeModel(), losses(5, 5, 5)) == 2


def test_early_stopping_min_delta():
    assert run(EarlyStopping(min_delta=0.5), FakeModel(), losses(5, 4.8, 1)) == 2
    assert run(EarlyStopping(min_delta=-0.5), FakeModel(), losses(5, 4.8, 1)) == 2


def test_early_stopping_baseline():
    assert run(EarlyStopping(baseline=3, patience=2), FakeModel(), losses(6, 5, 4, 3.5, 3)) == 5
    assert run(EarlyStopping(baseline=3, patience=2), FakeModel(), losses(6, 7, 7, 7)) == 2


def test_early_stopping_start_from_epoch():
    assert run(EarlyStopping(start_from_epoch=3), FakeModel(), losses(1, 2, 3, 4, 5)) == 5
    assert run(EarlyStopping(start_from_epoch=3), FakeModel(), losses(1, 2, 3, 4, 5, 6)) == 5


def test_early_stopping_restores_the_best_weights(capsys):
    stop, model = EarlyStopping(patience=2, restore_best_weights=True, verbose=1), FakeModel()
    run(stop, model, losses(5, 3, 4, 4))
    assert model.weights == [1]
    assert capsys.readouterr().out == (
        "Epoch 4: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"
    )


def test_early_stopping_restores_although_training_ran_to_its_end():
    model = FakeModel()
    run(EarlyStopping(patience=9, restore_best_weights=True), model, losses(3, 5, 4))
    assert model.weights == [0]


def test_early_stopping_with_nan():
    model = FakeModel()
    stop = EarlyStopping(patience=1, restore_best_weights=True)
    run(stop, model, losses(math.nan, 2, 1, math.nan))
    assert model.weights == [0]  # nothing compares as better than NaN


def test_early_stopping_on_a_missing_metric():
    with pytest.warns(UserWarning, match="Early stopping conditioned on metric `val_loss` which is not available"):
        run(EarlyStopping(), FakeModel(), losses(1, name="loss"))


@pytest.mark.parametrize(
    ("monitor", "metrics", "better"),
    [
        ("loss", (), "less"),
        ("val_loss", (), "less"),
        ("val_head_loss", (), "less"),
        ("val_acc", (FakeMetric("acc", "up"),), "more"),
        ("mse", (FakeMetric("mse", "down"),), "less"),
        ("val_auc", (FakeMetric("all", metrics=(FakeMetric("auc", "up"),)),), "more"),
        ("val_head_acc", (FakeMetric("acc", "up"),), "more"),
    ],
)
def test_direction_of_the_metric(monitor, metrics, better):
    falling, rising = losses(3, 2, 1, name=monitor), losses(1, 2, 3, name=monitor)
    good, bad = (falling, rising) if better == "less" else (rising, falling)
    assert run(EarlyStopping(monitor), FakeModel(metrics=metrics), good) == 3
    assert run(EarlyStopping(monitor), FakeModel(metrics=metrics), bad) == 2


def test_direction_given():
    assert run(EarlyStopping("x", mode="max"), FakeModel(), losses(1, 2, 3, name="x")) == 3
    assert run(EarlyStopping("x", mode="min"), FakeModel(), losses(1, 2, 3, name="x")) == 2


def test_unknown_direction():
    with pytest.raises(
        ValueError, match=r"EarlyStopping: the direction of the monitored metric is not known; pass mode"
    ):
        run(EarlyStopping("val_f1"), FakeModel(metrics=(FakeMetric("f1"),)), losses(1, name="val_f1"))


def test_unknown_mode():
    with pytest.warns(UserWarning, match="EarlyStopping: mode 'best' is unknown, using 'auto'"):
        assert EarlyStopping(mode="best").mode == "auto"


# -- ReduceLROnPlateau ---------------------------------------------------------------------------------------------


def rates(callback, values, optimizer=None):
    """The learning rate after each epoch."""
    model, seen = FakeModel(optimizer), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        logs = {"val_loss": value}
        callback.on_epoch_end(epoch, logs)
        seen.append(float(model.optimizer.learning_rate))
    return seen, logs


def test_plateau():
    got, logs = rates(ReduceLROnPlateau(factor=0.5, patience=2), [5, 4, 4, 4, 4, 4])
    assert got == [1, 1, 1, 0.5, 0.5, 0.25]
    assert logs["learning_rate"] == 0.5  # the rate that the epoch was trained with


def test_plateau_cooldown_and_floor(capsys):
    callback = ReduceLROnPlateau(factor=0.1, patience=1, cooldown=2, min_lr=0.05, verbose=1)
    got, _ = rates(callback, [1] * 8)
    assert np.allclose(got, [1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05])
    assert "Epoch 2: ReduceLROnPlateau reducing learning rate to 0.1." in capsys.readouterr().out


def test_plateau_min_delta():
    assert rates(ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.5), [5, 4.8, 4.6])[0] == [1, 0.5, 0.25]


def test_plateau_with_several_optimizers():
    class Several:
        def __init__(self):
            self.optimizers = [FakeOptimizer(1, "a"), FakeOptimizer(2, "b")]

    model = FakeModel(Several())
    callback = ReduceLROnPlateau(factor=0.5, patience=1)
    callback.set_model(model)
    for epoch in range(2):
        logs = {"val_loss": 1}
        callback.on_epoch_end(epoch, logs)
    assert [float(o.learning_rate) for o in model.optimizer.optimizers] == [0.5, 1]
    assert logs == {"val_loss": 1, "learning_rate_a": 1, "learning_rate_b": 2}


def test_plateau_warnings_and_errors():
    with pytest.raises(ValueError, match=r"ReduceLROnPlateau: the factor must be less than 1. Received: factor=1"):
        ReduceLROnPlateau(factor=1)
    with pytest.warns(UserWarning, match="ReduceLROnPlateau: epsilon has no effect"):
        ReduceLROnPlateau(epsilon=1)
    with pytest.warns(UserWarning, match="Learning rate reduction is conditioned on metric `loss` which is not"):
        rates(ReduceLROnPlateau("loss"), [1])


# -- LearningRateScheduler -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch: 0.5**epoch,
        lambda epoch, rate: rate * 0.5 if epoch else rate,
        lambda epoch, rate: Tensor(np.float32(0.5**epoch)),
        lambda epoch, rate: np.float32(0.5**epoch),
    ],
)
def test_scheduler(schedule):
    model, callback = FakeModel(), LearningRateScheduler(schedule)
    callback.set_model(model)
    for epoch in range(3):
        callback.on_epoch_begin(epoch)
        logs = {}
        callback.on_epoch_end(epoch, logs)
        assert logs == {"learning_rate": 0.5**epoch}


def test_scheduler_prints(capsys):
    callback = LearningRateScheduler(lambda epoch: 0.25, verbose=1)
    callback.set_model(FakeModel())
    callback.on_epoch_begin(4)
    assert capsys.readouterr().out == "\nEpoch 5: LearningRateScheduler setting learning rate to 0.25.\n"


def test_a_type_error_inside_the_schedule_is_shown():
    def schedule(epoch, rate):
        return rate + "a"

    callback = LearningRateScheduler(schedule)
    callback.set_model(FakeModel())
    with pytest.raises(TypeError, match="unsupported operand"):
        callback.on_epoch_begin(0)


def test_scheduler_errors():
    callback = LearningRateScheduler(lambda epoch: "a")
    callback.set_model(FakeModel())
    with pytest.raises(
        ValueError, match=r"LearningRateScheduler: the schedule must return a float. Received: value='a'"
    ):
        callback.on_epoch_begin(0)
    callback.set_model(FakeModel(optimizer=object()))
    with pytest.raises(ValueError, match="LearningRateScheduler: the optimizer must have a learning_rate"):
        callback.on_epoch_begin(0)
