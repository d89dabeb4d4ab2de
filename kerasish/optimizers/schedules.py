"""Learning rates that follow the number of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kerasish import ops
from kerasish.engine.config import floatx
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.serialization import Family, serialize_keras_object
from kerasish.engine.tensor import as_input


@export("keras.optimizers.schedules")
class LearningRateSchedule:
    """A function from the step to the learning rate.

    Subclasses implement `__call__(step)` and `get_config`.

    Example:

    >>> import kerasish as keras
    >>> class Falling(keras.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / (step + 1)
    >>> round(float(keras.optimizers.SGD(Falling()).learning_rate), 4)
    0.1
    """

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement __call__(step)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config()")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """A schedule with these arguments."""
        return cls(**config)


def _positive(schedule: LearningRateSchedule, name: str, value: float) -> None:
    if value <= 0:
        raise invalid(type(schedule).__name__, f"{name} is a positive number", **{name: value})


def _step(step: Any) -> Any:
    """The step as a float tensor."""
    return ops.cast(step, floatx())


@export("keras.optimizers.schedules")
class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after so many steps the rate has been multiplied by `decay_rate` once.
        decay_rate: the factor.
        staircase: take the quotient's integer part, so that the rate falls in stairs.
        name: a name.

    Raises:
        ValueError: decay_steps is not positive.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)(20)), 4)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name
        _positive(self, "decay_steps", decay_steps)

    def __call__(self, step: Any) -> Any:
        p = _step(step) / self.decay_steps
        if self.staircase:
            p = ops.floor(p)
        return self.initial_learning_rate * ops.power(self.decay_rate, p)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


@export("keras.optimizers.schedules")
class PiecewiseConstantDecay(LearningRateSchedule):
    """A value up to the first boundary (with it), the next up to the second, and so on.

    Args:
        boundaries: steps in ascending order.
        values: rates, one more than boundaries.
        name: a name.

    Raises:
        ValueError: there is not one value more than boundaries.

    Example:

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.25])
    >>> [float(schedule(s)) for s in (10, 11, 21)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise invalid(
                "PiecewiseConstantDecay",
                "there is one value more than boundaries",
                boundaries=boundaries,
                values=values,
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        step = as_input(step)
        rate = ops.convert_to_tensor(float(self.values[0]))
        for boundary, value in zip(self.boundaries, self.values[1:]):
            rate = ops.where(ops.greater(step, boundary), float(value), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


@export("keras.optimizers.schedules")
class PolynomialDecay(LearningRateSchedule):
    """`(initial - end) * (1 - step / decay_steps) ** power + end`; `end` from then on.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after so many steps the rate has reached its end.
        end_learning_rate: the rate at the end.
        power: exponent; 1 is a straight line.
        cycle: begin again after the end, over twice, three times, ... as many steps.
        name: a name.

    Raises:
        ValueError: decay_steps is not positive.

    Example:

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 10, end_learning_rate=0.0)
    >>> round(float(schedule(5)), 4)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name
        _positive(self, "decay_steps", decay_steps)

    def __call__(self, step: Any) -> Any:
        step = _step(step)
        steps: Any = float(self.decay_steps)
        if self.cycle:
            steps = steps * ops.maximum(ops.ceil(step / self.decay_steps), 1.0)
        p = ops.minimum(step, steps) / steps
        span = self.initial_learning_rate - self.end_learning_rate
        return span * ops.power(1.0 - p, self.power) + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


@export("keras.optimizers.schedules")
class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the unit of steps.
        decay_rate: the factor.
        staircase: take the quotient's integer part, so that the rate falls in stairs.
        name: a name.

    Raises:
        ValueError: decay_steps is not positive.

    Example:

    >>> import kerasish as keras
    >>> round(float(keras.optimizers.schedules.InverseTimeDecay(0.1, 10, 1.0)(10)), 4)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name
        _positive(self, "decay_steps", decay_steps)

    def __call__(self, step: Any) -> Any:
        p = _step(step) / self.decay_steps
        if self.staircase:
            p = ops.floor(p)
        return self.initial_learning_rate / (1.0 + self.decay_rate * p)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


@export("keras.optimizers.schedules")
class CosineDecay(LearningRateSchedule):
    """Half a cosine wave from the rate down to `alpha` times it, after a linear warm-up if one is wanted.

    Reference: Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: length of the wave.
        alpha: the last rate as a share of the first.
        name: a name.
        warmup_target: the rate that the warm-up rises to, where the wave begins; None: no warm-up.
        warmup_steps: length of the warm-up.

    Raises:
        ValueError: decay_steps is not positive.

    Example:

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=10)
    >>> [round(float(schedule(s)), 4) for s in (5, 10, 60, 110)]
    [0.05, 0.1, 0.05, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ):
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_steps = warmup_steps
        self.warmup_target = warmup_target
        _positive(self, "decay_steps", decay_steps)

    def _wave(self, step: Any, start: float) -> Any:
        cosine = 0.5 * (1.0 + ops.cos(step * (math.pi / self.decay_steps)))
        return start * ((1.0 - self.alpha) * cosine + self.alpha)

    def __call__(self, step: Any) -> Any:
        step = _step(step)
        if self.warmup_target is None:
            return self._wave(ops.minimum(step, float(self.decay_steps)), self.initial_learning_rate)
        step = ops.minimum(step, float(self.decay_steps + self.warmup_steps))
        wave = self._wave(step - self.warmup_steps, self.warmup_target)
        if not self.warmup_steps:
            return wave
        rise = (self.warmup_target - self.initial_learning_rate) * (step / self.warmup_steps)
        return ops.where(step < self.warmup_steps, rise + self.initial_learning_rate, wave)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


@export("keras.optimizers.schedules")
class CosineDecayRestarts(LearningRateSchedule):
    """Cosine waves one after the other, each `t_mul` times as long and `m_mul` times as high as the one before.

    Reference: Loshchilov and Hutter, 2017 (https://arxiv.org/abs/1608.03983).

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: length of the first wave.
        t_mul: factor of the length.
        m_mul: factor of the height.
        alpha: the last rate of a wave as a share of the first.
        name: a name.

    Raises:
        ValueError: first_decay_steps is not positive.

    Example:

    >>> import kerasish as keras
    >>> schedule = keras.optimizers.schedules.CosineDecayRestarts(0.1, 10, m_mul=0.5)
    >>> [round(float(schedule(s)), 4) for s in (0, 5, 10, 20)]
    [0.1, 0.05, 0.05, 0.025]
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self._t_mul = t_mul
        self._m_mul = m_mul
        self.alpha = alpha
        self.name = name
        _positive(self, "first_decay_steps", first_decay_steps)

    def __call__(self, step: Any) -> Any:
        done = _step(step) / self.first_decay_steps
        if self._t_mul == 1.0:
            wave = ops.floor(done)
            done = done - wave
        else:
            # Wave i begins at the sum of the lengths before it, (1 - t ** i) / (1 - t) first waves.
            wave = ops.floor(ops.log(1.0 - done * (1.0 - self._t_mul)) / math.log(self._t_mul))
            length = ops.power(self._t_mul, wave)
            done = (done - (1.0 - length) / (1.0 - self._t_mul)) / length
        cosine = 0.5 * ops.power(self._m_mul, wave) * (1.0 + ops.cos(math.pi * done))
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self._t_mul,
            "m_mul": self._m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


_family = Family(
    "learning rate schedule",
    [
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        LearningRateSchedule,
        PiecewiseConstantDecay,
        PolynomialDecay,
    ],
)


def serialize(learning_rate_schedule: Any) -> Any:
    """The config of a schedule."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule that a config describes.

    Raises:
        ValueError: the name is unknown; close names are listed.
    """
    return _family.deserialize(config, custom_objects)
