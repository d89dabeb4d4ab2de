"""Layers that act in training only: Dropout, SpatialDropout, noise; and ActivityRegularization."""

from __future__ import annotations

import math
from typing import Any

from .. import ops, random, regularizers
from ..engine.config import standardize_data_format
from ..engine.errors import invalid
from ..engine.serialization import export
from .activation import ElementwiseLayer
from .input_spec import InputSpec
from .options import check_rate


class RandomLayer(ElementwiseLayer):
    """Base of layers that draw random numbers while training.

    Args:
        rate: strength, in [0, top]; at 0 nothing is drawn.
        seed: an integer, a SeedGenerator or None.
    """

    rate_name = "rate"
    top = 1.0

    def __init__(self, rate: Any, seed: Any, **kwargs: Any):
        super().__init__(**kwargs)
        rate = check_rate(type(self).__name__, self.rate_name, rate, self.top)
        setattr(self, self.rate_name, rate)
        self.seed = seed
        if rate > 0:
            shared = isinstance(seed, random.SeedGenerator)
            self.seed_generator = seed if shared else random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training and getattr(self, self.rate_name) > 0:
            return self.disturb(inputs)
        return inputs

    def disturb(self, inputs: Any) -> Any:
        """What training does to the inputs."""
        raise NotImplementedError

    def get_config(self) -> dict:
        seed = self.seed
        if isinstance(seed, random.SeedGenerator):
            from ..engine.serialization import serialize_keras_object

            seed = serialize_keras_object(seed)
        return {**super().get_config(), self.rate_name: getattr(self, self.rate_name), "seed": seed}


def _check_noise_shape(noise_shape: Any) -> Any:
    if noise_shape is None:
        return None
    shape = tuple(noise_shape) if isinstance(noise_shape, (list, tuple)) else ()
    if not shape or any(d is not None and (not isinstance(d, int) or d < 1) for d in shape):
        raise invalid("Dropout", "noise_shape is a tuple of positive integers or None", noise_shape=noise_shape)
    return shape


@export("keras.layers")
class Dropout(RandomLayer):
    """In training, sets each value to 0 with probability `rate` and multiplies the others by 1 / (1 - rate).

    Args:
        rate: in [0, 1].
        noise_shape: shape of the mask that is broadcast, None for the input's own dimensions.
        seed: an integer, a SeedGenerator or None.

    Raises:
        ValueError: for a rate outside [0, 1].

    >>> import kerasish as keras
    >>> layer = keras.layers.Dropout(0.5, seed=1)
    >>> bool((layer(keras.ops.ones((2, 3)), training=False).numpy() == 1).all())
    True
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = _check_noise_shape(noise_shape)

    def mask_shape(self, inputs: Any) -> Any:
        """The shape of the mask, None where it is the input's own."""
        if self.noise_shape is None:
            return None
        return tuple(d if n is None else n for d, n in zip(inputs.shape, self.noise_shape))

    def disturb(self, inputs: Any) -> Any:
        return random.dropout(inputs, self.rate, noise_shape=self.mask_shape(inputs), seed=self.seed_generator)

    def get_config(self) -> dict:
        return {**super().get_config(), "noise_shape": self.noise_shape}


class SpatialDropout(Dropout):
    """Base of dropout that drops whole channels."""

    def __init__(self, rank: int, rate: Any, data_format: Any, seed: Any, name: Any, dtype: Any, **kwargs: Any):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)

    def mask_shape(self, inputs: Any) -> Any:
        shape = tuple(inputs.shape)
        ones = (1,) * (len(shape) - 2)
        return (shape[0], *ones, shape[-1]) if self.data_format == "channels_last" else (*shape[:2], *ones)

    def get_config(self) -> dict:
        keep = ("rate", "seed", "name", "dtype")
        config = super().get_config()
        return {**{k: config[k] for k in keep}, "data_format": self.data_format}


@export("keras.layers")
class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of (batch, steps, channels).

    Args:
        rate: in [0, 1].
        seed: an integer, a SeedGenerator or None.
    """

    def __init__(self, rate, seed=None, name=None, dtype=None):
        super().__init__(1, rate, "channels_last", seed, name, dtype)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["data_format"]
        return config


@export("keras.layers")
class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of (batch, rows, columns, channels).

    Args:
        rate: in [0, 1].
        data_format: "channels_last" (the default) or "channels_first".
        seed: an integer, a SeedGenerator or None.
    """

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None):
        super().__init__(2, rate, data_format, seed, name, dtype)


@export("keras.layers")
class SpatialDropout3D(SpatialDropout):
    """Dropout of whole channels of (batch, depth, rows, columns, channels).

    Args:
        rate: in [0, 1].
        data_format: "channels_last" (the default) or "channels_first".
        seed: an integer, a SeedGenerator or None.
    """

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None):
        super().__init__(3, rate, data_format, seed, name, dtype)


@export("keras.layers")
class GaussianNoise(RandomLayer):
    """In training, adds normal noise of mean 0.

    Args:
        stddev: standard deviation, in [0, 1].
        seed: an integer, a SeedGenerator or None.
    """

    rate_name = "stddev"

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(stddev, seed, **kwargs)

    def disturb(self, inputs: Any) -> Any:
        noise = random.normal(
            tuple(inputs.shape), mean=0.0, stddev=self.stddev, dtype=self.compute_dtype, seed=self.seed_generator
        )
        return ops.add(inputs, noise)


@export("keras.layers")
class GaussianDropout(RandomLayer):
    """In training, multiplies by normal noise of mean 1 and standard deviation sqrt(rate / (1 - rate)).

    Args:
        rate: in [0, 1).
        seed: an integer, a SeedGenerator or None.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, seed, **kwargs)

    def disturb(self, inputs: Any) -> Any:
        stddev = math.sqrt(self.rate / (1.0 - self.rate)) if self.rate < 1 else math.inf
        noise = random.normal(
            tuple(inputs.shape), mean=1.0, stddev=stddev, dtype=self.compute_dtype, seed=self.seed_generator
        )
        return ops.multiply(inputs, noise)


@export("keras.layers")
class AlphaDropout(RandomLayer):
    """In training, dropout that keeps mean and variance of SELU's outputs (Klambauer et al., 2017).

    Args:
        rate: in [0, 1].
        noise_shape: shape of the mask that is broadcast.
        seed: an integer, a SeedGenerator or None.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = _check_noise_shape(noise_shape)

    def disturb(self, inputs: Any) -> Any:
        # The value that SELU gives for large negative inputs: -scale * alpha.
        dropped = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946
        shape = self.noise_shape or tuple(None for _ in inputs.shape)
        shape = tuple(d if n is None else n for d, n in zip(inputs.shape, shape))
        kept = ops.cast(ops.greater_equal(random.uniform(shape, seed=self.seed_generator), self.rate), inputs.dtype)
        a = ((1 - self.rate) * (1 + self.rate * dropped**2)) ** -0.5
        b = -a * dropped * self.rate
        x = ops.add(ops.multiply(inputs, kept), ops.multiply(ops.subtract(1.0, kept), dropped))
        return ops.add(ops.multiply(x, a), b)

    def get_config(self) -> dict:
        return {**super().get_config(), "noise_shape": self.noise_shape}


@export("keras.layers")
class ActivityRegularization(ElementwiseLayer):
    """Leaves the input as it is and adds a penalty on it to the loss.

    Args:
        l1: factor of the sum of absolute values.
        l2: factor of the sum of squares.
    """

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}
