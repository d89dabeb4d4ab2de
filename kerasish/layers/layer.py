"""Layer: the base class of all layers and models."""

from __future__ import annotations

import functools
import inspect
import warnings
from contextlib import nullcontext
from typing import Any

from .. import regularizers
from ..engine import dtype_policy as policies
from ..engine import tree
from ..engine.dtype import FLOATS, is_float_dtype
from ..engine.errors import invalid, name_layer
from ..engine.naming import current_path, name_scope
from ..engine.operation import Operation, infer_spec
from ..engine.serialization import export
from ..engine.strings import is_strings
from ..engine.symbol import Symbol, any_symbols
from ..engine.tensor import Tensor
from ..engine.variable import AutocastScope, autocast_dtype
from .call import CallSignature, context, get_mask, is_tensor_like, set_mask, shapes_for_build, tensor_arguments
from .input_spec import assert_input_compatibility
from .state import LayerState
from .undo import undo_builds


def _wrap_build(build: Any) -> Any:
    """Around every `build`: the name scope, what was built, and the lock on state afterwards."""
    signature = inspect.signature(build)

    @functools.wraps(build)
    def wrapper(self, *args: Any, **kwargs: Any) -> None:
        if self._building:  # super().build(...)
            build(self, *args, **kwargs)
            return
        self._check_super_called()
        arguments = dict(signature.bind(self, *args, **kwargs).arguments)
        arguments.pop("self", None)
        self._check_build_shape(arguments)
        with nullcontext() if self.built else undo_builds(self):
            self._building = True
            try:
                with self._open_name_scope():
                    self._path = current_path()
                    build(self, *args, **kwargs)
            finally:
                self._building = False
            self._build_shapes_dict = arguments
            self.built = True
            self._lock_state()

    wrapper._original_signature = signature
    return wrapper


@export("keras", aliases=("keras.layers.Layer",))
class Layer(LayerState, Operation):
    """A computation with state: what models are made of.

    A subclass makes its weights in `build(input_shape)` (or in the constructor) and computes in `call(inputs, ...)`.
    `call` may take `training` and `mask`. Calling the layer on a symbol makes a node of a graph; on values it computes.

    Args:
        activity_regularizer: regularizer of the outputs; its loss is divided by the batch size.
        trainable: whether the weights are trained.
        dtype: dtype name or policy; `floatx` by default.
        autocast: whether floating inputs are cast to the compute dtype.
        name: made from the class name by default.

    Raises:
        ValueError: for unknown arguments.

    Example:

    >>> import kerasish as keras
    >>> class Scale(keras.Layer):
    ...     def build(self, input_shape):
    ...         self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, inputs):
    ...         return inputs * self.scale
    >>> Scale()(keras.ops.ones((2, 3))).shape
    (2, 3)
    """

    _building = False
    _build_signature: inspect.Signature
    _signature: CallSignature
    _build_overridden = False
    _mask_overridden = False
    _shape_overridden = False
    _spec_overridden = False

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _wrap_build(cls.build)
            cls._build_overridden = True
        if "call" in cls.__dict__:
            unbound = inspect.signature(cls.call)
            cls._signature = CallSignature(unbound.replace(parameters=list(unbound.parameters.values())[1:]))
        cls._mask_overridden |= "compute_mask" in cls.__dict__
        cls._shape_overridden |= "compute_output_shape" in cls.__dict__
        cls._spec_overridden |= "compute_output_spec" in cls.__dict__

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        Operation.__init__(self, name=name)
        input_dim = kwargs.pop("input_dim", None)
        input_shape = (input_dim,) if input_dim is not None else kwargs.pop("input_shape", None)
        if input_shape is not None:
            # Old style; Sequential reads it from its first layer.
            warnings.warn(
                f"{type(self).__name__}: pass an Input(shape) object to the model instead of input_shape/input_dim.",
                stacklevel=2,
            )
            self._input_shape_arg = input_shape
        if kwargs:
            raise invalid(type(self).__name__, "unrecognized keyword arguments", **kwargs)
        if not isinstance(trainable, bool):
            raise invalid(type(self).__name__, "trainable is True or False", trainable=trainable)
        self._dtype_policy = policies.get(dtype)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.autocast = autocast
        self.built = False
        self.input_spec = None
        self.supports_jit = True
        self._trainable = trainable
        self._path: str | None = None
        self._losses: list = []
        self._supports_masking = self._mask_overridden
        self._convert_input_args = True
        self._allow_non_tensor_positional_args = False
        self._build_shapes_dict: dict | None = None
        self._initialize_tracker()

    @staticmethod
    def _saving_reference() -> Layer:
        """A layer whose attributes are those that every layer has: saving looks for parts among the others."""
        return Layer(name="reference")

    # -- building ---------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Makes the weights; called once, before the first call, with the shape (or shapes) of the inputs."""
        self._check_super_called()
        if self._has_unbuilt_sublayers():
            try:
                with undo_builds(self), self._open_name_scope():
                    symbols = tree.map_shape_structure(lambda s: Symbol(s, self._symbol_dtype()), input_shape)
                    infer_spec(self.call, symbols)
            except Exception as e:
                raise invalid(
                    f"{type(self).__name__} {self.name!r}",
                    f"the layer has sub-layers that are not built, and tracing its call fails ({e}); define build() "
                    "or call the layer on data",
                    input_shape=input_shape,
                ) from e
        self.built = True
        self._build_shapes_dict = {"input_shape": input_shape}
        if self._path is None:
            with self._open_name_scope():
                self._path = current_path()

    def _check_build_shape(self, arguments: dict[str, Any]) -> None:
        """Refuses a shape for `build` that is none, or that the layer's `input_spec` does not admit."""
        if self.input_spec is None or "input_shape" not in arguments:
            return
        shape = arguments["input_shape"]
        where = f"{type(self).__name__} {self.name!r}"
        sizes = [d.__index__() if hasattr(d, "__index__") else d for d in tree.flatten(shape)]
        if not tree.is_nested(shape) or any(not (d is None or (isinstance(d, int) and d >= 0)) for d in sizes):
            raise invalid(where, "build takes the shape of the input: a tuple of sizes and None", input_shape=shape)
        self._assert_input_compatibility(tree.map_shape_structure(lambda s: Symbol(s, self._symbol_dtype()), shape))

    def _symbol_dtype(self) -> str:
        return self.input_dtype if is_float_dtype(self.input_dtype) else "float32"

    def _has_unbuilt_sublayers(self) -> bool:
        return any(not layer.built for layer in self._layers)

    def _open_name_scope(self) -> name_scope:
        return name_scope(self.name, caller=self)

    def _lock_state(self) -> None:
        self._tracker.locked = (
            f"{type(self).__name__} {self.name!r} is built: variables and sub-layers can no longer be added. Make them "
            "in __init__() or in build()."
        )

    def _maybe_build(self, bound: dict[str, Any]) -> None:
        if self.built:
            return
        where = f"{type(self).__name__} {self.name!r}"
        if self._build_overridden:
            shapes = shapes_for_build(type(self).build._original_signature, tensor_arguments(bound), where)
            self.build(**shapes)
            self._assert_input_compatibility(next(iter(bound.values()), None))
            return
        with self._open_name_scope():
            self._path = current_path()
            if self._has_unbuilt_sublayers() and any_symbols(list(bound.values())):
                try:
                    infer_spec(self.call, **bound)
                except Exception as e:
                    warnings.warn(
                        f"{where} has sub-layers that are not built, and its call cannot be traced to build them: {e}. "
                        "Define build(), or call the layer on data first.",
                        stacklevel=3,
                    )
        tensors = tensor_arguments(bound)
        first = next(iter(tensors.values()), None)
        shape = None if first is None else tree.map_structure(lambda t: tuple(t.shape), first)
        self._build_shapes_dict = {"input_shape": shape}
        self.built = True

    def get_build_config(self) -> dict | None:
        """The shapes that the layer was built with, for `build_from_config`."""
        shapes = self._build_shapes_dict
        if shapes is None:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict) -> None:
        """Builds the layer with the shapes of `get_build_config`."""
        if config:
            if "input_shape" in config:
                self.build(_tuples(config["input_shape"]))
            elif "shapes_dict" in config:
                self.build(**{k: _tuples(v) for k, v in config["shapes_dict"].items()})

    # -- calling ----------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_super_called()
        if self.built:
            return self._call(args, kwargs)
        with undo_builds(self):
            return self._call(args, kwargs)

    def _call(self, args: tuple, kwargs: dict) -> Any:
        signature = self._signature
        convert = self._convert_input_args and not (
            not kwargs
            and len(args) == 1
            and (args[0].__class__ is Tensor or args[0].__class__ is Symbol)
            and args[0].dtype == self.input_dtype
        )
        given_args, given_kwargs = args, kwargs
        if convert:
            args, kwargs = tree.map_structure(self._convert, (args, kwargs))
        if not self._allow_non_tensor_positional_args:
            for x in args if len(args) == 1 and is_tensor_like(args[0]) else tree.flatten(args):
                if x is not None and not is_tensor_like(x) and not is_strings(x):
                    raise invalid(
                        f"{type(self).__name__} {self.name!r}",
                        "only tensors may be passed as positional arguments; pass this one by keyword",
                        argument=x,
                        type=type(x).__name__,
                    )
        training = kwargs.get("training") if kwargs else None
        if "training" in kwargs and "training" not in signature.named and not signature.varkw:
            # A call without this argument hands the flag on to the layers inside.
            kwargs = {k: v for k, v in kwargs.items() if k != "training"}
        bound = signature.bind(args, kwargs, f"{type(self).__name__} {self.name!r}")
        first = bound.get(signature.first) if signature.first is not None else next(iter(bound.values()), None)
        if self.input_spec is not None:
            self._assert_input_compatibility(first)
        builds_itself = not self.built and not self._build_overridden
        if not self.built:
            self._maybe_build(bound)

        outermost = context.depth == 0
        outer_training = context.training
        if outermost:
            self._clear_losses()
        training = bound.get("training", training)
        if training is None:
            training = outer_training if outer_training is not None else signature.defaults.get("training")
        extra = {}
        if training is not None and "training" in signature.takes and bound.get("training") is None:
            extra["training"] = training
        previous_mask = self._fill_masks(signature, bound, first, extra)
        if extra:
            # An argument given positionally as None must not come twice.
            args, kwargs = self._merge(signature, args, kwargs, extra)
        symbolic = any_symbols(args, kwargs) if (args or kwargs) else False
        context.depth += 1
        context.training = training
        try:
            with self._open_name_scope():
                if self.compute_dtype != self.variable_dtype or autocast_dtype() is not None:
                    cast = self.compute_dtype if self.autocast and self.compute_dtype in FLOATS else None
                    with AutocastScope(cast):
                        outputs = self._run(symbolic, args, kwargs)
                else:
                    outputs = self._run(symbolic, args, kwargs)
                self.built = True
                if builds_itself:
                    self._lock_state()  # what `call` made is all there is
                if self.activity_regularizer is not None and not symbolic:
                    self._add_activity_loss(outputs)
            if previous_mask is not None or self._mask_overridden:
                self._propagate_mask(first, outputs, previous_mask)
        except (ValueError, TypeError) as e:
            name_layer(e, f"{type(self).__name__} {self.name!r}")
            raise
        finally:
            context.depth -= 1
            context.training = outer_training
        if symbolic:
            masks = [get_mask(x) for x in tree.flatten(outputs)]
            outputs = self.record(given_args, given_kwargs, outputs)
            for x, m in zip(tree.flatten(outputs), masks):
                if m is not None:
                    set_mask(x, m)
        return outputs

    def _run(self, symbolic: bool, args: tuple, kwargs: dict) -> Any:
        return self.symbolic_call(*args, **kwargs) if symbolic else self.call(*args, **kwargs)

    @staticmethod
    def _merge(signature: CallSignature, args: tuple, kwargs: dict, extra: dict) -> tuple[tuple, dict]:
        args = list(args)
        kwargs = dict(kwargs)
        for name, value in extra.items():
            position = signature.names.index(name) if name in signature.names else len(args)
            if position < len(args):
                args[position] = value
            else:
                kwargs[name] = value
        return tuple(args), kwargs

    def _convert(self, x: Any) -> Any:
        y = self._dtype_policy.convert_input(x, self.autocast, self.input_dtype)
        if y is not x:
            mask = get_mask(x)
            if mask is not None:
                set_mask(y, mask)
        return y

    def _fill_masks(self, signature: CallSignature, bound: dict, first: Any, extra: dict) -> Any:
        """Puts masks that inputs carry into `extra`; returns the first input's mask, None where there is none."""
        if is_tensor_like(first):
            previous = get_mask(first)
        else:
            previous = tree.map_structure(get_mask, first) if first is not None else None
            if all(m is None for m in tree.flatten(previous)):
                previous = None
        if bound.get("mask") is not None:
            return bound["mask"]
        if "mask" not in signature.takes and not any(n.endswith("_mask") for n in signature.names):
            return previous
        tensors = tensor_arguments(bound)
        if len(tensors) == 1:
            if "mask" in signature.takes:
                masks = tree.map_structure(get_mask, next(iter(tensors.values())))
                if any(m is not None for m in tree.flatten(masks)):
                    extra["mask"] = masks
        else:
            for name, value in tensors.items():
                key = f"{name}_mask"
                if key in signature.takes and bound.get(key) is None:
                    masks = tree.map_structure(get_mask, value)
                    if any(m is not None for m in tree.flatten(masks)):
                        extra[key] = masks
        return previous

    def _propagate_mask(self, first: Any, outputs: Any, previous: Any) -> None:
        flat = [x for x in tree.flatten(outputs) if is_tensor_like(x)]
        if not self.supports_masking:
            if previous is not None:
                warnings.warn(
                    f"{type(self).__name__} {self.name!r} was passed an input with a mask, does not support masking, "
                    "and so drops the mask: later layers will not see it.",
                    stacklevel=4,
                )
            return
        if all(get_mask(x) is not None for x in flat):
            return
        if previous is None and first is not None and not is_tensor_like(first):
            previous = tree.map_structure(lambda x: None, first)
        masks = self.compute_mask(first, previous)
        if masks is None:
            return
        inputs = {id(x) for x in tree.flatten(first)}
        for x, mask in zip(flat, tree.flatten(masks)):
            if mask is not None and get_mask(x) is None and id(x) not in inputs:
                set_mask(x, mask)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define `call`.")

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the outputs; by default that of the inputs."""
        return previous_mask

    @property
    def supports_masking(self) -> bool:
        """Whether masks of the inputs are handed on."""
        return self._supports_masking

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        self._supports_masking = value

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape (or shapes) of the outputs for the shape (or shapes) of the inputs; nothing is computed."""

        def symbols(shape: Any) -> Any:
            return tree.map_shape_structure(lambda s: Symbol(s, self._symbol_dtype()), shape)

        if "input_shape" in kwargs:  # Keras's name for the first, whatever `call` calls it
            args = (kwargs.pop("input_shape"), *args)
        inputs = [symbols(a) for a in args]
        named = {k.removesuffix("_shape"): symbols(v) for k, v in kwargs.items()}
        layer = self
        if self._build_overridden and not self.built:
            # The shapes follow from tracing the call, which needs weights: those of a copy that is thrown away.
            layer = type(self).from_config(self.get_config())
            layer._maybe_build(self._signature.bind(tuple(inputs), named, type(self).__name__))
        out = layer.compute_output_spec(*inputs, **named)
        return tree.map_structure(lambda x: tuple(x.shape), out)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbols with the outputs' shapes and dtypes, from `compute_output_shape` or by tracing `call`."""
        if not self._shape_overridden:
            return super().compute_output_spec(*args, **kwargs)
        bound = self._signature.bind(args, kwargs, f"{type(self).__name__} {self.name!r}")
        signature = inspect.signature(self.compute_output_shape)
        tensors = tensor_arguments(bound)
        shapes = shapes_for_build(signature, tensors, f"{type(self).__name__} {self.name!r}")
        out = self.compute_output_shape(**shapes)
        return tree.map_shape_structure(lambda s: Symbol(s, self.compute_dtype), out)

    def stateless_call(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> tuple:
        """Calls the layer with the given variable values and leaves its own as they were.

        Returns:
            (outputs, new values of the non-trainable variables), and the losses with `return_losses`.
        """
        where = f"{type(self).__name__}.stateless_call"
        if not self.built:
            raise invalid(where, "the layer must be built", name=self.name)
        groups = []
        for what, mine, given in (
            ("trainable_variables", self.trainable_variables, trainable_variables),
            ("non_trainable_variables", self.non_trainable_variables, non_trainable_variables),
        ):
            if len(mine) != len(given):
                raise invalid(where, f"{what} has {len(mine)} entries", given=len(given))
            groups += zip(mine, given)
        saved = [(v, v._value) for v, _ in groups]
        try:
            for v, value in groups:
                v.assign(value)
            outputs = self(*args, **kwargs)
            losses = self.losses if return_losses else None
            state = [v._value for v in self.non_trainable_variables]
        finally:
            for v, value in saved:
                v._value = value
        return (outputs, state, losses) if return_losses else (outputs, state)

    # -- checks and names -------------------------------------------------------------------------------------------

    def _assert_input_compatibility(self, first: Any) -> None:
        if self.input_spec:
            assert_input_compatibility(self.input_spec, first, f"{type(self).__name__} {self.name!r}")

    def _check_super_called(self) -> None:
        if "_inbound_nodes" not in self.__dict__:
            raise RuntimeError(f"{type(self).__name__}: call super().__init__() first in __init__().")

    @property
    def path(self) -> str | None:
        """The layer's path among name scopes, once it is built."""
        return self._path

    @property
    def dtype_policy(self) -> policies.DTypePolicy:
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._dtype_policy = policies.get(value)

    @property
    def dtype(self) -> str:
        """The dtype of the variables."""
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype of the computation."""
        return self._dtype_policy.compute_dtype

    @property
    def input_dtype(self) -> str:
        """The dtype that floating inputs are cast to."""
        return self._dtype_policy.compute_dtype

    @property
    def quantization_mode(self) -> None:
        return None

    def get_config(self) -> dict:
        """What the constructor needs to make the same layer; plain values and serialized objects."""
        config = {"name": self.name, "trainable": self.trainable, "dtype": policies.serialize(self._dtype_policy)}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        cls = type(self)
        if cls.get_config is Layer.get_config and cls.__init__ is not Layer.__init__:
            # No get_config of its own: the constructor's arguments, where they are plain values.
            args, kwargs = self._init_arguments
            names = [n for n in list(inspect.signature(cls.__init__).parameters)[1:] if n not in ("args", "kwargs")]
            given = {**dict(zip(names, args)), **kwargs}
            plain = (str, int, float, bool, type(None))
            if any(not isinstance(v, plain) for k, v in given.items() if k != "dtype" for v in tree.flatten(v)):
                raise NotImplementedError(
                    f"{cls.__name__}: a layer whose constructor takes more than plain values defines get_config(). "
                    f"Received: {sorted(given)}"
                )
            accepts_base = "kwargs" in inspect.signature(cls.__init__).parameters
            given.pop("dtype", None)
            config = {**(config if accepts_base else {k: v for k, v in config.items() if k in names}), **given}
        return config

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    __str__ = __repr__


Layer._signature = CallSignature(
    inspect.Signature([inspect.Parameter("inputs", inspect.Parameter.POSITIONAL_OR_KEYWORD)])
)


def _tuples(shape: Any) -> Any:
    """Shapes as JSON brings them (lists) back as tuples."""
    if isinstance(shape, dict):
        return {k: _tuples(v) for k, v in shape.items()}
    if isinstance(shape, (list, tuple)):
        if all(isinstance(d, int) or d is None for d in shape):
            return tuple(shape)
        return [_tuples(s) for s in shape] if isinstance(shape, list) else tuple(_tuples(s) for s in shape)
    return shape
