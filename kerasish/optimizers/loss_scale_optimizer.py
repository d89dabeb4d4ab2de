"""Dynamic loss scaling: keeps small gradients of half-precision training from vanishing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kerasish import initializers, ops
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.engine.variable import Variable
from kerasish.optimizers.optimizer import Optimizer


@export("keras.optimizers")
class LossScaleOptimizer(Optimizer):
    """Scales the loss up before its gradients are taken, and them down again before another optimizer's step.

    The scale doubles after `dynamic_growth_steps` steps with finite gradients, and is halved, and the step left out,
    when a gradient is not finite. Reference: Micikevicius et al., 2018 (https://arxiv.org/abs/1710.03740).

    Args:
        inner_optimizer: the optimizer that moves the variables.
        initial_scale: first scale of the loss.
        dynamic_growth_steps: see above.
        name: see `Optimizer`.

    Raises:
        ValueError: another argument of optimizers is given; it belongs to the inner one.

    Example:

    >>> import kerasish as keras
    >>> optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=4.0)
    >>> v = keras.Variable([1.0, 2.0])
    >>> optimizer.apply([4 * keras.ops.ones((2,))], [v])
    >>> v.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ):
        defaults = {"use_ema": False, "ema_momentum": 0.99, "dynamic": True}
        refused = {k: v for k, v in kwargs.items() if v != defaults.get(k)}
        if refused:
            raise invalid("LossScaleOptimizer", "these arguments belong to the inner optimizer", **refused)
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None

    def build(self, var_list: Sequence[Variable]) -> None:
        """Makes the counter and the scale, and the inner optimizer's slots."""
        if self.built:
            return
        self.step_counter = self.add_variable(shape=(), dtype="int32", name="step_counter")
        start = initializers.Constant(self.initial_scale)
        self.dynamic_scale = self.add_variable(shape=(), dtype="float32", initializer=start, name="dynamic_scale")
        self.inner_optimizer.build(var_list)
        super().build(var_list)

    @property
    def variables(self) -> list[Variable]:
        """The state, with the inner optimizer's."""
        return [*self._variables, *self.inner_optimizer.variables]

    def check_finite(self, grads: Sequence[Any]) -> Any:
        """Whether no gradient holds an infinity or a NaN; a bool tensor."""
        return ops.all(ops.stack([ops.all(ops.isfinite(g)) for g in grads if g is not None]))

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Makes one step of the inner optimizer, or none if a gradient is not finite.

        Args:
            grads: gradients of the scaled loss.
            trainable_variables: their variables; by default those that the optimizer was built with.
        """
        if not self.built:
            if trainable_variables is None:
                raise invalid("LossScaleOptimizer", "gradients without variables need an optimizer that is built")
            self.build(list(trainable_variables))
        if all(g is None for g in grads):
            self._scaled_step(grads, trainable_variables)  # for the inner optimizer's error
            return

        def skip() -> None:
            self.step_counter.assign(0)
            self.dynamic_scale.assign(self.dynamic_scale * 0.5)

        ops.cond(self.check_finite(grads), lambda: self._scaled_step(grads, trainable_variables), skip)

    def _scaled_step(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None) -> None:
        """A step of the inner optimizer with the gradients divided by the scale, which grows when it is time."""
        scale = self.dynamic_scale.value
        variables = self._trainable_variables if trainable_variables is None else trainable_variables
        grads = [
            g if g is None or getattr(v, "overwrite_with_gradient", False) else g / ops.cast(scale, g.dtype)
            for g, v in zip(grads, variables)
        ]
        self.inner_optimizer.apply(grads, trainable_variables)
        due = ops.equal(self.step_counter, self.dynamic_growth_steps - 1)
        self.step_counter.assign(ops.where(due, 0, self.step_counter + 1))
        self.dynamic_scale.assign(ops.where(due, self.dynamic_scale * 2.0, self.dynamic_scale))

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's learning rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """How many steps the inner optimizer made."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale."""
        return loss * (ops.cast(self.dynamic_scale, loss.dtype) if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Puts the inner optimizer's moving averages into the variables."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> LossScaleOptimizer:
        config = dict(config)
        inner = deserialize_keras_object(config.pop("inner_optimizer"), custom_objects=custom_objects)
        return cls(inner, **config)
