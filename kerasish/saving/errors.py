"""The error for a file that cannot be taken as a model: it names the file, the member, the rule and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..engine.errors import invalid


class BadFileError(ValueError):
    """A file is damaged, hostile, or does not belong to the model.

    Attributes:
        file: name of the file.
        member: the part of it: a member of the archive, a group or array of the HDF5 file, or None.
        expected: the rule that the file breaks.
        received: dict of what was found instead.

    Example:

    >>> from kerasish.saving.errors import bad_file
    >>> raise bad_file("a.keras", "config.json", "the config is a JSON object", type="list")
    Traceback (most recent call last):
    kerasish.saving.errors.BadFileError: a.keras: config.json: the config is a JSON object. Received: type='list'
    """

    file: str = ""
    member: str | None = None
    expected: str = ""
    received: dict[str, Any] = {}


def bad_file(file: str, member: str | None, expected: str, **received: Any) -> BadFileError:
    """Builds (does not raise) the error.

    Args:
        file: name of the file.
        member: the part of it, or None for the whole.
        expected: the rule, without a full stop.
        received: what was found instead.
    """
    error = invalid(f"{file}: {member}" if member else file, expected, kind=BadFileError, **received)
    error.file, error.member, error.expected, error.received = file, member, expected, received
    return error


@contextmanager
def reading(file: str, member: str | None, expected: str) -> Iterator[None]:
    """Turns whatever goes wrong inside into a `BadFileError` that keeps the first error's message.

    What the libraries that parse archives and HDF5 raise on damaged bytes is not limited to a few classes.
    """
    try:
        yield
    except BadFileError:
        raise
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:  # what the objects around it made of it says less
            first = first.__cause__
        text = f"{type(first).__name__}: {first}"
        raise bad_file(file, member, f"{expected}, but {text[:1000]}", error=type(error).__name__) from error
