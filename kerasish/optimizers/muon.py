"""Momentum made orthogonal, for matrices; Adam for everything else."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from kerasish import ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.variable import Variable
from kerasish.ops.updates import adam_update
from kerasish.optimizers.optimizer import Optimizer, decays_weights


@export("keras.optimizers")
class Muon(Optimizer):
    """Muon: matrices move by their momentum with all singular values brought to about 1; the rest moves by AdamW.

    Reference: Jordan et al., 2024 (https://kellerjordan.github.io/posts/muon/).

    Args:
        learning_rate: a number, a schedule or a function.
        adam_beta_1, adam_beta_2, epsilon, adam_weight_decay: of AdamW, for variables that are no matrices.
        weight_decay: of the matrices.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
        gradient_accumulation_steps, name: see `Optimizer`.
        exclude_layers: regular expressions; matrices in whose path one is found are left to AdamW.
        exclude_embeddings: leave matrices with "embedding" in their path to AdamW.
        muon_a, muon_b, muon_c: coefficients of the quintic iteration.
        adam_lr_ratio: AdamW's learning rate as a share of `learning_rate`.
        momentum: how much of the old momentum stays.
        ns_steps: number of iterations.
        nesterov: whether momentum has Nesterov's form.
        rms_rate: root mean square of a move in units of the rate, about that of AdamW; None: as it comes.

    Example:

    >>> import kerasish as keras
    >>> v = keras.Variable([[3.0, 0.0], [0.0, 2.0]])
    >>> keras.optimizers.Muon(0.1, weight_decay=None, rms_rate=None).apply([keras.ops.ones((2, 2))], [v])
    >>> v.numpy().round(1)
    array([[ 3., -0.],
           [-0.,  2.]], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
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
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = exclude_layers or []
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _uses_adam(self, variable: Variable) -> bool:
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the slots: a momentum for each variable, and a velocity where AdamW is used."""
        if self.built:
            return
        super().build(var_list)
        self.momentums: list = []
        self.adam_velocities: list = []
        for v in var_list:
            self.momentums.append(self.add_variable_from_reference(v, name="momentum"))
            adam = self._uses_adam(v)
            self.adam_velocities.append(self.add_variable_from_reference(v, name="velocity") if adam else None)

    def _decay_of(self, variable: Variable) -> float:
        if not super()._decay_of(variable) and self.weight_decay:
            return 0.0  # excluded
        return (self.adam_weight_decay if self._uses_adam(variable) else self.weight_decay) or 0.0

    @decays_weights
    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        i = self._get_variable_index(variable)
        m, v = self.momentums[i], self.adam_velocities[i]
        if v is not None:
            # The decay goes by the learning rate itself, not by Adam's share of it.
            self._apply_weight_decay([variable], learning_rate)
            rate = ops.cast(learning_rate, variable.dtype) * self.adam_lr_ratio
            new = adam_update(
                variable,
                gradient,
                rate,
                self.iterations,
                m,
                v,
                beta_1=self.adam_beta_1,
                beta_2=self.adam_beta_2,
                epsilon=self.epsilon,
            )
            for target, value in zip((variable, m, v), new):
                self.assign(target, value)
            return
        self._apply_weight_decay([variable], learning_rate)
        gradient = ops.cast(gradient, variable.dtype)
        self.assign_add(m, gradient + m * (self.momentum - 1.0))
        direction = gradient + self.momentum * m if self.nesterov else m.value
        update = self.zeropower_via_newtonschulz5(direction, self.ns_steps)
        self.assign_sub(variable, self.lr_adjust(ops.cast(learning_rate, variable.dtype) * update))

    def transpose_last_axis(self, X: Any) -> Any:
        """The last two dimensions exchanged."""
        return ops.swapaxes(X, -1, -2)

    def lr_adjust(self, x: Any) -> Any:
        """A move scaled to the root mean square that `rms_rate` wants."""
        return x if self.rms_rate is None else x * (math.sqrt(max(x.shape[0], x.shape[1])) * self.rms_rate)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """A matrix with the singular vectors of `x` and singular values of about 1, by a quintic iteration.

        Raises:
            ValueError: x is no matrix.
        """
        if len(x.shape) < 2:
            raise invalid("Muon", "only a matrix can be made orthogonal", x=x)
        tall = x.shape[-2] > x.shape[-1]
        if tall:
            x = self.transpose_last_axis(x)
        x = x / (ops.sqrt(ops.sum(ops.square(x), axis=(-2, -1), keepdims=True)) + 1e-7)
        for _ in range(steps):
            a = ops.matmul(x, self.transpose_last_axis(x))
            x = self.muon_a * x + ops.matmul(self.muon_b * a + self.muon_c * ops.matmul(a, a), x)
        return self.transpose_last_axis(x) if tall else x

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "exclude_embeddings": self.exclude_embeddings,
            "adam_weight_decay": self.adam_weight_decay,
            "rms_rate": self.rms_rate,
        }
