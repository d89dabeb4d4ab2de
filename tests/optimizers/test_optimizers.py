"""Optimizers: steps by hand, options of the base class, wrappers, errors."""

import numpy as np
import pytest

import kerasish
from kerasish import constraints, ops, optimizers


def variable(value=(1.0, 2.0), name="v"):
    return kerasish.Variable(np.array(value, "float32"), name=name)


def grad(*values):
    return ops.convert_to_tensor(np.array(values, "float32"))


def test_sgd_by_hand():
    v = variable()
    optimizer = optimizers.SGD(0.1, momentum=0.5)
    optimizer.apply([grad(1.0, 2.0)], [v])
    np.testing.assert_allclose(v.numpy(), [0.9, 1.8], rtol=1e-6)
    optimizer.apply([grad(1.0, 2.0)], [v])
    np.testing.assert_allclose(v.numpy(), [0.75, 1.5], rtol=1e-6)
    assert [x.path for x in optimizer.variables] == [
        f"{optimizer.name}/{n}" for n in ("iteration", "learning_rate", "v_momentum")
    ]


def test_apply_gradients_counts_steps():
    v = variable()
    optimizer = optimizers.SGD(0.1)
    assert int(optimizer.apply_gradients([(grad(1.0, 1.0), v)])) == 1
    assert int(optimizer.apply_gradients(zip([grad(1.0, 1.0)], [v]))) == 2
    optimizer.apply([], [])
    assert int(optimizer.iterations) == 2


def test_learning_rate_can_be_read_and_set():
    optimizer = optimizers.SGD(0.1)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    optimizer.learning_rate = 0.5
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate.assign(0.25)
    v = variable()
    optimizer.apply([grad(1.0, 1.0)], [v])
    np.testing.assert_allclose(v.numpy(), [0.75, 1.75])
    assert optimizers.SGD(1).get_config()["learning_rate"] == 1.0


def test_schedules_and_functions_as_learning_rate():
    v = variable()
    optimizer = optimizers.SGD(optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.5]))
    assert [x.name for x in optimizer.variables] == ["iteration"]
    optimizer.apply([grad(1.0, 1.0)], [v])
    optimizer.apply([grad(1.0, 1.0)], [v])
    np.testing.assert_allclose(v.numpy(), [-0.5, 0.5])
    with pytest.raises(TypeError, match=r"SGD: the learning rate follows a schedule and cannot be set to a number"):
        optimizer.learning_rate = 0.1
    rates = iter((1.0, 0.25))
    changing = optimizers.SGD(lambda: next(rates))
    changing.apply([grad(1.0, 1.0)], [v])
    changing.apply([grad(1.0, 1.0)], [v])
    np.testing.assert_allclose(v.numpy(), [-1.75, -0.75])
    plain = optimizers.SGD(0.1)
    plain.learning_rate = optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    assert [x.name for x in plain.variables] == ["iteration"]


def test_clipping():
    for kwargs, expected in (
        ({"clipnorm": 1.0}, [0.6, 0.8]),
        ({"clipnorm": 10.0}, [3.0, 4.0]),
        ({"clipvalue": 3.5}, [3.0, 3.5]),
        ({"global_clipnorm": 2.5}, [1.5, 2.0]),
    ):
        v = variable((0.0, 0.0))
        optimizers.SGD(1.0, **kwargs).apply([grad(3.0, 4.0)], [v])
        np.testing.assert_allclose(v.numpy(), [-x for x in expected], rtol=1e-6)
    v = variable((0.0, 0.0))
    optimizers.SGD(1.0, clipnorm=1.0).apply([grad(0.0, 0.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [0.0, 0.0])
    v = variable((0.0, 0.0))
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([grad(np.inf, 0.0)], [v])
    assert np.isnan(v.numpy()).all()


def test_accumulation_moves_by_the_mean():
    v = variable((0.0, 0.0))
    optimizer = optimizers.SGD(1.0, gradient_accumulation_steps=2)
    optimizer.apply([grad(1.0, 3.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [0.0, 0.0])
    assert int(optimizer.iterations) == 0
    optimizer.apply([grad(3.0, 1.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [-2.0, -2.0])
    assert int(optimizer.iterations) == 1


def test_moving_averages():
    v = variable((0.0, 0.0))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([grad(-2.0, -2.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [4.0, 4.0])
    optimizer.finalize_variable_values([v])
    np.testing.assert_array_equal(v.numpy(), [3.0, 3.0])
    with pytest.raises(ValueError, match=r"SGD.finalize_variable_values: the optimizer was built with 1 variables"):
        optimizer.finalize_variable_values([v, v])


def test_loss_scale():
    v = variable()
    optimizer = optimizers.SGD(1.0, loss_scale_factor=4.0)
    assert float(optimizer.scale_loss(ops.convert_to_tensor(2.0))) == 8.0
    optimizer.apply([grad(4.0, 8.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [0.0, 0.0])


def test_constraints_and_replaced_variables():
    v, scale = variable((1.0, -2.0)), variable((1.0, 1.0), "scale")
    v.constraint = constraints.NonNeg()
    scale.overwrite_with_gradient = True
    optimizer = optimizers.Adam(0.1)
    optimizer.apply([grad(1.0, 1.0), grad(5.0, 6.0)], [v, scale])
    assert v.numpy()[1] == 0.0
    np.testing.assert_array_equal(scale.numpy(), [5.0, 6.0])
    assert len(optimizer.variables) == 4  # no slots for the second


def test_an_optimizer_of_ones_own():
    class Signs(optimizers.Optimizer):
        def build(self, variables):
            super().build(variables)
            self.count = kerasish.Variable(0.0, trainable=False, name="count")
            self.slots = self.add_optimizer_variables(variables, "slot", initializer="ones")

        def update_step(self, gradient, variable, learning_rate):
            self.assign_add(self.count, 1.0)
            self.assign_sub(variable, learning_rate * ops.sign(gradient))

    v = variable()
    optimizer = Signs(learning_rate=0.5, weight_decay=0.5, name="signs")
    optimizer.apply([grad(3.0, -3.0)], [v])
    np.testing.assert_allclose(v.numpy(), [0.25, 2.0])
    assert [x.path for x in optimizer.variables] == ["signs/iteration", "signs/learning_rate", "count", "signs/v_slot"]


def test_overridden_step_still_decays_weights():
    class Still(optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            pass

    v = variable()
    Still(0.5, weight_decay=0.5).apply([grad(1.0, 1.0)], [v])
    np.testing.assert_allclose(v.numpy(), [0.75, 1.5])


def test_forgotten_super_call_is_named():
    class Bad(optimizers.Optimizer):
        def __init__(self):
            self.rate = 1.0

    with pytest.raises(RuntimeError, match=r"Bad: __init__ must call super\(\).__init__\(\)"):
        Bad()


def test_state_of_another_length_is_left_alone():
    optimizer = optimizers.Adam()
    with pytest.warns(UserWarning, match=r"the variables are not loaded, because the optimizer has 2 and the file 4"):
        optimizer.load_own_variables(dict.fromkeys("0123", np.zeros(())))


def test_loss_scale_optimizer():
    inner = optimizers.SGD(1.0)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=2)
    v = variable((0.0, 0.0))
    loss = ops.convert_to_tensor(1.0)
    assert float(optimizer.scale_loss(loss)) == 8.0
    optimizer.apply([grad(8.0, 16.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [-1.0, -2.0])
    optimizer.apply([grad(8.0, 8.0)], [v])
    assert float(optimizer.scale_loss(loss)) == 16.0
    optimizer.apply([grad(np.inf, 0.0)], [v])
    np.testing.assert_array_equal(v.numpy(), [-2.0, -3.0])
    assert float(optimizer.scale_loss(loss)) == 8.0 and int(optimizer.iterations) == 2
    optimizer.learning_rate = 0.5
    assert float(inner.learning_rate) == 0.5
    back = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(back.inner_optimizer) is optimizers.SGD and back.initial_scale == 8.0
    state = [x.numpy() for x in optimizer.variables]
    (value,), new = optimizer.stateless_apply(state, [grad(8.0, 8.0)], [v.numpy()])
    np.testing.assert_array_equal(np.asarray(value), [-2.5, -3.5])
    assert len(new) == len(state)
    np.testing.assert_array_equal(v.numpy(), [-2.0, -3.0])


def test_multi_optimizer():
    a, b = variable(name="a"), variable(name="b")
    by_path = optimizers.OptimizerMap(
        optimizers.SGD(0.5, name="one"), {"b": optimizers.SGD(0.1, momentum=0.5, name="two")}
    )
    optimizer = optimizers.MultiOptimizer(by_path, name="both")
    optimizer.apply([grad(1.0, 1.0), grad(1.0, 1.0)], [a, b])
    np.testing.assert_allclose(a.numpy(), [0.5, 1.5])
    np.testing.assert_allclose(b.numpy(), [0.9, 1.9])
    assert int(optimizer.iterations) == 1 and len(optimizer.optimizers) == 2
    state = [v.numpy() for v in optimizer.variables]
    optimizer.apply([grad(1.0, 1.0), grad(1.0, 1.0)], [a, b])
    optimizer.set_weights(state)
    for v, old in zip(optimizer.variables, state):
        np.testing.assert_array_equal(v.numpy(), old)
    back = optimizers.deserialize(optimizers.serialize(optimizer))
    assert back._optimizer_map["b"].momentum == 0.5 and back._optimizer_map["x"].name == "one"
    with pytest.raises(AttributeError, match=r"MultiOptimizer: each of `optimizers` has its own learning rate"):
        optimizer.learning_rate  # noqa: B018
    with pytest.raises(ValueError, match=r"OptimizerMap: only one pattern may match the path 'ab'"):
        optimizers.OptimizerMap(optimizers.SGD(), {"a.": optimizers.SGD(), ".b": optimizers.SGD()})["ab"]
    with pytest.raises(ValueError, match=r"MultiOptimizer: there is one gradient for each variable"):
        optimizer.apply([grad(1.0, 1.0)], [a])
    with pytest.raises(ValueError, match=r"OptimizerMap: a LossScaleOptimizer cannot be a member"):
        by_path["c"] = optimizers.LossScaleOptimizer(optimizers.SGD())


def test_muon_makes_momentum_orthogonal():
    optimizer = optimizers.Muon(ns_steps=12, muon_a=2.0, muon_b=-1.5, muon_c=0.5)
    for shape in ((5, 3), (3, 5)):
        x = np.random.default_rng(0).normal(size=shape)
        q = np.asarray(optimizer.zeropower_via_newtonschulz5(ops.convert_to_tensor(x), 30))
        u, _, v = np.linalg.svd(x, full_matrices=False)
        np.testing.assert_allclose(q, u @ v, atol=1e-5)
    with pytest.raises(ValueError, match=r"Muon: only a matrix can be made orthogonal. Received: x.shape=\(3,\)"):
        optimizer.zeropower_via_newtonschulz5(ops.ones((3,)), 1)


def test_get():
    assert optimizers.get(None) is None
    for name in ("adam", "Adam", "ADAM"):
        assert type(optimizers.get(name)) is optimizers.Adam
    assert type(optimizers.get({"class_name": "RMSprop", "config": {"rho": 0.5}})) is optimizers.RMSprop
    optimizer = optimizers.SGD()
    assert optimizers.get(optimizer) is optimizer


def two():
    return [variable(name="a"), variable(name="b")]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: optimizers.get("adamm"), r"unknown optimizer: 'adamm'. Did you mean 'adam'"),
        (lambda: optimizers.get(3), r"optimizers.get: an optimizer is given as a name, a config or an object"),
        (lambda: optimizers.SGD(lr=0.1), r"SGD: unknown arguments. Received: lr=0.1"),
        (lambda: optimizers.SGD("fast"), r"SGD: learning_rate is a number, a LearningRateSchedule or a function"),
        (lambda: optimizers.SGD(momentum=1.5), r"SGD: momentum lies in \[0, 1\]. Received: momentum=1.5"),
        (
            lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
            r"SGD: only one of clipnorm, clipvalue and global_clipnorm",
        ),
        (
            lambda: optimizers.SGD(gradient_accumulation_steps=1),
            r"gradient_accumulation_steps is an integer of at least 2",
        ),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=1.5), r"SGD: ema_momentum lies in \[0, 1\]"),
        (
            lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=0),
            r"SGD: ema_overwrite_frequency is a positive",
        ),
        (lambda: optimizers.AdamW(weight_decay=None), r"AdamW: weight_decay is a number. Received: weight_decay=None"),
        (lambda: optimizers.Lion(beta_1=0.0), r"Lion: beta_1 lies in \(0, 1\]. Received: beta_1=0.0"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), r"Ftrl: learning_rate_power is at most 0"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1.0), r"Ftrl: l1_regularization_strength is at least 0"),
        (
            lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0),
            r"LossScaleOptimizer: these arguments belong to the inner optimizer. Received: clipnorm=1.0",
        ),
        (
            lambda: optimizers.SGD().apply([grad(1.0)]),
            r"SGD: gradients without variables need an optimizer that is built",
        ),
        (lambda: optimizers.SGD().apply([grad(1.0, 1.0)], two()), r"SGD: there is one gradient for each variable"),
        (lambda: optimizers.SGD().apply_gradients([]), r"SGD.apply_gradients: there is at least one gradient"),
        (
            lambda: optimizers.SGD().apply([grad(1.0)], [variable()]),
            r"SGD: the gradient of 'v' must have its shape. Received: gradient.shape=\(1,\), variable.shape=\(2,\)",
        ),
        (lambda: optimizers.SGD().stateless_apply([], [], []), r"SGD.stateless_apply: the optimizer must be built"),
        (lambda: optimizers.SGD().set_weights([]), r"SGD.set_weights: the optimizer must be built"),
        (lambda: optimizers.schedules.CosineDecay(0.1, 0), r"CosineDecay: decay_steps is a positive number"),
        (lambda: optimizers.schedules.CosineDecayRestarts(0.1, 0), r"first_decay_steps is a positive number"),
        (lambda: optimizers.schedules.PiecewiseConstantDecay([1], [1.0]), r"there is one value more than boundaries"),
        (
            lambda: optimizers.schedules.deserialize("CosinDecay"),
            r"unknown learning rate schedule: 'CosinDecay'. Did you",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_variables_are_named():
    optimizer = optimizers.SGD()
    optimizer.build([variable(name="a")])
    with pytest.raises(ValueError, match=r"SGD: the variable 'b' is not among those that the optimizer was built with"):
        optimizer.apply([grad(1.0, 1.0)], [variable(name="b")])


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: optimizers.Optimizer(0.1).apply([grad(1.0, 1.0)], [variable()]),
            r"Optimizer does not implement update_s",
        ),
        (lambda: optimizers.schedules.LearningRateSchedule()(1), r"LearningRateSchedule does not implement __call__"),
        (lambda: optimizers.schedules.LearningRateSchedule().get_config(), r"does not implement get_config\(\)"),
    ],
)
def test_base_classes_say_what_is_missing(call, message):
    with pytest.raises(NotImplementedError, match=message):
        call()
