"""Where values lie: buffers that live at one time do not overlap, and what may be overwritten."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.engine.op import get_op
from kerasish.executor import Buffer, MemoryPlan, capture, place, run_passes
from kerasish.executor.passes.schedule import may_fail
from kerasish.executor.plan import ALIGN
from tests.executor.compare import check_step, executable, f32, program, specs
from tests.executor.test_fuzz import Draw, Weave


def overlaps(buffers):
    """Pairs of buffers that are in use at one time and share bytes."""
    return [
        (a, b)
        for k, a in enumerate(buffers)
        for b in buffers[:k]
        if a.start <= b.end and b.start <= a.end and a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes
    ]


# Placing.


@pytest.mark.parametrize("seed", range(6))
def test_buffers_that_live_at_one_time_do_not_overlap(seed):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        buffers = []
        for _ in range(int(rng.integers(0, 40))):
            start = int(rng.integers(0, 30))
            size = int(rng.choice([0, 1, 63, 64, 65, 1000, int(rng.integers(1, 1 << 16))]))
            buffers.append(Buffer(size, start, start + int(rng.integers(0, 12))))
        arena = place(buffers)
        assert not overlaps(buffers)
        assert all(b.offset % ALIGN == 0 and 0 <= b.offset <= b.offset + b.bytes <= arena for b in buffers)
        # As much as is in use at some time, and no more than everything side by side.
        rounded = [-(-b.bytes // ALIGN) * ALIGN for b in buffers]
        most = max((sum(n for n, b in zip(rounded, buffers) if b.start <= t <= b.end) for t in range(45)), default=0)
        assert most <= arena <= sum(rounded)


def test_a_chain_takes_two_buffers():
    buffers = [Buffer(1000, k, k + 1) for k in range(20)]
    assert place(buffers) == 2 * 1024


def test_a_small_buffer_fits_into_the_gap_that_a_large_one_leaves():
    large, small, other = Buffer(4096, 0, 1), Buffer(64, 2, 3), Buffer(4096, 2, 3)
    assert place([large, small, other]) == 4096 + 64
    assert place([]) == 0


# Plans.


def planned(fn, *args):
    graph, _ = capture(fn, specs(args))
    return MemoryPlan(run_passes(graph))


def unfused(fn, *args):
    """The plan of a graph as captured, one buffer for each call."""
    graph, _ = capture(fn, specs(args))
    return MemoryPlan(graph)


def check_lives(plan):
    """Replays a graph: what a call reads must still be there, written by nobody else since."""
    graph = plan.graph
    holds: dict[tuple, list] = {}  # where -> (first byte, last byte, root) written last
    where = {}

    def write(x):
        b = plan.buffer(x)
        key = ("arena",) if b.slot is None else ("slot", id(b.slot))
        begin, end = (b.offset, b.offset + x.bytes) if b.slot is None else (0, x.bytes)
        kept = holds.setdefault(key, [])
        kept[:] = [h for h in kept if h[1] <= begin or h[0] >= end]
        kept.append((begin, end, x))
        where[id(x)] = key

    def there(x):
        return x.bytes == 0 or any(h[2] is x for h in holds[where[id(x)]])

    for x in [*graph.inputs, *graph.variables, *graph.constants()]:
        write(x)
    for call in graph.calls:
        if call.is_view:
            continue
        for x in call.reads:
            assert there(x.root), (call, x)
        for x in call.outputs:
            write(x)
    for x in graph.results():
        assert there(x.root), x
    for x in [*graph.inputs, *graph.constants()]:
        assert there(x), "an input or a constant is overwritten"


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_random_graphs_find_their_values(seed):
    for s in range(seed, seed + 20):
        for draw in (Draw(s), Weave(s)):
            with np.errstate(all="ignore"):
                for make in (planned, unfused):
                    plan = make(draw.step, *draw.inputs)
                    check_lives(plan)
                    assert not overlaps([b for b in plan.arena_buffers if b.bytes])
                    assert plan.arena <= sum(-(-b.bytes // ALIGN) * ALIGN for b in plan.arena_buffers)


def test_naive_and_arena_of_a_chain():
    plan = unfused(lambda x: ops.sum(ops.tanh(ops.exp(ops.sin(x)))), f32(100, 10))
    assert plan.naive == 3 * 4000 + 4
    assert plan.arena == 4032  # each call overwrites its input; the sum is an output


def test_views_take_nothing():
    plan = unfused(lambda x: ops.sum(ops.reshape(ops.tanh(x), (10, 100))), f32(100, 10))
    assert plan.naive == 4004 and plan.arena == 4032


def test_a_model_takes_less_than_the_sum_of_its_tensors():
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), *(layers.Conv2D(8, 3, padding="same", activation="relu") for _ in range(6))]
    )
    model.build((None, 16, 16, 3))
    plan = planned(lambda x: model(x, training=False), f32(4, 16, 16, 3))
    assert plan.arena < 0.5 * plan.naive
    check_lives(plan)


# What may be overwritten.


def buffers_of(plan, name):
    call = next(c for c in plan.graph.calls if c.op.name == name)
    return plan.buffer(call.inputs[0]), plan.buffer(call.outputs[0])


def test_an_output_takes_the_place_of_an_input_that_ends():
    plan = unfused(lambda x: ops.sum(ops.tanh(ops.exp(x))), f32(9))
    a, b = buffers_of(plan, "tanh")
    assert a is b


@pytest.mark.parametrize(
    "step",
    [
        lambda x: ops.sum(ops.tanh(x)),  # an input
        lambda x: _twice(ops.exp(x)),  # a value that is read later
        lambda x: _as_view(ops.exp(x)),  # one whose view is read later
        lambda x: _and_result(ops.exp(x)),  # a result
        lambda x: ops.sum(ops.tanh(ops.convert_to_tensor(f32(9)) * 1) + x * 0) + 0,
    ],
    ids=["input", "read later", "view read later", "result", "constant"],
)
def test_what_is_still_needed_is_not_overwritten(step):
    plan = unfused(step, f32(9))
    check_lives(plan)
    if any(c.op.name == "tanh" for c in plan.graph.calls):
        a, b = buffers_of(plan, "tanh")
        assert a is not b


def _twice(e):
    return ops.sum(ops.tanh(e)), ops.sum(e)


def _as_view(e):
    v = ops.reshape(e, (3, 3))
    return ops.sum(ops.tanh(e)), ops.sum(v, axis=0)


def _and_result(e):
    return ops.sum(ops.tanh(e)), e


def test_an_operand_that_is_broadcast_is_not_overwritten():
    plan = unfused(lambda x, b: ops.sum(ops.add(ops.exp(x), ops.exp(b))), f32(4, 3), f32(3))
    add = next(c for c in plan.graph.calls if c.op.name == "add")
    assert plan.buffer(add.outputs[0]) is plan.buffer(add.inputs[0])
    assert plan.buffer(add.outputs[0]) is not plan.buffer(add.inputs[1])


def test_another_dtype_does_not_take_the_place():
    plan = unfused(lambda x: ops.sum(ops.cast(ops.exp(x), "int32")), f32(9))
    a, b = buffers_of(plan, "cast")
    assert a is not b


def test_the_same_memory_under_two_shapes_is_not_overwritten():
    # e + e^T-like: the second operand is a view of the first under another shape, read out of step.
    def step(x):
        e = ops.exp(x)
        return ops.sum(ops.add(ops.reshape(e, (1, 9)), ops.reshape(e, (9, 1))))

    check_lives(unfused(step, f32(9)))
    check_step(step, (f32(9),))

    def square(x):
        e = ops.exp(x)
        return ops.add(ops.reshape(e, (3, 1, 3)), ops.reshape(e, (3, 3, 1))) * 1.5

    check_step(square, (f32(9),))


def test_what_every_block_of_rows_reads_whole_is_not_overwritten_by_rows():
    # x is broadcast over the rows of `big`, and has as many rows itself.
    def step(a, w, big):
        x = ops.matmul(a, w)
        return ops.matmul(x * ops.logsumexp(ops.tanh(big) + x, axis=-1), ops.transpose(w))

    args = f32(64, 4), f32(4, 64), f32(64, 64, 64)
    (block,) = [c for c in planned(step, *args).graph.calls if c.parts is not None]
    assert [c.op.name for c in block.body] == ["tanh", "add", "logsumexp", "multiply"] and block.parts[0][0] == 64
    check_lives(planned(step, *args))
    check_step(step, args)


GATED = [("lstm", {}), ("gru", {"reset_after": True}), ("gru", {"reset_after": False})]


def recurrent_step(cell, attrs, mask, read_later=False):
    """A recurrent layer whose projection x is made in the step, and all gradients; arguments for it."""
    gates, batch, time, n = (4 if cell == "lstm" else 3), 9, 5, 11
    given = [f32(batch, time, gates * n), f32(n, gates * n, seed=1) / 3]
    if cell == "gru":
        given.append(f32(gates * n, seed=2))
    given += [f32(batch, n, seed=3 + k) for k in range(1 + (cell == "lstm"))]
    masks = [f32(batch, time, seed=8) < 0.5] if mask else []

    def step(*args):
        sources = args[: len(given)]
        with keras.GradientTape() as tape:
            tape.watch(sources)
            x = ops.tanh(args[0]) * 2
            y, *_ = get_op(cell)(x, *args[1:], **attrs)
            loss = ops.sum(y * y)
        grads = tape.gradient(loss, list(sources))
        return (y, grads, x * loss) if read_later else (y, grads)

    return step, (*given, *masks)


def where_gates_lie(plan, cell):
    """The buffers of x, the gates and the gradient to x."""
    call, grad = (next(c for c in plan.graph.calls if c.op.name == name) for name in (cell, f"{cell}_grad"))
    gates = call.op.output_names.index("gates")
    return plan.buffer(call.inputs[0]), plan.buffer(call.outputs[gates]), plan.buffer(grad.outputs[0])


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(("cell", "variant"), GATED)
def test_gates_take_the_place_of_the_projection_and_its_gradient_that_of_the_gates(
    cell, variant, sequences, reverse, mask
):
    step, args = recurrent_step(cell, {"sequences": sequences, "reverse": reverse, **variant}, mask)
    plan = planned(step, *args)
    x, gates, dx = where_gates_lie(plan, cell)
    assert x is gates and gates is dx
    check_lives(plan)
    check_step(step, args)


@pytest.mark.parametrize(("cell", "variant"), GATED)
def test_gates_leave_a_projection_alone_that_is_read_later(cell, variant):
    step, args = recurrent_step(cell, {"sequences": True, "reverse": False, **variant}, False, read_later=True)
    plan = planned(step, *args)
    x, gates, dx = where_gates_lie(plan, cell)
    assert x is not gates and gates is dx
    check_lives(plan)
    check_step(step, args)


# Variables.


def updates(step, *args):
    plan = executable(step, *args).plan
    return [v.variable.name for v in plan.graph.variables if id(v) in plan.inplace]


def test_a_variable_is_written_in_place_where_its_old_value_ends():
    v = keras.Variable(f32(4, 4), name="v")
    assert updates(lambda x: v.assign_add(x), f32(4, 4)) == ["v"]


@pytest.mark.parametrize("what", ["read by a later call", "a result", "its view is a result", "read whole", "swapped"])
def test_a_variable_whose_old_value_is_still_needed_is_not_written_in_place(what):
    v, w = keras.Variable(f32(4, 4), name="v"), keras.Variable(f32(4, 4, seed=1), name="w")

    def step(x):
        old = v.value
        if what == "read whole":
            v.assign(ops.matmul(old, x))
            return None
        if what == "swapped":
            v.assign(w.value)
            w.assign(old)
            return None
        v.assign(old + x)
        if what == "read by a later call":
            return ops.matmul(v.value, old)
        return old if what == "a result" else ops.reshape(old, (16,))

    assert "v" not in updates(step, f32(4, 4))
    check_step(step, (f32(4, 4),), [v, w], steps=3)


def test_a_variable_is_not_written_before_a_call_that_may_fail():
    v, w = keras.Variable(f32(4, 4), name="v"), keras.Variable(f32(4, 4), name="w")

    def step(x, i):
        v.assign_add(x)  # what the indexing reads depends on it, and so comes first
        w.assign_add(ops.take(v, i, axis=0))

    args = f32(4, 4), np.int32([0, 1, 2, 3])
    e = executable(step, *args)
    plan = e.plan
    fallible = [k for k, c in enumerate(plan.graph.calls) if may_fail(c)]
    assert fallible
    for v_, x in plan.graph.updates:
        if id(v_) in plan.inplace:
            at = next(k for k, c in enumerate(plan.graph.calls) if any(o is x.root for o in c.outputs))
            assert at > max(fallible)
    assert [x.variable.name for x in plan.graph.variables if id(x) in plan.inplace] == ["w"]
    check_step(step, args, [v, w])


@pytest.mark.parametrize("seed", range(0, 100, 25))
def test_in_random_graphs_nothing_is_written_in_place_before_what_may_fail(seed):
    for s in range(seed, seed + 25):
        draw = Draw(s)

        def step(*xs, draw=draw):
            out = draw.step(*xs)
            rows = draw.variables[1].value
            index = ops.cast(ops.clip(ops.abs(xs[5]), 0, 1), "int32") * 0
            return out, ops.take(ops.reshape(rows, (-1,)), index) if rows.size else rows

        with np.errstate(all="ignore"):
            graph, _ = capture(step, specs(tuple(draw.inputs)))
            plan = MemoryPlan(run_passes(graph))
        check_lives(plan)
        last = max((k for k, c in enumerate(graph.calls) if may_fail(c)), default=-1)
        for v, x in graph.updates:
            if id(v) in plan.inplace:
                assert next(k for k, c in enumerate(graph.calls) if any(o is x.root for o in c.outputs)) > last


def test_the_optimizers_variables_are_all_written_in_place():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(3)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model._build_from_batch((f32(4, 6), f32(4, 3)), True)
    plan = program(lambda x, y: model.train_step((x, y)), (f32(4, 6), f32(4, 3))).executable.plan
    large = [v for v in plan.graph.variables if v.spec.size > 1]
    assert len(large) == 12 and all(id(v) in plan.inplace for v in large)
