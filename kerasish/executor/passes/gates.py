"""Gates: a gradient is cut to zero before it is routed to a larger array, not after, and by the kernel that reads it.

After `pool(relu(x))`, the gradient passes through the pooling, which routes each element to the place of a maximum, and
then through relu, which looks at every element of the large array. The maximum is the element it is routed to, so the
test may as well be made on the small arrays; no result changes.

After `relu(normalize(x))`, the gradient of the normalization reads x anyway, which tells what relu has cut: its kernel
cuts the gradient on the way, and neither the gate's result nor relu's goes through memory for it.
"""

from __future__ import annotations

from ...engine.op import get_op
from ..graph import Call, Graph, Value, call_of


def open_gates_early(graph: Graph) -> None:
    """Exchanges `gate(route(place, g), x)` for `route(place, gate(g, y))`, where `y, place = choose(x)`."""
    uses = graph.uses()
    results = {id(x) for x in graph.results()}
    substitutes: dict[int, Value] = {}
    calls: list[Call] = []
    for call in graph.calls:
        found = _chosen(call) if "gate" in call.op.traits else None
        if found is None or len(uses[id(call.inputs[call.op.traits["gate"][0]])]) > 1:
            calls.append(call)
            continue
        route, chosen = found
        if id(route.outputs[0]) in results:
            calls.append(call)
            continue
        a, b = call.op.traits["gate"]
        g = route.op.traits["routes"][1]
        small = list(call.inputs)
        small[a], small[b] = route.inputs[g], chosen
        gate = call_of(call.op, small, call.attrs, call.layer)
        moved = list(route.inputs)
        moved[g] = gate.outputs[0]
        routed = call_of(route.op, moved, route.attrs, route.layer)
        calls += [gate, routed]
        substitutes[id(call.outputs[0])] = routed.outputs[0]
    graph.calls = calls
    graph.replace(substitutes)


def fuse_gates(graph: Graph) -> None:
    """Moves gates into the only call that reads what they make, where that declares how (`gated`)."""
    uses = graph.uses()
    results = {id(x) for x in graph.results()}
    substitutes: dict[int, Value] = {}
    calls: list[Call] = []
    for call in graph.calls:
        found = None
        if "gated" in call.op.traits and call.plan.kernel is not None:
            at, behind = call.op.traits["gated"]
            g = call.inputs[at]
            gate = g.call
            if gate is not None and "gate" in gate.op.traits and len(uses[id(g)]) == 1 and id(g) not in results:
                a, b = gate.op.traits["gate"]
                found = behind(tuple(call.inputs), call.attrs, gate.inputs[a], gate.inputs[b])
        if found is None:
            calls.append(call)
            continue
        name, inputs, attrs = found
        calls.append(call_of(get_op(name), list(inputs), attrs, call.layer))
        substitutes.update({id(a): b for a, b in zip(call.outputs, calls[-1].outputs)})
    graph.calls = calls
    graph.replace(substitutes)


def _chosen(call: Call) -> tuple[Call, Value] | None:
    """The routing call behind a gate, and the small array that holds what it would look at; None where it is not so."""
    a, b = call.op.traits["gate"]
    route = call.inputs[a].call
    if route is None or "routes" not in route.op.traits:
        return None
    place, g = route.op.traits["routes"]
    chooser = route.inputs[place].call
    if chooser is None or "chooses" not in chooser.op.traits:
        return None
    source, values, named = chooser.op.traits["chooses"]
    if chooser.outputs[named] is not route.inputs[place] or chooser.inputs[source] is not call.inputs[b]:
        return None
    chosen = chooser.outputs[values]
    return (route, chosen) if chosen.spec == route.inputs[g].spec else None
