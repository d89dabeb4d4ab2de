"""The state of a layer: weights, sub-layers, losses, and how they are listed, set, saved and counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import constraints, initializers, regularizers
from ..engine import guard, tree
from ..engine.dtype import FLOATS, is_float_dtype, standardize_dtype
from ..engine.errors import invalid
from ..engine.op import state
from ..engine.spec import standardize_shape
from ..engine.symbol import Symbol
from ..engine.tensor import Tensor
from ..engine.variable import Variable
from ..metrics import Metric
from ..random import SeedGenerator
from .tracker import Tracker


class changes:
    """Counts the changes to attributes of layers, so that a program captured before one is not used after it."""

    count = 0


def unique(items: Iterable[Any]) -> list:
    """The items without repetition (by identity), in order."""
    seen: set[int] = set()
    out = []
    for x in items:
        if id(x) not in seen:
            seen.add(id(x))
            out.append(x)
    return out


class LayerState:
    """Mixin of Layer: everything that concerns its variables and sub-layers."""

    _tracker: Tracker
    # Attributes that no computation depends on.
    _loop_attributes: frozenset[str] = frozenset()

    def _initialize_tracker(self) -> None:
        if "_tracker" in self.__dict__:
            return
        d = self.__dict__
        for name in ("_trainable_variables", "_non_trainable_variables", "_metrics", "_layers", "_seed_generators"):
            d[name] = []
        d["_tracker"] = Tracker(
            {
                "trainable": (lambda x: isinstance(x, Variable) and x.trainable, d["_trainable_variables"]),
                "non_trainable": (lambda x: isinstance(x, Variable), d["_non_trainable_variables"]),
                "metrics": (lambda x: isinstance(x, Metric), d["_metrics"]),
                "layers": (lambda x: isinstance(x, LayerState), d["_layers"]),
                "seeds": (lambda x: isinstance(x, SeedGenerator), d["_seed_generators"]),
            }
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._loop_attributes and self.__dict__.get(name) is not value:
            if state.capture is not None:
                state.capture.refuse_attribute(self, name)
            changes.count += 1
            if name != "trainable":  # programs know by its value, so that one that is set back is not made again
                self.__dict__["_changes"] = changes.count
        if isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
            return
        if name not in _UNTRACKED:
            if "_tracker" not in self.__dict__:
                self._initialize_tracker()
            old = self.__dict__.get(name)
            if old is not value:
                value = self._tracker.track(value)
                self._tracker.release(old)
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        object.__delattr__(self, name)
        if name not in _UNTRACKED:
            self._tracker.release(value)

    # -- making variables -------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Makes a variable of the layer.

        Args:
            shape: its shape; () by default.
            initializer: initializer or its name; Glorot uniform by default for floats, zeros otherwise.
            dtype: the layer's variable dtype by default.
            trainable: whether it is trained.
            autocast: whether it is read in the layer's compute dtype.
            regularizer: adds to the layer's losses.
            constraint: applied after each update.
            aggregation: accepted for compatibility.
            overwrite_with_gradient: whether an update replaces the value by the gradient.
            name: "variable" by default.
        """
        self._check_super_called()
        where = f"{type(self).__name__} {self.name!r}"
        shape = standardize_shape(() if shape is None else shape, f"{where}: add_weight", unknown=False)
        dtype = standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if is_float_dtype(dtype) else "zeros"
        with self._open_name_scope():
            variable = Variable(
                initializers.get(initializer),
                shape=shape,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                name=name,
            )
        variable.regularizer = regularizers.get(regularizer)
        variable.constraint = constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._track_variable(variable)
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """The same as `add_weight`."""
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            regularizer=regularizer,
            constraint=constraint,
            name=name,
        )

    def _track_variable(self, variable: Variable) -> None:
        self._tracker.note(variable)
        if not self.trainable:
            variable.trainable = False

    def _untrack_variable(self, variable: Variable) -> None:
        self._tracker.untrack(variable)

    # -- lists ------------------------------------------------------------------------------------------------------

    @property
    def variables(self) -> list[Variable]:
        """All state: weights, statistics, random state; of sub-layers too. Metric state is not in it."""
        own = [*self._trainable_variables, *self._non_trainable_variables]
        own += [g.state for g in self._seed_generators]
        for layer in self._layers:
            own += layer.variables
        return unique(own)

    @property
    def weights(self) -> list[Variable]:
        """Variables without random state."""
        own = [*self._trainable_variables, *self._non_trainable_variables]
        for layer in self._layers:
            own += layer.weights
        return unique(own)

    @property
    def trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return [v for v in self.variables if not v.trainable] if self.trainable else self.variables

    @property
    def trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        return [v for v in self.weights if not v.trainable] if self.trainable else self.weights

    @property
    def metrics(self) -> list[Metric]:
        """Metrics of this layer and its sub-layers."""
        out = list(self._metrics)
        for layer in self._layers:
            out += layer.metrics
        return unique(out)

    @property
    def metrics_variables(self) -> list[Variable]:
        return [v for m in self.metrics for v in m.variables]

    @property
    def trainable(self) -> bool:
        """Whether the weights are trained; setting it sets all sub-layers too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        self.__dict__["_trainable"] = value
        for v in self._trainable_variables:
            v.trainable = value
        for layer in self._layers:
            layer.trainable = value

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> list:
        out, todo = ([self] if include_self else []), list(self._layers)
        seen = {id(x) for x in out}
        while todo:
            layer = todo.pop(0)
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            out.append(layer)
            if recursive:
                todo = [*layer._layers, *todo]
        return out

    # -- losses -----------------------------------------------------------------------------------------------------

    def add_loss(self, loss: Any) -> None:
        """Adds scalar losses, computed in `call`; they hold until the next call.

        Raises:
            ValueError: for what is not a scalar.
        """
        for x in tree.flatten(loss):
            if x is None:
                continue
            if getattr(x, "shape", ()) != ():
                raise invalid(f"{type(self).__name__}.add_loss", "a loss is a scalar", loss=x)
            if not isinstance(x, Symbol):
                self._losses.append(x)

    def _add_activity_loss(self, outputs: Any) -> None:
        for x in tree.flatten(outputs):
            if isinstance(x, Tensor) and x.dtype in FLOATS:
                loss = self.activity_regularizer(x)
                if x.ndim > 0:
                    loss = loss / max(x.shape[0], 1)
                self.add_loss(loss)

    @property
    def losses(self) -> list:
        """Scalar losses of the last call and of the regularizers, of sub-layers too."""
        out = []
        for layer in self._flatten_layers():
            out += layer._losses
        for v in self.trainable_weights:
            if v.regularizer is not None:
                out.append(v.regularizer(v))
        return out

    def _clear_losses(self) -> None:
        for layer in self._flatten_layers():
            if layer._losses:
                layer._losses.clear()

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f"{type(self).__name__}.add_metric: pass metrics to compile(), or keep a metric as an attribute and call "
            "its update_state()."
        )

    # -- values -----------------------------------------------------------------------------------------------------

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights, in the order of `weights`; all of one state where another thread trains."""
        weights = self.weights
        with guard.as_of_now(weights):
            return [v.numpy() for v in weights]

    def set_weights(self, weights: list) -> None:
        """Sets all weights.

        Raises:
            ValueError: for a wrong number of arrays or a wrong shape; nothing is changed then.
        """
        where = f"{type(self).__name__} {self.name!r}: set_weights"
        mine = self.weights
        if len(weights) != len(mine):
            raise invalid(where, f"{len(mine)} arrays are expected", given=len(weights))
        for v, value in zip(mine, weights):
            if tuple(np.shape(value)) != v.shape:
                raise invalid(where, f"{v.path} has shape {v.shape}", given=tuple(np.shape(value)))
        for v, value in zip(mine, weights):
            v.assign(value)

    def count_params(self) -> int:
        """Number of scalars in the weights.

        Raises:
            ValueError: before the layer is built.
        """
        if not self.built:
            raise invalid("count_params", f"{type(self).__name__} {self.name!r} is not built: call build(input_shape)")
        return sum(v.size for v in self.weights)

    def save_own_variables(self, store: Any) -> None:
        """Writes the layer's own variables into a dict-like store under "0", "1", ..."""
        for i, v in enumerate([*self._trainable_variables, *self._non_trainable_variables]):
            store[f"{i}"] = v

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote.

        Raises:
            ValueError: where the number of variables or a shape differs.
        """
        mine = [*self._trainable_variables, *self._non_trainable_variables]
        if len(store.keys()) != len(mine):
            raise invalid(
                f"{type(self).__name__} {self.name!r}: load_own_variables",
                f"the layer has {len(mine)} variables" + ("" if self.built else " because it was never built"),
                stored=len(store.keys()),
            )
        for i, v in enumerate(mine):
            v.assign(store[f"{i}"])

    load_own_variables._is_plain = True  # a file can be compared with the layer before anything is read


# The mechanism's own lists stay plain lists.
_UNTRACKED = frozenset(("_losses", "_inbound_nodes", "_init_arguments", "_build_shapes_dict", "input_spec"))
