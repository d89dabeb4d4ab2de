"""Dtype policies: the dtype a layer computes in and the dtype its variables are kept in."""

from __future__ import annotations

from typing import Any

from .config import floatx
from .dtype import FLOATS, standardize_dtype
from .errors import invalid
from .serialization import deserialize_keras_object, export, serialize_keras_object
from .strings import is_strings
from .tensor import Operators, to_tensor

_global: DTypePolicy | None = None


@export("keras", aliases=("keras.dtype_policies.DTypePolicy", "keras.mixed_precision.DTypePolicy"))
class DTypePolicy:
    """The dtypes of a layer: "float32", "float64", or "mixed_float16" (computes in float16, keeps float32).

    >>> import kerasish as keras
    >>> keras.dtype_policies.DTypePolicy("mixed_float16").compute_dtype
    'float16'
    """

    def __init__(self, name: str | None = None, source_name: str | None = None):
        if name is None:
            name = floatx()
        if not isinstance(name, str):
            raise invalid("DTypePolicy", "the name of a policy is a string", kind=TypeError, name=name)
        self._name = name
        self._source_name = source_name
        if name.startswith("mixed_"):
            self._compute_dtype = standardize_dtype(name[len("mixed_") :])
            if self._compute_dtype not in ("float16", "bfloat16"):
                raise invalid("DTypePolicy", "a mixed policy is 'mixed_float16' or 'mixed_bfloat16'", name=name)
            self._variable_dtype = "float32"
        else:
            try:
                self._compute_dtype = self._variable_dtype = standardize_dtype(name)
            except ValueError:
                raise invalid(
                    "DTypePolicy", "a policy is a dtype name, 'mixed_float16' or 'mixed_bfloat16'", name=name
                ) from None

    @property
    def name(self) -> str:
        """The policy's name."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype that inputs are cast to and outputs have."""
        return self._compute_dtype

    @property
    def variable_dtype(self) -> str:
        """The dtype of variables."""
        return self._variable_dtype

    @property
    def quantization_mode(self) -> None:
        """There is no quantization."""
        return None

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """A layer's input as a tensor, floats in `dtype` when `autocast`; what is no array is left alone."""
        if not isinstance(x, Operators):
            if not hasattr(x, "__array__") or is_strings(x):
                return x
            x = to_tensor(x)
        if autocast and x.dtype in FLOATS and x.dtype != dtype:
            from .op import get_op

            return get_op("cast")(x, dtype=dtype)
        return x

    def get_config(self) -> dict:
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and self._name == other._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


@export("keras", aliases=("keras.dtype_policies.FloatDTypePolicy",))
class FloatDTypePolicy(DTypePolicy):
    """A policy of a floating dtype."""


def dtype_policy() -> DTypePolicy:
    """The policy that layers get by default.

    >>> import kerasish as keras
    >>> keras.config.dtype_policy()
    <DTypePolicy "float32">
    """
    return _global if _global is not None else DTypePolicy(floatx())


def set_dtype_policy(policy: str | DTypePolicy) -> None:
    """Sets the policy that layers get by default."""
    global _global
    _global = get(policy)


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a name, a dtype, a config or None (the default)."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(standardize_dtype(identifier))
    except ValueError:
        raise invalid(
            "dtype_policies.get", "a policy is a name, a dtype or a DTypePolicy", identifier=identifier
        ) from None


def serialize(dtype_policy: DTypePolicy) -> dict:
    """The policy's config as Keras writes it."""
    return serialize_keras_object(dtype_policy)


def deserialize(config: dict, custom_objects: dict | None = None) -> DTypePolicy:
    """The policy of a config."""
    return deserialize_keras_object(config, custom_objects=custom_objects)
