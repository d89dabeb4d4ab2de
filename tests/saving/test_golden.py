"""Files that other versions of Keras wrote (see golden/README.md): the same outputs, the same losses afterwards."""

from pathlib import Path

import numpy as np
import pytest

import kerasish as keras

from . import peer

GOLDEN = Path(__file__).with_name("golden")
FILES = sorted(p for p in GOLDEN.glob("*/*") if p.suffix in (".h5", ".keras"))


def values_of(path):
    with np.load(path.with_suffix(".npz")) as values:
        return dict(values)


@pytest.mark.filterwarnings("ignore:Flatten .* was passed an input with a mask")
@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_outputs_and_next_losses(path):
    values = values_of(path)
    peer.compare(keras.saving.load_model(path), values, path.stem)


def test_the_golden_files_are_there():
    versions = {p.parent.name for p in FILES}
    assert len(versions) >= 14 and len(FILES) >= 45, versions
    assert sum(p.stat().st_size for p in GOLDEN.rglob("*")) < 2 << 20
