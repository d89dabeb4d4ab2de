"""Capture: runs the Python of a step once on tensors without values, and keeps the op calls as a graph.

The step's own code runs: layers, losses, the tape with its gradient rules, the optimizer, metrics. `apply` hands every
call to the Capture instead of running it, Variables are read from and written to the Capture (and keep their real
values), and a `Traced` tensor has a shape and a dtype but no value. Python that looks at a value (a branch on data, a
conversion to NumPy) therefore cannot be captured, and says so by `NotCapturable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine import tree
from ..engine.naming import current_path
from ..engine.op import Op, execute, plan_for, state
from ..engine.spec import Spec
from ..engine.symbol import Symbol
from ..engine.tensor import Tensor, _next_uid, to_tensor
from .graph import Call, Graph, Value

MAKES_VARIABLE, BUILDS_LAYER = "the step makes the Variable", "the step builds the layer"


class NotCapturable(RuntimeError):
    """The Python of a step is not a pure function of shapes and dtypes; the text says what it does."""


class Traced(Tensor):
    """A tensor of a step that is being captured: shape and dtype, no value."""

    __slots__ = ("capture", "value")

    def __init__(self, capture: Capture, value: Value):
        self.capture, self.value = capture, value
        self.shape, self.dtype = value.spec.shape, value.spec.dtype
        self.uid = _next_uid()

    @property
    def data(self) -> Any:
        return self.capture.refuse("Python looks at the value of a tensor")

    @property
    def size(self) -> int:
        return self.value.spec.size

    def renewed(self) -> Traced:
        return Traced(self.capture, self.value)

    def cast(self, dtype: str) -> Any:
        """In another dtype."""
        from ..engine.op import get_op

        return get_op("cast")(self, dtype=dtype)

    def __array__(self, dtype=None, copy=None):
        return self.data

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return self.data

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape} dtype={self.dtype}, being captured>"

    __str__ = __repr__


class Capture:
    """Takes the place of `apply` in this thread while a step is captured.

    >>> import kerasish as keras
    >>> from kerasish.executor import capture
    >>> from kerasish.engine.spec import Spec
    >>> graph, _ = capture(lambda x: keras.ops.relu(x) * 2.0, (Spec((2, 3), "float32"),))
    >>> [call.op.name for call in graph.calls]
    ['relu', 'multiply']
    """

    def __init__(self) -> None:
        self.graph = Graph()
        self.refusal: str | None = None
        self._constants: dict[int, Value] = {}
        self._keep: list[Tensor] = []  # whose uids are in _constants
        self._variables: dict[int, list] = {}  # id -> [Variable, its first value, the tensor it holds now]
        self._first: dict[int, Tensor] = {}  # id of a Variable -> the tensor it held before the step
        self._layer_of: dict[int, str] = {}
        self.backward_of: str | None = None

    def refuse(self, what: str) -> Any:
        """Gives the capture up."""
        self.refusal = self.refusal or what
        raise NotCapturable(what)

    def traced(self, spec: Spec) -> Traced:
        """A new input of the graph."""
        value = Value(spec)
        self.graph.inputs.append(value)
        return Traced(self, value)

    def refuse_variable(self, path: str) -> None:
        """Called by a Variable that is made while a step is captured."""
        self.refuse(f"{MAKES_VARIABLE} {path!r}")

    def refuse_attribute(self, layer: Any, name: str) -> None:
        """Called by a layer whose attribute is set while a step is captured."""
        if not layer.__dict__.get("built"):
            self.refuse(f"{BUILDS_LAYER} {layer.__dict__.get('name', type(layer).__name__)!r}")
        self.refuse(f"{type(layer).__name__} sets its attribute {name!r} while it is called")

    # -- variables --------------------------------------------------------------------------------------------------

    def read(self, variable: Any) -> Tensor:
        """The tensor that a Variable holds at this point of the step."""
        entry = self._variables.get(id(variable))
        if entry is None:
            held = variable._held
            value = Value(Spec(held.shape, held.dtype), variable=variable)
            self.graph.variables.append(value)
            self._first[id(variable)] = Traced(self, value)
            entry = self._variables[id(variable)] = [variable, value, self._first[id(variable)]]
        return entry[2]

    def write(self, variable: Any, tensor: Tensor) -> None:
        """Makes a Variable hold another tensor from this point on."""
        self.read(variable)
        self._variables[id(variable)][2] = tensor

    def branches(self, select: Callable, *functions: Callable) -> list:
        """Captures functions of which a run will follow one, each from the state that there is now.

        Args:
            select: function (tensor, tensor, ...) -> the tensor of the function that is followed; used for each
                Variable that they leave with different values.
            functions: without arguments.

        Returns:
            Their results.
        """
        before = {k: entry[2] for k, entry in self._variables.items()}
        results, states = [], []
        for fn in functions:
            results.append(fn())
            states.append({k: entry[2] for k, entry in self._variables.items()})
            for k, entry in self._variables.items():
                entry[2] = before.setdefault(k, self._first[k])
        for k, entry in self._variables.items():
            after = [s.get(k, entry[2]) for s in states]
            if any(t is not entry[2] for t in after):
                entry[2] = select(*after)
        return results

    # -- calls ------------------------------------------------------------------------------------------------------

    def value_of(self, tensor: Tensor) -> Value:
        """The graph's value for a tensor; one that has a value is a constant."""
        if isinstance(tensor, Traced):
            if tensor.capture is not self:
                self.refuse("a tensor of another captured step is used")
            return tensor.value
        value = self._constants.get(tensor.uid)
        if value is None:
            value = self._constants[tensor.uid] = Value(Spec(tensor.shape, tensor.dtype), data=tensor.data)
            self._keep.append(tensor)
        return value

    def apply(self, op: Op, inputs: Sequence[Any], attrs: dict) -> Any:
        """What `engine.op.apply` does while a step is captured."""
        tensors = []
        traced = False
        for x in inputs:
            if not isinstance(x, Tensor):
                if not isinstance(x, Symbol):
                    read = getattr(x, "read", None)
                    x = read() if read is not None else to_tensor(x, where=op.name)
                if isinstance(x, Symbol):
                    state.capture = None  # a symbolic graph that the step builds is not part of the step
                    try:
                        return op(*inputs, **attrs)
                    finally:
                        state.capture = self
            traced = traced or x.__class__ is Traced
            tensors.append(x)
        plan = plan_for(op, tensors, attrs)
        if traced:
            if any(None in s.shape for s in plan.out_specs):
                self.refuse(f"the shape of the result of {op.name} depends on the data")
            call = Call(op, [self.value_of(t) for t in tensors], attrs, plan, self._layer())
            self.graph.calls.append(call)
            if op.kind == "check":
                self.graph.checks += call.outputs
            outs = [Traced(self, v) for v in call.outputs]
            if state.tapes and self.backward_of is None:
                for t in outs:
                    self._layer_of[t.uid] = call.layer
        else:
            # What depends on constants alone is a constant, and Python may look at it.
            outs = [
                Tensor(a, s.dtype) for a, s in zip(execute(op, [t.data for t in tensors], attrs, plan), plan.out_specs)
            ]
        if state.tapes and op.grad is not None:
            for tape in state.tapes:
                tape.record(op, tensors, outs, attrs)
        return outs[0] if plan.single else tuple(outs)

    def _layer(self) -> str:
        return current_path() if self.backward_of is None else self.backward_of

    def enter_backward(self, uid: int) -> None:
        """The calls that follow belong to the gradient of the call that made this tensor."""
        self.backward_of = self._layer_of.get(uid, "")

    def leave_backward(self) -> None:
        """The end of what `enter_backward` began."""
        self.backward_of = None

    def finish(self, outputs: list[Tensor]) -> Graph:
        """The graph, once the step's Python has run."""
        if self.refusal is not None:  # the step's Python has swallowed the exception
            raise NotCapturable(self.refusal)
        graph = self.graph
        graph.outputs = [self.value_of(t) for t in outputs]
        for _, first, tensor in self._variables.values():
            value = self.value_of(tensor)
            if value is not first:
                graph.updates.append((first, value))
        return graph


def capture(
    fn: Callable, args: tuple, kwargs: dict | None = None, recorder: type[Capture] = Capture
) -> tuple[Graph, Any]:
    """Captures fn called on tensors of given Specs.

    Args:
        fn: the step.
        args, kwargs: its arguments; Specs (nested) stand for tensors, everything else is passed as it is.
        recorder: the class that takes the place of `apply`.

    Returns:
        The graph, whose inputs are the Specs in flattened order, and fn's result with the positions of the graph's
        outputs in place of tensors (see `Slot`).

    Raises:
        NotCapturable: fn looks at values, makes Variables, or returns tensors of another capture.
    """
    if state.capture is not None:
        raise NotCapturable("a step is captured within another")
    c = recorder()
    args, kwargs = tree.map_structure(lambda x: c.traced(x) if isinstance(x, Spec) else x, (args, kwargs or {}))
    tapes, state.tapes = state.tapes, []
    state.capture = c
    try:
        result = fn(*args, **kwargs)
        outputs: list[Tensor] = []

        def slot(x: Any) -> Any:
            x = x.read() if hasattr(x, "read") else x
            if not isinstance(x, Tensor):
                return x
            outputs.append(x)
            return Slot(len(outputs) - 1)

        structure = tree.map_structure(slot, result)
    finally:
        state.capture = None
        state.tapes = tapes
    return c.finish(outputs), structure


class Slot:
    """Stands for output number `index` of a graph in a captured function's result."""

    __slots__ = ("index",)

    def __init__(self, index: int):
        self.index = index
