"""SimpleRNN, GRU and LSTM: recurrent layers on fused kernels."""

from __future__ import annotations

from typing import Any

from .. import activations, ops, regularizers
from ..engine.errors import invalid
from ..engine.naming import to_snake_case
from ..engine.serialization import export
from ..ops.matmul import matmul_bias
from ..ops.rnn import gru_op, lstm_op, run_fused, simple_rnn_op
from .input_spec import InputSpec
from .options import options_config
from .rnn import RNN, of_cell
from .rnn_cells import GRUCell, LSTMCell, SimpleRNNCell

_SIMPLE = {
    **dict.fromkeys((activations.tanh, ops.tanh), "tanh"),
    **dict.fromkeys((activations.relu, ops.relu), "relu"),
    activations.linear: "linear",
}
_TANH, _SIGMOID = (activations.tanh, ops.tanh), (activations.sigmoid, ops.sigmoid)
_OWN = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


class FusedRNN(RNN):
    """Base of SimpleRNN, GRU and LSTM: a layer with a cell of its own, whose whole sequence is one kernel.

    The kernels have the default activations (SimpleRNN's also relu and none), and drop inputs but not states.
    Everything else takes the general way, step by step, with the same result.
    """

    cell_class: Any
    use_cudnn: Any = "auto"

    def __init__(self, units: Any, arguments: dict, **kwargs: Any):
        own = {k: arguments.pop(k) for k in (*_OWN, "activity_regularizer", "use_cudnn") if k in arguments}
        if "implementation" in kwargs:
            arguments["implementation"] = kwargs.pop("implementation")
        use_cudnn = own.pop("use_cudnn", "auto")
        name = to_snake_case(self.cell_class.__name__)
        cell = self.cell_class(
            units, name=name, dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True), **arguments
        )
        super().__init__(cell, **own, **kwargs)
        self.input_spec = InputSpec(ndim=3)
        if use_cudnn not in ("auto", True, False):
            raise invalid(type(self).__name__, "use_cudnn is 'auto', True or False", use_cudnn=use_cudnn)
        self.use_cudnn = use_cudnn

    def _fuses(self, mask: Any, training: Any) -> bool:
        """Whether the kernel computes what this call asks for."""
        cell = self.cell
        if self.use_cudnn is False or not self._has_activation():
            return False
        if getattr(cell, "recurrent_activation", _SIGMOID[0]) not in _SIGMOID:
            return False
        if training and (cell.recurrent_dropout or (cell.dropout and cell.dropout_mask_count)):
            return False  # masks on the states, or other ones on the inputs for each gate
        return mask is None or (not self.unroll and len(mask.shape) == 2)

    def _has_activation(self) -> bool:
        return self.cell.activation in _TANH

    def fused(self, inputs: Any, states: list, **options: Any) -> tuple:
        """The whole sequence by the kernel; `options` are those of `run_fused`."""
        raise NotImplementedError

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> tuple:
        if not self._fuses(mask, training):
            if self.use_cudnn is True:
                raise invalid(
                    f"{type(self).__name__} {self.name!r}",
                    "use_cudnn=True asks for the fused kernels, which have the default activations, no dropout of "
                    "states or gate by gate, and no mask with unroll; use_cudnn='auto' takes the general way instead",
                    use_cudnn=True,
                )
            return super().inner_loop(sequences, initial_state, mask, training)
        masks = self.cell._input_masks(sequences[:, 0], training)
        if masks is not None:
            sequences = ops.multiply(sequences, ops.expand_dims(masks, 1))
        return self.fused(
            sequences,
            initial_state,
            mask=mask,
            sequences=self.return_sequences,
            reverse=self.go_backwards,
            zeros_for_mask=self.zero_output_for_mask,
        )

    def _projection(self, inputs: Any, bias: Any) -> Any:
        kernel = self.cell.kernel
        return ops.matmul(inputs, kernel) if bias is None else matmul_bias(inputs, kernel, bias)

    def get_config(self) -> dict:
        config = {k: v for k, v in super().get_config().items() if k != "cell"}
        cell = self.cell
        config.update({k: getattr(cell, k) for k in ("units", "use_bias", "dropout", "recurrent_dropout", "seed")})
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return {**config, **options_config(cell)}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        return cls(**config)


for _name in (
    "units", "activation", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "kernel_constraint", "recurrent_constraint",
    "bias_constraint", "dropout", "recurrent_dropout",
):  # fmt: skip
    setattr(FusedRNN, _name, of_cell(_name))


@export("keras.layers")
class SimpleRNN(FusedRNN):
    """A fully connected recurrent layer: h_t = activation(x_t @ kernel + h_{t-1} @ recurrent_kernel + bias).

    Args:
        units: size of the state and of the output.
        activation: activation or its name.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the states that are dropped in training, the same ones
            in every step.
        return_sequences, return_state, go_backwards, stateful, unroll: see RNN.
        seed: of the dropout; an integer or None.

    Input: (batch, time, features); output: (batch, time, units) with return_sequences, else (batch, units).

    Raises:
        ValueError: for units below 1.

    >>> import kerasish as keras
    >>> keras.layers.SimpleRNN(3)(keras.ops.ones((2, 7, 5))).shape
    (2, 3)
    """

    cell_class = SimpleRNNCell

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        seed=None,
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "units", "kwargs", "__class__")}
        super().__init__(units, arguments, **kwargs)

    def fused(self, inputs: Any, states: list, **options: Any) -> tuple:
        x = self._projection(inputs, self.cell.bias)
        activation = _SIMPLE[self.cell.activation]
        return run_fused(simple_rnn_op, x, [self.cell.recurrent_kernel], states, activation=activation, **options)

    def _has_activation(self) -> bool:
        return self.cell.activation in _SIMPLE

    def get_config(self) -> dict:
        return {k: v for k, v in super().get_config().items() if k != "seed"}  # as in Keras


@export("keras.layers")
class GRU(FusedRNN):
    """Gated recurrent units (K. Cho et al., Learning phrase representations using RNN encoder-decoder, 2014).

    Args:
        units: size of the state and of the output.
        activation: of the candidate; tanh is fast.
        recurrent_activation: of the gates; sigmoid is fast.
        use_bias: whether biases are added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the states that are dropped in training, the same ones
            in every step.
        seed: of the dropout; an integer or None.
        return_sequences, return_state, go_backwards, stateful, unroll: see RNN.
        reset_after: whether the reset gate multiplies the state after the recurrent product; see GRUCell.
        use_cudnn: "auto" for the fused kernels wherever they do; True to be told where they do not; False for the
            general way.

    Input: (batch, time, features); output: (batch, time, units) with return_sequences, else (batch, units).

    Raises:
        ValueError: for units below 1, or where use_cudnn=True cannot be had.

    >>> import kerasish as keras
    >>> sequence, state = keras.layers.GRU(3, return_sequences=True, return_state=True)(keras.ops.ones((2, 7, 5)))
    >>> sequence.shape, state.shape
    ((2, 7, 3), (2, 3))
    """

    cell_class = GRUCell

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "units", "kwargs", "__class__")}
        super().__init__(units, arguments, **kwargs)

    recurrent_activation = of_cell("recurrent_activation")
    reset_after = of_cell("reset_after")

    def fused(self, inputs: Any, states: list, **options: Any) -> tuple:
        cell = self.cell
        first, bias = cell.biases()
        if not cell.reset_after:
            first, bias = None, first  # one bias for either side: the kernel adds it
        if bias is None:
            bias = ops.zeros((3 * cell.units,), dtype=inputs.dtype)
        x = self._projection(inputs, first)
        return run_fused(
            gru_op, x, [cell.recurrent_kernel, bias], states, reset_after=bool(cell.reset_after), **options
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "reset_after": self.reset_after}


@export("keras.layers")
class LSTM(FusedRNN):
    """Long short-term memory (S. Hochreiter, J. Schmidhuber, 1997).

    Args:
        units: size of the states and of the output.
        activation: of the candidate and of the cell state; tanh is fast.
        recurrent_activation: of the gates; sigmoid is fast.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        unit_forget_bias: whether the forget gate's bias begins with ones.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the states that are dropped in training, the same ones
            in every step.
        seed: of the dropout; an integer or None.
        return_sequences, return_state, go_backwards, stateful, unroll: see RNN.
        use_cudnn: "auto" for the fused kernels wherever they do; True to be told where they do not; False for the
            general way.

    Input: (batch, time, features); output: (batch, time, units) with return_sequences, else (batch, units). The states
    are h, which is also the output, and the cell state c.

    Raises:
        ValueError: for units below 1, or where use_cudnn=True cannot be had.

    >>> import kerasish as keras
    >>> last, h, c = keras.layers.LSTM(3, return_state=True)(keras.ops.ones((2, 7, 5)))
    >>> last.shape, h.shape, c.shape
    ((2, 3), (2, 3), (2, 3))
    """

    cell_class = LSTMCell

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        use_cudnn="auto",
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "units", "kwargs", "__class__")}
        super().__init__(units, arguments, **kwargs)

    recurrent_activation = of_cell("recurrent_activation")
    unit_forget_bias = of_cell("unit_forget_bias")

    def fused(self, inputs: Any, states: list, **options: Any) -> tuple:
        x = self._projection(inputs, self.cell.bias)
        return run_fused(lstm_op, x, [self.cell.recurrent_kernel], states, **options)

    def get_config(self) -> dict:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
