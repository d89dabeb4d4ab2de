"""Fixtures for every test, and what is left out without the `parity` extra."""

import argparse
import gc
import os
import re
import signal
from importlib.util import find_spec

import pytest

import kerasish as keras

from .parity.on_jax import reason_for_jax

RUN = 16  # tests in a row that stay together, since what one has traced or compiled the next one may find


def part_of(text):
    numbers = re.fullmatch(r"(\d+)/(\d+)", text)
    k, n = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= k <= n:
        raise argparse.ArgumentTypeError(f"K/N with 1 <= K <= N, not {text!r}")
    return k, n


def pytest_addoption(parser):
    parser.addoption(
        "--part",
        metavar="K/N",
        type=part_of,
        help="part K of N of the tests that are selected, for N processes side by side: pytest-xdist's reports from "
        "process to process take as long as most tests here",
    )


@pytest.fixture(autouse=True)
def _seeded():
    """The same seed, whatever ran before."""
    keras.utils.set_random_seed(0)
    yield


@pytest.fixture
def ctrl_c():
    """Python's own handling of Ctrl-C, which a process started in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_finish():
    """The items of the whole suite are a large heap that lives to the end: no collection needs to walk it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Marks tests before -m selects, and takes a part of what it has selected."""
    mark(config, items)
    yield
    if not (part := config.getoption("--part")):
        return
    k, n = part
    config.hook.pytest_deselected(items=[item for i, item in enumerate(items) if i // RUN % n != k - 1])
    items[:] = [item for i, item in enumerate(items) if i // RUN % n == k - 1]


def mark(config, items):
    """Marks what names its ISA, and what needs Keras on JAX. Without Keras there is nothing to compare with.

    KERASISH_REQUIRE_PARITY makes that an error (the CI sets it). Without other interpreters to exchange files with, the
    tests that do so are deselected.
    """
    if not os.environ.get("KERASISH_PEERS"):
        left_out = [item for item in items if item.get_closest_marker("exchange")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("exchange")]
    for item in items:
        if "isa" in getattr(getattr(item, "callspec", None), "params", ()):
            item.add_marker(pytest.mark.isa)
    parity = [item for item in items if item.get_closest_marker("parity")]
    for item in parity:
        if reason := reason_for_jax(item.nodeid):
            item.add_marker(pytest.mark.jax(reason))
    backend = os.environ.setdefault("KERAS_BACKEND", "jax")
    if find_spec("keras") is not None and find_spec("jax") is not None and find_spec(backend) is not None:
        return
    if os.environ.get("KERASISH_REQUIRE_PARITY"):
        raise pytest.UsageError("the parity tests need the `parity` extra: pip install -e '.[parity]'")
    skip = pytest.mark.skip(reason="needs the `parity` extra")
    for item in parity:
        item.add_marker(skip)
