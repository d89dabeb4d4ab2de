"""Recomputation and gates: less memory or less work, and the same bits."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.executor import MemoryPlan, capture
from kerasish.executor.passes import open_gates_early, recompute, recompute_cheap_values, verify
from tests.executor.compare import check_step, f32, specs
from tests.executor.test_fuzz import Draw, Mixed, Weave, run_both_ways
from tests.executor.test_plan import check_lives


@pytest.fixture
def always(monkeypatch):
    """Recomputes whatever can be, however small."""
    for name in ("LEAST_BYTES", "LEAST_PEAK", "SMALL_BYTES"):
        monkeypatch.setattr(recompute, name, 0)
    monkeypatch.setattr(recompute, "LEAST_GAIN", -1.0)


def deep(x, w):
    """Forward through products and cheap calls, and the gradient, which wants their values again."""
    with keras.GradientTape() as tape:
        tape.watch(w)
        h = x
        for _ in range(4):
            h = ops.silu(ops.matmul(h, w))  # whose gradient wants the product, and the next product's its result
        loss = ops.sum(ops.square(h))
    return loss, tape.gradient(loss, w)


def test_a_small_step_keeps_everything():
    graph, _ = capture(deep, specs((f32(50, 8), f32(8, 8))))
    before = graph.text()
    recompute_cheap_values(graph)
    assert graph.text() == before


def test_cheap_values_are_computed_again(always):
    graph, _ = capture(deep, specs((f32(50, 8), f32(8, 8))))
    n, memory = len(graph.calls), MemoryPlan(graph).arena
    recompute_cheap_values(graph)
    verify(graph, "test")
    assert len(graph.calls) > n and MemoryPlan(graph).arena < memory
    assert graph.counts()["matmul"] == capture(deep, specs((f32(50, 8), f32(8, 8))))[0].counts()["matmul"]
    check_step(deep, (f32(50, 8), f32(8, 8)))


def test_where_it_gains_little_nothing_is_computed_again(always, monkeypatch):
    monkeypatch.setattr(recompute, "LEAST_GAIN", 2.0)
    graph, _ = capture(deep, specs((f32(50, 8), f32(8, 8))))
    before = graph.text()
    recompute_cheap_values(graph)
    assert graph.text() == before


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("seed", range(0, 90, 30))
def test_random_graphs(always, monkeypatch, seed, depth):
    monkeypatch.setattr(recompute, "DEPTH", depth)
    more = 0
    for s in range(seed, seed + 30):
        for draw in (Draw(s), Weave(s), Mixed(s)):
            with np.errstate(all="ignore"):
                graph, _ = capture(draw.step, specs(tuple(draw.inputs)))
                n = len(graph.calls)
                recompute_cheap_values(graph)
                more += len(graph.calls) > n
                verify(graph, "test")
                check_lives(MemoryPlan(graph))
                run_both_ways(draw, (2,))
    assert more > 5


@pytest.mark.parametrize("name", ["batch norm", "dropout", "views"])
def test_models(always, name):
    keras.utils.set_random_seed(0)
    parts = {
        "batch norm": [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU()],
        "dropout": [layers.Conv2D(4, 3), layers.Dropout(0.3), layers.Activation("gelu")],
        "views": [
            layers.Reshape((-1, 3)),
            layers.Dense(3, "tanh"),
            layers.Reshape((10, 10, -1)),
            layers.Activation("silu"),
        ],
    }[name]
    model = keras.Sequential(
        [keras.Input((10, 10, 3)), *parts, layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(2)]
    )
    model.compile("adam", "mse")
    x, y = f32(6, 10, 10, 3), f32(6, 2)
    model._build_from_batch((x, y), True)
    seeds = [s.state for part in model._flatten_layers() for s in part._seed_generators]
    state = [*model.variables, *model.optimizer.variables, *model.metrics_variables, *seeds]
    check_step(lambda x, y: model.train_step((x, y)), (x, y), state, steps=3)


# Gates.


def pooled(size, strides, padding, activation=ops.relu):
    def step(x):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = ops.max_pool(activation(x), size, strides, padding)
            loss = ops.sum(y * ops.cos(y + 1.0))
        return loss, tape.gradient(loss, x)

    return step


HARD = np.array([0.0, -0.0, 1.0, -1.0, 1.0, 2.0, 2.0, -3.0, 1e-42, -1e-42], "float32")


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "strides"), [(2, 2), (3, 2), (3, 1), ((1, 2), (2, 1))])
def test_a_gate_before_the_pool_gives_the_bits_of_one_behind(size, strides, padding):
    rng = np.random.default_rng(0)
    step = pooled(size, strides, padding)
    for x in (f32(2, 7, 8, 5), rng.choice(HARD, size=(2, 7, 8, 3)), -np.abs(f32(2, 7, 8, 3))):
        check_step(step, (x,))


def test_the_gate_moves():
    graph, _ = capture(pooled(2, 2, "valid"), specs((f32(2, 8, 8, 3),)))
    gate = next(c for c in graph.calls if "gate" in c.op.traits)
    assert gate.outputs[0].spec.shape == (2, 8, 8, 3)
    open_gates_early(graph)
    verify(graph, "test")
    gate = next(c for c in graph.calls if "gate" in c.op.traits)
    assert gate.outputs[0].spec.shape == (2, 4, 4, 3)
    assert graph.outputs[1].call.outputs[0] is graph.outputs[1]


def test_a_gate_whose_routed_gradient_is_needed_otherwise_stays():
    def step(x):
        with keras.GradientTape(persistent=True) as tape:
            tape.watch(x)
            h = ops.relu(x)
            y = ops.sum(ops.square(ops.max_pool(h, 2, 2)))
        return tape.gradient(y, h), tape.gradient(y, x)

    graph, _ = capture(step, specs((f32(2, 8, 8, 3),)))
    open_gates_early(graph)
    verify(graph, "test")
    check_step(step, (f32(2, 8, 8, 3),))


@pytest.mark.parametrize("activation", [ops.relu6, ops.leaky_relu, ops.tanh, ops.silu, lambda x: ops.relu(-x)])
def test_other_activations_before_a_pool(activation):
    check_step(pooled(2, 2, "same", activation), (f32(2, 7, 8, 3) * 4,))


def test_a_gate_that_looks_at_another_array_stays():
    def step(x, z):
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = ops.sum(ops.max_pool(ops.relu(x) + ops.relu(z), 2, 2))
        return tape.gradient(y, x)

    check_step(step, (f32(2, 8, 8, 3), f32(2, 8, 8, 3, seed=1)))
