"""What passes other than blocks do to a graph, and what they must not."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine.op import get_op
from kerasish.engine.tensor import Tensor
from kerasish.executor import PASSES, Value, capture, run_passes
from kerasish.executor.passes import (
    cancel_moves,
    drop_dead_calls,
    fallible_first,
    fold_constants,
    fuse_epilogues,
    own_results,
    share_common_calls,
    simplify,
    verify,
)
from kerasish.executor.passes.constants import FOLD_BYTES
from kerasish.executor.passes.schedule import may_fail
from kerasish.ops.epilogue import PRODUCT_EPILOGUES
from kerasish.ops.matmul import matmul_bias_op
from tests.executor.compare import check_step, executable, f32, specs


def after(passes, fn, *args):
    """The graph of fn after some passes, each verified."""
    graph, _ = capture(fn, specs(args))
    for one in passes if isinstance(passes, tuple) else (passes,):
        one(graph)
        verify(graph, one.__name__)
    return graph


def names(graph):
    return [c.op.name for c in graph.calls]


# Constants.


def make_constant(graph, position, array):
    """Puts a constant in place of an input, as if the step had been captured with it."""
    constant = Value(graph.inputs[position].spec, data=array)
    graph.replace({id(graph.inputs[position]): constant})
    del graph.inputs[position]
    return constant


def test_calls_on_constants_are_computed_now():
    graph, _ = capture(lambda x, c: x + ops.tanh(c) * 2, specs((f32(3), f32(3))))
    make_constant(graph, 1, f32(3, seed=1))
    fold_constants(graph)
    verify(graph, "test")
    assert names(graph) == ["add"]
    (constant,) = graph.constants()
    np.testing.assert_array_equal(constant.data, (ops.tanh(f32(3, seed=1)) * 2).numpy())


def test_a_result_that_is_constant_is_one():
    graph, _ = capture(lambda c: ops.tanh(c), specs((f32(3),)))
    make_constant(graph, 0, f32(3))
    fold_constants(graph)
    assert graph.calls == [] and graph.outputs[0].data is not None


def test_a_large_constant_is_computed_at_each_step():
    n = FOLD_BYTES // 4 + 1
    graph, _ = capture(lambda x, c: x + ops.broadcast_to(c, (n,)), specs((f32(1), f32(1))))
    make_constant(graph, 1, f32(1))
    fold_constants(graph)
    assert names(graph) == ["broadcast_to", "add"]


def test_equal_constants_are_one_and_unequal_are_not():
    a, b = np.float32([0.0, 1.0]), np.float32([0.0, 1.0])
    c, d = np.float32([-0.0, 1.0]), np.float32([[0.0, 1.0]])
    graph = after(fold_constants, lambda x: (x + Tensor(a), x + Tensor(b), x + Tensor(c), x + Tensor(d)), f32(2))
    assert len(graph.constants()) == 3  # -0.0 is another number, and so is another shape


# Common calls.


def test_equal_calls_are_one():
    graph = after(share_common_calls, lambda x: (ops.tanh(x) * 2, ops.tanh(x) * 2, ops.tanh(x) * 3), f32(3))
    assert names(graph) == ["tanh", "multiply", "multiply"]
    assert graph.outputs[0] is graph.outputs[1] is not graph.outputs[2]


def test_calls_with_other_attributes_or_order_of_operands_are_not_shared():
    def step(x, y):
        return ops.sum(x, axis=0), ops.sum(x, axis=1), x - y, y - x, ops.cast(x, "int32"), ops.cast(x, "int64")

    assert len(after(share_common_calls, step, f32(3, 3), f32(3, 3)).calls) == 6


def test_attributes_that_are_equal_and_of_other_types_are_not_shared():
    op = get_op("cast")
    graph, _ = capture(lambda x: (op(x, dtype="int32"), op(x, dtype="int32")), specs((f32(3),)))
    graph.calls[0].attrs, graph.calls[1].attrs = {"k": 1}, {"k": True}
    share_common_calls(graph)
    assert len(graph.calls) == 2


def test_random_calls_of_one_seed_are_one_and_of_a_generator_are_not():
    generator = keras.random.SeedGenerator(1)

    def step(x):
        same = [keras.random.normal((3,), seed=7) for _ in range(2)]
        return [x + r for r in same], [x * keras.random.normal((3,), seed=generator) for _ in range(2)]

    compiled = check_step(step, (f32(3),), [generator.state])
    a, b, c, d = compiled.executable.run([f32(3)])
    assert np.array_equal(a, b) and not np.array_equal(c, d)


# Dead calls.


def test_what_nobody_needs_goes():
    v, w = keras.Variable(f32(3)), keras.Variable(f32(3))

    def step(x):
        ops.exp(ops.sin(x))
        w.value * 2
        v.assign(ops.tanh(x))
        return ops.cos(x)

    graph = after(drop_dead_calls, step, f32(3))
    assert names(graph) == ["tanh", "cos"]
    assert [x.variable for x in graph.variables] == [v]  # it changes; the other was only read for nothing


def test_a_check_stays_where_nobody_needs_its_result():
    def step(labels, x):
        get_op("check_labels")(labels, classes=3, where="mind")
        ops.exp(x)
        return ops.tanh(x)

    graph = after(drop_dead_calls, step, np.int32([0, 1]), f32(2))
    assert names(graph) == ["check_labels", "tanh"]
    e = executable(step, np.int32([0, 1]), f32(2))
    with pytest.raises(
        ValueError, match=r"mind: every value of `labels` must lie in \[0, 3\).*value=7, position=\(1,\)"
    ):
        e.run([np.int32([0, 7]), f32(2)])


def test_one_output_of_two_keeps_the_call():
    graph = after(drop_dead_calls, lambda x: ops.top_k(x, 2)[0], f32(5))
    assert names(graph) == ["top_k"] and len(graph.calls[0].outputs) == 2
    check_step(lambda x: ops.top_k(x, 2)[0], (f32(5),))


# Algebra.


def test_what_gives_back_its_input_goes():
    def step(x):
        return ops.transpose(ops.reshape(ops.cast(x * 1.0 / 1.0, "float32"), (2, 3)), (0, 1)) - 0.0

    graph = after(simplify, step, f32(2, 3))
    assert names(graph) == [] and graph.outputs[0] is graph.inputs[0]


def test_a_cast_to_the_dtype_that_a_variable_has_goes():
    gamma = keras.Variable(f32(3))
    graph = after(simplify, lambda x: x * ops.cast(gamma, "float32"), f32(2, 3))
    assert names(graph) == ["multiply"] and graph.calls[0].inputs[1] is graph.variables[0]


@pytest.mark.parametrize(
    "step",
    [
        lambda x: x + 0.0,  # -0.0 + 0.0 is 0.0
        lambda x: x - (-0.0),  # and so is -0.0 - -0.0
        lambda x: x * 0.0,
        lambda x: x * -1.0,
        lambda x: 1.0 - x,
        lambda x: 1.0 / x,
        lambda x: ops.cast(x, "float64"),
        lambda x: ops.transpose(x),
        lambda x: ops.reshape(x, (3, 2)),
        lambda x: ops.broadcast_to(x, (1, 2, 3)),
        lambda x: x * ops.ones((4, 1, 1)),
    ],
)
def test_what_may_change_a_bit_a_shape_or_a_dtype_stays(step):
    graph = after(simplify, step, f32(2, 3))
    assert len(graph.calls) >= 1 and graph.outputs[0] is not graph.inputs[0]
    x = np.float32([[0.0, -0.0, np.inf], [-np.inf, np.nan, -1.0]])
    got = executable(step, x).run([x])[0]
    with np.errstate(all="ignore"):
        want = step(Tensor(x)).numpy()
    assert got.dtype == want.dtype and got.tobytes() == want.tobytes()


# Moves.


def test_two_transposes_are_one_and_two_that_cancel_are_none():
    graph = after(cancel_moves, lambda x: ops.transpose(ops.transpose(x, (1, 2, 0)), (1, 2, 0)), f32(2, 3, 4))
    assert names(graph) == ["transpose"] and graph.calls[0].attrs == {"axes": (2, 0, 1)}
    graph = after(cancel_moves, lambda x: ops.transpose(ops.transpose(x, (1, 2, 0)), (2, 0, 1)), f32(2, 3, 4))
    assert names(graph) == [] and graph.outputs[0] is graph.inputs[0]


def test_an_elementwise_call_between_lets_them_meet():
    def step(x, y):
        a, b = ops.transpose(x, (1, 0)), ops.transpose(y, (1, 0))
        return ops.transpose(a * b, (1, 0)), ops.transpose(ops.tanh(a), (1, 0)), ops.transpose(a * 2.0, (1, 0))

    graph = after(cancel_moves, step, f32(2, 3), f32(2, 3))
    assert sorted(names(graph)) == ["multiply", "multiply", "tanh"]
    check_step(step, (f32(2, 3), f32(2, 3)))


def test_several_elementwise_calls_between_let_them_meet_too():
    def step(x):
        return ops.transpose(ops.tanh(ops.exp(ops.transpose(x)) * 2.0))

    graph = after(cancel_moves, step, f32(2, 3))
    assert names(graph) == ["exp", "multiply", "tanh"]
    check_step(step, (f32(2, 3),))


@pytest.mark.parametrize(
    "step",
    [
        lambda x, y: (ops.tanh(ops.transpose(x)), ops.transpose(y)),  # nothing to meet
        lambda x, y: ops.transpose(ops.transpose(x) + ops.transpose(ops.transpose(y))[0]),  # another operand's rows
        lambda x, y: ops.transpose(ops.transpose(x) + y[0]),  # a vector is broadcast against the moved one
        lambda x, y: ops.transpose(ops.softmax(ops.transpose(x))),  # no elementwise call
        lambda x, y: ops.transpose(ops.tanh(ops.transpose(x) + ops.transpose(y)) * 2.0),  # more calls than one
        lambda x, y: [ops.transpose(t) for t in (ops.tanh(ops.transpose(x)),) * 2] + [ops.tanh(ops.transpose(x))],
    ],
)
def test_moves_that_do_not_meet_stay_right(step):
    check_step(step, (f32(3, 3), f32(3, 3, seed=1)))


def test_a_transpose_that_others_need_stays():
    def step(x):
        t = ops.transpose(x)
        return t, ops.transpose(t)

    graph = after(cancel_moves, step, f32(2, 3))
    assert names(graph) == ["transpose"] and graph.outputs[1] is graph.inputs[0]


def test_a_model_of_channels_first_moves_twice():
    model = keras.Sequential([keras.Input((3, 8, 8))])
    for _ in range(3):
        model.add(layers.Conv2D(4, 3, activation="relu", data_format="channels_first"))
    graph, _ = capture(lambda x: model(x, training=False), specs((f32(2, 3, 8, 8),)))
    run_passes(graph)
    assert names(graph).count("transpose") == 2
    check_step(lambda x: model(x, training=False), (f32(2, 3, 8, 8),))


# Epilogues.


def test_an_activation_moves_into_the_product():
    graph = after(fuse_epilogues, lambda x, w: ops.relu(ops.matmul(x, w)), f32(4, 3), f32(3, 2))
    assert names(graph) == ["matmul"] and graph.calls[0].attrs["activation"] == "relu"
    assert graph.outputs[0] is graph.calls[0].outputs[0]


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda x, w: _with_product(ops.matmul(x, w)), "the product is a result"),
        (lambda x, w: _used_twice(ops.matmul(x, w)), "the product is read by another call"),
        (lambda x, w: ops.exp(ops.matmul(x, w)), "no epilogue of a product"),
        (lambda x, w: ops.relu(ops.reshape(ops.matmul(x, w), (-1,))), "a view is between"),
        (lambda x, w: ops.relu(x) + 0 * ops.sum(w), "not behind a product"),
    ],
)
def test_an_activation_that_must_stay(step, why):
    graph = after(fuse_epilogues, step, f32(4, 3), f32(3, 2))
    assert not any("activation" in c.attrs for c in graph.calls), why
    check_step(step, (f32(4, 3), f32(3, 2)))


def _with_product(p):
    return ops.relu(p), p


def _used_twice(p):
    return ops.relu(p), ops.exp(p)


def test_only_one_of_two_activations_moves():
    step = lambda x, w: ops.relu(ops.relu(ops.matmul(x, w)))  # noqa: E731
    graph = after(fuse_epilogues, step, f32(4, 3), f32(3, 2))
    assert names(graph) == ["matmul", "relu"]
    check_step(step, (f32(4, 3), f32(3, 2)))


@pytest.mark.parametrize("name", PRODUCT_EPILOGUES)
def test_products_compute_every_activation_on_the_way(name):
    activation = get_op(name)

    def step(x, w, b):
        return activation(ops.matmul(x, w)), activation(matmul_bias_op(x, w, b, transpose_a=False, transpose_b=False))

    args = f32(40, 30), f32(30, 150, seed=1), f32(150, seed=2)
    graph = after(fuse_epilogues, step, *args)
    assert names(graph) == ["matmul", "matmul_bias"]
    assert {c.attrs["activation"] for c in graph.calls} == {name}
    check_step(step, args)


@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activations_whose_gradient_reads_their_output_are_fused_in_training_too(name):
    layer = layers.Dense(5, activation=name)
    layer(f32(4, 3))

    def step(x):
        with keras.GradientTape() as tape:
            loss = ops.sum(layer(x) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    graph, _ = capture(step, specs((f32(4, 3),)))
    run_passes(graph)
    assert not any(name == c.op.name for call in graph.calls for c in call.body or [call])
    check_step(step, (f32(4, 3),))


@pytest.mark.parametrize("name", ["Conv1D", "Conv2D", "DepthwiseConv2D", "Dense"])
def test_layers_with_relu_are_one_call(name):
    how = {"DepthwiseConv2D": (3,), "Dense": (5,)}.get(name, (5, 3))
    layer = getattr(layers, name)(*how, activation="relu", bias_initializer="normal")
    x = {"Conv1D": f32(2, 9, 3), "Dense": f32(4, 3)}.get(name, f32(2, 9, 9, 3))
    layer(x)
    graph, _ = capture(layer, specs((x,)))
    run_passes(graph)
    assert "relu" not in names(graph)
    check_step(layer, (x,))


# Ownership.


def test_every_result_gets_memory_of_its_own():
    v = keras.Variable(f32(6))

    def step(x):
        t = ops.tanh(x)
        old = v.value
        v.assign(t)
        return x, t, ops.reshape(t, (2, 3)), old, t

    graph = after(own_results, step, f32(6))
    roots = [x.root for x in [*graph.outputs, *(x for _, x in graph.updates)]]
    assert all(x.call is not None for x in roots) and len({id(x) for x in roots}) == len(roots)
    assert names(graph).count("cast") == 5  # t itself is the variable's; the others are copies
    check_step(step, (f32(6),), [v])


# Order.


def test_variables_change_behind_what_may_fail_and_nothing_else_moves():
    v = keras.Variable(f32(5, 2))

    def step(x, i):
        a = ops.tanh(x)
        v.assign(v + a)
        b = ops.exp(v) * 2
        c = ops.sin(x)
        d = ops.take(c, i, axis=0)
        return ops.sum(b), ops.cos(a), d

    graph = after(fallible_first, step, f32(5, 2), np.int32([1, 2]))
    order = [name for name in names(graph) if name != "multiply"]
    assert order == ["tanh", "sin", "gather", "add", "exp", "sum", "cos"]
    assert [may_fail(c) for c in graph.calls].index(True) == 2
    check_step(step, (f32(5, 2), np.int32([1, 2])), [v])


def test_what_may_fail_takes_along_the_variables_that_it_needs():
    v = keras.Variable(f32(5, 2))

    def step(x, i):
        v.assign(v + x)
        return ops.take(ops.tanh(v), i, axis=0)

    graph = after(fallible_first, step, f32(5, 2), np.int32([1, 2]))
    assert names(graph) == ["add", "tanh", "gather"]
    check_step(step, (f32(5, 2), np.int32([1, 2])), [v])


def test_which_calls_may_fail():
    def step(x, i):
        flat = ops.reshape(x, (-1,))
        return ops.matmul(x, x), i + i, flat, ops.take(x, i, axis=0), ops.fft((x, x)), ops.sum(x)

    graph, _ = capture(step, specs((f32(3, 3), np.int32([0, 1]))))
    fallible = {c.op.name for c in graph.calls if may_fail(c)}
    assert not fallible & {"matmul", "add", "reshape", "sum"} and len(fallible) >= 2


# All of them.


def test_passes_are_watched_and_verified_in_order():
    seen = []
    graph, _ = capture(lambda x: ops.tanh(x * 1.0), specs((f32(3),)))
    run_passes(graph, lambda name, g: seen.append((name, len(g.calls))))
    assert [name for name, _ in seen] == ["capture", *(one.__name__ for one in PASSES)]
    assert seen[0][1] == 2 and seen[-1][1] == 1


def test_running_the_passes_again_changes_nothing():
    graph, _ = capture(lambda x: (ops.softmax(ops.tanh(x * 2) + 1), ops.sum(x)), specs((f32(20, 3),)))
    run_passes(graph)
    text = graph.text()
    for one in PASSES:
        if one.__name__ not in ("sweep", "fuse_blocks"):
            one(graph)
            verify(graph, one.__name__)
    assert graph.text() == text
