"""ReversibleEmbedding: an embedding that also projects back to its integers."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine.dtype import standardize_dtype
from ..engine.serialization import export
from ..engine.symbol import Symbol
from ..ops.matmul import matmul_op
from .call import set_mask
from .embedding import Embedding
from .options import check_number


@export("keras.layers")
class ReversibleEmbedding(Embedding):
    """An Embedding that, called with `reverse=True`, gives a score for each of its integers.

    The scores of a vector are its products with the rows of the table (Press and Wolf, 2016, Using the output embedding
    to improve language models), or with the columns of a second table.

    Args:
        input_dim: number of rows: integers are in [0, input_dim).
        output_dim: length of a row.
        tie_weights: whether the table serves both ways; else there is a second one (output_dim, input_dim).
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 means padding, to be masked in later layers.
        reverse_dtype: dtype in which scores are computed; the layer's by default.
        logit_soft_cap: scores x become cap tanh(x / cap).

    Call arguments:
        inputs: integers of any shape; with `reverse`, floats (..., output_dim).
        reverse: whether to project back.

    Returns:
        (..., output_dim), or with `reverse` (..., input_dim).

    Raises:
        ValueError: for sizes below 1, a cap below 0, and for an integer outside the table when the layer is called.

    >>> import kerasish as keras
    >>> layer = keras.layers.ReversibleEmbedding(10, 4)
    >>> vectors = layer(keras.ops.convert_to_tensor([[1, 2, 9]]))
    >>> vectors.shape, layer(vectors, reverse=True).shape
    ((1, 3, 4), (1, 3, 10))
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        tie_weights=True,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        mask_zero=False,
        reverse_dtype=None,
        logit_soft_cap=None,
        **kwargs,
    ):
        weights = kwargs.pop("weights", None)
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
            **kwargs,
        )
        self.tie_weights = tie_weights
        self.reverse_dtype = None if reverse_dtype is None else standardize_dtype(reverse_dtype)
        if logit_soft_cap is not None:
            check_number("ReversibleEmbedding", "logit_soft_cap", logit_soft_cap, least=0)
        self.logit_soft_cap = logit_soft_cap
        if weights is not None:
            self._start_from(weights)

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
                name="reverse_embeddings",
            )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            result = super().call(inputs)
            mask = super().compute_mask(inputs)
            if mask is not None:
                set_mask(result, mask)
            return result
        kernel = self.embeddings if self.tie_weights else self.reverse_embeddings
        dtype = self.reverse_dtype or self.compute_dtype
        inputs, kernel = ops.cast(inputs, dtype), ops.cast(kernel, dtype)
        logits = matmul_op(inputs, kernel, transpose_a=False, transpose_b=self.tie_weights)
        if self.logit_soft_cap is not None:
            logits = ops.multiply(ops.tanh(ops.divide(logits, self.logit_soft_cap)), self.logit_soft_cap)
        return logits

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """None: `call` sets the mask, which depends on the direction."""
        return None

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> tuple:
        return (*input_shape[:-1], self.input_dim) if reverse else (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        dtype = (self.reverse_dtype if reverse else None) or self.compute_dtype
        return Symbol(self.compute_output_shape(inputs.shape, reverse), dtype)

    def get_config(self) -> dict:
        config = {
            "tie_weights": self.tie_weights,
            "reverse_dtype": self.reverse_dtype,
            "logit_soft_cap": self.logit_soft_cap,
        }
        return {**super().get_config(), **config}
