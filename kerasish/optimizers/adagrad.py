"""Gradients divided by the root of the sum of their squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import initializers
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.ops.updates import adagrad_update
from kerasish.optimizers.optimizer import Optimizer, decays_weights


@export("keras.optimizers")
class Adagrad(Optimizer):
    """Adagrad: `a += g ** 2`, `w -= learning_rate * g / sqrt(a + epsilon)`.

    Reference: Duchi et al., 2011 (https://www.jmlr.org/papers/v12/duchi11a.html).

    Args:
        learning_rate: a number, a schedule or a function.
        initial_accumulator_value: first value of `a`.
        epsilon: keeps the denominator away from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.Adagrad(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.9047, 1.9047], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
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
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: an accumulator for each variable."""
        if self.built:
            return
        super().build(var_list)
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators = self.add_optimizer_variables(var_list, "accumulator", initializer=start)

    @decays_weights
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        accumulator = self._accumulators[self._get_variable_index(variable)]
        new, total = adagrad_update(
            variable,
            gradient,
            learning_rate,
            accumulator,
            epsilon=self.epsilon,
            weight_decay=self._decay_of(variable),
        )
        self.assign(variable, new)
        self.assign(accumulator, total)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
