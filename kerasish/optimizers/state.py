"""The state of an optimizer: variables, how they are made, set, saved and loaded."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from kerasish import initializers
from kerasish.engine.errors import invalid
from kerasish.engine.naming import name_scope
from kerasish.engine.variable import Variable


class OptimizerState:
    """Mixin of Optimizer: everything that concerns its variables."""

    name: str
    built: bool
    _variables: list[Variable]

    def __setattr__(self, name: str, value: Any) -> None:
        if "_variables" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: __init__ must call super().__init__() before anything else")
        if isinstance(value, Variable) and all(value is not v for v in self._variables):
            self._variables.append(value)
        if self.__dict__.get(name) is not value:  # a step that was compiled before does not know
            self.__dict__["_changes"] = self.__dict__.get("_changes", 0) + 1
        object.__setattr__(self, name, value)

    @property
    def variables(self) -> list[Variable]:
        """The state: iteration, learning rate (if it is a number), then the slots in the order they were made."""
        return list(self._variables)

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Makes a variable of the state.

        Args:
            shape: its shape.
            initializer: initializer or its name.
            dtype: `floatx` by default.
            aggregation, layout: accepted for compatibility.
            name: its name.
        """
        with name_scope(self.name):
            variable = Variable(
                initializers.get(initializer), shape=shape, dtype=dtype, trainable=False, name=name, autocast=False
            )
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Makes a variable of the state with the shape and dtype of another and a name that begins with its path."""
        path = getattr(reference_variable, "path", reference_variable.name).replace("/", "_")
        return self.add_variable(
            shape=reference_variable.shape,
            initializer=initializer,
            dtype=reference_variable.dtype,
            name=f"{path}_{name or 'var'}",
        )

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: str | Sequence[str], initializer: Any = "zeros"
    ) -> Any:
        """Makes a slot (or one for each name) for every variable.

        Args:
            trainable_variables: the variables.
            name: name of the slot, or names of several.
            initializer: initializer or its name; with several names, one for all or a list.

        Returns:
            A list of slots, or with several names a tuple of lists; None stands for variables whose gradient replaces
            them.

        Raises:
            ValueError: there are not as many initializers as names.
        """
        names = [name] if isinstance(name, str) else list(name)
        starts = list(initializer) if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        if len(names) != len(starts):
            raise invalid(
                type(self).__name__, "there is one initializer for each slot", name=name, initializer=initializer
            )
        slots: tuple[list, ...] = tuple([] for _ in names)
        for variable in trainable_variables:
            for into, slot_name, start in zip(slots, names, starts):
                into.append(
                    None
                    if replaced_by_gradient(variable)
                    else self.add_variable_from_reference(variable, name=slot_name, initializer=start)
                )
        return slots[0] if isinstance(name, str) else slots

    def assign(self, variable: Variable, value: Any) -> None:
        """Replaces a variable's value."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Adds to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtracts from a variable."""
        variable.assign_sub(value)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all variables of the optimizer.

        Raises:
            ValueError: the optimizer is not built, or a shape differs.
        """
        where = f"{type(self).__name__}.set_weights"
        if not self.built:
            raise invalid(where, "the optimizer must be built")
        for v, value in zip(self._variables, weights):
            if tuple(v.shape) != tuple(value.shape):
                raise invalid(where, f"the variable {v.path!r} has shape {tuple(v.shape)}", weight=value)
            v.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Writes the variables into a mapping, under "0", "1", ..."""
        for i, v in enumerate(self.variables):
            store[str(i)] = v

    def load_own_variables(self, store: Any) -> None:
        """Reads the variables from a mapping; one of another length is left alone, with a warning.

        One that holds no slots, because the optimizer was saved before its first step, is no other length.
        """
        variables = self.variables
        before_build = [v for v in variables if v is self._iterations or v is self._learning_rate]
        if len(store.keys()) == len(before_build) and all(a is b for a, b in zip(variables, before_build)):
            variables = before_build
        if len(store.keys()) != len(variables):
            warnings.warn(
                f"{self.name}: the variables are not loaded, because the optimizer has {len(variables)} and the file "
                f"{len(store.keys())} of them" + ("." if self.built else "; the optimizer is not built yet."),
                stacklevel=2,
            )
            return
        for i, v in enumerate(variables):
            v.assign(store[str(i)])

    load_own_variables._is_plain = True  # a file can be compared with the optimizer before anything is read
    _tolerates_other_variables = True


def replaced_by_gradient(variable: Variable) -> bool:
    """Whether a variable's gradient is its next value (a scale that follows a maximum)."""
    return getattr(variable, "overwrite_with_gradient", False)
