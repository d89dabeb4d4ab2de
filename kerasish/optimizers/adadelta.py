"""Steps in units of the last steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import ops
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.optimizers.optimizer import Optimizer


@export("keras.optimizers")
class Adadelta(Optimizer):
    """Adadelta: `a = rho * a + (1 - rho) * g ** 2`, `d = -sqrt(u + epsilon) / sqrt(a + epsilon) * g`,
    `u = rho * u + (1 - rho) * d ** 2`, `w += learning_rate * d`.

    Reference: Zeiler, 2012 (https://arxiv.org/abs/1212.5701), whose learning rate is 1.

    Args:
        learning_rate: a number, a schedule or a function.
        rho: how much of the old means stays.
        epsilon: keeps the roots away from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.Adadelta(1.0).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.9986, 1.9986], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
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
        self.rho = rho
        self.epsilon = epsilon

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: mean squares of the gradients and of the moves for each variable."""
        if self.built:
            return
        super().build(var_list)
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(
            var_list, ["accumulated_grad", "accumulated_delta_var"]
        )

    def update_step(self, grad: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        grad = ops.cast(grad, variable.dtype)
        i = self._get_variable_index(variable)
        squares, moves, rho = self._accumulated_grads[i], self._accumulated_delta_vars[i], self.rho
        self.assign(squares, rho * squares + (1.0 - rho) * ops.square(grad))
        move = -(ops.sqrt(moves + self.epsilon) / ops.sqrt(squares + self.epsilon)) * grad
        self.assign(moves, rho * moves + (1.0 - rho) * ops.square(move))
        self.assign_add(variable, ops.cast(learning_rate, variable.dtype) * move)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "epsilon": self.epsilon,
        }
