"""The cells of the recurrent layers: one step of SimpleRNN, GRU and LSTM, from ordinary ops."""

from __future__ import annotations

from typing import Any

from .. import ops, random
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.tree import is_nested
from ..ops.matmul import matmul_bias
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

    def _drops(self, rate: float, training: Any) -> bool:
        return bool(training) and 0 < rate < 1

    def drop_inputs(self, inputs: Any, training: Any, steps: bool) -> Any:
        """The inputs after dropout, or a list of them, one for each gate.

        Args:
            steps: whether the inputs have a time axis, 1.
        """
        if not self._drops(self.dropout, training):
            return inputs
        masks = self.get_dropout_mask(inputs[:, 0] if steps else inputs)
        several = isinstance(masks, list)
        out = [ops.multiply(inputs, ops.expand_dims(m, 1) if steps else m) for m in (masks if several else [masks])]
        return out if several else out[0]

    def _state_masks(self, h: Any, training: Any) -> Any:
        return self.get_recurrent_dropout_mask(h) if self._drops(self.recurrent_dropout, training) else None


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

    # A step is the projection of its input, which a layer makes for all steps at once, and the rest.

    def input_bias(self) -> Any:
        """What is added to the projection of the inputs, or None."""
        return self.bias

    def project(self, inputs: Any, training: Any) -> Any:
        """The inputs, after dropout, times the kernel, plus the bias."""
        x, bias = self.drop_inputs(inputs, training, steps=len(inputs.shape) > 2), self.input_bias()
        if isinstance(x, list):
            parts = ops.split(self.kernel, self.gates, axis=1)
            x = ops.concatenate([ops.matmul(a, k) for a, k in zip(x, parts)], axis=-1)
            return x if bias is None else ops.add(x, bias)
        return ops.matmul(x, self.kernel) if bias is None else matmul_bias(x, self.kernel, bias)

    def recurrent_weights(self, training: Any) -> Any:
        """The recurrent kernel as `advance` takes it: cut into gates once where each has a mask of its own."""
        several = self.dropout_mask_count is not None and self._drops(self.recurrent_dropout, training)
        return ops.split(self.recurrent_kernel, self.gates, axis=1) if several else self.recurrent_kernel

    def _state_product(self, h: Any, u: Any, training: Any) -> Any:
        """The state, after dropout, times the recurrent kernel."""
        masks = self._state_masks(h, training)
        if not isinstance(masks, list):
            return ops.matmul(h if masks is None else ops.multiply(h, masks), u)
        return ops.concatenate([ops.matmul(ops.multiply(h, m), k) for m, k in zip(masks, u)], axis=-1)

    def advance(self, x: Any, states: list, u: Any, training: Any) -> tuple:
        """(output, new states) from the projection of the inputs of a step."""
        raise NotImplementedError

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple:
        nested = is_nested(states)
        x, u = self.project(inputs, training), self.recurrent_weights(training)
        output, new = self.advance(x, list(states) if nested else [states], u, training)
        return output, new if nested else new[0]

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

    def advance(self, x: Any, states: list, u: Any, training: Any) -> tuple:
        h = self.activation(ops.add(x, self._state_product(states[0], u, training)))
        return h, [h]

    def call(self, sequence: Any, states: Any, training: bool = False) -> tuple:
        return super().call(sequence, states, training)


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

    def input_bias(self) -> Any:
        return None if self.bias is None else self.bias[0] if self.reset_after else self.bias

    def recurrent_bias(self) -> Any:
        """What is added to the products of the state, or None."""
        return self.bias[1] if self.bias is not None and self.reset_after else None

    def recurrent_weights(self, training: Any) -> Any:
        u = super().recurrent_weights(training)
        if not self.reset_after and not isinstance(u, list):
            u = ops.split(u, 3, axis=1)  # z and r come before the product of n
        return u, self.recurrent_bias()

    def advance(self, x: Any, states: list, u: Any, training: Any) -> tuple:
        (h,), (u, bias) = states, u
        masks = self._state_masks(h, training)
        h = gru_step(x, h, u, bias, self.reset_after, self.activation, self.recurrent_activation, masks)
        return h, [h]

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

    def advance(self, x: Any, states: list, u: Any, training: Any) -> tuple:
        h, c = states
        sums = ops.add(x, self._state_product(h, u, training))
        h, c = lstm_step(sums, c, self.activation, self.recurrent_activation)
        return h, [h, c]

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}


def forget_gate_ones(initializer: Any, units: int) -> Any:
    """Initial values of an LSTM's bias: the initializer's, but ones for the forget gate, the second of four."""

    def values(shape: Any, dtype: Any = None) -> Any:
        ones = ops.ones((units,), dtype=dtype)
        return ops.concatenate([initializer((units,), dtype=dtype), ones, initializer((2 * units,), dtype=dtype)])

    return values
