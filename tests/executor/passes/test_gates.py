"""Gates that the gradient behind them applies: a rectifier's, by the gradient of batch normalization."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.executor import capture
from kerasish.executor.passes import drop_dead_calls, fuse_epilogues, join_gates, verify
from tests.executor.compare import check_step, f32, specs


def normalized(activation=ops.relu, also=lambda h, y: ()):
    """The gradients of an activation behind batch normalization, and what `also` gives of its values."""

    def step(x, gamma, beta):
        with keras.GradientTape(persistent=True) as tape:
            for v in (x, gamma, beta):
                tape.watch(v)
            h, mean, variance = ops.batch_norm_training(x, gamma, beta, axis=-1)
            y = activation(h)
            loss = ops.sum(ops.square(y) * ops.sin(x))
        return loss, tape.gradient(loss, (x, gamma, beta)), mean, variance, also(h, y)

    return step


def joined(step):
    graph, _ = capture(step, specs((f32(9, 4, 4, 3), f32(3), f32(3))))
    for one in (fuse_epilogues, join_gates, drop_dead_calls):
        one(graph)
        verify(graph, one.__name__)
    return [c.op.name for c in graph.calls]


@pytest.mark.parametrize("shape", [(9, 4, 4, 3), (5, 17), (40, 6, 6, 64), (1, 3)])
def test_the_gradient_behind_a_rectifier_has_the_same_bits(shape):
    x, v = f32(*shape), f32(shape[-1], seed=2)
    check_step(normalized(), (x, v, f32(shape[-1], seed=3)))
    check_step(normalized(), (x, v, 0 * v))
    x[..., 0] = np.nan
    check_step(normalized(), (x, v, v))


def test_the_rectifier_is_applied_on_the_way():
    names = joined(normalized())
    assert "batch_norm_relu_grad" in names and not {"relu_grad", "batch_norm_grad"} & set(names)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (normalized(ops.tanh), "it is no rectifier"),
        (normalized(lambda h: ops.relu(h + 1.0)), "it looks at something else"),
        (normalized(also=lambda h, y: ops.exp(h)), "the normalized array is read by another call"),
    ],
)
def test_a_gate_that_must_stay(step, why):
    assert "batch_norm_relu_grad" not in joined(step), why
    check_step(step, (f32(9, 4, 4, 3), f32(3), f32(3)))
