"""The flat op graph of one captured step: values, calls, and how they are printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..engine.op import Op, plan_for
from ..engine.spec import Spec


class Value:
    """An array that exists while a step runs.

    Attributes:
        spec: shape (all dimensions known) and dtype.
        call, position: what makes it, and as which output; None for inputs, variables and constants.
        data: the array of a constant.
        variable: the Variable whose value at the start of the step this is.
        layer: path of the layer that it was made in, for profiles.
    """

    __slots__ = ("call", "data", "layer", "position", "spec", "variable")

    def __init__(self, spec: Spec, *, data: np.ndarray | None = None, variable: Any = None):
        self.spec = spec
        self.call: Call | None = None
        self.position = 0
        self.data = data
        self.variable = variable
        self.layer = ""

    @property
    def bytes(self) -> int:
        """Size of the array."""
        return self.spec.size * np.dtype(self.spec.dtype).itemsize

    @property
    def root(self) -> Value:
        """The value whose memory this one shows under another shape: itself, unless a view makes it."""
        value = self
        while value.call is not None and value.call.is_view:
            value = value.call.inputs[0]
        return value

    def __repr__(self) -> str:
        return f"<Value {self.spec.dtype}{list(self.spec.shape)}>"


class Call:
    """One call of an op on values.

    Attributes:
        op, attrs: what is called.
        inputs, outputs: values.
        plan: the kernel and its attributes, as `engine.op` plans them.
        parts: of a block (see `passes.blocks`): lists of calls that run on a block of rows at a time, with the number
            of rows in all; parts do not depend on each other.
        packed: input 1 in the form that the kernel would give it by itself (see `passes.packing`), or None.
        layer: path of the layer it belongs to.
    """

    __slots__ = ("attrs", "inputs", "layer", "op", "outputs", "packed", "parts", "plan")

    def __init__(self, op: Op, inputs: list[Value], attrs: dict, plan: Any, layer: str = ""):
        self.op, self.inputs, self.attrs, self.plan, self.layer = op, list(inputs), attrs, plan, layer
        self.parts: list[tuple[int, list[Call]]] | None = None
        self.packed: Value | None = None
        self.outputs: list[Value] = []
        for k, spec in enumerate(plan.out_specs if plan is not None else ()):
            value = Value(spec)
            value.call, value.position, value.layer = self, k, layer
            self.outputs.append(value)

    @property
    def body(self) -> list[Call] | None:
        """All calls of a block; None for any other call."""
        return None if self.parts is None else [c for _, calls in self.parts for c in calls]

    @property
    def operands(self) -> list[Value]:
        """The inputs, and the packed one."""
        return self.inputs if self.packed is None else [*self.inputs, self.packed]

    @property
    def reads(self) -> list[Value]:
        """The operands whose memory the call reads: of some the shape is enough."""
        if self.parts is not None or not self.op.unread:
            return self.operands
        return [x for k, x in enumerate(self.operands) if k not in self.op.unread]

    @property
    def flops(self) -> int:
        """Floating-point operations, by the ops' declarations."""
        return sum(
            c.op.flops(tuple(x.spec for x in c.inputs), tuple(x.spec for x in c.outputs), c.attrs)
            for c in self.body or [self]
        )

    @property
    def is_view(self) -> bool:
        """Whether the output is the input's memory."""
        return self.parts is None and self.op.kernel is None

    @property
    def name(self) -> str:
        if self.parts is not None:
            return " + ".join(short(c.op.name for c in self.body))
        return f"{self.op.name} + {self.attrs['activation']}" if self.attrs.get("activation") else self.op.name

    def __repr__(self) -> str:
        return f"<Call {self.name}>"


def own_op(name: str, kind: str, kernel: Any, **fields: Any) -> Op:
    """An op of the executor's own: passes make calls of it, and nobody else knows it."""
    op = Op()
    for field in Op.__slots__:
        setattr(op, field, None)
    op.name, op.kind, op.kernel = name, kind, kernel
    op.inplace = op.epilogue = op.whole = op.unread = ()
    op.traits = {}
    for field, value in fields.items():
        setattr(op, field, value)
    return op


def call_of(op: Op, inputs: list[Value], attrs: dict, layer: str = "") -> Call:
    """A call of an op that a pass adds to a graph."""
    return Call(op, inputs, attrs, plan_for(op, [x.spec for x in inputs], attrs), layer)


def short(names: Iterable[str]) -> list[str]:
    """Names in order, with repeated ones counted: ["adam_update x 4"]."""
    counted = Counter(names)
    return [name if n == 1 else f"{name} x {n}" for name, n in counted.items()]


class Graph:
    """A step as a list of calls in an order in which they can run.

    Attributes:
        inputs: values that the caller brings.
        variables: values of Variables at the start, in the order of their first use.
        calls: the calls.
        outputs: values that the caller gets.
        updates: (value of `variables`, new value) of Variables that change.
        checks: values that nothing needs but that may refuse the data.
        kept: how many of the first calls depend on nothing but Variables that the step does not change (see
            `passes.packing`): what others read of them is kept from one run to the next.
    """

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.variables: list[Value] = []
        self.calls: list[Call] = []
        self.outputs: list[Value] = []
        self.updates: list[tuple[Value, Value]] = []
        self.checks: list[Value] = []
        self.kept = 0

    def results(self) -> Iterator[Value]:
        """Everything that must be computed."""
        yield from self.outputs
        for _, value in self.updates:
            yield value
        yield from self.checks

    def uses(self) -> dict[int, list[Call]]:
        """The calls that read each value, by id of the value."""
        out: dict[int, list[Call]] = {}
        for call in self.calls:
            for x in call.inputs:
                out.setdefault(id(x), []).append(call)
        return out

    def replace(self, substitutes: dict[int, Value]) -> None:
        """Puts other values in place of some, by id, everywhere; chains of substitutes are followed."""
        if not substitutes:
            return

        def now(x: Value) -> Value:
            while id(x) in substitutes:
                x = substitutes[id(x)]
            return x

        for call in self.calls:
            call.inputs = [now(x) for x in call.inputs]
        self.outputs = [now(x) for x in self.outputs]
        self.updates = [(v, now(x)) for v, x in self.updates]
        self.checks = [now(x) for x in self.checks]

    def constants(self) -> list[Value]:
        """Constants that are read, each once."""
        seen: dict[int, Value] = {}
        for x in [*(x for c in self.calls for x in c.inputs), *self.results()]:
            if x.data is not None:
                seen.setdefault(id(x), x)
        return list(seen.values())

    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for k, x in enumerate(self.inputs):
            names[id(x)] = f"input{k}"
        for x in self.variables:
            names[id(x)] = getattr(x.variable, "path", "variable")
        for k, x in enumerate(self.constants()):
            names[id(x)] = f"{x.data.item():g}" if x.data.size == 1 and x.data.dtype.kind in "fiu" else f"constant{k}"
        n = 0
        for call in self.calls:
            for c in call.body or ():
                for x in c.outputs:
                    names[id(x)] = f"b{n}"
                    n += 1
        n = 0
        for call in self.calls:
            for x in call.outputs:
                names[id(x)] = f"%{n}"
                n += 1
        return names

    def text(self) -> str:
        """The graph as text: a line for each call, with shapes, attributes and the layer."""
        names = self._names()

        def value(x: Value) -> str:
            return f"{names[id(x)]}:{_spec(x.spec)}"

        def line(call: Call, indent: str = "  ") -> list[str]:
            left = ", ".join(value(x) for x in call.outputs)
            attrs = "".join(f", {k}={v!r}" for k, v in call.attrs.items())
            name = "block" if call.body is not None else call.op.name
            where = f"  # {call.layer}" if call.layer else ""
            read = [names[id(x)] for x in call.inputs]
            if call.packed is not None:
                read.append(f"packed={names[id(call.packed)]}")
            out = [f"{indent}{left} = {name}({', '.join(read)}{attrs}){where}"]
            for c in call.body or ():
                out += line(c, indent + "    ")
            return out

        lines = [f"inputs: {', '.join(value(x) for x in self.inputs)}"]
        lines += [f"variable {value(x)}" for x in self.variables]
        for call in self.calls:
            lines += line(call)
        lines.append(f"outputs: {', '.join(names[id(x)] for x in self.outputs)}")
        lines += [f"update {names[id(v)]} := {names[id(x)]}" for v, x in self.updates]
        return "\n".join(lines)

    def dot(self) -> str:
        """The graph in Graphviz' language."""
        names = self._names()
        node = {id(x): f"v{k}" for k, x in enumerate([*self.inputs, *self.variables])}
        lines = ["digraph step {", "  rankdir=TB; node [shape=box, fontname=Helvetica, fontsize=10];"]
        for x in [*self.inputs, *self.variables]:
            lines.append(f'  {node[id(x)]} [shape=ellipse, label="{names[id(x)]}\\n{_spec(x.spec)}"];')
        for k, call in enumerate(self.calls):
            fill = ', style=filled, fillcolor="#e8f0fe"' if call.body is not None else ""
            label = "\\n".join(short(c.op.name for c in call.body)) if call.body is not None else call.name
            lines.append(f'  c{k} [label="{label}"{fill}];')
        maker = {id(x): k for k, c in enumerate(self.calls) for x in c.outputs}

        def source(x: Value) -> str | None:
            if id(x) in maker:
                return f"c{maker[id(x)]}"
            return node.get(id(x))

        for k, call in enumerate(self.calls):
            for x in call.inputs:
                if source(x) is not None:
                    lines.append(f'  {source(x)} -> c{k} [label="{_spec(x.spec)}", fontsize=8];')
        for k, x in enumerate(self.outputs):
            lines.append(f'  o{k} [shape=ellipse, style=bold, label="output {k}"];')
            if source(x) is not None:
                lines.append(f"  {source(x)} -> o{k};")
        for v, x in self.updates:
            if source(x) is not None:
                lines.append(f"  {source(x)} -> {node[id(v)]} [style=dashed, constraint=false];")
        return "\n".join([*lines, "}"])

    def counts(self) -> dict[str, int]:
        """Number of calls by op."""
        return dict(Counter(c.op.name if c.body is None else "block" for c in self.calls))


def _spec(spec: Spec) -> str:
    short_dtype = spec.dtype.replace("float", "f").replace("uint", "u").replace("int", "i")
    return f"{short_dtype}[{','.join(map(str, spec.shape))}]"
