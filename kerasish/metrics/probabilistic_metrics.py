"""Cross-entropies and divergences as metrics."""

from __future__ import annotations

from typing import Any

from kerasish import losses
from kerasish.engine.registry import export
from kerasish.metrics.reduction_metrics import NamedMean


@export("keras.metrics")
class KLDivergence(NamedMean):
    """Mean of `losses.kl_divergence`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.KLDivergence()
    >>> metric.update_state([[0.5, 0.5]], [[0.25, 0.75]])
    >>> round(float(metric.result()), 4)
    0.1438
    """

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(losses.kl_divergence, name, dtype)


@export("keras.metrics")
class Poisson(NamedMean):
    """Mean of `losses.poisson`.

    Args:
        name, dtype: see `Metric`.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.Poisson()
    >>> metric.update_state([[0, 1], [0, 0]], [[1, 1], [0, 0]])
    >>> round(float(metric.result()), 3)
    0.5
    """

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(losses.poisson, name, dtype)


@export("keras.metrics")
class BinaryCrossentropy(NamedMean):
    """Mean of `losses.binary_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether predictions are logits.
        label_smoothing: in [0, 1]; moves the targets towards 0.5 by that share.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.BinaryCrossentropy()
    >>> metric.update_state([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]])
    >>> round(float(metric.result()), 3)
    0.815
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ):
        super().__init__(
            losses.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


@export("keras.metrics")
class CategoricalCrossentropy(NamedMean):
    """Mean of `losses.categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether predictions are logits.
        label_smoothing: in [0, 1]; the share of the target that is spread evenly over the classes.
        axis: the dimension of the classes.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.CategoricalCrossentropy()
    >>> metric.update_state([[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
    >>> round(float(metric.result()), 3)
    1.177
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ):
        super().__init__(
            losses.categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@export("keras.metrics")
class SparseCategoricalCrossentropy(NamedMean):
    """Mean of `losses.sparse_categorical_crossentropy`.

    Args:
        name, dtype: see `Metric`.
        from_logits: whether predictions are logits.
        ignore_class: a label whose positions count as 0.
        axis: the dimension of the classes.

    Example:

    >>> import kerasish as keras
    >>> metric = keras.metrics.SparseCategoricalCrossentropy()
    >>> metric.update_state([1, 2], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]])
    >>> round(float(metric.result()), 3)
    1.177
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        super().__init__(
            losses.sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
