"""What MultiHeadAttention and GroupQueryAttention share: options, projections, masks, fused and plain attention."""

from __future__ import annotations

from typing import Any

from .. import ops, regularizers
from ..engine.config import is_flash_attention_enabled
from ..engine.errors import invalid
from ..ops.attention import attention
from .activation import Softmax
from .call import get_mask
from .dropout import Dropout
from .einsum_dense import EinsumDense
from .layer import Layer
from .options import check_count, check_rate, options_config, set_options


def _steps_ahead(query: Any, value: Any) -> Any:
    """(1, T, S): how far each step of the value is ahead of each of the query."""
    rows = ops.reshape(ops.arange(query.shape[1], dtype="int32"), (1, -1, 1))
    return ops.subtract(ops.reshape(ops.arange(value.shape[1], dtype="int32"), (1, 1, -1)), rows)


class ProjectedAttention(Layer):
    """Attention between projections of query, key and value, projected once more.

    Subclasses make the projections with `projection`, and say which equations the plain path has.
    """

    def __init__(
        self,
        *,
        dropout: Any,
        use_bias: bool,
        use_gate: bool,
        sliding_window: Any,
        flash_attention: bool | None,
        activity_regularizer: Any,
        seed: Any,
        options: dict,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        where = type(self).__name__
        self.supports_masking = True
        self._dropout_rate = check_rate(where, "dropout", dropout)
        self._use_bias, self._use_gate, self.seed = use_bias, use_gate, seed
        self._window = None if sliding_window is None else check_count(where, "sliding_window", sliding_window)
        self._flash_attention = flash_attention or is_flash_attention_enabled()
        # Of the projections, not of the layer's own output.
        self._activity_regularizer = regularizers.get(activity_regularizer)
        set_options(self, **options)
        if self._flash_attention and dropout > 0:
            raise invalid(where, "there is no dropout with flash_attention=True", dropout=dropout)

    def projection(self, name: str, equation: str, shape: tuple, bias_axes: str, **more: Any) -> EinsumDense:
        """A dense layer with the options of this one; each gets initializers, and so seeds, of its own."""
        fresh = {
            n: type(i).from_config(i.get_config())
            for n, i in (
                ("kernel_initializer", self.kernel_initializer),
                ("bias_initializer", self.bias_initializer),
            )
        }
        return EinsumDense(
            equation,
            output_shape=shape,
            bias_axes=bias_axes if self._use_bias else None,
            name=name,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            activity_regularizer=self._activity_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            dtype=self.dtype_policy,
            **fresh,
            **more,
        )

    def _make_weights_layers(self, axes: int | tuple) -> None:
        """The softmax and the dropout of the plain path; the fused one draws from the same generator."""
        self._softmax = Softmax(axis=axes, dtype=self.dtype_policy)
        self._dropout_layer = Dropout(rate=self._dropout_rate, dtype=self.dtype_policy, seed=self.seed)

    # -- masks --------------------------------------------------------------------------------------------------------

    def _join_masks(self, query: Any, value: Any, query_mask: Any, value_mask: Any, key_mask: Any, mask: Any) -> Any:
        """All masks but the causal one in one of shape (batch, T, S), or None."""
        joined = None if mask is None else ops.cast(mask, "bool")

        def join(more: Any) -> Any:
            return more if joined is None else ops.logical_and(joined, more)

        for given, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
            if given is not None:
                joined = join(ops.expand_dims(ops.cast(given, "bool"), axis))
        if self._window is not None:
            joined = join(ops.less(ops.abs(_steps_ahead(query, value)), self._window))
        return joined

    # -- attention ----------------------------------------------------------------------------------------------------

    def _attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        scale: float,
        mask: Any,
        causal: bool,
        training: bool | None,
        scores_wanted: bool,
        query_axes: int = 1,
    ) -> tuple[Any, Any]:
        """Output and weights (None where they are not wanted) of projected operands.

        Args:
            mask: (batch, T, S), or None; `causal` comes on top.
            query_axes: over how many axes of the query attention goes.
        """
        where = type(self).__name__
        if self._flash_attention and scores_wanted:
            raise invalid(where, "there are no attention scores with flash_attention=True")
        rate = self._dropout_rate if training else 0.0
        fused = not scores_wanted and len(query.shape) == 4 and self._flash_attention is not False
        all_masks = mask
        if causal and (not fused or (mask is not None and self._dropout_rate > 0)):
            past = ops.less_equal(_steps_ahead(query, value), 0)
            all_masks = past if mask is None else ops.logical_and(mask, past)

        def of_heads(mask: Any) -> Any:
            """With a dimension for the heads, and for batch dimensions before them."""
            if mask is not None:
                for _ in range(len(query.shape) + query_axes - 1 - len(mask.shape)):
                    mask = ops.expand_dims(mask, -2 * query_axes - 1)
            return mask

        if fused:
            generator = self._dropout_layer.seed_generator if rate > 0 else None
            y = attention(query, key, value, None, of_heads(mask), scale, causal, rate, generator)
            if mask is not None and self._dropout_rate > 0:
                # As in Keras, where layers with dropout give 0, not a mean, to queries that may attend to nothing.
                alive = ops.any(of_heads(all_masks), axis=-1, keepdims=True)
                y = ops.where(ops.swapaxes(alive, 1, 2), y, 0.0)
            return y, None
        weights = self._plain_weights(ops.multiply(query, scale), key)
        weights = self._softmax(weights, mask=of_heads(all_masks))
        kept = self._dropout_layer(weights, training=training) if rate > 0 else weights
        return self._plain_output(kept, value), weights

    def _common_config(self) -> dict:
        return {
            "dropout": self._dropout_rate,
            "use_bias": self._use_bias,
            "use_gate": self._use_gate,
            "sliding_window": self._window,
            "activity_regularizer": regularizers.serialize(self._activity_regularizer),
            "seed": self.seed,
            **options_config(self),
        }


class without_masks:
    """Takes the masks off tensors for a while: projections, which do not hand masks on, need not warn of it."""

    def __init__(self, *tensors: Any):
        self._masks = [(x, get_mask(x)) for x in tensors]

    def __enter__(self) -> None:
        for x, mask in self._masks:
            if mask is not None:
                x._keras_mask = None

    def __exit__(self, *exc: Any) -> None:
        for x, mask in self._masks:
            if mask is not None:
                x._keras_mask = mask
