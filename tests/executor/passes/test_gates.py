"""Gates: relu's cut of a gradient is made by the kernel of the normalization's gradient, to the same bits."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.op import get_op
from kerasish.executor import capture, run_passes
from tests.executor.compare import check_step, f32, specs

SHAPE = (6, 5, 4, 3)


def names(fn, *args):
    graph, _ = capture(fn, specs(args))
    run_passes(graph)
    return [c.op.name for call in graph.calls for c in (call.body if call.parts is not None else [call])]


def gradients(loss, axis=3):
    """A step: the gradients of a loss of (the normalized array, given arrays) to x, gamma and beta."""

    def step(x, gamma, beta, w):
        with keras.GradientTape() as tape:
            for v in (x, gamma, beta):
                tape.watch(v)
            y, mean, variance = get_op("batch_norm")(x, gamma, beta, axis=axis, epsilon=1e-3)
            value = loss(y, mean, variance, w)
        return tape.gradient(value, [x, gamma, beta])

    return step


def arguments(axis=3):
    c = SHAPE[axis]
    return f32(*SHAPE), f32(c, seed=1), f32(c, seed=2), f32(*SHAPE, seed=3)


@pytest.mark.parametrize("axis", [3, 1, 0])
def test_the_kernel_cuts_what_relu_has_cut(axis):
    step = gradients(lambda y, mean, variance, w: ops.sum(ops.relu(y) * w), axis)
    found = names(step, *arguments(axis))
    assert "batch_norm_relu_grad" in found and "relu_grad" not in found and "batch_norm_grad" not in found
    check_step(step, arguments(axis))


def test_gradients_to_the_statistics_go_by_as_they_are():
    def loss(y, mean, variance, w):
        return ops.sum(ops.relu(y) * w) + ops.sum(ops.square(mean) + ops.exp(-variance))

    assert "batch_norm_relu_grad" in names(gradients(loss), *arguments())
    check_step(gradients(loss), arguments())


@pytest.mark.parametrize(
    "loss",
    [
        lambda y, mean, variance, w: ops.sum(ops.relu(y + w)),  # something between
        lambda y, mean, variance, w: ops.sum(ops.relu(y) * y),  # y is read elsewhere too, so relu stays a call
        lambda y, mean, variance, w: ops.sum(ops.tanh(y) * w),
    ],
)
def test_what_relu_does_not_follow_alone_stays(loss):
    assert "batch_norm_relu_grad" not in names(gradients(loss), *arguments())
    check_step(gradients(loss), arguments())


@pytest.mark.parametrize("other", ["x", "gamma", "epsilon"])
def test_a_normalization_of_something_else_tells_nothing(other):
    """A gate that looks at another normalization's output than the gradient's."""
    x, gamma, beta, g = arguments()

    def step(x, x2, gamma, gamma2, beta, g):
        y, mean, variance = get_op("batch_norm")(x, gamma, beta, axis=3, epsilon=1e-3)
        cut = get_op("relu_grad")(g, ops.relu(y))
        x, gamma = x2 if other == "x" else x, gamma2 if other == "gamma" else gamma
        at = {"axis": 3, "epsilon": 1e-2 if other == "epsilon" else 1e-3}
        return get_op("batch_norm_grad")(x, gamma, mean, variance, cut, mean, mean, **at)

    args = x, f32(*SHAPE, seed=7), gamma, f32(3, seed=8), beta, g
    assert "batch_norm_relu_grad" not in names(step, *args)
    check_step(step, args)


def test_a_gradient_that_others_read_is_cut_once_for_all():
    def step(x, gamma, beta, g):
        y, mean, variance = get_op("batch_norm")(x, gamma, beta, axis=3, epsilon=1e-3)
        cut = get_op("relu_grad")(g, ops.relu(y))
        return get_op("batch_norm_grad")(x, gamma, mean, variance, cut, mean, mean, axis=3, epsilon=1e-3), cut

    assert "batch_norm_relu_grad" not in names(step, *arguments())
    check_step(step, arguments())


def test_an_array_with_what_is_not_a_number():
    step = gradients(lambda y, mean, variance, w: ops.sum(ops.relu(y) * w))
    x, gamma, beta, w = arguments()
    x[0, 0, 0, 0], w[1, 0, 0, 1] = np.nan, np.inf
    check_step(step, (x, gamma, beta, w))
