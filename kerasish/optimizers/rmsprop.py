"""Gradients divided by a running root mean square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.ops.updates import rmsprop_update
from kerasish.optimizers.optimizer import Optimizer, decays_weights


@export("keras.optimizers")
class RMSprop(Optimizer):
    """RMSprop: `v = rho * v + (1 - rho) * g ** 2`, `w -= learning_rate * g / sqrt(v + epsilon)`.

    Reference: Hinton, 2012 (lecture 6 of Neural Networks for Machine Learning).

    Args:
        learning_rate: a number, a schedule or a function.
        rho: how much of the old mean stays.
        momentum: share of the last move that is made again.
        epsilon: keeps the denominator away from 0.
        centered: take the mean gradient's square from `v`, so that it is a variance.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.RMSprop(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.6838, 1.6838], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
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
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: a velocity for each variable, and what momentum and centering need."""
        if self.built:
            return
        super().build(var_list)
        self._velocities = self.add_optimizer_variables(var_list, "velocity")
        self._momentums = self.add_optimizer_variables(var_list, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(var_list, "average_gradient") if self.centered else []

    @decays_weights
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        i = self._get_variable_index(variable)
        velocity = self._velocities[i]
        average = self._average_gradients[i] if self.centered else None
        momentum = self._momentums[i] if self.momentum > 0 else None
        new = rmsprop_update(
            variable,
            gradient,
            learning_rate,
            velocity,
            average,
            momentum,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            weight_decay=self._decay_of(variable),
        )
        targets = (variable, velocity, average, momentum)
        for target, value in zip((t for t in targets if t is not None), new):
            self.assign(target, value)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
