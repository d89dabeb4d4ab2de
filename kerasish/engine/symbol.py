"""Symbol: a placeholder with a Spec instead of a value; and Node, the record of one call on symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import tree
from .dtype import standardize_dtype
from .errors import invalid
from .naming import auto_name
from .spec import Spec, standardize_shape
from .tensor import Operators, _operators


class Symbol(Operators):
    """A value that is not there yet: shape (None = unknown), dtype and the call that will make it.

    Exported as `KerasTensor`. `Input` makes the first ones; layers and ops called on symbols give symbols.

    >>> import kerasish as keras
    >>> x = keras.Input((4,))
    >>> (keras.ops.relu(x) + 1).shape
    (None, 4)
    """

    def __init__(
        self,
        shape,
        dtype: str = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        if sparse or ragged:
            raise invalid("KerasTensor", "sparse and ragged tensors are not supported", sparse=sparse, ragged=ragged)
        self.shape = standardize_shape(shape, "KerasTensor")
        self.dtype = standardize_dtype(dtype)
        self.name = name or auto_name("keras_tensor")
        self.sparse = False
        self.ragged = False
        self.ragged_rank = None
        self.row_splits_dtype = None
        self.node: Node | None = None
        self.node_output = 0

    @property
    def spec(self) -> Spec:
        return Spec(self.shape, self.dtype)

    @property
    def size(self) -> int | None:
        return self.spec.size

    def reshape(self, newshape) -> Symbol:
        return _operators["reshape"](self, newshape)

    def squeeze(self, axis=None) -> Symbol:
        return _operators["squeeze"](self, axis)

    def _no_value(self, what: str):
        raise invalid(what, "a symbolic tensor (KerasTensor) has no value; use ops that accept symbols", tensor=self)

    def __array__(self, *args, **kwargs):
        self._no_value("numpy")

    def __bool__(self):
        self._no_value("bool")

    def __int__(self):
        self._no_value("int")

    def __float__(self):
        self._no_value("float")

    def __index__(self):
        self._no_value("index")

    def __iter__(self):
        if not self.shape or self.shape[0] is None:
            raise invalid("iter", "only a known first dimension can be iterated over", tensor=self)
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Node:
    """One call of an operation (a layer, a model or an op) on symbols: what the symbolic graph is made of.

    A node is not the operation: a layer called twice has two nodes.

    Attributes:
        operation: what was called, and is called again to run the graph.
        args, kwargs: its arguments, nested structures that contain the input Symbols.
        inputs: those Symbols, flat, in order.
        outputs: the Symbols it gave, flat, in order.
    """

    __slots__ = ("args", "index", "inputs", "kwargs", "operation", "outputs")

    def __init__(self, operation: Callable, args: tuple, kwargs: dict, outputs: Any):
        self.operation = operation
        self.args = args
        self.kwargs = kwargs
        self.inputs = [x for x in tree.flatten((args, kwargs)) if isinstance(x, Symbol)]
        self.outputs = [x for x in tree.flatten(outputs) if isinstance(x, Symbol)]
        self.index = 0
        for k, out in enumerate(self.outputs):
            out.node, out.node_output = self, k

    def __repr__(self) -> str:
        name = getattr(self.operation, "name", self.operation)
        return f"<Node {name}: {[tuple(x.shape) for x in self.inputs]} -> {[tuple(x.shape) for x in self.outputs]}>"


def is_keras_tensor(x: Any) -> bool:
    """Whether a value is a symbolic tensor.

    >>> import kerasish as keras
    >>> keras.backend.is_keras_tensor(keras.Input((2,)))
    True
    """
    return isinstance(x, Symbol)


def any_symbols(*structures: Any) -> bool:
    """Whether nested structures contain a Symbol."""
    return any(isinstance(x, Symbol) for x in tree.flatten(structures))
