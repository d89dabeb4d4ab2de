"""The config of a Functional model, in Keras's format: layers, and for each the calls that made its nodes."""

from __future__ import annotations

from typing import Any

from ..engine import tree
from ..engine.errors import invalid
from ..engine.operation import Operation
from ..engine.serialization import codec, deserialize_keras_object, serialize_keras_object
from ..engine.symbol import Node, Symbol
from .op_config import OpCalls, is_op, op_entry


class _Reference:
    """A symbol in a config: which output of which call of which layer."""

    def __init__(self, shape: tuple, dtype: str, history: list):
        self.shape, self.dtype, self.history = shape, dtype, history


def _encode_reference(x: _Reference) -> dict:
    return {"shape": x.shape, "dtype": x.dtype, "keras_history": x.history}


def _decode_reference(config: dict) -> _Reference:
    shape = tuple(config["shape"]) if config.get("shape") is not None else ()
    return _Reference(shape, config.get("dtype", "float32"), list(config["keras_history"]))


codec("__keras_tensor__", _Reference, _encode_reference, _decode_reference)


class _Names:
    """Names and node numbers of a model's operations as the config counts them."""

    def __init__(self, model: Any):
        self.entries: list[tuple[str, Any, list[Node]]] = []  # (name, layer or op node, its nodes in the model)
        self.position: dict[int, tuple[str, int]] = {}  # id(node) -> (name, index)
        taken = {o.name for o in model._graph.operations if isinstance(o, Operation)}
        mine = {id(n) for n in model._graph.nodes}
        for o in model._graph.operations:
            if isinstance(o, Node):
                name = base = o.operation.name
                k = 0
                while name in taken:
                    k += 1
                    name = f"{base}_{k}"
                taken.add(name)
                nodes = [o]
            else:
                name = o.name
                nodes = [n for n in o._inbound_nodes if id(n) in mine]
            self.entries.append((name, o, nodes))
            for k, n in enumerate(nodes):
                self.position[id(n)] = (name, k)

    def of(self, x: Symbol) -> list:
        """The reference to a symbol as an argument of a call."""
        name, index = self.position[id(x.node)]
        return [name, index, x.node_output]

    def of_end(self, x: Symbol) -> list:
        """The reference to an input or output; there, Keras counts a functional model's own graph as its node 0."""
        name, index, output = self.of(x)
        return [name, index + _is_functional(x.node.operation), output]


def _is_functional(x: Any) -> bool:
    from .functional import Functional

    return isinstance(x, Functional)


def functional_config(model: Any) -> dict:
    """The config of a Functional model."""
    names = _Names(model)

    def reference(x: Any) -> Any:
        return _Reference(x.shape, x.dtype, names.of(x)) if isinstance(x, Symbol) else x

    layers = []
    for name, o, nodes in names.entries:
        called: dict[int, tuple[tuple, dict]] = {}
        if isinstance(o, Node):
            entry, args, kwargs = op_entry(o)
            if not entry["config"]:  # before 3.13, only ops without arguments took a name
                entry["config"]["name"] = name
            called[id(o)] = args, kwargs
        else:
            entry = serialize_keras_object(o)
        entry["name"] = name
        entry["inbound_nodes"] = []
        for n in nodes:
            if not n.inputs:
                continue
            args, kwargs = tree.map_structure(reference, called.get(id(n), (n.args, n.kwargs)))
            entry["inbound_nodes"].append(
                {"args": serialize_keras_object(args), "kwargs": serialize_keras_object(kwargs)}
            )
        layers.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": tree.map_structure(names.of_end, model._inputs_struct),
        "output_layers": tree.map_structure(names.of_end, model._outputs_struct),
    }


def functional_from_config(cls: type, config: dict, custom_objects: dict | None = None) -> Any:
    """The model of a config: makes the layers, then repeats the calls in an order in which their inputs exist.

    Raises:
        ValueError: for a graph with loops, or one that refers to what it does not contain.
    """
    where = f"{cls.__name__}.from_config"
    config = dict(config)
    entries = config.pop("layers")
    input_layers, output_layers = config.pop("input_layers"), config.pop("output_layers")
    created: dict[str, Any] = {}
    waiting: dict[str, list] = {}
    for entry in entries:
        entry = dict(entry)
        name = entry["name"]
        if is_op(entry):
            created[name] = OpCalls(entry)
        else:
            created[name] = deserialize_keras_object(entry, custom_objects=custom_objects)
            if not isinstance(created[name], Operation):
                raise invalid(where, "a layer of the config is no layer", kind=TypeError, name=name, got=created[name])
        waiting[name] = list(entry["inbound_nodes"])

    def find(history: list) -> Symbol | None:
        """The symbol of [name, node, output], or None while the call has not been repeated."""
        name, index, output = history[0], int(history[1]), int(history[2])
        if name not in created:
            raise invalid(where, "the graph refers to a layer that is not in it", layer=name, layers=sorted(created))
        nodes = created[name]._inbound_nodes
        if index >= len(nodes):
            return None
        if not index >= 0 or not 0 <= output < len(nodes[index].outputs):
            raise invalid(where, "the graph refers to an output that does not exist", reference=history)
        return nodes[index].outputs[output]

    def arguments(node: Any) -> tuple[tuple, dict] | None:
        if isinstance(node, list):  # the format of Keras 2
            refs = [find(r[:3]) for r in node]
            if any(r is None for r in refs):
                return None
            extra = node[0][3] if node and len(node[0]) > 3 else {}
            return ((refs[0] if len(refs) == 1 else refs,), extra)
        args = deserialize_keras_object(node["args"], custom_objects=custom_objects)
        kwargs = deserialize_keras_object(node["kwargs"], custom_objects=custom_objects)
        found: list = []

        def revive(x: Any) -> Any:
            if isinstance(x, _Reference):
                found.append(find(x.history))
                return found[-1]
            return x

        args, kwargs = tree.map_structure(revive, (args, kwargs))
        return None if any(x is None for x in found) else (tuple(args), kwargs)

    while any(waiting.values()):
        progress = False
        for name, nodes in waiting.items():
            while nodes:
                call = arguments(nodes[0])
                if call is None:
                    break
                created[name](*call[0], **call[1])
                nodes.pop(0)
                progress = True
        if not progress:
            stuck = sorted(n for n, nodes in waiting.items() if nodes)
            raise invalid(where, "the graph has loops or disconnected nodes", unresolved=stuck)

    def symbols(refs: Any) -> Any:
        if isinstance(refs, (list, tuple)) and len(refs) == 3 and isinstance(refs[0], str):
            own_graph = _is_functional(created.get(refs[0]))
            found = find([refs[0], int(refs[1]) - own_graph, refs[2]])
            if found is None:
                raise invalid(where, "an input or output refers to a call that does not exist", reference=list(refs))
            return found
        if isinstance(refs, dict):
            return {k: symbols(v) for k, v in refs.items()}
        return type(refs)(symbols(r) for r in refs)

    return cls(inputs=symbols(input_layers), outputs=symbols(output_layers), **config)
