"""CSVLogger, TerminateOnNaN, RemoteMonitor, SwapEMAWeights and ProgbarLogger."""

import http.server
import io
import json
import threading
import urllib.parse

import numpy as np
import pytest

from kerasish.callbacks import (
    CallbackList,
    CSVLogger,
    ProgbarLogger,
    RemoteMonitor,
    SwapEMAWeights,
    TerminateOnNaN,
)

from .fakes import FakeModel, FakeOptimizer, FakeVariable, run

# -- CSVLogger -----------------------------------------------------------------------------------------------------


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    logger = CSVLogger(path, separator=";")
    run(logger, FakeModel(), [{"loss": 1.0, "acc": 0.5}, {"loss": 0.5, "acc": 0.75, "val_loss": 2.0}])
    assert path.read_text() == "epoch;acc;loss;val_acc;val_loss\n0;0.5;1.0;NA;NA\n1;0.75;0.5;NA;2.0\n"
    run(logger, FakeModel(), [{"loss": 1.0, "val_loss": 3.0}])
    assert path.read_text() == "epoch;loss;val_loss\n0;1.0;3.0\n"


def test_csv_logger_appends_under_the_old_header(tmp_path):
    path = tmp_path / "log.csv"
    logs = [{"loss": 1.0, "val_loss": 2.0}]
    run(CSVLogger(path, append=True), FakeModel(), logs)
    run(CSVLogger(path, append=True), FakeModel(), logs)
    assert path.read_text() == "epoch,loss,val_loss\n0,1.0,2.0\n0,1.0,2.0\n"


def test_csv_logger_cells(tmp_path):
    path = tmp_path / "log.csv"
    run(CSVLogger(path), FakeModel(), [{"val_a": np.array([1, 2]), "s": "x", "z": np.array(3)}])
    assert path.read_text().splitlines()[1] == '0,x,"""[1, 2]""",3'


# -- TerminateOnNaN ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_terminate_on_nan(loss, capsys):
    model = FakeModel()
    callbacks = CallbackList([TerminateOnNaN()], model=model)
    callbacks.on_train_batch_end(0, {"loss": 1.0})
    callbacks.on_train_batch_end(1, {})
    assert not model.stop_training
    callbacks.on_train_batch_end(2, {"loss": loss})
    assert model.stop_training
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"
    with pytest.raises(RuntimeError, match=r"TerminateOnNaN: the loss must be finite. Received: loss=.* at batch 5"):
        CallbackList([TerminateOnNaN(raise_error=True)]).on_train_batch_end(5, {"loss": loss})


# -- RemoteMonitor -------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.path, dict(self.headers), body))
            self.send_response(500 if "fail" in self.path else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", received
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_remote_monitor(server):
    root, received = server
    RemoteMonitor(root, headers={"X-Run": "7"}).on_epoch_end(1, {"loss": np.float32(0.5), "acc": np.array(1)})
    RemoteMonitor(root, "/json", send_as_json=True).on_epoch_end(2, {"loss": 0.25})
    RemoteMonitor(root, "/fail").on_epoch_end(2)
    (path, headers, body), (json_path, json_headers, json_body), _ = received
    assert path == "/publish/epoch/end/"
    assert headers["X-Run"] == "7"
    assert json.loads(urllib.parse.parse_qs(body)["data"][0]) == {"epoch": 1, "loss": 0.5, "acc": 1}
    assert json_path == "/json"
    assert json_headers["Content-Type"] == "application/json"
    assert json.loads(json_body) == {"epoch": 2, "loss": 0.25}


def test_remote_monitor_without_a_server():
    with pytest.warns(UserWarning, match="RemoteMonitor: could not reach the server at http://127.0.0.1:1"):
        RemoteMonitor("http://127.0.0.1:1").on_epoch_end(0)


# -- SwapEMAWeights ------------------------------------------------------------------------------------------------


def ema_model():
    optimizer = FakeOptimizer(use_ema=True)
    optimizer._trainable_variables = [FakeVariable([1.0]), FakeVariable([2.0])]
    optimizer._model_variables_moving_average = [FakeVariable([10.0]), FakeVariable([20.0])]
    return FakeModel(optimizer)


def state(model):
    o = model.optimizer
    return [[float(v.value[0]) for v in vs] for vs in (o._trainable_variables, o._model_variables_moving_average)]


@pytest.mark.parametrize("kind", ["test", "predict"])
def test_swap_for_evaluation(kind):
    model, callback = ema_model(), SwapEMAWeights()
    callback.set_model(model)
    getattr(callback, f"on_{kind}_begin")()
    assert state(model) == [[10, 20], [1, 2]]
    getattr(callback, f"on_{kind}_end")()
    assert state(model) == [[1, 2], [10, 20]]


def test_swap_on_epoch():
    model, callback = ema_model(), SwapEMAWeights(swap_on_epoch=True)
    callback.set_model(model)
    callback.set_params({"epochs": 2})
    callback.on_epoch_begin(0)
    assert state(model) == [[1, 2], [10, 20]]
    callback.on_epoch_end(0)
    assert state(model) == [[10, 20], [1, 2]]
    callback.on_epoch_begin(1)
    assert state(model) == [[1, 2], [10, 20]]
    callback.on_epoch_end(1)
    assert state(model) == [[10, 20], [10, 20]]


def test_swap_without_ema():
    callback = SwapEMAWeights()
    callback.set_model(FakeModel())
    with pytest.raises(ValueError, match="SwapEMAWeights: the optimizer must be built with use_ema=True"):
        callback.on_test_begin()


# -- ProgbarLogger -------------------------------------------------------------------------------------------------


class Tty(io.StringIO):
    def isatty(self):
        return True


def play(verbose, steps=2, epochs=2, known=True, validate=False):
    callbacks = CallbackList(None, add_progbar=True, verbose=verbose, epochs=epochs, steps=steps if known else None)
    callbacks.on_train_begin()
    for epoch in range(epochs):
        callbacks.on_epoch_begin(epoch)
        for step in range(steps):
            callbacks.on_train_batch_end(step, {"loss": 1.0 / (step + 1)})
        if validate:
            callbacks.on_test_begin()
            callbacks.on_test_batch_end(0, {"loss": 9})
            callbacks.on_test_end({"loss": 9})
        callbacks.on_epoch_end(epoch, {"loss": 0.5})
    callbacks.on_train_end()


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
@pytest.mark.parametrize("known", [True, False])
def test_one_line_per_epoch_in_a_log(verbose, known, capsys):
    play(verbose, known=known, validate=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/2", "2/2", "Epoch 2/2", "2/2"]
    assert lines[1].endswith("/step - loss: 0.5000")


def test_silence(capsys):
    play(0)
    assert capsys.readouterr().out == ""


def test_a_single_epoch_is_not_announced(capsys):
    play(2, epochs=1)
    assert capsys.readouterr().out.startswith("2/2 - ")


def test_a_bar_on_a_terminal(monkeypatch):
    out = Tty()
    monkeypatch.setattr("sys.stdout", out)
    play(1, steps=50, epochs=1)
    assert out.getvalue().count("\r") < 50  # redrawn no more often than the interval
    assert out.getvalue().endswith("\n")
    assert out.getvalue().rstrip().endswith("loss: 0.5000")
    assert out.getvalue().count("\n") == 1


def test_evaluate_and_predict(capsys):
    logger = ProgbarLogger()
    callbacks = CallbackList([logger], verbose=2, epochs=1, steps=2)
    callbacks.on_test_begin()
    for step in range(2):
        callbacks.on_test_batch_end(step, {"loss": 1})
    callbacks.on_test_end({"loss": 2})
    assert "loss: 2.0000" in capsys.readouterr().out
    callbacks.on_predict_begin()
    callbacks.on_predict_batch_end(1, {"outputs": np.zeros(3)})
    callbacks.on_predict_end({"outputs": np.zeros(3)})
    assert "outputs" not in capsys.readouterr().out
