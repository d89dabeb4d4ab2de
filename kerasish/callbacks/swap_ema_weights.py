"""SwapEMAWeights, which evaluates a model with the moving average of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.errors import invalid
from .callback import Callback


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving average of the weights into the model for evaluation, and takes it out afterwards.

    The optimizer must have been made with `use_ema=True`. Other callbacks must not change the weights meanwhile.

    Args:
        swap_on_epoch: whether the average is in the model already for the `on_epoch_end` of later callbacks, such as
            one that saves the model.

    Raises:
        ValueError: the optimizer keeps no moving average.

    Example:

    >>> callback = SwapEMAWeights(swap_on_epoch=True)
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Each trainable variable with its moving average."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        parts = [o for o in getattr(optimizer, "optimizers", [optimizer]) if getattr(o, "use_ema", False)]
        averages = [getattr(o, "_model_variables_moving_average", None) for o in parts]
        if not parts or any(a is None for a in averages):
            raise invalid("SwapEMAWeights", "the optimizer must be built with use_ema=True", optimizer=optimizer)
        for part, average in zip(parts, averages):
            yield from ((v, a) for v, a in zip(part._trainable_variables, average) if a is not None)

    def _swap(self, into_model: bool) -> None:
        if self._swapped == into_model:
            return
        for variable, average in self._pairs():
            weights = np.array(variable)
            variable.assign(average)
            average.assign(weights)
        self._swapped = into_model

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(into_model=False)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(into_model=True)
            if epoch == self.params["epochs"] - 1 or self.model.stop_training:
                # at the end of fit the optimizer copies its average into the model: let it find the average there
                for variable, average in self._pairs():
                    average.assign(variable)

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._swap(into_model=True)

    def on_test_end(self, logs: dict | None = None) -> None:
        self._swap(into_model=False)

    def on_predict_begin(self, logs: dict | None = None) -> None:
        self._swap(into_model=True)

    def on_predict_end(self, logs: dict | None = None) -> None:
        self._swap(into_model=False)
