"""Second moments in factored form, for little memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import ops
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.optimizers.optimizer import Optimizer


def _root_mean_square(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))


@export("keras.optimizers")
class Adafactor(Optimizer):
    """Adafactor: divides gradients by the root of a mean square that, for matrices, is kept as row and column means.

    Reference: Shazeer and Stern, 2018 (https://arxiv.org/abs/1804.04235).

    Args:
        learning_rate: a number, a schedule or a function.
        beta_2_decay: exponent of the decay of the means: the new one counts `t ** beta_2_decay`.
        epsilon_1: keeps the mean square away from 0.
        epsilon_2: keeps the scale of a variable away from 0.
        clip_threshold: largest root mean square of an update before it is scaled.
        relative_step: let the rate fall as `1 / sqrt(t)`, where it is a number.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
        loss_scale_factor, gradient_accumulation_steps, name: see `Optimizer`.
    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> keras.optimizers.Adafactor(0.1).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy().round(4)
    array([0.8419, 1.8419], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 0.001,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: row and column means for variables of rank 2 and more, and a velocity for each."""
        if self.built:
            return
        super().build(var_list)
        self._r, self._c, self._v = [], [], []
        for v in var_list:
            shape = tuple(v.shape)
            if len(shape) >= 2:
                row, column, dtype = shape[:-1], shape[:-2] + shape[-1:], v.dtype
            else:
                # Vectors have no rows and columns; Keras keeps two integers for them, which files then hold too.
                row, column, dtype = (), (), "int32"
            self._r.append(self.add_variable(shape=row, dtype=dtype, name=v.name))
            self._c.append(self.add_variable(shape=column, dtype=dtype, name=v.name))
            self._v.append(self.add_variable_from_reference(v, name="velocity"))

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        i = self._get_variable_index(variable)
        rows, columns, v = self._r[i], self._c[i], self._v[i]
        step = ops.cast(self.iterations + 1, variable.dtype)
        if self.relative_step and isinstance(self._learning_rate, Variable):
            rate = ops.minimum(rate, 1.0 / ops.sqrt(step))
        rate = ops.minimum(rate, 1.0 / ops.sqrt(step))
        rate = rate * ops.maximum(_root_mean_square(variable), self.epsilon_2)
        square = ops.square(gradient) + self.epsilon_1
        old = 1.0 - ops.power(step, self.beta_2_decay)
        if len(variable.shape) < 2:
            self.assign(v, old * v + (1.0 - old) * square)
        else:
            self.assign(rows, old * rows + (1.0 - old) * ops.mean(square, axis=-1))
            self.assign(columns, old * columns + (1.0 - old) * ops.mean(square, axis=-2))
            share = rows / ops.mean(rows, axis=-1, keepdims=True)
            self.assign(v, ops.expand_dims(share, axis=-1) * ops.expand_dims(columns, axis=-2))
        update = gradient / ops.sqrt(v)
        update = update / ops.maximum(_root_mean_square(update) / self.clip_threshold, 1.0)
        self.assign_sub(variable, rate * update)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }
