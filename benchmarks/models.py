"""The models whose programs are measured; each with the batch of its workload and a sample's inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import kerasish as keras
from kerasish import layers


def mlp() -> keras.Model:
    dense = [layers.Dense(512, "relu"), layers.Dense(512, "relu"), layers.Dense(10)]
    return keras.Sequential([keras.Input((784,)), *dense])


def convnet() -> keras.Model:
    body = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()]
    body += [layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
    return keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Dense(10)])


def _normalized(x, filters: int, size: int, stride: int = 1):
    x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x)
    return layers.BatchNormalization()(x)


def resnet20() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = layers.Activation("relu")(_normalized(inputs, 16, 3))
    for filters in (16, 32, 64):
        for k in range(3):
            stride = 2 if k == 0 and filters > 16 else 1
            y = layers.Activation("relu")(_normalized(x, filters, 3, stride))
            y = _normalized(y, filters, 3)
            x = x if stride == 1 else _normalized(x, filters, 1, stride)
            x = layers.Activation("relu")(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def separable() -> keras.Model:
    body: list = [layers.Conv2D(32, 3, padding="same", activation="relu")]
    for filters, stride in ((64, 2), (128, 2), (128, 1)):
        body += [layers.SeparableConv2D(filters, 3, strides=stride, padding="same", use_bias=False)]
        body += [layers.BatchNormalization(), layers.Activation("relu")]
    return keras.Sequential([keras.Input((32, 32, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(10)])


def vgg() -> keras.Model:
    body: list = []
    for filters in (64, 128, 256):
        body += [layers.Conv2D(filters, 3, padding="same", activation="relu") for _ in range(2)]
        body.append(layers.MaxPooling2D())
    tail = [layers.Flatten(), layers.Dense(256, "relu"), layers.Dense(10)]
    return keras.Sequential([keras.Input((32, 32, 3)), *body, *tail])


def lstm() -> keras.Model:
    return keras.Sequential([keras.Input((10, 64)), layers.LSTM(256), layers.Dense(10)])


def tagger() -> keras.Model:
    tokens = keras.Input((80,), dtype="int32")
    x = layers.LSTM(128)(layers.Embedding(20000, 128)(tokens))
    return keras.Model(tokens, layers.Dense(10)(x))


def transformer() -> keras.Model:
    tokens = keras.Input((100,), dtype="int32")
    x = layers.Embedding(20000, 64)(tokens)
    for _ in range(2):
        x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(num_heads=4, key_dim=16)(x, x)]))
        hidden = layers.Dense(64)(layers.Dense(256, activation="relu")(x))
        x = layers.LayerNormalization()(layers.Add()([x, hidden]))
    return keras.Model(tokens, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


# Of each, the batch that its workload trains with.
TRAINED: dict[Callable[[], keras.Model], int] = {
    mlp: 128, convnet: 128, resnet20: 128, separable: 64, vgg: 32, tagger: 64, transformer: 32,
}  # fmt: skip


def inputs(model: keras.Model, batch: int) -> np.ndarray:
    """Random inputs of a model: noise, or tokens."""
    rng = np.random.default_rng(0)
    [x] = model.inputs
    shape = (batch, *x.shape[1:])
    return rng.integers(0, 20000, shape, "int32") if x.dtype == "int32" else rng.standard_normal(shape, "float32")
