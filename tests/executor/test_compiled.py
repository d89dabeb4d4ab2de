"""keras.function: custom loops, what cannot be compiled, branches, arguments, and the programs that are kept."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish._core import core
from kerasish.executor import CompiledFunction
from kerasish.executor.compiled import CAPACITY
from tests.executor.compare import assert_same_bits, compiles, f32, programs

# Custom training loops.


def make_parts():
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(3)]
    )
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.7), clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metric = keras.metrics.SparseCategoricalAccuracy()

    def step(x, y):
        with keras.GradientTape() as tape:
            logits = model(x, training=True)
            value = loss(y, logits)
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        metric.update_state(y, logits)
        return {"loss": value, "accuracy": metric.result(), "norms": [ops.norm(g) for g in gradients]}

    seeds = [s.state for x in model._flatten_layers() for s in x._seed_generators]
    return step, [*model.variables, *optimizer.variables, *metric.variables, *seeds]


def test_a_custom_loop_gives_the_bits_of_the_loop_op_by_op():
    results = []
    for compiled in (False, True):
        step, variables = make_parts()
        step = keras.function(step, jit_compile=compiled)
        logs = [step(f32(n, 6, seed=k), np.arange(n) % 3) for k, n in enumerate((8, 8, 5, 8, 5))]
        results.append((logs, [v.numpy() for v in variables]))
        if compiled:
            compiles(step, 2)
    assert_same_bits(results[1], results[0])


def test_a_learning_rate_that_is_set_is_followed():
    v = keras.Variable([1.0])
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build([v])

    @keras.function
    def step(g):
        optimizer.apply([g], [v])

    g = np.float32([1.0])
    step(g)
    optimizer.learning_rate = 0.25
    step(g)
    assert v.numpy().tolist() == [0.25] and compiles(step)


def test_a_function_within_a_tape_or_another_function_runs_as_it_is():
    inner = keras.function(lambda x: ops.square(x) * 3)
    x = ops.convert_to_tensor([2.0, 3.0])
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = inner(x)
    assert tape.gradient(y, x).numpy().tolist() == [12.0, 18.0] and not programs(inner)
    outer = keras.function(lambda x: inner(x) + 1)
    assert outer(x).numpy().tolist() == [13.0, 28.0] and compiles(outer) and not programs(inner)


def test_a_function_of_symbols_makes_a_graph():
    f = keras.function(lambda x: ops.tanh(x) * 2)
    x = keras.Input((3,))
    model = keras.Model(x, f(x))
    np.testing.assert_array_equal(model(f32(2, 3)).numpy(), (ops.tanh(f32(2, 3)) * 2).numpy())


def test_the_decorator_keeps_name_and_docstring():
    @keras.function
    def step(x):
        """What it does."""
        return x

    assert step.__name__ == "step" and step.__doc__ == "What it does."

    def plain(x):
        return x

    assert keras.function(plain, jit_compile=False) is plain
    assert isinstance(keras.function(jit_compile=True)(plain), CompiledFunction)


# Arguments and results.


def test_static_arguments_make_programs_of_their_own():
    calls = []

    def step(x, scale, *, mode="a", flag=None):
        calls.append((scale, mode, flag))
        y = x * scale
        return y + 1 if mode == "a" else y - 1

    function = keras.function(step)
    x = ops.convert_to_tensor(f32(3))
    for scale, mode in [(2, "a"), (2.0, "a"), (True, "a"), (2, "b"), (2, "a")]:
        np.testing.assert_array_equal(
            function(x, scale, mode=mode).numpy(), step(ops.convert_to_tensor(x), scale, mode=mode).numpy()
        )
    compiles(function, 4)
    function(x, 2, flag=False)
    function(x, 2, flag=0)
    compiles(function, 6)


def test_zeros_of_two_signs_are_two_arguments_and_nan_is_one():
    function = keras.function(lambda x, s: x / s)
    x = np.float32([1.0])
    with np.errstate(all="ignore"):
        assert function(x, 0.0).numpy() == np.inf and function(x, -0.0).numpy() == -np.inf
        for _ in range(3):
            assert np.isnan(function(x, float("nan")).numpy())
    compiles(function, 3)


@pytest.mark.parametrize("structure", [lambda x: [x, {"a": x}], lambda x: {"b": x, "a": (x, 2.0)}, lambda x: (x, None)])
def test_structures_of_arguments_and_results(structure):
    from kerasish.engine import tree

    def step(s):
        return tree.map_structure(lambda t: t if t is None or isinstance(t, float) else t * 2, s)

    function = keras.function(step)
    got, wanted = function(structure(f32(3))), step(structure(ops.convert_to_tensor(f32(3))))
    tree.assert_same_structure(got, wanted)
    assert_same_bits(got, wanted)
    compiles(function)


def test_lists_and_tuples_are_different_arguments():
    function = keras.function(lambda s: s[0] + 1 if isinstance(s, list) else s[0] - 1)
    x = np.float32([1.0])
    assert function([x]).numpy() == 2 and function((x,)).numpy() == 0
    compiles(function, 2)


def test_unhashable_arguments_run_as_they_are():
    class Options:
        __hash__ = None
        scale = 3.0

    function = keras.function(lambda x, o: x * o.scale)
    options = Options()
    assert function(np.float32([1]), options).numpy() == 3
    options.scale = 4.0
    assert function(np.float32([1]), options).numpy() == 4
    assert not programs(function) and function.refusal is None


def test_arrays_of_other_layouts_and_dtypes():
    function = keras.function(lambda x: ops.sum(x, axis=0))
    base = f32(6, 8)
    arrays = [
        base, base[::2], base.T, np.asfortranarray(base), base[:, ::-1], base.astype(">f4"), base.astype("float64"),
        base.astype("float16"), (base * 9).astype("int16"), base > 0, base.astype("longdouble"), np.float32(base)[1:1],
    ]  # fmt: skip
    for a in arrays:
        assert_same_bits(function(a), ops.sum(ops.convert_to_tensor(a), axis=0))
    assert function.refusal is None
    assert function(np.float32(2.0).reshape(1)).numpy() == 2


def test_arguments_that_are_no_numbers_give_the_functions_own_error():
    function = keras.function(lambda x: ops.tanh(x))
    with pytest.raises(TypeError, match="values must be numbers or bools"):
        function(np.array(["a"]))
    assert function.refusal is None


def test_variables_as_arguments_are_read_at_each_call():
    function = keras.function(lambda v, x: v * x)
    v = keras.Variable([1.0, 2.0])
    assert function(v, np.float32([2, 2])).numpy().tolist() == [2, 4]
    v.assign([5.0, 6.0])
    assert function(v, np.float32([2, 2])).numpy().tolist() == [10, 12]
    compiles(function)


def test_a_variable_of_another_shape_is_refused_and_the_next_call_works():
    v = keras.Variable([1.0, 2.0])
    function = keras.function(lambda x: v.assign_add(x))
    function(np.float32([1, 1]))
    with pytest.raises(ValueError, match=r"a new value must have shape \(2,\)"):
        v.assign([1.0])
    assert function(np.float32([1, 1])).numpy().tolist() == [3, 4]


def test_a_result_that_is_an_array_is_not_shared_between_calls():
    function = keras.function(lambda x: (x * 2, np.arange(3)))
    first = function(f32(2))[1]
    first += 100
    assert function(f32(2))[1].tolist() == [0, 1, 2]


def test_a_result_that_is_an_argument_or_a_constant_has_its_own_memory():
    c = ops.convert_to_tensor([1.0, 2.0])
    function = keras.function(lambda x: (x, c, x))
    x = f32(2)
    a, b, d = function(x)
    assert not any(np.shares_memory(p, q) for p, q in [(a.data, x), (b.data, c.data), (a.data, d.data)])


def test_empty_batches():
    w = keras.Variable(f32(4, 2))
    function = keras.function(lambda x: (ops.tanh(ops.matmul(x, w)) + 1, ops.sum(x)))
    for n in (0, 3, 0):
        assert_same_bits(function(f32(n, 4)), (ops.tanh(ops.matmul(f32(n, 4), w)) + 1, ops.sum(f32(n, 4))))
    compiles(function, 2)


# The programs that are kept.


def test_the_program_least_recently_used_goes_first():
    runs = []

    def step(x):
        runs.append(x.shape[0])
        return x + 1

    function = keras.function(step)
    for n in range(1, CAPACITY + 1):
        function(f32(n))
    function(f32(1))
    function(f32(CAPACITY + 1))
    assert len(programs(function)) == CAPACITY
    runs.clear()
    function(f32(1))
    assert runs == []  # it was used after the second, which has gone
    function(f32(2))
    assert runs == [2, 2]
    function.forget()
    assert programs(function) == []


def test_another_instruction_set_makes_programs_anew():
    function = keras.function(lambda x: ops.sum(ops.exp(x) * 3))
    x = f32(1000)
    before = core.isa()
    try:
        for isa in core.isas():
            core.set_isa(isa)
            assert_same_bits(function(x), ops.sum(ops.exp(x) * 3))
            assert [c.executable.isa for c in programs(function)] == [isa]
    finally:
        core.set_isa(before)
    assert_same_bits(function(x), ops.sum(ops.exp(x) * 3))


@pytest.fixture
def switching():
    """Threads take turns so often that they meet while one of them compiles."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_threads_make_and_run_programs_of_one_function(switching):
    w = keras.Variable(f32(8, 8))
    function = keras.function(lambda x: ops.tanh(ops.matmul(x, w)))
    wanted = {n: ops.tanh(ops.matmul(f32(n, 8), w)).numpy() for n in range(1, 7)}
    failures = []
    start = threading.Barrier(4)

    def work():
        start.wait()
        for _ in range(20):
            for n, value in wanted.items():
                if not np.array_equal(function(f32(n, 8)).numpy(), value):
                    failures.append(n)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
    compiles(function, 6)


def test_functions_and_what_they_hold_are_freed():
    def make(k):
        v = keras.Variable(f32(50, 50))
        function = keras.function(lambda x: v.assign(ops.tanh(x) + v * k))
        function(f32(50, 50))
        return weakref.ref(v), weakref.ref(programs(function)[0].executable)

    make(0)
    gc.collect()
    live = core.memory_stats()["live_bytes"]
    refs = [r for k in range(60) for r in make(k)]
    gc.collect()
    assert all(r() is None for r in refs)
    assert core.memory_stats()["live_bytes"] <= live + 1000


def test_many_calls_leave_nothing_behind():
    v = keras.Variable(f32(20, 20))
    function = keras.function(lambda x: {"y": v.assign(ops.tanh(x) + v), "z": ops.sum(x)})
    x = f32(20, 20)
    for _ in range(5):
        function(x)
    gc.collect()
    objects, live = len(gc.get_objects()), core.memory_stats()["live_bytes"]
    for _ in range(1000):
        function(x)
    gc.collect()
    assert len(gc.get_objects()) - objects < 20
    assert core.memory_stats()["live_bytes"] <= live


# What is trainable.


@pytest.fixture
def made(monkeypatch):
    """The graphs that are made into programs."""
    from kerasish.executor import compiled

    graphs, real = [], compiled.compile_graph
    monkeypatch.setattr(compiled, "compile_graph", lambda graph, *a: (graphs.append(graph), real(graph, *a))[1])
    return graphs


def test_two_steps_that_alternate_between_what_is_trainable_are_captured_once_each(made):
    critic = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(1)], name="critic")
    maker = keras.Sequential([keras.Input((3,)), layers.Dense(4)], name="maker")
    critic.compile("adam", "mse")
    both = keras.Sequential([keras.Input((3,)), maker, critic])
    critic.trainable = False
    both.compile("adam", "mse")
    x, z, y = f32(16, 4), f32(16, 3), f32(16, 1)
    for _ in range(4):
        critic.trainable = True
        before = maker.get_weights(), critic.get_weights()
        critic.train_on_batch(x, y)
        assert all(map(np.array_equal, before[0], maker.get_weights()))
        assert not np.array_equal(before[1][0], critic.get_weights()[0])
        critic.trainable = False
        before = maker.get_weights(), critic.get_weights()
        both.train_on_batch(z, y)
        assert not np.array_equal(before[0][0], maker.get_weights()[0])
        assert all(map(np.array_equal, before[1], critic.get_weights()))
    assert len(made) == 2


def test_a_function_follows_what_is_trainable_and_keeps_its_programs(made):
    layer = layers.Dense(2)
    layer.build((None, 3))
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(layer.trainable_variables)

    @keras.function
    def step(x):
        with keras.GradientTape() as tape:
            loss = ops.mean(ops.square(layer(x)))
        trained = layer.trainable_variables
        optimizer.apply(tape.gradient(loss, trained), trained)
        return loss

    x = f32(8, 3)
    for _ in range(3):
        layer.bias.trainable = False
        bias = layer.bias.numpy()
        step(x)
        np.testing.assert_array_equal(layer.bias.numpy(), bias)
        layer.bias.trainable = True
        step(x)
        assert not np.array_equal(layer.bias.numpy(), bias)
    assert len(made) == 2


def test_a_copy_of_a_compiled_model_trains_by_itself(made):
    import copy

    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.compile("adam", "mse")
    x, y = f32(8, 3), f32(8, 2)
    model.train_on_batch(x, y)
    other = copy.deepcopy(model)
    mine = model.get_weights()
    other.train_on_batch(x, y)
    assert all(map(np.array_equal, mine, model.get_weights()))
    model.train_on_batch(x, y)
    assert all(map(np.array_equal, other.get_weights(), model.get_weights()))
    assert len(made) == 2
    assert not {id(x.variable) for x in made[0].variables} & {id(x.variable) for x in made[1].variables}
