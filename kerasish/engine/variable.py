"""Variable: a value that changes; weights, optimizer slots, metric state, random state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .allowance import charge
from .dtype import FLOATS, standardize_dtype
from .errors import invalid
from .guard import Guard, read_one, view
from .naming import auto_name, current_path
from .op import get_op, state
from .spec import standardize_shape
from .tensor import Operators, Tensor, number, to_tensor


class _Autocast(threading.local):
    dtype: str | None = None


_autocast = _Autocast()


def autocast_dtype() -> str | None:
    """The dtype of the open autocast scope."""
    return _autocast.dtype


class AutocastScope:
    """Reads floating Variables in another dtype inside the block (a layer's compute dtype)."""

    def __init__(self, dtype: str | None):
        self.dtype = dtype

    def __enter__(self):
        self._saved, _autocast.dtype = _autocast.dtype, self.dtype
        return self

    def __exit__(self, *exc):
        _autocast.dtype = self._saved


class Variable(Operators):
    """A tensor that can be assigned to; its shape and dtype stay.

    Args:
        initializer: initial value (anything that makes a tensor), or a callable (shape, dtype) -> tensor.
        shape: needed with a callable; else taken from the value.
        dtype: dtype name; `floatx` for callables and Python numbers.
        trainable: whether tapes watch it and optimizers update it.
        autocast: whether a layer with another compute dtype reads it in that dtype.
        aggregation, synchronization: accepted for compatibility (there is one replica).
        name: by default "variable", "variable_1", ...

    Raises:
        ValueError: for a missing or unknown shape, or a value that does not fit.

    >>> import kerasish as keras
    >>> v = keras.Variable([1.0, 2.0], name="v")
    >>> v.assign_add([1.0, 1.0]).numpy()
    array([2., 3.], dtype=float32)
    """

    _guard: Guard | None = None  # of a variable that a program has
    # Identity of the value of which programs keep something that they have made: 0 where none do.
    _kept_uid = 0
    changes = 0  # how often `trainable` of any Variable has changed: programs made before do not know

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        synchronization: str = "auto",
        name: str | None = None,
        **kwargs: Any,
    ):
        if kwargs:
            raise invalid("Variable", "unknown arguments", kind=TypeError, **kwargs)
        self.name = name or auto_name("variable")
        if not isinstance(self.name, str) or "/" in self.name:
            raise invalid("Variable", "the name is a string without '/'", name=name)
        scope = current_path()
        self.path = f"{scope}/{self.name}" if scope else self.name
        self._trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.overwrite_with_gradient = False
        self.constraint: Callable | None = None
        self.regularizer: Callable | None = None
        if callable(initializer):
            if shape is None:
                raise invalid("Variable", "an initializer function needs a shape", name=self.name)
            shape = standardize_shape(shape, f"Variable {self.name!r}", unknown=False)
            dtype = standardize_dtype(dtype)
            charge(self.name, shape, dtype)
            value = initializer(shape, dtype=dtype)
            value = to_tensor(value.read() if hasattr(value, "read") else value, dtype)
            if value.shape != shape:
                raise invalid(f"Variable {self.name!r}", f"the initializer must give shape {shape}", value=value)
        else:
            value = initializer.read() if hasattr(initializer, "read") else initializer
            value = to_tensor(
                value, None if dtype is None else standardize_dtype(dtype), where=f"Variable {self.name!r}"
            )
            if shape is not None and tuple(shape) != value.shape:
                raise invalid(f"Variable {self.name!r}", f"the value must have shape {tuple(shape)}", value=value)
        self.shape = value.shape
        self.dtype = value.dtype
        if state.capture is not None:
            state.capture.refuse_variable(self.path)
        self._held = Tensor(np.array(value.data, order="C"), value.dtype)

    @property
    def trainable(self) -> bool:
        """Whether tapes watch it and optimizers update it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if self._trainable is not bool(value):
            Variable.changes += 1
        self._trainable = bool(value)

    @property
    def _value(self) -> Tensor:
        # While a step is captured, values live in the capture, and the variable keeps the one it has.
        if state.capture is not None:
            return state.capture.read(self)
        guard = self._guard
        if guard is None:
            return self._held
        seen = view.seen
        if seen is not None and id(self) in seen:
            return seen[id(self)]
        count = guard.count
        held = self._held
        return held if not count & 1 and guard.count == count else read_one(self)

    @_value.setter
    def _value(self, value: Tensor) -> None:
        if state.capture is None:
            self._held = value
            if view.seen is not None:
                view.seen.pop(id(self), None)
        else:
            state.capture.write(self, value)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def value(self) -> Tensor:
        """The current value. Assignment does not change a value that was read before."""
        return self.read()

    def read(self) -> Tensor:
        """The current value, in the dtype of the open autocast scope; tells the tapes."""
        value = self._value
        for tape in state.tapes:
            tape.on_read(self, value)
        cast = _autocast.dtype
        if cast is not None and self.autocast and cast != self.dtype and self.dtype in FLOATS:
            return get_op("cast")(value, dtype=cast)
        return value

    def assign(self, value: Any) -> Tensor:
        """Replaces the value.

        Raises:
            ValueError: for another shape; the variable is unchanged.
        """
        if isinstance(value, Variable):
            value = value._value
        if not (isinstance(value, Tensor) and value.dtype == self.dtype):
            # A caller's own array must not change the variable later.
            copied = isinstance(value, np.ndarray)
            value = to_tensor(value, self.dtype, where=f"Variable {self.path!r}")
            if copied:
                value = Tensor(value.data.copy(), value.dtype)
        if value.shape != self.shape:
            raise invalid(f"Variable {self.path!r}", f"a new value must have shape {self.shape}", value=value)
        # A new identity: a tape that saw the old value, or the tensor assigned, must not see this one as the same.
        self._value = value = value.renewed()
        return value

    def assign_add(self, value: Any) -> Tensor:
        """Adds to the value."""
        return self.assign(get_op("add")(self._value, self._same_dtype(value)))

    def assign_sub(self, value: Any) -> Tensor:
        """Subtracts from the value."""
        return self.assign(get_op("subtract")(self._value, self._same_dtype(value)))

    def _same_dtype(self, value: Any) -> Tensor:
        if value.__class__ in (int, float):
            return number(value, self.dtype)
        value = value._value if isinstance(value, Variable) else to_tensor(value, None)
        return value if value.dtype == self.dtype else to_tensor(value, self.dtype)

    def numpy(self) -> np.ndarray:
        """The value as a NumPy array; a copy."""
        return self._value.data.copy()

    def __array__(self, dtype=None, copy=None):
        return self._value.__array__(dtype, copy)

    def __dlpack__(self, **kwargs):
        return self._value.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self._value.__dlpack_device__()

    def __bool__(self):
        return bool(self._value)

    def __int__(self):
        return int(self._value)

    def __float__(self):
        return float(self._value)

    def __len__(self):
        return len(self._value)

    def __iter__(self):
        return iter(self.value)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self._value.data}>"
