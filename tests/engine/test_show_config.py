"""show_config: what it prints, and why it says so many threads."""

from __future__ import annotations

import os
import subprocess
import sys

import kerasish as keras
from kerasish._core import core
from kerasish.engine.show_config import configuration


def test_it_names_what_is_in_use(capsys):
    keras.show_config()
    text = capsys.readouterr().out
    assert text.startswith(f"kerasish {keras.__version__}\n")
    for part in ("instruction set", core.isa(), "threads", "caches", "L1", "kernels", "random", "NumPy"):
        assert part in text


def test_kernels_by_family_add_up():
    assert sum(configuration()["kernels"].values()) == len(core.kernels())


def run(**environment):
    code = "import kerasish; kerasish.show_config()"
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout


def test_the_environment_is_obeyed_or_named():
    text = run(KERASISH_ISA="scalar", KERASISH_NUM_THREADS="1")
    assert "scalar (available:" in text and "1 (" in text and "KERASISH_NUM_THREADS=1" in text
    assert "KERASISH_NUM_THREADS=two, which is not a positive number" in run(KERASISH_NUM_THREADS="two")
    assert "KERASISH_ISA=sse9 names none of these" in run(KERASISH_ISA="sse9")


def test_a_number_set_by_the_program_is_named(capsys):
    core.set_num_threads(core.thread_limits()["automatic"] + 1)
    try:
        keras.show_config()
    finally:
        core.set_num_threads(0)
    assert f"set to {core.thread_limits()['automatic'] + 1} by the program" in capsys.readouterr().out
