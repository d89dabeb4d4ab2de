"""A run that is killed again and again ends with the same bits as one that is not.

The number of kills is KERASISH_KILLS (10 by default); `make kill` does 150.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed_run.py")
KILLS = int(os.environ.get("KERASISH_KILLS", 10))


def start(folder):
    environment = {**os.environ, "KERASISH_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


def digest(process):
    out, errors = process.communicate()
    assert process.returncode == 0 and out.startswith(b"done "), errors.decode()
    return out


@pytest.mark.slow
def test_killed_runs_end_alike(tmp_path):
    begun = time.monotonic()
    whole = digest(start("-"))
    length = time.monotonic() - begun
    rng = random.Random(1)
    kills = finished = 0
    folder = tmp_path / "backup"
    while kills < KILLS:
        process = start(folder)
        # From the first import to the last step; short ones so that a run is killed several times.
        time.sleep(rng.uniform(0.2, 0.9) * length if rng.random() < 0.7 else rng.uniform(0, length))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            left = [n for n in os.listdir(folder) if n.startswith("checkpoint")] if folder.exists() else []
            assert len(left) <= 3, left
        else:
            assert digest(process) == whole
            finished += 1
    assert digest(start(folder)) == whole
    assert not folder.exists()
    print(f"{kills} kills, {finished + 1} runs to the end")
