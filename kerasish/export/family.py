"""One function captured at several sizes of its free dimensions, read as one graph with sizes that are not numbers.

A capture has concrete shapes. What in it depends on a free dimension (the batch, the steps of a sequence) shows when
the function is captured again at other sizes: the calls are the same, and the numbers that differ are functions of the
sizes. So a dimension is here either an int or a `Sizes`, the tuple of what it is in each capture, and attributes and
constants are compared the same way. Where the calls themselves differ, the function takes another path at another size
and cannot be one graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.op import Op, plan_for
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import Tensor, to_tensor
from ..executor.capture import Capture, Traced, capture
from ..executor.graph import Call, Graph, Value

WHERE = "export"


class Recorder(Capture):
    """A capture whose constants remember the calls that made them: what is the same array in every run of a step may
    be another one at another size."""

    def apply(self, op: Op, inputs: Sequence[Any], attrs: dict) -> Any:
        outs = super().apply(op, inputs, attrs)
        results = outs if isinstance(outs, tuple) else (outs,)
        if not any(isinstance(t, (Traced, Symbol)) for t in results):
            tensors = [x.read() if hasattr(x, "read") else x for x in inputs]
            tensors = [x if isinstance(x, Tensor) else to_tensor(x, where=op.name) for x in tensors]
            call = Call(op, [self.value_of(t) for t in tensors], attrs, plan_for(op, tensors, attrs), self._layer())
            for tensor, value in zip(results, call.outputs):
                value.data = tensor.data
                self._constants[tensor.uid] = value
                self._keep.append(tensor)
        return outs


class Sizes(tuple):
    """What a dimension, or an integer that follows from dimensions, is in each capture; not the same in all."""

    __slots__ = ()


Dim = int | Sizes


def merged(numbers: Sequence[int]) -> Dim:
    """An int where all are equal, else Sizes."""
    return int(numbers[0]) if len(set(numbers)) == 1 else Sizes(int(n) for n in numbers)


class Ref:
    """A value of the graph.

    Attributes:
        shape: an int or Sizes for each dimension.
        dtype: its name.
        values: the value in each capture.
        maker: (Step, position) that makes it, or None.
        name: its ONNX name, once it has one; None for what has no counterpart in ONNX.
    """

    __slots__ = ("dtype", "maker", "name", "shape", "values")

    def __init__(self, values: Sequence[Value], maker: Any = None):
        shapes = [v.spec.shape for v in values]
        self.values, self.maker, self.name = values, maker, None
        self.shape: tuple[Dim, ...] = tuple(merged(d) for d in zip(*shapes))
        self.dtype = values[0].spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Step:
    """One call, the same in every capture.

    Attributes:
        op: the op's name.
        layer: path of the layer it belongs to.
        inputs, outputs: Refs.
        used: for each output, whether anybody reads it.
    """

    __slots__ = ("_attrs", "inputs", "layer", "op", "outputs", "used")

    def __init__(self, op: str, layer: str, inputs: list[Ref], attrs: list[Mapping[str, Any]]):
        self.op, self.layer, self.inputs, self._attrs = op, layer, inputs, attrs
        self.outputs: list[Ref] = []
        self.used: list[bool] = []

    def refuse(self, rule: str, **received: Any) -> Exception:
        """The error that this call cannot be exported."""
        where = f" (in {self.layer})" if self.layer else ""
        return invalid(WHERE, f"op {self.op!r}{where}: {rule}", **received)

    def __getitem__(self, name: str) -> Any:
        """An attribute that does not depend on a free dimension."""
        first = self._attrs[0][name]
        for attrs in self._attrs:
            if attrs[name] != first:
                seen = [a[name] for a in self._attrs[:2]]
                raise self.refuse(f"{name!r} depends on a free dimension; give it a fixed size", **{name: seen})
        return first

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute that may be missing."""
        return self[name] if name in self._attrs[0] else default

    def each(self, fn: Callable[..., Any]) -> list:
        """fn(input shapes, attributes) in every capture."""
        return [fn([r.values[k].spec.shape for r in self.inputs], a) for k, a in enumerate(self._attrs)]

    def same(self, fn: Callable[..., Any], what: str) -> Any:
        """fn(input shapes, attributes), which must be the same in every capture."""
        results = self.each(fn)
        if any(r != results[0] for r in results):
            raise self.refuse(f"{what} depends on a free dimension; give it a fixed size", **{"found": results[:2]})
        return results[0]

    def fixed(self, ref: Ref, axis: int) -> int:
        """A dimension of an input, which must not be free."""
        d = ref.shape[axis]
        if not isinstance(d, int):
            raise self.refuse(f"dimension {axis} of its input must have a fixed size", shape=ref.values[0].spec.shape)
        return d


class Family:
    """The captures, aligned.

    Attributes:
        inputs, outputs: Refs.
        variables: pairs (Variable, Ref).
        assigned: path of a Variable that the function assigns, or None.
        steps: the calls in order.
        structure: the function's result with positions of outputs in place of tensors.
        free: Sizes of each free dimension -> its name.
    """

    def __init__(self, graphs: Sequence[Graph], structure: Any, free: dict[Sizes, str]):
        self.structure, self.free = structure, free
        self._known: list[dict[int, Ref]] = [{} for _ in graphs]
        first = graphs[0]
        self.assigned = first.updates[0][0].variable.path if first.updates else None
        self.inputs = [self._new([g.inputs[k] for g in graphs]) for k in range(len(first.inputs))]
        if any([v.variable for v in g.variables] != [v.variable for v in first.variables] for g in graphs):
            raise self._diverges("it reads other variables")
        self.variables = [
            (v.variable, self._new([g.variables[k] for g in graphs])) for k, v in enumerate(first.variables)
        ]
        self.steps: list[Step] = []
        if any(len(g.calls) != len(first.calls) for g in graphs):
            raise self._diverges("it makes " + " or ".join(str(len(g.calls)) for g in graphs[:2]) + " calls of ops")
        for calls in zip(*(g.calls for g in graphs)):
            self.steps.append(self._align(calls))
        self.outputs = [self._find(values) for values in zip(*(g.outputs for g in graphs))]
        self._mark()

    def _diverges(self, how: str) -> Exception:
        names = " or ".join(self.free.values())
        return invalid(
            WHERE,
            f"the model computes something else for another size of {names or 'its inputs'} ({how}), so one graph "
            "cannot serve all sizes; give that dimension a fixed size (a loop over time steps needs their number)",
        )

    def _new(self, values: Sequence[Value], maker: Any = None) -> Ref:
        ref = Ref(values, maker)
        for known, value in zip(self._known, values):
            known[id(value)] = ref
        return ref

    def _find(self, values: Sequence[Value]) -> Ref:
        refs = [known.get(id(v)) for known, v in zip(self._known, values)]
        if all(r is None for r in refs) and all(v.data is not None for v in values):
            return self._new(values)
        if refs[0] is None or any(r is not refs[0] for r in refs):
            raise self._diverges("an op reads another value")
        return refs[0]

    def recall(self, ref: Ref) -> Step | None:
        """The call that made a constant, or None."""
        calls = [v.call for v in ref.values]
        return None if any(c is None for c in calls) else self._align(calls)

    def _align(self, calls: Sequence[Any]) -> Step:
        first = calls[0]
        for call in calls:
            if (
                call.op is not first.op
                or len(call.inputs) != len(first.inputs)
                or call.attrs.keys() != first.attrs.keys()
            ):
                raise self._diverges(f"ops {first.op.name!r} and {call.op.name!r} in its place, in {first.layer!r}")
        step = Step(first.op.name, first.layer, [], [c.attrs for c in calls])
        step.inputs = [self._find(values) for values in zip(*(c.inputs for c in calls))]
        outputs = list(zip(*(c.outputs for c in calls)))
        if all(v.data is None for values in outputs for v in values):
            step.outputs = [self._new(values, (step, k)) for k, values in enumerate(outputs)]
        else:
            step.outputs = [self._find(values) for values in outputs]
            step.used = [True] * len(outputs)
        return step

    def _mark(self) -> None:
        """Keeps the steps whose result is needed."""
        needed = {id(r) for r in self.outputs}
        kept = []
        for step in reversed(self.steps):
            step.used = [id(r) in needed for r in step.outputs]
            if any(step.used):
                needed.update(id(r) for r in step.inputs)
                kept.append(step)
        self.steps = kept[::-1]
        self.variables = [(v, r) for v, r in self.variables if id(r) in needed]


# What free dimensions are captured at. Sizes that leave all remainders by the usual strides come first, because they
# show whether and how an expression rounds; sizes that halve often serve models that demand it (an encoder and decoder
# that meet again). They fit the windows of the usual nets.
_MIXED = (67, 90, 72, 109, 78, 100, 97, 79, 113, 86, 131)
_EVEN = (32, 96, 160, 192, 224, 288, 320, 352, 64, 416, 128)
_BATCH = (7, 12, 11, 18, 13, 20, 17, 10, 19, 22, 23)
_ALONE = 5  # captures where the batch alone is free: nothing usual rounds it


def _plans(symbols: list[str], taken: set[int]) -> list[dict[str, list[int]]]:
    """For each attempt, the size of every free dimension in each capture."""
    others = [s for s in symbols if s != "batch"]
    count = len(_MIXED) if others else _ALONE

    def through(pool: tuple[int, ...], start: int, stride: int) -> list[int]:
        found = [pool[(start + k * stride) % len(pool)] for k in range(count)]
        for k, n in enumerate(found):
            while n in taken:
                n += 8 * len(pool)  # with the same remainders
            found[k] = n
        return found

    plans = []
    for pool in (_MIXED, _EVEN) if others else (_MIXED,):
        # The length of a pool is prime: each dimension goes through all of it, in a stride of its own.
        sizes = {s: through(pool, 3 * j, j + 1) for j, s in enumerate(others)}
        plans.append({s: through(_BATCH, 0, 1) if s == "batch" else sizes[s] for s in symbols})
    return plans


def _substituted(shape: tuple, sizes: dict[str, list[int]], k: int) -> tuple[int, ...]:
    return tuple(sizes[d][k] if isinstance(d, str) else d for d in shape)


def capture_family(fn: Callable, shapes: list[tuple], dtypes: list[str], taken: set[int]) -> Family:
    """Captures fn(*tensors) at several sizes.

    Args:
        fn: function of tensors.
        shapes: of the tensors; ints, and names of free dimensions.
        dtypes: of the tensors.
        taken: sizes of other dimensions, which free ones do not take, so that nothing is equal by chance.

    Raises:
        ValueError: the captures cannot be read as one graph; whatever fn raises for its inputs.
    """
    symbols = list(dict.fromkeys(d for shape in shapes for d in shape if isinstance(d, str)))
    error: Exception | None = None
    # Free dimensions are independent, unless the model demands otherwise: then those at one place are one.
    shared = {s: "dim_" + s.rsplit("_", 1)[-1] for s in symbols if s != "batch"}
    namings = [{}, shared] if len(set(shared.values())) < len(shared) else [{}]
    for naming in namings:
        named = [tuple(naming.get(d, d) if isinstance(d, str) else d for d in shape) for shape in shapes]
        for sizes in _plans(list(dict.fromkeys(naming.get(s, s) for s in symbols)), taken):
            count = len(next(iter(sizes.values()))) if sizes else 1
            graphs, structures = [], []
            try:
                for k in range(count):
                    specs = [Spec(_substituted(s, sizes, k), d) for s, d in zip(named, dtypes)]
                    graph, structure = capture(fn, tuple(specs), recorder=Recorder)
                    graphs.append(graph)
                    structures.append(structure)
            except (ValueError, TypeError) as e:  # the model refuses these sizes; perhaps it takes others
                error = error or e
                continue
            return Family(graphs, structures[0], {Sizes(n): s for s, n in sizes.items()})
    raise error


def same_arrays(arrays: Sequence[np.ndarray]) -> bool:
    """Whether constants are the same in every capture, bit for bit."""
    a = arrays[0]
    return all(b is a or (b.shape == a.shape and b.tobytes() == a.tobytes()) for b in arrays[1:])
