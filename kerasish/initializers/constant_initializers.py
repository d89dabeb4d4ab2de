"""Initializers without randomness: constants, the identity, and the Fourier basis of STFT kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasish import ops
from kerasish.engine.dtype import standardize_dtype
from kerasish.engine.errors import invalid
from kerasish.engine.registry import export
from kerasish.engine.serialization import deserialize_keras_object, serialize_keras_object
from kerasish.initializers.initializer import Initializer


@export("keras.initializers")
class Constant(Initializer):
    """Every element is `value`.

    Args:
        value: a number, or an array that broadcasts to the shape asked for.

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.Constant(3.0)((2,)).numpy()
    array([3., 3.], dtype=float32)
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        dtype = standardize_dtype(dtype)
        return ops.cast(self.value, dtype=dtype) * ops.ones(shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"value": serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        return cls(deserialize_keras_object(config.get("value", 0.0)))


@export("keras.initializers")
class Zeros(Initializer):
    """Every element is 0.

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.Zeros()((2,)).numpy()
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.zeros(shape, dtype=standardize_dtype(dtype))


@export("keras.initializers")
class Ones(Initializer):
    """Every element is 1.

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.Ones()((2,)).numpy()
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return ops.ones(shape, dtype=standardize_dtype(dtype))


@export("keras.initializers")
class Identity(Initializer):
    """A matrix with `gain` on the diagonal and 0 elsewhere; only for shapes of rank 2.

    Args:
        gain: value of the diagonal.

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.Identity(2.0)((2, 2)).numpy()
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        if len(shape) != 2:
            raise invalid("Identity", "only a matrix, a shape of rank 2, can be an identity", shape=tuple(shape))
        return self.gain * ops.eye(*shape, dtype=standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


# Coefficients of the cosine terms: w[n] = sum_k (-1)^k a[k] cos(2 pi k n / N).
_COSINE_WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "boxcar": (1.0,),
}


def window(name: str, length: int, periodic: bool) -> np.ndarray:
    """A window function's values, float64 of shape (length,).

    `periodic` leaves out the last point of a symmetric window one longer, as spectral analysis wants it.
    """
    n = length if periodic else length - 1
    phase = 2.0 * np.pi * np.arange(length) / max(n, 1)
    return sum((-1) ** k * a * np.cos(k * phase) for k, a in enumerate(_COSINE_WINDOWS[name]))


@export("keras.initializers")
class STFT(Initializer):
    """Convolution kernels that compute the short-time Fourier transform.

    Args:
        side: `"real"` for the cosine, `"imag"` for the sine part.
        window: `"hann"`, `"hamming"`, `"blackman"`, `"nuttall"`, `"blackmanharris"`, `"boxcar"`, an array of the
            frame's length, or `None`.
        scaling: `"density"` divides by the window's 2-norm, `"spectrum"` by its sum, `None` by 1.
        periodic: whether the window is periodic.

    The shape asked for is (frame_length, input_channels, fft_length // 2 + 1).

    Example:

    >>> import kerasish as keras
    >>> keras.initializers.STFT("real", window=None)((2, 1, 2)).shape
    (2, 1, 2)
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ):
        if side not in ("real", "imag"):
            raise invalid("STFT", "side is 'real' or 'imag'", side=side)
        if isinstance(window, str) and window not in _COSINE_WINDOWS:
            raise invalid("STFT", f"a window by name is one of {', '.join(_COSINE_WINDOWS)}", window=window)
        if scaling not in (None, "density", "spectrum"):
            raise invalid("STFT", "scaling is 'density', 'spectrum' or None", scaling=scaling)
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        frame_length, _, bins = shape
        time = np.arange(frame_length).reshape(-1, 1, 1)
        frequency = np.arange(bins).reshape(1, 1, -1) / ((bins - 1) * 2)
        angle = -2.0 * np.pi * time * frequency
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            weights = self.window
            if isinstance(weights, str):
                weights = window(weights, frame_length, self.periodic)
            weights = np.asarray(weights, "float64")
            if weights.shape != (frame_length,):
                raise invalid("STFT", f"the window must have shape ({frame_length},)", window=weights)
            kernel = kernel * weights.reshape(-1, 1, 1)
            if self.scaling == "density":
                kernel = kernel / np.sqrt(np.sum(weights**2))
            elif self.scaling == "spectrum":
                kernel = kernel / np.sum(np.abs(weights))
        return ops.cast(kernel, standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            "side": self.side,
            "window": serialize_keras_object(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> STFT:
        return cls(**deserialize_keras_object(config))
