"""Initializers that draw from a distribution.

An integer seed gives the same values at each call; without a seed, one is drawn when the initializer is made. A
`SeedGenerator` advances with each call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kerasish import ops, random
from kerasish.engine.dtype import standardize_dtype
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.initializers.initializer import Initializer

# Standard deviation of a unit normal cut off at two standard deviations.
_TRUNCATED_STDDEV = 0.87962566103423978


class RandomInitializer(Initializer):
    """The part of random initializers that concerns the seed.

    Args:
        seed: `None`, an integer, a `keras.random.SeedGenerator` or its config.
    """

    def __init__(self, seed: Any = None):
        self._init_seed = seed
        if seed is None:
            seed = random.make_default_seed()
        elif isinstance(seed, dict):
            seed = deserialize_keras_object(seed)
        elif isinstance(seed, bool) or not isinstance(seed, (int, random.SeedGenerator)):
            raise invalid(type(self).__name__, "seed is an integer, a SeedGenerator or None", seed=seed)
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": serialize_keras_object(self._init_seed)}


@export("keras.initializers")
class RandomNormal(RandomInitializer):
    """Draws from a normal distribution.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation.
        seed: integer, `SeedGenerator` or `None`.

    Example:

    >>> import kerasish as keras
    >>> initializer = keras.initializers.RandomNormal(stddev=0.1, seed=1)
    >>> bool((initializer((2, 3)) == initializer((2, 3))).numpy().all())
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed=seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return random.normal(shape, mean=self.mean, stddev=self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@export("keras.initializers")
class TruncatedNormal(RandomInitializer):
    """Draws from a normal distribution; values beyond two standard deviations from the mean are drawn again.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation before the truncation.
        seed: integer, `SeedGenerator` or `None`.

    Example:

    >>> import kerasish as keras
    >>> values = keras.initializers.TruncatedNormal(stddev=1.0, seed=1)((100,))
    >>> bool(abs(values.numpy()).max() <= 2.0)
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed=seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return random.truncated_normal(shape, mean=self.mean, stddev=self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@export("keras.initializers")
class RandomUniform(RandomInitializer):
    """Draws from a uniform distribution on [minval, maxval).

    Args:
        minval: lower end, inclusive.
        maxval: upper end, exclusive.
        seed: integer, `SeedGenerator` or `None`.

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.RandomUniform(0.0, 1.0, seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed=seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return random.uniform(shape, minval=self.minval, maxval=self.maxval, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


def compute_fans(
    shape: Sequence[int], input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """Number of inputs and outputs that a unit of a weight of this shape connects.

    Without axes, the last two dimensions are input and output, and what stands before them is the receptive field.

    Example:

    >>> from kerasish.initializers.random_initializers import compute_fans
    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        fan = int(shape[0]) if shape else 1
        return fan, fan
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


@export("keras.initializers")
class VarianceScaling(RandomInitializer):
    """Draws with a variance that fits the shape: `scale / n`, n the fan-in, the fan-out or their mean.

    Args:
        scale: positive factor.
        mode: `"fan_in"`, `"fan_out"` or `"fan_avg"`.
        distribution: `"truncated_normal"` (or `"normal"`), `"untruncated_normal"` or `"uniform"`.
        seed: integer, `SeedGenerator` or `None`.
        input_axes, output_axes: dimensions that make up the fans, see `compute_fans`.

    Reference: Glorot and Bengio, 2010; He et al., 2015 (https://arxiv.org/abs/1502.01852).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1)((3, 4)).shape
    (3, 4)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        where = type(self).__name__
        if scale <= 0.0:
            raise invalid(where, "scale is a positive number", scale=scale)
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise invalid(where, "mode is 'fan_in', 'fan_out' or 'fan_avg'", mode=mode)
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise invalid(
                where,
                "distribution is 'truncated_normal', 'untruncated_normal' or 'uniform'",
                distribution=distribution,
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed=seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, fan))
        if self.distribution == "truncated_normal":
            return random.truncated_normal(shape, stddev=stddev / _TRUNCATED_STDDEV, dtype=dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, stddev=stddev, dtype=dtype, seed=self.seed)
        limit = math.sqrt(3.0) * stddev
        return random.uniform(shape, minval=-limit, maxval=limit, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _NamedScaling(VarianceScaling):
    """A `VarianceScaling` whose scale, mode and distribution are its name."""

    _fixed: tuple[float, str, str]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        scale, mode, distribution = self._fixed
        super().__init__(scale, mode, distribution, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        return {
            **RandomInitializer.get_config(self),
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


@export("keras.initializers")
class GlorotUniform(_NamedScaling):
    """Uniform on [-limit, limit] with limit = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Example:

    >>> import kerasish as keras
    >>> values = keras.initializers.GlorotUniform(seed=1)((3, 3))
    >>> bool(abs(values.numpy()).max() <= 1.0)
    True
    """

    _fixed = (1.0, "fan_avg", "uniform")


@export("keras.initializers")
class GlorotNormal(_NamedScaling):
    """Truncated normal with stddev = sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.GlorotNormal(seed=1)((3, 4)).shape
    (3, 4)
    """

    _fixed = (1.0, "fan_avg", "truncated_normal")


@export("keras.initializers")
class LecunNormal(_NamedScaling):
    """Truncated normal with stddev = sqrt(1 / fan_in) (LeCun et al., 1998).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.LecunNormal(seed=1)((3, 4)).shape
    (3, 4)
    """

    _fixed = (1.0, "fan_in", "truncated_normal")


@export("keras.initializers")
class LecunUniform(_NamedScaling):
    """Uniform on [-limit, limit] with limit = sqrt(3 / fan_in) (LeCun et al., 1998).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.LecunUniform(seed=1)((3, 4)).shape
    (3, 4)
    """

    _fixed = (1.0, "fan_in", "uniform")


@export("keras.initializers")
class HeNormal(_NamedScaling):
    """Truncated normal with stddev = sqrt(2 / fan_in) (He et al., 2015, https://arxiv.org/abs/1502.01852).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.HeNormal(seed=1)((3, 4)).shape
    (3, 4)
    """

    _fixed = (2.0, "fan_in", "truncated_normal")


@export("keras.initializers")
class HeUniform(_NamedScaling):
    """Uniform on [-limit, limit] with limit = sqrt(6 / fan_in) (He et al., 2015, https://arxiv.org/abs/1502.01852).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.HeUniform(seed=1)((3, 4)).shape
    (3, 4)
    """

    _fixed = (2.0, "fan_in", "uniform")


@export("keras.initializers")
class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    A shape of rank above 2 is filled as the matrix (product of all but the last, last).

    Args:
        gain: factor of the matrix.
        seed: integer, `SeedGenerator` or `None`.

    Example:

    >>> import kerasish as keras
    >>> q = keras.initializers.Orthogonal(seed=1)((3, 3)).numpy()
    >>> bool(abs(q @ q.T - keras.ops.eye(3).numpy()).max() < 1e-5)
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        self.gain = gain
        super().__init__(seed=seed)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if len(shape) < 2:
            raise invalid("Orthogonal", "the shape has at least two dimensions", shape=tuple(shape))
        rows, columns = math.prod(shape[:-1]), shape[-1]
        dtype = standardize_dtype(dtype)
        a = random.normal((max(rows, columns), min(rows, columns)), dtype=dtype, seed=self.seed)
        q, r = ops.qr(a)
        # The signs of r's diagonal make the decomposition unique, and with it the distribution uniform.
        q = q * ops.sign(ops.diag(r))
        if rows < columns:
            q = ops.transpose(q)
        return self.gain * ops.reshape(q, tuple(shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}
