"""Trainer: fit, evaluate, predict and their one-batch forms."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..callbacks import CallbackList
from ..data import EpochIterator, train_validation_split, unpack_x_y_sample_weight
from ..data.arrays import batch_dtype
from ..data.source import DEFAULT_BATCH_SIZE
from ..engine import config, tree
from ..engine.errors import invalid
from ..engine.tensor import Tensor
from ..executor import Profile
from .array_loops import predict_on_array, test_on_arrays, train_on_arrays
from .compile import CompileMetrics
from .compiling import Compiling
from .interrupts import Interrupts
from .profiling import profile_model
from .steps import first_length


def _pythonify(logs: dict[str, Any]) -> dict[str, Any]:
    """Logs with Python numbers in place of scalars."""
    out: dict[str, Any] = {}
    for key, value in sorted(logs.items()):
        if isinstance(value, dict):
            out.update(_pythonify(value))
        else:
            try:
                value = float(value)
            except (TypeError, ValueError):
                value = np.asarray(value) if isinstance(value, Tensor) else value
            out[key] = value
    return out


class Trainer(Compiling):
    """Mixin of Model: the training loop."""

    _loop_attributes = frozenset(("history", "stop_evaluating", "stop_training"))

    def __init__(self) -> None:
        d = self.__dict__
        d.update(
            optimizer=None, loss=None, compiled=False, stop_training=False, steps_per_execution=1, history=None,
            train_function=None, test_function=None, predict_function=None, _run_eagerly=False, _jit_compile=None,
            _compile_loss=None, _compile_metrics=None, _loss_tracker=None, _compile_arguments=None,
            _initial_epoch=None, _nan_reported=False, _compiled_trainable_state=None,
            _seen_version=(-1, None, None, None), _call_function=None, _epoch_iterator=None,
        )  # fmt: skip
        takes = inspect.signature(type(self).compute_loss).parameters
        d["_compute_loss_takes_training"] = "training" in takes

    # -- loops ------------------------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: dict | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Trains the model.

        Args:
            x: arrays (nested), a generator, a PyDataset or any iterable of batches.
            y: targets, beside arrays.
            batch_size: 32 by default, for arrays.
            epochs: number of the last epoch.
            verbose: 0 silent, 1 progress bar, 2 a line an epoch; "auto" is 1.
            callbacks: list of callbacks.
            validation_split: fraction of the samples, taken from the end, to validate on.
            validation_data: (x, y) or (x, y, sample_weight), or a dataset.
            shuffle: shuffle the samples before each epoch.
            class_weight: dict from class to weight.
            sample_weight: weight of each sample.
            initial_epoch: number of epochs already done.
            steps_per_epoch: batches that make an epoch.
            validation_steps, validation_batch_size, validation_freq: of the validation.

        Returns:
            The History callback; `history.history` has the logs of each epoch by name.

        Raises:
            ValueError: for data that do not fit, and for a model that is not compiled.
        """
        self._require_compiled("fit")
        epochs = _count("epochs", epochs, 0)
        limit = config.max_epochs()
        if limit and limit < epochs:
            warnings.warn(f"fit: limiting epochs to {limit}.", stacklevel=2)
            epochs = limit
        _check_frequency(validation_freq)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = train_validation_split((x, y, sample_weight), validation_split)
        batches = EpochIterator(
            x, y, sample_weight, batch_size=batch_size, steps_per_epoch=steps_per_epoch, shuffle=shuffle,
            class_weight=class_weight, steps_per_execution=self.steps_per_execution, where="fit",
        )  # fmt: skip
        self._build_from_batch(batches.peek(), training=True)
        val_batches = None
        if validation_data is not None:
            val_x, val_y, val_weight = unpack_x_y_sample_weight(validation_data)
            val_batches = EpochIterator(
                val_x, val_y, val_weight, batch_size=validation_batch_size or batch_size,
                steps_per_epoch=validation_steps, steps_per_execution=self.steps_per_execution,
                where="fit (validation)",
            )  # fmt: skip
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_history=True, add_progbar=verbose != 0, verbose=verbose, epochs=epochs,
                steps=batches.num_batches, model=self,
            )  # fmt: skip
        self.__dict__.update(stop_training=False, _nan_reported=False, _epoch_iterator=batches)
        run = self.make_train_function()
        logs: dict = {}
        with Interrupts() as interrupts:
            callbacks.on_train_begin()
            for epoch in range(self._initial_epoch or initial_epoch, epochs):
                self.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                step_logs: Any = batches.logs
                arrays_logs = train_on_arrays(self, run, batches, callbacks, interrupts, epoch)
                if arrays_logs is not None:
                    step_logs = arrays_logs
                else:
                    for begin, end, data in batches.enumerate_epoch():
                        callbacks.on_train_batch_begin(begin)
                        step_logs = run(data)
                        self._report_nan(epoch, end, step_logs)
                        callbacks.on_train_batch_end(end, step_logs)
                        interrupts.check()
                        if self.stop_training:
                            break
                logs = _pythonify(dict(self._epoch_logs(step_logs)))
                if val_batches is not None and _due(epoch, validation_freq):
                    results = self._evaluate(val_batches, callbacks, interrupts)
                    logs.update({f"val_{k}": v for k, v in results.items()})
                callbacks.on_epoch_end(epoch, logs)
                interrupts.check()
                if self.stop_training or batches.exhausted:
                    break
            if self.optimizer is not None and epochs > 0:
                self.optimizer.finalize_variable_values(self.trainable_weights)
            callbacks.on_train_end(logs=logs)
        self.__dict__["_epoch_iterator"] = None
        return self.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics on data, in the forms that `fit` takes.

        Returns:
            The loss alone, a list in the order of the metrics, or a dict with `return_dict`.
        """
        if kwargs:
            raise invalid("evaluate", "unknown arguments", **kwargs)
        self._require_compiled("evaluate")
        batches = EpochIterator(
            x, y, sample_weight, batch_size=batch_size, steps_per_epoch=steps,
            steps_per_execution=self.steps_per_execution, where="evaluate",
        )  # fmt: skip
        self._build_from_batch(batches.peek(), training=False)
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_progbar=verbose != 0, verbose=verbose, epochs=1, steps=batches.num_batches, model=self
            )
        with Interrupts() as interrupts:
            logs = self._evaluate(batches, callbacks, interrupts)
        return logs if return_dict else self._in_order(logs)

    def _evaluate(self, batches: EpochIterator, callbacks: CallbackList, interrupts: Interrupts) -> dict:
        run = self.make_test_function()
        self.__dict__["_stop_evaluating"] = False
        callbacks.on_test_begin()
        logs: Any = {}
        self.reset_metrics()
        array_logs = test_on_arrays(run, batches, callbacks, interrupts)
        if array_logs is not None:
            logs = array_logs
        else:
            for begin, end, data in batches.enumerate_epoch():
                callbacks.on_test_batch_begin(begin)
                logs = run(data)
                callbacks.on_test_batch_end(end, logs)
                interrupts.check()
                if getattr(self, "stop_evaluating", False):
                    break
        logs = _pythonify(dict(self._epoch_logs(logs)))
        callbacks.on_test_end(logs)
        return logs

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The model's outputs for data, batch by batch.

        Returns:
            NumPy arrays in the structure of the outputs.
        """
        if verbose == 0 and callbacks is None and steps is None and self._predicts_directly(x, batch_size):
            out = predict_on_array(self.make_predict_function(), x, int(batch_size or DEFAULT_BATCH_SIZE))
            if out is not None:
                return out
        batches = EpochIterator(
            x,
            batch_size=batch_size,
            steps_per_epoch=steps,
            steps_per_execution=self.steps_per_execution,
            where="predict",
        )
        if not isinstance(callbacks, CallbackList):
            callbacks = CallbackList(
                callbacks, add_progbar=verbose != 0, verbose=verbose, epochs=1, steps=batches.num_batches, model=self
            )
        run = self.make_predict_function()
        parts: list = []
        with Interrupts() as interrupts:
            callbacks.on_predict_begin()
            for begin, end, data in batches.enumerate_epoch():
                callbacks.on_predict_batch_begin(begin)
                outs = run(data)
                parts += [tree.map_structure(lambda t: np.asarray(t), o) for o in outs]
                callbacks.on_predict_batch_end(end, {"outputs": parts[-1]})
                interrupts.check()
            callbacks.on_predict_end()
        if not parts:
            raise invalid("predict", "the data has no batches")
        if len(parts) == 1:
            return tree.map_structure(np.array, parts[0])
        return tree.map_structure(lambda *leaves: np.concatenate(leaves, axis=0), *parts)

    def _predicts_directly(self, x: Any, batch_size: Any) -> bool:
        """Whether an array can go to the compiled step as it is."""
        return (
            type(x) is np.ndarray
            and x.ndim > 0
            and len(x) > 0
            and x.flags.c_contiguous
            and x.dtype.isnative
            and batch_dtype(x.dtype) == x.dtype
            and x.dtype.kind in "fiub"
            and (batch_size is None or (isinstance(batch_size, int) and batch_size > 0))
            and self._compiles
            and getattr(self.make_predict_function(), "compiled", None) is not None
        )

    def profile(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        runs: int = 20,
        trace: Any = None,
        print_fn: Callable[[str], Any] | None = print,
    ) -> Profile:
        """Measures where the time of a step goes, by layer and by op, and prints two tables.

        Each row has the time, the floating-point operations and bytes, and the rate as a share of what the machine
        can do (measured in the same run: fused multiply-adds on registers, and copying). The model and the random
        streams are left as they were.

        Args:
            x: input arrays, of one batch or more. With four batches or more, the share of an epoch's time that is spent
                outside the compiled step is measured too.
            y: targets: the step of training is measured; without them, that of prediction.
            batch_size: samples of a step; at most 32 by default.
            runs: how often the step is measured; the figures are medians.
            trace: path of a Chrome trace to write (chrome://tracing, Perfetto).
            print_fn: called with the text; None prints nothing.

        Returns:
            The Profile: `steps`, `layers()`, `ops()`, `text()`, `write_trace(path)`.

        Raises:
            ValueError: for data that are no arrays of one length, or a step that cannot be compiled.
        """
        result = profile_model(self, x, y, batch_size, runs)
        if trace is not None:
            result.write_trace(trace)
        if print_fn is not None:
            print_fn(result.text())
        return result

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: dict | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step of training on arrays; metrics go on from the last call."""
        self._require_compiled("train_on_batch")
        if class_weight is not None and sample_weight is not None:
            raise invalid("train_on_batch", "give sample_weight or class_weight, not both")
        batch = self._single_batch(x, y, sample_weight, class_weight, "train_on_batch")
        self._build_from_batch(batch, training=True)
        with Interrupts():
            logs = _pythonify(self.make_train_function()([batch]))
        return logs if return_dict else self._in_order(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """One step of evaluation on arrays; metrics go on from the last call."""
        self._require_compiled("test_on_batch")
        batch = self._single_batch(x, y, sample_weight, None, "test_on_batch")
        self._build_from_batch(batch, training=False)
        logs = _pythonify(self.make_test_function()([batch]))
        return logs if return_dict else self._in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        batch = self._single_batch(x, None, None, None, "predict_on_batch")
        return tree.map_structure(np.array, self.make_predict_function()([batch])[0])

    @staticmethod
    def _single_batch(x: Any, y: Any, sample_weight: Any, class_weight: Any, where: str) -> Any:
        n = first_length(tree.map_structure(lambda v: v if hasattr(v, "shape") else np.asarray(v), x))
        batches = EpochIterator(
            x, y, sample_weight, batch_size=max(n, 1), class_weight=class_weight, where=where
        )  # fmt: skip
        return batches.peek()

    # -- logs -------------------------------------------------------------------------------------------------------

    def _epoch_logs(self, logs: Any) -> dict:
        """The metrics' own results where a step returned just those; else what the step returned."""
        own = self.get_metrics_result() if all(getattr(m, "built", True) for m in self.metrics) else {}
        return own if isinstance(logs, dict) and set(logs) == set(own) else (logs or {})

    def _in_order(self, logs: dict) -> Any:
        names: list[str] = []
        for m in self.metrics:
            names += [x.name for x in m.metrics] if isinstance(m, CompileMetrics) else [m.name]
        results = [logs[n] for n in names if n in logs] + [logs[k] for k in sorted(logs) if k not in names]
        return results[0] if len(results) == 1 else results

    def _report_nan(self, epoch: int, step: int, logs: Any) -> None:
        """Warns once when the loss is not a number, naming the step and the output."""
        if self._nan_reported or self._loss_tracker is None:
            return
        value = logs.get("loss") if isinstance(logs, dict) else None
        try:
            if value is None or not np.isnan(float(value)):
                return
        except (TypeError, ValueError):
            return
        self.__dict__["_nan_reported"] = True
        parts = self._compile_loss.last if self._compile_loss is not None else []
        bad = [name for name, v in parts if np.isnan(float(v))]
        what = f" of output {bad}" if bad else ""
        warnings.warn(
            f"fit: the loss{what} is NaN from step {step} of epoch {epoch + 1} on. Look for too large a learning "
            "rate, NaN in the data, or log and division of zero in a custom loss.",
            RuntimeWarning,
            stacklevel=3,
        )


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise invalid("fit", f"{name} is an integer of at least {least}", **{name: value})
    return int(value)


def _check_frequency(frequency: Any) -> None:
    if not isinstance(frequency, (list, tuple, set)) and (not isinstance(frequency, int) or frequency < 1):
        raise invalid("fit", "validation_freq is a positive integer or a list of epochs", validation_freq=frequency)


def _due(epoch: int, frequency: Any) -> bool:
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else (epoch + 1) in frequency
