"""The verifier: what must hold of a graph after every pass."""

from __future__ import annotations

from ..graph import Call, Graph, Value


class BrokenGraph(AssertionError):
    """A pass has left a graph that is no step any more: a bug of the pass, which the text names."""


def verify(graph: Graph, after: str, infer: bool = True) -> None:
    """Raises BrokenGraph where a value is read before it is made, has another Spec than its op infers, is made twice,
    or where an update changes a shape or dtype."""

    def fail(rule: str) -> None:
        raise BrokenGraph(f"after {after}: {rule}")

    known = {id(x) for x in [*graph.inputs, *graph.variables]}

    def check(call: Call, local: set[int], within: bool) -> None:
        for x in call.operands:
            # A view of a block's own value lies behind the block; in it, the value is read under the view's shape.
            at = x.root if within else x
            if x.data is None and id(x) not in known and id(at) not in known and id(at) not in local:
                fail(f"{call.name} reads a value that is not there yet")
        for k, x in enumerate(call.outputs):
            if x.call is not call and not within:
                fail(f"output {k} of {call.name} belongs to another call")
            if id(x) in known or id(x) in local:
                fail(f"output {k} of {call.name} is made twice")
        if infer and call.parts is None:
            out = call.op.infer(*[x.spec for x in call.inputs], **call.attrs)
            specs = out if isinstance(out, tuple) else (out,)
            if tuple(specs) != tuple(x.spec for x in call.outputs):
                fail(f"{call.name} gives {[x.spec for x in call.outputs]}, but infers {specs}")

    for call in graph.calls:
        made: set[int] = set()
        for inner in call.body or ():
            check(inner, made, True)
            made.update(id(x) for x in inner.outputs)
        if call.parts is not None:
            missing = [x for x in call.outputs if id(x) not in made]
            if missing:
                fail(f"{call.name}: a block gives a value that its calls do not make")
            for x in call.inputs:
                if x.data is None and id(x) not in known:
                    fail(f"{call.name} reads a value that is not there yet")
        else:
            check(call, set(), False)
        known.update(id(x) for x in call.outputs)
    for x in graph.results():
        if x.data is None and id(x) not in known:
            fail("a result is never made")
    first: dict[int, Value] = {}
    for variable, value in graph.updates:
        if variable.variable is None or variable.spec != value.spec:
            fail(f"an update changes {variable.spec} to {value.spec}")
        if first.setdefault(id(variable), value) is not value:
            fail("a variable is updated twice")
