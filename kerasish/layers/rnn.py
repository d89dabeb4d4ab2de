"""RNN: runs any cell over the time axis; and StackedRNNCells, several cells as one."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine import tree
from ..engine.errors import invalid
from ..engine.naming import name_scope
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from ..engine.variable import Variable
from ..ops.rnn import run_steps
from .layer import Layer
from .rnn_cells import DropoutCell


def takes_training(layer: Any) -> bool:
    """Whether a layer's (or a cell's) call has the argument."""
    return isinstance(layer, Layer) and "training" in layer._signature.takes


def check_cell(where: str, cell: Any) -> None:
    """Raises where something is not a cell."""
    for name, what in (("call", "a `call` method"), ("state_size", "a `state_size` attribute")):
        if not hasattr(type(cell), name) and not hasattr(cell, name):
            raise invalid(where, f"a cell has {what}", cell=cell)


def _size_of(cell: Any) -> int:
    """Length of a cell's output."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, (list, tuple)) else cell.state_size
    return size


def _zeros(cell: Any, batch_size: Any, dtype: str) -> list:
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return [ops.zeros((batch_size, n), dtype=dtype) for n in sizes]


@export("keras.layers")
class StackedRNNCells(Layer):
    """Several cells that make one: each step's output of a cell is the next one's input.

    Args:
        cells: the cells, from the first to the last.

    The states are a list with those of each cell.

    Raises:
        ValueError: for what is not a cell.

    >>> import kerasish as keras
    >>> cells = [keras.layers.LSTMCell(4), keras.layers.LSTMCell(3)]
    >>> keras.layers.RNN(keras.layers.StackedRNNCells(cells))(keras.ops.ones((2, 5, 6))).shape
    (2, 3)
    """

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        for cell in cells:
            check_cell("StackedRNNCells", cell)
        self.cells = cells

    @property
    def state_size(self) -> list:
        """The state sizes of the cells."""
        return [c.state_size for c in self.cells]

    @property
    def output_size(self) -> int:
        """The output size of the last cell."""
        return _size_of(self.cells[-1])

    def get_initial_state(self, batch_size: Any = None) -> list:
        """The first states of the cells: their own, or zeros."""
        states = []
        for cell in self.cells:
            own = getattr(cell, "get_initial_state", None)
            if own:
                states.append(own(batch_size=batch_size))
            else:
                zeros = _zeros(cell, batch_size, self.compute_dtype)
                states.append(zeros if isinstance(cell.state_size, (list, tuple)) else zeros[0])
        return states

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], _size_of(cell))

    def call(self, inputs: Any, states: Any, training: bool = False, **kwargs: Any) -> tuple:
        new_states = []
        for cell, state in zip(self.cells, states):
            nested = tree.is_nested(state)
            extra = {**kwargs, "training": training} if takes_training(cell) else kwargs
            inputs, new = call_cell(cell, inputs, list(state) if nested else [state], **extra)
            new_states.append(new[0] if len(new) == 1 and not nested else new)
        return inputs, new_states[0] if len(new_states) == 1 else new_states

    def get_config(self) -> dict:
        return {**super().get_config(), "cells": [serialize_keras_object(c) for c in self.cells]}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> StackedRNNCells:
        config = dict(config)
        cells = [deserialize_keras_object(c, custom_objects=custom_objects) for c in config.pop("cells")]
        return cls(cells, **config)


def call_cell(cell: Any, inputs: Any, states: Any, **kwargs: Any) -> tuple:
    """(output, new states as a list) of a step."""
    output, states = cell(inputs, states, **kwargs) if callable(cell) else cell.call(inputs, states, **kwargs)
    return output, list(states) if tree.is_nested(states) else [states]


def _reset_masks(cell: Any) -> None:
    if isinstance(cell, DropoutCell):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
    elif isinstance(cell, StackedRNNCells):
        for c in cell.cells:
            _reset_masks(c)


@export("keras.layers")
class RNN(Layer):
    """Runs a cell over the second axis of its input.

    Args:
        cell: an object with `call(inputs_at_t, states)`, which gives (output, new states), and `state_size`: an integer
            or a list of them; it may have `output_size` and `get_initial_state(batch_size)`. A list of cells becomes
            StackedRNNCells.
        return_sequences: whether the outputs of all steps are returned, or the last one.
        return_state: whether the last states are returned, too.
        go_backwards: from the last time to the first; the outputs are in the order of the steps.
        stateful: whether the states at the end of a call are where the next one begins; the batch size is fixed then.
        unroll: accepted: the steps of a general cell are always unrolled. With a mask, the output of a skipped step is
            that of the step before, and zeros at the beginning.
        zero_output_for_mask: whether the output of a skipped step is zeros instead of the state.

    Input: (batch, time, ...); output: (batch, time, output_size) with return_sequences, else (batch, output_size); with
    return_state a tuple of it and the states.

    Call arguments: `initial_state`, a list of the first states; `mask`, (batch, time) of bool: where it is false the
    states stay as they are; `training`.

    Raises:
        ValueError: for what is not a cell, and for an input without a known number of time steps when called.

    >>> import kerasish as keras
    >>> class Leaky(keras.Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         output = 0.5 * states[0] + inputs
    ...         return output, [output]
    >>> keras.layers.RNN(Leaky())(keras.ops.ones((1, 2, 3))).numpy()
    array([[1.5, 1.5, 1.5]], dtype=float32)
    """

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(type(self).__name__, cell)
        super().__init__(**kwargs)
        self.zero_output_for_mask = zero_output_for_mask
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.supports_masking = True
        self.states: Any = None
        size = cell.state_size
        if not isinstance(size, (list, tuple, int)) or isinstance(size, bool):
            raise invalid(
                type(self).__name__, "a cell's state_size is an integer or a list of integers", state_size=size
            )
        self.single_state = isinstance(size, int)
        self.state_size = [size] if self.single_state else list(size)

    # -- shapes and masks -------------------------------------------------------------------------------------------

    def compute_output_shape(
        self, sequences_shape: Any = None, initial_state_shape: Any = None, *, input_shape: Any = None
    ) -> Any:
        batch, time = first_of(sequences_shape, input_shape)[:2]
        size = _size_of(self.cell)
        if not isinstance(size, int):
            raise invalid(f"{type(self).__name__} {self.name!r}", "output_size is an integer", output_size=size)
        output = (batch, time, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        states = [[(batch, n) for n in s] if isinstance(s, (list, tuple)) else (batch, s) for s in self.state_size]
        return (output, *states)

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = tree.flatten(mask)[0] if self.return_sequences else None
        return [mask, *[None] * len(tree.flatten(self.state_size))] if self.return_state else mask

    # -- state ------------------------------------------------------------------------------------------------------

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if not self.stateful:
            return
        if self.states is not None:
            self.reset_state()
            return
        if sequences_shape[0] is None:
            raise invalid(
                f"{type(self).__name__} {self.name!r}",
                "the batch size of a stateful layer must be known: give the model an Input with batch_size or "
                "batch_shape",
                sequences_shape=sequences_shape,
            )
        with name_scope(self.name, caller=self):
            states = tree.map_structure(
                lambda x: Variable(x, trainable=False, dtype=self.variable_dtype, name="rnn_state"),
                self.get_initial_state(sequences_shape[0]),
            )
        # As in Keras, states are no weights: files and get_weights() have none.
        self.__dict__["states"] = states

    def get_initial_state(self, batch_size: Any) -> list:
        """The first states for a batch: the cell's, or zeros."""
        own = getattr(self.cell, "get_initial_state", None)
        if not own:
            return _zeros(self.cell, batch_size, getattr(self.cell, "compute_dtype", self.compute_dtype))
        state = own(batch_size=batch_size)
        return list(state) if tree.is_nested(state) else [state]

    def _first_states(self, sequences: Any, initial_state: Any) -> list:
        batch = sequences.shape[0]
        if self.stateful and self.states is not None and batch is not None:
            expected = tree.flatten(self.states)[0].shape[0]
            if batch != expected:
                raise invalid(
                    f"{type(self).__name__} {self.name!r}",
                    f"a stateful layer that was built for batches of {expected} takes no others",
                    sequences=sequences,
                )
        if initial_state is None and self.stateful:
            initial_state = self.states
        elif initial_state is None and batch is None:
            # The batch is only known by the input: spread the state of one sample over it.
            column = ops.zeros_like(ops.reshape(sequences, (-1, *sequences.shape[1:]))[:, 0])
            column = ops.sum(column, axis=tuple(range(1, len(column.shape))))
            initial_state = tree.map_structure(
                lambda x: ops.add(x, ops.reshape(ops.cast(column, x.dtype), (-1, *[1] * (len(x.shape) - 1)))),
                self.get_initial_state(1),
            )
        elif initial_state is None:
            initial_state = self.get_initial_state(batch)
        states = list(initial_state) if tree.is_nested(initial_state) else [initial_state]
        if len(states) != len(self.state_size):
            raise invalid(
                f"{type(self).__name__} {self.name!r}",
                f"initial_state has {len(self.state_size)} states",
                given=len(states),
            )
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        return tree.map_structure(lambda x: ops.convert_to_tensor(x, dtype=dtype), states)

    def reset_state(self) -> None:
        """Sets the states of a stateful layer to zeros."""
        for v in tree.flatten(self.states):
            if v is not None:
                v.assign(ops.zeros_like(v))

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    # -- calling ----------------------------------------------------------------------------------------------------

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> tuple:
        """Runs the steps; gives (last output, all outputs or None, last states)."""
        extra = {"training": training} if takes_training(self.cell) else {}
        return run_steps(
            lambda x, states: call_cell(self.cell, x, states, **extra),
            sequences,
            initial_state,
            where=f"{type(self).__name__} {self.name!r}",
            mask=mask,
            reverse=self.go_backwards,
            zeros_for_mask=self.zero_output_for_mask,
            repeat_outputs=self.unroll,
            sequences=self.return_sequences,
        )

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        states = self._first_states(sequences, initial_state)
        mask = tree.flatten(mask)[0]
        try:
            last, outputs, states = self.inner_loop(sequences, states, mask, training)
        finally:
            _reset_masks(self.cell)
        output = ops.cast(outputs if self.return_sequences else last, self.compute_dtype)
        states = tree.map_structure(lambda x: ops.cast(x, self.compute_dtype), states)
        if self.stateful:
            for variable, state in zip(tree.flatten(self.states), tree.flatten(states)):
                variable.assign(state)
        return (output, *states) if self.return_state else output

    # -- config -----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict:
        config = {
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "cell": serialize_keras_object(self.cell),
        }
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> RNN:
        config = dict(config)
        cell = deserialize_keras_object(config.pop("cell"), custom_objects=custom_objects)
        return cls(cell, **config)


def first_of(shape: Any, input_shape: Any) -> Any:
    """The shape under its own name or under Keras's general one."""
    return input_shape if shape is None else shape


def of_cell(name: str) -> property:
    """A layer's attribute that is its cell's."""
    return property(lambda self: getattr(self.cell, name), doc=f"The cell's `{name}`.")
