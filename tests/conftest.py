"""Fixtures for every test: a fresh seed, and no state left behind."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _seeded():
    np.random.seed(0)
    yield
