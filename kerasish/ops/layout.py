"""channels_first at the edge: kernels are channels-last, so such inputs are transposed on their way in and out."""

from __future__ import annotations

from typing import Any

from .shape import moveaxis


def to_channels_last(x: Any, data_format: str) -> Any:
    """(n, c, *sizes) as (n, *sizes, c), where `data_format` says that it is the former."""
    return moveaxis(x, 1, -1) if data_format == "channels_first" and len(x.shape) > 2 else x


def from_channels_last(y: Any, data_format: str) -> Any:
    """The inverse of `to_channels_last`."""
    return moveaxis(y, -1, 1) if data_format == "channels_first" else y
