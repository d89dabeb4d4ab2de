"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.ops.updates import adam_update
from kerasish.optimizers.optimizer import Optimizer, decays_weights


@export("keras.optimizers")
class Adam(Optimizer):
    """Adam: gradients' running mean over the root of their squares' running mean, both freed from their bias.

    `m += (g - m) * (1 - beta_1)`, `v += (g ** 2 - v) * (1 - beta_2)`,
    `w -= learning_rate * sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t) * m / (sqrt(v) + epsilon)`.
    Reference: Kingma and Ba, 2014 (https://arxiv.org/abs/1412.6980); epsilon is the paper's epsilon-hat.

    Args:
        learning_rate: a number, a schedule or a function.
        beta_1: how much of the old mean stays.
        beta_2: how much of the old mean of squares stays.
        epsilon: keeps the denominator away from 0.
        amsgrad: divide by the largest mean of squares so far (Reddi et al., 2018).
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.Adam(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.9, 1.9], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.amsgrad = amsgrad

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: a momentum and a velocity for each variable, and its maximum with `amsgrad`."""
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        if self.amsgrad:
            self._velocity_hats = self.add_optimizer_variables(var_list, "velocity_hat")

    @decays_weights
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        i = self._get_variable_index(variable)
        slots = [self._momentums[i], self._velocities[i], *([self._velocity_hats[i]] if self.amsgrad else [])]
        new = adam_update(
            variable,
            gradient,
            learning_rate,
            self.iterations,
            *slots,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            weight_decay=self._decay_of(variable),
        )
        for target, value in zip((variable, *slots), new):
            self.assign(target, value)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


@export("keras.optimizers")
class AdamW(Adam):
    """Adam with weight decay.

    Reference: Loshchilov and Hutter, 2019 (https://arxiv.org/abs/1711.05101).

    Args:
        learning_rate: a number, a schedule or a function.
        weight_decay: each step takes this share, times the learning rate, from each variable.
        beta_1, beta_2, epsilon, amsgrad: see `Adam`.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
        gradient_accumulation_steps, name: see `Optimizer`.

    Raises:
        ValueError: weight_decay is None.

    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.AdamW(0.1, weight_decay=0.5).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.85, 1.8 ], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        if weight_decay is None:
            raise invalid("AdamW", "weight_decay is a number", weight_decay=None)
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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
