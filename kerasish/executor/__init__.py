"""The executor: captures a step as a graph, simplifies and fuses it, plans its memory and runs it as a C Program."""

from .capture import Capture, NotCapturable, Slot, Traced, capture
from .compiled import Compiled, CompiledFunction, NotCompiledWarning, function
from .graph import Call, Graph, Value
from .passes import PASSES, BrokenGraph, run_passes
from .plan import Buffer, MemoryPlan, place
from .program import Executable, compile_graph

__all__ = [
    "PASSES", "BrokenGraph", "Buffer", "Call", "Capture", "Compiled", "CompiledFunction", "Executable", "Graph",
    "MemoryPlan", "NotCapturable", "NotCompiledWarning", "Slot", "Traced", "Value", "capture", "compile_graph",
    "function", "place", "run_passes",
]  # fmt: skip
