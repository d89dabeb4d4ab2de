"""Bidirectional: a recurrent layer in both directions."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..engine import tree
from ..engine.errors import invalid
from ..engine.serialization import deserialize_keras_object, export, serialize_keras_object
from .layer import Layer
from .rnn import first_of, takes_training

_MERGE = {
    "concat": lambda a, b: ops.concatenate([a, b], axis=-1),
    "sum": ops.add,
    "ave": lambda a, b: ops.divide(ops.add(a, b), 2),
    "mul": ops.multiply,
    None: lambda a, b: (a, b),
}


def _copy(layer: Any, prefix: str, **changes: Any) -> Any:
    """A new layer of the same config, so that it takes over no state."""
    config = serialize_keras_object(layer)
    config["config"].update(changes, name=f"{prefix}_{layer.name.removeprefix(f'{prefix}_')}")
    return deserialize_keras_object(config)


@export("keras.layers")
class Bidirectional(Layer):
    """Runs a recurrent layer forwards and one backwards, and puts their outputs together.

    Args:
        layer: a recurrent layer: it has go_backwards, return_sequences, return_state and stateful. The layers that run
            are copies of it.
        merge_mode: "concat", "sum", "mul", "ave", or None for both outputs as a tuple.
        weights: first values of all weights: those of the forward layer, then of the backward layer.
        backward_layer: the layer for the other direction; by default a copy of `layer` with go_backwards reversed.

    Input and output are those of the layer, the last axis twice as long with "concat". With return_state the output
    comes first, then the states of both directions. `initial_state` lists the states of both.

    Raises:
        ValueError: for what is not a layer, an unknown merge mode, and layers that do not go together.

    >>> import kerasish as keras
    >>> layer = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))
    >>> layer(keras.ops.ones((2, 7, 5))).shape
    (2, 7, 6)
    """

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        if not isinstance(layer, Layer):
            raise invalid("Bidirectional", "`layer` is a layer", layer=layer)
        if backward_layer is not None and not isinstance(backward_layer, Layer):
            raise invalid("Bidirectional", "`backward_layer` is a layer", backward_layer=backward_layer)
        if merge_mode not in _MERGE:
            raise invalid(
                "Bidirectional", f"merge_mode is one of {', '.join(map(repr, _MERGE))}", merge_mode=merge_mode
            )
        for name in ("go_backwards", "return_sequences", "return_state", "stateful"):
            for given in (layer, backward_layer):
                if given is not None and not hasattr(given, name):
                    raise invalid("Bidirectional", f"a recurrent layer has the attribute `{name}`", layer=given)
        super().__init__(**kwargs)
        self.forward_layer = _copy(layer, "forward")
        self.backward_layer = backward_layer or _copy(layer, "backward", go_backwards=True)
        for each in (self.forward_layer, self.backward_layer):
            if hasattr(layer, "use_cudnn"):  # not in the config
                each.use_cudnn = layer.use_cudnn
        self._check_pair()
        for each in (self.forward_layer, self.backward_layer):
            if getattr(each, "zero_output_for_mask", None) is not None:
                each.zero_output_for_mask = each.return_sequences
        self.merge_mode = merge_mode
        self._first_weights = list(weights) if weights else None
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def _check_pair(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise invalid(
                "Bidirectional",
                "one of the layers goes backwards and the other one does not",
                forward=forward.go_backwards,
                backward=backward.go_backwards,
            )
        for name in ("stateful", "return_sequences", "return_state"):
            a, b = getattr(forward, name), getattr(backward, name)
            if a != b:
                raise invalid("Bidirectional", f"both layers have the same `{name}`", forward=a, backward=b)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        for each in (self.forward_layer, self.backward_layer):
            if not each.built:
                each.build(sequences_shape)
        if self._first_weights is not None:
            self.set_weights(self._first_weights)

    def compute_output_shape(
        self, sequences_shape: Any = None, initial_state_shape: Any = None, *, input_shape: Any = None
    ) -> Any:
        shape = self.forward_layer.compute_output_shape(first_of(sequences_shape, input_shape))
        shape, *states = shape if self.return_state else (shape,)
        shape = (*shape[:-1], 2 * shape[-1]) if self.merge_mode == "concat" else shape
        outputs = (shape, shape) if self.merge_mode is None else (shape,)
        if self.return_state:
            return (*outputs, *states, *states)
        return outputs if self.merge_mode is None else shape

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = tree.flatten(mask)[0] if self.return_sequences else None
        masks = [mask] * (2 if self.merge_mode is None else 1)
        if self.return_state:
            masks += [None] * (2 * len(tree.flatten(self.forward_layer.state_size)))
        return masks[0] if len(masks) == 1 else tuple(masks)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
        first, second = None, None
        if initial_state is not None:
            if len(initial_state) % 2:
                raise invalid(
                    f"Bidirectional {self.name!r}",
                    "initial_state has the states of the forward layer, then as many of the backward layer",
                    given=len(initial_state),
                )
            half = len(initial_state) // 2
            first, second = initial_state[:half], initial_state[half:]
        results = []
        for each, states in ((self.forward_layer, first), (self.backward_layer, second)):
            extra = {"training": training} if takes_training(each) else {}
            if "mask" in each._signature.takes:
                extra["mask"] = mask
            results.append(each(sequences, initial_state=states, **extra))
        states: tuple = ()
        if self.return_state:
            states = (*results[0][1:], *results[1][1:])
            results = [r[0] for r in results]
        a, b = (ops.cast(r, self.compute_dtype) for r in results)
        output = _MERGE[self.merge_mode](a, ops.flip(b, axis=1) if self.return_sequences else b)
        if not self.return_state:
            return output
        return (*output, *states) if self.merge_mode is None else (output, *states)

    def reset_state(self) -> None:
        """Sets the states of both layers to zeros.

        Raises:
            AttributeError: where the layers are not stateful.
        """
        if not self.stateful:
            raise invalid(
                f"Bidirectional {self.name!r}", "only a stateful layer has states", kind=AttributeError, stateful=False
            )
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    @property
    def states(self) -> tuple | None:
        """The states of both layers where they are stateful and built."""
        a, b = self.forward_layer.states, self.backward_layer.states
        return (*a, *b) if a and b else None

    def get_config(self) -> dict:
        config = {
            "merge_mode": self.merge_mode,
            "layer": serialize_keras_object(self.forward_layer),
            "backward_layer": serialize_keras_object(self.backward_layer),
        }
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> Bidirectional:
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config)
