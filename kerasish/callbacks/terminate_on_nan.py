"""TerminateOnNaN, which ends training when the loss is no longer a finite number."""

from __future__ import annotations

import math

from ..utils.messages import print_msg
from .callback import Callback


class TerminateOnNaN(Callback):
    """Ends training after a batch whose loss is NaN or infinite.

    Args:
        raise_error: whether to raise at once instead of setting `model.stop_training`, so that no callback's
            `on_train_end` runs (it might overwrite a good backup).

    Raises:
        RuntimeError: the loss is not finite and `raise_error` is set.

    Example:

    >>> class Model:
    ...     stop_training = False
    >>> watch = TerminateOnNaN()
    >>> watch.set_model(Model)
    >>> watch.on_batch_end(3, {"loss": float("nan")})
    Batch 3: Invalid loss, terminating training
    >>> Model.stop_training
    True
    """

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: the loss must be finite. Received: loss={loss} at batch {batch}")
        print_msg(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
