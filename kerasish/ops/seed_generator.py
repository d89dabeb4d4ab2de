"""Seeds of random ops: the state that SeedGenerator keeps, the global one, and what a `seed` argument may be."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np

from ..engine.errors import invalid
from ..engine.naming import auto_name, name_scope
from ..engine.op import C, define_op
from ..engine.registry import export
from ..engine.spec import Spec
from ..engine.tensor import Operators, to_tensor
from ..engine.variable import Variable

__all__ = ["SeedGenerator", "draw_seed", "global_seed_generator", "make_default_seed", "reset_global_seed_generator"]


def check_seed(name: str, seed: Spec) -> None:
    """Raises where an op's seed input is not a key of the generator."""
    if seed.ndim != 1 or seed.shape[0] not in (2, None) or seed.dtype != "uint32":
        raise invalid(name, "the seed must have shape (2,) and dtype uint32", seed=seed, dtype=seed.dtype)


def _next_seed_infer(seed: Spec) -> Spec:
    check_seed("next_seed", seed)
    return Spec((2,), "uint32")


next_seed_op = define_op("next_seed", inputs="seed", infer=_next_seed_infer, kernel=C("next_seed"), grad=None)


def make_default_seed() -> int:
    """A seed from Python's `random`, which `keras.utils.set_random_seed` makes repeatable.

    >>> from kerasish.random import make_default_seed
    >>> 1 <= make_default_seed() <= 10**9
    True
    """
    return python_random.randint(1, int(1e9))


def _as_int(where: str, seed: Any) -> int:
    """A seed in [0, 2^32) as a Python int."""
    try:
        value = seed.__index__()
    except (AttributeError, TypeError):
        raise invalid(where, "the seed must be an integer, a SeedGenerator or None", seed=seed) from None
    if not 0 <= value < 2**32:
        raise invalid(where, "the seed must be in [0, 2**32)", seed=value)
    return value


@export("keras.random")
class SeedGenerator:
    """A source of seeds: each random call that gets it as `seed` draws the next one.

    A random function with an integer seed gives the same values at every call; with a SeedGenerator it gives new
    values each time, and the same sequence again from the same initial seed.

    Args:
        seed: initial seed, an integer in [0, 2**32); None takes one from Python's `random`.
        name: by default "seed_generator", "seed_generator_1", ...

    Attributes:
        state: Variable of shape (2,) and dtype uint32: the initial seed, and how many seeds have been drawn.

    Raises:
        ValueError: where the seed is not such an integer.

    >>> import kerasish as keras
    >>> generator = keras.random.SeedGenerator(seed=42)
    >>> a = keras.random.normal((2, 3), seed=generator)
    >>> b = keras.random.normal((2, 3), seed=generator)
    >>> bool((a.numpy() == b.numpy()).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any):
        kwargs.pop("backend", None)  # there is one
        if kwargs:
            raise invalid("SeedGenerator", "unknown arguments", kind=TypeError, **kwargs)
        self.name = auto_name("seed_generator") if name is None else name
        self._initial_seed = seed
        start = _as_int("SeedGenerator", make_default_seed() if seed is None else seed)
        with name_scope(self.name):
            self.state = Variable(
                np.array([start, 0], "uint32"), trainable=False, autocast=False, name="seed_generator_state"
            )

    def next(self, ordered: bool = True) -> Any:
        """The current seed, a tensor of shape (2,); the state moves on.

        Args:
            ordered: accepted for compatibility: every seed is followed by the one that counts one higher.
        """
        value = self.state.value
        self.state.assign(next_seed_op(value))
        return value

    def get_config(self) -> dict[str, Any]:
        """The initial seed (None where it was drawn) and the name."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


class _Global:
    generator: SeedGenerator | None = None


def global_seed_generator() -> SeedGenerator:
    """The generator that random functions draw from where `seed` is None."""
    if _Global.generator is None:
        _Global.generator = SeedGenerator(name="global_seed_generator")
    return _Global.generator


def reset_global_seed_generator() -> None:
    """Forgets the global generator: the next use makes one from Python's `random`."""
    _Global.generator = None


def global_seed_state() -> np.ndarray | None:
    """The state of the global generator, or None while nothing has used it."""
    return None if _Global.generator is None else _Global.generator.state.numpy()


def set_global_seed_state(state: Any) -> None:
    """Puts the global generator where it was."""
    if state is None:
        reset_global_seed_generator()
    else:
        global_seed_generator().state.assign(np.asarray(state, "uint32"))


def draw_seed(seed: Any) -> Any:
    """The seed input of a random op from a user's `seed`: an integer, a SeedGenerator (which moves on) or None.

    A tensor is taken for a seed that was drawn before.

    Raises:
        ValueError: for anything else.

    >>> from kerasish.random import draw_seed
    >>> draw_seed(7).numpy()
    array([7, 0], dtype=uint32)
    """
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return global_seed_generator().next()
    if isinstance(seed, Operators) and tuple(seed.shape) != ():
        return seed
    return to_tensor(np.array([_as_int("random", seed), 0], "uint32"))
