"""MultiHeadAttention."""

from __future__ import annotations

import math
from string import ascii_lowercase
from typing import Any

from .. import ops
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.symbol import Symbol
from .call import get_mask
from .options import check_count
from .projected_attention import ProjectedAttention, without_masks


def _projection(free: int, bound: int, new: int) -> tuple[str, str]:
    """The equation of a dense layer that sums over `bound` dimensions and makes `new` ones; the latter's labels."""
    a, b, c = ascii_lowercase[:free], ascii_lowercase[free : free + bound], ascii_lowercase[free + bound :][:new]
    return f"{a}{b},{b}{c}->{a}{c}", c


def _attention_equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """Equations of the scores, from key and query, and of the output, from the weights and value, of a rank.

    The scores have the batch dimensions (all that are not in `axes`, heads among them), then the query's attention
    dimensions, then the key's.
    """
    query = ascii_lowercase[:rank]
    key = "".join(c.upper() if i in axes else c for i, c in enumerate(query))
    batch = "".join(c for i, c in enumerate(query[:-1]) if i not in axes)
    scores = batch + "".join(query[i] for i in axes) + "".join(key[i] for i in axes)
    return f"{key},{query}->{scores}", f"{scores},{key}->{query}"


@export("keras.layers")
class MultiHeadAttention(ProjectedAttention):
    """Attention of several heads between projections of query, key and value (Vaswani et al., 2017).

    Each head projects query and key to `key_dim` and value to `value_dim` features, and takes the mean of the values
    with the weights softmax(query . key / sqrt(key_dim)); a last projection joins the heads. The scores are not stored
    unless they are asked for.

    Args:
        num_heads: number of heads.
        key_dim: size of a head of query and key.
        value_dim: size of a head of value; key_dim by default.
        dropout: rate of the dropout of the weights in training, in [0, 1].
        use_bias: whether the projections have a bias.
        output_shape: shape of the last projection's output, an integer or a tuple; the query's last dimension by
            default.
        attention_axes: axes of query and key over which attention goes; all but the batch and the features by default.
        sliding_window: a step attends to steps nearer than this only.
        flash_attention: True refuses what needs the scores (dropout, return_attention_scores); the blocked kernel is
            used where it applies, unless `config.disable_flash_attention()` was called.
        kernel_initializer, bias_initializer: of the projections.
        kernel_regularizer, bias_regularizer, activity_regularizer: of the projections.
        kernel_constraint, bias_constraint: of the projections.
        use_gate: whether a sigmoid of one more projection of the query multiplies the heads' outputs (Qiu et al.,
            2025).
        seed: an integer or None, for the dropout.

    Call arguments:
        query: (batch, T, features).
        value: (batch, S, features).
        key: (batch, S, features); value by default.
        value_mask, key_mask: (batch, S), false for steps that do not count; by default what the tensors carry.
        query_mask: as in Keras, only the mask that the query carries counts.
        attention_mask: (batch, T, S), true where attention is allowed; dimensions of 1 broadcast.
        return_attention_scores: also gives the weights (batch, num_heads, T, S).
        training: whether dropout acts.
        use_causal_mask: each step attends to itself and to earlier ones only.

    Returns:
        (batch, T, output features), and the weights with `return_attention_scores`. A query that may attend to nothing
        gets the mean of all values; with dropout > 0, or with the scores, zeros: both as in Keras.

    Raises:
        ValueError: for sizes below 1, a rate outside [0, 1], and where value and key differ in length.

    >>> import kerasish as keras
    >>> x = keras.ops.ones((2, 5, 8))
    >>> y, weights = keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)(x, x, return_attention_scores=True)
    >>> y.shape, weights.shape
    ((2, 5, 8), (2, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
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
        where = type(self).__name__
        self_args = {n: check_count(where, n, v) for n, v in (("num_heads", num_heads), ("key_dim", key_dim))}
        value_dim = check_count(where, "value_dim", value_dim) if value_dim is not None else self_args["key_dim"]
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
        self._num_heads, self._key_dim, self._value_dim = self_args["num_heads"], self_args["key_dim"], value_dim
        if isinstance(output_shape, int) and not isinstance(output_shape, bool) and output_shape > 0:
            output_shape = (output_shape,)
        if output_shape is not None and (
            not isinstance(output_shape, (tuple, list)) or any(not isinstance(d, int) or d < 1 for d in output_shape)
        ):
            raise invalid(where, "output_shape is a positive integer or a tuple of them", output_shape=output_shape)
        self._output_shape = tuple(output_shape) if output_shape else None
        axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        if axes is not None and (
            not isinstance(axes, (tuple, list)) or any(isinstance(a, bool) or not isinstance(a, int) for a in axes)
        ):
            raise invalid(where, "attention_axes is an integer or a tuple of integers", attention_axes=attention_axes)
        self._attention_axes = axes

    num_heads = property(lambda self: self._num_heads, doc="Number of heads.")
    key_dim = property(lambda self: self._key_dim, doc="Size of a head of query and key.")
    value_dim = property(lambda self: self._value_dim, doc="Size of a head of value.")
    dropout = property(lambda self: self._dropout_rate, doc="Rate of the dropout of the weights.")
    use_bias = property(lambda self: self._use_bias, doc="Whether the projections have a bias.")
    attention_axes = property(lambda self: self._attention_axes, doc="Axes over which attention goes.")
    query_dense = property(lambda self: self._query_dense, doc="The query's projection.")
    key_dense = property(lambda self: self._key_dense, doc="The key's projection.")
    value_dense = property(lambda self: self._value_dense, doc="The value's projection.")
    output_dense = property(lambda self: self._output_dense, doc="The last projection.")

    def _check_shapes(self, value_shape: tuple, key_shape: tuple | None) -> None:
        if key_shape is not None and tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            rule = "value and key agree in all dimensions but the last"
            raise invalid(type(self).__name__, rule, value_shape=value_shape, key_shape=key_shape)

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The axes over which attention goes, from 0, of projections of this rank."""
        axes = range(1, rank - 2) if self._attention_axes is None else self._attention_axes
        return tuple(a if a >= 0 else rank - 1 + a for a in axes)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        self._check_shapes(value_shape, key_shape)

        def heads(name: str, shape: Any, width: int, **more: Any) -> Any:
            equation, labels = _projection(len(shape) - 1, 1, 2)
            out = (*(None,) * (len(shape) - 2), self._num_heads, width)
            dense = self.projection(name, equation, out, labels, **more)
            dense.build(tuple(shape))
            return dense

        self._query_dense = heads("query", query_shape, self._key_dim)
        self._key_dense = heads("key", key_shape, self._key_dim)
        if self._use_gate:
            self._gate_dense = heads("gate", query_shape, self._value_dim, activation="sigmoid")
        self._value_dense = heads("value", value_shape, self._value_dim)
        rank = len(query_shape) + 1
        self._attention_axes = axes = self._axes(rank)
        self._scores_equation, self._output_equation = _attention_equations(rank, axes)
        scores_rank = rank - 1 + len(axes)
        self._make_weights_layers(tuple(range(scores_rank - len(axes), scores_rank)))
        new = self._output_shape or (query_shape[-1],)
        equation, labels = _projection(len(query_shape) - 1, 2, len(new))
        out = (*(None,) * (len(query_shape) - 2), *new)
        self._output_dense = self.projection("attention_output", equation, out, labels)
        self._output_dense.build((*query_shape[:-1], self._num_heads, self._value_dim))

    def _plain_weights(self, query: Any, key: Any) -> Any:
        return ops.einsum(self._scores_equation, key, query)

    def _plain_output(self, weights: Any, value: Any) -> Any:
        return ops.einsum(self._output_equation, weights, value)

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
        masks = (get_mask(query), value_mask, key_mask, attention_mask)
        mask = self._join_masks(query, value, *masks)
        with without_masks(query, value, key):
            gate = self._gate_dense(query) if self._use_gate else None
            query, key, value = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        result, weights = self._attend(
            query,
            key,
            value,
            1.0 / math.sqrt(self._key_dim),
            mask,
            use_causal_mask,
            training,
            return_attention_scores,
            len(self._attention_axes),
        )
        result = self._output_dense(result if gate is None else ops.multiply(result, gate))
        return (result, weights) if return_attention_scores else result

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> tuple:
        self._check_shapes(value_shape, key_shape)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

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
        heads, axes = (*query.shape[:-1], self._num_heads), self._axes(len(query.shape) + 1)
        scores = [d for i, d in enumerate(heads) if i not in axes]
        scores += [x.shape[a] for x in (query, value) for a in axes]
        return result, Symbol(tuple(scores), self.compute_dtype)

    def get_config(self) -> dict:
        config = {
            "num_heads": self._num_heads,
            "key_dim": self._key_dim,
            "value_dim": self._value_dim,
            "output_shape": self._output_shape,
            "attention_axes": self._attention_axes,
        }
        return {**super().get_config(), **config, **self._common_config()}
