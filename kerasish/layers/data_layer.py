"""Base of the layers that prepare data: they take plain numbers and lists besides arrays and tensors."""

from __future__ import annotations

from typing import Any

from .. import ops
from .activation import ElementwiseLayer


class DataLayer(ElementwiseLayer):
    """Base of layers that prepare numbers, element by element."""

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        return super().__call__(inputs if hasattr(inputs, "shape") else ops.convert_to_tensor(inputs), **kwargs)

    def convert_weight(self, weight: Any) -> Any:
        """The weight itself: there is one backend."""
        return weight
