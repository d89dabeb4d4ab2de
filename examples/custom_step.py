"""A subclassed model with a layer and a train_step of its own: an autoencoder that is trained on noisy digits.

Usage: python examples/custom_step.py [--epochs 15]
"""

from __future__ import annotations

import argparse

from sklearn.datasets import load_digits

import kerasish as keras
from kerasish import layers, ops


class Tied(layers.Layer):
    """The transpose of a Dense layer: uses that layer's kernel, and a bias of its own."""

    def __init__(self, dense: layers.Dense, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.dense = dense
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(self.dense.kernel.shape[0],), initializer="zeros", name="bias")

    def call(self, inputs):
        return self.activation(ops.matmul(inputs, ops.transpose(self.dense.kernel)) + self.bias)


class DenoisingAutoencoder(keras.Model):
    """Reconstructs clean inputs from noisy ones; its train_step adds the noise."""

    def __init__(self, units: int, noise: float = 0.3, **kwargs):
        super().__init__(**kwargs)
        self.encoder = layers.Dense(units, activation="relu")
        self.decoder = Tied(self.encoder, activation="sigmoid")
        self.noise = noise
        self.seed = keras.random.SeedGenerator(1)

    def call(self, inputs, training=None):
        return self.decoder(self.encoder(inputs))

    def train_step(self, data):
        x, *_ = data
        noisy = x + keras.random.normal(x.shape, stddev=self.noise, seed=self.seed)
        with keras.GradientTape() as tape:
            loss = self.compute_loss(x=noisy, y=x, y_pred=self(noisy, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}


def main() -> float:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15)
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    x = (load_digits().data / 16.0).astype("float32")
    model = DenoisingAutoencoder(32)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")
    model.fit(x, x, epochs=args.epochs, batch_size=64, verbose=2)
    error = float(ops.mean(ops.square(model(x) - x)))
    print(f"mean squared error on clean digits: {error:.4f}")
    return error


if __name__ == "__main__":
    main()
