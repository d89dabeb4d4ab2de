"""Optimizers against Keras: ten steps give the same variables and the same state, under the same names."""

import numpy as np
import pytest

import kerasish
from kerasish import constraints, optimizers
from tests.contracts.cases import OPTIMIZERS

# The second: Keras asks its own variables for arrays in a way that NumPy 2 deprecates.
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

SHAPES = {"w": (4, 3), "b": (3,), "k": (2, 3, 4)}


def start(make_variable):
    rng = np.random.default_rng(3)
    return [make_variable(rng.normal(size=s).astype("float32"), name=n) for n, s in SHAPES.items()]


def gradients(steps=10):
    rng = np.random.default_rng(4)
    return [[rng.normal(size=s).astype("float32") for s in SHAPES.values()] for _ in range(steps)]


def train(module, optimizer, variables, convert):
    for grads in gradients():
        optimizer.apply([convert(g) for g in grads], variables)


def close(ours, theirs):
    """Equal to 1e-5 of the largest element (Keras takes 1 - beta ** t in float32, which costs single elements more)."""
    theirs = np.asarray(theirs)
    largest = np.abs(theirs).max() if theirs.size else 0
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5 * largest, err_msg=ours.path)


def compare(ours, theirs):
    """Ten steps of both; their variables and their own state afterwards."""
    import keras

    mine = start(kerasish.Variable)
    other = start(keras.Variable)
    for v in other:
        v._name = v.name
    train(kerasish, ours, mine, kerasish.ops.convert_to_tensor)
    train(keras, theirs, other, keras.ops.convert_to_tensor)
    for a, b in zip(mine, other):
        close(a, b)
    for a, b in zip(ours.variables, theirs.variables):
        close(a, b)
    assert len(ours.variables) == len(theirs.variables)
    return mine, other


def names(optimizer):
    return [v.path for v in optimizer.variables]


@pytest.mark.parametrize("name, kwargs", OPTIMIZERS)
def test_ten_steps(name, kwargs):
    import keras

    ours = getattr(optimizers, name)(name="opt", **kwargs)
    theirs = getattr(keras.optimizers, name)(name="opt", **kwargs)
    compare(ours, theirs)
    if name != "Nadam":  # its product of momenta has no name in Keras
        assert names(ours) == names(theirs)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"clipnorm": 0.5},
        {"clipvalue": 0.3},
        {"global_clipnorm": 0.7},
        {"weight_decay": 0.2},
        {"use_ema": True, "ema_momentum": 0.7},
        {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
        {"loss_scale_factor": 8.0},
        {"gradient_accumulation_steps": 3},
        {"gradient_accumulation_steps": 2, "clipnorm": 0.5, "weight_decay": 0.1, "use_ema": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["SGD", "Adam", "Lion"])
def test_options_of_all_optimizers(name, kwargs):
    import keras

    ours = getattr(optimizers, name)(name="opt", learning_rate=0.1, **kwargs)
    theirs = getattr(keras.optimizers, name)(name="opt", learning_rate=0.1, **kwargs)
    mine, other = compare(ours, theirs)
    assert names(ours) == names(theirs)
    ours.finalize_variable_values(mine)
    theirs.finalize_variable_values(other)
    for a, b in zip(mine, other):
        close(a, b)


def test_weight_decay_leaves_out_what_is_excluded():
    import keras

    pair = [m.optimizers.AdamW(0.1, weight_decay=0.3, name="opt") for m in (kerasish, keras)]
    for optimizer in pair:
        optimizer.exclude_from_weight_decay(var_names=["b", "k"])
    compare(*pair)


SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [2, 5], "values": [0.1, 0.05, 0.01]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "power": 2.0}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "cycle": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5, "staircase": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "warmup_target": 0.1, "warmup_steps": 4}),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 7, "warmup_target": 0.1}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "m_mul": 0.8, "alpha": 0.05}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.0}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 3, "t_mul": 1.5}),
]


@pytest.mark.parametrize("name, kwargs", SCHEDULES)
def test_schedules(name, kwargs):
    import keras

    ours = getattr(optimizers.schedules, name)(**kwargs)
    theirs = getattr(keras.optimizers.schedules, name)(**kwargs)
    for step in range(25):
        np.testing.assert_allclose(float(ours(step)), float(theirs(step)), rtol=1e-5, atol=1e-8, err_msg=str(step))
    assert optimizers.schedules.serialize(ours) == keras.optimizers.schedules.serialize(theirs)


def test_steps_with_a_schedule():
    import keras

    name, kwargs = SCHEDULES[0]
    ours, theirs = (getattr(m.optimizers.schedules, name)(**kwargs) for m in (kerasish, keras))
    compare(optimizers.Adam(ours, name="opt"), keras.optimizers.Adam(theirs, name="opt"))


@pytest.mark.parametrize("name, kwargs", OPTIMIZERS)
def test_config_is_exchanged(name, kwargs):
    import keras

    ours = getattr(optimizers, name)(name="opt", clipnorm=0.5, **kwargs)
    theirs = getattr(keras.optimizers, name)(name="opt", clipnorm=0.5, **kwargs)
    assert optimizers.serialize(ours) == keras.optimizers.serialize(theirs)
    assert (
        keras.optimizers.serialize(keras.saving.deserialize_keras_object(optimizers.serialize(ours)))["config"]
        == (optimizers.serialize(optimizers.deserialize(keras.optimizers.serialize(theirs)))["config"])
    )


def test_constraints_follow_the_step():
    import keras

    results = []
    for module, convert in ((kerasish, kerasish.ops.convert_to_tensor), (keras, keras.ops.convert_to_tensor)):
        variables = start(module.Variable)
        rule = constraints.MaxNorm(0.5) if module is kerasish else keras.constraints.MaxNorm(0.5)
        variables[0].constraint = rule
        optimizer = module.optimizers.SGD(0.1)
        train(module, optimizer, variables, convert)
        results.append(variables)
    for a, b in zip(*results):
        close(a, b)


def test_loss_scale_optimizer_keeps_the_same_state():
    import keras

    ours, theirs = (
        m.optimizers.LossScaleOptimizer(m.optimizers.Adam(0.05, name="inner"), initial_scale=16.0, name="outer")
        for m in (kerasish, keras)
    )
    ours.build(start(kerasish.Variable))
    theirs.build(start(keras.Variable))
    assert names(ours) == names(theirs)
    for a, b in zip(ours.variables, theirs.variables):
        close(a, b)
    assert optimizers.serialize(ours) == keras.optimizers.serialize(theirs)
