"""Optimizer steps as ops: one fused pass over a variable, its gradient and its slots, in Keras's formulas.

Every function takes and gives values, not Variables that it would change, so that a step can be captured as a graph:

    new_variable, *new_slots = adam_update(variable, gradient, learning_rate, iterations, momentum, velocity, ...)

and the optimizer assigns them. The op may write each result over the array that it replaces (`inplace`). What changes
from step to step (learning rate, iterations) is a 0-d input; what stays (betas, epsilon, decay) is an attribute.

    function          slots                                       keras.optimizers
    sgd_update        [momentum_slot]                             SGD; the slot where momentum is not 0
    rmsprop_update    velocity, [average_gradient], [momentum]    RMSprop; slots where `centered`, where momentum > 0
    adam_update       momentum, velocity, [velocity_hat]          Adam, AdamW (weight_decay); last slot with `amsgrad`
    adagrad_update    accumulator                                 Adagrad

`weight_decay` is decoupled (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019), as for every Keras
optimizer: w - w * weight_decay * learning_rate takes the place of w before the step; pass 0.0 for variables that are
excluded. Variable, gradient and slots are float32 or float64 and have one shape; a gradient of another dtype is cast.
There are no gradients: a step that is to be differentiated is written with ordinary ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.errors import invalid
from ..engine.op import C, Op, define_op
from ..engine.spec import Spec
from ..engine.tensor import as_input
from .cast import cast

__all__ = ["adagrad_update", "adam_update", "rmsprop_update", "sgd_update"]


def _same_shape(a: tuple, b: tuple) -> bool:
    return len(a) == len(b) and all(m is None or n is None or m == n for m, n in zip(a, b))


def _define(
    name: str,
    slots: str,
    attrs: tuple[str, ...],
    flags: tuple = (),
    *,
    kernel: str = "",
    scalars: str = "learning_rate",
) -> Op:
    """Declares one update op: `attrs` are passed to the kernel as f[], `flags` (names or constants) as i[]."""
    slot_names, scalar_names = slots.split(), scalars.split()
    first_slot = 2 + len(scalar_names)

    def infer(variable: Spec, gradient: Spec, *rest: Spec, **a: Any) -> tuple[Spec, ...]:
        values = {"gradient": gradient, **dict(zip(slot_names, rest[len(scalar_names) :]))}
        if variable.dtype not in ("float32", "float64"):
            raise invalid(name, "the variable must be float32 or float64", dtype=variable.dtype)
        for what, spec in values.items():
            if not _same_shape(spec.shape, variable.shape):
                raise invalid(name, f"the {what} must have the variable's shape", variable=variable, **{what: spec})
            if spec.dtype != variable.dtype:
                raise invalid(name, f"the {what} must have the variable's dtype {variable.dtype}", dtype=spec.dtype)
        for what, spec in zip(scalar_names, rest):
            if spec.shape != ():
                raise invalid(name, f"{what} must be a scalar", **{what: spec})
            if spec.dtype not in ("float32", "float64", "int32", "uint32", "int64", "uint64"):
                raise invalid(name, f"{what} must be a number of at least 32 bits", dtype=spec.dtype)
        return (Spec(variable.shape, variable.dtype),) * (1 + len(slot_names))

    return define_op(
        name,
        inputs=" ".join(["variable", "gradient", *scalar_names, *slot_names]),
        outputs=" ".join(["new_variable", *(f"new_{s}" for s in slot_names)]),
        infer=infer,
        kernel=C(
            kernel or name,
            f=lambda specs, a: tuple(a[k] for k in attrs),
            i=lambda specs, a: tuple(int(a[k]) if isinstance(k, str) else k for k in flags),
        ),
        grad=None,
        inplace=((0, 0), *((first_slot + k, 1 + k) for k in range(len(slot_names)))),
        kind="elementwise",
    )


_sgd = _define("sgd_update", "", ("weight_decay",))
_sgd_momentum = _define("sgd_momentum_update", "momentum_slot", ("weight_decay", "momentum"), ("nesterov",))


def _define_rmsprop(name: str, slots: str, centered: bool, momentum: bool) -> Op:
    attrs = ("weight_decay", "rho", "momentum", "epsilon")
    return _define(name, slots, attrs, (centered, momentum), kernel="rmsprop_update")


_rmsprop = {  # by (centred, has momentum)
    (False, False): _define_rmsprop("rmsprop_update", "velocity", False, False),
    (False, True): _define_rmsprop("rmsprop_momentum_update", "velocity momentum_slot", False, True),
    (True, False): _define_rmsprop("rmsprop_centered_update", "velocity average_gradient", True, False),
    (True, True): _define_rmsprop(
        "rmsprop_centered_momentum_update", "velocity average_gradient momentum_slot", True, True
    ),
}


def _define_adam(name: str, slots: str, amsgrad: bool) -> Op:
    attrs = ("weight_decay", "beta_1", "beta_2", "epsilon")
    return _define(name, slots, attrs, (amsgrad,), kernel="adam_update", scalars="learning_rate iterations")


_adam = {  # by AMSGrad
    False: _define_adam("adam_update", "momentum velocity", False),
    True: _define_adam("adam_amsgrad_update", "momentum velocity velocity_hat", True),
}
_adagrad = _define("adagrad_update", "accumulator", ("weight_decay", "epsilon"))


def _step(op: Op, variable: Any, gradient: Any, scalars: Sequence, slots: Sequence, **attrs: Any) -> tuple:
    variable = as_input(variable)
    out = op(variable, cast(gradient, variable.dtype), *scalars, *slots, **attrs)
    return out if isinstance(out, tuple) else (out,)


def sgd_update(
    variable: Any,
    gradient: Any,
    learning_rate: Any,
    momentum_slot: Any = None,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple:
    """Gradient descent: w - lr g; with a momentum slot m' = momentum m - lr g and w + m', or w + momentum m' - lr g
    with Nesterov's momentum (Sutskever et al. 2013).

    Args:
        variable, gradient: of one shape.
        learning_rate: scalar.
        momentum_slot: of the variable's shape; None for plain descent.
        momentum, nesterov, weight_decay: constants, see above.

    Returns:
        (new variable,) or (new variable, new momentum slot).

    Raises:
        ValueError: where shapes differ or the variable is not float32 or float64.

    >>> from kerasish.ops.updates import sgd_update
    >>> sgd_update([1.0, 2.0], [0.5, 0.5], 0.1)[0].numpy()
    array([0.95, 1.95], dtype=float32)
    """
    if momentum_slot is None:
        return _step(_sgd, variable, gradient, (learning_rate,), (), weight_decay=weight_decay)
    return _step(
        _sgd_momentum,
        variable,
        gradient,
        (learning_rate,),
        (momentum_slot,),
        weight_decay=weight_decay,
        momentum=momentum,
        nesterov=bool(nesterov),
    )


def rmsprop_update(
    variable: Any,
    gradient: Any,
    learning_rate: Any,
    velocity: Any,
    average_gradient: Any = None,
    momentum_slot: Any = None,
    *,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple:
    """RMSprop (Hinton 2012): v' = rho v + (1 - rho) g²; the step is lr g / sqrt(v' + epsilon).

    With `average_gradient` a' = rho a + (1 - rho) g and v' - a'² + epsilon stands under the root (centred). With a
    momentum slot b' = momentum b + step is what is taken off.

    Returns:
        (new variable, new velocity, [new average gradient], [new momentum slot]).

    Raises:
        ValueError: where shapes differ or the variable is not float32 or float64.

    >>> from kerasish.ops.updates import rmsprop_update
    >>> w, v = rmsprop_update([1.0], [2.0], 0.1, [0.0], rho=0.75)
    >>> w.numpy(), v.numpy()
    (array([0.8], dtype=float32), array([1.], dtype=float32))
    """
    slots = [s for s in (velocity, average_gradient, momentum_slot) if s is not None]
    op = _rmsprop[average_gradient is not None, momentum_slot is not None]
    attrs = {"weight_decay": weight_decay, "rho": rho, "momentum": momentum, "epsilon": epsilon}
    return _step(op, variable, gradient, (learning_rate,), slots, **attrs)


def adam_update(
    variable: Any,
    gradient: Any,
    learning_rate: Any,
    iterations: Any,
    momentum: Any,
    velocity: Any,
    velocity_hat: Any = None,
    *,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple:
    """Adam in the form "just before section 2.1" of Kingma & Ba 2014 (epsilon-hat), and AMSGrad (Reddi et al. 2018).

    With t = iterations + 1: m' = m + (g - m)(1 - beta_1), v' = v + (g² - v)(1 - beta_2), u = v' or
    max(velocity_hat, v'), alpha = lr sqrt(1 - beta_2^t) / (1 - beta_1^t); the step is alpha m' / (sqrt(u) + epsilon).

    Args:
        iterations: scalar, the number of steps before this one.
        momentum, velocity: the two moments, of the variable's shape.
        velocity_hat: the running maximum of AMSGrad, or None.

    Returns:
        (new variable, new momentum, new velocity, [new velocity_hat]).

    Raises:
        ValueError: where shapes differ or the variable is not float32 or float64.

    >>> from kerasish.ops.updates import adam_update
    >>> adam_update([1.0], [0.5], 0.1, 0, [0.0], [0.0])[0].numpy().round(4)
    array([0.9], dtype=float32)
    """
    slots = [s for s in (momentum, velocity, velocity_hat) if s is not None]
    attrs = {"weight_decay": weight_decay, "beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}
    return _step(_adam[velocity_hat is not None], variable, gradient, (learning_rate, iterations), slots, **attrs)


def adagrad_update(
    variable: Any,
    gradient: Any,
    learning_rate: Any,
    accumulator: Any,
    *,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple:
    """Adagrad (Duchi et al. 2011): a' = a + g²; the step is lr g / sqrt(a' + epsilon).

    Returns:
        (new variable, new accumulator).

    Raises:
        ValueError: where shapes differ or the variable is not float32 or float64.

    >>> from kerasish.ops.updates import adagrad_update
    >>> w, a = adagrad_update([1.0], [3.0], 0.1, [7.0])
    >>> w.numpy(), a.numpy()
    (array([0.925], dtype=float32), array([16.], dtype=float32))
    """
    return _step(
        _adagrad, variable, gradient, (learning_rate,), (accumulator,), weight_decay=weight_decay, epsilon=epsilon
    )
