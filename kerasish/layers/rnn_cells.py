"""The cells of the recurrent layers: one step of SimpleRNN, GRU and LSTM, from ordinary ops."""

from __future__ import annotations

from typing import Any

from .. import ops, random
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.tree import is_nested
from ..ops.rnn import gru_step, lstm_step
from .layer import Layer
from .options import check_count, check_number, options_config, set_options


class DropoutCell(Layer):
    """Base of cells that drop inputs and states while training, by the same masks in every step of a sequence.

    Subclasses have `dropout`, `recurrent_dropout` and `seed_generator`. A mask is drawn when a step first asks for it,
    and kept until it is reset; the layer that runs a cell over a sequence resets it afterwards.
    """

    dropout_mask_count: int | None = None  # masks for the gates one by one; None: one for all

    def _set_dropout(self, dropout: Any, recurrent_dropout: Any, seed: Any) -> None:
        where = type(self).__name__
        self.dropout = min(1.0, max(0.0, check_number(where, "dropout", dropout)))
        self.recurrent_dropout = min(1.0, max(0.0, check_number(where, "recurrent_dropout", recurrent_dropout)))
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def _mask(self, name: str, like: Any, rate: float) -> Any:
        held = self.__dict__
        if held.get(name) is None and rate > 0:
            ones = ops.ones_like(like)
            masks = [random.dropout(ones, rate, seed=self.seed_generator) for _ in range(self.dropout_mask_count or 1)]
            held[name] = masks[0] if self.dropout_mask_count is None else masks
        return held.get(name)

    def get_dropout_mask(self, step_input: Any) -> Any:
        """What the inputs of every step are multiplied by: one mask, or a list with one for each gate."""
        return self._mask("_dropout_mask", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """The same for the states."""
        return self._mask("_recurrent_dropout_mask", step_input, self.recurrent_dropout)

    def reset_dropout_mask(self) -> None:
        """Forgets the mask of the inputs; the next step draws a new one."""
        self.__dict__["_dropout_mask"] = None

    def reset_recurrent_dropout_mask(self) -> None:
        """Forgets the mask of the states."""
        self.__dict__["_recurrent_dropout_mask"] = None


class GatedCell(DropoutCell):
    """Base of SimpleRNNCell, GRUCell and LSTMCell: kernel, recurrent kernel and bias have the gates side by side."""

    gates = 1

    def __init__(
        self, units: Any, use_bias: bool, dropout: Any, recurrent_dropout: Any, seed: Any, options: dict, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.units = check_count(type(self).__name__, "units", units)
        self.use_bias = use_bias
        set_options(self, **options)
        self._set_dropout(dropout, recurrent_dropout, seed)
        self.state_size: Any = self.units
        self.output_size = self.units

    def _set_implementation(self, implementation: Any) -> None:
        """1: gate by gate, each with dropout masks of its own; recurrent dropout implies it. 2: all gates at once."""
        if implementation not in (1, 2):
            raise invalid(type(self).__name__, "implementation is 1 or 2", implementation=implementation)
        self.implementation = 1 if self.recurrent_dropout else implementation
        if self.implementation == 1:
            self.dropout_mask_count = self.gates

    def bias_shape(self) -> tuple:
        return (self.gates * self.units,)

    def bias_values(self) -> Any:
        """The bias's initializer."""
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        if features is None:
            raise invalid(type(self).__name__, "the last dimension of the input must be known", input_shape=input_shape)
        columns = self.gates * self.units
        for name, rows in (("kernel", features), ("recurrent_kernel", self.units)):
            prefix = name.removesuffix("_kernel")
            weight = self.add_weight(
                shape=(rows, columns),
                name=name,
                initializer=getattr(self, f"{prefix}_initializer"),
                regularizer=getattr(self, f"{prefix}_regularizer"),
                constraint=getattr(self, f"{prefix}_constraint"),
            )
            setattr(self, name, weight)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=self.bias_shape(),
                name="bias",
                initializer=self.bias_values(),
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _dropped_product(self, x: Any, kernel: Any, masks: Any) -> Any:
        """x times the kernel, after dropout: one mask, or one for the columns of each gate."""
        if masks is None:
            return ops.matmul(x, kernel)
        if not isinstance(masks, list):
            return ops.matmul(ops.multiply(x, masks), kernel)
        parts = ops.split(kernel, self.gates, axis=1)
        return ops.concatenate([ops.matmul(ops.multiply(x, m), k) for m, k in zip(masks, parts)], axis=-1)

    def _drops(self, rate: float, training: Any) -> bool:
        return bool(training) and 0 < rate < 1

    def _input_masks(self, inputs: Any, training: Any) -> Any:
        return self.get_dropout_mask(inputs) if self._drops(self.dropout, training) else None

    def _state_masks(self, h: Any, training: Any) -> Any:
        return self.get_recurrent_dropout_mask(h) if self._drops(self.recurrent_dropout, training) else None

    def get_initial_state(self, batch_size: Any = None) -> list:
        """Zeros, for each state."""
        sizes = self.state_size if isinstance(self.state_size, (list, tuple)) else [self.state_size]
        return [ops.zeros((batch_size, n), dtype=self.compute_dtype) for n in sizes]

    def get_config(self) -> dict:
        config = {
            "units": self.units,
            "use_bias": self.use_bias,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
        }
        return {**super().get_config(), **config, **options_config(self)}


@export("keras.layers")
class SimpleRNNCell(GatedCell):
    """One step of SimpleRNN: activation(inputs @ kernel + state @ recurrent_kernel + bias).

    Args:
        units: size of the state and of the output.
        activation: activation or its name.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the state that are dropped in training.
        seed: of the dropout; an integer or None.

    Call: inputs (batch, features) and states [(batch, units)]; gives the output (batch, units) and the new states.

    Raises:
        ValueError: for units below 1.

    >>> import kerasish as keras
    >>> output, states = keras.layers.SimpleRNNCell(3)(keras.ops.ones((2, 5)), [keras.ops.zeros((2, 3))])
    >>> output.shape, len(states)
    ((2, 3), 1)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        options = dict(
            activation=activation,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
        )
        super().__init__(units, use_bias, dropout, recurrent_dropout, seed, options, **kwargs)

    def _drops(self, rate: float, training: Any) -> bool:
        return bool(training) and rate > 0  # unlike the others, it also drops everything

    def call(self, sequence: Any, states: Any, training: bool = False) -> tuple:
        h = states[0] if is_nested(states) else states
        x = self._dropped_product(sequence, self.kernel, self._input_masks(sequence, training))
        x = x if self.bias is None else ops.add(x, self.bias)
        x = ops.add(x, self._dropped_product(h, self.recurrent_kernel, self._state_masks(h, training)))
        h = self.activation(x)
        return h, [h] if is_nested(states) else h


@export("keras.layers")
class GRUCell(GatedCell):
    """One step of a gated recurrent unit (K. Cho et al., 2014).

    With z and r the sigmoids of the update and the reset gate: n = activation(candidate), state = z state + (1 - z) n,
    where r multiplies the state before the candidate's recurrent product or, with reset_after, that product.

    Args:
        units: size of the state and of the output.
        activation: of the candidate.
        recurrent_activation: of the gates.
        use_bias: whether biases are added: one for inputs and one for the state with reset_after, one in all without.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the state that are dropped in training.
        reset_after: see above.
        seed: of the dropout; an integer or None.

    The columns of the kernels are the gates z, r and the candidate.
    Call: inputs (batch, features) and states [(batch, units)]; gives the output (batch, units) and the new states.

    Raises:
        ValueError: for units below 1.

    >>> import kerasish as keras
    >>> output, states = keras.layers.GRUCell(3)(keras.ops.ones((2, 5)), [keras.ops.zeros((2, 3))])
    >>> output.shape, len(states)
    ((2, 3), 1)
    """

    gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        reset_after=True,
        seed=None,
        **kwargs,
    ):
        implementation = kwargs.pop("implementation", 2)
        options = dict(
            activation=activation,
            recurrent_activation=recurrent_activation,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
        )
        super().__init__(units, use_bias, dropout, recurrent_dropout, seed, options, **kwargs)
        self.reset_after = reset_after
        self._set_implementation(implementation)

    def bias_shape(self) -> tuple:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def biases(self) -> tuple:
        """The biases of the inputs and of the state; None where there is none."""
        if self.bias is None:
            return None, None
        return (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, None)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple:
        h = states[0] if is_nested(states) else states
        input_bias, bias = self.biases()
        x = self._dropped_product(inputs, self.kernel, self._input_masks(inputs, training))
        x = x if input_bias is None else ops.add(x, input_bias)
        masks = self._state_masks(h, training)
        h = gru_step(
            x, h, self.recurrent_kernel, bias, self.reset_after, self.activation, self.recurrent_activation, masks
        )
        return h, [h] if is_nested(states) else h

    def get_config(self) -> dict:
        return {**super().get_config(), "reset_after": self.reset_after}


@export("keras.layers")
class LSTMCell(GatedCell):
    """One step of long short-term memory (S. Hochreiter, J. Schmidhuber, 1997).

    With i, f and o the gates: c = f c + i activation(candidate), h = o activation(c).

    Args:
        units: size of either state and of the output.
        activation: of the candidate and of c.
        recurrent_activation: of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        unit_forget_bias: whether the forget gate's bias begins with ones.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of h that are dropped in training.
        seed: of the dropout; an integer or None.

    The columns of the kernels are the gates i, f, the candidate and o.
    Call: inputs (batch, features) and states [h, c], each (batch, units); gives the output h and the new states.

    Raises:
        ValueError: for units below 1.

    >>> import kerasish as keras
    >>> zeros = keras.ops.zeros((2, 3))
    >>> output, states = keras.layers.LSTMCell(3)(keras.ops.ones((2, 5)), [zeros, zeros])
    >>> output.shape, len(states)
    ((2, 3), 2)
    """

    gates = 4

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        implementation = kwargs.pop("implementation", 2)
        options = dict(
            activation=activation,
            recurrent_activation=recurrent_activation,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
        )
        super().__init__(units, use_bias, dropout, recurrent_dropout, seed, options, **kwargs)
        self.unit_forget_bias = unit_forget_bias
        self._set_implementation(implementation)
        self.state_size = [self.units, self.units]

    def bias_values(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        return forget_gate_ones(self.bias_initializer, self.units)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple:
        h, c = states
        x = self._dropped_product(inputs, self.kernel, self._input_masks(inputs, training))
        x = ops.add(x, self._dropped_product(h, self.recurrent_kernel, self._state_masks(h, training)))
        x = x if self.bias is None else ops.add(x, self.bias)
        h, c = lstm_step(x, c, self.activation, self.recurrent_activation)
        return h, [h, c]

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


def forget_gate_ones(initializer: Any, units: int) -> Any:
    """Initial values of an LSTM's bias: the initializer's, but ones for the forget gate, the second of four."""

    def values(shape: Any, dtype: Any = None) -> Any:
        ones = ops.ones((units,), dtype=dtype)
        return ops.concatenate([initializer((units,), dtype=dtype), ones, initializer((2 * units,), dtype=dtype)])

    return values
