"""Compiled functions: a function of tensors, with a Program for each combination of shapes and dtypes it is given."""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .._core import core
from ..engine import tree
from ..engine.errors import invalid
from ..engine.op import state
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import Tensor, to_tensor
from ..engine.variable import Variable
from .capture import BUILDS_LAYER, MAKES_VARIABLE, NotCapturable, Slot, capture
from .graph import Graph
from .passes import BrokenGraph, run_passes
from .program import Executable, compile_graph

CAPACITY = 16  # programs that a function keeps; the one least recently used goes first
FLAVOURS = 4  # of them for one combination of shapes, with other Variables trainable
FORGIVEN = 8  # variables and layers that calls may make before the function counts as one that makes them each time


class NotCompiledWarning(UserWarning):
    """A step cannot be compiled and runs op by op: slower, with the same results."""


class _Generation:
    """Counts what makes every program stale: another instruction set."""

    number = 0

    @classmethod
    def advance(cls) -> None:
        cls.number += 1


core.on_isa_change(_Generation.advance)


class Compiled:
    """One program of a function, and how its result is put together.

    Attributes:
        executable: the Executable.
        structure: the result with Slots in place of tensors.
        version, flags: what `version()` and `flags()` of the function gave when it was captured.
    """

    def __init__(self, executable: Executable, structure: Any, version: Any, flags: Any = None):
        self.executable, self.structure, self.version, self.flags = executable, structure, version, flags
        self.generation = _Generation.number
        self._trainable = [(x.variable, x.variable.trainable) for x in executable.graph.variables]
        self._seen = Variable.changes
        self._build = _builder(structure)

    def fits(self) -> bool:
        """Whether what is trainable of its variables is what it was when they were captured."""
        if self._seen == Variable.changes:
            return True
        if any(v.trainable is not flag for v, flag in self._trainable):
            return False
        self._seen = Variable.changes
        return True

    def result(self, arrays: Sequence[np.ndarray]) -> Any:
        """The function's result for the outputs of a run."""
        return self._build(arrays)

    def run(self, inputs: Sequence[np.ndarray]) -> Any:
        """Runs the program on arrays of its Specs."""
        return self.result(self.executable.run(inputs))


def _builder(structure: Any) -> Callable[[Sequence[np.ndarray]], Any]:
    """A function that puts a result together from the outputs' arrays; plain containers without a general walk."""
    kind = structure.__class__
    if kind is Slot:
        k = structure.index
        return lambda arrays: Tensor(arrays[k])
    if kind in (tuple, list):
        parts = [_builder(x) for x in structure]
        return lambda arrays: kind([part(arrays) for part in parts])
    if kind is dict:
        items = [(key, _builder(x)) for key, x in structure.items()]
        return lambda arrays: {key: part(arrays) for key, part in items}
    if isinstance(structure, np.ndarray):
        return lambda arrays: structure.copy()  # the caller may change what he gets
    if not tree.is_nested(structure):
        return lambda arrays: structure
    return lambda arrays: tree.map_structure(lambda x: Tensor(arrays[x.index]) if isinstance(x, Slot) else x, structure)


_LEAVES = (Tensor, np.ndarray, bool, int, float, str, type(None))


def _token(x: Any) -> Any:
    """The containers of a structure as something that can be compared."""
    if isinstance(x, dict):
        keys = list(x) if type(x) is not dict else sorted(x, key=str)
        return (type(x), *((k, _token(x[k])) for k in keys))
    if isinstance(x, (list, tuple)):
        return (type(x), *map(_token, x))
    return None if not tree.is_nested(x) else (type(x), len(tree.flatten(x)))


def _tensor(x: Any) -> Any:
    """An array or NumPy's number as a tensor; what kernels have no dtype for, and anything else, as it is."""
    if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fiub" and x.dtype.itemsize <= 8:
        return to_tensor(x)
    return x


def _spec(x: Any) -> Any:
    x = _tensor(x)
    return Spec(tuple(x.shape), x.dtype) if isinstance(x, Tensor) else x


def same_graph(a: Graph, b: Graph) -> bool:
    """Whether two captures have come to the same computation, constants included."""

    def described(g: Graph) -> list:
        number: dict[int, Any] = {id(x): ("input", k) for k, x in enumerate(g.inputs)}
        number.update({id(x): ("variable", id(x.variable)) for x in g.variables})
        rows = []

        def of(x: Any) -> Any:
            return (x.spec, x.data.tobytes()) if x.data is not None else number[id(x)]

        for k, call in enumerate(g.calls):
            rows.append((call.op, [of(x) for x in call.inputs], call.attrs))
            number.update({id(x): (k, j) for j, x in enumerate(call.outputs)})
        rows.append([of(x) for x in g.outputs])
        rows.append([(number[id(v)], of(x)) for v, x in g.updates])
        return rows

    return len(a.calls) == len(b.calls) and described(a) == described(b)


def same_result(a: Any, b: Any) -> bool:
    """Whether what two captures return beside tensors is the same, as far as it is made of numbers and strings."""

    def same(x: Any, y: Any) -> bool:
        if isinstance(x, Slot):
            return isinstance(y, Slot) and x.index == y.index
        if isinstance(x, (np.ndarray, np.generic)):
            return isinstance(y, type(x)) and x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()
        if isinstance(x, (bool, int, float, str, type(None))):
            return type(x) is type(y) and (x == y or (x != x and y != y))
        return True

    a, b = tree.flatten(a), tree.flatten(b)
    return len(a) == len(b) and all(map(same, a, b))


class CompiledFunction:
    """A function that runs as a Program in C where its Python is a pure function of shapes and dtypes.

    For each combination of argument shapes, dtypes and other values, the Python runs (twice, to see that it does the
    same each time) without computing anything, the op calls it makes become a Program, and later calls run that. Where
    it looks at values of tensors or differs from one time to the next, it is called as it is, and a warning says why,
    once.

    Args:
        fn: the function.
        name: what the warning calls it.
        warmup: calls with new shapes that run as they are before a program is made.
        version: function whose result tells whether what fn reads besides its arguments has changed since.
        flags: function whose result tells the same of what is changed to and fro (`trainable`); a program for each of
            some values is kept.
        after_capture: called when a capture has ended, to drop what it has left behind.
        log: function of the captured structure -> positions of outputs that several batches log.
        watch: see `run_passes`.
        warn: whether a warning says why the function is not compiled.
        around: function that gives a context for a call that runs op by op, instead of as a program.
        told: reasons that a warning has given already, shared by functions that would have the same ones.
    """

    def __init__(
        self,
        fn: Callable,
        name: str | None = None,
        *,
        warmup: int = 0,
        version: Callable | None = None,
        flags: Callable | None = None,
        after_capture: Callable | None = None,
        log: Callable[[Any], Sequence[int]] | None = None,
        watch: Callable[[str, Graph], None] | None = None,
        told: set[str] | None = None,
        warn: bool = True,
        around: Callable[[], AbstractContextManager] | None = None,
    ):
        functools.update_wrapper(self, fn, updated=())
        self.fn = fn
        self.name = name or getattr(fn, "__name__", "function")
        self.refusal: str | None = None
        self._warmup, self._version, self._flags = warmup, version, flags
        self._after, self._log, self._watch = after_capture, log, watch
        self._told, self._warn, self._around = set() if told is None else told, warn, around
        self._programs: OrderedDict[Any, list[Compiled] | int] = OrderedDict()  # the programs, or calls so far
        self._suspect: tuple[Any, str] | None = None  # for which arguments a capture has failed, and why
        self._forgiven: set[str] = set()
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.refusal is not None or state.capture is not None or state.tapes:
            return self._as_it_is(args, kwargs)
        key, arrays = self._key(args, kwargs)
        compiled = None if key is None else self._find(key, args, kwargs)
        if compiled is None:
            suspect, self._suspect = self._suspect, None
            out = self._as_it_is(args, kwargs)
            if suspect is not None and suspect[0] == key:
                self._refuse(suspect[1])  # the arguments are in order, and it is the capture that is not
            return out
        return compiled.run(arrays)

    def _as_it_is(self, args: tuple, kwargs: dict) -> Any:
        """The function's own result, for tensors as in a program: with arrays, Python's operators would be NumPy's."""
        for x in [*args, *kwargs.values()]:
            if x.__class__ is not Tensor:
                args, kwargs = tree.map_structure(_tensor, (args, kwargs))
                break
        if self._around is None or state.capture is not None:
            return self.fn(*args, **kwargs)
        with self._around():
            return self.fn(*args, **kwargs)

    def prepare(self, *args: Any, **kwargs: Any) -> Compiled | None:
        """The program for these arguments (Specs may stand for tensors), made where there is none; None where the
        function cannot be compiled."""
        if self.refusal is not None or state.capture is not None or state.tapes:
            return None
        key, _ = self._key(args, kwargs)
        return None if key is None else self._find(key, args, kwargs, warm=True)

    @property
    def seconds(self) -> float:
        """Time that was spent in the programs which are kept."""
        kept = [c for found in self._programs.values() if isinstance(found, list) for c in found]
        return sum(c.executable.seconds for c in kept)

    def forget(self) -> None:
        """Drops all programs."""
        with self._lock:
            self._programs.clear()

    def _key(self, args: tuple, kwargs: dict) -> tuple[Any, list]:
        """What a program is found by, and the arrays that it is run on."""
        leaves = [*args, *(kwargs[k] for k in sorted(kwargs))]
        for x in leaves:
            if x.__class__ not in _LEAVES:
                leaves = tree.flatten((args, kwargs))
                key: list = [_token(args), _token(kwargs)]
                break
        else:
            key = [len(args), *sorted(kwargs)]
        arrays = []
        for x in leaves:
            if isinstance(x, Tensor):
                if hasattr(x, "_keras_mask"):
                    return None, arrays
                key.append((x.shape, x.dtype))
                arrays.append(x.data)
            elif isinstance(x, (np.ndarray, np.generic)):
                t = _tensor(x)
                if t is x:
                    return None, arrays
                key.append((t.shape, t.dtype))
                arrays.append(t.data)
            elif isinstance(x, Spec):
                key.append((x.shape, x.dtype))
            elif isinstance(x, Symbol):
                return None, arrays
            elif isinstance(x, float):
                key.append((type(x), x.hex()))  # 0.0 and -0.0 are equal and not the same; NaN is the same and not equal
            elif isinstance(x, (bool, int, str, type(None))):
                key.append((type(x), x))
            else:
                key.append(x)
        try:
            hash(key := tuple(key))
        except TypeError:
            return None, arrays
        return key, arrays

    def _find(self, key: Any, args: tuple, kwargs: dict, warm: bool = False) -> Compiled | None:
        version = None if self._version is None else self._version()
        flags = None if self._flags is None else self._flags()
        compiled = self._made(key, version, flags)
        if compiled is not None:
            return compiled
        with self._lock:
            compiled = self._made(key, version, flags)  # by a thread that had the lock before
            if compiled is not None:
                return compiled
            found = self._programs.get(key)
            seen = self._warmup if found.__class__ is list else found or 0
            if seen < self._warmup and not warm:
                self._put(key, seen + 1)
                return None
            compiled = self._compile(key, args, kwargs, version, flags)
            if compiled is not None:
                old = self._programs.get(key)
                kept = [c for c in old if c.version == version] if isinstance(old, list) else []
                self._put(key, [compiled, *[c for c in kept if c.generation == _Generation.number]][:FLAVOURS])
            return compiled

    def _made(self, key: Any, version: Any, flags: Any) -> Compiled | None:
        """The program that is there already."""
        found = self._programs.get(key)
        if found.__class__ is list:
            for compiled in found:
                if (
                    compiled.generation == _Generation.number
                    and compiled.version == version
                    and compiled.flags == flags
                    and compiled.fits()
                ):
                    if len(self._programs) > 1:
                        self._use(key)
                    return compiled
        return None

    def _use(self, key: Any) -> None:
        with contextlib.suppress(KeyError):  # another thread has put it out
            self._programs.move_to_end(key)

    def _put(self, key: Any, entry: list[Compiled] | int) -> None:
        self._programs[key] = entry
        self._programs.move_to_end(key)
        while len(self._programs) > CAPACITY:
            self._programs.popitem(last=False)

    def _compile(self, key: Any, args: tuple, kwargs: dict, version: Any, flags: Any) -> Compiled | None:
        args, kwargs = tree.map_structure(_spec, (args, kwargs))
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                graph, structure = capture(self.fn, args, kwargs)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again, other = capture(self.fn, args, kwargs)
            if not (same_graph(graph, again) and same_result(structure, other)):
                raise NotCapturable("its Python computes something else each time it is called")
            log = self._log(structure) if self._log is not None else ()
            compiled = Compiled(compile_graph(graph, self._watch, log), structure, version, flags)
        except NotCapturable as e:
            why = str(e)
            makes = why.startswith((MAKES_VARIABLE, BUILDS_LAYER))
            if not makes or why in self._forgiven or len(self._forgiven) == FORGIVEN:
                self._refuse(why)
            self._forgiven.add(why)  # what the first call makes is there for the second
            return None
        except BrokenGraph:
            raise
        except Exception as e:
            # If the arguments are wrong, the function itself says so when it is called as it is.
            self._suspect = key, f"{type(e).__name__}: {e}"
            return None
        finally:
            if self._after is not None:
                self._after()
        for w in caught:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
        return compiled

    def _refuse(self, why: str) -> None:
        self.refusal = why
        if why in self._told or not self._warn:
            return
        self._told.add(why)
        warnings.warn(
            f"{self.name} runs op by op, because it cannot be compiled: {why}. The results are the same; "
            "jit_compile=False says that this is meant.",
            NotCompiledWarning,
            stacklevel=5,
        )


def show_passes(fn: Callable, *args: Any, form: str = "text", print_fn: Callable[[str], Any] | None = print) -> list:
    """Captures a function and shows its graph before the first pass and after each one that has changed it.

    Args:
        fn: the function, such as `model.train_step`.
        args: its arguments; arrays, tensors or Specs.
        form: "text" or "dot" (the language of Graphviz).
        print_fn: called with a headline and each graph; None prints nothing.

    Returns:
        Pairs (name of the pass, graph), beginning with "capture".

    Raises:
        ValueError: for another form.
        NotCapturable: where the function cannot be captured.

    >>> import kerasish as keras
    >>> from kerasish.engine.spec import Spec
    >>> from kerasish.executor import show_passes
    >>> shown = show_passes(lambda x: keras.ops.exp(x * 1.0), Spec((2,), "float32"), print_fn=None)
    >>> [name for name, _ in shown]
    ['capture', 'simplify']
    """
    if form not in ("text", "dot"):
        raise invalid("show_passes", 'form is "text" or "dot"', form=form)
    shown: list[tuple[str, str]] = []

    def watch(name: str, graph: Graph) -> None:
        now = graph.text() if form == "text" else graph.dot()
        if not shown or graph.text() != last[0]:
            shown.append((name, now))
        last[0] = graph.text()

    last = [""]

    graph, _ = capture(fn, tree.map_structure(_spec, args))
    run_passes(graph, watch)
    for name, now in shown if print_fn is not None else ():
        print_fn(f"-- {name}\n{now}\n")
    return shown


def function(fn: Callable | None = None, *, jit_compile: bool = True) -> Any:
    """Compiles a function of tensors: a step of a custom training loop runs as one Program in C.

    The function may use layers, models, losses, `GradientTape`, optimizers, metrics and ops; Variables that it reads
    and assigns are those of the program. Python in it runs when a program is made, once for each combination of
    shapes and dtypes, so it must not depend on values; a function that does runs as it is, with a warning.

    Args:
        fn: the function; without it, a decorator.
        jit_compile: False leaves the function as it is.

    Returns:
        A function with the same arguments and results.

    >>> import kerasish as keras
    >>> w = keras.Variable([1.0, 2.0])
    >>> @keras.function
    ... def step(x):
    ...     with keras.GradientTape() as tape:
    ...         loss = keras.ops.sum(keras.ops.square(w - x))
    ...     w.assign_sub(0.25 * tape.gradient(loss, w))
    ...     return loss
    >>> float(step(keras.ops.zeros((2,)))), float(step(keras.ops.zeros((2,))))
    (5.0, 1.25)
    """
    if fn is None:
        return lambda f: function(f, jit_compile=jit_compile)
    return CompiledFunction(fn) if jit_compile else fn
