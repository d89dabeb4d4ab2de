"""Adam with Nesterov momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import ops
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.optimizers.optimizer import Optimizer


@export("keras.optimizers")
class Nadam(Optimizer):
    """Nadam: Adam with Nesterov momentum, whose strength follows a schedule.

    Reference: Dozat, 2015 (Incorporating Nesterov Momentum into Adam).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: how much of the old mean stays, in the limit.
        beta_2: how much of the old mean of squares stays.
        epsilon: keeps the denominator away from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.Nadam(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.8937, 1.8937], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: a momentum and a velocity for each variable, and the product of momenta so far."""
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        self._u_product = Variable(1.0, dtype=var_list[0].dtype if var_list else None, trainable=False)

    def _from_older_order(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Arrays by their keys today: in older files of Keras 3 the product stands in front of the slots."""
        first = len(self._variables) - 2 * len(self._trainable_variables) - 1
        product = stored.get(str(first))
        if not self._trainable_variables or product is None or product.shape != () or self._momentums[0].shape == ():
            return stored
        keys = [str(k) for k in range(first, len(stored))]
        moved = dict(zip(keys, [stored[k] for k in keys[1:]] + [product]))
        return {**stored, **moved}

    def _momentum_at(self, step: Any) -> Any:
        return self.beta_1 * (1.0 - 0.5 * ops.power(0.96, step))

    def _update_variables(self, grads: list, variables: list[Variable], learning_rate: Any) -> None:
        step = ops.cast(self.iterations + 1, self._u_product.dtype)
        self.assign(self._u_product, self._u_product * self._momentum_at(step))
        super()._update_variables(grads, variables, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        dtype = variable.dtype
        gradient = ops.cast(gradient, dtype)
        i = self._get_variable_index(variable)
        m, v = self._momentums[i], self._velocities[i]
        step = ops.cast(self.iterations + 1, dtype)
        now, following = self._momentum_at(step), self._momentum_at(step + 1.0)
        product = ops.cast(self._u_product, dtype)
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        mean = (following / (1.0 - product * following)) * m + ((1.0 - now) / (1.0 - product)) * gradient
        square = v / (1.0 - ops.power(self.beta_2, step))
        self.assign_sub(variable, mean * ops.cast(learning_rate, dtype) / (ops.sqrt(square) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
