"""One step of training, evaluation or prediction, and what it needs: losses, metrics, weights made from shapes."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..data import unpack_x_y_sample_weight
from ..engine import guard, tree
from ..engine.errors import invalid
from ..engine.op import get_op, state
from ..engine.operation import infer_spec, tracing
from ..engine.spec import Spec
from ..engine.strings import is_strings
from ..engine.tape import GradientTape
from ..engine.tensor import Tensor, to_tensor
from ..engine.variable import Variable, autocast_dtype
from ..executor import CompiledFunction, Slot
from ..layers.call import context, get_mask, set_mask
from ..layers.state import changes


def first_length(x: Any) -> int:
    """Number of samples in a batch."""
    first = next((i for i in tree.flatten(x) if i is not None), None)
    shape = getattr(first, "shape", ())
    return shape[0] if shape else 1


def _tensors(data: Any) -> Any:
    def tensor(v: Any) -> Any:
        return v if v is None or isinstance(v, Tensor) or is_strings(v) else to_tensor(v, where="data")

    return tree.map_structure(tensor, data)


def _in_dtype_of(value: Any, like: Any) -> Any:
    value = value if isinstance(value, Tensor) else to_tensor(value)
    return value if value.dtype == like.dtype else get_op("cast")(value, dtype=like.dtype)


def _dtype(v: Any) -> str:
    dtype = "string" if is_strings(v) else v.dtype
    return dtype if isinstance(dtype, str) else np.dtype(dtype).name


def _usable(structure: Any) -> bool:
    return all(v is not None for v in tree.flatten(structure))


def scalar_logs(structure: Any) -> list[int]:
    """Positions of the outputs that are logs and losses of outputs, as far as all of them are scalars: what many
    batches at once report of each."""
    return [x.index for x in tree.flatten(structure) if isinstance(x, Slot)]


class Steps:
    """The part of Trainer that works on single batches; subclasses of Model replace its methods."""

    @property
    def metrics(self) -> list:
        """The loss tracker, the compiled metrics, the losses of single outputs, and metrics that layers hold."""
        out = self._own_metrics()
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Steps):
                out += layer._metrics
        seen: set[int] = set()
        return [m for m in out if not (id(m) in seen or seen.add(id(m)))]

    def _own_metrics(self) -> list:
        out = []
        if self.compiled:
            out = [m for m in (self._loss_tracker, self._compile_metrics) if m is not None]
            if self._compile_loss is not None:
                out += self._compile_loss.metrics
        return out + list(self._metrics)

    @property
    def metrics_names(self) -> list[str]:
        return [m.name for m in self.metrics]

    @property
    def metrics_variables(self) -> list:
        return [v for m in self.metrics for v in m.variables]

    def reset_metrics(self) -> None:
        """Sets all metrics back."""
        for m in self.metrics:
            m.reset_state()

    def __getstate__(self) -> dict:
        # Functions are bound to this model: a copy makes its own.
        made = ("train_function", "test_function", "predict_function", "_call_function")
        return {**self.__dict__, **dict.fromkeys(made)}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._calls_alone():
            return super().__call__(*args, **kwargs)
        if self._compiles:
            function = self._call_function
            if function is None:
                function = self._compiled_step(self._call_with_masks, "call", self._of_one_state, warmup=1)
                self.__dict__["_call_function"] = function
            if function.refusal is None:
                outputs, masks = function(*args, **kwargs)
                if masks is not None:
                    for x, mask in zip(tree.flatten(outputs), masks):
                        if mask is not None:
                            set_mask(x, mask)
                return outputs
        with self._of_one_state():
            return super().__call__(*args, **kwargs)

    def _calls_alone(self) -> bool:
        """Whether a call of the model itself may run as a program: nobody records, captures or casts around it."""
        return (
            self.built
            and context.depth == 0
            and state.capture is None
            and not state.tapes
            and not tracing.depth
            and autocast_dtype() is None
            and context.training is None
        )

    def _call_with_masks(self, *args: Any, **kwargs: Any) -> tuple:
        outputs = super().__call__(*args, **kwargs)
        if state.capture is not None and any(x._losses for x in self._flatten_layers()):
            state.capture.refuse("the call adds losses, which are read after it")
        masks = [get_mask(x) for x in tree.flatten(outputs)]
        return outputs, None if all(m is None for m in masks) else masks

    # -- one step ---------------------------------------------------------------------------------------------------

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The total loss of a batch: the compiled loss, `add_loss` and regularizers. Subclasses may replace it.

        Raises:
            ValueError: where there is no loss at all.
        """
        total = None
        if self._compile_loss is not None:
            total = self._compile_loss(y, y_pred, sample_weight)
        for extra in self.losses:
            extra = extra if isinstance(extra, Tensor) or not hasattr(extra, "read") else extra.read()
            total = extra if total is None else get_op("add")(total, _in_dtype_of(extra, total))
        if total is None:
            raise invalid("fit", "there is no loss to compute: give one to compile(), or use add_loss()")
        return total

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
        if self._compute_loss_takes_training:
            return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=training)
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)

    def stateless_compute_loss(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        metrics_variables: list,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tuple:
        """`compute_loss` with the given variable values; the model's own stay as they were.

        Returns:
            (loss, (trainable, non-trainable, metrics variables' values)).
        """
        groups = [
            (self.trainable_variables, trainable_variables),
            (self.non_trainable_variables, non_trainable_variables),
            (self.metrics_variables, metrics_variables),
        ]
        pairs = [p for mine, given in groups for p in zip(mine, given)]
        saved = [(v, v._value) for v, _ in pairs]
        try:
            for v, value in pairs:
                v.assign(value)
            loss = self._compute_loss(x, y, y_pred, sample_weight, training)
            after = tuple([v._value for v in mine] for mine, _ in groups)
        finally:
            for v, value in saved:
                v._value = value
        return loss, after

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        """Updates the compiled metrics with a batch and gives all results. Subclasses may replace it."""
        if self._compile_metrics is not None:
            self._compile_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict:
        """Values of all metrics by name."""
        out: dict[str, Any] = {}
        for m in self.metrics:
            result = m.result()
            out.update(result if isinstance(result, dict) else {m.name: result})
        return out

    def _forward(self, x: Any, training: bool) -> Any:
        return self(x, training=training) if "training" in self._signature.takes else self(x)

    def train_step(self, data: Any) -> dict:
        """One step on a batch: forward, loss, gradients, update, metrics. Subclasses may replace it.

        Args:
            data: (x, y, sample_weight) or a part of it.

        Returns:
            Logs: values by name.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self._forward(x, training=True)
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled = loss if self.optimizer is None else self.optimizer.scale_loss(loss)
        self._loss_tracker.update_state(loss, sample_weight=first_length(x))
        trainable = self.trainable_weights
        if trainable:
            self.optimizer.apply(tape.gradient(scaled, trainable), trainable)
        else:
            warnings.warn(f"{self.name}: the model does not have any trainable weights.", stacklevel=2)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def test_step(self, data: Any) -> dict:
        """One step of evaluation on a batch. Subclasses may replace it."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self._forward(x, training=False)
        if self._compile_loss is not None or self.losses or type(self).compute_loss is not Steps.compute_loss:
            loss = self._compute_loss(x, y, y_pred, sample_weight, training=False)
            self._loss_tracker.update_state(loss, sample_weight=first_length(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """The outputs for a batch. Subclasses may replace it."""
        x, _, _ = unpack_x_y_sample_weight(data)
        return self._forward(x, training=False)

    # -- compiled steps ---------------------------------------------------------------------------------------------

    def _step_and_losses(self, data: Any) -> tuple:
        """A training step's logs, and the loss of each output, which the report of a NaN names."""
        logs = self.train_step(data)
        return logs, [] if self._compile_loss is None else [v for _, v in self._compile_loss.last]

    def _changed_by_steps(self) -> list:
        """Every Variable that steps of this model may change, but for the state of random numbers that all models
        share."""
        seeds = [s.state for x in self._flatten_layers() for s in x._seed_generators]
        slots = self.optimizer.variables if self.optimizer is not None else []
        found = [*self.variables, *self.metrics_variables, *slots, *seeds]
        return list({id(v): v for v in found}.values())

    def _whole(self) -> AbstractContextManager:
        """What a step that changes variables op by op runs in, so that other threads see all of it or nothing."""
        return guard.stepping(self._changed_by_steps())

    def _of_one_state(self) -> AbstractContextManager:
        """What a step that only reads them runs in."""
        return guard.as_of_now(self._look()[3])

    def _op_by_op(self, name: str, around: Any) -> Any:
        def step(batch: Any) -> Any:
            with around():
                return getattr(self, name)(_tensors(batch))

        return step

    def _compiled_step(self, fn: Any, name: str, around: Any, warmup: int = 0) -> CompiledFunction:
        return CompiledFunction(
            fn,
            f"{name} of {self.name!r}",
            warmup=warmup,
            version=self._version,
            flags=lambda: self._look()[2],
            after_capture=self._clear_losses,
            log=scalar_logs if name == "train_step" else None,
            told=self.__dict__.setdefault("_told_reasons", set()),
            warn=name != "call",  # a plain call was never promised to be compiled
            around=around,
        )

    def _compile_loss_keeps(self, losses: list) -> None:
        if self._compile_loss is not None:
            self._compile_loss.keep(losses)

    def _look(self) -> tuple:
        """The versions of the attributes of all layers, what is trainable, and the variables."""
        count, *_ = seen = self._seen_version
        if count != changes.count + Variable.changes:
            layers = self._flatten_layers()
            versions = tuple([x.__dict__.get("_changes", 0) for x in layers])
            variables = self.variables
            flags = (*[x._trainable for x in layers], *[v.trainable for v in variables])
            seen = self.__dict__["_seen_version"] = changes.count + Variable.changes, versions, flags, variables
        return seen

    def _version(self) -> Any:
        """Changes when an attribute of the model, of a layer in it or of the optimizer does, except `trainable`."""
        return self._look()[1], getattr(self.optimizer, "_changes", 0)

    @property
    def _compiles(self) -> bool:
        return self._jit_compile is not False and not self._run_eagerly

    def make_train_function(self, force: bool = False) -> Any:
        """The function that runs `steps_per_execution` batches of training; called with a list of batches."""
        if self.train_function is None or force:
            if not self._compiles:
                function = self._over_batches(self._op_by_op("train_step", self._whole))
            else:
                step = self._compiled_step(self._step_and_losses, "train_step", self._whole)

                def one(batch: Any) -> Any:
                    logs, losses = step(batch if step.refusal is None else _tensors(batch))
                    self._compile_loss_keeps(losses)
                    return logs

                function = self._over_batches(one)
                function.compiled = step
            self.__dict__["train_function"] = function
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """The same for evaluation."""
        if self.test_function is None or force:
            if self._compiles:
                step = self._compiled_step(lambda batch: self.test_step(_tensors(batch)), "test_step", self._whole)
            else:
                step = self._op_by_op("test_step", self._whole)
            function = self._over_batches(step)
            function.compiled = step if self._compiles else None
            self.__dict__["test_function"] = function
        return self.test_function

    def make_predict_function(self, force: bool = False) -> Any:
        """The same for prediction; gives the outputs of each batch."""
        if self.predict_function is None or force:
            if self._compiles:
                step = self._compiled_step(
                    lambda batch: self.predict_step(_tensors(batch)), "predict_step", self._of_one_state, warmup=1
                )
            else:
                step = self._op_by_op("predict_step", self._of_one_state)

            def function(batches: list) -> list:
                return [step(b) for b in batches]

            function.compiled = step if self._compiles else None
            self.__dict__["predict_function"] = function
        return self.predict_function

    @staticmethod
    def _over_batches(step: Any) -> Any:
        def run(batches: list) -> Any:
            logs: Any = {}
            for batch in batches:
                logs = step(batch)
            return logs

        return run

    # -- building ---------------------------------------------------------------------------------------------------

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise invalid(method, "call compile() first")
        if self._compiled_trainable_state is not None:
            now = {id(x): x for x in self._flatten_layers()}
            then = self._compiled_trainable_state
            changed = [x.name for k, x in now.items() if k in then and then[k] != x.trainable]
            if changed:
                warnings.warn(
                    f"{method}: `trainable` of {changed} has changed since compile(); call compile() again for the "
                    "optimizer to follow.",
                    stacklevel=3,
                )
                self.__dict__["_compiled_trainable_state"] = {k: x.trainable for k, x in now.items()}

    def _build_from_batch(self, batch: Any, training: bool) -> None:
        """Makes weights, metrics, losses and optimizer slots for the shapes of a batch, without computing."""
        x, y, _ = unpack_x_y_sample_weight(batch)

        def spec(v: Any) -> Any:
            return None if v is None else Spec(tuple(v.shape), _dtype(v))

        unbuilt = not all(layer.built for layer in self._flatten_layers())
        loss, metrics = self._compile_loss, self._compile_metrics
        if unbuilt:
            try:
                infer_spec(self, tree.map_structure(spec, x), **self._build_keywords())
            except (ValueError, TypeError):
                raise
            except Exception:
                # Its Python needs values: one real call builds it.
                self._forward(_tensors(x), training=False)
        if (loss is not None and not loss.built) or (metrics is not None and not metrics.built):
            y_pred = infer_spec(self, tree.map_structure(spec, x), **self._build_keywords())
            y_spec = tree.map_structure(spec, y)
            if loss is not None and not loss.built and y is not None and _usable(y_spec):
                loss.build(y_spec, y_pred)
            if metrics is not None and not metrics.built and y is not None and _usable(y_spec):
                metrics.build(y_spec, y_pred)
        optimizer = self.optimizer
        if training and optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)

    def _build_keywords(self) -> dict:
        return {"training": False} if "training" in self._signature.takes else {}
