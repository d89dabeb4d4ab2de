"""Every initializer: shapes, dtypes, seeds, config."""

import numpy as np
import pytest

from kerasish import initializers, random
from tests.contracts.round_trip import check_round_trip

RANDOM = {
    "GlorotNormal": {},
    "GlorotUniform": {},
    "HeNormal": {},
    "HeUniform": {},
    "LecunNormal": {},
    "LecunUniform": {},
    "Orthogonal": {"gain": 2.0},
    "RandomNormal": {"mean": 1.0, "stddev": 2.0},
    "RandomUniform": {"minval": -1.0, "maxval": 3.0},
    "TruncatedNormal": {"mean": 1.0, "stddev": 2.0},
    "VarianceScaling": {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"},
}
FIXED = {
    "Constant": {"value": 2.5},
    "Identity": {"gain": 3.0},
    "Ones": {},
    "STFT": {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True},
    "Zeros": {},
}


def shape_for(name):
    return (8, 1, 5) if name == "STFT" else (6, 4)


def test_all_classes_are_covered():
    classes = {m.__name__ for m in initializers._members if m is not initializers.Initializer}
    assert classes == set(RANDOM) | set(FIXED)


@pytest.mark.parametrize("name", sorted(RANDOM | FIXED))
def test_config(name):
    make = getattr(initializers, name)
    obj = make(**(RANDOM | FIXED)[name], **({"seed": 7} if name in RANDOM else {}))
    back = check_round_trip(obj, initializers.serialize, initializers.deserialize, initializers.get)
    a, b = obj(shape_for(name)), back(shape_for(name))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(obj.clone()(shape_for(name)), a)


@pytest.mark.parametrize("name", sorted(RANDOM | FIXED))
@pytest.mark.parametrize("dtype", [None, "float32", "float64"])
def test_shape_and_dtype(name, dtype):
    value = getattr(initializers, name)()(shape_for(name), dtype=dtype)
    assert value.shape == shape_for(name) and value.dtype == (dtype or "float32")
    assert np.isfinite(np.asarray(value)).all()


@pytest.mark.parametrize("name", sorted(RANDOM))
def test_seeds(name):
    make = getattr(initializers, name)
    shape = (5, 7)

    def draw(initializer):
        return np.array(initializer(shape))

    one = make(seed=3)
    assert (draw(one) == draw(one)).all() and (draw(one) == draw(make(seed=3))).all()
    assert not (draw(one) == draw(make(seed=4))).all()
    unseeded = make()
    assert (draw(unseeded) == draw(unseeded)).all() and not (draw(unseeded) == draw(make())).all()
    generator = make(seed=random.SeedGenerator(5))
    assert not (draw(generator) == draw(generator)).all()
    with pytest.raises(ValueError, match=rf"{name}: seed is an integer, a SeedGenerator or None. Received: seed='x'"):
        make(seed="x")


@pytest.mark.parametrize("name", sorted(RANDOM | FIXED))
def test_found_by_both_spellings(name):
    snake = {"STFT": "stft"}.get(name) or "".join(("_" + c.lower()) if c.isupper() else c for c in name).lstrip("_")
    assert type(initializers.get(name)) is type(initializers.get(snake)) is getattr(initializers, name)
    assert getattr(initializers, snake) is getattr(initializers, name)
