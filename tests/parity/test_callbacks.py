"""EarlyStopping, ReduceLROnPlateau and the progress bar against Keras on the same logs."""

import contextlib
import io
import itertools
import re

import numpy as np
import pytest

from kerasish import callbacks, utils

from ..callbacks.fakes import FakeModel, run

pytestmark = pytest.mark.parity

TRACES = [
    [5.0, 4.0, 3.0, 3.5, 3.4, 2.0, 2.5, 2.4, 2.3, 2.2],
    [1.0, 1.0, 1.0, 0.9, 0.9, 0.9, 0.9],
    [float("nan"), 2.0, 1.0, float("nan"), 0.5],
    [1.0, 1.2, 1.4, 1.1, 0.99, 1.3],
    list(np.random.RandomState(0).rand(12)),
]


def watched(callback, trace, names):
    """The state of the callback and the model after every epoch."""
    model, seen = FakeModel(), []
    original = callback.on_epoch_end

    def on_epoch_end(epoch, logs=None):
        original(epoch, logs)
        seen.append([getattr(callback, n) for n in names] + [model.stop_training, float(model.optimizer.learning_rate)])

    callback.on_epoch_end = on_epoch_end
    epochs = run(callback, model, [{"val_loss": v} for v in trace])
    return repr((epochs, seen, model.weights))


@pytest.mark.parametrize("trace", TRACES, ids=range(len(TRACES)))
def test_early_stopping(trace):
    import keras

    names = ("wait", "best", "best_epoch", "stopped_epoch")
    for patience, delta, mode, baseline, restore, start in itertools.product(
        (0, 1, 3), (0, 0.2), ("auto", "max"), (None, 1.0), (False, True), (0, 2)
    ):
        options = dict(
            patience=patience,
            min_delta=delta,
            mode=mode,
            baseline=baseline,
            restore_best_weights=restore,
            start_from_epoch=start,
        )
        ours = watched(callbacks.EarlyStopping(**options), trace, names)
        assert ours == watched(keras.callbacks.EarlyStopping(**options), trace, names), options


@pytest.mark.parametrize("trace", TRACES, ids=range(len(TRACES)))
def test_reduce_lr_on_plateau(trace):
    import keras

    names = ("wait", "best", "cooldown_counter")
    for patience, factor, cooldown, min_lr, delta in itertools.product(
        (0, 1, 2), (0.1, 0.5), (0, 2), (0, 0.3), (0, 0.2)
    ):
        options = dict(patience=patience, factor=factor, cooldown=cooldown, min_lr=min_lr, min_delta=delta)
        ours = watched(callbacks.ReduceLROnPlateau(**options), trace, names)
        assert ours == watched(keras.callbacks.ReduceLROnPlateau(**options), trace, names), options


def test_csv_logger(tmp_path):
    import keras

    logs = [{"loss": 1.0, "b": 0.5}, {"loss": 0.5, "b": np.array([1, 2]), "val_loss": 3.0}]
    for separator in (",", "\t"):
        run(callbacks.CSVLogger(tmp_path / "ours", separator), FakeModel(), logs)
        run(keras.callbacks.CSVLogger(tmp_path / "theirs", separator), FakeModel(), logs)
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize(
    ("verbose", "values"), [(1, [1.0, 0.5, 0.25]), (1, [1e-5, 0.0, -2.0]), (2, [1.0, 0.5, 0.25]), (2, [2, 1e-5, 0.0])]
)
def test_the_last_line_of_the_progress_bar(verbose, values):
    import keras

    class Tty(io.StringIO):
        def isatty(self):
            return True

    def last_line(cls):
        out = Tty()
        with contextlib.redirect_stdout(out):
            bar = cls(len(values), verbose=verbose)
            for step, value in enumerate(values):
                bar.update(step + 1, [("loss", value), ("acc", value / 2)])
        text = re.sub(r"\x1b\[\d*m|\x08", "", out.getvalue()).rstrip("\n ").split("\r")[-1]
        return re.sub(r"\d+(us|ms|s)/step", "T/step", text)

    assert last_line(utils.Progbar) == last_line(keras.utils.Progbar).replace("- 0s -  ", "- 0s - ")
