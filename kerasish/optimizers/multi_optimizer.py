"""Several optimizers, each for its own variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.engine.variable import Variable
from kerasish.optimizers.loss_scale_optimizer import LossScaleOptimizer
from kerasish.optimizers.optimizer import Optimizer


def _check_member(where: str, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise invalid(where, "a member is an optimizer", optimizer=optimizer)
    if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
        raise invalid(where, f"a {type(optimizer).__name__} cannot be a member", optimizer=optimizer)


@export("keras.optimizers")
class OptimizerMap(MutableMapping):
    """Optimizers by patterns of variable paths.

    Args:
        default_optimizer: for variables that no pattern matches.
        optimizer_map: dict from a regular expression, which a path must match in full, to an optimizer.

    Raises:
        TypeError: `default_optimizer` is no optimizer or `optimizer_map` no dict.

    Example:

    >>> import kerasish as keras
    >>> by_path = keras.optimizers.OptimizerMap(keras.optimizers.SGD(), {".*/bias": keras.optimizers.Adam()})
    >>> type(by_path["dense/bias"]).__name__, type(by_path["dense/kernel"]).__name__
    ('Adam', 'SGD')
    """

    def __init__(self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None):
        if not isinstance(default_optimizer, Optimizer):
            raise invalid(
                "OptimizerMap", "default_optimizer is an optimizer", kind=TypeError, default_optimizer=default_optimizer
            )
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise invalid("OptimizerMap", "optimizer_map is a dict", kind=TypeError, optimizer_map=optimizer_map)
        self._default_optimizer = default_optimizer
        self._optimizer_map = optimizer_map or {}

    @property
    def default_optimizer(self) -> Optimizer:
        """The optimizer for variables that no pattern matches."""
        return self._default_optimizer

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise invalid("OptimizerMap", f"only one pattern may match the path {key!r}", patterns=matching)
        return self._optimizer_map[matching[0]] if matching else self._default_optimizer

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str):
            raise invalid("OptimizerMap", "a key is a pattern of paths", key=key)
        if key in self._optimizer_map:
            raise invalid("OptimizerMap", f"the pattern {key!r} has an optimizer already")
        _check_member("OptimizerMap", optimizer)
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Variable) -> Optimizer:
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return {
            "default_optimizer": serialize_keras_object(self._default_optimizer),
            "optimizer_map": serialize_keras_object(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> OptimizerMap:
        """A map with these arguments."""
        return cls(**{k: deserialize_keras_object(v, custom_objects=custom_objects) for k, v in config.items()})


@export("keras.optimizers")
class MultiOptimizer(Optimizer):
    """Gives each variable to the optimizer that a function or an `OptimizerMap` chooses.

    Args:
        optimizer_map: function from a variable to its optimizer, or an `OptimizerMap`.
        loss_scale_factor: see `Optimizer`.
        name: see `Optimizer`.

    Example:

    >>> import kerasish as keras
    >>> by_path = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5), {"b": keras.optimizers.SGD(0.1)})
    >>> a, b = keras.Variable([1.0], name="a"), keras.Variable([1.0], name="b")
    >>> keras.optimizers.MultiOptimizer(by_path).apply([keras.ops.ones((1,)), keras.ops.ones((1,))], [a, b])
    >>> a.numpy(), b.numpy()
    (array([0.5], dtype=float32), array([0.9], dtype=float32))
    """

    def __init__(self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None):
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._inner_optimizers: list[Optimizer] = []
        self._choice: dict[int, Optimizer] = {}
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._add(optimizer)

    def _add(self, optimizer: Optimizer) -> None:
        _check_member("MultiOptimizer", optimizer)
        if all(optimizer is not o for o in self._inner_optimizers):
            optimizer.loss_scale_factor = self.loss_scale_factor
            self._inner_optimizers.append(optimizer)

    def build(self, var_list: Sequence[Variable]) -> None:
        """Chooses an optimizer for each variable and makes their slots."""
        if self.built:
            return
        for v in var_list:
            optimizer = self._optimizer_map(v)
            self._add(optimizer)
            self._choice[id(v)] = optimizer
        for optimizer in self._inner_optimizers:
            own = self._own(optimizer, var_list)
            if own:
                optimizer.build(own)
        super().build(var_list)

    def _own(self, optimizer: Optimizer, variables: Sequence[Variable]) -> list[Variable]:
        return [v for v in variables if self._choice[id(v)] is optimizer]

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers."""
        return self._inner_optimizers

    @property
    def variables(self) -> list[Variable]:
        """The state, with that of the optimizers."""
        return [*self._variables, *(v for o in self._inner_optimizers for v in o.variables)]

    @property
    def loss_scale_factor(self) -> float | None:
        """The loss scale factor of all optimizers."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for optimizer in self.__dict__.get("_inner_optimizers", ()):
            optimizer.loss_scale_factor = value

    @property
    def learning_rate(self) -> Any:
        """There is none: each optimizer has its own."""
        raise AttributeError("MultiOptimizer: each of `optimizers` has its own learning rate")

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        raise AttributeError("MultiOptimizer: each of `optimizers` has its own learning rate")

    @property
    def iterations(self) -> Any:
        """How many steps were made."""
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Makes one step of each optimizer.

        Args:
            grads: gradients.
            trainable_variables: their variables; by default those that the optimizer was built with.

        Raises:
            ValueError: there is not one gradient for each variable.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None and not self.built:
            raise invalid("MultiOptimizer", "gradients without variables need an optimizer that is built")
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(variables)
        if len(grads) != len(self._trainable_variables) or len(grads) != len(variables):
            raise invalid(
                "MultiOptimizer",
                "there is one gradient for each variable",
                grads=len(grads),
                variables=len(self._trainable_variables),
            )
        for optimizer in self._inner_optimizers:
            pairs = [(g, v) for g, v in zip(grads, variables) if self._choice[id(v)] is optimizer]
            if pairs:
                optimizer.apply([g for g, _ in pairs], [v for _, v in pairs])
        self._iterations.assign_add(1)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Puts moving averages into the variables."""
        for optimizer in self._inner_optimizers:
            own = self._own(optimizer, var_list)
            if own:
                optimizer.finalize_variable_values(own)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all variables, those of the optimizers included."""
        own = len(self._variables)
        super().set_weights(weights[:own])
        for optimizer in self._inner_optimizers:
            count = len(optimizer.variables)
            if optimizer.built:
                optimizer.set_weights(weights[own : own + count])
            own += count

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer_map": serialize_keras_object(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> MultiOptimizer:
        config = dict(config)
        config["optimizer_map"] = deserialize_keras_object(config["optimizer_map"], custom_objects=custom_objects)
        return cls(**config)
