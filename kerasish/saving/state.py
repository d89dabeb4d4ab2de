"""The state of a model to a file and back: all of it is compared with the model before any of it is taken over."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import BadFileError
from .hdf5 import LoadedStore, StoredArray
from .walk import Entry, walk

# Parts that a file may hold although the model has no place for them: the optimizer of a model that is loaded without
# compiling it, and what older versions of Keras wrote.
_OPTIONAL = frozenset(
    ("optimizer", "metrics", "_metrics", "seed_generator", "_random_generator", "random_generator", "_seed_generators")
    + ("_compile_metrics", "_loss_tracker", "_compile_loss", "loss", "compile_metrics", "loss_tracker")
)


def name_of(obj: Any) -> str | None:
    name = getattr(obj, "name", None)
    return name if isinstance(name, str) else None


def label(obj: Any) -> str:
    """How errors call an object."""
    name = name_of(obj)
    return f"{type(obj).__name__} {name!r}" if name else type(obj).__name__


def save_state(root: Any, writer: Any, skip: Any = ()) -> None:
    """Writes the variables of a model (or layer) and everything inside it."""
    for entry in walk(root, skip):
        save = getattr(entry.obj, "save_own_variables", None)
        if save is not None:
            save(writer.object(entry.path, name_of(entry.obj)))


def save_assets(root: Any, folder: str) -> None:
    """Lets every object that has assets write them into a folder of its own below `folder`."""
    for entry in walk(root):
        save = getattr(entry.obj, "save_assets", None)
        if save is not None:
            path = os.path.join(folder, *entry.path.split("/"))
            os.makedirs(path, exist_ok=True)
            save(path)


def load_assets(root: Any, folder: str) -> None:
    """Lets every object that has assets read them from its folder below `folder`; None where there is none."""
    for entry in walk(root):
        load = getattr(entry.obj, "load_assets", None)
        if load is not None:
            path = os.path.join(folder, *entry.path.split("/"))
            load(path if os.path.isdir(path) else None)


@contextmanager
def unchanged_on_error(root: Any) -> Iterator[None]:
    """Gives every variable inside a model its value back when the block fails.

    An object that loads more than variables says by `_restored_on_error` which attributes hold it; their values are
    replaced and never changed.
    """
    entries = walk(root)
    variables = {id(v): v for e in entries for v in _variables(e.obj)}
    saved = [(v, v._value) for v in variables.values()]
    others = [(e.obj, n, getattr(e.obj, n)) for e in entries for n in getattr(type(e.obj), "_restored_on_error", ())]
    try:
        yield
    except BaseException:
        for v, value in saved:
            v._value = value
        for obj, name, value in others:
            setattr(obj, name, value)
        raise


def _variables(obj: Any) -> list:
    variables = getattr(obj, "variables", None)
    return [v for v in variables if hasattr(v, "assign")] if isinstance(variables, list) else []


def own_variables(obj: Any) -> dict[str, Any]:
    """What an object would write: key -> variable or array."""
    spec: dict[str, Any] = {}
    save = getattr(obj, "save_own_variables", None)
    if save is not None:
        save(spec)
    return spec


def is_plain(obj: Any) -> bool:
    """Whether an object reads its variables as the library does, key by key."""
    return getattr(type(obj).load_own_variables, "_is_plain", False)


def load_state(root: Any, reader: Any, skip: Any = (), skip_mismatch: bool = False) -> None:
    """Reads the variables of a model (or layer) and everything inside it; all of them or none.

    Args:
        root: the model; it must be built.
        reader: a `WeightsReader` or several as one.
        skip: objects to leave as they are.
        skip_mismatch: leave objects as they are whose variables the file lacks or has in other shapes, with a warning.

    Raises:
        BadFileError: variables are missing, left over, or differ in shape or dtype. The model is unchanged.
    """
    found, problems = plan(root, reader, skip, strict=not skip_mismatch)
    if problems and not skip_mismatch:
        raise _first(problems)
    with unchanged_on_error(root):
        for entry, variables in found:
            error = _load_one(entry, variables, reader)
            if error is not None:
                if not skip_mismatch:
                    raise error
                problems.append(error)
    if problems:
        warnings.warn(
            f"{len(problems)} objects were not loaded and keep their values. The first: {problems[0]}", stacklevel=4
        )


def _load_one(entry: Entry, variables: dict[str, StoredArray], reader: Any) -> BadFileError | None:
    try:
        entry.obj.load_own_variables(LoadedStore(variables))
    except BadFileError as error:
        return error
    except Exception as error:
        # The rule is in the object's own words: a user's class may have any.
        bad = reader.bad(entry.path or "/", f"{label(entry.obj)} takes its variables: {type(error).__name__}: {error}")
        bad.__cause__ = error
        return bad
    return None


def _first(problems: list[BadFileError]) -> BadFileError:
    error = problems[0]
    if len(problems) > 1:
        error.args = (f"{error.args[0]} ({len(problems) - 1} more objects do not fit)",)
    return error


def plan(
    root: Any, reader: Any, skip: Any = (), strict: bool = True
) -> tuple[list[tuple[Entry, dict[str, StoredArray]]], list[BadFileError]]:
    """What would be loaded into which object, and what does not fit. Nothing is read yet."""
    found, problems = [], []
    used: set[str] = set()
    for entry in walk(root, skip):
        if getattr(entry.obj, "load_own_variables", None) is None:
            continue
        path = _find(entry, reader)
        variables = reader.variables(path)
        if hasattr(entry.obj, "_from_older_order"):
            variables = entry.obj._from_older_order(variables)
        used.update(array.path for array in variables.values())
        error = _compare(entry, path, variables, reader) if is_plain(entry.obj) else None
        if error is None:
            found.append((entry, variables))
        else:
            problems.append(error)
    if strict and not problems:
        left = [p for p, array in reader.arrays.items() if array.path not in used and not _is_optional(p)]
        if left:
            problems.append(
                reader.bad(left[0], "the model has a place for every array of the file", arrays_left_over=left[:5])
            )
    return found, problems


def _is_optional(path: str) -> bool:
    return any(part in _OPTIONAL for part in path.split("/"))


def _find(entry: Entry, reader: Any) -> str:
    """The path of an object in a file, which may be older than the rule that names it."""
    paths = [entry.path, *entry.others]
    paths += [p.replace("layers", "_layer_checkpoint_dependencies") for p in paths]  # Keras 2.13
    return next((p for p in paths if reader.has(f"{p}/vars" if p else "vars")), entry.path)


def _compare(entry: Entry, path: str, variables: dict[str, StoredArray], reader: Any) -> BadFileError | None:
    expected = own_variables(entry.obj)
    is_optimizer = getattr(entry.obj, "_tolerates_other_variables", False)
    if is_optimizer and len(expected) != len(variables):
        return None  # an optimizer starts anew then, with a warning
    who = label(entry.obj)
    where = f"{path}/vars" if path else "vars"
    if not expected and variables and not getattr(entry.obj, "built", True):
        return reader.bad(where, f"{who} is built before its variables are loaded", arrays=sorted(variables))
    for key, variable in expected.items():
        shape, dtype = tuple(variable.shape), np.dtype(variable.dtype)
        if key not in variables:
            return reader.bad(
                f"{where}/{key}", f"{who} needs an array of shape {shape}; it is missing", arrays=sorted(variables)
            )
        if is_optimizer and shape == () == variables[key].shape:
            continue  # what stands for a slot that is none (Adafactor) was a float before it was an integer
        error = compare_array(reader, f"{where}/{key}", who, shape, dtype, variables[key])
        if error is not None:
            return error
    extra = sorted(set(variables) - set(expected))
    if extra:
        return reader.bad(f"{where}/{extra[0]}", f"{who} has {len(expected)} variables", arrays=sorted(variables))
    return None


def compare_array(
    reader: Any, path: str, who: str, shape: tuple, dtype: np.dtype, array: StoredArray
) -> BadFileError | None:
    """The error for an array that does not fit a variable, or None."""
    if array.shape != shape:
        return reader.bad(path, f"{who} expects shape {shape}", shape=array.shape)
    # Widths may differ (a float32 file, a float16 model), kinds may not.
    if array.dtype.kind.replace("u", "i") != dtype.kind.replace("u", "i"):
        return reader.bad(path, f"{who} expects dtype {dtype}", dtype=str(array.dtype))
    return None
