"""One model in several threads: what is read is of one step, and nobody waits for ever."""

import os
import threading
import time

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine import guard

ROWS = 64


def counting_model(width=4096):
    """A model whose weights are all equal after each step, so that a torn read shows."""
    model = keras.Sequential([keras.Input((1,)), layers.Dense(width, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(1.0), loss=lambda y, p: ops.mean(p, axis=-1) * width)
    return model


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


@pytest.mark.parametrize("how", ["predict", "call", "get_weights"])
def test_what_is_read_while_another_thread_trains_is_of_one_step(how):
    model = counting_model()
    x, y = np.ones((ROWS * 50, 1), "float32"), np.zeros((ROWS * 50, 1), "float32")
    one = x[:2]
    read = {
        "predict": lambda: model.predict(one, verbose=0)[0],
        "call": lambda: model(one).numpy()[0],
        "get_weights": lambda: model.get_weights()[0][0],
    }[how]
    model.fit(x[:ROWS], y[:ROWS], batch_size=ROWS, verbose=0)
    read(), read()
    seen = set()
    with InThread(lambda: model.fit(x, y, batch_size=ROWS, verbose=0)):
        end = time.monotonic() + 20
        while len(seen) < 20 and time.monotonic() < end:
            values = np.unique(read())
            assert len(values) == 1
            seen.add(float(values[0]))
    assert len(seen) == 20


def test_threads_that_train_one_model_take_turns():
    model = counting_model(64)
    x, y = np.ones((ROWS, 1), "float32"), np.zeros((ROWS, 1), "float32")
    model.train_on_batch(x, y)
    before = float(model.get_weights()[0][0, 0])
    threads = [threading.Thread(target=lambda: [model.train_on_batch(x, y) for _ in range(20)]) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert float(model.get_weights()[0][0, 0]) == before - 60


def test_a_callback_may_predict_in_mid_epoch():
    model = counting_model(8)
    x, y = np.ones((ROWS, 1), "float32"), np.zeros((ROWS, 1), "float32")
    seen = []
    predicts = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(model.predict(x[:1], verbose=0)[0, 0]))
    )
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[predicts])
    assert seen == [0.0, -1.0, -2.0, -3.0]


def test_a_forked_child_predicts_while_the_parent_trains():
    model = counting_model()
    x, y = np.ones((ROWS * 50, 1), "float32"), np.zeros((ROWS * 50, 1), "float32")
    model.fit(x[:ROWS], y[:ROWS], batch_size=ROWS, verbose=0)
    model.predict(x[:2], verbose=0)
    with InThread(lambda: model.fit(x, y, batch_size=ROWS, verbose=0)):
        for _ in range(5):
            child = os.fork()
            if child == 0:
                os._exit(0 if len(np.unique(model.predict(x[:2], verbose=0))) == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0


def test_copies_of_variables_have_a_guard_of_their_own():
    import copy

    a = keras.Variable([1.0])
    (mine,) = guard.guards_of([a])
    assert copy.deepcopy(a)._guard is not mine
    b = keras.Variable([1.0])
    assert [g.number for g in guard.guards_of([b, a])] == [mine.number, b._guard.number]


def test_an_exception_lets_the_others_go_on():
    g = guard.Guard()
    with pytest.raises(KeyboardInterrupt), guard.changing([g]):
        assert g.count == 1
        raise KeyboardInterrupt
    assert g.count == 2
    done = []
    thread = threading.Thread(target=lambda: done.append(guard.read([g], lambda: 7)))
    thread.start()
    thread.join(10)
    assert done == [7]


def test_who_comes_while_a_step_runs_waits_for_its_end():
    g = guard.Guard()
    order = []
    with guard.changing([g]):
        thread = threading.Thread(target=lambda: order.append(guard.read([g], lambda: "read")))
        thread.start()
        thread.join(0.05)
        order.append("step")
    thread.join(10)
    assert order == ["step", "read"]
