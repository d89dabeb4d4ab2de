"""Takes back the building of layers when the call or the build that caused it fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .tracker import TrackedDict, TrackedList


class _Log(threading.local):
    """Snapshots of the layers that this thread is building, outermost first."""

    def __init__(self) -> None:
        self.snapshots: list[_Snapshot] = []


_log = _Log()


class _Snapshot:
    """The attributes of a layer, the containers among them, and what its tracker has found."""

    def __init__(self, layer: Any):
        self.layer = layer
        self.attributes = dict(layer.__dict__)
        containers = (list, TrackedList, TrackedDict)
        self.contents = [(v, v.copy()) for v in self.attributes.values() if type(v) in containers]
        self.tracker = layer._tracker.snapshot()

    def restore(self) -> None:
        self.layer.__dict__.clear()
        self.layer.__dict__.update(self.attributes)
        for container, content in self.contents:
            # Past the tracking of the container: the tracker is put back as a whole.
            if isinstance(container, dict):
                dict.clear(container)
                dict.update(container, content)
            else:
                list.__setitem__(container, slice(None), content)
        self.layer._tracker.restore(self.tracker)


@contextmanager
def undo_builds(layer: Any) -> Iterator[None]:
    """While a layer that is not built is being built: an error leaves it, and the layers inside it, as they were.

    So a wrong first input, or an initializer that fails, fixes no shapes and leaves no half of the weights behind.
    """
    snapshots = _log.snapshots
    mark = len(snapshots)
    snapshots.append(_Snapshot(layer))
    try:
        yield
    except BaseException:
        for snapshot in reversed(snapshots[mark:]):
            snapshot.restore()
        del snapshots[mark:]
        raise
    if mark == 0:
        snapshots.clear()
