"""The base class of metrics: state in variables, updated by batches."""

from __future__ import annotations

from typing import Any

from kerasish import initializers, ops
from kerasish.engine import dtype_policy, tree
from kerasish.engine.config import floatx
from kerasish.engine.errors import invalid
from kerasish.engine.naming import auto_name, name_scope, to_snake_case
from kerasish.engine.registry import export
from kerasish.engine.spec import standardize_shape
from kerasish.engine.stateless import current_values, lent_values
from kerasish.engine.variable import Variable


@export("keras.metrics", aliases=("keras",))
class Metric:
    """A metric: state that `update_state` adds a batch to and `result` reads.

    Subclasses make their state in `__init__` with `add_variable` and implement `update_state` and `result`.

    Args:
        dtype: dtype or policy of the computation; `floatx` by default.
        name: its name; the snake-case class name by default.

    Example:

    >>> import kerasish as keras
    >>> class Count(keras.metrics.Metric):
    ...     def __init__(self, name="count", dtype=None):
    ...         super().__init__(name=name, dtype=dtype)
    ...         self.total = self.add_variable(shape=(), initializer="zeros", name="total")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.total.assign_add(keras.ops.size(y_true))
    ...     def result(self):
    ...         return self.total.value
    >>> metric = Count()
    >>> metric.update_state(keras.ops.ones((3,)), keras.ops.ones((3,)))
    >>> float(metric.result())
    3.0
    """

    # Whether larger values are better ("up"), smaller ("down"), or nobody says; callbacks read it.
    _direction: str | None = None

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self._dtype_policy = dtype_policy.get(dtype or floatx())
        self._dtype = self._dtype_policy.compute_dtype
        self._metrics: list[Metric] = []
        self._variables: list[Variable] = []

    def __setattr__(self, name: str, value: Any) -> None:
        tracked = self.__dict__
        if "_variables" in tracked and name not in ("_variables", "_metrics"):
            for leaf in tree.flatten(value) if isinstance(value, (list, tuple, dict)) else (value,):
                for kind, known in ((Variable, tracked["_variables"]), (Metric, tracked["_metrics"])):
                    if isinstance(leaf, kind) and all(leaf is not k for k in known):
                        known.append(leaf)
        object.__setattr__(self, name, value)

    @staticmethod
    def _saving_reference() -> Metric:
        """A metric whose attributes are those that every one has: saving looks for parts among the others."""
        return Metric(name="reference")

    @property
    def dtype(self) -> str:
        """The dtype of the computation."""
        return self._dtype

    def _check_super_called(self) -> None:
        if "_variables" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: __init__ must call super().__init__() before anything else")

    def add_variable(
        self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "sum", name: str | None = None
    ) -> Variable:
        """Makes a variable of the state.

        Args:
            shape: its shape.
            initializer: initializer or its name; zeros for None.
            dtype: `floatx` by default.
            aggregation: accepted for compatibility.
            name: its name.
        """
        self._check_super_called()
        with name_scope(self.name.replace("/", ">")):
            variable = Variable(
                initializers.get("zeros" if initializer is None else initializer),
                shape=standardize_shape(shape, f"{self.name}: add_variable", unknown=False),
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                synchronization="on_read",
                name=name,
            )
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """The same as `add_variable`."""
        return self.add_variable(shape=shape, initializer=initializer, dtype=dtype, name=name)

    @property
    def variables(self) -> list[Variable]:
        """The state, with that of metrics which are attributes."""
        return [*self._variables, *(v for m in self._metrics for v in m.variables)]

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a batch to the state."""
        raise NotImplementedError(f"{type(self).__name__} does not implement update_state()")

    def result(self) -> Any:
        """The value for what was added since the last reset: a scalar tensor, or a dict of them."""
        raise NotImplementedError(f"{type(self).__name__} does not implement result()")

    def reset_state(self) -> None:
        """Sets the state to zeros."""
        for v in self.variables:
            v.assign(ops.zeros(v.shape, dtype=v.dtype))

    def stateless_update_state(self, metric_variables: Any, *args: Any, **kwargs: Any) -> list:
        """The state after a batch, for a state that is given; the metric's own does not change."""
        variables = self.variables
        with lent_values(
            variables, metric_variables, f"{type(self).__name__}.stateless_update_state", "metric_variables"
        ):
            self.update_state(*args, **kwargs)
            return current_values(variables)

    def stateless_result(self, metric_variables: Any) -> Any:
        """The result for a state that is given."""
        where = f"{type(self).__name__}.stateless_result"
        with lent_values(self.variables, metric_variables, where, "metric_variables"):
            return self.result()

    def stateless_reset_state(self) -> list:
        """The state after a reset; the metric's own does not change."""
        variables = self.variables
        with lent_values(variables, current_values(variables), "stateless_reset_state", "metric_variables"):
            self.reset_state()
            return current_values(variables)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """A metric with these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def two_dimensional(where: str, y_true_shape: Any, y_pred_shape: Any) -> int:
    """The size of the last dimension of (batch, outputs) arrays, for metrics that make their state by it."""
    shapes = tuple(y_true_shape), tuple(y_pred_shape)
    if any(len(s) != 2 or s[-1] is None for s in shapes):
        raise invalid(
            where,
            "targets and predictions have shape (batch, outputs) with the number of outputs known",
            y_true_shape=shapes[0],
            y_pred_shape=shapes[1],
        )
    return shapes[1][-1]
