"""Dropout backwards reads what dropout forwards has kept, to the same bits."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.executor import capture, run_passes
from tests.executor.compare import check_step, f32, specs

SHAPE = (40, 30)


def names(fn, *args):
    graph, _ = capture(fn, specs(args))
    run_passes(graph)
    return [c.op.name for call in graph.calls for c in (call.body if call.parts is not None else [call])]


def gradient(fn):
    def step(x, w):
        with keras.GradientTape() as tape:
            tape.watch(x)
            loss = ops.sum(fn(x) * w)
        return loss, tape.gradient(loss, x)

    return step


def arguments(dtype="float32"):
    return f32(*SHAPE).astype(dtype), f32(*SHAPE, seed=1).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_gradient_draws_nothing(rate, dtype):
    step = gradient(lambda x: keras.random.dropout(ops.relu(x), rate, seed=3))
    found = names(step, *arguments(dtype))
    assert found.count("dropout_kept") == found.count("dropout_again") == 1 and "dropout" not in found
    check_step(step, arguments(dtype))


def test_each_seed_decides_by_itself():
    step = gradient(lambda x: keras.random.dropout(keras.random.dropout(x, 0.3, seed=3), 0.3, seed=4))
    found = names(step, *arguments())
    assert found.count("dropout_kept") == found.count("dropout_again") == 2
    check_step(step, arguments())


def test_other_rates_decide_by_themselves():
    step = gradient(lambda x: keras.random.dropout(x, 0.3, seed=3) + keras.random.dropout(x, 0.4, seed=3))
    found = names(step, *arguments())
    assert found.count("dropout_kept") == found.count("dropout_again") == 2
    check_step(step, arguments())


@pytest.mark.parametrize("how", [{"rate": 1.0}, {"rate": 0.3, "noise_shape": (None, 1)}])
def test_what_is_cheap_is_drawn_again(how):
    step = gradient(lambda x: keras.random.dropout(x, seed=3, **how))
    found = names(step, *arguments())
    assert found.count("dropout") == 2 and "dropout_kept" not in found
    check_step(step, arguments())


def test_one_call_notes_nothing():
    def step(x):
        return keras.random.dropout(x, 0.3, seed=3)

    assert names(step, f32(*SHAPE)) == ["dropout"]
    check_step(step, (f32(*SHAPE),))


def test_what_is_not_finite_passes_as_it_does_op_by_op():
    x, w = arguments()
    x[::2, ::3], w[1::2, ::5], w[::7] = np.nan, np.inf, np.nan
    check_step(gradient(lambda x: keras.random.dropout(ops.relu(x), 0.5, seed=3)), (x, w))


def test_a_model_trains_to_the_same_bits():
    def trained(jit):
        keras.utils.set_random_seed(5)
        model = keras.Sequential(
            [keras.Input((20,)), layers.Dense(32, activation="relu"), layers.Dropout(0.4), layers.Dense(16),
             layers.Dropout(0.2), layers.Dense(3)]
        )  # fmt: skip
        model.compile("adam", "mse", jit_compile=jit)
        model.fit(f32(64, 20), f32(64, 3, seed=1), batch_size=16, epochs=2, verbose=0)
        return model.get_weights()

    for a, b in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(a, b)
