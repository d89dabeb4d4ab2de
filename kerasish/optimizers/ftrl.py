"""Follow the regularized leader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import initializers, ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.optimizers.optimizer import Optimizer


@export("keras.optimizers")
class Ftrl(Optimizer):
    """Follow the regularized leader: for sparse linear models with many features.

    `z += g + 2 * shrinkage * w - (n' ** -p - n ** -p) / learning_rate * w` with `n' = n + g ** 2`, and
    `w = (clip(z, -l1, l1) - z) / (n' ** -p / learning_rate + 2 * (l2 + beta / (2 * learning_rate)))`.
    Reference: McMahan et al., 2013 (Ad Click Prediction: a View from the Trenches).

    Args:
        learning_rate: a number, a schedule or a function.
        learning_rate_power: the exponent p, at most 0; 0 keeps the rate.
        initial_accumulator_value: first value of n, at least 0.
        l1_regularization_strength, l2_regularization_strength: penalties on the weights, at least 0.
        l2_shrinkage_regularization_strength: a penalty on the size of the weights within the gradient, at least 0.
        beta: the paper's beta.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.Ftrl(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.6031, 1.3016], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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
        if learning_rate_power > 0.0:
            raise invalid("Ftrl", "learning_rate_power is at most 0", learning_rate_power=learning_rate_power)
        for what, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise invalid("Ftrl", f"{what} is at least 0", **{what: value})
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
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: the sums n and z for each variable."""
        if self.built:
            return
        super().build(var_list)
        start = initializers.Constant(self.initial_accumulator_value)
        self._accumulators, self._linears = self.add_optimizer_variables(
            var_list, ["accumulator", "linear"], initializer=[start, "zeros"]
        )

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        i = self._get_variable_index(variable)
        squares, linear = self._accumulators[i], self._linears[i]
        new_squares = squares + ops.square(gradient)
        power = ops.power(new_squares, -self.learning_rate_power)
        growth = (power - ops.power(squares, -self.learning_rate_power)) / rate
        shrink = 2.0 * self.l2_shrinkage_regularization_strength
        self.assign_add(linear, gradient + shrink * variable - growth * variable)
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength + self.beta / (2.0 * rate)
        self.assign(variable, (ops.clip(linear, -l1, l1) - linear) / (power / rate + 2.0 * l2))
        self.assign(squares, new_squares)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
