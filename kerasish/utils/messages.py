"""Where messages to the user go: the standard output, or the `kerasish` logger."""

from __future__ import annotations

import sys

from ..engine import config


def print_msg(message: object, line_break: bool = True) -> None:
    """Writes to the standard output, or to the logger after `config.disable_interactive_logging()`.

    A terminal whose encoding lacks the characters of the progress bar gets plain ones.

    Example:

    >>> print_msg("Epoch 1/2")
    Epoch 1/2
    """
    text = str(message)
    if not config.is_interactive_logging_enabled():
        import logging  # here, because few programs need it

        logging.getLogger("kerasish").info(text.strip("\r\n"))
        return
    if line_break:
        text += "\n"
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.replace("━", "=").replace("…", "...").encode(encoding, "ignore").decode(encoding))
    sys.stdout.flush()
