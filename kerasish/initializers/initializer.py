"""The base class of initializers."""

from __future__ import annotations

from typing import Any

from kerasish.engine.registry import export


@export("keras.initializers", aliases=("keras",))
class Initializer:
    """Makes the first value of a variable: a callable `(shape, dtype) -> tensor`.

    Subclasses implement `__call__` and, where they have arguments, `get_config`.

    Example:

    >>> import kerasish as keras
    >>> class Fives(keras.initializers.Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return 5 * keras.ops.ones(shape, dtype=dtype)
    >>> Fives()((2,)).numpy()
    array([5., 5.], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not implement __call__(shape, dtype)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """An initializer with these arguments."""
        return cls(**config)

    def clone(self) -> Initializer:
        """A new initializer with the same arguments."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"
