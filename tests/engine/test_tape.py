"""GradientTape: order, nesting, watching, jacobians, custom gradients, errors."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import kerasish as keras
from kerasish import ops
from kerasish.engine.op import define_op, get_op, missing_gradient


def tensor(x, dtype="float64"):
    return ops.convert_to_tensor(np.asarray(x, dtype))


def test_third_order_of_a_power():
    x = tensor(2.0)
    with keras.GradientTape() as t3:
        t3.watch(x)
        with keras.GradientTape() as t2:
            t2.watch(x)
            with keras.GradientTape() as t1:
                t1.watch(x)
                y = x * x * x * x
            d1 = t1.gradient(y, x)
        d2 = t2.gradient(d1, x)
    d3 = t3.gradient(d2, x)
    assert [float(v) for v in (y, d1, d2, d3)] == [16.0, 32.0, 48.0, 48.0]


def test_a_persistent_tape_differentiates_its_own_gradient():
    x = tensor(3.0)
    with keras.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x * x
        dy = tape.gradient(y, x)
    assert float(tape.gradient(dy, x)) == 18.0
    assert float(tape.gradient(y, x)) == 27.0


def test_variables_are_watched_when_read_and_frozen_ones_are_not():
    v = keras.Variable(2.0, name="v")
    frozen = keras.Variable(3.0, trainable=False, name="frozen")
    with keras.GradientTape() as tape:
        y = v * frozen
    assert tape.watched_variables() == (v,)
    dv, df = tape.gradient(y, [v, frozen])
    assert float(dv) == 3.0
    assert df is None


def test_watch_accessed_variables_off():
    v = keras.Variable(2.0)
    with keras.GradientTape(watch_accessed_variables=False) as tape:
        y = v * v
    assert tape.gradient(y, v) is None
    with keras.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        y = v * v
    assert float(tape.gradient(y, v)) == 4.0


def test_a_variable_read_before_and_after_an_assignment_sums_both_reads():
    v = keras.Variable(2.0)
    with keras.GradientTape() as tape:
        a = v * 3.0
        v.assign(10.0)
        y = a + v * v
    assert float(tape.gradient(y, v)) == 3.0 + 20.0


def test_structures_and_output_gradients():
    x = {"a": tensor([1.0, 2.0]), "b": [tensor(3.0)]}
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = [x["a"] * 2.0, x["a"] * x["b"][0]]
    weights = [tensor([1.0, 0.0]), tensor([0.0, 1.0])]
    g = tape.gradient(y, x, output_gradients=weights)
    np.testing.assert_allclose(g["a"].numpy(), [2.0, 3.0])
    assert float(g["b"][0]) == 2.0


def test_unconnected_gradients():
    x, z = tensor(1.0), tensor([1.0, 2.0])
    with keras.GradientTape(persistent=True) as tape:
        tape.watch([x, z])
        y = x * 2.0
    assert tape.gradient(y, z) is None
    np.testing.assert_array_equal(tape.gradient(y, z, unconnected_gradients="zero").numpy(), [0.0, 0.0])
    with pytest.raises(ValueError, match="unconnected_gradients is 'none' or 'zero'"):
        tape.gradient(y, z, unconnected_gradients="one")


def test_target_is_the_source():
    x = tensor([1.0, 2.0])
    with keras.GradientTape() as tape:
        tape.watch(x)
    np.testing.assert_array_equal(tape.gradient(x, x).numpy(), [1.0, 1.0])


def test_gradient_of_an_intermediate_value():
    x = tensor(2.0)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * 3.0
    dy, dx = tape.gradient(z, [y, x])
    assert (float(dy), float(dx)) == (3.0, 12.0)


def test_stop_recording_and_stop_gradient():
    x = tensor(2.0)
    with keras.GradientTape() as tape:
        tape.watch(x)
        with tape.stop_recording():
            a = x * x
        y = a * x + ops.stop_gradient(x) * x
    assert float(tape.gradient(y, x)) == 4.0 + 2.0
    with pytest.raises(ValueError, match="the tape is not recording"), tape.stop_recording():
        pass


def test_reset_forgets():
    x = tensor(2.0)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.reset()
        tape.watch(x)
        z = x * 3.0
    g = tape.gradient([z], x)
    assert float(g) == 3.0
    assert y is not None


def test_a_tape_is_used_once_unless_persistent():
    x = tensor(2.0)
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="a tape that is not persistent gives gradients once"):
        tape.gradient(y, x)


def test_jacobian_and_batch_jacobian():
    a = np.arange(6.0).reshape(2, 3)
    x = tensor([1.0, 2.0, 3.0])
    with keras.GradientTape() as tape:
        tape.watch(x)
        y = ops.matmul(tensor(a), x) * x[0]
    jacobian = tape.jacobian(y, x).numpy()
    want = a * 1.0 + np.outer(a @ [1.0, 2.0, 3.0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(jacobian, want)

    xb = tensor(np.arange(8.0).reshape(4, 2) + 1)
    with keras.GradientTape() as tape:
        tape.watch(xb)
        y = ops.stack([xb[:, 0] * xb[:, 1], xb[:, 0] * xb[:, 0], xb[:, 1]], axis=-1)
    got = tape.batch_jacobian(y, xb).numpy()
    assert got.shape == (4, 3, 2)
    np.testing.assert_allclose(got[1], [[xb.numpy()[1, 1], xb.numpy()[1, 0]], [2 * xb.numpy()[1, 0], 0], [0, 1]])
    with keras.GradientTape() as tape:
        tape.watch(xb)
        y = ops.sum(xb)
    with pytest.raises(ValueError, match="target and source have the same first dimension"):
        tape.batch_jacobian(y, xb)


def test_hessian_by_jacobian_of_gradient():
    x = tensor([1.0, 2.0])
    with keras.GradientTape() as outer:
        outer.watch(x)
        with keras.GradientTape() as inner:
            inner.watch(x)
            y = x[0] * x[0] * x[1]
        g = inner.gradient(y, x)
    np.testing.assert_allclose(outer.jacobian(g, x).numpy(), [[4.0, 2.0], [2.0, 0.0]])


def test_custom_gradient_replaces_the_gradient_and_has_second_order():
    @ops.custom_gradient
    def cube(x):
        def grad(upstream):
            return upstream * x * x * 30.0  # ten times the true one

        return x * x * x, grad

    x = tensor(2.0)
    with keras.GradientTape() as outer:
        outer.watch(x)
        with keras.GradientTape() as inner:
            inner.watch(x)
            y = cube(x)
        g = inner.gradient(y, x)
    assert (float(y), float(g), float(outer.gradient(g, x))) == (8.0, 120.0, 120.0)


def test_custom_gradient_must_return_a_pair():
    with pytest.raises(ValueError, match="a custom_gradient function returns"):
        ops.custom_gradient(lambda x: x)(tensor(1.0))


def test_a_missing_gradient_names_op_and_argument():
    rule = missing_gradient("test_missing", "x", "no one has written it")
    op = define_op(
        "test_missing", inputs="x", infer=lambda x: x, kernel=None, grad=(rule,), kind="view", inplace=((0, 0),)
    )
    try:
        x = tensor(1.0)
        with keras.GradientTape() as tape:
            tape.watch(x)
            y = op(x)
        with pytest.raises(LookupError, match="test_missing: there is no gradient with respect to `x`: no one"):
            tape.gradient(y, x)
    finally:
        from kerasish.engine import op as module

        del module._registry["test_missing"]
        assert get_op("add")


def test_symbols_and_integers_cannot_be_watched():
    tape = keras.GradientTape()
    with pytest.raises(ValueError, match="a tape follows values, not symbolic tensors"):
        tape.watch(keras.KerasTensor((2,)))
    with pytest.raises(ValueError, match="only floating tensors have gradients"):
        tape.watch(ops.convert_to_tensor([1, 2]))
    with pytest.raises(ValueError, match="only tensors and variables can be watched"):
        tape.watch(np.ones(2))
    x = tensor(1.0)
    with keras.GradientTape() as tape:
        tape.watch(x)
    with pytest.raises(ValueError, match="a tape follows values, not symbolic tensors"):
        tape.gradient(keras.KerasTensor((2,)), x)
    with keras.GradientTape() as tape:
        tape.watch(x)
    with pytest.raises(ValueError, match="sources are tensors or variables"):
        tape.gradient(x, np.ones(2))


def test_an_output_gradient_has_the_shape_of_its_target():
    x = tensor([1.0, 2.0])
    with keras.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    with pytest.raises(ValueError, match="an output gradient has its target's shape"):
        tape.gradient(y, x, output_gradients=tensor([1.0]))
    with pytest.raises(ValueError, match="there is one output gradient for each target"):
        tape.gradient(y, x, output_gradients=[tensor([1.0, 1.0]), tensor([1.0, 1.0])])


def test_entering_twice_is_an_error():
    with keras.GradientTape() as tape, pytest.raises(ValueError, match="the tape is recording already"):
        tape.__enter__()


def test_values_that_no_rule_needs_are_freed():
    x = tensor(np.ones(1000))
    with keras.GradientTape() as tape:
        tape.watch(x)
        a = x + 1.0
        ref = weakref.ref(a)
        y = a + 1.0  # the gradient of a sum reads nothing
        del a
        gc.collect()
        assert ref() is None
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), np.ones(1000))


def test_tapes_of_different_threads_do_not_mix():
    import threading

    seen = []

    def other():
        with keras.GradientTape() as tape:
            v = keras.Variable(5.0)
            y = v * v
        seen.append(float(tape.gradient(y, v)))

    v = keras.Variable(2.0)
    with keras.GradientTape() as tape:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        y = v * v
    assert seen == [10.0]
    assert tape.watched_variables() == (v,)
    assert float(tape.gradient(y, v)) == 4.0
