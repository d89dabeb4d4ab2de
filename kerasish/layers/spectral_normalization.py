"""SpectralNormalization: keeps the largest singular value of a layer's kernel at 1."""

from __future__ import annotations

from typing import Any

from .. import initializers, ops
from ..engine.errors import invalid
from ..engine.serialization import export
from .input_spec import InputSpec
from .options import check_count
from .wrapper import Wrapper


@export("keras.layers")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer, at each call in training, by an estimate of its largest singular value.

    The kernel is taken as a matrix with one column for each output. Its largest singular value is estimated by steps of
    the power method, from where the last call left off (Miyato et al., 2018, Spectral normalization for generative
    adversarial networks). A kernel of zeros stays as it is.

    Args:
        layer: a layer with a `kernel` or with `embeddings`.
        power_iterations: steps of the power method at each call.

    Raises:
        ValueError: for what is not a layer, a layer with neither weight, and power_iterations below 1.

    >>> import kerasish as keras
    >>> layer = keras.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=50)
    >>> y = layer(keras.ops.ones((2, 4)), training=True)
    >>> largest = keras.ops.svd(layer.layer.kernel, compute_uv=False)[0]
    >>> round(float(largest), 3)
    1.0
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations = check_count("SpectralNormalization", "power_iterations", power_iterations)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        names = [n for n in ("kernel", "embeddings") if hasattr(self.layer, n)]
        if not names:
            raise invalid("SpectralNormalization", "the layer has a kernel or embeddings", layer=self.layer)
        self.kernel = getattr(self.layer, names[0])
        self.vector_u = self.add_weight(
            shape=(1, self.kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            name="vector_u",
            dtype=self.kernel.dtype,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            u, kernel = self.normalized_weights()
            zero = ops.all(ops.equal(self.kernel, 0.0))
            self.vector_u.assign(ops.where(zero, self.vector_u, u))
            self.kernel.assign(ops.where(zero, self.kernel, kernel))
        return ops.cast(self.layer(inputs), inputs.dtype)

    def normalized_weights(self) -> tuple[Any, Any]:
        """The new vector of the power method, and the kernel divided by the singular value that it gives."""
        kernel, u = ops.stop_gradient(self.kernel), ops.stop_gradient(self.vector_u)
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)), axis=None)
            u = ops.normalize(ops.matmul(v, matrix), axis=None)
        sigma = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        return u, ops.divide(kernel, ops.reshape(sigma, ()))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "power_iterations": self.power_iterations}
