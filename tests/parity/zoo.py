"""Models to exchange with Keras: one for every layer, and some made of several. `K` is the package, ours or Keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contracts.layer_cases import IN_KERAS


@dataclass(eq=False)
class Exchange:
    """A model to build in either package.

    Attributes:
        name: what it shows.
        build: K -> model, built.
        inputs: what it is called on.
        target: shape of the targets of a training step, or None where none is compared.
        compile: K -> keyword arguments of `compile`; by default SGD with a squared error.
    """

    name: str
    build: Callable[[Any], Any]
    inputs: Any
    target: Any = None
    compile: Callable[[Any], dict] | None = None

    def __repr__(self) -> str:
        return self.name.replace(" ", "_")


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).uniform(-1, 1, shape).astype("float32")


def _layer_model(case: Any) -> Callable[[Any], Any]:
    def build(K: Any) -> Any:
        dtype = "int32" if case.integers else "float32"
        inputs = [K.Input(batch_shape=(None, *shape[1:]), dtype=dtype) for shape in case.shapes]
        outputs = case.call(case.make(K.layers), inputs[0] if len(inputs) == 1 else inputs)
        return K.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)

    return build


LAYERS = [Exchange(f"layer {case.name}", _layer_model(case), case.inputs()) for case in IN_KERAS]


def _mlp(K: Any) -> Any:
    L = K.layers
    return K.Sequential([K.Input((5,)), L.Dense(7, activation="tanh"), L.Dense(3)])


def _convnet(K: Any) -> Any:
    L = K.layers
    return K.Sequential(
        [
            K.Input((8, 8, 2)),
            L.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            L.BatchNormalization(),
            L.MaxPooling2D(2),
            L.SeparableConv2D(3, 2),
            L.GlobalAveragePooling2D(),
            L.Dense(3, activation="softmax", kernel_constraint="max_norm"),
        ]
    )


def _nested(K: Any) -> Any:
    L = K.layers
    inner = K.Sequential([K.Input((4,)), L.Dense(6, activation="relu"), L.Dense(4)], name="inner")
    x = K.Input((4,), name="given")
    middle = K.Model(x, L.Add()([x, inner(x)]), name="middle")
    y = K.Input((4,))
    return K.Model(y, L.Dense(2)(middle(middle(y))))


def _shared(K: Any) -> Any:
    L = K.layers
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    body, norm = L.Dense(5, activation="gelu"), L.LayerNormalization()
    return K.Model([a, b], L.Concatenate()([norm(body(a)), norm(body(b)), L.Dot(axes=-1)([a, b])]))


def _heads(K: Any) -> Any:
    L = K.layers
    a, b = K.Input((4,), name="a"), K.Input((3,), dtype="int32", name="b")
    x = L.Concatenate()([L.Dense(6, activation="relu")(a), L.Flatten()(L.Embedding(9, 2)(b))])
    return K.Model({"a": a, "b": b}, {"p": L.Dense(2, name="p")(x), "q": L.Dense(3, activation="softmax", name="q")(x)})


def _ops(K: Any) -> Any:
    ops, L = K.ops, K.layers
    x = K.Input((6, 4))
    y = ops.relu(x[:, 1:, ::2] * 2.0 + 1.0) - ops.mean(x[:, 1:, ::2], axis=-1, keepdims=True)
    z = ops.concatenate([y, ops.sigmoid(y)], axis=-1)
    scores = ops.softmax(ops.matmul(z, ops.transpose(z, (0, 2, 1))) / 2.0, axis=-1)
    mixed = ops.einsum("bij,bjk->bik", scores, z)
    top, _ = ops.top_k(ops.reshape(mixed, (-1, 20)), 3)
    return K.Model(x, [L.Dense(2)(ops.where(top > 0, top, ops.exp(top))), ops.max(mixed, axis=(1, 2))])


def _residual(K: Any) -> Any:
    L = K.layers
    x = K.Input((8, 8, 3))
    y = L.Conv2D(4, 1)(x)
    for _ in range(2):
        z = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(y)))
        y = y + L.Conv2D(4, 3, padding="same")(z)
    return K.Model(x, L.Dense(2)(L.GlobalMaxPooling2D()(y)))


def _depthwise(K: Any) -> Any:
    L = K.layers
    return K.Sequential(
        [
            K.Input((12, 12, 3)),
            L.Rescaling(1 / 2, offset=-0.5),
            L.ZeroPadding2D(1),
            L.DepthwiseConv2D(3, strides=2),
            L.GroupNormalization(groups=3),
            L.Conv2DTranspose(4, 3, strides=2, padding="same"),
            L.UpSampling2D(2),
            L.Cropping2D(1),
            L.AveragePooling2D(3),
            L.Flatten(),
            L.Dropout(0.0),
            L.Dense(2),
        ]
    )


def _frozen(K: Any) -> Any:
    model = _convnet(K)
    model.layers[0].trainable = False
    model.layers[1].trainable = False
    return model


def _activations(K: Any) -> Any:
    L = K.layers
    names = [
        "elu",
        "selu",
        "softplus",
        "softsign",
        "silu",
        "hard_sigmoid",
        "leaky_relu",
        "mish",
        "exponential",
        "relu6",
    ]
    layers = [L.Dense(4, activation=name, kernel_initializer="he_normal") for name in names]
    return K.Sequential([K.Input((4,)), *layers, L.PReLU(), L.Activation("log_softmax")])


def _initializers(K: Any) -> Any:
    L, I = K.layers, K.initializers
    return K.Sequential(
        [
            K.Input((6,)),
            L.Dense(6, kernel_initializer=I.Orthogonal(seed=1), bias_initializer=I.Constant(0.1)),
            L.Dense(6, kernel_initializer=I.VarianceScaling(2.0, "fan_avg", "uniform"), activity_regularizer="l2"),
            L.Dense(2, kernel_regularizer=K.regularizers.L1L2(0.01, 0.02), kernel_constraint=K.constraints.UnitNorm()),
        ]
    )


def _batch_of_one_dimension(K: Any) -> Any:
    L = K.layers
    return K.Sequential(
        [K.Input((10, 3)), L.Conv1D(4, 3, padding="causal"), L.MaxPooling1D(2), L.SpatialDropout1D(0.0), L.Dense(2)]
    )


MODELS = [
    Exchange("mlp", _mlp, numbers(6, 5), (6, 3)),
    Exchange("convnet", _convnet, numbers(4, 8, 8, 2), (4, 3)),
    Exchange("nested", _nested, numbers(5, 4), (5, 2)),
    Exchange("shared layers", _shared, [numbers(5, 4), numbers(5, 4, seed=1)], (5, 11)),
    Exchange(
        "two heads",
        _heads,
        {"a": numbers(5, 4), "b": np.arange(15).reshape(5, 3).astype("int32") % 9},
        {"p": (5, 2), "q": (5, 3)},
        lambda K: dict(
            optimizer=K.optimizers.Adam(1e-2),
            loss={"p": "mse", "q": K.losses.CategoricalCrossentropy(label_smoothing=0.1)},
            loss_weights={"p": 0.5, "q": 2.0},
            metrics={"p": ["mae"], "q": [K.metrics.CategoricalAccuracy(name="acc")]},
        ),
    ),
    Exchange("graph of ops", _ops, numbers(3, 6, 4), [(3, 2), (3,)]),
    Exchange("residual", _residual, numbers(3, 8, 8, 3), (3, 2)),
    Exchange("depthwise and transposed", _depthwise, numbers(2, 12, 12, 3), (2, 2)),
    Exchange("frozen layers", _frozen, numbers(4, 8, 8, 2), (4, 3)),
    Exchange("activations", _activations, numbers(5, 4), (5, 4)),
    Exchange("initializers, regularizers, constraints", _initializers, numbers(5, 6), (5, 2)),
    Exchange("sequence", _batch_of_one_dimension, numbers(3, 10, 3), (3, 5, 2)),
]

OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda O: O.SGD(0.05),
    "SGD momentum": lambda O: O.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "RMSprop": lambda O: O.RMSprop(1e-3, momentum=0.5, centered=True),
    "Adam": lambda O: O.Adam(1e-3, amsgrad=True, clipnorm=0.5),
    "AdamW": lambda O: O.AdamW(1e-3, weight_decay=0.1),
    "Adagrad": lambda O: O.Adagrad(0.01),
    "Adadelta": lambda O: O.Adadelta(1.0),
    "Adamax": lambda O: O.Adamax(2e-3),
    "Nadam": lambda O: O.Nadam(1e-3),
    "Ftrl": lambda O: O.Ftrl(0.01),
    "Lion": lambda O: O.Lion(1e-4),
    "Lamb": lambda O: O.Lamb(1e-3),
    "Adafactor": lambda O: O.Adafactor(1e-3),
    "Muon": lambda O: O.Muon(1e-3),
    "LossScale": lambda O: O.LossScaleOptimizer(O.SGD(0.05, momentum=0.9), initial_scale=4.0),
    "schedule": lambda O: O.Adam(O.schedules.CosineDecay(1e-2, 10, warmup_target=2e-2, warmup_steps=2)),
    "moving average": lambda O: O.SGD(0.05, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4),
    "accumulation": lambda O: O.SGD(0.05, gradient_accumulation_steps=3),
}
OPTIMIZED = [
    Exchange(f"optimizer {name}", _mlp, numbers(6, 5), (6, 3), lambda K, make=make: dict(optimizer=make(K.optimizers)))
    for name, make in OPTIMIZERS.items()
]
