"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: long short-term memory with convolutions for products."""

from __future__ import annotations

from typing import Any

from .. import ops, regularizers
from ..engine.config import standardize_data_format
from ..engine.errors import invalid
from ..engine.operation import infer_spec
from ..engine.serialization import export
from ..engine.spec import Spec
from ..ops.rnn import lstm_step
from ..ops.windows import check_one_of_strides_and_dilation, check_padding, per_dimension
from .input_spec import InputSpec
from .options import check_count, options_config, set_options
from .rnn import RNN, first_of, of_cell
from .rnn_cells import DropoutCell, forget_gate_ones

_SHAPE = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")
_PLAIN = ("use_bias", "unit_forget_bias", "dropout", "recurrent_dropout", "seed")


class ConvLSTMCell(DropoutCell):
    """One step of a ConvLSTM layer (X. Shi et al., 2015).

    The sums of the gates are conv(inputs, kernel) + conv(h, recurrent_kernel) + bias, where the second convolution
    keeps the size. The kernels' last axis holds the gates i, f, the candidate and o.
    """

    dropout_mask_count = 4

    def __init__(self, rank: int, arguments: dict, **kwargs: Any):
        super().__init__(**kwargs)
        where = f"ConvLSTM{rank}D"
        given = dict(arguments)
        self.rank = rank
        self.filters = check_count(where, "filters", given.pop("filters"))
        self.kernel_size = per_dimension(where, "kernel_size", given.pop("kernel_size"), rank)
        self.strides = per_dimension(where, "strides", given.pop("strides"), rank)
        self.padding = check_padding(where, given.pop("padding"))
        self.data_format = standardize_data_format(given.pop("data_format"))
        self.dilation_rate = per_dimension(where, "dilation_rate", given.pop("dilation_rate"), rank)
        check_one_of_strides_and_dilation(where, self.strides, self.dilation_rate)
        self.use_bias = given.pop("use_bias")
        self.unit_forget_bias = given.pop("unit_forget_bias")
        self._set_dropout(given.pop("dropout"), given.pop("recurrent_dropout"), given.pop("seed"))
        set_options(self, **given)
        self.state_size = [-1, -1]  # follows from the input
        self.channel_axis = -1 if self.data_format == "channels_last" else 1

    def build(self, inputs_shape: Any, states_shape: Any = None) -> None:
        channels = inputs_shape[self.channel_axis]
        spatial = inputs_shape[1:-1] if self.data_format == "channels_last" else inputs_shape[2:]
        if channels is None or None in spatial:
            raise invalid(
                f"ConvLSTM{self.rank}D", "channels and spatial dimensions must be known", input_shape=inputs_shape
            )
        self._step_shape = tuple(inputs_shape[1:])
        sizes = {"kernel": channels, "recurrent_kernel": self.filters}
        for name, inputs in sizes.items():
            prefix = name.removesuffix("_kernel")
            weight = self.add_weight(
                shape=(*self.kernel_size, inputs, 4 * self.filters),
                name=name,
                initializer=getattr(self, f"{prefix}_initializer"),
                regularizer=getattr(self, f"{prefix}_regularizer"),
                constraint=getattr(self, f"{prefix}_constraint"),
            )
            setattr(self, name, weight)
        self.bias = None
        if self.use_bias:
            plain = self.bias_initializer
            self.bias = self.add_weight(
                shape=(4 * self.filters,),
                name="bias",
                initializer=forget_gate_ones(plain, self.filters) if self.unit_forget_bias else plain,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def _input_conv(self, x: Any, kernel: Any) -> Any:
        return ops.conv(
            x,
            kernel,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
            dilation_rate=self.dilation_rate,
        )

    def _recurrent_conv(self, h: Any, kernel: Any) -> Any:
        return ops.conv(h, kernel, strides=1, padding="same", data_format=self.data_format)

    def _gates(self, conv: Any, x: Any, kernel: Any, masks: Any) -> Any:
        """The convolution for all gates, after dropout by the masks of each, where there are any."""
        if masks is None:
            return conv(x, kernel)
        parts = ops.split(kernel, 4, axis=-1)
        sums = [conv(ops.multiply(x, m), k) for m, k in zip(masks, parts)]
        return ops.concatenate(sums, axis=self.channel_axis)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple:
        h, c = states
        drops, drops_h = training and 0 < self.dropout < 1, training and 0 < self.recurrent_dropout < 1
        masks = self.get_dropout_mask(inputs) if drops else None
        h_masks = self.get_recurrent_dropout_mask(h) if drops_h else None
        x = self._gates(self._input_conv, inputs, self.kernel, masks)
        if self.bias is not None:
            shape = [1] * (self.rank + 2)
            shape[self.channel_axis] = -1
            x = ops.add(x, ops.reshape(self.bias, shape))
        sums = ops.add(x, self._gates(self._recurrent_conv, h, self.recurrent_kernel, h_masks))
        h, c = lstm_step(sums, c, self.activation, self.recurrent_activation, axis=self.channel_axis)
        return h, [h, c]

    def state_shape(self, step_shape: Any) -> tuple:
        """The shape of either state for inputs of this shape at a step."""
        kernel = (*self.kernel_size, step_shape[self.channel_axis], self.filters)
        dtype = self._symbol_dtype()
        return tuple(infer_spec(self._input_conv, Spec(tuple(step_shape), dtype), Spec(kernel, dtype)).shape)

    def get_initial_state(self, batch_size: Any = None) -> list:
        """Zeros."""
        shape = self.state_shape((batch_size, *self._step_shape))
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in range(2)]

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> tuple:
        shape = self.state_shape(inputs_shape)
        return shape, [shape, shape]


class ConvLSTM(RNN):
    """Base of ConvLSTM1D, ConvLSTM2D and ConvLSTM3D."""

    def __init__(self, rank: int, arguments: dict, **kwargs: Any):
        own = {
            k: arguments.pop(k)
            for k in ("return_sequences", "return_state", "go_backwards", "stateful", "activity_regularizer")
        }
        cell = ConvLSTMCell(
            rank,
            arguments,
            name="conv_lstm_cell",
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
        )
        super().__init__(cell, **own, **kwargs)
        self.input_spec = InputSpec(ndim=rank + 3)

    def compute_output_shape(
        self, sequences_shape: Any = None, initial_state_shape: Any = None, *, input_shape: Any = None
    ) -> Any:
        batch, time, *rest = first_of(sequences_shape, input_shape)
        state = self.cell.state_shape((batch, *rest))
        output = (batch, time, *state[1:]) if self.return_sequences else state
        return (output, state, state) if self.return_state else output

    def get_config(self) -> dict:
        config = {k: v for k, v in super().get_config().items() if k != "cell"}
        config.update({k: getattr(self.cell, k) for k in (*_SHAPE, *_PLAIN)})
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return {**config, **options_config(self.cell)}

    @classmethod
    def from_config(cls, config: dict) -> Any:
        return cls(**config)


for _name in (
    *_SHAPE, "activation", "recurrent_activation", "use_bias", "kernel_initializer", "recurrent_initializer",
    "bias_initializer", "unit_forget_bias", "kernel_regularizer", "recurrent_regularizer", "bias_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint", "dropout", "recurrent_dropout",
):  # fmt: skip
    setattr(ConvLSTM, _name, of_cell(_name))


@export("keras.layers")
class ConvLSTM1D(ConvLSTM):
    """ConvLSTM1D over sequences of rows: LSTM with convolutions for products (X. Shi et al., 2015).

    Args:
        filters: channels of the states and of the output.
        kernel_size: of both convolutions; an integer or one for each spatial dimension.
        strides, padding, dilation_rate: of the convolution of the inputs; that of the state keeps its size.
        data_format: "channels_last" (the default) or "channels_first".
        activation: of the candidate and of the cell state.
        recurrent_activation: of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        unit_forget_bias: whether the forget gate's bias begins with ones.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the states that are dropped in training, the same ones
            in every step, others for each gate.
        seed: of the dropout; an integer or None.
        return_sequences, return_state, go_backwards, stateful: see RNN.

    Input: (batch, time, steps, channels); output: (batch, new steps, filters), with return_sequences after a time axis.

    Raises:
        ValueError: for arguments that no convolution takes, or unknown spatial dimensions.

    >>> import kerasish as keras
    >>> keras.layers.ConvLSTM1D(3, 2)(keras.ops.ones((2, 4, 6, 1))).shape
    (2, 5, 3)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "kwargs", "__class__")}
        super().__init__(1, arguments, **kwargs)


@export("keras.layers")
class ConvLSTM2D(ConvLSTM):
    """ConvLSTM2D over sequences of images: LSTM with convolutions for products (X. Shi et al., 2015).

    Args:
        filters: channels of the states and of the output.
        kernel_size: of both convolutions; an integer or one for each spatial dimension.
        strides, padding, dilation_rate: of the convolution of the inputs; that of the state keeps its size.
        data_format: "channels_last" (the default) or "channels_first".
        activation: of the candidate and of the cell state.
        recurrent_activation: of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        unit_forget_bias: whether the forget gate's bias begins with ones.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the states that are dropped in training, the same ones
            in every step, others for each gate.
        seed: of the dropout; an integer or None.
        return_sequences, return_state, go_backwards, stateful: see RNN.

    Input: (batch, time, rows, columns, channels); output: (batch, new rows, new columns, filters),
    with return_sequences after a time axis.

    Raises:
        ValueError: for arguments that no convolution takes, or unknown spatial dimensions.

    >>> import kerasish as keras
    >>> keras.layers.ConvLSTM2D(3, 2)(keras.ops.ones((2, 4, 6, 7, 1))).shape
    (2, 5, 6, 3)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "kwargs", "__class__")}
        super().__init__(2, arguments, **kwargs)


@export("keras.layers")
class ConvLSTM3D(ConvLSTM):
    """ConvLSTM3D over sequences of volumes: LSTM with convolutions for products (X. Shi et al., 2015).

    Args:
        filters: channels of the states and of the output.
        kernel_size: of both convolutions; an integer or one for each spatial dimension.
        strides, padding, dilation_rate: of the convolution of the inputs; that of the state keeps its size.
        data_format: "channels_last" (the default) or "channels_first".
        activation: of the candidate and of the cell state.
        recurrent_activation: of the gates.
        use_bias: whether a bias is added.
        kernel_initializer, recurrent_initializer, bias_initializer: initial values.
        unit_forget_bias: whether the forget gate's bias begins with ones.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each update.
        dropout, recurrent_dropout: shares of the inputs and of the states that are dropped in training, the same ones
            in every step, others for each gate.
        seed: of the dropout; an integer or None.
        return_sequences, return_state, go_backwards, stateful: see RNN.

    Input: (batch, time, depth, rows, columns, channels); output: (batch, new depth, new rows, new
    columns, filters), with return_sequences after a time axis.

    Raises:
        ValueError: for arguments that no convolution takes, or unknown spatial dimensions.

    >>> import kerasish as keras
    >>> keras.layers.ConvLSTM3D(3, 2)(keras.ops.ones((2, 4, 4, 6, 7, 1))).shape
    (2, 3, 5, 6, 3)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "kwargs", "__class__")}
        super().__init__(3, arguments, **kwargs)
