"""One model in several threads: what is read is of one step, and nobody waits for ever."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine import guard

ROWS = 64


pytestmark = pytest.mark.filterwarnings("ignore::kerasish.executor.NotCompiledWarning")


def counting_model(width=4096, deep=1, looks=False, **how):
    """A model whose weights are all equal after each step, so that a torn read shows."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(width, use_bias=False, kernel_initializer="ones")])
    for _ in range(deep - 1):
        model.add(Beside(width))

    def loss(y, p):
        if looks:
            float(ops.sum(p))  # which cannot be compiled
        return ops.mean(p, axis=-1) * width

    model.compile(keras.optimizers.SGD(1.0), loss=loss, **how)
    return model


class Beside(layers.Layer):
    """Adds another weight like the first layer's, for whose gradient it does not matter: all go down by 1 a step."""

    def __init__(self, width):
        super().__init__()
        self.width = width

    def build(self, shape):
        self.kernel = self.add_weight(shape=(1, self.width), initializer="ones")

    def call(self, x):
        return x + self.kernel


class InThread:
    """Runs a function in another thread until the block ends; its exception is raised there."""

    def __init__(self, fn):
        self.fn, self.error, self.stop = fn, None, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.stop.is_set():
                self.fn()
        except BaseException as e:
            self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error


MODES = {"compiled": {}, "op by op": {"jit_compile": False}, "not compiled": {"looks": True}}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["predict", "call", "get_weights"])
def test_what_is_read_while_another_thread_trains_is_of_one_step(how, mode):
    deep = 12
    model = counting_model(64, deep, **MODES[mode])
    x, y = np.ones((ROWS * 50, 1), "float32"), np.zeros((ROWS * 50, 1), "float32")
    one = x[:2]
    # The output is the sum of all weights of a column; what it is off by a step is not a multiple of their number.
    read = {
        "predict": lambda: model.predict(one, verbose=0)[0] / deep,
        "call": lambda: model(one).numpy()[0] / deep,
        "get_weights": lambda: np.concatenate(model.get_weights(), axis=None),
    }[how]
    model.fit(x[:ROWS], y[:ROWS], batch_size=ROWS, verbose=0)
    read(), read()
    seen = set()
    with InThread(lambda: model.fit(x, y, batch_size=ROWS, verbose=0)):
        end = time.monotonic() + 20
        while len(seen) < 20 and time.monotonic() < end:
            values = np.unique(read())
            assert len(values) == 1 and values[0] == np.round(values[0])
            seen.add(float(values[0]))
            time.sleep(0.0005)  # for the other thread to have Python
    assert len(seen) == 20


@pytest.mark.parametrize("mode", MODES)
def test_get_weights_is_of_one_state_whatever_happens_between_two_weights(mode, monkeypatch):
    model = counting_model(8, 3, **MODES[mode])
    x, y = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    model.train_on_batch(x, y)
    original = keras.Variable.numpy

    def numpy(variable):
        value = original(variable)
        thread = threading.Thread(target=lambda: model.train_on_batch(x, y))
        thread.start()
        thread.join(20)
        return value

    monkeypatch.setattr(keras.Variable, "numpy", numpy)
    found = model.get_weights()
    monkeypatch.undo()
    assert [float(w.mean()) for w in found] == [0.0] * 3
    assert [float(w.mean()) for w in model.get_weights()] == [-3.0] * 3


@pytest.mark.parametrize("mode", MODES)
def test_threads_that_train_one_model_take_turns(mode):
    model = counting_model(64, **MODES[mode])
    x, y = np.ones((ROWS, 1), "float32"), np.zeros((ROWS, 1), "float32")
    model.train_on_batch(x, y)
    before = float(model.get_weights()[0][0, 0])
    threads = [threading.Thread(target=lambda: [model.train_on_batch(x, y) for _ in range(20)]) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert float(model.get_weights()[0][0, 0]) == before - 60


@pytest.mark.parametrize("mode", MODES)
def test_a_callback_may_predict_in_mid_epoch(mode):
    model = counting_model(8, **MODES[mode])
    x, y = np.ones((ROWS, 1), "float32"), np.zeros((ROWS, 1), "float32")
    seen = []
    predicts = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(model.predict(x[:1], verbose=0)[0, 0]))
    )
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[predicts])
    assert seen == [0.0, -1.0, -2.0, -3.0]


class Asks(keras.Sequential):
    """Its step, which is not compiled, updates, asks for what the model predicts now, and updates once more."""

    def train_step(self, data):
        for _ in range(2):
            self.layers[0].kernel.assign_sub(np.ones((1, 4), "float32"))
            self.asked.append(self.ask())
        return {"loss": self.layers[0].kernel.numpy().sum()}

    def ask(self):
        return self.predict(np.ones((1, 1), "float32"), verbose=0)[0, 0], self.get_weights()[0][0, 0]


class AsksInThread(Asks):
    def ask(self):
        found = []
        thread = threading.Thread(target=lambda: found.append(super(AsksInThread, self).ask()))
        thread.start()
        thread.join(20)
        return found[0]


@pytest.mark.parametrize("kind, wanted", [(Asks, [0, -1, -2, -3]), (AsksInThread, [1, 1, -1, -1])])
def test_a_step_may_read_what_it_changes(kind, wanted):
    model = kind([keras.Input((1,)), layers.Dense(4, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", "mse", run_eagerly=True)
    model.asked = []
    model.predict(np.ones((1, 1), "float32"), verbose=0)
    model.fit(np.ones((2, 1), "float32"), np.ones((2, 1), "float32"), batch_size=1, verbose=0)
    assert model.asked == [(w, w) for w in wanted]


def test_an_error_in_a_step_op_by_op_lets_the_others_go_on():
    model = counting_model(8, run_eagerly=True)
    x, y = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")
    model.train_on_batch(x, y)
    apply, model.optimizer.apply = model.optimizer.apply, lambda *a: 1 / 0
    with pytest.raises(ZeroDivisionError):
        model.train_on_batch(x, y)
    model.optimizer.apply = apply
    thread = threading.Thread(target=lambda: model.train_on_batch(x, y))
    thread.start()
    thread.join(20)
    assert model.get_weights()[0][0, 0] == -1


@pytest.mark.parametrize("mode", MODES)
def test_a_forked_child_predicts_while_the_parent_trains(mode):
    model = counting_model(512, **MODES[mode])
    x, y = np.ones((ROWS * 50, 1), "float32"), np.zeros((ROWS * 50, 1), "float32")
    model.fit(x[:ROWS], y[:ROWS], batch_size=ROWS, verbose=0)
    model.predict(x[:2], verbose=0)
    with InThread(lambda: model.fit(x, y, batch_size=ROWS, verbose=0)):
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if len(np.unique(model.predict(x[:2], verbose=0))) == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0


def test_a_process_may_fork_within_its_own_step_while_another_thread_waits_for_it():
    g = guard.Guard()
    waits = threading.Thread(target=lambda: guard.changing([g]).__enter__())
    with guard.changing([g]):
        waits.start()
        while g.turn.acquire(blocking=False):  # until the other thread has it
            g.turn.release()
        child = os.fork()
        if child == 0:
            signal.alarm(20)
    if child == 0:
        with guard.changing([g]):
            os._exit(0 if g.count == 3 else 1)
    assert os.waitpid(child, 0)[1] == 0
    waits.join(20)
    assert not waits.is_alive()


def test_copies_of_variables_have_a_guard_of_their_own():
    import copy

    a = keras.Variable([1.0])
    (mine,) = guard.guards_of([a])
    assert copy.deepcopy(a)._guard is not mine
    b = keras.Variable([1.0])
    assert [g.number for g in guard.guards_of([b, a])] == [mine.number, b._guard.number]


def test_an_exception_lets_the_others_go_on():
    v = keras.Variable([7.0])
    (g,) = guard.guards_of([v])
    with pytest.raises(KeyboardInterrupt), guard.changing([g]):
        assert g.count == 1
        raise KeyboardInterrupt
    assert g.count == 2
    done = []
    thread = threading.Thread(target=lambda: done.append(guard.read([g], [v])[0] is v._held))
    thread.start()
    thread.join(10)
    assert done == [True]


def test_who_comes_while_a_step_runs_waits_for_its_end():
    v = keras.Variable([7.0])
    (g,) = guard.guards_of([v])
    order = []
    with guard.changing([g]):
        thread = threading.Thread(target=lambda: order.append(guard.read([g], [v]) and "read"))
        thread.start()
        thread.join(0.05)
        order.append("step")
    thread.join(10)
    assert order == ["step", "read"]


def test_who_comes_while_a_step_runs_op_by_op_sees_what_was_before_it():
    a, b = keras.Variable([1.0]), keras.Variable([1.0])
    guard.guards_of([a]), guard.guards_of([b])
    read = []
    both = guard.guards_of([a, b])

    def look():
        read.append([float(v) for v in (a, b, *(t for t in guard.read(both, [a, b])))])

    with guard.stepping([a, b]):
        a.assign([2.0])
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(20)
        with guard.changing(guard.guards_of([b])):
            b.assign([2.0])  # a part of the step
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(20)
        assert (float(a), float(b)) == (2.0, 2.0)
    look()
    assert read == [[1.0] * 4, [1.0] * 4, [2.0] * 4]


def test_a_thread_that_reads_op_by_op_sees_one_state_and_what_it_assigns():
    a, b = keras.Variable([1.0]), keras.Variable([1.0])
    guard.guards_of([a, b])

    def step():
        with guard.stepping([a, b]):
            a.assign([2.0]), b.assign([2.0])

    with guard.as_of_now([a, b]):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join(20)
        assert (float(a), float(b)) == (1.0, 1.0)
        b.assign([5.0])
        assert (float(a), float(b)) == (1.0, 5.0)
    assert (float(a), float(b)) == (2.0, 5.0)
