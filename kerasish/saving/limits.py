"""How much a file may ask for: sizes, numbers and depths beyond which it is refused unread."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..engine.errors import invalid

KiB, MiB, GiB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """Caps on what loading a file may take. Raise one for a file that you trust and that needs it.

    Args:
        config_bytes: size of a JSON text.
        config_depth: nesting of lists and objects in it.
        config_integer: largest absolute value of an integer in it, apart from seeds and object numbers.
        weights_bytes: size of the weights, as stored and as arrays.
        asset_bytes: size of all assets (vocabularies and the like), as stored and as tables in memory.
        members: files in an archive, and objects in an HDF5 file.
        expansion: how many times larger than stored a compressed member or array may become.
        variable_bytes: memory for variables that no file holds: state of optimizers and metrics.

    Raises:
        ValueError: a cap is not a positive integer.

    Example:

    >>> from kerasish.saving import Limits
    >>> Limits(weights_bytes=64 * 2**30).config_depth
    200
    """

    config_bytes: int = 64 * MiB
    config_depth: int = 200
    config_integer: int = 10**9
    weights_bytes: int = 16 * GiB
    asset_bytes: int = GiB
    members: int = 200_000
    expansion: int = 100
    variable_bytes: int = 256 * MiB

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise invalid("Limits", f"{f.name} is a positive integer", **{f.name: value})


DEFAULT = Limits()
