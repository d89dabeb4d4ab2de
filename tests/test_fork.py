"""fork, Python threads and the environment variables."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers

PRELUDE = """
import os, sys, threading, time
import numpy as np
import kerasish as keras
from kerasish import layers
keras.utils.set_random_seed(0)
x = np.random.default_rng(0).standard_normal((256, 16, 16, 3)).astype("float32")
y = np.arange(256) % 4
model = keras.Sequential([
    keras.Input((16, 16, 3)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
    layers.Dense(4, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
"""

FIT_THEN_FORK = """
model.fit(x, y, batch_size=64, verbose=0)
before = model.predict(x, verbose=0)
child = os.fork()
if child == 0:
    same = (model.predict(x, verbose=0) == before).all()
    model.fit(x, y, batch_size=64, verbose=0)
    changed = (model.predict(x, verbose=0) != before).any()
    os._exit(0 if same and changed else 3)
model.fit(x, y, batch_size=64, verbose=0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""

FORK_IN_THE_MIDDLE = """
model.fit(x, y, batch_size=64, verbose=0)
want = model.predict(x, verbose=0)
stop = threading.Event()
def busy():
    while not stop.is_set():
        model.predict(x, verbose=0)
thread = threading.Thread(target=busy, daemon=True)
thread.start()
codes = []
for _ in range(8):
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        os._exit(0 if (model.predict(x, verbose=0) == want).all() else 3)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop.set()
thread.join()
sys.exit(max(codes))
"""


def run(code: str, timeout: float = 300, **environment: str) -> subprocess.CompletedProcess:
    # Forking beside a running thread is what is tested here; Python warns of it from 3.12 on.
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True, text=True, timeout=timeout, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("code", [FIT_THEN_FORK, FORK_IN_THE_MIDDLE], ids=["after fit", "in the middle of predict"])
def test_parent_and_child_both_finish_with_the_same_numbers(code):
    done = run(PRELUDE + code)
    assert done.returncode == 0, done.stderr


def test_several_threads_predict_with_one_model():
    x = np.random.default_rng(0).standard_normal((64, 10)).astype("float32")
    model = keras.Sequential([keras.Input((10,)), layers.Dense(64, activation="relu"), layers.Dense(3)])
    want = model.predict(x, verbose=0)
    wrong: list = []

    def work():
        for _ in range(20):
            if (model.predict(x, verbose=0) != want).any() or (model(x).numpy() != model(x).numpy()).any():
                wrong.append(threading.current_thread().name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=120)
    assert not any(t.is_alive() for t in threads)
    assert wrong == []


def test_the_environment_lowers_the_number_of_threads_and_never_raises_it():
    code = "from kerasish._core import core; print(core.num_threads())"
    assert int(run(code, KERASISH_NUM_THREADS="1").stdout) == 1
    assert int(run(code, KERASISH_NUM_THREADS="10000").stdout) <= len(os.sched_getaffinity(0))


def test_the_instruction_set_from_the_environment():
    code = "import kerasish; from kerasish._core import core; print(core.isa()); kerasish.show_config()"
    done = run(code, KERASISH_ISA="scalar")
    assert done.stdout.splitlines()[0] == "scalar"
    done = run(code, KERASISH_ISA="mmx")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] != "mmx"
    assert "mmx" in done.stdout + done.stderr
