"""AdamW whose averaging takes the place of a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import ops
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.optimizers.optimizer import Optimizer


@export("keras.optimizers")
class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW: gradients are taken between the moving point and its average, and no schedule is needed.

    Reference: Defazio et al., 2024 (https://arxiv.org/abs/2405.15682).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: share of the average in the point where gradients are taken.
        beta_2: how much of the old mean of squares stays.
        epsilon: keeps the denominator away from 0.
        warmup_steps: steps over which the rate rises to its value.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.ScheduleFreeAdamW(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.9, 1.9], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: the moving point (named momentum, as in Keras) and a velocity for each variable."""
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        for point, variable in zip(self._momentums, var_list):
            if point is not None:
                point.assign(variable)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        i = self._get_variable_index(variable)
        point, velocity = self._momentums[i], self._velocities[i]
        step = ops.cast(self.iterations + 1, variable.dtype)
        if self.warmup_steps > 0:
            rate = rate * ops.minimum(step / self.warmup_steps, 1.0)
        old_point = point.value
        self.assign_add(velocity, (ops.square(gradient) - velocity) * (1.0 - self.beta_2))
        root = ops.sqrt(velocity / (1.0 - ops.power(self.beta_2, step))) + self.epsilon
        self.assign_sub(point, rate * gradient / root)
        average = (variable - (1.0 - self.beta_1) * old_point) / self.beta_1
        average = (1.0 - 1.0 / step) * average + point / step
        self.assign(variable, (1.0 - self.beta_1) * point + self.beta_1 * average)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "warmup_steps": self.warmup_steps,
        }
