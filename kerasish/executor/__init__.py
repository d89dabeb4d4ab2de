"""The executor: captures a step as a graph, simplifies and fuses it, plans its memory and runs it as a C Program."""

from .capture import Capture, NotCapturable, Slot, Traced, capture
from .compiled import Compiled, CompiledFunction, NotCompiledWarning, function, show_passes
from .graph import Call, Graph, Value
from .passes import PASSES, BrokenGraph, run_passes
from .plan import Buffer, MemoryPlan, place
from .profile import Profile, profile
from .program import Executable, compile_graph

__all__ = [
    "PASSES", "BrokenGraph", "Buffer", "Call", "Capture", "Compiled", "CompiledFunction", "Executable", "Graph",
    "MemoryPlan", "NotCapturable", "NotCompiledWarning", "Profile", "Slot", "Traced", "Value", "capture",
    "compile_graph", "function", "place", "profile", "run_passes", "show_passes",
]  # fmt: skip
