"""The symbolic graph: which nodes lead from inputs to outputs, in what order, and a function that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from . import tree
from .errors import invalid
from .op import Op
from .operation import Operation
from .serialization import export
from .symbol import Node, Symbol


def owner(node: Node) -> Any:
    """What counts as one operation in the order of a graph: a layer, or each single call of an op."""
    return node if isinstance(node.operation, Op) else node.operation


class Graph:
    """The nodes between input and output symbols.

    Attributes:
        nodes: in an order in which each node comes after those it needs.
        by_depth: depth (distance from the outputs) -> nodes.
        operations: layers (and, for ops, nodes) in Keras's order: from the deepest up, then as first met.

    Raises:
        ValueError: for outputs that do not depend on the inputs given, naming the operation that is cut off.
    """

    def __init__(self, inputs: Iterable[Symbol], outputs: Iterable[Symbol], where: str = "Function"):
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        given = {id(x) for x in self.inputs}
        order, first_met = self._visit(given, where)
        node_depth: dict[int, int] = {}
        owner_depth: dict[int, int] = {}
        for node in reversed(order):
            key = id(owner(node))
            depth = max(node_depth.get(id(node), 0), owner_depth.get(key, 0))
            owner_depth[key] = node_depth[id(node)] = depth
            if all(id(x) in given for x in node.outputs):
                continue
            for x in node.inputs:
                if x.node is not None:
                    parent = id(x.node)
                    node_depth[parent] = max(depth + 1, node_depth.get(parent, 0))
        # Inputs that nothing uses still belong to the graph.
        for x in self.inputs:
            if x.node is not None and id(x.node) not in {id(n) for n in order}:
                node_depth[id(x.node)] = owner_depth[id(x.node.operation)] = 0
                first_met[id(x.node.operation)] = -1
                order.append(x.node)
        by_depth: dict[int, list[Node]] = {}
        for node in order:
            by_depth.setdefault(node_depth[id(node)], []).append(node)
        self.by_depth = {d: by_depth[d] for d in sorted(by_depth, reverse=True)}
        self.nodes = [n for nodes in self.by_depth.values() for n in nodes]
        owners = {id(owner(n)): owner(n) for n in order}
        keys = sorted(owners, key=lambda k: (-owner_depth[k], first_met[k]))
        self.operations = [owners[k] for k in keys]

    def _visit(self, given: set[int], where: str) -> tuple[list[Node], dict[int, int]]:
        """Depth-first from the outputs: nodes after what they need, and when each operation was first met."""
        order: list[Node] = []
        first_met: dict[int, int] = {}
        done: set[int] = set()
        for output in self.outputs:
            if output.node is None:
                if id(output) not in given:
                    raise invalid(where, "an output comes from no input", output=output)
                continue
            stack: list[tuple[Node, int]] = [(output.node, 0)]
            first_met.setdefault(id(owner(output.node)), len(first_met))
            while stack:
                node, k = stack.pop()
                if id(node) in done:
                    continue
                # A node whose outputs are all given is a border: what is behind it does not belong to the graph.
                border = all(id(x) in given for x in node.outputs)
                if not border and not node.inputs:
                    name = getattr(node.operation, "name", node.operation)
                    raise invalid(
                        where,
                        f"the graph is disconnected: {name!r} is needed for the outputs, and is not among the inputs",
                        inputs=[x.name for x in self.inputs],
                    )
                needed = [] if border else node.inputs
                while k < len(needed):
                    x = needed[k]
                    k += 1
                    if id(x) in given and x.node is None:
                        continue
                    if x.node is None:
                        raise invalid(
                            where, "the graph is disconnected: a symbol comes from no input", symbol=x,
                            inputs=[i.name for i in self.inputs],
                        )  # fmt: skip
                    if id(x.node) not in done:
                        first_met.setdefault(id(owner(x.node)), len(first_met))
                        stack.append((node, k))
                        stack.append((x.node, 0))
                        break
                else:
                    done.add(id(node))
                    order.append(node)
        return order, first_met


class _Step:
    """One node, ready to be called on values: where its inputs lie and where its outputs go."""

    __slots__ = ("args", "drop", "indices", "kwargs", "node", "out", "simple")

    def __init__(self, node: Node, slots: dict[int, int]):
        self.node = node
        self.args, self.kwargs = node.args, node.kwargs
        self.indices = [slots[id(x)] for x in node.inputs]
        self.out = [slots.setdefault(id(x), len(slots)) for x in node.outputs]
        self.simple = not node.kwargs and len(node.args) == 1 and isinstance(node.args[0], Symbol)
        self.drop: list[int] = []

    def arguments(self, values: list) -> tuple[tuple, dict]:
        """The node's arguments with values for symbols."""
        if self.simple:
            return (values[self.indices[0]],), {}
        feed = iter([values[k] for k in self.indices])
        return tree.map_structure(lambda x: next(feed) if isinstance(x, Symbol) else x, (self.args, self.kwargs))


@export("keras")
class Function(Operation):
    """The computation from input symbols to output symbols as something that can be called.

    Args:
        inputs, outputs: symbols, in nested structures.
        name: made from the class name by default.

    Raises:
        ValueError: where the graph is disconnected, or an input is no symbol.

    >>> import kerasish as keras
    >>> x = keras.KerasTensor((None, 2))
    >>> f = keras.Function(x, keras.ops.relu(x) * 2)
    >>> f(keras.ops.convert_to_tensor([[-1.0, 3.0]])).numpy()
    array([[0., 6.]], dtype=float32)
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        super().__init__(name=name)
        self._build_graph(inputs, outputs)

    def _build_graph(self, inputs: Any, outputs: Any) -> None:
        where = f"{type(self).__name__} {self.name!r}"
        for what, structure in (("inputs", inputs), ("outputs", outputs)):
            for x in tree.flatten(structure):
                if not isinstance(x, Symbol):
                    raise invalid(where, f"{what} are symbolic tensors (KerasTensor), such as Input() gives", value=x)
        # Straight into __dict__: what a model holds as attributes is tracked as layers, and this is no layer's state.
        self.__dict__.update(
            _inputs_struct=inputs,
            _outputs_struct=outputs,
            _inputs=tree.flatten(inputs),
            _outputs=tree.flatten(outputs),
        )
        if not self._inputs:
            raise invalid(where, "there is at least one input", inputs=inputs)
        if not self._outputs:
            raise invalid(where, "there is at least one output", outputs=outputs)
        if len({id(x) for x in self._inputs}) != len(self._inputs):
            raise invalid(where, "each input is given once", inputs=[x.name for x in self._inputs])
        self.__dict__["_graph"] = Graph(self._inputs, self._outputs, where)
        self._plan()

    def _plan(self) -> None:
        given = {id(x) for x in self._inputs}
        slots = {id(x): k for k, x in enumerate(self._inputs)}
        steps = [
            _Step(n, slots) for n in self._graph.nodes if not all(id(x) in given for x in n.outputs)
        ]  # fmt: skip
        outputs = [slots[id(x)] for x in self._outputs]
        self.__dict__.update(_steps=steps, _output_slots=outputs, _num_slots=len(slots))
        # A value is dropped after its last use, so that its memory is free for the next one.
        keep = set(outputs)
        last: dict[int, _Step] = {}
        for step in steps:
            for k in step.indices + step.out:
                last[k] = step
        for k, step in last.items():
            if k not in keep:
                step.drop.append(k)

    @property
    def inputs(self) -> list[Symbol]:
        """The input symbols, flat."""
        return self._inputs

    @property
    def outputs(self) -> list[Symbol]:
        """The output symbols, flat."""
        return self._outputs

    @property
    def operations(self) -> list:
        """Layers and op calls of the graph, in order."""
        return [o.operation if isinstance(o, Node) else o for o in self._graph.operations]

    def call(self, inputs: Any) -> Any:
        """The outputs for values (or symbols) in the structure of the inputs."""
        self._assert_input_structure(inputs)
        return self._run_through(tree.flatten(inputs), lambda operation: operation)

    def _assert_input_structure(self, inputs: Any) -> None:
        given = len(tree.flatten(inputs))
        if given != len(self._inputs):
            raise invalid(
                f"{type(self).__name__} {self.name!r}", f"{len(self._inputs)} inputs are expected, {given} were given",
                inputs=tree.map_structure(lambda x: tuple(getattr(x, "shape", ())), inputs),
            )  # fmt: skip

    def _run_through(self, flat: list, operation_fn: Callable) -> Any:
        """Calls every node's operation, as `operation_fn` gives it, in order."""
        values: list = [*flat, *[None] * (self._num_slots - len(flat))]
        for step in self._steps:
            args, kwargs = step.arguments(values)
            out = operation_fn(step.node.operation)(*args, **kwargs)
            if len(step.out) == 1 and not tree.is_nested(out):
                values[step.out[0]] = out
            else:
                for k, v in zip(step.out, [x for x in tree.flatten(out) if x is not None]):
                    values[k] = v
            for k in step.drop:
                values[k] = None
        return tree.pack_sequence_as(self._outputs_struct, [values[k] for k in self._output_slots])

    def compute_output_spec(self, inputs: Any) -> Any:
        """Output symbols for inputs of these shapes and dtypes."""
        self._assert_input_structure(inputs)
        flat = tree.flatten(inputs)
        if all(tuple(a.shape) == b.shape and a.dtype == b.dtype for a, b in zip(flat, self._inputs)):
            return tree.map_structure(lambda x: Symbol(x.shape, x.dtype), self._outputs_struct)
        return super().compute_output_spec(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for shapes of the inputs."""
        flat = tree.flatten(tree.map_shape_structure(lambda s: Symbol(s), input_shape))
        if len(flat) != len(self._inputs):
            self._assert_input_structure(flat)
        symbols = [Symbol(s.shape, x.dtype) for s, x in zip(flat, self._inputs)]
        out = Function.compute_output_spec(self, tree.pack_sequence_as(self._inputs_struct, symbols))
        return tree.map_structure(lambda x: tuple(x.shape), out)
