"""Spec: the static description (shape, dtype) of a value; what op declarations infer with."""

from __future__ import annotations


class Spec:
    """Shape and dtype of a value. A dimension of None is unknown.

    >>> from kerasish.engine.spec import Spec
    >>> Spec((None, 3), "float32").ndim
    2
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int | None, ...], dtype: str):
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int | None:
        """Number of elements, or None where a dimension is unknown."""
        n = 1
        for d in self.shape:
            if d is None:
                return None
            n *= d
        return n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.shape == other.shape and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"Spec(shape={self.shape}, dtype={self.dtype!r})"


def broadcast_shapes(*shapes: tuple[int | None, ...]) -> tuple[int | None, ...] | None:
    """The shape that operands of these shapes broadcast to, NumPy's way; None where they do not.

    >>> from kerasish.engine.spec import broadcast_shapes
    >>> broadcast_shapes((None, 1, 3), (2, 3)), broadcast_shapes((2,), (3,))
    ((None, 2, 3), None)
    """
    out: list[int | None] = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for k, d in enumerate(shape, len(out) - len(shape)):
            if out[k] == 1 or (out[k] is None and d != 1):
                out[k] = d
            elif d not in (1, None, out[k]):
                return None
    return tuple(out)


def standardize_shape(shape, where: str = "shape", unknown: bool = True) -> tuple[int | None, ...]:
    """A tuple of ints (and None where `unknown` allows) from what a user gives as a shape."""
    if isinstance(shape, (int, str)) or not hasattr(shape, "__iter__"):
        raise ValueError(f"{where}: a shape is a tuple of integers. Received: {shape!r}")
    out = []
    for d in shape:
        if d is None:
            if not unknown:
                raise ValueError(f"{where}: every dimension must be known. Received: {tuple(shape)}")
            out.append(None)
            continue
        try:
            n = d.__index__()
        except AttributeError:
            raise ValueError(
                f"{where}: a dimension is an integer{' or None' if unknown else ''}. Received: {tuple(shape)}"
            ) from None
        if n < 0:
            raise ValueError(f"{where}: a dimension is at least 0. Received: {tuple(shape)}")
        out.append(n)
    return tuple(out)
