"""Fixtures for every test, and what is left out without the `parity` extra."""

import os
from importlib.util import find_spec

import pytest

import kerasish as keras


@pytest.fixture(autouse=True)
def _seeded():
    """The same seed, whatever ran before."""
    keras.utils.set_random_seed(0)
    yield


def pytest_collection_modifyitems(config, items):
    """Without Keras there is nothing to compare with. KERASISH_REQUIRE_PARITY makes that an error (the CI sets it).

    Without other interpreters to exchange files with, the tests that do so are deselected.
    """
    if not os.environ.get("KERASISH_PEERS"):
        left_out = [item for item in items if item.get_closest_marker("exchange")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in left_out]
    backend = os.environ.setdefault("KERAS_BACKEND", "jax")
    if find_spec("keras") is not None and find_spec(backend) is not None:
        return
    if os.environ.get("KERASISH_REQUIRE_PARITY"):
        raise pytest.UsageError("the parity tests need the `parity` extra: pip install -e '.[parity]'")
    skip = pytest.mark.skip(reason="needs the `parity` extra")
    for item in items:
        if item.get_closest_marker("parity"):
            item.add_marker(skip)
