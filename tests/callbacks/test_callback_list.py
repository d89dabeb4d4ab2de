"""CallbackList: which hooks are called, with what logs, and what is added by itself; History and LambdaCallback."""

import numpy as np
import pytest

from kerasish.callbacks import Callback, CallbackList, History, LambdaCallback, ProgbarLogger
from kerasish.callbacks.callback_list import python_logs
from kerasish.engine.tensor import Tensor

from .fakes import FakeModel

HOOKS = [
    *((f"on_{kind}_batch_{when}", (3,)) for kind in ("train", "test", "predict") for when in ("begin", "end")),
    *((f"on_{kind}_{when}", ()) for kind in ("train", "test", "predict") for when in ("begin", "end")),
    *((f"on_epoch_{when}", (2,)) for when in ("begin", "end")),
]


@pytest.mark.parametrize(("hook", "args"), HOOKS)
def test_every_hook_reaches_every_callback(hook, args):
    seen = []
    make = lambda name: lambda *a, **k: seen.append((name, a, k))  # noqa: E731
    callbacks = CallbackList([LambdaCallback(**{hook: make("a")}), [LambdaCallback(**{hook: make("b")})]])
    getattr(callbacks, hook)(*args, {"loss": np.float32(1)})
    expected = (args, {"logs": {"loss": 1.0}}) if "batch" in hook else ((*args, {"loss": 1.0}), {})
    assert seen == [("a", *expected), ("b", *expected)]


def test_the_older_names_of_batch_hooks():
    class Old(Callback):
        seen = []

        def on_batch_begin(self, batch, logs=None):
            self.seen.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            self.seen.append(("end", batch))

    callbacks = CallbackList(Old())
    callbacks.on_train_batch_begin(0)
    callbacks.on_train_batch_end(0)
    callbacks.on_test_batch_end(1)
    callbacks.on_batch_end(2)
    assert Old.seen == [("begin", 0), ("end", 0), ("end", 2)]


def test_logs_are_computed_only_for_those_who_read_them():
    calls = []

    def logs():
        calls.append(1)
        return {"loss": 1}

    quiet = CallbackList([History(), Callback(), LambdaCallback(on_epoch_end=lambda e, logs: None)])
    quiet.on_train_batch_end(0, logs)
    quiet.on_test_batch_end(0, logs)
    assert calls == []
    loud = CallbackList([LambdaCallback(on_train_batch_end=lambda b, logs: None)] * 2)
    loud.on_train_batch_end(0, logs)
    assert calls == [1]
    loud.on_train_batch_begin(1, logs)
    assert calls == [1]


def test_hooks_that_nobody_overrides_are_not_kept():
    callbacks = CallbackList([History(), Callback()])
    assert not any(callbacks._batch_hooks.values())


def test_python_logs():
    logs = {"b": Tensor(np.float32(2)), "a": np.float64(1), "d": {"c": 3}, "text": "x", "none": None}
    got = python_logs(logs)
    assert list(got) == ["a", "b", "c", "none", "text"]
    assert all(type(got[k]) is float for k in "abc")
    outputs = {"outputs": {"head": np.zeros((1, 1))}}
    assert python_logs(outputs) == outputs
    assert python_logs(None) == {}


def test_history_and_progbar_are_added_once():
    model = FakeModel()
    callbacks = CallbackList(None, add_history=True, add_progbar=True, model=model, verbose=0, epochs=1, steps=1)
    assert [type(c) for c in callbacks.callbacks] == [History, ProgbarLogger]
    assert model.history is callbacks.callbacks[0]
    history, bar = History(), ProgbarLogger()
    callbacks = CallbackList([history, bar], add_history=True, add_progbar=True, model=model)
    assert callbacks.callbacks == [history, bar]
    assert model.history is history


def test_model_and_params_reach_the_callbacks():
    callback, model = Callback(), FakeModel()
    CallbackList([callback], model=model, verbose=1, epochs=2, steps=None)
    assert callback.model is model
    assert callback.params == {"verbose": 1, "epochs": 2, "steps": None}


def test_not_a_callback():
    with pytest.raises(ValueError, match=r"callbacks: each must be an instance of Callback. Received: callback=3"):
        CallbackList([3])


def test_history():
    history = History()
    history.set_model(FakeModel())
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": 1.0})
    history.on_epoch_end(1, {"loss": 0.5, "val_loss": 2.0})
    assert history.epoch == [0, 1]
    assert history.history == {"loss": [1.0, 0.5], "val_loss": [2.0]}
    assert history.model.history is history


def test_lambda_callback_errors():
    with pytest.raises(
        ValueError, match=r"LambdaCallback: callbacks have no hook of this name. .*name='on_epochs_end'"
    ):
        LambdaCallback(on_epochs_end=print)
    with pytest.raises(ValueError, match=r"LambdaCallback: a hook must be a function. Received: on_train_end=3"):
        LambdaCallback(on_train_end=3)
