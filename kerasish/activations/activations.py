"""Activation functions that differ from the op of their name, or have none."""

from __future__ import annotations

from typing import Any

from kerasish import ops
from kerasish.engine.errors import invalid
from kerasish.engine.symbol import Symbol
from kerasish.ops.activation import mish_op
from kerasish.ops.factories import floating, scalar


def linear(x: Any) -> Any:
    """x itself.

    >>> import kerasish as keras
    >>> keras.activations.linear(3.0)
    3.0
    """
    return x


def exponential(x: Any) -> Any:
    """e to the power x.

    >>> import kerasish as keras
    >>> keras.activations.exponential(0.0).item()
    1.0
    """
    return ops.exp(x)


def mish(x: Any) -> Any:
    """x tanh(softplus(x)) (Misra 2019).

    >>> import kerasish as keras
    >>> keras.activations.mish([0.0]).tolist()
    [0.0]
    """
    if isinstance(x, Symbol):  # for Keras, which has no op for it and opens no graph with one
        return x * ops.tanh(ops.softplus(x))
    return mish_op(floating(x))


def keras2_hard_sigmoid(x: Any) -> Any:
    """0.2 x + 0.5, cut to [0, 1]: what `hard_sigmoid` was in Keras 1 and 2, for models from that time.

    >>> from kerasish.activations.activations import keras2_hard_sigmoid
    >>> keras2_hard_sigmoid([-3.0, 0.0, 1.0]).numpy()
    array([0. , 0.5, 0.7], dtype=float32)
    """
    return ops.hard_sigmoid(floating(x) * 1.2)


def gelu(x: Any, approximate: bool = False) -> Any:
    """`ops.gelu`, but exact unless told otherwise.

    >>> import kerasish as keras
    >>> keras.activations.gelu([1.0]).numpy()
    array([0.8413447], dtype=float32)
    """
    return ops.gelu(x, approximate=approximate)


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """max(x, 0), or with the options, the piecewise linear function

        max_value                          where x >= max_value,
        x                                  where threshold <= x < max_value,
        negative_slope (x - threshold)     below.

    Args:
        x: a tensor.
        negative_slope: slope below the threshold.
        max_value: the largest value, None for no limit.
        threshold: where x begins to pass.

    Raises:
        ValueError: where max_value is negative.

    >>> import kerasish as keras
    >>> keras.activations.relu([-2.0, 1.0, 9.0], negative_slope=0.5, max_value=6.0).tolist()
    [-1.0, 1.0, 6.0]
    """
    slope, start = scalar("relu", "negative_slope", negative_slope), scalar("relu", "threshold", threshold)
    if max_value is not None and scalar("relu", "max_value", max_value) < 0:
        raise invalid("relu", "`max_value` is at least 0", max_value=max_value)
    if start == 0 and max_value is None:
        return ops.leaky_relu(x, negative_slope=slope) if slope else ops.relu(x)
    if start == 0 and max_value == 6 and not slope:
        return ops.relu6(x)
    x = floating(x)
    y = ops.where(ops.greater(x, start), x, 0.0) if start else ops.relu(x)
    if max_value is not None:
        y = ops.minimum(y, float(max_value))
    return y - ops.relu(start - x) * slope if slope else y
