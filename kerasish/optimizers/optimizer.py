"""The base class of optimizers: slots, clipping, weight decay, moving averages, accumulation, and their state."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

from kerasish import ops
from kerasish.engine.config import floatx
from kerasish.engine.errors import invalid
from kerasish.engine.naming import auto_name, name_scope, to_snake_case
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.engine.stateless import current_values, lent_values
from kerasish.engine.variable import Variable
from kerasish.optimizers.clipping import clip_gradients
from kerasish.optimizers.schedules import LearningRateSchedule
from kerasish.optimizers.state import OptimizerState, replaced_by_gradient


@export("keras.optimizers", aliases=("keras",))
class Optimizer(OptimizerState):
    """Moves variables against their gradients.

    Subclasses make their slots in `build` with `add_optimizer_variables` and implement `update_step`.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: after each step, the share of a variable (times the learning rate) that is taken away from it.
        clipnorm: each gradient is scaled down to at most this 2-norm.
        clipvalue: each gradient's elements are cut to [-clipvalue, clipvalue].
        global_clipnorm: all gradients are scaled down together to at most this 2-norm.
        use_ema: keep moving averages of the variables.
        ema_momentum: in [0, 1]; the share of the old average that stays.
        ema_overwrite_frequency: every so many steps, the averages replace the variables; None: only when training ends.
        loss_scale_factor: the loss is multiplied by it, the gradients are divided by it.
        gradient_accumulation_steps: every so many steps, the variables move by the mean of the gradients since.
        name: its name; the snake-case class name by default.

    Raises:
        ValueError: an argument is out of its range.

    Example:

    >>> import kerasish as keras
    >>> class Plain(keras.optimizers.Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, gradient * learning_rate)
    >>> v = keras.Variable([1.0, 2.0])
    >>> Plain(learning_rate=0.5).apply([keras.ops.ones((2,))], [v])
    >>> v.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any,
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
        where = type(self).__name__
        if kwargs.pop("decay", None) is not None:
            warnings.warn(f"{where}: `decay` is no longer an argument; use a schedule. It is ignored.", stacklevel=3)
        if kwargs:
            raise invalid(where, "unknown arguments", **kwargs)
        if gradient_accumulation_steps and gradient_accumulation_steps < 2:
            raise invalid(
                where,
                "gradient_accumulation_steps is an integer of at least 2",
                gradient_accumulation_steps=gradient_accumulation_steps,
            )
        if use_ema and not 0 <= ema_momentum <= 1:
            raise invalid(where, "ema_momentum lies in [0, 1]", ema_momentum=ema_momentum)
        every = ema_overwrite_frequency
        if use_ema and every is not None and not (isinstance(every, int) and every > 0):
            raise invalid(where, "ema_overwrite_frequency is a positive integer or None", ema_overwrite_frequency=every)
        if sum(c is not None for c in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise invalid(
                where,
                "only one of clipnorm, clipvalue and global_clipnorm can be set",
                clipnorm=clipnorm,
                clipvalue=clipvalue,
                global_clipnorm=global_clipnorm,
            )
        self.__dict__["_variables"] = []
        self.name = name or auto_name(to_snake_case(where))
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.global_clipnorm = global_clipnorm
        self.clipvalue = clipvalue
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._trainable_variables: list[Variable] = []
        self._index: dict[int, int] = {}
        self._excluded_ids: set[int] = set()
        self._excluded_names: re.Pattern | None = None
        with name_scope(self.name):
            self._iterations = Variable(0, name="iteration", dtype="int32", trainable=False)
        if callable(learning_rate):
            self._learning_rate = learning_rate
        elif isinstance(learning_rate, Real) and not isinstance(learning_rate, bool):
            with name_scope(self.name):
                self._learning_rate = Variable(
                    float(learning_rate), name="learning_rate", dtype=floatx(), trainable=False
                )
        else:
            raise invalid(
                where, "learning_rate is a number, a LearningRateSchedule or a function", learning_rate=learning_rate
            )

    @staticmethod
    def _saving_reference() -> Optimizer:
        """An optimizer whose attributes are those that every one has: saving looks for parts among the others."""
        return Optimizer(1.0, name="reference")

    # -- variables --------------------------------------------------------------------------------------------------

    @property
    def iterations(self) -> Any:
        """How many steps were made."""
        if self.gradient_accumulation_steps:
            return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the slots for these variables; the optimizer then serves them alone."""
        variables = list(variables)
        if self.use_ema:
            self._model_variables_moving_average = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulated_gradients = [
                self.add_variable_from_reference(v, name="gradient_accumulator") for v in variables
            ]
        self._index = {id(v): i for i, v in enumerate(variables)}
        self._trainable_variables = variables
        self.built = True

    # Variables are told apart by identity, and a copy has others.
    def __getstate__(self) -> dict:
        excluded = [v for v in self._trainable_variables if id(v) in self._excluded_ids]
        return {**self.__dict__, "_excluded_ids": excluded}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.__dict__["_index"] = {id(v): i for i, v in enumerate(self._trainable_variables)}
        self.__dict__["_excluded_ids"] = {id(v) for v in state["_excluded_ids"]}

    def _get_variable_index(self, variable: Variable) -> int:
        return self._index[id(variable)]

    # -- steps ------------------------------------------------------------------------------------------------------

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Moves one variable."""
        raise NotImplementedError(f"{type(self).__name__} does not implement update_step()")

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """`apply` for pairs (gradient, variable).

        Returns:
            The number of steps made.
        """
        pairs = list(grads_and_vars)
        if not pairs:
            raise invalid(
                f"{type(self).__name__}.apply_gradients", "there is at least one gradient", grads_and_vars=pairs
            )
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Makes one step.

        Args:
            grads: gradients; None for a variable that the loss does not depend on, which is warned about.
            trainable_variables: their variables; by default those that the optimizer was built with.

        Raises:
            ValueError: no gradient is given, or they do not match the variables in number or shape.
        """
        where = type(self).__name__
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise invalid(where, "gradients without variables need an optimizer that is built", grads=len(grads))
            variables = self._trainable_variables
        else:
            variables = list(trainable_variables)
            if not self.built:
                self.build(variables)
                self.built = True
        if len(grads) != len(variables):
            raise invalid(where, "there is one gradient for each variable", grads=len(grads), variables=len(variables))
        for v in variables:
            if id(v) not in self._index:
                raise invalid(
                    where,
                    f"the variable {v.path!r} is not among those that the optimizer was built with; "
                    "make a new optimizer for new variables",
                )
        grads, variables = self._present(grads, variables)
        grads, variables = self._replace_by_gradients(grads, variables)
        if grads:
            if self.loss_scale_factor is not None:
                grads = [g / self.loss_scale_factor for g in grads]
            self._update_all(grads, variables)
            for v in variables:
                if v.constraint is not None:
                    v.assign(v.constraint(v))
        self._iterations.assign_add(1)

    def _present(self, grads: list, variables: list[Variable]) -> tuple[list, list[Variable]]:
        """Gradients that exist, with their variables."""
        where = type(self).__name__
        missing = [v.path for g, v in zip(grads, variables) if g is None]
        if len(missing) == len(grads):
            raise invalid(
                where, "there is no gradient for any variable: the loss does not depend on them", variables=missing
            )
        if missing:
            warnings.warn(
                f"{where}: no gradients exist for the variables {missing}: the loss does not depend on them. They "
                "stay as they are.",
                stacklevel=3,
            )
            pairs = [(g, v) for g, v in zip(grads, variables) if g is not None]
            grads, variables = [g for g, _ in pairs], [v for _, v in pairs]
        for g, v in zip(grads, variables):
            if tuple(g.shape) != tuple(v.shape):
                raise invalid(where, f"the gradient of {v.path!r} must have its shape", gradient=g, variable=v)
        return grads, variables

    def _replace_by_gradients(self, grads: list, variables: list[Variable]) -> tuple[list, list[Variable]]:
        """Assigns gradients that are new values (of scales that follow a maximum); gives back the others."""
        if not any(replaced_by_gradient(v) for v in variables):
            return grads, variables
        rest = []
        for g, v in zip(grads, variables):
            if not replaced_by_gradient(v):
                rest.append((g, v))
            elif self.gradient_accumulation_steps:
                seen = self._accumulated_gradients[self._get_variable_index(v)]
                largest = ops.maximum(g, seen)
                due = self._is_update_step()
                v.assign(ops.where(due, largest, v))
                seen.assign(ops.where(due, ops.zeros_like(largest), largest))
            else:
                v.assign(g)
        return [g for g, _ in rest], [v for _, v in rest]

    def _is_update_step(self) -> Any:
        # By ops and `cond`, not by Python, so that the step can be captured as a graph.
        return ops.equal(ops.mod(self._iterations + 1, self.gradient_accumulation_steps), 0)

    def _update_all(self, grads: list, variables: list[Variable]) -> None:
        if self.gradient_accumulation_steps:
            sums = [self._accumulated_gradients[self._get_variable_index(v)] for v in variables]

            def move() -> None:
                means = [(g + total) / self.gradient_accumulation_steps for g, total in zip(grads, sums)]
                for total in sums:
                    total.assign(ops.zeros(total.shape, dtype=total.dtype))
                self._step(means, variables)

            def wait() -> None:
                for g, total in zip(grads, sums):
                    total.assign_add(g)

            ops.cond(self._is_update_step(), move, wait)
        else:
            self._step(grads, variables)
        if self.use_ema:
            self._update_averages()

    def _step(self, grads: list, variables: list[Variable]) -> None:
        grads = clip_gradients(grads, self.clipnorm, self.clipvalue, self.global_clipnorm)
        learning_rate = self.learning_rate
        if not getattr(type(self).update_step, "decays_weights", False):
            self._apply_weight_decay(variables, learning_rate)
        self._update_variables(grads, variables, learning_rate)

    def _update_variables(self, grads: list, variables: list[Variable], learning_rate: Any) -> None:
        for g, v in zip(grads, variables):
            self.update_step(g, v, learning_rate)

    # -- weight decay -----------------------------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self, var_list: Sequence[Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Leaves variables without weight decay.

        Args:
            var_list: the variables.
            var_names: regular expressions; a variable whose name one of them is found in is left out.
        """
        self._excluded_ids = {id(v) for v in var_list or ()}
        self._excluded_names = re.compile("|".join(sorted(set(var_names)))) if var_names else None

    def _decay_of(self, variable: Variable) -> float:
        """The weight decay of a variable, 0 where it has none."""
        excluded = id(variable) in self._excluded_ids or (
            self._excluded_names is not None and self._excluded_names.search(variable.name) is not None
        )
        return 0.0 if excluded or self.weight_decay is None else self.weight_decay

    def _apply_weight_decay(self, variables: list[Variable], learning_rate: Any) -> None:
        for v in variables:
            decay = self._decay_of(v)
            if decay:
                v.assign(v - v * decay * ops.cast(learning_rate, v.dtype))

    # -- moving averages --------------------------------------------------------------------------------------------

    def _update_averages(self) -> None:
        # Chosen by ops, not by Python, so that the step can be captured as a graph.
        momentum = ops.where(ops.equal(self.iterations, 0), 0.0, self.ema_momentum)
        every = self.ema_overwrite_frequency
        overwrite = None if every is None else ops.equal(ops.mod(self.iterations + 1, every), 0)
        for v, average in zip(self._trainable_variables, self._model_variables_moving_average):
            if average is not None:
                share = ops.cast(momentum, v.dtype)
                average.assign(share * average + (1.0 - share) * v)
                if overwrite is not None:
                    v.assign(ops.where(overwrite, average, v))

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Puts the moving averages, if they are kept, into the variables: training has ended.

        Raises:
            ValueError: these are not the variables that the optimizer was built with.
        """
        if not self.use_ema:
            return
        if len(var_list) != len(self._model_variables_moving_average):
            raise invalid(
                f"{type(self).__name__}.finalize_variable_values",
                f"the optimizer was built with {len(self._model_variables_moving_average)} variables",
                given=len(var_list),
            )
        for v, average in zip(var_list, self._model_variables_moving_average):
            if average is not None:
                v.assign(average)

    # -- learning rate and loss scale -------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The learning rate: a Variable, or what the schedule or function gives for now."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        if isinstance(self._learning_rate, Variable):
            return self._learning_rate
        return self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        old = self._learning_rate
        if callable(learning_rate):
            self._learning_rate = learning_rate
            self.__dict__["_variables"] = [v for v in self._variables if v is not old]
        elif isinstance(old, Variable):
            old.assign(learning_rate)
        else:
            raise invalid(
                type(self).__name__,
                "the learning rate follows a schedule and cannot be set to a number",
                kind=TypeError,
                learning_rate=learning_rate,
            )

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the loss scale factor."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # -- state and config -------------------------------------------------------------------------------------------

    def stateless_apply(self, optimizer_variables: Sequence, grads: Sequence, trainable_variables: Sequence) -> tuple:
        """One step on values that are given; the optimizer and its variables stay as they are.

        Args:
            optimizer_variables: values for `variables`.
            grads: gradients.
            trainable_variables: values for the variables that the optimizer was built with.

        Returns:
            (new values of the trainable variables, new values of the optimizer's variables).

        Raises:
            ValueError: the optimizer is not built, or the lists have other lengths.
        """
        where = f"{type(self).__name__}.stateless_apply"
        if not self.built:
            raise invalid(where, "the optimizer must be built")
        own, trainable = self.variables, self._trainable_variables
        with (
            lent_values(own, optimizer_variables, where, "optimizer_variables"),
            lent_values(trainable, trainable_variables, where, "trainable_variables"),
        ):
            self.apply(grads)
            return current_values(trainable), current_values(own)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        rate = self._learning_rate
        return {
            "name": self.name,
            "learning_rate": float(rate.numpy()) if isinstance(rate, Variable) else serialize_keras_object(rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
        """An optimizer with these arguments; its variables are new."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize_keras_object(config["learning_rate"], custom_objects=custom_objects)
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def decays_weights(update_step: Callable) -> Callable:
    """Marks an `update_step` that applies the weight decay itself, in the same pass over the variable."""
    update_step.decays_weights = True
    return update_step
