"""keras.random: seeds and their state, parameters as tensors, dtypes, statistics of the samplers, errors."""

from __future__ import annotations

import numpy as np
import pytest

import kerasish as keras
from kerasish import random
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.engine.symbol import Symbol
from kerasish.engine.tensor import to_tensor
from kerasish.utils.rng import set_random_seed

DRAWS = {
    "uniform": lambda **k: random.uniform((50,), **k),
    "normal": lambda **k: random.normal((50,), **k),
    "truncated_normal": lambda **k: random.truncated_normal((50,), **k),
    "randint": lambda **k: random.randint((50,), 0, 10**6, **k),
    "gamma": lambda **k: random.gamma((50,), 2.0, **k),
    "beta": lambda **k: random.beta((50,), 2.0, 3.0, **k),
    "binomial": lambda **k: random.binomial((50,), 1000, 0.4, **k),
    "categorical": lambda **k: random.categorical(np.zeros((5, 100)), 10, **k),
    "dropout": lambda **k: random.dropout(np.ones(200, "float32"), 0.5, **k),
    "shuffle": lambda **k: random.shuffle(np.arange(50), **k),
}


def same(a, b):
    return a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_seeds(draw):
    assert same(draw(seed=3), draw(seed=3))
    assert not same(draw(seed=3), draw(seed=4))
    generator = random.SeedGenerator(3)
    first, second = draw(seed=generator), draw(seed=generator)
    assert same(first, draw(seed=3))
    assert not same(first, second)
    again = random.SeedGenerator(3)
    assert same(first, draw(seed=again)) and same(second, draw(seed=again))
    set_random_seed(11)
    a, b = draw(), draw()
    set_random_seed(11)
    assert same(a, draw()) and same(b, draw())
    assert not same(a, b)


def test_seed_generator_state():
    generator = random.SeedGenerator(5, name="noise")
    assert generator.state.shape == (2,) and generator.state.dtype == "uint32" and not generator.state.trainable
    assert generator.state.path == "noise/seed_generator_state"
    assert [generator.next().numpy().tolist() for _ in range(3)] == [[5, 0], [5, 1], [5, 2]]
    assert generator.next(ordered=False).numpy().tolist() == [5, 3]
    assert generator.state.numpy().tolist() == [5, 4]


def test_seed_generator_config():
    generator = random.SeedGenerator(5, name="noise")
    assert generator.get_config() == {"seed": 5, "name": "noise"}
    twin = deserialize_keras_object(serialize_keras_object(generator))
    assert isinstance(twin, random.SeedGenerator) and twin.get_config() == generator.get_config()
    assert random.SeedGenerator().get_config()["seed"] is None


def test_default_seeds_follow_set_random_seed():
    set_random_seed(1)
    a = [random.SeedGenerator().state.numpy()[0] for _ in range(3)]
    set_random_seed(1)
    assert a == [random.SeedGenerator().state.numpy()[0] for _ in range(3)]
    assert len(set(a)) == 3
    assert np.random.rand() == (set_random_seed(1), np.random.rand())[1]


def test_a_seed_may_be_a_tensor():
    assert same(random.normal((9,), seed=to_tensor(np.array([8, 0], "uint32"))), random.normal((9,), seed=8))
    assert same(random.normal((9,), seed=np.int64(8)), random.normal((9,), seed=8))


@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal", "gamma", "beta", "binomial"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_dtypes(name, dtype):
    out = DRAWS[name](dtype=dtype, seed=1)
    assert out.dtype == dtype and np.isfinite(out.numpy()).all()


def test_uniform_float16_stays_below_its_upper_end():
    x = random.uniform((100000,), 1.0, 1.005, dtype="float16", seed=1).numpy()
    assert x.min() >= 1 and x.max() < np.float16(1.005)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_randint_dtypes(dtype):
    x = random.randint((500,), 3, 9, dtype=dtype, seed=1)
    assert x.dtype == dtype and set(x.numpy().tolist()) == {3, 4, 5, 6, 7, 8}


def test_randint_takes_whole_floats():
    assert same(random.randint((5,), 0.0, 7.0, seed=1), random.randint((5,), 0, 7, seed=1))


def test_parameters_as_tensors_broadcast():
    x = random.normal((4000, 2), mean=[0.0, 10.0], stddev=np.array([[1.0, 0.1]], "float32"), seed=1).numpy()
    np.testing.assert_allclose(x.mean(axis=0), [0, 10], atol=0.06)
    np.testing.assert_allclose(x.std(axis=0), [1, 0.1], rtol=0.05)
    u = random.uniform((4000, 2), minval=[0.0, 5.0], maxval=[1.0, 6.0], seed=1).numpy()
    assert (u.min(axis=0) >= [0, 5]).all() and (u.max(axis=0) < [1, 6]).all() and u.dtype == np.float32
    scalar = random.normal((50,), mean=3.0, stddev=2.0, dtype="float64", seed=1).numpy()
    tensor = random.normal((50,), mean=np.full(50, 3.0), stddev=np.full(50, 2.0), dtype="float64", seed=1).numpy()
    np.testing.assert_allclose(tensor, scalar, rtol=1e-14)


def test_statistics_of_the_samplers():
    n = 20000
    g = random.gamma((n,), [3.0], seed=1, dtype="float64").numpy()
    assert abs(g.mean() - 3) < 0.06 and abs(g.var() - 3) < 0.15
    b = random.beta((n,), 2.0, 3.0, seed=1, dtype="float64").numpy()
    assert abs(b.mean() - 0.4) < 0.006 and abs(b.var() - 0.04) < 0.002
    k = random.binomial((n, 2), [10, 100], [0.5, 0.1], seed=1).numpy()
    np.testing.assert_allclose(k.mean(axis=0), [5, 10], rtol=0.01)
    p = np.array([0.1, 0.6, 0.3, 0.0])
    with np.errstate(divide="ignore"):
        c = random.categorical(np.log(p)[None], n, seed=1).numpy()[0]
    np.testing.assert_allclose(np.bincount(c, minlength=4) / n, p, atol=0.012)


def test_shuffle_moves_every_column_on_its_own():
    x = np.arange(60).reshape(20, 3)
    y = random.shuffle(x, seed=2).numpy()
    np.testing.assert_array_equal(np.sort(y, axis=0), x)
    assert not (np.diff(y, axis=1) == 1).all()


def test_dropout_rate_and_scale():
    y = random.dropout(np.ones((400, 500), "float32"), 0.3, seed=1).numpy()
    assert set(np.unique(y).tolist()) == {0.0, float(np.float32(1) / np.float32(0.7))}
    assert abs((y == 0).mean() - 0.3) < 0.005


def test_dropout_at_the_ends_and_in_float16():
    x = keras.ops.convert_to_tensor(np.ones((3, 4), "float32"))
    np.testing.assert_array_equal(random.dropout(x, 0.0, seed=1).numpy(), x.numpy())
    np.testing.assert_array_equal(random.dropout(x, 1.0, seed=1).numpy(), 0)
    half = random.dropout(np.ones((3, 40), "float16"), 0.5, noise_shape=(3, 1), seed=1)
    wide = random.dropout(np.ones((3, 40), "float32"), 0.5, noise_shape=(3, 1), seed=1)
    assert half.dtype == "float16"
    np.testing.assert_array_equal(half.numpy(), wide.numpy())


def test_dropout_gradient_is_the_same_mask():
    x = keras.ops.convert_to_tensor(np.ones(100, "float32"))
    generator = random.SeedGenerator(1)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = random.dropout(x, 0.5, seed=generator)
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), y.numpy())


def test_dropout_of_a_symbol():
    y = random.dropout(Symbol((None, 5, 6), "float32"), 0.5, noise_shape=(None, 1, 6), seed=1)
    assert y.shape == (None, 5, 6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: random.uniform((2,), dtype="int32"),
            "uniform: the dtype must be a floating-point type. Received: dtype='int32'",
        ),
        (
            lambda: random.normal((2,), dtype="int32"),
            "normal: the dtype must be a floating-point type. Received: dtype='int32'",
        ),
        (
            lambda: random.uniform((2,), 3.0, 1.0),
            "uniform: minval must be at most maxval, and both finite. Received: minval=3.0, maxval=1.0",
        ),
        (lambda: random.normal((2, None)), r"normal: every dimension must be known. Received: \(2, None\)"),
        (
            lambda: random.randint((2,), 0, 5, dtype="float32"),
            "randint: the dtype must be an integer type. Received: dtype='float32'",
        ),
        (
            lambda: random.randint((2,), 5, 5),
            r"randint: \[minval, maxval\) must lie within int32 and not be empty. Received: minval=5, maxval=5",
        ),
        (
            lambda: random.randint((2,), 0, 300, dtype="uint8"),
            r"randint: \[minval, maxval\) must lie within uint8 and not be empty. Received: minval=0, maxval=300",
        ),
        (lambda: random.randint((2,), 0.5, 3), "randint: minval must be a whole number. Received: minval=0.5"),
        (
            lambda: random.dropout(np.ones(3), 1.5),
            r"dropout: the rate must be in \[0, 1\]. Received: rate=1.5",
        ),
        (
            lambda: random.dropout(np.ones(3, "int32"), 0.5),
            "dropout: the inputs must be floating-point numbers. Received: dtype='int32'",
        ),
        (
            lambda: random.dropout(np.ones((3, 4)), 0.5, noise_shape=(3, 2)),
            "dropout: noise_shape must have an entry for each dimension: its size, 1 or None. "
            r"Received: inputs.shape=\(3, 4\), noise=\(3, 2\)",
        ),
        (
            lambda: random.categorical(np.ones(3), 2),
            r"categorical: logits must have shape \(batch, classes\) with at least one class. "
            r"Received: logits.shape=\(3,\)",
        ),
        (
            lambda: random.shuffle(np.ones((3, 2)), axis=2),
            r"shuffle: the axis must be in \[-2, 2\). Received: axis=2, x.shape=\(3, 2\)",
        ),
        (
            lambda: random.gamma((2, 3), [1.0, 2.0]),
            r"gamma: alpha must broadcast to the shape \(2, 3\). Received: alpha.shape=\(2,\)",
        ),
        (
            lambda: random.gamma((2,), [1.0, -2.0]),
            r"gamma: alpha must be positive. Received: value=\[1.0, -2.0\]",
        ),
        (lambda: random.beta((2,), 1.0, 0.0), "beta: beta must be positive. Received: value=0.0"),
        (
            lambda: random.binomial((2,), 3, 1.5),
            r"binomial: probabilities must be in \[0, 1\]. Received: value=1.5",
        ),
        (
            lambda: random.binomial((2,), -3, 0.5),
            "binomial: counts must be whole numbers that are not negative. Received: value=-3",
        ),
        (
            lambda: random.normal((2,), seed="a"),
            "random: the seed must be an integer, a SeedGenerator or None. Received: seed='a'",
        ),
        (lambda: random.normal((2,), seed=-1), r"random: the seed must be in \[0, 2\*\*32\). Received: seed=-1"),
        (
            lambda: random.normal((2,), seed=to_tensor([1.0, 2.0])),
            r"random_normal: the seed must have shape \(2,\) and dtype uint32. Received: seed.shape=\(2,\),",
        ),
        (
            lambda: random.SeedGenerator("a"),
            "SeedGenerator: the seed must be an integer, a SeedGenerator or None. Received: seed='a'",
        ),
        (
            lambda: random.SeedGenerator(2**32),
            r"SeedGenerator: the seed must be in \[0, 2\*\*32\). Received: seed=4294967296",
        ),
        (
            lambda: set_random_seed("a"),
            r"set_random_seed: the seed must be an integer in \[0, 2\*\*32\). Received: seed='a'",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_seed_generator_refuses_unknown_arguments():
    with pytest.raises(TypeError, match=r"SeedGenerator: unknown arguments\. Received: sede=1"):
        random.SeedGenerator(sede=1)
