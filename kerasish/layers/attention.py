"""Attention and AdditiveAttention: dot-product and Bahdanau attention without projections."""

from __future__ import annotations

from typing import Any

from .. import ops, random
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.symbol import Symbol
from ..ops.attention import attention
from ..ops.matmul import matmul_op
from .layer import Layer
from .options import check_rate


@export("keras.layers")
class Attention(Layer):
    """softmax(score(query, key)) value, for a list [query, value] or [query, value, key] (Luong et al., 2015).

    Args:
        use_scale: whether a learned factor scales the scores.
        score_mode: "dot": query . key; "concat": w sum(tanh(query + key)) with a learned factor w.
        dropout: rate of the dropout of the weights in training, in [0, 1].
        seed: an integer, a SeedGenerator or None, for the dropout.

    Call arguments:
        inputs: query (batch, Tq, dim), value (batch, Tv, dim) and key (batch, Tv, dim), which is value by default.
        mask: [query mask (batch, Tq), value mask (batch, Tv)], either of them None: where the first is false the
            output is 0, and steps of the value where the second is false do not count.
        training: whether dropout acts.
        return_attention_scores: also gives the weights (batch, Tq, Tv).
        use_causal_mask: each step attends to itself and to earlier ones only.

    Returns:
        (batch, Tq, dim), and the weights with `return_attention_scores`.

    Raises:
        ValueError: for another score_mode, another number of inputs or of masks.

    >>> import kerasish as keras
    >>> query, value = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> keras.layers.Attention()([query, value]).shape
    (2, 3, 4)
    """

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise invalid(type(self).__name__, "score_mode is 'dot' or 'concat'", score_mode=score_mode)
        self.use_scale, self.score_mode, self.seed = use_scale, score_mode, seed
        self.dropout = check_rate(type(self).__name__, "dropout", dropout)
        if dropout > 0:
            self.seed_generator = random.SeedGenerator(seed=seed)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(name="concat_score_weight", shape=(), initializer="ones")

    def _check(self, inputs: Any, mask: Any = None) -> None:
        where = type(self).__name__
        if not isinstance(inputs, list) or not 2 <= len(inputs) <= 3:
            raise invalid(where, "the inputs are a list [query, value] or [query, value, key]", inputs=inputs)
        if mask is not None and (not isinstance(mask, list) or not 2 <= len(mask) <= 3):
            raise invalid(where, "the mask is a list [query mask, value mask]", mask=mask)

    def scores(self, query: Any, key: Any) -> Any:
        """(batch, Tq, Tv), before the softmax."""
        if self.score_mode == "dot":
            scores = matmul_op(query, key, transpose_a=False, transpose_b=True)
            return scores if self.scale is None else ops.multiply(scores, self.scale)
        both = ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))
        both = both if self.scale is None else ops.multiply(both, self.scale)
        return ops.multiply(ops.sum(ops.tanh(both), axis=-1), self.concat_score_weight)

    def _fused(self, query: Any, value: Any, key: Any, mask: Any, rate: float, causal: bool) -> Any:
        """The output where the scores need not be seen: attention with one head."""
        query, value, key = (ops.expand_dims(x, 2) for x in (query, value, key))
        query = query if self.scale is None else ops.multiply(query, self.scale)
        mask = None if mask is None else ops.expand_dims(mask, (1, 2))
        seed = self.seed_generator if rate > 0 else None
        return ops.squeeze(attention(query, key, value, None, mask, 1.0, causal, rate, seed), 2)

    def _weights(self, scores: Any, mask: Any, causal: bool) -> Any:
        allowed = None if mask is None else ops.expand_dims(mask, -2)
        if causal:
            past = ops.tril(ops.ones_like(scores, dtype="bool"))
            allowed = past if allowed is None else ops.logical_and(allowed, past)
        if allowed is not None:
            large = 65504.0 if scores.dtype == "float16" else 1.0e9
            scores = ops.where(allowed, scores, ops.subtract(scores, large))
        return ops.softmax(scores, axis=-1)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(inputs, mask)
        query, value, key = inputs if len(inputs) == 3 else (*inputs, inputs[1])
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        value_mask = None if value_mask is None else ops.cast(value_mask, "bool")
        rate = self.dropout if training else 0.0
        weights = None
        if self.score_mode == "dot" and not return_attention_scores and len(query.shape) == 3:
            result = self._fused(query, value, key, value_mask, rate, use_causal_mask)
        else:
            weights = self._weights(self.scores(query, key), value_mask, use_causal_mask)
            if rate > 0:
                weights = random.dropout(weights, rate, seed=self.seed_generator)
            result = ops.matmul(weights, value)
        if query_mask is not None:
            result = ops.where(ops.cast(ops.expand_dims(query_mask, -1), "bool"), result, 0.0)
        return (result, weights) if return_attention_scores else result

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._check(inputs, mask)
        return None if mask is None or mask[0] is None else ops.convert_to_tensor(mask[0])

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        self._check(inputs, mask)
        result = Symbol(self.compute_output_shape([tuple(x.shape) for x in inputs]), self.compute_dtype)
        if not return_attention_scores:
            return result
        return result, Symbol((*inputs[0].shape[:-1], inputs[-1].shape[-2]), self.compute_dtype)

    def get_config(self) -> dict:
        config = {
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }
        return {**super().get_config(), **config}


@export("keras.layers")
class AdditiveAttention(Attention):
    """softmax(sum(scale tanh(query + key))) value, for a list [query, value] or [query, value, key].

    Bahdanau et al. (2015), Neural machine translation by jointly learning to align and translate.

    Args:
        use_scale: whether there is a learned factor for each feature.
        dropout: rate of the dropout of the weights in training, in [0, 1].

    Call arguments, result and errors: as those of `Attention`.

    >>> import kerasish as keras
    >>> query, value = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> keras.layers.AdditiveAttention()([query, value]).shape
    (2, 3, 4)
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        super().__init__(use_scale=use_scale, score_mode="concat", dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            width = input_shape[0][-1]
            if width is None:
                raise invalid(type(self).__name__, "the query's last dimension is known", input_shape=input_shape)
            self.scale = self.add_weight(name="scale", shape=(width,), initializer="glorot_uniform")

    def scores(self, query: Any, key: Any) -> Any:
        both = ops.tanh(ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3)))
        return ops.sum(both if self.scale is None else ops.multiply(both, self.scale), axis=-1)

    def get_config(self) -> dict:
        config = super().get_config()
        del config["score_mode"]
        return config
