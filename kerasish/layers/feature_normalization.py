"""Normalization: features to mean 0 and variance 1, by statistics that are given or taken from data beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import ops
from ..engine.config import epsilon as small
from ..engine.errors import invalid
from ..engine.serialization import export
from .adapting import batches
from .data_layer import DataLayer
from .normalization import known_sizes
from .options import check_axes


def _statistic(name: str, value: Any) -> np.ndarray:
    """A mean or variance as an array of numbers."""
    try:
        array = np.asarray(value)
    except ValueError:  # a ragged list
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        raise invalid("Normalization", f"{name} is a number, or an array or list of numbers", **{name: value})
    return array


def _batches(data: Any) -> Iterator[np.ndarray]:
    where = "Normalization.adapt"
    for batch in batches(data, where):
        if getattr(batch, "shape", None) is None:
            rule = "an iterable gives batches that are arrays"
            raise invalid(where, rule, kind=TypeError, batch=type(batch).__name__)
        yield np.asarray(batch)


@export("keras.layers")
class Normalization(DataLayer):
    """(inputs - mean) / sqrt(variance), with statistics that are given, or that `adapt` takes from data.

    Args:
        axis: the axis or axes whose positions have statistics of their own; None for one mean and one variance of all.
        mean, variance: the statistics, to be given together: numbers, or arrays that broadcast to the sizes of the
            kept axes.
        invert: whether normalized values are turned back: inputs * sqrt(variance) + mean.

    Input: numbers of any shape in which the kept axes have known sizes; the output has the same shape. A standard
    deviation below `keras.config.epsilon()` counts as that.

    Raises:
        ValueError: for one statistic without the other, statistics that are no numbers or do not fit the axes, axes
            that the input lacks, and `adapt` where the statistics are given.

    >>> import numpy as np
    >>> import kerasish as keras
    >>> layer = keras.layers.Normalization()
    >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 9.0]]))
    >>> layer([[0.0, 9.0]]).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        axes = () if axis is None else check_axes("Normalization", "axis", axis)
        self.axis = (axes,) if isinstance(axes, int) else tuple(axes)
        self.input_mean, self.input_variance, self.invert = mean, variance, bool(invert)
        if (mean is None) != (variance is None):
            raise invalid("Normalization", "mean and variance are given together", mean=mean, variance=variance)
        if mean is not None:
            shapes = [_statistic(n, v).shape for n, v in (("mean", mean), ("variance", variance))]
            if shapes[0] != shapes[1]:
                raise invalid("Normalization", "mean and variance have the same shape", shapes=shapes)
            if len(shapes[0]) > len(self.axis):
                rule = f"mean has at most as many dimensions as there are axes, {len(self.axis)}"
                raise invalid("Normalization", rule, shape=shapes[0], axis=self.axis)

    def build(self, input_shape: Any) -> None:
        if input_shape is None:
            return
        shape, rank = tuple(input_shape), len(input_shape)
        known_sizes(self, shape, self.axis)
        keep = tuple(sorted({a % rank for a in self.axis}))
        self._keep_axis, self._reduce_axis = keep, tuple(a for a in range(rank) if a not in keep)
        self._built_shape = shape
        sizes = tuple(shape[a] for a in keep)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(name="mean", shape=sizes, initializer="zeros", trainable=False)
            self.adapt_variance = self.add_weight(name="variance", shape=sizes, initializer="ones", trainable=False)
            # Counts nothing today; it has its place in files.
            self.count = self.add_weight(name="count", shape=(), dtype="int", initializer="zeros", trainable=False)
            self._statistics_shape = tuple(shape[a] if a in keep else 1 for a in range(rank))
            return
        # The statistics stand at the last of the kept axes. They are not repeated to the sizes of the input: an
        # operation broadcasts them, and a file cannot ask for memory by a shape.
        given = _statistic("mean", self.input_mean).shape
        aligned = [1] * rank
        for a, size in zip(reversed(keep), reversed(given)):
            if size not in (1, shape[a]):
                rule = f"mean and variance broadcast to the sizes of the kept axes, {sizes}"
                raise invalid(f"Normalization {self.name!r}", rule, shape=given, input_shape=shape)
            aligned[a] = size
        if len(given) > len(keep):  # an axis was named twice
            rule = f"mean has at most as many dimensions as there are axes, {len(keep)}"
            raise invalid(f"Normalization {self.name!r}", rule, shape=given, axis=self.axis)
        self._statistics_shape = tuple(aligned)

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from data, in place of what they were.

        Args:
            data: an array, a tensor, a `PyDataset`, or an iterable of batches (arrays, or tuples that begin with one).
                It is read once. Statistics of batches are merged by the formula of Chan, Golub and LeVeque (1979), in
                float64.

        Raises:
            ValueError: the statistics were given to the constructor, there is no batch, or a shape does not fit the
                layer. The layer keeps its statistics.
            TypeError: the data, or a batch, is no array.
        """
        where = f"Normalization {self.name!r}: adapt"
        if self.input_mean is not None:
            raise invalid(where, "the mean and variance were given to the constructor", mean=self.input_mean)
        count, mean, variance = 0, 0.0, 0.0
        for x in _batches(data):
            if x.dtype.kind not in "iufb":
                raise invalid(where, "the data are numbers", kind=TypeError, dtype=str(x.dtype))
            if not self.built:
                self.build(x.shape)
            built = self._built_shape
            if x.ndim != len(built) or any(x.shape[a] != built[a] for a in self._keep_axis):
                raise invalid(where, f"the data fit the shape that the layer was built with, {built}", data=x)
            n = math.prod(x.shape[a] for a in self._reduce_axis)
            if n == 0:
                continue
            x = x.astype("float64")
            batch_mean, batch_variance = x.mean(self._reduce_axis), x.var(self._reduce_axis)
            count += n
            weight, step = n / count, batch_mean - mean
            mean = mean + step * weight
            variance = variance * (1 - weight) + batch_variance * weight + step**2 * (weight * (1 - weight))
        if count == 0:
            raise invalid(where, "the data have at least one sample", data=type(data).__name__)
        self.adapt_mean.assign(np.asarray(mean))
        self.adapt_variance.assign(np.asarray(variance))
        self.finalize_state()

    def finalize_state(self) -> None:
        """Called after the statistics have changed. There is nothing to do: calls read the variables."""

    def _read(self, given: Any, variable: str) -> Any:
        value = getattr(self, variable) if given is None else np.asarray(given)
        return ops.reshape(ops.cast(value, self.compute_dtype), self._statistics_shape)

    @property
    def mean(self) -> Any:
        """The mean, in a shape that broadcasts with the input; None before the layer is built."""
        return self._read(self.input_mean, "adapt_mean") if hasattr(self, "_statistics_shape") else None

    @property
    def variance(self) -> Any:
        """The variance, in a shape that broadcasts with the input; None before the layer is built."""
        return self._read(self.input_variance, "adapt_variance") if hasattr(self, "_statistics_shape") else None

    def call(self, inputs: Any) -> Any:
        mean = self.mean
        if mean is None:
            raise invalid(f"Normalization {self.name!r}", "build(input_shape) comes before the first call")
        x = ops.cast(inputs, self.compute_dtype)
        deviation = ops.maximum(ops.sqrt(self.variance), small())
        if self.invert:
            return ops.add(mean, ops.multiply(x, deviation))
        return ops.divide(ops.subtract(x, mean), deviation)

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote."""
        super().load_own_variables(store)
        self.finalize_state()

    load_own_variables._is_plain = True

    def get_config(self) -> dict:
        given = {"mean": self.input_mean, "variance": self.input_variance}
        lists = {n: None if v is None else np.asarray(v).tolist() for n, v in given.items()}
        return {**super().get_config(), "axis": self.axis, "invert": self.invert, **lists}
