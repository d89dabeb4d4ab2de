"""Gradient descent, with momentum if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.ops.updates import sgd_update
from kerasish.optimizers.optimizer import Optimizer, decays_weights


@export("keras.optimizers")
class SGD(Optimizer):
    """Gradient descent: `w -= learning_rate * g`.

    With momentum, `m = momentum * m - learning_rate * g` and `w += m`, or with Nesterov's form
    `w += momentum * m - learning_rate * g` (Sutskever et al., 2013).

    Args:
        learning_rate: a number, a schedule or a function.
        momentum: in [0, 1].
        nesterov: whether momentum has Nesterov's form.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.

    Raises:
        ValueError: momentum is not in [0, 1].

    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.SGD(0.5).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.5, 1.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if isinstance(momentum, bool) or not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise invalid("SGD", "momentum lies in [0, 1]", momentum=momentum)
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
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots: a momentum for each variable, where there is momentum."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    @decays_weights
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        slot = self.momentums[self._get_variable_index(variable)] if self.momentum else None
        new, *slots = sgd_update(
            variable,
            gradient,
            learning_rate,
            slot,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self._decay_of(variable),
        )
        self.assign(variable, new)
        if slot is not None:
            self.assign(slot, slots[0])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
        }
