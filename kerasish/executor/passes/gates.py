"""Gates: a gradient is cut to zero before it is routed to a larger array, not after, or by the call that reads it.

After `pool(relu(x))`, the gradient passes through the pooling, which routes each element to the place of a maximum, and
then through relu, which looks at every element of the large array. The maximum is the element it is routed to, so the
test may as well be made on the small arrays; no result changes.

After `relu(batch_norm(x))`, the gradient of the normalization reads x, and can tell from it where the rectifier is
open: then the array behind the gate is neither written nor read.
"""

from __future__ import annotations

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


def join_gates(graph: Graph) -> None:
    """Gives gates to the calls behind them that declare `takes gate`, where nobody else reads what they let through."""
    uses = graph.uses()
    results = {id(x) for x in graph.results()}
    substitutes: dict[int, Value] = {}
    for k, call in enumerate(graph.calls):
        if "takes gate" not in call.op.traits or call.plan.kernel is None:
            continue
        at, join = call.op.traits["takes gate"]
        g = call.inputs[at]
        gate = g.call
        if gate is None or "gate" not in gate.op.traits or len(uses[id(g)]) > 1 or id(g) in results:
            continue
        a, b = gate.op.traits["gate"]
        seen = gate.inputs[b]
        if seen.call is None or seen.position != 0:
            continue
        found = join(tuple(call.inputs), call.attrs, gate.op.name, gate.inputs[a], seen.call)
        if found is not None:
            op, inputs, attrs = found
            graph.calls[k] = joined = call_of(op, list(inputs), attrs, call.layer)
            substitutes.update({id(x): y for x, y in zip(call.outputs, joined.outputs)})
    graph.replace(substitutes)
