"""ModelCheckpoint and BackupAndRestore: which files, when, and what a run that goes on does."""

import contextlib
import os
import re

import numpy as np
import pytest

import kerasish as keras
from kerasish.callbacks import BackupAndRestore, Callback, EarlyStopping, LearningRateScheduler, ModelCheckpoint
from kerasish.saving import BadFileError

L = keras.layers


def net(width=8):
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(5)
    layers = [L.Dense(width, activation="relu"), L.Dropout(0.3), L.BatchNormalization(), L.Dense(1)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    return model


def data(n=50):
    x = np.random.default_rng(0).normal(size=(n, 6)).astype("float32")
    return x, x[:, :1]


def fit(model, callbacks, epochs=4, **options):
    return model.fit(*data(), batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks, **options)


# -- ModelCheckpoint ---------------------------------------------------------------------------------------------------


def test_a_file_after_each_epoch_with_names_from_the_logs(tmp_path):
    model = net()
    history = fit(model, ModelCheckpoint(tmp_path / "sub" / "{epoch:02d}-{loss:.3f}.keras"), epochs=2).history
    expected = [f"{k + 1:02d}-{loss:.3f}.keras" for k, loss in enumerate(history["loss"])]
    assert sorted(os.listdir(tmp_path / "sub")) == expected
    other = keras.saving.load_model(tmp_path / "sub" / expected[-1])
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights()))


def test_every_so_many_batches(tmp_path):
    fit(net(), ModelCheckpoint(tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=5), epochs=2)
    # Seven batches an epoch: the 5th, and the 10th, which is the 3rd of the second epoch.
    assert sorted(os.listdir(tmp_path)) == ["1-5.weights.h5", "2-3.weights.h5"]


def test_several_steps_per_execution(tmp_path):
    model = net()
    model.compile("sgd", "mse", steps_per_execution=2)
    fit(model, ModelCheckpoint(tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3), epochs=1)
    assert sorted(os.listdir(tmp_path)) == ["1-4.weights.h5", "1-8.weights.h5"]


class Feed(Callback):
    """Puts values of its own into the logs."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = self.values[epoch]


def test_only_the_best(tmp_path, capsys):
    save = ModelCheckpoint(tmp_path / "{epoch}.keras", monitor="score", mode="max", save_best_only=True, verbose=1)
    fit(net(), [Feed([0.2, 0.1, 0.4, 0.3]), save])
    assert sorted(os.listdir(tmp_path)) == ["1.keras", "3.keras"]
    said = capsys.readouterr().out
    assert "Epoch 1: score improved from None to 0.20000, saving model to" in said
    assert "Epoch 2: score did not improve from 0.20000" in said
    assert f"Epoch 3: finished saving model to {tmp_path}/3.keras" in said


def test_a_threshold_counts_as_the_best_so_far(tmp_path):
    save = ModelCheckpoint(
        tmp_path / "{epoch}.keras", monitor="score", mode="min", save_best_only=True, initial_value_threshold=0.15
    )
    fit(net(), [Feed([0.2, 0.1, 0.4, 0.3]), save])
    assert sorted(os.listdir(tmp_path)) == ["2.keras"]


def test_a_monitor_that_is_not_there_saves_all_the_same(tmp_path):
    save = ModelCheckpoint(tmp_path / "m.keras", monitor="nope", mode="min", save_best_only=True)
    with pytest.warns(UserWarning, match=r"Can save best model only with nope available"):
        fit(net(), save, epochs=1)
    assert os.listdir(tmp_path) == ["m.keras"]
    save = ModelCheckpoint(tmp_path / "v.keras", monitor="score", mode="min", save_best_only=True)
    with pytest.warns(UserWarning, match=r"only when `monitor` is a scalar value"):
        fit(net(), [Feed([np.ones(2)]), save], epochs=1)
    assert "v.keras" in os.listdir(tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"filepath": "m.txt"}, "ModelCheckpoint: the file name ends in .keras. Received: filepath='m.txt'"),
        ({"filepath": "m.keras", "save_weights_only": True}, "the file name ends in .weights.h5"),
        ({"filepath": "m.keras", "save_freq": "batch"}, "save_freq is 'epoch' or a positive number of batches"),
        ({"filepath": "m.keras", "save_freq": 0}, "save_freq is 'epoch' or a positive number of batches"),
    ],
)
def test_checkpoint_arguments(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ModelCheckpoint(**arguments)


def test_an_unknown_name_in_the_path(tmp_path):
    with pytest.raises(
        KeyError, match=r"the names in filepath are among \['epoch', 'loss', 'mae'\]; 'val_loss' is not"
    ):
        fit(net(), ModelCheckpoint(tmp_path / "{val_loss}.keras"), epochs=1)


# -- BackupAndRestore --------------------------------------------------------------------------------------------------


class StopAfter(Callback):
    """Ends the run with an error after so many batches."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise InterruptedError


def run(folder, stop=None, **options):
    """Variables and history of a run, or None if it was ended by an error."""
    model = net()
    callbacks = [LearningRateScheduler(lambda epoch, rate: rate * 0.9), EarlyStopping("loss", patience=9)]
    if folder is not None:
        callbacks.insert(0, BackupAndRestore(folder, save_freq=options.pop("save_freq", 3)))
    if stop is not None:
        callbacks.append(StopAfter(stop))
    try:
        history = fit(model, callbacks, **options)
    except InterruptedError:
        return None
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)], history.history


def alike(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one[0], other[0], strict=True)) and one[1] == other[1]


@pytest.mark.parametrize("stop", [2, 8, 13, 14, 21, 22])
@pytest.mark.parametrize("shuffle", [True, "batch", False])
def test_a_run_that_goes_on_ends_with_the_same_bits(tmp_path, stop, shuffle):
    whole = run(None, shuffle=shuffle)
    assert run(tmp_path / "b", stop, shuffle=shuffle) is None
    assert alike(run(tmp_path / "b", shuffle=shuffle), whole)
    assert not (tmp_path / "b").exists()


@pytest.mark.filterwarnings("ignore:fit. your input ran out of data:UserWarning")
@pytest.mark.parametrize("steps", [3, 5])
@pytest.mark.parametrize("stop", [4, 6, 9])
def test_epochs_that_end_within_a_pass(tmp_path, steps, stop):
    options = {"steps_per_epoch": steps, "epochs": 4}
    whole = run(None, **options)
    assert run(tmp_path / "b", stop, save_freq=2, **options) is None
    assert alike(run(tmp_path / "b", save_freq=2, **options), whole)


def test_after_each_epoch(tmp_path):
    whole = run(None)
    assert run(tmp_path / "b", 20, save_freq="epoch") is None
    assert os.listdir(tmp_path / "b") == ["checkpoint-00000002.h5"]
    assert alike(run(tmp_path / "b", save_freq="epoch"), whole)


def test_random_streams_outside_the_model(tmp_path):
    class Draw(Callback):
        drawn = []

        def on_train_batch_end(self, batch, logs=None):
            self.drawn.append((float(keras.random.uniform(())), float(np.random.rand())))

    def drawn(folder, stop=None):
        Draw.drawn = []
        callbacks = [Draw()] + ([BackupAndRestore(folder, save_freq=3)] if folder else [])
        with contextlib.suppress(InterruptedError):
            fit(net(), callbacks + ([StopAfter(stop)] if stop else []), epochs=2)
        return Draw.drawn

    whole = drawn(None)
    drawn(tmp_path / "b", 9)
    assert drawn(tmp_path / "b") == whole[6:]  # the run ended before the checkpoint after the 9th


def test_keeps_the_last_few_and_falls_back(tmp_path):
    model = net()
    fit(model, BackupAndRestore(tmp_path, keep=3, delete_checkpoint=False), epochs=5)
    names = sorted(os.listdir(tmp_path))
    assert names == [f"checkpoint-{k:08}.h5" for k in (3, 4, 5)]
    (tmp_path / names[-1]).write_bytes((tmp_path / names[-1]).read_bytes()[:1000])
    (tmp_path / ".checkpoint-00000006.h5.abc.tmp").write_bytes(b"unfinished")
    with pytest.warns(UserWarning, match=r"checkpoint-00000005.h5: .* The one before it is tried"):
        history = fit(net(), BackupAndRestore(tmp_path, keep=3, delete_checkpoint=False), epochs=6)
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    assert sorted(os.listdir(tmp_path)) == [f"checkpoint-{k:08}.h5" for k in (5, 6, 7)]


def test_double_checkpoint_keeps_two_and_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    fit(net(), BackupAndRestore(tmp_path, double_checkpoint=True, delete_checkpoint=False), epochs=3)
    assert sorted(os.listdir(tmp_path)) == ["checkpoint-00000002.h5", "checkpoint-00000003.h5", "notes.txt"]
    fit(net(), BackupAndRestore(tmp_path), epochs=4)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_run_that_stopped_early_stays_stopped(tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    backup = {"delete_checkpoint": False}
    fit(net(), [Stop(), BackupAndRestore(tmp_path, **backup)], epochs=5)
    assert fit(net(), [Stop(), BackupAndRestore(tmp_path, **backup)], epochs=5).epoch == [0, 1]


def test_the_next_fit_begins_anew(tmp_path):
    model = net()
    backup = BackupAndRestore(tmp_path / "b")
    fit(model, backup, epochs=2)
    assert fit(model, backup, epochs=2).epoch == [0, 1]


def test_save_freq_false_writes_nothing(tmp_path):
    fit(net(), BackupAndRestore(tmp_path / "b", save_freq=False), epochs=1)
    assert not (tmp_path / "b").exists()


def test_checkpoints_of_another_model(tmp_path):
    fit(net(), BackupAndRestore(tmp_path, delete_checkpoint=False), epochs=1)
    other = net(width=9)
    before = other.get_weights()
    with pytest.raises(BadFileError, match=r"checkpoint-00000001.h5: variables/0: .*kernel expects shape \(6, 9\)"):
        fit(other, BackupAndRestore(tmp_path), epochs=1)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights()))
    model = keras.Sequential([keras.Input((6,)), L.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(BadFileError, match=r"checkpoint-00000001.h5: variables: the model has \d+ variables"):
        fit(model, BackupAndRestore(tmp_path), epochs=1)


def test_callbacks_may_come_and_go(tmp_path):
    stop, other = EarlyStopping("loss", patience=7), EarlyStopping("mae", patience=8)
    fit(net(), [stop, other, BackupAndRestore(tmp_path, delete_checkpoint=False)], epochs=2)
    again, feed = EarlyStopping("loss", patience=7), Feed([0, 0, 0])
    fit(net(), [feed, again, BackupAndRestore(tmp_path, delete_checkpoint=False)], epochs=2)
    assert again.best == stop.best and feed.values == [0, 0, 0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"backup_dir": ""}, "BackupAndRestore: backup_dir names a folder"),
        ({"backup_dir": "b", "save_freq": "batch"}, "save_freq is 'epoch' or a positive number of batches"),
        ({"backup_dir": "b", "keep": 0}, "keep is a positive integer. Received: keep=0"),
    ],
)
def test_backup_arguments(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BackupAndRestore(**arguments)


def test_what_a_checkpoint_holds_of_values(tmp_path):
    from kerasish.saving.checkpoint import read_checkpoint, write_checkpoint

    state = {
        "numbers": [1, 2.5, True, None, float("inf"), 2**70, -(2**62)],
        "tuple": (1, ("a", "b")),
        "array": np.arange(3),
        "scalar": np.float32(0.1),
        "tensor": keras.ops.ones((2,)),
        3: {"nested": {"deep": []}},
        "left out": object(),
        "list with an object": [object()],
    }
    write_checkpoint(tmp_path / "c.h5", [keras.Variable([1.0], name="v")], state)
    back = read_checkpoint(tmp_path / "c.h5", [keras.Variable([1.0], name="v")])
    assert back["numbers"] == state["numbers"] and back["tuple"] == (1, ("a", "b"))
    assert back[3] == {"nested": {"deep": []}}
    assert back["array"].tolist() == [0, 1, 2] and back["scalar"] == np.float32(0.1)
    assert "left out" not in back and "list with an object" not in back
    (tmp_path / "d.h5").write_bytes(b"no checkpoint")
    with pytest.raises(BadFileError, match=r"d.h5: the file is HDF5"):
        read_checkpoint(tmp_path / "d.h5", [])
