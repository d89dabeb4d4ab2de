"""Blocks and sweeps: which calls run together, and which must not."""

import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.spec import Spec
from kerasish.executor import capture
from kerasish.executor.passes import drop_dead_calls, fuse_blocks, share_common_calls, sweep, verify
from kerasish.executor.passes.blocks import MOST_CALLS, in_order, is_whole, leading, possible_rows, row_counts
from tests.executor.compare import check_step, f32, specs


def fused(fn, *args, passes=(drop_dead_calls, share_common_calls, fuse_blocks)):
    graph, _ = capture(fn, specs(args))
    for one in passes:
        one(graph)
        verify(graph, one.__name__)
    return graph


def names(graph):
    return [[c.op.name for c in call.body] if call.parts is not None else call.op.name for call in graph.calls]


def test_a_chain_becomes_one_block():
    graph = fused(lambda x: ops.tanh(x * 2 + 1), f32(64, 8))
    assert names(graph) == [["multiply", "add", "tanh"]]
    block = graph.calls[0]
    assert [rows for rows, _ in block.parts] == [512]
    assert block.inputs[0] is graph.inputs[0] and block.outputs == graph.outputs


def test_what_is_read_outside_leaves_the_block_and_nothing_else_does():
    def step(x):
        a = ops.tanh(x)
        return a, a * 2 + 1

    block = fused(step, f32(64, 8)).calls[0]
    assert [c.op.name for c in block.body] == ["tanh", "multiply", "add"]
    assert [x.call.op.name for x in block.outputs] == ["tanh", "add"]


def test_a_softmax_and_a_broadcast_row_agree_on_rows():
    graph = fused(lambda x, b: ops.softmax(x + b) * 2, f32(64, 8), f32(8))
    assert names(graph) == [["add", "softmax", "multiply"]]
    assert graph.calls[0].parts[0][0] == 64


def test_a_softmax_over_another_axis_stays_outside():
    graph = fused(lambda x: ops.softmax(ops.tanh(x) + 1, axis=0), f32(64, 8))
    assert "softmax" not in [name for body in names(graph) if isinstance(body, list) for name in body]


def test_an_operand_that_is_broadcast_over_some_of_the_rows_limits_them():
    # b is the same for all of the second axis: rows are those of the first.
    graph = fused(lambda x, b: ops.tanh(x + b), f32(16, 5, 8), f32(16, 1, 8))
    assert graph.calls[0].parts[0][0] == 16
    check_step(lambda x, b: ops.tanh(x + b), (f32(16, 5, 8), f32(16, 1, 8)))


def test_views_within_a_block_vanish():
    graph = fused(lambda x: ops.reshape(ops.tanh(ops.reshape(x * 2, (-1, 8))), (4, 16, 8)) + 1, f32(4, 16, 8))
    assert names(graph) == [["multiply", "tanh", "add"]]
    check_step(lambda x: ops.reshape(ops.tanh(ops.reshape(x * 2, (-1, 8))), (4, 16, 8)) + 1, (f32(4, 16, 8),))


def test_a_view_that_is_read_outside_stays_behind_the_block():
    graph = fused(lambda x: ops.reshape(ops.tanh(x * 2), (-1,)), f32(16, 8))
    assert names(graph) == [["multiply", "tanh"], "reshape"]


def test_a_product_is_never_within_a_block():
    graph = fused(lambda x, w: ops.tanh(ops.matmul(ops.tanh(x * 2), w) + 1), f32(64, 8), f32(8, 8))
    assert names(graph) == [["multiply", "tanh"], "matmul", ["add", "tanh"]]


def test_empty_values_are_left_alone():
    graph = fused(lambda x: ops.tanh(x * 2 + 1), f32(0, 8))
    assert names(graph) == ["multiply", "add", "tanh"]


def test_a_block_has_no_more_calls_than_allowed():
    def step(x):
        for _ in range(MOST_CALLS + 5):
            x = ops.tanh(x)
        return x

    graph = fused(step, f32(64, 8))
    assert [len(n) for n in names(graph)] == [MOST_CALLS, 5]


def test_a_large_array_in_few_rows_is_not_fused():
    big = f32(2, 40000)
    assert names(fused(lambda x: ops.softmax(ops.softmax(x)), big)) == ["softmax", "softmax"]


# What would close a circle: a block needs something that needs it.


def test_a_producer_and_its_consumer_are_not_fused_around_a_product():
    def step(x, w):
        a = ops.tanh(x)
        return a + ops.matmul(a, w)

    graph = fused(step, f32(64, 8), f32(8, 8))
    assert names(graph) == ["tanh", "matmul", "add"]
    check_step(step, (f32(64, 8), f32(8, 8)))


def test_no_circle_through_another_block():
    # {c, c2} needs t, as c2 reads it; m needs c and so all of the block. r reads t and m, and may not join t.
    def step(x, y, w):
        c = ops.tanh(x)
        m = ops.matmul(c, w)
        t = ops.tanh(y)
        c2 = c + t
        return c2, t + m

    args = (f32(64, 8), f32(64, 8) + 1, f32(8, 8))
    graph = fused(step, *args)
    assert names(graph) == ["tanh", ["tanh", "add"], "matmul", "add"]
    check_step(step, args)


def test_no_circle_through_two_other_blocks():
    def step(x, y, z, w):
        a = ops.tanh(x)
        p = ops.matmul(a, w)
        b = ops.tanh(y)
        q = ops.matmul(b, w)
        t = ops.tanh(z)
        a2 = a + q
        b2 = b + t
        return a2, b2, t + p

    check_step(step, (f32(64, 8), f32(64, 8) + 1, f32(64, 8) + 2, f32(8, 8)))


# Rows.


@pytest.mark.parametrize(
    ("shape", "rows", "wanted"),
    [((4, 3, 2), 4, 1), ((4, 3, 2), 12, 2), ((4, 3, 2), 24, 3), ((4, 3, 2), 6, None), ((1, 4), 4, 2), ((4, 1), 4, 1),
     ((), 1, None), ((5,), 5, 1), ((1, 1), 1, 1)],
)  # fmt: skip
def test_leading(shape, rows, wanted):
    assert leading(shape, rows) == wanted


def test_row_counts_and_whole_operands():
    assert row_counts(Spec((4, 3, 2), "float32"), 2) == {4, 12}
    out = Spec((4, 3, 2), "float32")
    assert is_whole(Spec((2,), "float32"), out, 12)
    assert is_whole(Spec((1, 3, 2), "float32"), out, 4)
    assert not is_whole(Spec((1, 3, 2), "float32"), out, 12)
    assert not is_whole(Spec((4, 1, 1), "float32"), out, 4)
    assert is_whole(Spec((), "float32"), out, 24)


def test_possible_rows_of_calls():
    graph, _ = capture(
        lambda x, b: (x + b, ops.softmax(x), ops.matmul(x, ops.ones((8, 2))), ops.reshape(x, (32, 4))),
        specs((f32(16, 8), f32(8))),
    )
    rows = {c.op.name: possible_rows(c) for c in graph.calls}
    assert rows["add"] == {16} and rows["softmax"] == {16} and rows.get("matmul", set()) == set()
    assert rows["reshape"] == {128}


def test_in_order_puts_calls_behind_what_they_need():
    graph, _ = capture(lambda x: ops.tanh(ops.exp(x) + ops.sin(x)), specs((f32(4),)))
    wanted = graph.calls[-1]
    ordered = in_order(graph.calls[::-1])
    verify(_with_calls(graph, ordered), "test")
    assert ordered[-1] is wanted


def _with_calls(graph, calls):
    graph.calls = calls
    return graph


# Sweeps.


def test_updates_of_all_variables_are_one_step():
    variables = [keras.Variable(f32(*s)) for s in ((64, 8), (8,), (), (3, 5))]
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(variables)

    def step(*gradients):
        optimizer.apply(list(gradients), variables)

    args = [v.numpy() for v in variables]
    compiled = check_step(step, args, [*variables, *optimizer.variables])
    blocks = [c for c in compiled.executable.graph.calls if c.parts is not None]
    updates = [sum(x.op.name == "adam_update" for x in c.body) for c in blocks]
    assert sum(updates) == 4 and max(updates) == 4, compiled.executable.graph.text()


def test_a_sweep_joins_neighbours_of_any_shape_but_not_what_depends_on_them():
    def step(x, y):
        a, b = ops.tanh(x), ops.exp(y)
        return a, b, ops.sum(a), ops.sin(b)

    graph = fused(step, f32(20, 3), f32(7), passes=(sweep,))
    assert names(graph) == [["tanh", "exp"], "sum", "sin"]
    assert [rows for rows, _ in graph.calls[0].parts] == [60, 7]


def test_a_sweep_does_not_read_a_view_of_what_it_makes():
    graph = fused(lambda x: ops.sin(ops.reshape(ops.tanh(x), (-1,))), f32(20, 3), passes=(sweep,))
    assert names(graph) == ["tanh", "reshape", "sin"]


def test_a_sweep_goes_on_behind_a_view():
    def step(x, y):
        a = ops.tanh(x)
        return a, ops.exp(ops.reshape(y, (-1,))), ops.sin(ops.reshape(a, (-1,))), ops.cos(y)

    graph = fused(step, f32(20, 3), f32(4, 5), passes=(sweep,))
    assert names(graph) == ["reshape", ["tanh", "exp", "cos"], "reshape", "sin"]
    check_step(step, (f32(20, 3), f32(4, 5)))


def test_small_calls_wait_for_others_of_their_level():
    norms = [keras.layers.BatchNormalization() for _ in range(4)]
    for norm in norms:
        norm.build((32, 6, 6, 8))

    def step(x, w):
        for norm in norms:
            x = ops.conv(norm(x, training=True), w, padding="same")
        return x

    args = f32(32, 6, 6, 8), f32(3, 3, 8, 8)
    variables = [v for norm in norms for v in norm.variables]
    program = check_step(step, args, variables)
    blocks = [c for c in program.executable.graph.calls if c.parts is not None]
    assert [len(c.parts) for c in blocks] == [8, 8]  # the shares of the new values, and the sums


def test_large_calls_do_not_wait():
    graph = fused(lambda x, w: (ops.tanh(x), ops.matmul(x, w), ops.exp(x)), f32(100, 80), f32(80, 3), passes=(sweep,))
    assert names(graph) == ["tanh", "matmul", "exp"]


def test_a_part_does_not_overwrite_what_another_part_reads():
    v, w = keras.Variable(f32(64, 8)), keras.Variable(f32(64, 8))

    def swap(x):
        a, b = v.value, w.value
        v.assign(b + x)
        w.assign(a - x)

    check_step(swap, (f32(64, 8),), [v, w], steps=3)


def test_scalars_join_a_sweep():
    graph = fused(lambda a, b: (a + 1, ops.tanh(b)), f32(), f32(30), passes=(sweep,))
    assert [rows for rows, _ in graph.calls[0].parts] == [1, 30]
    check_step(lambda a, b: (a + 1, ops.tanh(b)), (f32(), f32(30)))


# Behind convolutions.


@pytest.mark.parametrize(
    ("n", "side", "channels", "joins"),
    [
        (64, 32, 16, True),
        (64, 32, 32, False),  # a kernel that is large beside a few samples' output
        (32, 32, 16, False),  # too few blocks to share out
        (16, 200, 8, False),  # samples that leave the cache
    ],
)
def test_what_follows_a_convolution_joins_where_a_few_samples_are_work_enough(n, side, channels, joins):
    def step(x, kernel):
        y = ops.conv(x, kernel, padding="same")
        return ops.tanh(y * 0.5) + x

    args = f32(n, side, side, channels), f32(3, 3, channels, channels, seed=1)
    inside = [c for call in fused(step, *args).calls if call.parts is not None for c in call.body]
    assert ("conv" in [c.op.name for c in inside]) is joins
    if joins:
        check_step(step, args)


def test_pooling_joins_every_convolution():
    def step(x, kernel):
        return ops.max_pool(ops.conv(x, kernel, padding="same"), 2, 2)

    args = f32(20, 8, 8, 32), f32(3, 3, 32, 64, seed=1)
    assert names(fused(step, *args)) == [["conv", "max_pool"]]
    check_step(step, args)
