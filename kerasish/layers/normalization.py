"""BatchNormalization, LayerNormalization, GroupNormalization, RMSNormalization, UnitNormalization."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.config import epsilon as small
from ..engine.dtype import result_type
from ..engine.errors import invalid
from ..engine.serialization import export
from .activation import ElementwiseLayer
from .input_spec import InputSpec
from .options import check_axes, check_count, check_number, check_rate, options_config, refuse, set_options


def known_sizes(layer: Any, input_shape: Any, axes: Any) -> tuple:
    """The sizes of a normalization layer's axes, which must be known."""
    where, rank = type(layer).__name__, len(input_shape)
    for a in axes:
        if not -rank <= a < rank:
            raise invalid(where, f"axis {a} is out of range for an input of rank {rank}", axis=layer.axis)
    shape = tuple(input_shape[a] for a in axes)
    if None in shape:
        raise invalid(where, "the normalized axes must have known sizes", input_shape=input_shape, axis=layer.axis)
    return shape


def sizes_spec(axes: Any, shape: tuple) -> InputSpec:
    """Demands that inputs have the axes, of these sizes."""
    return InputSpec(min_ndim=max(a + 1 if a >= 0 else -a for a in axes), axes=dict(zip(axes, shape)))


class ScaledNormalization(ElementwiseLayer):
    """Base of layers with a scale (gamma) and an offset (beta)."""

    def __init__(self, epsilon: float, center: bool, scale: bool, options: dict, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = check_number(type(self).__name__, "epsilon", epsilon, least=0)
        self.center, self.scale = center, scale
        self.gamma = self.beta = None
        set_options(self, **options)

    def add_scale_and_offset(self, shape: tuple) -> None:
        """Makes gamma and beta, where the layer has them; they are never read in a narrower dtype."""
        for name, wanted in (("gamma", self.scale), ("beta", self.center)):
            if wanted:
                weight = self.add_weight(
                    shape=shape,
                    name=name,
                    initializer=getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                    autocast=False,
                )
                setattr(self, name, weight)

    def get_config(self) -> dict:
        config = {"axis": self.axis, "epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **config, **options_config(self)}


@export("keras.layers")
class BatchNormalization(ScaledNormalization):
    """Normalizes each channel to mean 0 and variance 1 over the batch (Ioffe and Szegedy, 2015).

    In training the batch's own statistics are used and moving averages are kept; else the moving averages are used,
    also when the layer is frozen (`trainable = False`).

    Args:
        axis: the channel axis.
        momentum: of the moving averages: new = old * momentum + batch * (1 - momentum).
        epsilon: added to the variance.
        center, scale: whether there is an offset beta and a scale gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: initial values.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of the weights.
        renorm: must be False.
        renorm_clipping, renorm_momentum: must be left alone.
        synchronized: accepted; there is one replica.

    >>> import kerasish as keras
    >>> layer = keras.layers.BatchNormalization()
    >>> y = layer(keras.ops.convert_to_tensor([[1.0], [3.0]]), training=True)
    >>> [round(float(v), 3) for v in y.numpy()[:, 0]]
    [-1.0, 1.0]
    """

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        renorm=False,
        renorm_clipping=None,
        renorm_momentum=0.99,
        synchronized=False,
        **kwargs,
    ):
        super().__init__(
            epsilon,
            center,
            scale,
            dict(
                beta_initializer=beta_initializer,
                gamma_initializer=gamma_initializer,
                moving_mean_initializer=moving_mean_initializer,
                moving_variance_initializer=moving_variance_initializer,
                beta_regularizer=beta_regularizer,
                gamma_regularizer=gamma_regularizer,
                beta_constraint=beta_constraint,
                gamma_constraint=gamma_constraint,
            ),
            **kwargs,
        )
        refuse("BatchNormalization", renorm=renorm or None, renorm_clipping=renorm_clipping)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise invalid("BatchNormalization", "axis is an integer", axis=axis)
        self.momentum = float(check_rate("BatchNormalization", "momentum", momentum))
        self.axis, self.synchronized = axis, synchronized
        self.renorm, self.renorm_clipping, self.renorm_momentum = False, None, renorm_momentum

    def build(self, input_shape: Any) -> None:
        shape = known_sizes(self, input_shape, (self.axis,))
        self.add_scale_and_offset(shape)
        for name in ("moving_mean", "moving_variance"):
            weight = self.add_weight(
                shape=shape,
                name=name,
                initializer=getattr(self, f"{name}_initializer"),
                trainable=False,
                autocast=False,
            )
            setattr(self, name, weight)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise invalid("BatchNormalization", "the mask has one dimension less than the input", mask=mask, x=inputs)
        dtype = result_type(inputs.dtype, "float32")  # half precision overflows
        x = ops.cast(inputs, dtype)
        gamma = None if self.gamma is None else ops.cast(self.gamma, dtype)
        beta = None if self.beta is None else ops.cast(self.beta, dtype)
        if training and self.trainable:
            if mask is None:
                y, mean, variance = ops.batch_norm_training(x, gamma, beta, axis=self.axis, epsilon=self.epsilon)
            else:
                mean, variance = self._masked_moments(x, mask)
                y = ops.batch_normalization(x, mean, variance, self.axis, beta, gamma, self.epsilon)
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                now = ops.cast(ops.stop_gradient(now), moving.dtype)
                moving.assign(ops.add(ops.multiply(moving, self.momentum), ops.multiply(now, 1.0 - self.momentum)))
        else:
            y = ops.batch_normalization(
                x,
                ops.cast(self.moving_mean, dtype),
                ops.cast(self.moving_variance, dtype),
                self.axis,
                beta,
                gamma,
                self.epsilon,
            )
        return ops.cast(y, self.compute_dtype)

    def _masked_moments(self, x: Any, mask: Any) -> tuple:
        """Mean and variance of what the mask keeps."""
        axis = self.axis % len(x.shape)
        axes = tuple(k for k in range(len(x.shape)) if k != axis)
        keep = ops.cast(ops.expand_dims(mask, -1), x.dtype)
        keep = ops.multiply(ops.ones_like(x), keep)
        count = ops.add(ops.sum(keep, axis=axes, keepdims=True), small())
        mean = ops.divide(ops.sum(ops.multiply(x, keep), axis=axes, keepdims=True), count)
        difference = ops.multiply(ops.subtract(x, mean), keep)
        variance = ops.divide(ops.sum(ops.square(difference), axis=axes, keepdims=True), count)
        return ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))

    def get_config(self) -> dict:
        config = {
            "momentum": self.momentum,
            "synchronized": self.synchronized,
            "renorm": False,
            "renorm_clipping": None,
            "renorm_momentum": self.renorm_momentum,
        }
        return {**super().get_config(), **config}


@export("keras.layers")
class LayerNormalization(ScaledNormalization):
    """Normalizes each sample to mean 0 and variance 1 over one or several axes (Ba et al., 2016).

    Args:
        axis: axis or axes.
        epsilon: added to the variance.
        center, scale: whether there is an offset beta and a scale gamma.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of
            the weights.

    >>> import kerasish as keras
    >>> y = keras.layers.LayerNormalization()(keras.ops.convert_to_tensor([[1.0, 3.0]]))
    >>> [round(float(v), 2) for v in y.numpy()[0]]
    [-1.0, 1.0]
    """

    def __init__(
        self,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(
            epsilon,
            center,
            scale,
            dict(
                beta_initializer=beta_initializer,
                gamma_initializer=gamma_initializer,
                beta_regularizer=beta_regularizer,
                gamma_regularizer=gamma_regularizer,
                beta_constraint=beta_constraint,
                gamma_constraint=gamma_constraint,
            ),
            **kwargs,
        )
        refuse("LayerNormalization", rms_scaling=rms_scaling or None)
        self.axis = check_axes("LayerNormalization", "axis", axis)
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        axes = sorted(self.axis) if isinstance(self.axis, (list, tuple)) else [self.axis]
        shape = known_sizes(self, input_shape, axes)
        self.axis = list(axes)
        self.add_scale_and_offset(shape)
        self.input_spec = sizes_spec(axes, shape)

    def call(self, inputs: Any) -> Any:
        y = ops.layer_normalization(inputs, self.gamma, self.beta, tuple(self.axis), self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "rms_scaling": False}


@export("keras.layers")
class GroupNormalization(ScaledNormalization):
    """Normalizes each sample over groups of channels (Wu and He, 2018).

    Args:
        groups: number of groups, which must divide the channels; -1 for as many as there are channels.
        axis: the channel axis.
        epsilon: added to the variance.
        center, scale: whether there is an offset beta and a scale gamma.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of
            the weights.

    Raises:
        ValueError: where the groups do not divide the channels.
    """

    def __init__(
        self,
        groups=32,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        super().__init__(
            epsilon,
            center,
            scale,
            dict(
                beta_initializer=beta_initializer,
                gamma_initializer=gamma_initializer,
                beta_regularizer=beta_regularizer,
                gamma_regularizer=gamma_regularizer,
                beta_constraint=beta_constraint,
                gamma_constraint=gamma_constraint,
            ),
            **kwargs,
        )
        self.groups = groups if groups == -1 else check_count("GroupNormalization", "groups", groups)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise invalid("GroupNormalization", "axis is an integer", axis=axis)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        (channels,) = known_sizes(self, input_shape, (self.axis,))
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            raise invalid(
                "GroupNormalization", "groups must divide the number of channels", groups=self.groups, channels=channels
            )
        self.add_scale_and_offset((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        axis = self.axis % rank
        x = ops.cast(inputs, result_type(inputs.dtype, "float32"))
        channels = inputs.shape[axis]
        last = ops.moveaxis(x, axis, -1)
        inner = tuple(last.shape[1:-1])
        known = all(d is not None for d in inner)
        # (batch, positions, groups, channels of a group); -1 stands for what is not known
        grouped = ops.reshape(last, (-1, *inner, self.groups, channels // self.groups) if known else (
            -1 if last.shape[0] is None else last.shape[0], *(-1 if d is None else d for d in inner), self.groups,
            channels // self.groups,
        ))  # fmt: skip
        axes = (*range(1, rank - 1), rank)
        mean, variance = ops.moments(grouped, axes=axes, keepdims=True)
        y = ops.multiply(ops.subtract(grouped, mean), ops.rsqrt(ops.add(variance, self.epsilon)))
        y = ops.reshape(y, (-1, *inner, channels) if known else tuple(-1 if d is None else d for d in last.shape))
        if self.gamma is not None:
            y = ops.multiply(y, ops.cast(self.gamma, y.dtype))
        if self.beta is not None:
            y = ops.add(y, ops.cast(self.beta, y.dtype))
        return ops.cast(ops.moveaxis(y, -1, axis), self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "groups": self.groups}


@export("keras.layers")
class RMSNormalization(ElementwiseLayer):
    """Divides by the root mean square and multiplies by a learned scale (Zhang and Sennrich, 2019).

    Args:
        axis: axis or axes.
        epsilon: added to the mean square.
    """

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.axis = check_axes("RMSNormalization", "axis", axis)
        self.epsilon = check_number("RMSNormalization", "epsilon", epsilon, least=0)

    def build(self, input_shape: Any) -> None:
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        shape = known_sizes(self, input_shape, axes)
        self.input_spec = sizes_spec(axes, shape)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", autocast=False)

    def call(self, inputs: Any) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        y = ops.rms_normalization(inputs, scale=self.scale, axis=axis, epsilon=self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


@export("keras.layers")
class UnitNormalization(ElementwiseLayer):
    """Scales each sample to an L2 norm of 1.

    Args:
        axis: axis or axes of the norm.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = check_axes("UnitNormalization", "axis", axis)

    def call(self, inputs: Any) -> Any:
        axis = tuple(self.axis) if isinstance(self.axis, list) else self.axis
        return ops.normalize(inputs, axis=axis, order=2, epsilon=1e-12)

    def get_config(self) -> dict:
        return {**super().get_config(), "axis": self.axis}
