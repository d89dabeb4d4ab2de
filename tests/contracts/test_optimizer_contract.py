"""Every optimizer class: config, state and its exchange, dtypes, stateless use, descent."""

import json

import numpy as np
import pytest

import kerasish
from kerasish import ops, optimizers
from tests.contracts.cases import OPTIMIZERS
from tests.contracts.round_trip import check_round_trip

CASES = pytest.mark.parametrize("name, kwargs", OPTIMIZERS)


def make(cls, kwargs, **more):
    return getattr(optimizers, cls)(**kwargs, **more)


def variables(dtype="float32"):
    rng = np.random.default_rng(0)
    return [kerasish.Variable(rng.normal(size=s), dtype=dtype, name=n) for n, s in (("w", (4, 3)), ("b", (3,)))]


def descend(optimizer, vs, steps, seed=0):
    """Steps down a bowl around 0.3."""
    for _ in range(steps):
        optimizer.apply([v.value - 0.3 for v in vs], vs)
    return [v.numpy() for v in vs]


def test_all_classes_are_covered():
    others = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}
    assert {c.__name__ for c in optimizers._classes} - others == {name for name, _ in OPTIMIZERS}


@CASES
def test_config(name, kwargs):
    optimizer = make(name, kwargs, clipnorm=0.5, use_ema=True, name="mine")
    back = check_round_trip(optimizer, optimizers.serialize, optimizers.deserialize, optimizers.get)
    assert back.name == "mine" and back.clipnorm == 0.5 and back.use_ema is True
    for a, b in zip(descend(optimizer, variables(), 3), descend(back, variables(), 3)):
        np.testing.assert_array_equal(a, b)


@CASES
def test_config_with_a_schedule(name, kwargs):
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = make(name, {**kwargs, "learning_rate": schedule})
    config = json.loads(json.dumps(optimizers.serialize(optimizer)))
    back = optimizers.deserialize(config)
    assert type(back._learning_rate) is optimizers.schedules.ExponentialDecay
    assert json.loads(json.dumps(optimizers.serialize(back))) == config
    assert config["config"]["learning_rate"]["class_name"] == "ExponentialDecay"


@CASES
def test_descends(name, kwargs):
    vs = variables()
    before = sum(float(np.square(v.numpy() - 0.3).sum()) for v in vs)
    after = descend(make(name, kwargs), vs, 100)
    assert sum(float(np.square(v - 0.3).sum()) for v in after) < 0.9 * before


@CASES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_of_slots_and_results(name, kwargs, dtype):
    optimizer, vs = make(name, kwargs), variables(dtype)
    descend(optimizer, vs, 3)
    assert all(v.dtype == dtype for v in vs)
    for slot in optimizer.variables[2:]:
        assert slot.dtype == dtype or (name == "Adafactor" and slot.shape == ())
    double = variables("float64")
    for a, b in zip(vs, descend(make(name, kwargs), double, 3)):
        np.testing.assert_allclose(a.numpy(), b, rtol=1e-3, atol=1e-4)


@CASES
def test_state_can_be_saved_and_training_resumed(name, kwargs):
    through, vs = make(name, kwargs, use_ema=True), variables()
    descend(through, vs, 3)
    store = {}
    through.save_own_variables(store)
    assert sorted(store, key=int) == [str(i) for i in range(len(through.variables))]
    other = make(name, kwargs, use_ema=True)
    copies = [kerasish.Variable(v.numpy(), name=v.name) for v in vs]
    other.build(copies)
    other.load_own_variables(store)
    assert int(other.iterations) == 3
    for a, b in zip(descend(through, vs, 3), descend(other, copies, 3)):
        np.testing.assert_array_equal(a, b)
    third = make(name, kwargs, use_ema=True)
    third.build(copies)
    third.set_weights(other.variables)
    for a, b in zip(third.variables, other.variables):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@CASES
def test_stateless_apply_changes_nothing(name, kwargs):
    optimizer, vs = make(name, kwargs), variables()
    descend(optimizer, vs, 2)
    values, state = [v.numpy() for v in vs], [v.numpy() for v in optimizer.variables]
    grads = [ops.convert_to_tensor(np.full(v.shape, 0.5, "float32")) for v in vs]
    new_values, new_state = optimizer.stateless_apply(state, grads, values)
    for v, old in zip([*vs, *optimizer.variables], [*values, *state]):
        np.testing.assert_array_equal(v.numpy(), old)
    optimizer.apply(grads)
    for v, new in zip([*vs, *optimizer.variables], [*new_values, *new_state]):
        np.testing.assert_array_equal(v.numpy(), np.asarray(new))


@CASES
def test_a_missing_gradient_leaves_its_variable_alone(name, kwargs):
    optimizer, vs = make(name, kwargs), variables()
    before = vs[1].numpy()
    with pytest.warns(UserWarning, match=rf"{name}: no gradients exist for the variables \['b'\]"):
        optimizer.apply([vs[0].value, None], vs)
    np.testing.assert_array_equal(vs[1].numpy(), before)
    with pytest.raises(ValueError, match=rf"{name}: there is no gradient for any variable.*variables=\['w', 'b'\]"):
        optimizer.apply([None, None], vs)


@CASES
def test_weight_decay_of_excluded_variables(name, kwargs):
    moved = []
    for decay in (None, 0.5):
        more = {"weight_decay": decay} if decay or name != "AdamW" else {"weight_decay": 0.0}
        if name == "Muon":
            more["adam_weight_decay"] = decay
        optimizer = make(name, {**kwargs, **more})
        optimizer.exclude_from_weight_decay(var_names=["^b$"])
        vs = variables()
        rng = np.random.default_rng(1)
        for _ in range(2):
            optimizer.apply([ops.convert_to_tensor(rng.normal(size=v.shape).astype("float32")) for v in vs], vs)
        moved.append([v.numpy() for v in vs])
    assert np.abs(moved[0][0] - moved[1][0]).max() > 1e-4
    np.testing.assert_array_equal(moved[0][1], moved[1][1])
