"""What happens to a captured graph before it is planned: small passes, each verified."""

from __future__ import annotations

from collections.abc import Callable

from ..graph import Graph
from .blocks import fuse_blocks
from .constants import fold_constants
from .cse import share_common_calls
from .dead import drop_dead_calls
from .decisions import keep_decisions
from .epilogue import fuse_epilogues
from .gates import fuse_gates, open_gates_early
from .layout import cancel_moves
from .normalization import split_normalizations
from .own import own_results
from .packing import keep_what_stays, pack_weights
from .recompute import recompute_cheap_values
from .reductions import split_reductions
from .schedule import fallible_first
from .simplify import simplify
from .sweep import sweep
from .verify import BrokenGraph, verify

# In this order.  `own_results` stands before the fusions, so that copies are fused too.
PASSES: tuple[Callable[[Graph], None], ...] = (
    drop_dead_calls,
    fold_constants,
    simplify,
    cancel_moves,
    share_common_calls,
    open_gates_early,
    fuse_epilogues,
    fuse_gates,
    keep_decisions,
    drop_dead_calls,
    recompute_cheap_values,
    own_results,
    split_normalizations,
    split_reductions,
    fuse_blocks,
    fallible_first,
    sweep,
    pack_weights,
    keep_what_stays,
)


def run_passes(graph: Graph, watch: Callable[[str, Graph], None] | None = None) -> Graph:
    """Runs all passes in place.

    Args:
        graph: a captured graph.
        watch: called with "capture" and the graph before the first pass, and with each pass's name after it.

    Returns:
        The same graph.

    Raises:
        BrokenGraph: a pass has a bug.
    """
    verify(graph, "capture")
    if watch is not None:
        watch("capture", graph)
    for one in PASSES:
        one(graph)
        verify(graph, one.__name__, infer=one is PASSES[-1])
        if watch is not None:
            watch(one.__name__, graph)
    return graph
