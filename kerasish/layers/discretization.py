"""Discretization: numbers to the indices of the ranges that they lie in."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..engine.config import floatx
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.symbol import Symbol
from .adapting import batches
from .categorical import VECTORS, check_mode, encode, encoded_shape
from .data_layer import DataLayer
from .options import check_count, check_number

_MODES = ("int", *VECTORS)


def _compressed(summary: np.ndarray, error: float) -> np.ndarray:
    """A summary of about 1 / error values: where the share of the weights passes each multiple of it."""
    if summary.shape[1] * error < 1:
        return summary
    shares = error + np.arange(0.0, 1.0, error)
    total = summary[1].cumsum()
    at = total / total[-1]
    values, total = np.interp(shares, at, summary[0]), np.interp(shares, at, total)
    return np.stack((values, np.diff(total, prepend=0.0))).astype("float32")


def _summarized(x: np.ndarray, error: float) -> np.ndarray:
    """Every n-th of the sorted values, so that about 1 / error are left, each with how many it stands for."""
    x = np.sort(x, axis=None)
    step = max(x.size * error, 1.0)
    values = x[int(step - 1) :: int(step)]
    return np.stack([values, np.full_like(values, step)])


@export("keras.layers")
class Discretization(DataLayer):
    """Replaces numbers by the index of the range that each lies in.

    Args:
        bin_boundaries: sorted numbers: values below the first get 0, values from the first on get 1, and so on.
        num_bins: instead of boundaries, the number of ranges that `adapt` makes, with about as much data in each.
        epsilon: how exact quantiles are: larger is quicker and takes less memory.
        output_mode: "int" for indices; "one_hot", "multi_hot" and "count" as of `CategoryEncoding`.
        sparse: must be False.

    Input: numbers of any shape; output: int32 of the same shape, or vectors of the layer's dtype.

    Raises:
        ValueError: for both or none of boundaries and a number of bins, boundaries that are no sorted numbers, a mode
            that does not exist, `adapt` where the boundaries are given, and a call before there are any.

    >>> import kerasish as keras
    >>> keras.layers.Discretization([0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]]).numpy()
    array([[0, 2, 3, 1]], dtype=int32)
    """

    def __init__(
        self, bin_boundaries=None, num_bins=None, epsilon=0.01, output_mode="int", sparse=False, dtype=None, name=None
    ):
        super().__init__(name=name, dtype=dtype)
        self.supports_masking = False  # the elements of a mask are not those of the output
        self.output_mode = check_mode("Discretization", output_mode, _MODES, sparse)
        if (num_bins is None) == (bin_boundaries is None):
            rule = "one of bin_boundaries and num_bins is given"
            raise invalid("Discretization", rule, bin_boundaries=bin_boundaries, num_bins=num_bins)
        self.num_bins = None if num_bins is None else check_count("Discretization", "num_bins", num_bins)
        self.epsilon = check_number("Discretization", "epsilon", epsilon, 0.0, 1.0)
        if not self.epsilon:
            raise invalid("Discretization", "epsilon is greater than 0", epsilon=epsilon)
        self.sparse = False
        self.bin_boundaries = None if bin_boundaries is None else self._checked(bin_boundaries)
        self.reset_state()

    @staticmethod
    def _checked(boundaries: Any) -> list:
        try:
            array = np.asarray(boundaries, "float64")
        except (TypeError, ValueError):
            array = np.zeros(())
        if array.ndim != 1 or not (np.diff(array) >= 0).all() or np.isnan(array).any():
            rule = "bin_boundaries are numbers in ascending order"
            raise invalid("Discretization", rule, bin_boundaries=boundaries)
        return array.tolist()

    @property
    def input_dtype(self) -> str:
        return floatx()

    @property
    def output_dtype(self) -> str:
        """The dtype of the output."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Takes the boundaries from the quantiles of data, in place of what they were.

        Args:
            data: an array, a tensor, a `PyDataset`, or an iterable of batches. Batches are summarized one by one, to
                about 1 / epsilon values.
            steps: how many batches of an iterable are read; all by default.

        Raises:
            ValueError: the boundaries were given to the constructor, or there are no data. The layer stays as it was.
            TypeError: the data are no numbers.
        """
        where = f"Discretization {self.name!r}: adapt"
        if self.num_bins is None:
            raise invalid(where, "the bin_boundaries were given to the constructor", num_bins=self.num_bins)
        self.reset_state()
        for batch in batches(data, where, steps):
            self.update_state(batch)
        if not self.summary.size:
            raise invalid(where, "the data have at least one value", data=type(data).__name__)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Adds a batch to the summary of the data.

        Raises:
            TypeError: it holds no numbers.
        """
        x = np.asarray(data)
        if x.dtype.kind not in "iufb":
            where = f"Discretization {self.name!r}: adapt"
            raise invalid(where, "the data are numbers", kind=TypeError, dtype=str(x.dtype))
        if x.size:
            new = _summarized(x.astype("float32"), self.epsilon)
            merged = np.concatenate((new, self.summary), axis=1)
            self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Makes the boundaries from the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forgets the summary; the boundaries stay."""
        self.summary = np.zeros((2, 0), "float32")

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            rule = "bin_boundaries are given, or adapt() is called, before the layer is"
            raise invalid(f"Discretization {self.name!r}", rule, bin_boundaries=None)
        x = ops.cast(inputs, floatx())
        indices = ops.digitize(x, np.asarray(self.bin_boundaries, floatx()))
        return encode(indices, self.output_mode, len(self.bin_boundaries) + 1, self.output_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        known = self.bin_boundaries is not None
        return encoded_shape(input_shape, self.output_mode, len(self.bin_boundaries) + 1 if known else self.num_bins)

    def compute_output_spec(self, inputs: Any) -> Any:
        return Symbol(self.compute_output_shape(inputs.shape), self.output_dtype)

    def load_own_variables(self, store: Any) -> None:
        """Reads nothing: the boundaries are in the config. Keras 2 also stored the summary of the data."""

    def get_config(self) -> dict:
        return {
            "bin_boundaries": self.bin_boundaries, "num_bins": self.num_bins, "epsilon": self.epsilon,
            "output_mode": self.output_mode, "sparse": self.sparse, "name": self.name, "dtype": self.dtype,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict, custom_objects: Any = None) -> Discretization:
        """An instance from `get_config()`'s dict, which has both arguments after `adapt`."""
        boundaries = config.get("bin_boundaries")
        if boundaries is None or config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**{k: v for k, v in config.items() if k != "bin_boundaries"})
        layer.bin_boundaries = cls._checked(boundaries)
        return layer
