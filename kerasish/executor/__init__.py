"""The executor: captures a step as a graph, simplifies and fuses it, plans its memory and runs it as a C Program."""

from .capture import Capture, NotCapturable, Slot, Traced, capture
from .graph import Call, Graph, Value
from .passes import PASSES, BrokenGraph, run_passes
from .plan import Buffer, MemoryPlan, place
from .program import Executable, compile_graph

__all__ = [
    "PASSES", "BrokenGraph", "Buffer", "Call", "Capture", "Executable", "Graph", "MemoryPlan", "NotCapturable", "Slot",
    "Traced", "Value", "capture", "compile_graph", "place", "run_passes",
]  # fmt: skip
