"""What a program keeps from one run to the next: packed weights, and whatever else depends on nothing but Variables.

A value of a Variable is known by its tensor's identity (`uid`): assignment brings another tensor, and a step that
overwrites the memory of one renews its identity. An array of which something is kept is made read-only where nobody
else has it yet, so that `variable.value.numpy()[...] = x` is an error, and not a change that programs know nothing of.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from .._core import core
from ..engine.tensor import Tensor
from .graph import Graph, Value
from .passes.packing import sources

# Packed weights by the tensor that they are made of and their form: programs for other batch sizes share them, and
# memory is theirs as long as one of them has it.
_shared: WeakValueDictionary[tuple, np.ndarray] = WeakValueDictionary()


def _own_counts() -> tuple[int, int]:
    """What getrefcount says of a tensor and an array that nobody has but a variable and a run, which lists both; newer
    Pythons count an argument less often."""
    array = np.empty(0)
    held, buffers = [Tensor(array)], [array]
    variable = held[0]
    del array
    array = buffers[0]
    counts = getrefcount(held[0]), getrefcount(array)
    del variable  # has had the tensor until now
    return counts


OWN_TENSOR, OWN_ARRAY = _own_counts()


class Forms:
    """The arrays of one run.

    Attributes:
        uids: identities of the values that they are made of.
        arrays: one for each kept value.
        made: for each of the program's first steps, 1 where its result is in place.
    """

    __slots__ = ("arrays", "made", "uids")

    def __init__(self, uids: list[int], arrays: list[np.ndarray], made: bytes):
        self.uids, self.arrays, self.made = uids, arrays, made


class Kept:
    """What an Executable keeps.

    Args:
        graph: its graph.
        values: the kept values, in the order of their buffers.
        number: positions of the Variables' values, by their ids.

    Attributes:
        all_made: what `Forms.made` is when nothing is left to do.
    """

    def __init__(self, graph: Graph, values: Sequence[Value], number: dict[int, int]):
        self._of = [number[id(x)] for x in sources(graph)]
        steps = [c for c in graph.calls[: graph.kept] if not c.is_view]
        self.all_made = b"\1" * len(steps)
        self._specs = [(x.spec.shape, x.spec.dtype) for x in values]
        # Of a value that one step makes of one Variable: the step's number, the Variable's and what names the form.
        self._keys: list[tuple[int, int, tuple] | None] = []
        at = {id(c): k for k, c in enumerate(steps)}
        for x in values:
            call = x.call
            root = call.inputs[0].root if call is not None and call.inputs else None
            if id(call) in at and "form" in call.attrs and root.variable is not None:
                kernel = call.plan.kernel
                form = (kernel.name, kernel.dtype, kernel.isa, call.plan.i, call.inputs[0].spec.shape)
                self._keys.append((at[id(call)], number[id(root)], form))
            else:
                self._keys.append(None)
        self._forms: Forms | None = None

    def take(self, held: Sequence[Tensor], variables: Sequence[Any]) -> Forms:
        """The arrays for a run on these values of the Variables. Those that are not made yet are the run's own."""
        forms = self._forms
        uids = [held[k].uid for k in self._of]
        if forms is not None and forms.uids == uids:
            return forms
        for k in self._of:
            array = held[k].data
            if array.flags.writeable:
                variables[k]._kept_uid = held[k].uid
                if getrefcount(array) <= OWN_ARRAY and not isinstance(array.base, np.ndarray):
                    array.flags.writeable = False
        arrays, made = [], bytearray(len(self.all_made))
        for (shape, dtype), key in zip(self._specs, self._keys):
            found = None if key is None else _shared.get((held[key[1]].uid, *key[2]))
            if found is None:
                found = core.empty(shape, dtype)
            else:
                made[key[0]] = 1
            arrays.append(found)
        return Forms(uids, arrays, bytes(made))

    def put(self, forms: Forms) -> None:
        """Keeps what a run has made."""
        uid_of = dict(zip(self._of, forms.uids))
        for array, key in zip(forms.arrays, self._keys):
            if key is not None:
                _shared.setdefault((uid_of[key[1]], *key[2]), array)
        self._forms = Forms(forms.uids, forms.arrays, self.all_made)
