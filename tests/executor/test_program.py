"""Running programs: errors and state, host kernels, Ctrl-C, who owns which memory, threads."""

import signal
import threading

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish._core import core
from kerasish.engine.op import Host, _registry, define_op, get_op
from kerasish.engine.spec import Spec
from kerasish.engine.tensor import Tensor
from kerasish.executor import capture, compile_graph
from tests.executor.compare import check_step, executable, f32


@pytest.fixture
def host_op():
    """A function that declares an op with a host kernel, for the test only."""
    made = []

    def define(fn, name="host_op_of_a_test", **how):
        made.append(name)
        return define_op(name, inputs="x", infer=lambda x: x, kernel=Host(fn), grad=None, **how)

    yield define
    for name in made:
        del _registry[name]


def message(fn, *args):
    with pytest.raises(ValueError) as e:
        fn(*args)
    return str(e.value)


# Errors in the data.


def test_an_index_out_of_range_reads_as_it_does_op_by_op():
    def step(x, i):
        return ops.tanh(ops.take(x, i, axis=0)) * 2

    x, i = f32(5, 3), np.int32([[0, 4], [7, 1]])
    e = executable(step, x, i)
    wanted = message(step, x, i)
    assert "7" in wanted and "(1, 0)" in wanted
    assert message(e.run, [x, i]) == wanted
    i[1, 0] = 3
    np.testing.assert_array_equal(e.run([x, i])[0], step(x, i).numpy())


def test_a_bad_label_reads_as_it_does_op_by_op():
    def step(labels, logits):
        return ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True) * 2)

    labels, logits = np.arange(40, dtype="int32") % 4, f32(40, 4)
    labels[33] = -2
    e = executable(step, labels, logits)
    assert message(e.run, [labels, logits]) == message(step, labels, logits)


def test_an_error_within_blocks_names_the_first_of_all_rows_at_any_number_of_threads():
    def step(labels, logits):  # the cross-entropy's own check is not there: it fails within the block
        x = ops.tanh(logits * 2)
        return ops.exp(-get_op("sparse_categorical_crossentropy_from_logits")(x, labels))

    labels, logits = np.arange(3000, dtype="int32") % 40, f32(3000, 40)
    labels[[2999, 2100, 1234]] = 40, 77, 55
    e = executable(step, labels, logits)
    blocks = [c for c in e.graph.calls if c.parts is not None]
    assert any("crossentropy" in c.op.name for b in blocks for c in b.body), e.graph.text()
    wanted = message(step, labels, logits)
    assert "55" in wanted and "1234" in wanted
    try:
        for threads in (1, 2, 3, 8):
            core.set_num_threads(threads)
            for _ in range(3):
                assert message(e.run, [labels, logits]) == wanted
    finally:
        core.set_num_threads(0)


def test_after_an_error_all_variables_are_as_they_were():
    v, w, n = (keras.Variable(f32(*s)) for s in ((5, 3), (5, 3), ()))

    def step(x, i):
        v.assign_add(x)
        w.assign(ops.take(x, i, axis=0) + w * v)
        n.assign_add(1.0)
        return ops.sum(w)

    x = f32(5, 3)
    e = executable(step, x, np.int32([0, 1, 2, 3, 4]))
    before = [a.numpy() for a in (v, w, n)]
    for _ in range(3):
        with pytest.raises(ValueError, match="9"):
            e.run([x, np.int32([0, 1, 2, 3, 9])])
    for a, b in zip((v, w, n), before):
        np.testing.assert_array_equal(a.numpy(), b)
    e.run([x, np.int32([0, 1, 2, 3, 4])])
    np.testing.assert_array_equal(v.numpy(), before[0] + x)


@pytest.mark.parametrize("bad", [0, 1, 2, 3, 6])
def test_batches_before_a_failing_one_stay_done(bad):
    v, w = keras.Variable(f32(3)), keras.Variable(f32(3))

    def step(x, i):
        rows = ops.take(x, i, axis=0)
        v.assign_add(ops.sum(rows, axis=0))
        w.assign(v * 2 + ops.sum(w))  # reads all of the old value, so it cannot be written in place
        return ops.sum(rows)

    x, index = f32(14, 3), np.zeros(14, "int32")
    index[2 * bad + 1] = 5
    e = executable(step, x[:2], index[:2], log=(0,))
    assert len(e.plan.inplace) == 1 and len(e._renewed) == 1
    start = v.numpy(), w.numpy()
    held = v.value, w.value
    for _ in range(bad):
        step(x[:2], np.int32([0, 0]))
    wanted = v.numpy(), w.numpy()
    v.assign(start[0]), w.assign(start[1])
    with pytest.raises(ValueError, match="5") as caught:
        e.run_batches([np.repeat(x[:2], 7, axis=0)[[0, 7] * 7], index], None, 7, 2)
    assert caught.value.batches_done == bad
    np.testing.assert_array_equal(v.numpy(), wanted[0])
    np.testing.assert_array_equal(w.numpy(), wanted[1])
    for t, value in zip(held, start):
        np.testing.assert_array_equal(t.numpy(), value)


# Host kernels.


def test_a_host_kernel_is_called_in_its_place(host_op):
    op = host_op(lambda x: np.cumsum(x, axis=0))
    check_step(lambda x: ops.tanh(op(x * 2)) + 1, (f32(30, 4),))


def test_an_exception_in_a_host_kernel_comes_out_as_it_is(host_op):
    v, w = keras.Variable(f32(4)), keras.Variable(f32(4))

    def kernel(x):
        if x[0] < 0:
            raise ZeroDivisionError("the host kernel does not like it")
        return x

    op = host_op(kernel)

    def step(x):
        w.assign(w + ops.sum(w))
        v.assign_add(op(x))
        return ops.sum(v)

    x = np.abs(f32(4)) + 1
    e = executable(step, x)
    before = v.numpy(), w.numpy()
    with pytest.raises(ZeroDivisionError, match="the host kernel does not like it"):
        e.run([-x])
    np.testing.assert_array_equal(v.numpy(), before[0])
    np.testing.assert_array_equal(w.numpy(), before[1])
    e.run([x])
    np.testing.assert_array_equal(v.numpy(), before[0] + x)


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_batches_before_a_host_kernel_fails_stay_done(host_op, bad, error):
    v, w = keras.Variable(f32(4)), keras.Variable(f32(4))
    calls = []

    def kernel(x):
        calls.append(1)
        if len(calls) == bad + 1:
            raise error
        return x.copy()

    op = host_op(kernel)

    def step(x):
        v.assign_add(op(x)[0])
        w.assign(v * 2 + ops.sum(w))

    x = f32(1, 4)
    e = executable(step, x)
    start = v.numpy(), w.numpy()
    calls[:] = [1] * 10
    for _ in range(bad):
        step(x)
    wanted = v.numpy(), w.numpy()
    v.assign(start[0]), w.assign(start[1])
    calls.clear()
    with pytest.raises(error) as caught:
        e.run_batches([np.repeat(x, 5, axis=0)], None, 5, 1)
    assert caught.value.batches_done == bad
    np.testing.assert_array_equal(v.numpy(), wanted[0])
    np.testing.assert_array_equal(w.numpy(), wanted[1])
    e.run([x])
    np.testing.assert_array_equal(v.numpy(), wanted[0] + x[0])


def test_a_host_kernel_that_gives_another_shape_is_refused(host_op):
    op = host_op(lambda x: x[:1] if x[0] > 0 else x)
    e = executable(lambda x: op(x), -np.ones(3, "float32"))
    with pytest.raises(RuntimeError, match=r"host_op_of_a_test: inferred shape \(3,\) but the kernel gave \(1,\)"):
        e.run([np.ones(3, "float32")])


def test_a_host_kernel_cannot_write_to_its_input(host_op):
    def kernel(x):
        x += 1
        return x

    op = host_op(kernel)
    e = executable(lambda x: op(x), f32(3))
    with pytest.raises(ValueError, match="read-only"):
        e.run([f32(3)])


# Ctrl-C.


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals are for the main thread")
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_during_a_step_finds_all_of_its_updates_or_none():
    # One variable is written in place, one is not, and the signal comes while C runs: it is raised as C returns.
    big, count = keras.Variable(np.zeros(1 << 17, "float32")), keras.Variable(0.0)

    @keras.function
    def step(x):
        y = big.value
        for _ in range(12):
            y = ops.tanh(y)
        big.assign(big + 1 + 0 * y)
        count.assign_add(x)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    step(1.0)
    interrupted = 0
    for k in range(8):
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)  # before the timer, which would end us
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.004 + 0.0007 * k)
            for _ in range(200):
                step(1.0)
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert big.numpy()[0] == big.numpy()[-1] == float(count)
    assert interrupted >= 6
    step(1.0)
    assert big.numpy()[0] == float(count)


# Batches.


def test_batches_bring_rows_in_order_and_by_number():
    v = keras.Variable(np.zeros(3, "float32"))

    def step(x, y):
        v.assign(v * 0.5 + ops.sum(x, axis=0))
        return ops.sum(x), ops.cast(ops.sum(y), "float32"), x

    x, y = f32(40, 3), np.arange(40)
    e = executable(step, x[:4], y[:4], log=(0, 1))
    for rows in (None, np.random.default_rng(1).permutation(40)[:24]):
        v.assign(np.zeros(3, "float32"))
        n = 10 if rows is None else 6
        log, outputs = e.run_batches([x, y], rows, n, 4)
        got = v.numpy()
        v.assign(np.zeros(3, "float32"))
        order = np.arange(40) if rows is None else rows
        for k in range(n):
            part = order[4 * k : 4 * k + 4]
            out = step(x[part], y[part])
            assert log[k].tolist() == [float(out[0]), float(out[1])]
        np.testing.assert_array_equal(v.numpy(), got)
        np.testing.assert_array_equal(outputs[2], x[part])


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_an_error_while_the_next_batch_is_on_its_way(threads):
    v = keras.Variable(np.zeros(1500, "float32"))

    def step(x, index):
        v.assign(v + ops.sum(x, axis=0) * ops.sum(ops.take(ops.convert_to_tensor([1.0, 2.0, 3.0]), index)))

    x, index = f32(40, 1500), np.arange(40) % 3
    rows = np.random.default_rng(4).permutation(40)
    e = executable(step, x[:8], index[:8])
    index[rows[27]] = 3
    for _ in range(5):
        v.assign(np.zeros(1500, "float32"))
        rule = r"gather: every value of `indices` must lie in \[0, 3\). Received: value=3, position=\(3,\)"
        with pytest.raises(ValueError, match=rule) as caught:
            e.run_batches([x, index], rows, 5, 8)
        assert caught.value.batches_done == 3
        got = v.numpy()
        v.assign(np.zeros(1500, "float32"))
        e.run_batches([x, index], rows[:24], 3, 8)
        np.testing.assert_array_equal(v.numpy(), got)


def test_batches_from_more_arrays_than_anybody_needs():
    e = executable(lambda *xs: sum(xs), *[f32(2)] * 70, log=())
    _, outputs = e.run_batches([f32(4)] * 70, None, 2, 2)
    np.testing.assert_array_equal(outputs[0], sum([f32(4)[2:]] * 70))


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, "float16", "float32", "float64"])
def test_logs_of_every_dtype(dtype):
    values = [0, 1, 1, 0] if dtype == "bool" else [0, 1, 100, 7]
    if dtype.startswith(("int", "float")):
        values[3] = -5
    x = np.array(values).astype(dtype)
    e = executable(lambda x: ops.squeeze(x, 0), x[:1], log=(0,))
    log, _ = e.run_batches([x], None, 4, 1)
    assert log[:, 0].tolist() == [float(v) for v in x]


def test_logs_of_half_floats_are_exact():
    bits = np.array([0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x3C00, 0xC500, 0x7BFF, 0x7C00, 0xFC00, 0x7E00], "uint16")
    x = bits.view("float16")
    e = executable(lambda x: ops.squeeze(x, 0), x[:1], log=(0,))
    log, _ = e.run_batches([x], None, len(x), 1)
    np.testing.assert_array_equal(log[:, 0], x.astype("float64"))
    np.testing.assert_array_equal(np.signbit(log[:-1, 0]), np.signbit(x[:-1]))


# Threads.


def test_many_threads_run_one_program_at_once():
    w = keras.Variable(f32(16, 16))
    xs = [f32(200, 16, seed=k) for k in range(6)]
    e = executable(lambda x: ops.softmax(ops.tanh(ops.matmul(x, w)) * 3), xs[0])
    wanted = [e.run([x])[0] for x in xs]
    failures = []

    def work(k):
        for _ in range(40):
            if not np.array_equal(e.run([xs[k]])[0], wanted[k]):
                failures.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures


def test_threads_that_update_one_variable_take_turns():
    v = keras.Variable(np.zeros((64, 8), "float32"))
    w = keras.Variable(np.zeros((64, 8), "float32"))

    def step(x):
        v.assign_add(x)
        w.assign(v + ops.sum(x) * 0)

    x = np.ones((64, 8), "float32")
    e = executable(step, x)
    threads = [threading.Thread(target=lambda: [e.run([x]) for _ in range(50)]) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert (v.numpy() == 200).all() and (w.numpy() == 200).all()


# What the core refuses.


def test_the_core_refuses_plans_that_make_no_sense():
    kernel = core.find("tanh", "float32")
    array = ("float32", (4,))
    step = ("kernel", kernel, 1, 1, (), (), 0)
    with pytest.raises(ValueError, match="every array has a place"):
        core.Program([array, array], [(1, 0)], [step], 2, 64)
    with pytest.raises(ValueError, match="has no place"):
        core.Program([array, array], [(1, 0), (5, 0)], [step], 2, 64)
    with pytest.raises(ValueError, match="the arrays are those of the steps"):
        core.Program([array], [(1, 0)], [step], 2, 64)
    with pytest.raises(ValueError, match="at most 8 dimensions"):
        core.Program([("float32", (1,) * 9), array], [(1, 0), (2, 0)], [step], 2, 64)
    good = core.Program([array, array], [(1, 0), (2, 0)], [step], 2, 64)
    with pytest.raises(ValueError, match=r"a run brings 2 buffers\. Received: 1"):
        good.run([np.zeros(4, "float32")])
    out = np.zeros(4, "float32")
    good.run([np.ones(4, "float32"), out])
    assert np.allclose(out, np.tanh(1))


def test_capture_spec_and_run_agree_on_a_scalar():
    graph, _ = capture(lambda x: ops.tanh(x) + 1, (Spec((), "float32"),))
    out = compile_graph(graph).run([np.array(0.5, "float32")])[0]
    assert out.shape == () and np.array_equal(out, (ops.tanh(Tensor(np.array(0.5, "float32"))) + 1).numpy())


def test_complex_values_pass_through_host_kernels():
    check_step(lambda x: ops.fft((x, x * 2)), (f32(4, 8),))


# How work divides.


@pytest.fixture
def threads():
    yield core.set_num_threads
    core.set_num_threads(0)


def test_blocks_divide_among_many_threads(threads):
    rng = np.random.default_rng(0)
    x, k = (rng.standard_normal(shape).astype("float32") for shape in ((16, 14, 14, 16), (3, 3, 16, 32)))
    step = executable(lambda x, k: ops.max_pool(ops.conv(x, k, padding="valid"), 2), x, k)
    assert any(c.parts is not None for c in step.steps)
    results, most = [], []
    for n in (1, 2, 5, 40):
        threads(n)
        results.append(step.run([x, k])[0].tobytes())
        most.append(max((len(tasks) for _, tasks in core.task_times(step.run, [x, k])), default=1))
    assert len(set(results)) == 1
    assert most[0] == 1 and most[1] < 16 <= most[3]


def test_small_blocks_stay_on_one_thread(threads):
    threads(40)
    x = np.ones((64, 32), "float32")
    step = executable(lambda x: ops.exp(x) * 2 + 1, x)
    assert core.task_times(step.run, [x]) == []


def test_task_times_end_with_an_error(threads):
    threads(4)
    with pytest.raises(ZeroDivisionError):
        core.task_times(lambda: 1 / 0)
    x = ops.ones((512, 512))
    assert core.task_times(ops.matmul, x, x) and np.all(ops.matmul(x, x).numpy() == 512)
