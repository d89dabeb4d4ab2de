"""What cannot be compiled runs as it is, gives the same numbers, and says once why; and conditions, which can be."""

import random
import warnings

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, ops
from kerasish.executor import NotCompiledWarning
from kerasish.executor.compiled import FORGIVEN
from tests.executor.compare import assert_same_bits, compiles, f32, leaves, programs


def falls_back(fn, why, calls, variables=(), n_warnings=1):
    """Calls fn plainly and as a function; both give the same, with one warning that says why."""
    start = [v.numpy() for v in variables]
    wanted = [leaves(fn(*map(ops.convert_to_tensor, args))) for args in calls]
    values = [v.numpy() for v in variables]
    for v, value in zip(variables, start):
        v.assign(value)
    function = keras.function(fn)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = [function(*args) for args in calls]
    text = (
        f"{fn.__name__} runs op by op, because it cannot be compiled: {why}. The results are the same; "
        "jit_compile=False says that this is meant."
    )
    assert [str(w.message) for w in caught if w.category is NotCompiledWarning] == [text] * n_warnings
    assert all(w.filename == __file__ for w in caught)
    for a, b in zip(got, wanted):
        assert_same_bits(a, b)
    assert_same_bits([v.numpy() for v in variables], values)
    return function


LOOKS = "Python looks at the value of a tensor"


def test_a_branch_on_a_value():
    v = keras.Variable([1.0, 1.0])

    def step(x):
        v.assign_add(x)
        return v * 2 if ops.sum(v) > 3 else v * 3

    falls_back(step, LOOKS, [(f32(2, seed=k),) for k in range(4)], [v])


@pytest.mark.parametrize(
    "look",
    [np.asarray, float, int, bool, lambda t: t.numpy(), lambda t: t.item(), lambda t: t.tolist(), list, np.sum,
     lambda t: f"{t:.1f}", lambda t: np.float32(1) if t == 3 else 0],
    ids=["asarray", "float", "int", "bool", "numpy", "item", "tolist", "list", "sum", "format", "equals"],
)  # fmt: skip
def test_a_conversion_to_numpy(look):
    def step(x):
        look(ops.sum(x)) if look is not list else [float(t) for t in x]
        return x * 2

    falls_back(step, LOOKS, [(f32(3),), (f32(3),), (f32(4),)])


def test_a_refusal_that_the_step_swallows():
    def step(x):
        try:
            scale = float(ops.sum(x))
        except Exception:
            scale = 1.0
        return x * scale

    falls_back(step, LOOKS, [(f32(3),), (f32(3),)])


def test_numpys_random_numbers():
    def step(x):
        return x + np.random.default_rng(np.random.randint(1 << 30)).normal(size=3).astype("float32")

    x = ops.convert_to_tensor(f32(3))
    np.random.seed(0)
    wanted = [step(x).numpy() for _ in range(3)]
    function = keras.function(step)
    with pytest.warns(NotCompiledWarning, match="its Python computes something else each time it is called"):
        first = function(f32(3))
    assert function.refusal is not None
    np.random.seed(0)
    got = [function(f32(3)).numpy() for _ in range(3)]
    assert_same_bits(got, wanted)
    assert not np.array_equal(first.numpy(), got[0])


def test_numbers_beside_tensors_that_differ_each_time():
    function = keras.function(lambda x: (x * 2, random.random()))
    with pytest.warns(NotCompiledWarning, match="its Python computes something else each time it is called"):
        a = function(f32(3))
    assert a[1] != function(f32(3))[1]


def test_a_layer_that_sets_an_attribute_while_it_is_called():
    class Remembers(layers.Layer):
        def call(self, x):
            self.last_shape = x.shape[0] + getattr(self, "last_shape", 0)
            return x * 2

    layer = Remembers()
    layer(f32(1))  # builds it
    layer.last_shape = 0

    def step(x):
        return layer(x)

    why = "Remembers sets its attribute 'last_shape' while it is called"
    falls_back(step, why, [(f32(2),), (f32(3),)])
    assert layer.last_shape == 2 * (2 + 3)  # captures set nothing


def test_random_numbers_in_a_layers_python():
    class Noise(layers.Layer):
        def call(self, x):
            return x + float(np.random.normal())

    layer = Noise()
    layer(f32(1))
    function = keras.function(lambda x: layer(x))
    with pytest.warns(NotCompiledWarning, match="its Python computes something else each time"):
        function(f32(2))


def test_a_variable_made_in_the_first_step_is_there_for_the_second():
    made = []

    def step(x):
        if not made:
            made.append(keras.Variable(np.ones(3, "float32"), name="late"))
        made[0].assign_add(x)
        return made[0] * 2

    function = keras.function(step)
    assert function(np.ones(3, "float32")).numpy().tolist() == [4.0] * 3
    assert not programs(function) and function.refusal is None
    assert function(np.ones(3, "float32")).numpy().tolist() == [6.0] * 3
    assert compiles(function) and made[0].numpy().tolist() == [3.0] * 3


def test_a_variable_made_in_every_step():
    def step(x):
        return keras.Variable(x, name="fresh") * 2

    why = "the step makes the Variable 'fresh'"
    falls_back(step, why, [(f32(3),), (f32(3),), (f32(3),)])


@pytest.mark.parametrize("make", [lambda: layers.Dense(4), lambda: layers.ReLU(), lambda: layers.BatchNormalization()])
def test_a_layer_is_built_by_the_first_call(make):
    layer, x = make(), f32(2, 5, 3)
    function = keras.function(lambda x: layer(x))
    a, b = function(x), function(x)
    assert compiles(function)
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("make", [lambda x: keras.Variable(x), lambda x: layers.Dense(3, kernel_initializer="ones")(x)])
def test_a_function_that_makes_new_things_each_time_is_given_up(make):
    function = keras.function(lambda x: make(x) * 2)
    with pytest.warns(NotCompiledWarning, match="the step (makes the Variable|builds the layer) '(variable|[Dd]ense)"):
        results = [function(f32(2, 3)) for _ in range(FORGIVEN + 1)]
    assert_same_bits(results[0], results[-1])


def test_arrays_are_tensors_in_a_function_that_is_not_compiled():
    def step(x, s):
        float(ops.sum(s["s"]))
        return x / 2 + s["s"]  # with NumPy's operators this would be float64

    args = [np.arange(3), {"s": np.float32(2)}]
    function = keras.function(step)
    with pytest.warns(NotCompiledWarning):
        first = function(*args)
    assert first.dtype == function(*args).dtype == keras.function(lambda x, s: x / 2 + s["s"])(*args).dtype == "float32"


def test_a_shape_that_depends_on_the_data():
    def step(x):
        return ops.nonzero(x > 0)[0]

    falls_back(step, "the shape of the result of nonzero depends on the data", [(f32(9),), (f32(9, seed=1),)])


def test_a_tensor_that_leaked_from_another_step_says_so():
    leaked = []
    keras.function(lambda x: leaked.append(x * 2))(f32(3))
    with pytest.raises(RuntimeError, match=LOOKS):
        np.asarray(leaked[0])
    function = keras.function(lambda x: x + leaked[0])
    another = pytest.warns(NotCompiledWarning, match="a tensor of another captured step is used")
    with another, pytest.raises(RuntimeError, match=LOOKS):
        function(f32(3))


def test_wrong_arguments_give_the_functions_own_error_and_nothing_is_given_up():
    w = keras.Variable(f32(4, 2))
    function = keras.function(lambda x: ops.matmul(x, w))
    with pytest.raises(ValueError, match="matmul: the inner dimensions must be equal"):
        function(f32(3, 5))
    assert function.refusal is None
    function(f32(3, 4))
    assert compiles(function)


def test_an_error_of_the_capture_alone_is_named():
    from kerasish.engine.op import state

    def step(x):
        if state.capture is not None:
            raise LookupError("only while captured")
        return x * 2

    falls_back(step, "LookupError: only while captured", [(f32(3),), (f32(3),)])


def test_warnings_of_the_steps_own_come_once_for_each_program():
    def step(x):
        warnings.warn("mind the step", stacklevel=2)
        return x * 2

    function = keras.function(step)
    with pytest.warns(UserWarning, match="mind the step") as caught:
        function(f32(3))
        function(f32(3))
    assert len(caught) == 1


# Branches.


def both_ways(fn, calls, variables=()):
    start = [v.numpy() for v in variables]
    wanted = [(leaves(fn(*map(ops.convert_to_tensor, c))), [v.numpy() for v in variables]) for c in calls]
    for v, value in zip(variables, start):
        v.assign(value)
    function = keras.function(fn)
    for call, (result, values) in zip(calls, wanted):
        assert_same_bits(function(*call), result)
        assert_same_bits([v.numpy() for v in variables], values)
    compiles(function)


ON_AND_OFF = [(np.array(p), f32(3, seed=k)) for k, p in enumerate([True, False, False, True])]


def test_cond_picks_between_values():
    both_ways(lambda p, x: ops.cond(p, lambda: {"a": x * 2, "b": [x]}, lambda: {"a": x - 1, "b": [x * 0]}), ON_AND_OFF)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_predicates(dtype, shape):
    calls = [(np.full(shape, p).astype(dtype), f32(3)) for p in (True, False)]
    both_ways(lambda p, x: ops.cond(p, lambda: x * 2, lambda: x - 1), calls)


def test_cond_assigns_variables_in_either_branch():
    v, w, u = (keras.Variable(f32(3, seed=k)) for k in (7, 8, 9))

    def step(p, x):
        def yes():
            v.assign_add(x)
            w.assign(v * 2)
            return ops.sum(v)

        def no():
            w.assign(x)
            u.assign(w + u)
            return ops.sum(u)

        out = ops.cond(p, yes, no)
        return out, v + w + u

    both_ways(step, ON_AND_OFF, [v, w, u])


def test_nested_cond():
    v = keras.Variable(f32(3))

    def step(p, q, x):
        def inner():
            return ops.cond(q, lambda: v.assign_add(x), lambda: v.assign(v * 0.5))

        return ops.cond(p, inner, lambda: ops.cond(q, lambda: x + v, lambda: x - v))

    calls = [(np.array(p), np.array(q), f32(3)) for p in (True, False) for q in (True, False)]
    both_ways(step, calls * 2, [v])


def test_gradients_through_cond():
    w = keras.Variable(f32(3))

    def step(p, x):
        with keras.GradientTape() as tape:
            y = ops.cond(p, lambda: ops.sum(ops.square(w) * x), lambda: ops.sum(ops.tanh(w * x)))
        g = tape.gradient(y, w)
        w.assign_sub(0.1 * g)
        return y, g

    both_ways(step, ON_AND_OFF, [w])


def test_a_predicate_that_is_known_is_pythons_branch():
    def step(x):
        return ops.cond(ops.convert_to_tensor(True), lambda: x * 2, lambda: ops.nonzero(x)[0])

    both_ways(step, [(f32(3),)])


def test_branches_that_return_different_things_are_refused_as_they_are():
    function = keras.function(lambda p, x: ops.cond(p, lambda: x, lambda: (x, x)))
    with pytest.warns(NotCompiledWarning, match="ValueError: cond: all branches return the same structure"):
        out = function(np.array(True), f32(3))
    np.testing.assert_array_equal(out.numpy(), f32(3))  # as it is, only one branch counts
