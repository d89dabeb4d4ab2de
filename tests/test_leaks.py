"""Resident memory does not grow over models that are made and deleted, nor over predictions."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# Prints the resident memory in MB after a warm-up, halfway, and at the end.
PRELUDE = """
import gc, json, os
import numpy as np
import kerasish as keras
from kerasish import layers

def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

def model():
    m = keras.Sequential([
        keras.Input((12, 12, 1)), layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.2), layers.Dense(64), layers.Dense(3, "softmax"),
    ])
    m.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return m

x = np.random.default_rng(0).standard_normal((32, 12, 12, 1)).astype("float32")
y = np.arange(32) % 3
"""

FIT = """
def work(n):
    for _ in range(n):
        m = model()
        m.fit(x, y, batch_size=16, verbose=0)
        del m
work(60); a = resident(); work(120); b = resident(); work(120); c = resident()
print(json.dumps([a, b, c]))
"""

PREDICT = """
m = model()
one = x[:1]
def work(n):
    for _ in range(n):
        m.predict(one, verbose=0)
work(2000); a = resident(); work(4000); b = resident(); work(4000); c = resident()
print(json.dumps([a, b, c]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("code", "what"), [(FIT, "300 models"), (PREDICT, "10,000 predictions")], ids=["fit", "predict"]
)
def test_memory_does_not_grow(code, what):
    run = subprocess.run([sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr
    start, middle, end = json.loads(run.stdout.splitlines()[-1])
    # One model keeps about 0.3 MB; a leak of every one would be tens of MB.
    assert end - middle < 3, f"{what}: resident memory was {start:.1f}, {middle:.1f}, {end:.1f} MB"
    assert end - start < 6, f"{what}: resident memory was {start:.1f}, {middle:.1f}, {end:.1f} MB"
