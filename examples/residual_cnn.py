"""A residual convnet with batch normalization on handwritten digits, and its features as a second model.

Usage: python examples/residual_cnn.py [--epochs 8]
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.datasets import load_digits

import kerasish as keras
from kerasish import layers


def normalized(x):
    """Batch normalization whose averages follow quickly: training has few steps."""
    return layers.BatchNormalization(momentum=0.9)(x)


def block(x, filters: int, stride: int = 1):
    """Two convolutions with batch normalization around a shortcut (He et al., 2016)."""
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(normalized(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = normalized(y)
    if stride != 1 or x.shape[-1] != filters:
        x = normalized(layers.Conv2D(filters, 1, strides=stride, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def resnet() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(normalized(x))
    x = block(x, 16)
    x = block(x, 32, stride=2)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(features), name="resnet")


def main() -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=8)
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    digits = load_digits()
    x = (digits.images / 16.0).astype("float32")[..., None]
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], digits.target[order]
    model = resnet()
    model.compile(
        optimizer=keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(0.1, decay_steps=args.epochs * 23), momentum=0.9, nesterov=True
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x[:1437], y[:1437], batch_size=64, epochs=args.epochs, validation_data=(x[1437:], y[1437:]), verbose=2)
    _, accuracy = model.evaluate(x[1437:], y[1437:], verbose=0)
    # The layers up to the features are a model of their own, with the same weights.
    features = keras.Model(model.input, model.get_layer("features").output)
    print(f"test accuracy {accuracy:.2%}; features of two digits: {features.predict(x[:2], verbose=0).shape}")
    return accuracy


if __name__ == "__main__":
    main()
