"""Every layer, loss, metric and optimizer, op by op and compiled: results, gradients and state are the same bits."""

import numpy as np
import pytest

import kerasish as keras
from kerasish import layers, losses, metrics, ops, optimizers
from kerasish.engine import tree
from kerasish.engine.dtype import FLOATS
from kerasish.executor import NotCapturable
from tests.contracts.cases import KINDS, LOSSES, METRICS, OPTIMIZERS, case_id
from tests.contracts.layer_cases import ON_TENSORS
from tests.executor.compare import check_step, program


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("case", ON_TENSORS, ids=lambda case: case.name)
def test_layer(case, training):
    layer, inputs = case.make(layers), case.inputs()
    case.call(layer, inputs)  # makes the weights
    takes_training = "training" in layer._signature.takes

    def step(x):
        with keras.GradientTape() as tape:
            floating = [t for t in tree.flatten(x) if t.dtype in FLOATS]
            tape.watch(floating)
            y = case.call(layer, x, **({"training": training} if takes_training else {}))
            total = sum((ops.sum(ops.square(t)) for t in tree.flatten(y) if t.dtype in FLOATS), 0.0)
            total = total + sum(layer.losses, 0.0)
        sources = [*floating, *layer.trainable_variables]
        return y, tape.gradient(total, sources) if sources and not isinstance(total, float) else None

    seeds = [s.state for x in layer._flatten_layers() for s in x._seed_generators]
    check_step(step, (inputs,), list({id(v): v for v in [*layer.variables, *seeds]}.values()))


@pytest.mark.parametrize("case", LOSSES, ids=case_id)
def test_loss(case):
    name, kwargs, kind = case
    loss = getattr(losses, name)(**kwargs)
    y_true, y_pred = KINDS[kind]()

    def step(t, p, w):
        with keras.GradientTape() as tape:
            tape.watch(p)
            value = loss(t, p)
            weighted = loss(t, p, sample_weight=w)
        return value, weighted, tape.gradient([value, weighted], p)

    scalar = name in ("Dice", "Tversky") or kind in ("embeddings", "label_logits")
    weights = np.float32(2) if scalar else np.linspace(0.5, 2, len(y_true)).astype("float32")
    check_step(step, (y_true, y_pred, weights), steps=1)


@pytest.mark.parametrize("case", METRICS, ids=case_id)
def test_metric(case):
    name, kwargs, kind = case
    metric = getattr(metrics, name)(**kwargs)
    y_true, y_pred = KINDS[kind]()
    metric.update_state(y_true, y_pred)  # makes the state of metrics that wait for shapes
    metric.reset_state()

    def step(t, p):
        metric.update_state(t, p)
        return metric.result()

    if kwargs.get("num_regressors"):  # warns and goes another way when there are too few samples
        with pytest.raises(NotCapturable, match="Python looks at the value of a tensor"):
            program(step, (y_true, y_pred))
        return
    check_step(step, (y_true, y_pred), metric.variables, steps=3)


EXTRAS = [
    {},
    {"clipnorm": 0.3},
    {"clipvalue": 0.05},
    {"global_clipnorm": 0.4},
    {"weight_decay": 0.02},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 8.0},
]


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda e: next(iter(e), "plain"))
@pytest.mark.parametrize("name, kwargs", OPTIMIZERS, ids=lambda x: x if isinstance(x, str) else "-".join(x))
def test_optimizer(name, kwargs, extra):
    rng = np.random.default_rng(0)
    optimizer = getattr(optimizers, name)(**{**kwargs, **extra})
    variables = [keras.Variable(rng.normal(size=s), dtype="float32", name=n) for n, s in (("w", (4, 3)), ("b", (3,)))]
    variables[1].constraint = keras.constraints.NonNeg()
    optimizer.build(variables)

    def step(a, b):
        optimizer.apply([a, b], variables)
        return optimizer.learning_rate

    gradients = [rng.normal(size=v.shape).astype("float32") for v in variables]
    check_step(step, gradients, [*variables, *optimizer.variables], steps=5)


@pytest.mark.parametrize("gradient", [0.5, np.inf], ids=["finite", "infinite"])
def test_loss_scale_optimizer(gradient):
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(0.1), initial_scale=8.0, dynamic_growth_steps=2)
    v = keras.Variable([1.0, -1.0])
    optimizer.build([v])
    check_step(lambda g: optimizer.apply([g], [v]), [np.float32([gradient, 0.25])], [v, *optimizer.variables], steps=5)
    assert float(optimizer.dynamic_scale) == (8 * 2**2 if gradient == 0.5 else 8 / 2**5)


@pytest.mark.parametrize(
    "schedule",
    [
        optimizers.schedules.ExponentialDecay(0.1, 3, 0.5, staircase=True),
        optimizers.schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.001]),
        optimizers.schedules.PolynomialDecay(0.1, 4, cycle=True),
        optimizers.schedules.InverseTimeDecay(0.1, 3, 0.5),
        optimizers.schedules.CosineDecay(0.1, 5, warmup_target=0.2, warmup_steps=2),
        optimizers.schedules.CosineDecayRestarts(0.1, 2),
    ],
    ids=lambda s: type(s).__name__,
)
def test_schedule(schedule):
    optimizer = optimizers.SGD(schedule, momentum=0.9)
    v = keras.Variable([1.0, -1.0])
    optimizer.build([v])

    def step(g):
        optimizer.apply([g], [v])
        return optimizer.learning_rate

    check_step(step, [np.float32([0.5, 0.25])], [v, *optimizer.variables], steps=7)
