"""Who owns which memory: what was read keeps its value, results are new, and nothing is left behind."""

import gc
import weakref

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish._core import core
from tests.executor.compare import executable, f32


def _assign_a_list(v):
    v.assign([[1.0, 2.0], [3.0, 4.0]])
    return v.value.numpy()[:1], v.value.numpy()[:1].copy()


def _hold_the_tensor(v):
    return v.value, v.numpy()


def _hold_the_array(v):
    return v.value.numpy(), v.numpy()


def _hold_a_view(v):
    return np.asarray(v.value)[1], v.numpy()[1]


def _hold_a_memoryview(v):
    return memoryview(v.value.numpy()), v.numpy()


def _hold_dlpack(v):
    return np.from_dlpack(v.value), v.numpy()


def _share_with_another_variable(v):
    other = keras.Variable(v.numpy())
    v.assign(other.value)
    return other, v.numpy()


def _share_with_a_reshaped_tensor(v):
    t = ops.tanh(ops.arange(4, dtype="float32"))
    v.assign(ops.reshape(t, (2, 2)))
    return t, t.numpy().copy()


def _share_with_the_users_array(v):
    a = f32(2, 2)
    v.assign(ops.convert_to_tensor(a))
    return a, a.copy()


def _share_with_a_constant(v):
    t = ops.convert_to_tensor(f32(2, 2))
    t.data.flags.writeable = False
    v.assign(t)
    return t.data, t.data.copy()


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("kind", ["in place", "renewed"])
@pytest.mark.parametrize(
    "look",
    [
        _assign_a_list, _hold_the_tensor, _hold_the_array, _hold_a_view, _hold_a_memoryview, _hold_dlpack,
        _share_with_another_variable, _share_with_a_reshaped_tensor, _share_with_the_users_array,
        _share_with_a_constant,
    ],
    ids=lambda f: f.__name__[1:],
)  # fmt: skip
def test_what_was_read_before_a_step_keeps_its_value(look, kind, batches):
    v = keras.Variable(f32(2, 2))

    def step(x):
        v.assign_add(x) if kind == "in place" else v.assign(ops.sum(v) + ops.matmul(v, v) + x)
        return ops.sum(v)

    x = f32(2, 2)
    e = executable(step, x)
    assert bool(e.plan.inplace) is (kind == "in place")
    e.run([x])
    seen, value = look(v)
    start = v.numpy()
    if batches == 1:
        e.run([x])
    else:
        e.run_batches([np.concatenate([x] * batches)], None, batches, 2)
    np.testing.assert_array_equal(np.asarray(seen), value)
    assert not np.array_equal(v.numpy(), start)
    got = v.numpy()
    v.assign(start)
    for _ in range(batches):
        step(x)
    np.testing.assert_array_equal(got, v.numpy())


def test_a_variable_that_nobody_looks_at_is_written_where_it_lies():
    v = keras.Variable(f32(64, 8))

    def step(x):
        v.assign_add(x)

    e = executable(step, f32(64, 8))
    e.run([f32(64, 8)])
    address = v._held.data.ctypes.data
    for _ in range(3):
        e.run([f32(64, 8)])
        assert v._held.data.ctypes.data == address


def test_outputs_are_new_at_each_run():
    v = keras.Variable(f32(3))

    def step(x):
        v.assign(v + x)
        return v, x, v * 1.0, ops.reshape(x, (3, 1))

    e = executable(step, np.ones(3, "float32"))
    x = np.ones(3, "float32")
    first = e.run([x])
    copies = [a.copy() for a in first]
    second = e.run([x])
    arrays = [*first, *second, x, v._held.data]
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])
    for a, b in zip(first, copies):
        np.testing.assert_array_equal(a, b)


# Lifetime.


def test_a_program_keeps_no_reference_to_what_a_run_brings():
    e = executable(lambda x: ops.tanh(x) * 2, f32(100, 100))
    x = f32(100, 100)
    seen = weakref.ref(x)
    out = e.run([x])
    seen_out = weakref.ref(out[0])
    del x, out
    assert seen() is None and seen_out() is None


def test_programs_are_freed():
    v = keras.Variable(f32(100))

    def make():
        def step(x):
            v.assign_add(ops.tanh(x))
            return ops.sum(v)

        e = executable(step, f32(100))
        e.run([f32(100)])
        return weakref.ref(e)

    refs = [make() for _ in range(5)]
    gc.collect()
    assert all(r() is None for r in refs)


def test_runs_leave_no_memory_behind():
    v = keras.Variable(f32(256, 64))

    def step(x):
        v.assign(ops.tanh(ops.matmul(x, v)))
        return ops.sum(v), v

    x = f32(256, 256)
    e = executable(step, x)
    for _ in range(3):
        e.run([x])
    gc.collect()
    objects, live = len(gc.get_objects()), core.memory_stats()["live_bytes"]
    for _ in range(200):
        e.run([x])
    gc.collect()
    assert core.memory_stats()["live_bytes"] <= live
    assert len(gc.get_objects()) - objects < 20


def test_after_an_error_a_run_leaves_no_memory_behind():
    e = executable(lambda x, i: ops.take(x, i, axis=0), f32(500, 8), np.zeros(3, "int32"))
    args = [f32(500, 8), np.int32([0, 900, 1])]

    def fail():
        with pytest.raises(ValueError):
            e.run(args)

    fail()
    gc.collect()
    live = core.memory_stats()["live_bytes"]
    for _ in range(100):
        fail()
    gc.collect()
    assert core.memory_stats()["live_bytes"] <= live
