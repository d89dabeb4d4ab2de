"""A bounded run of the fuzz target, with fixed seeds; `make fuzz` runs it for an hour."""

import pytest

from .fuzz import SUFFIX, run


@pytest.mark.slow
@pytest.mark.parametrize("loader", SUFFIX)
def test_mutated_files_are_loaded_or_refused(loader):
    total, _, failures = run(loader, seed=0, inputs=200, seconds=120)
    assert not failures, "\n".join(failures)
    assert total == 200
