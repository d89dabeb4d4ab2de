"""Dense: the fully connected layer."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..ops.matmul import matmul_bias
from .input_spec import InputSpec
from .layer import Layer
from .options import check_count, options_config, refuse, set_options


@export("keras.layers")
class Dense(Layer):
    """activation(inputs @ kernel + bias), over the last axis.

    Args:
        units: size of the output's last axis.
        activation: activation or its name; none by default.
        use_bias: whether a bias is added.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.
        lora_rank, lora_alpha, quantization_config: must be None.

    Input: (batch, ..., features); output: (batch, ..., units).

    Raises:
        ValueError: for units below 1 and for another number of features than the layer was built with.

    >>> import kerasish as keras
    >>> keras.layers.Dense(3)(keras.ops.ones((2, 5))).shape
    (2, 3)
    """

    def __init__(
        self,
        units,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        quantization_config=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        refuse("Dense", lora_rank=lora_rank, lora_alpha=lora_alpha, quantization_config=quantization_config)
        self.units = check_count("Dense", "units", units)
        self.use_bias = use_bias
        set_options(
            self,
            activation=activation,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        if features is None:
            raise invalid("Dense", "the last dimension of the input must be known", input_shape=input_shape)
        self.kernel = self.add_weight(
            shape=(features, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = ops.matmul(inputs, self.kernel) if self.bias is None else matmul_bias(inputs, self.kernel, self.bias)
        return x if self.activation is None else self.activation(x)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        config = {"units": self.units, "use_bias": self.use_bias, "quantization_config": None, **options_config(self)}
        return {**super().get_config(), **config}
