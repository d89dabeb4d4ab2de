"""EinsumDense: a dense layer over any axes, given in index notation."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

from .. import initializers, ops, regularizers
from ..engine.errors import invalid
from ..engine.serialization import export
from ..ops.matmul import matmul_bias
from .input_spec import InputSpec
from .layer import Layer
from .options import options_config, refuse, set_options

_FORM = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class Equation(NamedTuple):
    """The labels of an equation, and whether dimensions may precede or follow those of the input and the output."""

    inputs: str
    kernel: str
    output: str
    left: bool
    right: bool

    @classmethod
    def parse(cls, text: str) -> Equation:
        """From "ab,bc->ac", "...ab,bc->...ac" or "ab...,bc->ac...".

        Raises:
            ValueError: for anything else.
        """
        match = _FORM.fullmatch(text.replace(" ", "")) if isinstance(text, str) else None
        left, inputs, right, kernel, left_out, output, right_out = match.groups() if match else (None,) * 7
        if match is None or left != left_out or right != right_out or (left and right):
            rule = "equation has the form 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...'"
            raise invalid("EinsumDense", rule, equation=text)
        return cls(inputs, kernel, output, bool(left), bool(right))


class Shapes(NamedTuple):
    """What follows from an equation and the shape of the input."""

    kernel: tuple
    bias: tuple | None
    output: tuple
    input_axes: list  # of the kernel: labels that are summed over
    output_axes: list


def analyze(text: str, bias_axes: str | None, input_shape: Any, output_shape: tuple) -> Shapes:
    """The shapes of the kernel, the bias and the output; `output_shape` lacks the batch and what `...` stands for.

    Raises:
        ValueError: where the equation, the shapes and `bias_axes` do not fit each other.
    """
    e = Equation.parse(text)

    def error(rule: str) -> Exception:
        return invalid(
            "EinsumDense", rule, equation=text, bias_axes=bias_axes, input_shape=input_shape, output_shape=output_shape
        )

    hidden = len(input_shape) - len(e.inputs)
    if hidden < 0 or (hidden > 0 and not (e.left or e.right)):
        raise error(f"the input has the {len(e.inputs)} dimensions that the equation names")
    out = [input_shape[0], *output_shape]
    if e.left:
        out[1:1] = input_shape[1:hidden]
        out = out if hidden else out[1:]
    else:
        out += input_shape[len(input_shape) - hidden :]
    first = hidden if e.left else 0
    if len(out) != len(e.output) + hidden:
        raise error(f"output_shape has {len(e.output) - (0 if e.left and hidden else 1)} entries")
    size_in = {c: input_shape[first + i] for i, c in enumerate(e.inputs)}
    at_out = {c: first + i for i, c in enumerate(e.output)}
    for c, size in size_in.items():
        if c in at_out and None not in (size, out[at_out[c]]) and out[at_out[c]] != size:
            raise error(f"input and output must agree in dimension {c!r}: {size} and {out[at_out[c]]}")
        if c in at_out and out[at_out[c]] is None:
            out[at_out[c]] = size
    for c in e.output:
        if c not in size_in and c not in e.kernel:
            raise error(f"the output's dimension {c!r} is in the input or in the kernel")
    for c in e.kernel:
        if c not in size_in and c not in at_out:
            raise error(f"the kernel's dimension {c!r} is in the input or in the output")
    kernel = tuple(out[at_out[c]] if c in at_out else size_in[c] for c in e.kernel)
    if None in kernel:
        raise error(f"the dimensions of the kernel must be known, not {kernel}")
    bias = None
    if bias_axes is not None:
        if not bias_axes or any(c not in e.output for c in bias_axes):
            raise error(f"bias_axes names dimensions of the output {e.output!r}")
        tail = e.output[min(e.output.index(c) for c in bias_axes) :]
        bias = tuple(out[at_out[c]] if c in bias_axes else 1 for c in tail) + (() if e.left else (1,) * hidden)
        if None in bias:
            raise error(f"the dimensions of the bias must be known, not {bias}")
    summed = [i for i, c in enumerate(e.kernel) if c not in at_out]
    return Shapes(kernel, bias, tuple(out), summed, [i for i, c in enumerate(e.kernel) if c in at_out])


def as_matrices(text: str) -> tuple[int, int] | None:
    """How many dimensions are summed over and how many the kernel adds, where the equation is one product of matrices.

    That is so where the operands need no transposition: what is summed over comes last in the input and first in the
    kernel, and what the kernel adds comes last in the output. None for other equations.
    """
    e = Equation.parse(text)
    summed = "".join(c for c in e.kernel if c not in e.output)
    added = e.kernel[len(summed) :]
    rows = e.inputs[: len(e.inputs) - len(summed)]
    fits = e.kernel == summed + added and e.inputs == rows + summed and e.output == rows + added
    return (len(summed), len(added)) if fits and summed and added and not e.right else None


@export("keras.layers")
class EinsumDense(Layer):
    """activation(einsum(equation, inputs, kernel) + bias).

    Where the summed dimensions are the input's last and the kernel's first, as in "abc,cde->abde" or "abcd,cde->abe",
    it is one product of matrices, and nothing is transposed.

    Args:
        equation: "ab,bc->ac", or with `...` for any number of dimensions on one side: "...ab,bc->...ac" or
            "ab...,bc->ac...".
        output_shape: shape of the output without the batch dimension and those of `...`; None for what follows from
            the input.
        activation: activation or its name; none by default.
        bias_axes: labels of the output's dimensions along which there is a bias; none by default.
        kernel_initializer, bias_initializer: initial values.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: applied after each update.
        lora_rank, lora_alpha, gptq_unpacked_column_size, quantization_config: must be None.

    Raises:
        ValueError: for an equation of another form, and where it does not fit the shapes.

    >>> import kerasish as keras
    >>> layer = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 8), bias_axes="de")
    >>> layer(keras.ops.ones((2, 5, 6))).shape
    (2, 5, 4, 8)
    """

    def __init__(
        self,
        equation,
        output_shape,
        activation=None,
        bias_axes=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        lora_rank=None,
        lora_alpha=None,
        gptq_unpacked_column_size=None,
        quantization_config=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        refuse(
            "EinsumDense",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            gptq_unpacked_column_size=gptq_unpacked_column_size,
            quantization_config=quantization_config,
        )
        self._matrices = as_matrices(equation)
        self.equation = equation
        shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        if any(isinstance(d, bool) or not (d is None or (isinstance(d, int) and d > 0)) for d in shape):
            raise invalid("EinsumDense", "output_shape has positive integers and None", output_shape=output_shape)
        self.partial_output_shape = shape
        self.bias_axes = bias_axes
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

    def _analyze(self, input_shape: Any) -> Shapes:
        return analyze(self.equation, self.bias_axes, tuple(input_shape), self.partial_output_shape)

    def build(self, input_shape: Any) -> None:
        shapes = self._analyze(input_shape)
        initializer = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and None in (
            initializer.input_axes,
            initializer.output_axes,
        ):
            # The fans are those of the summed and of the other dimensions.
            config = {**initializer.get_config(), "seed": initializer.seed}
            axes = {"input_axes": shapes.input_axes, "output_axes": shapes.output_axes}
            initializer = type(initializer).from_config({**config, **axes})
        self.kernel = self.add_weight(
            shape=shapes.kernel,
            initializer=initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if shapes.bias is not None:
            self.bias = self.add_weight(
                shape=shapes.bias,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(ndim=len(input_shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        shape = tuple(inputs.shape)
        if self._matrices is not None and None not in shape:
            x = self._product(inputs, shape, *self._matrices)
        else:
            x = ops.einsum(self.equation, inputs, self.kernel)
            x = x if self.bias is None else ops.add(x, self.bias)
        return x if self.activation is None else self.activation(x)

    def _product(self, x: Any, shape: tuple, summed: int, added: int) -> Any:
        """The equation as one product of matrices, with the bias added in it where it has a value for each column."""
        rows, new = shape[: len(shape) - summed], tuple(self.kernel.shape[summed:])
        depth, width = prod(shape[len(rows) :]), prod(new)
        kernel = self.kernel
        if summed > 1:
            x = ops.reshape(x, (*rows, depth))
        if summed > 1 or added > 1:
            kernel = ops.reshape(kernel, (depth, width))
        if self.bias is not None and tuple(self.bias.shape) == new:
            y = matmul_bias(x, kernel, self.bias if added == 1 else ops.reshape(self.bias, (width,)))
            return ops.reshape(y, (*rows, *new)) if added > 1 else y
        y = ops.matmul(x, kernel)
        y = ops.reshape(y, (*rows, *new)) if added > 1 else y
        return y if self.bias is None else ops.add(y, self.bias)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return self._analyze(input_shape).output

    def get_config(self) -> dict:
        config = {
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "bias_axes": self.bias_axes,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "quantization_config": None,
        }
        return {**super().get_config(), **config, **options_config(self)}
