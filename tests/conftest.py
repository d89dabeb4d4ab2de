"""Fixtures for every test: the same seed, whatever ran before."""

import pytest

import kerasish as keras


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)
    yield
