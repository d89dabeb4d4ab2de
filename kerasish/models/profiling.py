"""What `model.profile` and `model.summary(memory=...)` say of a model's compiled steps."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..engine import tree
from ..engine.errors import invalid
from ..engine.operation import infer_spec
from ..engine.spec import Spec
from ..executor import Compiled, NotCapturable, Profile, capture, compile_graph, profile
from ..ops.seed_generator import global_seed_generator


def state_of(model: Any) -> list:
    """Every Variable that a step of a model may change."""
    return [*model._changed_by_steps(), global_seed_generator().state]


def _program(model: Any, step: Any, batch: Any) -> Compiled:
    program = step.prepare(batch)
    if program is None:
        why = step.refusal or "its Python makes Variables; call the model on data once"
        raise invalid("profile", f"the step of {model.name!r} runs op by op: {why}")
    return program


def profile_model(model: Any, x: Any, y: Any, batch_size: int | None, runs: int) -> Profile:
    """Profiles the step of prediction, or with targets that of training; the model and the random streams stay as they
    were."""
    if not model._compiles:
        raise invalid("profile", "compiled steps are turned off by run_eagerly or jit_compile", model=model.name)
    leaves = [a for a in tree.flatten((x, y)) if a is not None]
    if not leaves or not all(isinstance(a, np.ndarray) and a.ndim and len(a) == len(leaves[0]) for a in leaves):
        raise invalid("profile", "x and y are arrays of one length, or structures of them", x=x, y=y)
    total = len(leaves[0])
    size = min(32 if batch_size is None else batch_size, total)
    if size < 1:
        raise invalid("profile", "there is at least one sample, and batch_size is positive", batch_size=batch_size)
    part = tree.map_structure(lambda a: None if a is None else np.ascontiguousarray(a[:size]), (x, y))
    batch = model._single_batch(part[0], part[1], None, None, "profile")
    if y is None:
        model._build_from_batch(batch, training=False)
        step = model.make_predict_function().compiled
    else:
        model._require_compiled("profile")
        model._build_from_batch(batch, training=True)
        step = model.make_train_function().compiled
    program = _program(model, step, batch)
    variables = state_of(model)
    saved, numbers = [(v, v._held) for v in variables], np.random.get_state()
    outside = None
    try:
        times = profile(program.executable, [a for a in tree.flatten(batch) if a is not None], runs)
        if total >= 4 * size:
            run = _epoch(model, x, y, size)
            run()  # makes the programs of the validation of shapes, and of the last batch
            before, started = step.seconds, time.perf_counter()
            run()
            outside = max(0.0, 1 - (step.seconds - before) / (time.perf_counter() - started))
    finally:
        for v, held in saved:
            v._held = held
        np.random.set_state(numbers)
    return Profile(program.executable, times, outside)


def _epoch(model: Any, x: Any, y: Any, size: int) -> Any:
    if y is None:
        return lambda: model.predict(x, batch_size=size, verbose=0)
    return lambda: model.fit(x, y, batch_size=size, epochs=1, verbose=0)


def memory_lines(model: Any, batch_size: int) -> list[str]:
    """Lines on the memory of the model's steps for a batch: the planned arena, an array for each result, and what is
    kept between runs."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return [" Memory: known for models with Inputs only"]
    specs = [Spec((batch_size, *s.shape[1:]), s.dtype) for s in inputs]
    if any(None in s.shape for s in specs):
        return [" Memory: the inputs have unknown dimensions"]
    x = tree.pack_sequence_as(model._inputs_struct, specs) if hasattr(model, "_inputs_struct") else specs[0]
    lines = []
    steps = [("prediction", lambda x: model.predict_step(x), (x,))]
    if model.compiled and model._compile_loss is not None and model.optimizer is not None:
        y = _targets(model, x)
        model._build_from_batch((x, y), training=True)
        steps.append(("training", lambda x, y: model.train_step((x, y)), (x, y)))
    for name, fn, args in steps:
        try:
            plan = compile_graph(capture(fn, args)[0]).plan
        except (NotCapturable, ValueError, TypeError) as e:
            lines.append(f" Memory of {name}: not known, because the step is not compiled ({e})")
            continue
        finally:
            model._clear_losses()
        lines.append(f" Memory of {name}, batches of {batch_size}: {plan.text()}")
    return lines


def _targets(model: Any, x: Any) -> Any:
    """Targets that the losses take: labels for sparse ones, else arrays like the outputs."""
    y_pred = infer_spec(model, x)
    outs = tree.flatten(y_pred)
    losses = tree.flatten(model.loss)
    losses = losses * len(outs) if len(losses) == 1 else losses

    def target(out: Any, loss: Any) -> Spec:
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        sparse = "sparse" in str(name).lower()
        return Spec(tuple(out.shape[:-1]), "int32") if sparse else Spec(tuple(out.shape), "float32")

    found = [target(o, v) for o, v in zip(outs, losses)]
    return found[0] if not tree.is_nested(y_pred) else tree.pack_sequence_as(y_pred, found)
