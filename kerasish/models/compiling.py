"""Compiling: the part of Trainer that says how a model is trained, and its config."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import metrics as metrics_module
from .. import optimizers
from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, serialize_keras_object
from .compile import CompileLoss, CompileMetrics
from .steps import Steps


class Compiling(Steps):
    """Mixin of Model: `compile` and what it was called with."""

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, its name or a function; for several outputs a list, or a dict by output name.
            loss_weights: factors of the losses, in the same forms.
            metrics: list of metrics (names, functions, objects); for several outputs lists, or a dict by name.
            weighted_metrics: metrics that are given sample and class weights.
            run_eagerly: run every step op by op.
            steps_per_execution: batches between two callbacks.
            jit_compile: "auto", or whether steps are compiled.
            auto_scale_loss: scale the loss in mixed_float16.

        Raises:
            ValueError: for unknown names, or outputs that do not exist.
        """
        if not isinstance(steps_per_execution, (int, np.integer)) or steps_per_execution < 1:
            raise invalid(
                "compile", "steps_per_execution is a positive integer", steps_per_execution=steps_per_execution
            )
        if jit_compile not in (True, False, "auto"):
            raise invalid("compile", 'jit_compile is True, False or "auto"', jit_compile=jit_compile)
        chosen = optimizers.get(optimizer)
        if auto_scale_loss and self.dtype_policy.name == "mixed_float16" and chosen is not None:
            scaled = getattr(optimizers, "LossScaleOptimizer", None)
            if scaled is not None and not isinstance(chosen, scaled):
                chosen = scaled(chosen, name="loss_scale_optimizer")
        names = getattr(self, "output_names", None)
        functional = getattr(self, "_functional", None)
        if names is None and functional is not None:
            names = functional.output_names
        compile_loss = None if loss is None else CompileLoss(loss, loss_weights, output_names=names)
        compile_metrics = None
        if metrics is not None or weighted_metrics is not None:
            compile_metrics = CompileMetrics(metrics, weighted_metrics, output_names=names)
        if jit_compile is True and run_eagerly:
            warnings.warn("compile: run_eagerly=True turns jit_compile off.", stacklevel=2)
        self.__dict__.update(
            optimizer=chosen,
            loss=loss,
            _compile_loss=compile_loss,
            _compile_metrics=compile_metrics,
            _loss_tracker=metrics_module.Mean(name="loss"),
            _run_eagerly=bool(run_eagerly),
            _jit_compile=jit_compile is not False and not run_eagerly,
            steps_per_execution=int(steps_per_execution),
            stop_training=False,
            compiled=True,
            _nan_reported=False,
            train_function=None,
            test_function=None,
            predict_function=None,
            _call_function=None,
            _compiled_trainable_state={id(x): x.trainable for x in self._flatten_layers()},
            _compile_arguments=dict(
                optimizer=chosen,
                loss=loss,
                loss_weights=loss_weights,
                metrics=metrics,
                weighted_metrics=weighted_metrics,
                run_eagerly=run_eagerly,
                steps_per_execution=steps_per_execution,
                jit_compile=jit_compile is not False and not run_eagerly,
            ),
        )

    @property
    def run_eagerly(self) -> bool:
        """Whether every step runs op by op."""
        return self._run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        self.__dict__["_run_eagerly"] = bool(value)

    @property
    def jit_compile(self) -> bool:
        """Whether steps may be compiled."""
        return True if self._jit_compile is None else self._jit_compile

    @jit_compile.setter
    def jit_compile(self, value: bool) -> None:
        self.__dict__["_jit_compile"] = bool(value)

    def get_compile_config(self) -> dict:
        """What `compile` was called with, serialized."""
        if not self.compiled or self._compile_arguments is None:
            return {}
        return serialize_keras_object(self._compile_arguments)

    def compile_from_config(self, config: dict) -> None:
        """Compiles the model with what `get_compile_config` gave."""
        if type(self).compile is not Compiling.compile:
            warnings.warn(
                f"{type(self).__name__} has its own compile(): it was not called with the config. Define "
                "get_compile_config() and compile_from_config(), or call compile() yourself.",
                stacklevel=2,
            )
            return
        self.compile(**deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)
