"""The table that `model.summary()` prints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.errors import invalid
from ..engine.op import state
from ..engine.operation import infer_spec
from ..engine.spec import Spec
from ..engine.symbol import Symbol


def readable_size(count: float, bytes_each: int = 1) -> str:
    """ "1.25 MB" for a number of bytes."""
    n = float(count * bytes_each)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if n < 1024 or unit == "TB":
            return f"{n:.2f} {unit}"
        n /= 1024
    raise AssertionError


def _bytes(variables: list) -> int:
    return sum(v.size * np.dtype(v.dtype).itemsize for v in variables)


def _parameters(variables: list) -> str:
    count = sum(v.size for v in variables)
    return f"{count:,} ({readable_size(_bytes(variables))})"


def output_shape(layer: Any) -> str:
    """The shape (or shapes) of a layer's output, "?" where it is not known."""
    nodes = layer._inbound_nodes
    shapes = None
    if nodes:
        shapes = [x.shape for x in nodes[0].outputs]
    elif getattr(layer, "_functional", None) is not None or hasattr(layer, "_outputs"):
        shapes = [x.shape for x in layer.outputs]
    elif layer.built and layer._build_shapes_dict:
        try:
            out = layer.compute_output_shape(**layer._build_shapes_dict)
            shapes = [out] if isinstance(out, tuple) and all(d is None or isinstance(d, int) for d in out) else None
        except Exception:  # a layer need not know its output's shape without being called
            shapes = None
    if not shapes:
        return "?"
    return str(shapes[0]) if len(shapes) == 1 else str(shapes)


def layer_cost(layer: Any) -> tuple[int, int] | None:
    """(bytes of the output, floating-point operations) of a layer's first call, for one sample; None where unknown."""
    nodes = layer._inbound_nodes
    if not nodes or not nodes[0].inputs:
        return None

    def one(x: Any) -> Any:
        if not isinstance(x, Symbol):
            return x
        shape = (1, *x.shape[1:]) if x.shape else ()
        return Symbol(tuple(1 if d is None else d for d in shape), x.dtype)

    args, kwargs = tree.map_structure(one, (nodes[0].args, nodes[0].kwargs))
    outer, state.calls = state.calls, []
    try:
        out = infer_spec(layer.call, *args, **kwargs)
        total = 0
        for op, specs, outs, attrs in state.calls:
            total += op.flops(specs, (outs,) if isinstance(outs, Spec) else outs, attrs)
    except Exception:  # a layer whose call cannot be traced has no known cost
        return None
    finally:
        state.calls = outer
    size = sum((x.spec.size or 0) * np.dtype(x.dtype).itemsize for x in tree.flatten(out) if isinstance(x, Symbol))
    return size, total


def _short(n: int) -> str:
    for unit, scale in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= scale:
            return f"{n / scale:.2f} {unit}"
    return str(n)


def _is_chain(model: Any) -> bool:
    """Whether the layers form one line, so that connections need no column."""
    from .functional import Functional
    from .sequential import Sequential

    if isinstance(model, Sequential) or not isinstance(model, Functional):
        return True
    return all(len(nodes) == 1 and len(nodes[0].inputs) <= 1 for nodes in model._graph.by_depth.values())


def _connections(layer: Any, relevant: set[int]) -> str:
    names = []
    for node in layer._inbound_nodes:
        if id(node) not in relevant:
            continue
        for x in node.inputs:
            if x.node is not None:
                names.append(f"{getattr(x.node.operation, 'name', '?')}[{x.node.index}][{x.node_output}]")
    return ", ".join(names) or "-"


def _selected(layers: list, layer_range: Any) -> list:
    if not layer_range:
        return layers
    if len(layer_range) != 2 or not all(isinstance(n, str) for n in layer_range):
        raise invalid("summary", "layer_range is two layer names", layer_range=layer_range)
    found = []
    for pattern in layer_range:
        hits = [k for k, x in enumerate(layers) if x.name == pattern] or [
            k for k, x in enumerate(layers) if re.match(pattern, x.name)
        ]
        if not hits:
            raise invalid("summary", f"no layer matches; there are {[x.name for x in layers]}", layer_range=layer_range)
        found.append(hits)
    low, high = min(found[0]), max(found[1])
    return layers[min(low, high) : max(low, high) + 1]


def _wrap(text: str, width: int) -> list[str]:
    out = []
    while len(text) > width:
        cut = text.rfind(" ", 0, width + 1)
        cut = cut if cut > width // 3 else width
        out.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*out, text]


def _column_widths(rows: list[list[str]], line_length: int | None, positions: Any) -> list[int]:
    n = len(rows[0])
    natural = [max(len(r[k]) for r in rows) for k in range(n)]
    if positions and line_length is None:
        line_length = shutil.get_terminal_size((100, 24)).columns if max(positions) <= 1 else int(max(positions))
    if positions:
        ends = [int(p * line_length) if max(positions) <= 1 else int(p) for p in positions][:n]
        widths = [max(4, e - s - 3) for s, e in zip([0, *ends], ends)]
        return [*widths, *natural[len(widths) :]]
    limit = line_length or 120
    frame = 3 * n + 1
    while sum(natural) + frame > limit and max(natural) > 12:
        natural[natural.index(max(natural))] -= 1
    if line_length and sum(natural) + frame < line_length:
        natural[0] += line_length - sum(natural) - frame
    return natural


def _table(rows: list[list[str]], widths: list[int], right: set[int]) -> list[str]:
    def rule(left: str, middle: str, end: str) -> str:
        return left + middle.join("─" * (w + 2) for w in widths) + end

    lines = [rule("┌", "┬", "┐")]
    for k, row in enumerate(rows):
        cells = [_wrap(text, w) for text, w in zip(row, widths)]
        for i in range(max(map(len, cells))):
            parts = [c[i] if i < len(c) else "" for c in cells]
            lines.append(
                "│"
                + "│".join(
                    f" {p:>{w}} " if c in right and k else f" {p:<{w}} " for c, (p, w) in enumerate(zip(parts, widths))
                )
                + "│"
            )
        lines.append(rule("├", "┼", "┤") if k < len(rows) - 1 else rule("└", "┴", "┘"))
    return lines


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Any = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
    show_cost: bool = False,
) -> None:
    """Prints the table of a model's layers; see `Model.summary`."""
    if not model.built:
        raise invalid(
            "summary",
            f"{type(model).__name__} {model.name!r} is not built: call build(input_shape), or call it on data",
        )
    chain = _is_chain(model)
    header = ["Layer (type)", "Output Shape", "Param #"]
    right = {2}
    if show_cost:
        right |= {len(header), len(header) + 1}
        header += ["Output bytes", "FLOPs"]
    if not chain:
        header.append("Connected to")
    if show_trainable:
        header.append("Trainable")
    rows = [header]
    total_flops = 0

    def add(layer: Any, depth: int, relevant: set[int]) -> None:
        nonlocal total_flops
        row = ["  " * depth + f"{layer.name} ({type(layer).__name__})", output_shape(layer)]
        row.append(f"{layer.count_params():,}" if layer.built else "0 (unbuilt)")
        if show_cost:
            cost = layer_cost(layer)
            row += ["-", "-"] if cost is None else [f"{cost[0]:,}", _short(cost[1])]
            if cost is not None and depth == 0:
                total_flops += cost[1]
        if not chain:
            row.append(_connections(layer, relevant))
        if show_trainable:
            row.append("Y" if layer.trainable and layer.trainable_weights else "N" if layer.weights else "-")
        rows.append(row)
        if expand_nested and getattr(layer, "layers", None):
            graph = getattr(layer, "_graph", None)
            inner = {id(n) for n in graph.nodes} if graph else set()
            for sub in layer.layers:
                add(sub, depth + 1, inner)

    graph = getattr(model, "_graph", None)
    relevant = {id(n) for n in graph.nodes} if graph else set()
    for layer in _selected(model.layers, layer_range):
        add(layer, 0, relevant)

    lines = [f'Model: "{model.name}"', *_table(rows, _column_widths(rows, line_length, positions), right)]
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    slots = list(optimizer.variables) if optimizer is not None and optimizer.built else []
    lines.append(f" Total params: {_parameters([*model.weights, *slots])}")
    lines.append(f" Trainable params: {_parameters(trainable)}")
    lines.append(f" Non-trainable params: {_parameters(frozen)}")
    if slots:
        lines.append(f" Optimizer params: {_parameters(slots)}")
    if show_cost:
        lines.append(f" FLOPs for one sample: {_short(total_flops)}")
    for line in lines:
        (print_fn or print)(line)
