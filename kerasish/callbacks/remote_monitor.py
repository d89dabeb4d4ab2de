"""RemoteMonitor, which sends the results of each epoch to a web server."""

from __future__ import annotations

import warnings
from typing import Any

from .callback import Callback


class RemoteMonitor(Callback):
    """Sends an HTTP POST with the epoch and its logs after each epoch; a server that cannot be reached gives a warning.

    Args:
        root: address of the server.
        path: path on the server.
        field: name of the form field that holds the JSON text, unless `send_as_json`.
        headers: further HTTP headers.
        send_as_json: whether the body is the JSON text itself, as `application/json`.

    Example:

    >>> monitor = RemoteMonitor(root="http://localhost:9000", send_as_json=True)
    >>> monitor.path
    '/publish/epoch/end/'
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ):
        super().__init__()
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        import json  # here, because few programs need HTTP, and it takes long to import
        import urllib.error
        import urllib.parse
        import urllib.request

        text = json.dumps({"epoch": epoch, **{name: _plain(value) for name, value in (logs or {}).items()}})
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body, kind = urllib.parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = urllib.request.Request(self.root + self.path, body.encode(), headers, method="POST")
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as answer:
            answer.close()  # the server was reached; what it thinks of the message is its own matter
        except OSError as e:
            warnings.warn(f"RemoteMonitor: could not reach the server at {self.root}: {e}", stacklevel=2)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
