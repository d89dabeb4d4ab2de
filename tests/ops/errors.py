"""Checks what an error says."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def refuses(call: Callable, message: str, kind: type[Exception] = ValueError) -> None:
    """The call raises `kind` with a message that begins so."""
    with pytest.raises(kind) as e:
        call()
    assert str(e.value).startswith(message), f"{e.value}\ndoes not begin with\n{message}"
    assert "Received: " in str(e.value), "an error says what came"
