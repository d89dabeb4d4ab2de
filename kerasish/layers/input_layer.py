"""Input and InputLayer: where a symbolic graph begins."""

from __future__ import annotations

from typing import Any

from ..engine.dtype import standardize_dtype
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.spec import standardize_shape
from ..engine.symbol import Node, Symbol
from .layer import Layer


@export("keras.layers")
class InputLayer(Layer):
    """The layer behind an `Input`: holds the shape and dtype of one input of a model.

    Args:
        shape: shape of one sample, None for unknown dimensions.
        batch_size: fixed batch size, if any.
        dtype: `floatx` by default.
        batch_shape: shape with the batch dimension; instead of `shape` and `batch_size`.
        input_tensor: a symbol to take instead of making one.
        optional: whether None may be passed.
        sparse, ragged: must not be true.
        name: made by default.

    Raises:
        ValueError: for contradicting or missing shapes.
    """

    def __init__(
        self,
        shape=None,
        batch_size=None,
        dtype=None,
        sparse=None,
        ragged=None,
        batch_shape=None,
        input_tensor=None,
        optional=False,
        name=None,
        **kwargs,
    ):
        super().__init__(name=name)
        if "input_shape" in kwargs:
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        if kwargs:
            raise invalid("InputLayer", "unrecognized keyword arguments", **kwargs)
        if sparse or ragged:
            raise invalid("InputLayer", "sparse and ragged inputs are not supported", sparse=sparse, ragged=ragged)
        if input_tensor is not None:
            if not isinstance(input_tensor, Symbol):
                raise invalid(
                    "InputLayer", "input_tensor is a symbolic tensor (KerasTensor)", input_tensor=input_tensor
                )
            if shape is None and batch_shape is None:
                batch_shape = input_tensor.shape
            dtype = dtype or input_tensor.dtype
        if shape is not None and batch_shape is not None:
            raise invalid("InputLayer", "give shape or batch_shape, not both", shape=shape, batch_shape=batch_shape)
        if batch_size is not None and batch_shape is not None:
            raise invalid("InputLayer", "give batch_size or batch_shape, not both", batch_size=batch_size)
        if shape is None and batch_shape is None:
            raise invalid("InputLayer", "a shape is needed")
        if shape is not None:
            batch_shape = (batch_size, *standardize_shape(shape, "InputLayer"))
        self._batch_shape = standardize_shape(batch_shape, "InputLayer")
        self._input_dtype = standardize_dtype(dtype)
        self.optional = optional
        self.sparse = self.ragged = False
        if input_tensor is None:
            input_tensor = Symbol(self._batch_shape, self._input_dtype, name=name)
        self._inbound_nodes.append(Node(self, (), {}, input_tensor))
        self.built = True

    @property
    def batch_shape(self) -> tuple:
        """The shape with the batch dimension."""
        return self._batch_shape

    @property
    def dtype(self) -> str:
        return self._input_dtype

    def call(self, *args: Any) -> None:
        raise invalid("InputLayer", "an input layer is not called; its `output` is the symbol")

    def get_config(self) -> dict:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }

    @classmethod
    def from_config(cls, config: dict) -> InputLayer:
        return cls(**config)


def Input(
    shape=None,
    batch_size=None,
    dtype=None,
    sparse=None,
    ragged=None,
    batch_shape=None,
    name=None,
    tensor=None,
    optional=False,
) -> Symbol:
    """A symbol for one input of a model.

    Args:
        shape: shape of one sample, None for unknown dimensions.
        batch_size: fixed batch size, if any.
        dtype: `floatx` by default.
        batch_shape: shape with the batch dimension; instead of `shape` and `batch_size`.
        name: name of the input, by which dicts of data are matched.
        tensor: a symbol to take instead of making one.
        optional: whether None may be passed.
        sparse, ragged: must not be true.

    >>> import kerasish as keras
    >>> keras.Input((28, 28, 1)).shape
    (None, 28, 28, 1)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    )
    return layer.output
