"""GroupQueryAttention."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.symbol import Symbol
from .options import check_count
from .projected_attention import ProjectedAttention, without_masks


@export("keras.layers", name="GroupQueryAttention")
class GroupedQueryAttention(ProjectedAttention):
    """Attention in which several query heads share one key and value head (Ainslie et al., 2023).

    With one key head it is multi-query attention; with as many as query heads, multi-head attention.

    Args:
        head_dim: size of a head.
        num_query_heads: number of query heads.
        num_key_value_heads: number of key and value heads; divides num_query_heads.
        dropout: rate of the dropout of the weights in training, in [0, 1].
        use_bias: whether the projections have a bias.
        sliding_window: a step attends to steps nearer than this only.
        flash_attention: True refuses what needs the scores (dropout, return_attention_scores); the blocked kernel is
            used where it applies, unless `config.disable_flash_attention()` was called.
        kernel_initializer, bias_initializer: of the projections.
        kernel_regularizer, bias_regularizer, activity_regularizer: of the projections.
        kernel_constraint, bias_constraint: of the projections.
        use_gate: whether a sigmoid of one more projection of the query multiplies the heads' outputs.
        seed: an integer or None, for the dropout.

    Call arguments:
        query: (batch, T, features).
        value: (batch, S, features).
        key: (batch, S, features); value by default.
        query_mask, value_mask, key_mask: (batch, T) and (batch, S), false for steps that do not count; by default the
            masks that the tensors carry.
        attention_mask: (batch, T, S), true where attention is allowed; dimensions of 1 broadcast.
        return_attention_scores: also gives the weights (batch, num_query_heads, T, S).
        training: whether dropout acts.
        use_causal_mask: each step attends to itself and to earlier ones only.

    Returns:
        (batch, T, features), and the weights with `return_attention_scores`.

    Raises:
        ValueError: for sizes below 1, a rate outside [0, 1], heads that cannot be shared evenly, and shapes that do not
            fit.

    >>> import kerasish as keras
    >>> layer = keras.layers.GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)
    >>> x = keras.ops.ones((2, 5, 8))
    >>> layer(x, x, use_causal_mask=True).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        head_dim,
        num_query_heads,
        num_key_value_heads,
        dropout=0.0,
        use_bias=True,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            dropout=dropout,
            use_bias=use_bias,
            use_gate=use_gate,
            sliding_window=sliding_window,
            flash_attention=flash_attention,
            activity_regularizer=activity_regularizer,
            seed=seed,
            options=dict(
                kernel_initializer=kernel_initializer,
                bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer,
                bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint,
                bias_constraint=bias_constraint,
            ),
            **kwargs,
        )
        where = type(self).__name__
        self.head_dim = check_count(where, "head_dim", head_dim)
        self.num_query_heads = check_count(where, "num_query_heads", num_query_heads)
        self.num_key_value_heads = check_count(where, "num_key_value_heads", num_key_value_heads)
        if num_query_heads % num_key_value_heads:
            raise invalid(
                where,
                "num_key_value_heads divides num_query_heads",
                num_query_heads=num_query_heads,
                num_key_value_heads=num_key_value_heads,
            )
        self.num_repeats = num_query_heads // num_key_value_heads
        self.dropout, self.use_bias, self.use_gate = self._dropout_rate, use_bias, use_gate
        self.sliding_window = self._window

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        self._check_shapes(query_shape, value_shape, key_shape)
        key_shape = value_shape if key_shape is None else key_shape
        self.feature_dim = query_shape[-1]

        def heads(name: str, shape: Any, number: int, **more: Any) -> Any:
            dense = self.projection(name, "btm,mnh->btnh", (None, number, self.head_dim), "nh", **more)
            dense.build(tuple(shape))
            return dense

        self._query_dense = heads("query", query_shape, self.num_query_heads)
        self._key_dense = heads("key", key_shape, self.num_key_value_heads)
        if self.use_gate:
            self._gate_dense = heads("gate", query_shape, self.num_query_heads, activation="sigmoid")
        self._value_dense = heads("value", value_shape, self.num_key_value_heads)
        self._make_weights_layers(-1)
        self._output_dense = self.projection("attention_output", "btnh,nhm->btm", (None, self.feature_dim), "m")
        self._output_dense.build((None, None, self.num_query_heads, self.head_dim))

    def _repeated(self, x: Any) -> Any:
        return x if self.num_repeats == 1 else ops.repeat(x, self.num_repeats, axis=2)

    def _plain_weights(self, query: Any, key: Any) -> Any:
        return ops.einsum("bqnh,bknh->bnqk", query, self._repeated(key))

    def _plain_output(self, weights: Any, value: Any) -> Any:
        return ops.einsum("bnqk,bknh->bqnh", weights, self._repeated(value))

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        masks = (query_mask, value_mask, key_mask, attention_mask)
        mask = self._join_masks(query, value, *masks)
        with without_masks(query, value, key):
            gate = self._gate_dense(query) if self.use_gate else None
            query, key, value = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        scale = 1.0 / math.sqrt(self.head_dim)
        result, weights = self._attend(
            query, key, value, scale, mask, use_causal_mask, training, return_attention_scores
        )
        result = self._output_dense(result if gate is None else ops.multiply(result, gate))
        return (result, weights) if return_attention_scores else result

    def _check_shapes(self, query_shape: Any, value_shape: Any, key_shape: Any) -> None:
        shapes = {"query_shape": query_shape, "value_shape": value_shape, "key_shape": key_shape}
        if any(x is not None and len(x) != 3 for x in shapes.values()):
            raise invalid(type(self).__name__, "query, value and key have three dimensions", **shapes)
        if key_shape is not None and tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise invalid(type(self).__name__, "value and key agree in all dimensions but the last", **shapes)

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> tuple:
        self._check_shapes(query_shape, value_shape, key_shape)
        if query_shape[-1] != value_shape[-1]:
            rule = "query and value have the same last dimension"
            raise invalid(type(self).__name__, rule, query_shape=query_shape, value_shape=value_shape)
        return tuple(query_shape)

    def compute_output_spec(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        shape = self.compute_output_shape(query.shape, value.shape, None if key is None else key.shape)
        result = Symbol(shape, self.compute_dtype)
        if not return_attention_scores:
            return result
        scores = (query.shape[0], self.num_query_heads, query.shape[1], value.shape[1])
        return result, Symbol(scores, self.compute_dtype)

    def get_config(self) -> dict:
        config = {
            "head_dim": self.head_dim,
            "num_query_heads": self.num_query_heads,
            "num_key_value_heads": self.num_key_value_heads,
        }
        return {**super().get_config(), **config, **self._common_config()}
