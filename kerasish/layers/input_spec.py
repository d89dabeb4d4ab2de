"""InputSpec: what a layer demands of its inputs, and the check."""

from __future__ import annotations

from typing import Any

from ..engine import tree
from ..engine.dtype import standardize_dtype
from ..engine.errors import invalid
from ..engine.serialization import export
from ..engine.spec import standardize_shape


@export("keras", aliases=("keras.layers.InputSpec",))
class InputSpec:
    """Rank, shape, dtype and axis sizes that an input must have.

    Args:
        dtype: expected dtype name.
        shape: expected shape, None for free dimensions; gives the rank too.
        ndim, max_ndim, min_ndim: expected, largest and smallest rank.
        axes: dict from axis to its expected size.
        allow_last_axis_squeeze: accept a missing or additional last axis of size 1.
        name: key of the input where inputs come as a dict.
        optional: whether None may be passed.

    >>> import kerasish as keras
    >>> keras.InputSpec(min_ndim=2, axes={-1: 8})
    InputSpec(min_ndim=2, axes={-1: 8})
    """

    def __init__(
        self,
        dtype=None,
        shape=None,
        ndim=None,
        max_ndim=None,
        min_ndim=None,
        axes=None,
        allow_last_axis_squeeze=False,
        name=None,
        optional=False,
    ):
        self.dtype = standardize_dtype(dtype) if dtype is not None else None
        self.shape = standardize_shape(shape, "InputSpec") if shape is not None else None
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.name, self.optional, self.allow_last_axis_squeeze = name, optional, allow_last_axis_squeeze
        try:
            self.axes = {int(k): v for k, v in (axes or {}).items()}
        except (ValueError, TypeError):
            raise invalid("InputSpec", "axes maps integers to sizes", kind=TypeError, axes=axes) from None
        rank = self.ndim if self.ndim is not None else max_ndim
        if self.axes and rank is not None and max(self.axes) >= rank:
            raise invalid("InputSpec", f"an axis is below the rank {rank}", axes=axes)

    def __repr__(self) -> str:
        given = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        return f"InputSpec({', '.join(f'{k}={v}' for k in given if (v := getattr(self, k)))})"

    def get_config(self) -> dict:
        keys = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {k: getattr(self, k) for k in keys}

    @classmethod
    def from_config(cls, config: dict) -> InputSpec:
        return cls(**config)


def assert_input_compatibility(input_spec: Any, inputs: Any, where: str) -> None:
    """Raises ValueError, naming the layer and both sides, when inputs do not fit the spec."""
    if not input_spec:
        return
    specs = tree.flatten(input_spec)
    if isinstance(inputs, dict) and all(s.name is not None for s in specs):
        missing = [s.name for s in specs if s.name not in inputs and not s.optional]
        if missing:
            raise invalid(where, f"the inputs lack {missing}", keys=sorted(inputs))
        inputs = [inputs.get(s.name) for s in specs]
    inputs = tree.flatten(inputs)
    if len(inputs) != len(specs):
        raise invalid(where, f"{len(specs)} inputs are expected, {len(inputs)} were given", inputs=[
            tuple(getattr(x, "shape", ())) for x in inputs
        ])  # fmt: skip
    for k, (x, spec) in enumerate(zip(inputs, specs)):
        if spec is None or (x is None and spec.optional):
            continue
        what = where if len(specs) == 1 else f"{where}, input {k}"
        if x is None or not hasattr(x, "shape"):
            raise invalid(what, "an input is a tensor", input=x)
        _check(spec, x, what)


def _check(spec: InputSpec, x: Any, where: str) -> None:
    shape = tuple(x.shape)
    rank = len(shape)
    if spec.ndim is not None and rank != spec.ndim:
        squeezed = spec.allow_last_axis_squeeze and (
            (rank == spec.ndim + 1 and shape[-1] == 1) or (rank == spec.ndim - 1 and spec.shape and spec.shape[-1] == 1)
        )
        if not squeezed:
            raise invalid(where, f"expected ndim={spec.ndim}, found ndim={rank}", x=x)
    if spec.max_ndim is not None and rank > spec.max_ndim:
        raise invalid(where, f"expected max_ndim={spec.max_ndim}, found ndim={rank}", x=x)
    if spec.min_ndim is not None and rank < spec.min_ndim:
        raise invalid(where, f"expected min_ndim={spec.min_ndim}, found ndim={rank}", x=x)
    if spec.dtype is not None and x.dtype != spec.dtype:
        raise invalid(where, f"expected dtype={spec.dtype}, found dtype={x.dtype}", x=x)
    for axis, size in spec.axes.items():
        if size is not None and shape[axis] not in (size, None):
            raise invalid(where, f"expected axis {axis} of the input to have size {size}", x=x)
    if spec.shape is not None:
        expected, given = list(spec.shape), list(shape)
        if spec.allow_last_axis_squeeze:
            expected = expected[:-1] if expected and expected[-1] == 1 else expected
            given = given[:-1] if given and given[-1] == 1 else given
        if any(a is not None and b is not None and a != b for a, b in zip(expected, given)):
            raise invalid(where, f"expected shape={spec.shape}", x=x)
