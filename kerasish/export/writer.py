"""Writer: emits ONNX nodes, initializers, and the integer tensors that sizes become when a graph runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.errors import invalid
from .constants import affine, constant_form, rounded
from .family import WHERE, Dim, Ref, Sizes

# Names of TensorProto.DataType.
_TYPES = {
    "float16": "FLOAT16", "float32": "FLOAT", "float64": "DOUBLE", "bfloat16": "BFLOAT16", "bool": "BOOL",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "uint16": "UINT16",
    "uint32": "UINT32", "uint64": "UINT64", "complex64": "COMPLEX64", "complex128": "COMPLEX128",
}  # fmt: skip


class Writer:
    """The nodes of one ONNX graph.

    Attributes:
        onnx: the package.
        nodes: what has been emitted.
        initializers: arrays and TensorProto's numbers of their dtypes by name.
        prefix: of the names of the nodes that follow; the layer and the op.
        remake: function (Ref) -> whether it has emitted the call that made a constant.
    """

    def __init__(self, onnx: Any):
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: dict[str, tuple[np.ndarray, int]] = {}
        self.prefix = ""
        self.remake: Callable[[Ref], bool] = lambda ref: False
        self._names: set[str] = set()
        self._constants: dict[tuple, str] = {}
        self._sources: dict[Sizes, tuple[str, int]] = {}  # sizes -> a tensor and its dimension that has them
        self._computed: dict[Sizes, str] = {}
        self._made: dict[str, tuple[str, tuple[int, ...]]] = {}  # result of a Transpose -> what it is of, and how

    # -- names and types --------------------------------------------------------------------------------------------

    def unique(self, name: str) -> str:
        """The name, or one made from it that nothing else has."""
        k, out = 0, name
        while out in self._names:
            k += 1
            out = f"{name}_{k}"
        self._names.add(out)
        return out

    def type_of(self, dtype: str) -> int:
        """TensorProto's number of a dtype."""
        if dtype not in _TYPES:
            raise invalid(WHERE, "ONNX has no such dtype", dtype=dtype)
        return getattr(self.onnx.TensorProto, _TYPES[dtype])

    # -- nodes ------------------------------------------------------------------------------------------------------

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attrs: Any) -> Any:
        """Emits a node; gives the name of its output, or a list of them.

        Inputs are names; "" stands for one that is left out.
        """
        names = [self.unique(f"{self.prefix}/{kind}" if self.prefix else kind) for _ in range(outputs)]
        attrs = {k: v for k, v in attrs.items() if v is not None}
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), names, name=names[0], **attrs))
        return names[0] if outputs == 1 else names

    def subgraph(self, name: str, inputs: list[tuple[str, str]], emit: Any) -> Any:
        """A graph for a Scan: emit(*names of the inputs) -> [(name, dtype, rank), ...] of the outputs.

        Args:
            name: of the graph.
            inputs: (dtype, rank) of each.
            emit: emits the nodes; may use names of the graph around it.
        """
        helper = self.onnx.helper

        def info(name: str, dtype: str, rank: int) -> Any:
            return helper.make_tensor_value_info(name, self.type_of(dtype), [None] * rank)

        outer, self.nodes = self.nodes, []
        given = [(self.unique(f"{self.prefix}/{name}_in"), *spec) for spec in inputs]
        results = emit(*(n for n, *_ in given))
        body, self.nodes = self.nodes, outer
        return helper.make_graph(body, name, [info(*g) for g in given], [info(*r) for r in results])

    def initializer(self, name: str, array: np.ndarray, dtype: str) -> str:
        """Adds a named array."""
        name = self.unique(name)
        self.initializers[name] = np.asarray(array, order="C"), self.type_of(dtype)
        return name

    def const(self, value: Any, dtype: str | None = None) -> str:
        """An array as an initializer; equal ones are one."""
        array = np.asarray(value) if dtype is None or dtype not in _NUMPY else np.asarray(value, _NUMPY[dtype])
        dtype = dtype or str(array.dtype)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.initializer("constant", array, dtype)
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A vector of int64."""
        return self.const(np.asarray(values, "int64"))

    def scalar(self, value: Any, like: Ref) -> str:
        """A number in a value's dtype."""
        return self.const(value, like.dtype)

    def cast(self, x: str, dtype: str) -> str:
        return self.op("Cast", x, to=self.type_of(dtype))

    def transpose(self, x: str, perm: Sequence[int]) -> str:
        """A transposition; two in a row are one, or none."""
        perm = tuple(perm)
        if x in self._made:
            base, first = self._made[x]
            x, perm = base, tuple(first[p] for p in perm)
        if perm == tuple(range(len(perm))):
            return x
        out = self.op("Transpose", x, perm=perm)
        self._made[out] = (x, perm)
        return out

    def transposed(self, x: str) -> tuple[str, tuple[int, ...]] | None:
        """(y, perm) where x is y transposed."""
        return self._made.get(x)

    # -- sizes ------------------------------------------------------------------------------------------------------

    def see(self, ref: Ref) -> None:
        """Remembers where the free dimensions of a value can be read."""
        for axis, d in enumerate(ref.shape):
            if isinstance(d, Sizes) and ref.name is not None:
                self._sources.setdefault(d, (ref.name, axis))

    def size(self, d: Dim) -> str:
        """A dimension as a vector of one int64.

        Raises:
            ValueError: it does not follow from the dimensions that are there.
        """
        if isinstance(d, int):
            return self.ints(d)
        if d not in self._computed:
            self._computed[d] = self._compute(d)
        return self._computed[d]

    def _compute(self, d: Sizes) -> str:
        if d in self._sources:
            name, axis = self._sources[d]
            return self.op("Shape", name, start=axis, end=axis + 1)
        for known in self._sources:
            found = affine(d, known)
            if found is not None:
                times, plus = found
                y = self.size(known)
                y = y if times == 1 else self.op("Mul", y, self.ints(times))
                return y if plus == 0 else self.op("Add", y, self.ints(plus))
        known = list(self._sources)
        for k, a in enumerate(known):
            for b in known[k:]:
                found = affine(d, [x * y for x, y in zip(a, b)])
                if found is not None and found[1] == 0:
                    y = self.op("Mul", self.size(a), self.size(b))
                    return y if found[0] == 1 else self.op("Mul", y, self.ints(found[0]))
        for x in known:
            near = rounded(d, x)
            if near is not None:
                return self.op("Div", self.op("Add", self.size(x), self.ints(near[1])), self.ints(near[0]))
        raise invalid(
            WHERE,
            f"a size in {self.prefix} does not follow from the free dimensions as a sum, a product or a quotient; "
            "give them a fixed size",
            sizes=tuple(d),
        )

    def shape(self, dims: Sequence[Dim]) -> str:
        """A shape as a vector of int64."""
        if all(isinstance(d, int) for d in dims):
            return self.ints(*dims)
        parts: list[str] = []
        run: list[int] = []
        for d in dims:
            if isinstance(d, int):
                run.append(d)
                continue
            parts += [self.ints(*run)] if run else []
            parts.append(self.size(d))
            run = []
        parts += [self.ints(*run)] if run else []
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def reshape(self, x: str, dims: Sequence[Dim]) -> str:
        """The elements of x under another shape."""
        free = [k for k, d in enumerate(dims) if not isinstance(d, int)]
        if len(free) == 1 and 0 not in dims:
            return self.op("Reshape", x, self.ints(*(d if isinstance(d, int) else -1 for d in dims)))
        return self.op("Reshape", x, self.shape(dims), allowzero=1 if 0 in dims else None)

    def squeeze(self, x: str, *axes: int) -> str:
        return self.op("Squeeze", x, self.ints(*axes)) if axes else x

    def unsqueeze(self, x: str, *axes: int) -> str:
        return self.op("Unsqueeze", x, self.ints(*axes)) if axes else x

    def slice(self, x: str, axis: int, start: int, stop: int | None, step: int = 1) -> str:
        """A range along one axis, as Python slices."""
        end = (2**62 if step > 0 else -(2**62)) if stop is None else stop
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(axis), self.ints(step))

    # -- values -----------------------------------------------------------------------------------------------------

    def name(self, ref: Ref) -> str:
        """The name of a value; a constant is added on its first use."""
        if ref.name is None:
            arrays = [v.data for v in ref.values]
            if ref.maker is not None:
                step, k = ref.maker
                raise step.refuse(f"its output number {k} has no counterpart in ONNX, and the model uses it")
            ref.name = constant_form(self, arrays, ref)
            if ref.name is None and not self.remake(ref):
                raise invalid(
                    WHERE,
                    f"a constant that {self.prefix or 'the model'} uses differs with the size of a free dimension, and "
                    "is neither a row repeated nor a range nor a triangle; give that dimension a fixed size",
                    shapes=[a.shape for a in arrays[:2]],
                )
            self.see(ref)
        return ref.name


_NUMPY = {name: name for name in _TYPES if name != "bfloat16"}
