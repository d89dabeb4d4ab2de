"""Activations as layers: Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from .input_spec import InputSpec
from .layer import Layer
from .options import check_axes, check_number, options_config, set_options


class ElementwiseLayer(Layer):
    """Base of layers whose output has the input's shape, and that hand masks on."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@export("keras.layers")
class Activation(ElementwiseLayer):
    """An activation function as a layer.

    Args:
        activation: activation or its name.

    >>> import kerasish as keras
    >>> keras.layers.Activation("relu")(keras.ops.array([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        set_options(self, activation=activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def get_config(self) -> dict:
        return {**super().get_config(), **options_config(self)}


@export("keras.layers")
class ReLU(ElementwiseLayer):
    """max(x, 0), with variations: f(x) = max_value above it, x from threshold on, negative_slope (x - threshold) below.

    Args:
        max_value: upper limit, at least 0; none by default.
        negative_slope: slope below the threshold, at least 0.
        threshold: where the linear part begins, at least 0.

    Raises:
        ValueError: for a negative argument.

    >>> import kerasish as keras
    >>> keras.layers.ReLU(max_value=1.0)(keras.ops.array([-1.0, 0.5, 2.0])).numpy()
    array([0. , 0.5, 1. ], dtype=float32)
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else check_number("ReLU", "max_value", max_value, least=0)
        self.negative_slope = check_number("ReLU", "negative_slope", negative_slope, least=0)
        self.threshold = check_number("ReLU", "threshold", threshold, least=0)

    def call(self, inputs: Any) -> Any:
        x = inputs
        if not self.negative_slope and not self.threshold and self.max_value is None:
            return ops.relu(x)
        negative = None
        if self.negative_slope:
            negative = ops.multiply(ops.relu(ops.subtract(self.threshold, x)), self.negative_slope)
        if self.threshold:
            y = ops.multiply(x, ops.cast(ops.greater(x, self.threshold), x.dtype))
        else:
            y = ops.relu(x)
        if self.max_value is not None:
            y = ops.minimum(y, self.max_value)
        return y if negative is None else ops.subtract(y, negative)

    def get_config(self) -> dict:
        config = {"max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}
        return {**super().get_config(), **config}


@export("keras.layers")
class LeakyReLU(ElementwiseLayer):
    """x where x is positive, negative_slope x elsewhere.

    Args:
        negative_slope: at least 0.

    Raises:
        ValueError: for a negative slope.

    >>> import kerasish as keras
    >>> keras.layers.LeakyReLU(0.5)(keras.ops.array([-1.0, 2.0])).numpy()
    array([-0.5,  2. ], dtype=float32)
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        if "alpha" in kwargs:  # Keras 2's name
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        self.negative_slope = check_number("LeakyReLU", "negative_slope", negative_slope, least=0)

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self) -> dict:
        return {**super().get_config(), "negative_slope": self.negative_slope}


@export("keras.layers")
class PReLU(ElementwiseLayer):
    """x where x is positive, alpha x elsewhere, with a learned alpha for each feature.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the slopes.
        shared_axes: axes (from 1) along which one slope serves all.

    >>> import kerasish as keras
    >>> keras.layers.PReLU("ones")(keras.ops.ones((1, 4)) * -2).numpy()
    array([[-2., -2., -2., -2.]], dtype=float32)
    """

    def __init__(
        self, alpha_initializer="Zeros", alpha_regularizer=None, alpha_constraint=None, shared_axes=None, **kwargs
    ):
        super().__init__(**kwargs)
        set_options(
            self,
            alpha_initializer=alpha_initializer,
            alpha_regularizer=alpha_regularizer,
            alpha_constraint=alpha_constraint,
        )
        self.shared_axes = None
        if shared_axes is not None:
            shared = check_axes("PReLU", "shared_axes", shared_axes)
            self.shared_axes = shared if isinstance(shared, list) else [shared]
            if any(axis < 1 for axis in self.shared_axes):
                raise invalid("PReLU", "shared axes count from 1, behind the batch", shared_axes=shared_axes)

    def build(self, input_shape: Any) -> None:
        if any(axis >= len(input_shape) for axis in self.shared_axes or ()):
            raise invalid(
                "PReLU", "shared_axes are axes of the input", shared_axes=self.shared_axes, input_shape=input_shape
            )
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        if None in shape:
            raise invalid("PReLU", "dimensions that are not shared must be known", input_shape=input_shape)
        self.alpha = self.add_weight(
            shape=tuple(shape),
            name="alpha",
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        shared = self.shared_axes or ()
        axes = {k: d for k, d in enumerate(input_shape) if k and k not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Any) -> Any:
        return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, ops.relu(ops.negative(inputs))))

    def get_config(self) -> dict:
        return {**super().get_config(), **options_config(self), "shared_axes": self.shared_axes}


@export("keras.layers")
class ELU(ElementwiseLayer):
    """x where x is positive, alpha (exp(x) - 1) elsewhere.

    Args:
        alpha: factor of the negative part.

    >>> import kerasish as keras
    >>> keras.layers.ELU()(keras.ops.array([0.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = check_number("ELU", "alpha", alpha)

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, alpha=self.alpha)

    def get_config(self) -> dict:
        return {**super().get_config(), "alpha": self.alpha}


@export("keras.layers")
class Softmax(ElementwiseLayer):
    """exp(x) / sum(exp(x)) along one or several axes; masked entries get 0.

    Args:
        axis: axis or axes.

    >>> import kerasish as keras
    >>> keras.layers.Softmax()(keras.ops.array([[1.0, 1.0]])).numpy()
    array([[0.5, 0.5]], dtype=float32)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        check_axes("Softmax", "axis", axis)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            sizes = zip(reversed(mask.shape), reversed(inputs.shape))
            if len(mask.shape) > len(inputs.shape) or any(None not in (m, d) and m not in (1, d) for m, d in sizes):
                raise invalid("Softmax", "the mask must broadcast to the inputs", mask=mask, inputs=inputs)
            if mask.dtype != "bool":
                mask = ops.greater(mask, 0.5)
            inputs = ops.where(mask, inputs, -3.0e4 if inputs.dtype == "float16" else -1.0e9)
        if not isinstance(self.axis, (tuple, list)):
            y = ops.softmax(inputs, axis=self.axis)
        elif len(self.axis) == 1:
            y = ops.softmax(inputs, axis=self.axis[0])
        else:
            y = ops.exp(ops.subtract(inputs, ops.logsumexp(inputs, axis=tuple(self.axis), keepdims=True)))
        return y if mask is None else ops.where(mask, y, 0.0)  # also where everything is masked

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}
