"""Losses: what training makes small."""

from __future__ import annotations

from typing import Any

from kerasish.engine.serialization import Family, serialize_keras_object
from kerasish.losses.crossentropy import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from kerasish.losses.distribution import KLDivergence, Poisson, kl_divergence, poisson
from kerasish.losses.embedding import Circle, circle
from kerasish.losses.hinge import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from kerasish.losses.loss import Loss
from kerasish.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from kerasish.losses.segmentation import Dice, Tversky, dice, tversky
from kerasish.losses.sequence import CTC, ctc
from kerasish.losses.wrapper import LossFunctionWrapper

_classes = [
    BinaryCrossentropy, BinaryFocalCrossentropy, CTC, CategoricalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle, CosineSimilarity, Dice, Hinge, Huber, KLDivergence,
    LogCosh, Loss, LossFunctionWrapper, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
    MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge, Tversky,
]  # fmt: skip
_functions = [
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy,
    categorical_generalized_cross_entropy, categorical_hinge, circle, cosine_similarity, ctc, dice, hinge, huber,
    kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
    mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge, tversky,
]  # fmt: skip
_short_names = {
    "bce": binary_crossentropy,
    "kld": kl_divergence,
    "mae": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mse": mean_squared_error,
    "msle": mean_squared_logarithmic_error,
}
_family = Family(
    "loss", [*_classes, *_functions], {**_short_names, **{name.upper(): fn for name, fn in _short_names.items()}}
)


def serialize(loss: Any) -> Any:
    """The config of a loss object or function."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The loss object or function that a config or a name describes.

    Raises:
        ValueError: the name is unknown; close names are listed.
    """
    return _family.deserialize(name, custom_objects)


def get(identifier: Any) -> Any:
    """A loss from `None`, a name of a function or class, a config, a class or a callable.

    Raises:
        ValueError: the name is unknown, or the identifier is none of these.

    Example:

    >>> import kerasish as keras
    >>> keras.losses.get("mse") is keras.losses.mean_squared_error
    True
    """
    return _family.get(identifier)
