"""What the helpers load: nothing that takes long, until it is used."""

import subprocess
import sys

SLOW = ("urllib.request", "ssl", "tarfile", "zipfile", "multiprocessing", "concurrent.futures", "logging", "csv", "PIL")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_no_slow_modules():
    names = "kerasish.utils, kerasish.callbacks, kerasish.data, kerasish.datasets"
    code = f"import sys, numpy; before = set(sys.modules); import {names}; print(*(set(sys.modules) - before))"
    loaded = run(code).split()
    assert not [name for name in loaded if name.startswith(SLOW)]


def test_get_file_is_the_function_whoever_loads_it_first():
    for first in ("import kerasish.datasets.mnist", "import kerasish.utils.downloads", "pass"):
        assert run(f"{first}\nfrom kerasish import utils; print(callable(utils.get_file))") == "True"


def test_datasets_are_modules_on_first_use():
    code = "from kerasish import datasets; print('mnist' in dir(datasets), datasets.mnist.load_data.__name__)"
    assert run(code) == "True load_data"
    assert run("from kerasish import datasets; print(hasattr(datasets, 'nope'))") == "False"
