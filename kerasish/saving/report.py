"""Warm start: layers are matched by name, what fits is taken, and a report says what was not and why."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import BadFileError
from .hdf5 import LoadedStore
from .state import compare_array, is_plain, label, name_of, own_variables, unchanged_on_error
from .walk import walk


@dataclass
class WarmStart:
    """What `load_weights(..., by_name=True)` did; `print(report)` shows it as a table.

    Attributes:
        taken: names of layers whose variables come from the file.
        skipped: name of a layer that keeps its values -> why.
        left_over: names in the file that no layer of the model has.

    Example:

    >>> import kerasish as keras
    >>> def net(classes):
    ...     return keras.Sequential(
    ...         [keras.Input((4,)), keras.layers.Dense(3, name="body"), keras.layers.Dense(classes, name="head")]
    ...     )
    >>> net(5).save_weights("five.weights.h5")
    >>> print(net(2).load_weights("five.weights.h5", by_name=True, skip_mismatch=True))
    taken    body
    skipped  head: Dense 'head' expects shape (3, 2). Received: shape=(3, 5)
    """

    taken: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    left_over: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"taken    {name}" for name in self.taken]
        lines += [f"skipped  {name}: {why}" for name, why in self.skipped.items()]
        lines += [f"unused   {name}: no layer of the model has this name" for name in self.left_over]
        return "\n".join(lines)


def _holders(reader: Any) -> dict[str, list[str]]:
    """Name of a layer in the file -> the paths at which layers of that name have variables."""
    out: dict[str, list[str]] = {}
    for path, name in reader.owner_names().items():
        if reader.variables(path) and path.split("/")[0] != "optimizer":
            out.setdefault(name, []).append(path)
    return out


def warm_start(model: Any, reader: Any, skip: Any = (), skip_mismatch: bool = False) -> WarmStart:
    """Takes the variables of layers by name.

    Raises:
        BadFileError: a layer of the same name has other variables, and `skip_mismatch` is False; nothing is changed.
    """
    report = WarmStart()
    holders = _holders(reader)
    found = []
    met: set[str] = set()
    for entry in walk(model, skip):
        name = name_of(entry.obj)
        expected = own_variables(entry.obj) if hasattr(entry.obj, "load_own_variables") else {}
        if not expected or name is None or entry.path.split("/")[0] == "optimizer":
            continue
        met.add(name)
        paths = holders.get(name, [])
        if len(paths) > 1 and entry.path in paths:
            paths = [entry.path]
        if len(paths) != 1:
            why = "no layer of the file has this name" if not paths else f"several layers of the file have it: {paths}"
            report.skipped[name] = why
            continue
        variables = reader.variables(paths[0])
        error = _misfit(entry, paths[0], expected, variables, reader)
        if error is None:
            found.append((entry, variables))
            report.taken.append(name)
        elif skip_mismatch:
            report.skipped[name] = error.args[0].removeprefix(f"{error.file}: {error.member}: ")
        else:
            raise error
    report.left_over = [name for name in holders if name not in met]
    with unchanged_on_error(model):
        for entry, variables in found:
            entry.obj.load_own_variables(LoadedStore(variables))
    if not report.taken:
        warnings.warn("load_weights: no layer of the model has a name that is in the file.", stacklevel=4)
    return report


def _misfit(entry: Any, path: str, expected: dict, variables: dict, reader: Any) -> BadFileError | None:
    if not is_plain(entry.obj):
        return None
    who = label(entry.obj)
    if set(expected) != set(variables):
        return reader.bad(f"{path}/vars", f"{who} has {len(expected)} variables", arrays=sorted(variables))
    for key, v in expected.items():
        error = compare_array(reader, f"{path}/vars/{key}", who, tuple(v.shape), np.dtype(v.dtype), variables[key])
        if error is not None:
            return error
    return None
